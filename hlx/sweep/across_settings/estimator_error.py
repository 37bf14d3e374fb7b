"""How far estimates are from the exact values, where a sweep has both; and what maps cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from hlx.alignment.inference import FEWEST_STIMULI
from hlx.alignment.inference.intervals import bootstrap_interval
from hlx.alignment.maps import spearman
from hlx.attribution.error_measures import covered, precision_at
from hlx.estimators import Estimate
from hlx.sweep.across_settings.agreement import RESAMPLES, Mean, mean_by, mean_over_stimuli, rounded
from hlx.sweep.results.sweep_maps import SweepMap, by_budget, grouped

LEVEL = 0.95
"""Nominal coverage of the intervals."""

SHARE = 4
"""Precision is of the largest fourth of the regions, at least one."""


@dataclass(frozen=True)
class EstimatorError:
    """An estimator at a budget against the exact values of the same stimuli, averaged over seeds first.

    Attributes
    ----------
    n_players, evaluations
        regions of a map and distinct coalitions, on average.
    budget
        A number, or of label maps a multiple of the number of regions ("8n"), as `by_budget` says.
    kind
        What the estimator's values are: "Shapley values", or what is merely compared with them.
    seeds
        How many.
    relative_squared_error
        Squared errors summed over players and stimuli, over the squared exact values so summed: a mean of
        ratios would hang on the stimuli of which the model sees next to nothing.
    rank
        Spearman's correlation with the exact values, signed.
    precision
        Share of the `top` largest |phi| that are among as many largest estimated.
    coverage
        Share of players whose 95% interval holds the exact value; undefined without standard errors.
    """

    model: str
    regions: str
    n_players: float
    background: str
    estimator: str
    budget: int | str | None
    tolerance: float | None
    kind: str
    evaluations: float
    seeds: int
    relative_squared_error: Mean
    rank: Mean
    precision: Mean
    coverage: Mean


@dataclass(frozen=True)
class Cost:
    """What maps of one model and the same regions took.

    Attributes
    ----------
    n_players, evaluations
        regions of a map and its distinct coalitions, on average.
    seconds
        Of a map, the median, which leaves compilation to the first; None where not known. What an image's
        maps took together is shared out equally among them, so that estimators cannot be told apart.
    total_seconds
        Of all `jobs`; None where that of any is not known.
    jobs
        Maps computed; stimuli with the same texts and image share one.
    """

    model: str
    regions: str
    n_players: float
    evaluations: float
    seconds: float | None
    total_seconds: float | None
    jobs: int


def way_of(error: EstimatorError) -> tuple[str, int | str | None, float | None]:
    """Estimator, budget and tolerance."""
    return error.estimator, error.budget, error.tolerance


def estimator_errors(maps: Sequence[SweepMap]) -> list[EstimatorError]:
    """Every estimator and budget of which the sweep also has exact maps, in the sweep's order.

    Maps that came out exact, since their budget reached all coalitions, are the truth, and not among these.
    """
    truth = {_question(m): m.values for m in reversed(maps) if m.exact}
    estimates = [m for m in maps if not m.exact and _question(m) in truth]
    groups = grouped(
        estimates,
        lambda m: ((m.row.model, m.row.regions, m.row.background), (m.row.estimator, m.row.tolerance)),
    )
    return [
        _error(them, budget, [truth[_question(m)] for m in them])
        for own in groups.values()
        for budget, them in by_budget(own).items()
    ]


def costs(maps: Sequence[SweepMap]) -> list[Cost]:
    """Evaluations and seconds by model and regions, in the sweep's order."""
    computed = [them[0] for them in grouped(maps, lambda m: (m.row.model, m.row.job)).values()]
    return [_cost(them) for them in grouped(computed, lambda m: (m.row.model, m.row.regions)).values()]


def _question(m: SweepMap) -> tuple[str, str, str, str]:
    return m.row.model, m.row.regions, m.row.background, m.row.stimulus


def _error(
    maps: Sequence[SweepMap], budget: int | str | None, truth: Sequence[Float64[np.ndarray, " _"]]
) -> EstimatorError:
    first = maps[0].row
    numbers = np.array([_numbers(m, exact) for m, exact in zip(maps, truth, strict=True)]).T
    names, stimulus = np.unique([m.row.stimulus for m in maps], return_inverse=True)
    squares, sizes, rank, precision, coverage = (mean_by(stimulus, them, len(names)) for them in numbers)
    return EstimatorError(
        model=first.model,
        regions=first.regions,
        n_players=_mean([m.n_players for m in maps]),
        background=first.background,
        estimator=first.estimator,
        budget=budget,
        tolerance=first.tolerance,
        kind=maps[0].kind,
        evaluations=_mean([m.n_evaluations for m in maps]),
        seeds=len({m.row.seed for m in maps}),
        relative_squared_error=_ratio(squares, sizes),
        rank=mean_over_stimuli(rank),
        precision=mean_over_stimuli(precision),
        coverage=mean_over_stimuli(coverage),
    )


def _numbers(m: SweepMap, exact: Float64[np.ndarray, " n"]) -> tuple[float, ...]:
    """Squared error and size, rank correlation, precision, and coverage of one map."""
    estimate = Estimate(m.values, m.standard_error, m.degrees_of_freedom)
    return (
        float(np.sum((m.values - exact) ** 2)),
        float(np.sum(exact**2)),
        float(spearman(rounded(m.values[None]), rounded(exact[None]))[0]),
        float(precision_at(top(m.n_players), m.values, exact)),
        float(covered(estimate, exact, LEVEL)),
    )


def top(n_players: int) -> int:
    """The k of Precision@k."""
    return max(1, n_players // SHARE)


def _mean(numbers: Sequence[int | float]) -> float:
    return float(np.mean(numbers))


def _ratio(above: Float64[np.ndarray, " m"], below: Float64[np.ndarray, " m"]) -> Mean:
    """The ratio of two sums over stimuli, drawn together for its interval."""
    if below.sum() == 0:
        return Mean(None, None, None, 0)

    def ratio_of_sums(one: np.ndarray, other: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.asarray(one.sum(axis=axis) / other.sum(axis=axis))

    ends = None
    if len(above) >= FEWEST_STIMULI:
        ends = bootstrap_interval([above, below], ratio_of_sums, resamples=RESAMPLES)
    low, high = (None, None) if ends is None else (ends.low, ends.high)
    return Mean(float(ratio_of_sums(above, below)), low, high, len(above))


def _cost(maps: Sequence[SweepMap]) -> Cost:
    first = maps[0]
    seconds = [m.seconds for m in maps if m.seconds is not None]
    return Cost(
        model=first.row.model,
        regions=first.row.regions,
        n_players=_mean([m.n_players for m in maps]),
        evaluations=_mean([m.n_evaluations for m in maps]),
        seconds=float(np.median(seconds)) if seconds else None,
        total_seconds=float(np.sum(seconds)) if len(seconds) == len(maps) else None,
        jobs=len(maps),
    )
