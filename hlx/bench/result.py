"""What a benchmark found: one row per estimator and budget, and what is said of its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Float64

from hlx.attribution.error_measures import ROUNDING
from hlx.errors import InputError

REFERENCE = "leverage"
"""Ratios are of this estimator's mean squared error, the best that had been published without a surrogate."""

RESAMPLES = 1000
"""Bootstrap draws behind the interval of a ratio."""


@dataclass(frozen=True)
class Summary:
    """Mean, standard error of the mean, quartiles and count of the defined values of a measure.

    The standard error takes every game and every repeat for an independent draw, as papers print it, though
    the repeats of one game share its difficulty: it tells what another run on these games would change.
    None of a single value.
    """

    mean: float
    sem: float | None
    quartiles: tuple[float, float, float]
    count: int

    def as_dict(self) -> dict[str, Any]:
        return {"mean": self.mean, "sem": self.sem, "quartiles": list(self.quartiles), "count": self.count}


def summarise(samples: Float64[np.ndarray, "repeats games"]) -> Summary | None:
    """Of the samples that are defined (not NaN); None if there are none."""
    defined = samples[~np.isnan(samples)]
    if not defined.size:
        return None
    sem = float(defined.std(ddof=1) / np.sqrt(defined.size)) if defined.size > 1 else None
    lower, middle, upper = (float(q) for q in np.quantile(defined, (0.25, 0.5, 0.75)))
    return Summary(float(defined.mean()), sem, (lower, middle, upper), defined.size)


@dataclass(frozen=True)
class Ratio:
    """A ratio of mean errors with the interval in which 95% of the bootstrap draws lie."""

    value: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float]:
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True, eq=False)
class Row:
    """An estimator at a budget.

    Attributes
    ----------
    samples
        By names of `MEASURES`, (repeats, games), or (repeats, 1) of what all games share; NaN where
        undefined.
    """

    estimator: str
    budget: int
    samples: dict[str, Float64[np.ndarray, "repeats columns"]] = field(repr=False)

    @property
    def repeats(self) -> int:
        return len(self.samples["mse"])

    def summary(self, measure: str) -> Summary | None:
        """None where the measure is undefined throughout, or was not taken."""
        return summarise(self.samples[measure]) if measure in self.samples else None

    @property
    def seconds(self) -> float:
        """Median over repeats of sampling, evaluation and solving of one game."""
        parts = (self.samples[name] for name in ("sampling", "evaluation", "solving") if name in self.samples)
        return float(np.median(sum(part.mean(axis=1) for part in parts)))


@dataclass(frozen=True)
class Skipped:
    """An estimator at a budget that is below its least."""

    estimator: str
    budget: int
    min_budget: int


@dataclass(frozen=True, eq=False)
class BenchmarkResult:
    """All rows of a benchmark, and what made them.

    Attributes
    ----------
    rows, skipped
        By estimator in the order asked for, then by budget.
    estimators, budgets
        As asked for.
    games
        Names; the columns of the rows' samples.
    n_players, regions
        Of every game; regions as text, None where not known.
    seed
        Repeat r plans with seed + r.
    top, level
        Of Precision@k and of the intervals.
    model_seconds
        Whether `evaluation` is what the sweep that made the tables took, not looking values up.
    versions
        Of hlx and the packages that take part.
    deterministic
        estimators in which nothing is random, run once.
    uses_adjacency
        estimators that ask the regions which players are neighbours.
    """

    rows: list[Row]
    skipped: list[Skipped]
    estimators: list[str]
    budgets: list[int]
    games: list[str]
    n_players: list[int]
    regions: list[str | None]
    seed: int
    top: int
    level: float
    model_seconds: bool
    versions: dict[str, str]
    deterministic: list[str] = field(default_factory=list)
    uses_adjacency: list[str] = field(default_factory=list)

    def row(self, estimator: str, budget: int) -> Row | None:
        """None where it was skipped."""
        found = (row for row in self.rows if (row.estimator, row.budget) == (estimator, budget))
        return next(found, None)

    def ratio(self, row: Row, reference: str = REFERENCE, measure: str = "mse") -> Ratio | None:
        """A row's mean error over the reference's at the same budget, with a bootstrapped 95% interval.

        Games are drawn for both at once, repeats for each on its own: both are samples of what there could
        have been, and the repeats of two estimators have nothing in common. None where the reference was not
        run at this budget, or its errors are zero but for rounding.
        """
        other = self.row(reference, row.budget)
        if other is None or measure not in row.samples:
            return None
        above, below = row.samples[measure], other.samples[measure]
        relative = other.samples["relative_error"]
        if ((relative <= ROUNDING) | (below == 0)).all():
            return None
        value = float(above.mean() / below.mean())
        if row is other:
            return Ratio(value, value, value)
        draw = np.random.default_rng(0)
        games = _resampled(draw, above.shape[1])
        drawn = [
            np.einsum("br,rg,bg->b", _resampled(draw, len(errors)), errors, games, optimize=True)
            for errors in (above, below)
        ]
        with np.errstate(divide="ignore", invalid="ignore"):
            low, high = (float(q) for q in np.nanquantile(drawn[0] / drawn[1], (0.025, 0.975)))
        return Ratio(value, low, high)

    def as_dict(self) -> dict[str, Any]:
        """Everything as JSON's types; undefined numbers are null, and the samples are left out."""
        about = {
            name: getattr(self, name)
            for name in ("estimators", "budgets", "games", "n_players", "regions", "seed", "top", "level")
        }
        return {
            **about,
            "evaluation_seconds": "of the sweep that made the tables, compilation included"
            if self.model_seconds
            else "of looking values up in tables",
            "ratio_to": REFERENCE,
            "versions": self.versions,
            "rows": [self._row_dict(row) for row in self.rows],
            "skipped": [vars(skipped) for skipped in self.skipped],
        }

    def _row_dict(self, row: Row) -> dict[str, Any]:
        ratio = self.ratio(row)
        summaries = {name: row.summary(name) for name in row.samples}
        return {
            "estimator": row.estimator,
            "budget": row.budget,
            "repeats": row.repeats,
            "games": row.samples["mse"].shape[1],
            **{name: None if s is None else s.as_dict() for name, s in summaries.items()},
            "mse_ratio": None if ratio is None else ratio.as_dict(),
        }


def joined(results: Sequence[BenchmarkResult]) -> BenchmarkResult:
    """Runs on the same games as one: rows of the same estimator and budget are one row of all their repeats.

    Raises
    ------
    InputError
        No run, or runs on other games or with other settings.
    """
    if not results:
        raise InputError("no benchmark to join")
    first = results[0]
    for other in results[1:]:
        for name in ("games", "n_players", "regions", "top", "level", "model_seconds"):
            if getattr(other, name) != getattr(first, name):
                raise InputError(
                    f"benchmarks with different {name} cannot be joined: {getattr(first, name)} and "
                    f"{getattr(other, name)}"
                )
    parts: dict[tuple[str, int], list[Row]] = {}
    for result in results:
        for row in result.rows:
            parts.setdefault((row.estimator, row.budget), []).append(row)
    estimators = list(dict.fromkeys(name for result in results for name in result.estimators))
    once = {name for result in results for name in result.deterministic}
    rows = []
    for (name, budget), same in parts.items():
        kept = same[:1] if name in once else same
        samples = {key: np.concatenate([row.samples[key] for row in kept]) for key in same[0].samples}
        rows.append(Row(name, budget, samples))
    rows.sort(key=lambda row: (estimators.index(row.estimator), row.budget))
    return replace(
        first,
        rows=rows,
        skipped=list(dict.fromkeys(skipped for result in results for skipped in result.skipped)),
        estimators=estimators,
        budgets=sorted({budget for result in results for budget in result.budgets}),
        seed=min(result.seed for result in results),
        deterministic=[name for name in estimators if name in once],
        uses_adjacency=list(dict.fromkeys(name for result in results for name in result.uses_adjacency)),
    )


def _resampled(draw: np.random.Generator, count: int) -> Float64[np.ndarray, "draws count"]:
    """How often each of `count` is drawn, over `count`, in each bootstrap draw."""
    return draw.multinomial(count, np.full(count, 1 / count), size=RESAMPLES) / count
