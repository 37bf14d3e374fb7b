"""All estimators by name."""

from __future__ import annotations

from hlx.coalitions import MAX_TABLE_PLAYERS
from hlx.errors import InputError
from hlx.estimators.estimator import Estimator
from hlx.estimators.exact import EXACT
from hlx.estimators.permutation import PERMUTATION

ESTIMATORS = {estimator.name: estimator for estimator in (EXACT, PERMUTATION)}


def get_estimator(name: str) -> Estimator:
    """The estimator of this name; InputError lists the names there are."""
    if name not in ESTIMATORS:
        raise InputError(f"unknown estimator {name!r}; there are {', '.join(ESTIMATORS)}")
    return ESTIMATORS[name]


def check_affordable(estimator: Estimator, n: int, budget: int | None) -> None:
    """Refuse what could not finish, and budgets that mean nothing, before anything is evaluated.

    Raises
    ------
    InputError : too many regions for all coalitions (names the sampled estimators), or a missing, useless
        or too small budget.
    """
    if estimator.exhaustive:
        if n > MAX_TABLE_PLAYERS:
            sampled = ", ".join(name for name, e in ESTIMATORS.items() if not e.exhaustive)
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
        raise InputError(f"{estimator.name} samples coalitions: say how many with a budget of evaluations")
    elif budget < estimator.least_budget(n):
        raise InputError(
            f"{estimator.name}: a budget of {budget} evaluations is too small for {n} regions; "
            f"use at least {estimator.least_budget(n)}"
        )
