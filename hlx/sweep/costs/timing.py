"""How long a sweep's groups take on this machine: a few coalitions evaluated of one or two groups a model."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hlx.errors import HlxError, InputError
from hlx.models.loading.load import Loaded
from hlx.sweep.costs.evaluation_counts import EvaluationCounts
from hlx.sweep.plan.jobs import ImageGroup, PlannedModel
from hlx.sweep.run.computing import compute
from hlx.sweep.run.preparing import Prepared, Preparer, devices_of, load_planned

ENOUGH_SECONDS = 0.3
"""A measurement of so long is trusted."""

MOST_SECONDS = 1.0
"""An image group that seems to take no longer is computed whole, to see what it takes besides evaluations."""

TRIES = 4
"""Image groups of which one can be timed."""

MOST_COSTLY = 50_000
"""Budget times regions, of estimators that plan for long, up to which an image group is computed whole."""


@dataclass(frozen=True)
class Rate:
    """Seconds, of all local devices together.

    Attributes
    ----------
    evaluation, job
        For each evaluation, and besides for each job.
    preparing
        Of an image group, while another is computed.
    solved
        Whether `job` has in it what estimators take to solve; that of large budgets is not tried.
    """

    evaluation: float
    job: float
    preparing: float
    solved: bool = True

    def over(self, devices: int) -> Rate:
        """Of so many devices together, where this is of one."""
        return Rate(self.evaluation / devices, self.job / devices, self.preparing / devices, self.solved)


@dataclass(frozen=True)
class Timing:
    """What was measured of a model.

    Attributes
    ----------
    rates
        By number of regions, of those that were measured.
    loading
        Seconds until the model was there.
    compiling
        Seconds that the first evaluations with another number of regions took longer.
    """

    rates: Mapping[int, Rate]
    loading: float
    compiling: float

    def rate(self, n: int) -> Rate:
        """For n regions, on a straight line between the fewest and the most that were measured."""
        known = sorted(self.rates)

        def at(part: Callable[[Rate], float]) -> float:
            return float(np.interp(n, known, [part(self.rates[k]) for k in known]))

        return Rate(
            at(lambda rate: rate.evaluation),
            at(lambda rate: rate.job),
            at(lambda rate: rate.preparing),
            all(rate.solved for rate in self.rates.values()),
        )


def measure(
    models: Sequence[PlannedModel],
    groups: Sequence[ImageGroup],
    say: Callable[[str], None] = lambda line: None,
) -> dict[int, Timing | str]:
    """What the models of these groups take, by their places; or why that could not be found out.

    Each model is loaded on one of the devices that a run would use, and evaluates coalitions of its groups
    with the fewest and the most regions, for a few seconds at most.
    """
    found: dict[int, Timing | str] = {}
    for place in dict.fromkeys(group.model for group in groups):
        own = [group for group in groups if group.model == place]
        say(f"timing {models[place].label}")
        try:
            found[place] = _timed(models[place], own)
        except HlxError as error:
            found[place] = str(error)
        except (
            Exception
        ) as error:  # whatever a function of the user's own, or a device without memory, raises
            found[place] = f"{type(error).__name__}: {error}"
    return found


def _players(group: ImageGroup) -> int:
    return group.regions.n_players


def _timed(model: PlannedModel, groups: Sequence[ImageGroup]) -> Timing:
    devices = devices_of(model)
    start = time.perf_counter()
    loaded = load_planned(model, devices[0])
    loading = time.perf_counter() - start
    rates, first_longer = {}, []
    for n in sorted({min(map(_players, groups)), max(map(_players, groups))}):
        rate, longer = _first_rate(loaded, model, [group for group in groups if _players(group) == n])
        rates[n] = rate.over(len(devices))
        first_longer.append(longer)
    return Timing(rates, loading, sum(first_longer) / len(first_longer))


def _first_rate(loaded: Loaded, model: PlannedModel, groups: Sequence[ImageGroup]) -> tuple[Rate, float]:
    """Of the first of a few groups that can be computed: a run, too, passes over an image that is broken."""
    for group in groups[:TRIES]:
        try:
            return _rate(loaded, model, group)
        except HlxError as error:
            last = error
    raise last


def _rate(loaded: Loaded, model: PlannedModel, group: ImageGroup) -> tuple[Rate, float]:
    """Of an image group on the model's device; and how much longer the first evaluations took."""
    # What one stimulus takes is enough: all share the evaluations.
    first_one = group.jobs[0].stimulus
    group = replace(group, jobs=tuple(job for job in group.jobs if job.stimulus == first_one))
    prepared = Preparer().prepare(loaded, model, group)
    start = time.perf_counter()
    prepared = Preparer().prepare(loaded, model, group)
    preparing = time.perf_counter() - start
    text_queries = loaded.text_queries([(first_one.caption, first_one.foil)])
    start = time.perf_counter()
    loaded.text_queries([(first_one.caption, first_one.foil)])
    besides = time.perf_counter() - start
    evaluations = sum(count.evaluations for count in EvaluationCounts().of(group).values())
    m = min(prepared.masked.batch_size, evaluations)
    first = _seconds(prepared, text_queries, m)
    seconds = _seconds(prepared, text_queries, m)
    compiling = max(0.0, first - seconds)
    while seconds < ENOUGH_SECONDS and m < evaluations:
        m = min(2 * m, evaluations)
        _seconds(prepared, text_queries, m)
        seconds = _seconds(prepared, text_queries, m)
    evaluation = seconds / m
    expensive = _expensive(group)
    if evaluation * evaluations <= MOST_SECONDS and expensive <= MOST_COSTLY:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tolerances: the run will tell them
            compute(loaded, model, group, prepared)
            start = time.perf_counter()
            _, failures = compute(loaded, model, group, prepared)
            besides = max(0.0, time.perf_counter() - start - evaluation * evaluations)
        if failures:
            raise InputError(failures[0].reason)
    return Rate(evaluation, besides / len(group.jobs), preparing, expensive <= MOST_COSTLY), compiling


def _seconds(prepared: Prepared, text_queries: object, m: int) -> float:
    n = prepared.masked.n_players
    rows = np.random.default_rng(m).random((m, n)) < 0.5
    start = time.perf_counter()
    prepared.masked.values(rows, text_queries)
    return time.perf_counter() - start


def _expensive(group: ImageGroup) -> int:
    """Budget times regions of the group's expensive estimators."""
    n = _players(group)
    specs = {job.spec for job in group.jobs if job.spec.estimator.expensive}
    limits = [list(spec.rounds(n))[-1] or 0 for spec in specs]
    return sum(n * limit for limit in limits)
