"""All estimators by name, and the one way to a plan."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from hlx.errors import InputError
from hlx.estimators.estimator import Estimator, Plan
from hlx.estimators.exact import EXACT
from hlx.estimators.gp.odd_gp import ODD_GP
from hlx.estimators.kernelshap import KERNEL, LEVERAGE
from hlx.estimators.occlusion import OCCLUSION
from hlx.estimators.partition import PARTITION
from hlx.estimators.permutation import OWEN, PERMUTATION
from hlx.estimators.regression_adjusted import REGRESSION_ADJUSTED
from hlx.estimators.rise import RISE
from hlx.estimators.svarm import SVARM
from hlx.games.coalitions import MAX_TABLE_PLAYERS
from hlx.games.regions import Grid, LabelMap, Regions
from hlx.io.own_code import is_own_name, own_object, source_hash

ESTIMATORS = {
    estimator.name: estimator
    for estimator in (
        EXACT,
        ODD_GP,
        LEVERAGE,
        KERNEL,
        PERMUTATION,
        SVARM,
        OWEN,
        REGRESSION_ADJUSTED,
        PARTITION,
        OCCLUSION,
        RISE,
    )
}


def get_estimator(estimator: str | Estimator) -> Estimator:
    """The estimator of this name.

    Parameters
    ----------
    estimator
        One of `ESTIMATORS`, or your own as "file.py:name" or "module:name", which then is its name in
        results. An `Estimator` is returned as it is.

    Raises
    ------
    InputError
        No such estimator, file or name; lists the names there are.
    """
    if isinstance(estimator, Estimator):
        return estimator
    if isinstance(estimator, str) and is_own_name(estimator):
        return _own(estimator, source_hash(estimator))
    if not isinstance(estimator, str) or estimator not in ESTIMATORS:
        raise InputError(
            f"unknown estimator {reprlib.repr(estimator)}; there are {', '.join(ESTIMATORS)}, and your own "
            "as file.py:NAME"
        )
    return ESTIMATORS[estimator]


@lru_cache
def _own(name: str, source: str | None) -> Estimator:
    """A file is run once, and again when its content is another."""
    own = own_object(name, "estimator", InputError)
    if not isinstance(own, Estimator):
        raise InputError(f"estimator {name!r}: expected an Estimator, found {reprlib.repr(own)}")
    return replace(own, name=name, source=source)


def draws_at_random(name: str) -> bool:
    """Whether the seed matters; of one of the user's own, whose file may be elsewhere, it is taken to."""
    return name not in ESTIMATORS or ESTIMATORS[name].random


def get_estimators(asked: str | Estimator | Sequence[str | Estimator]) -> list[Estimator]:
    """One estimator or several, in the order given. Raises InputError as `get_estimator`, and for none."""
    several = asked if isinstance(asked, Iterable) and not isinstance(asked, str) else [asked]
    chosen = [get_estimator(one) for one in several]
    if not chosen:
        raise InputError(f"which estimator? there are {', '.join(ESTIMATORS)}")
    return chosen


def make_plan(
    estimator: Estimator, n: int, budget: int | None, seed: int, regions: Regions | None = None
) -> Plan:
    """The coalitions that an estimator asks for.

    A budget of 2^n or more turns every consistent estimator into the exact one, and means 2^n to all others.

    Parameters
    ----------
    n
        Players.
    budget
        The most distinct coalitions to evaluate, empty and full included; None for those that need none.
    seed
        The same seed gives the same plan, and smaller budgets the beginnings of larger ones.
    regions
        Tells estimators that use neighbourhoods which players are neighbours.

    Raises
    ------
    InputError
        As `check_affordable` and `check_regions`.
    """
    check_affordable(estimator, n, budget)
    check_regions(n, regions)
    budget = 1 << n if budget is None else min(budget, 1 << n)
    chosen = EXACT if reaches_all(estimator, n, budget) else estimator
    return chosen.plan(n, budget, np.random.default_rng(seed), regions)


def reaches_all(estimator: Estimator, n: int, budget: int | None) -> bool:
    """Whether the budget pays for every coalition, so that the result is exact and sampling a waste."""
    if estimator.exhaustive:
        return True
    return estimator.consistent and n <= MAX_TABLE_PLAYERS and budget is not None and budget >= 1 << n


def check_regions(n: int, regions: Regions | None) -> None:
    """Refuse what are no regions, and regions of another number of players than n. Raises InputError."""
    if regions is None:
        return
    if not isinstance(regions, Grid | LabelMap):
        raise InputError(f"regions: expected a Grid or a LabelMap, found {reprlib.repr(regions)}")
    if regions.n_players != n:
        raise InputError(f"regions: the game has {n} players, the regions are {regions.n_players}")


def check_affordable(estimator: Estimator, n: int, budget: int | None) -> None:
    """Refuse what could not finish, and budgets that mean nothing, before anything is evaluated.

    Raises
    ------
    InputError
        Too many regions for all coalitions (names the sampled estimators), or a missing, useless, too small,
        too large (names the largest) or endless budget.
    """
    if estimator.exhaustive:
        if n > MAX_TABLE_PLAYERS:
            sampled = ", ".join(name for name, e in ESTIMATORS.items() if e.standard_errors)
            count = f" = {1 << n:,}" if n < 100 else ""
            raise InputError(
                f"exact values of {n} regions take 2^{n}{count} evaluations, more than the limit of "
                f"2^{MAX_TABLE_PLAYERS}; use fewer regions or a sampled estimator ({sampled}) with a budget"
            )
        if budget is not None and budget < 1 << n:
            raise InputError(
                f"{estimator.name} evaluates all {1 << n:,} coalitions; a budget of {budget} needs "
                "a sampled estimator"
            )
    elif budget is None:
        if estimator.needs_budget:
            raise InputError(f"{estimator.name} samples coalitions: say how many with a budget")
    elif n > MAX_TABLE_PLAYERS and budget > 1 << MAX_TABLE_PLAYERS:
        raise InputError(
            f"{estimator.name}: a budget of {budget:,} evaluations is more than the limit of "
            f"2^{MAX_TABLE_PLAYERS}; use a smaller one"
        )
    elif budget > (estimator.max_budget or budget) and not reaches_all(estimator, n, budget):
        raise InputError(
            f"{estimator.name}: a budget of {budget:,} evaluations is more than the largest that it takes, "
            f"{estimator.max_budget:,}, for its memory grows with the square; use that, or another one such "
            "as leverage"
        )
    elif budget < (least := estimator.lowest_budget(n)):
        raise InputError(
            f"{estimator.name}: a budget of {budget} evaluations is too small for {n} regions; "
            f"use at least {least}"
        )
