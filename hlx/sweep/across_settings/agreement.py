"""How maps of one stimulus agree: across patch grids, brought to a common one, and across backgrounds.

Four numbers tell of two maps: Spearman's rank correlation and the cosine, of magnitudes |phi|, which are what
is compared with people, and of phi with its sign. Each is averaged over seeds, then over stimuli, whose mean
has a bootstrap interval; stimuli that share an image count as independent there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from jaxtyping import Float64

from hlx.alignment.inference import FEWEST_STIMULI, bca_interval
from hlx.alignment.maps import cosine, spearman
from hlx.games.regions import Grid
from hlx.sweep.across_settings.resampling import resample
from hlx.sweep.results.sweep_maps import SweepMap, grouped, pairs, settings

Common = Grid | Literal["coarser", "finest"]
"""The grid on which maps of two grids are compared; see `across_grids`."""

RESAMPLES = 1_999
"""Of the bootstrap intervals of means."""

DIGITS = 12
"""Decimal digits that are kept of maps over their largest value: what differs by rounding alone, as the equal
parts of a cell and the values of players who are alike do, is to tie when it is ranked."""


@dataclass(frozen=True)
class Mean:
    """A mean over stimuli.

    Attributes
    ----------
    mean
        None where it is undefined for every stimulus, as a correlation with a constant map is.
    low, high
        Its 95% bootstrap interval; None for fewer than 3 stimuli, and where they do not vary.
    stimuli
        For which it is defined.
    """

    mean: float | None
    low: float | None
    high: float | None
    stimuli: int


@dataclass(frozen=True)
class Agreement:
    """How maps of the same stimuli under two conditions agree.

    Attributes
    ----------
    rank, rank_signed
        Spearman's correlation of |phi|, and of phi.
    cosine, cosine_signed
        Of |phi|, and of phi.
    """

    rank: Mean
    rank_signed: Mean
    cosine: Mean
    cosine_signed: Mean


@dataclass(frozen=True)
class GridAgreement:
    """Maps of one model on two grids, of which `first` is the coarser; `common` is where they met."""

    model: str
    background: str
    setting: str
    first: str
    second: str
    common: str
    agreement: Agreement


@dataclass(frozen=True)
class BackgroundAgreement:
    """Maps of one model and the same regions under two backgrounds."""

    model: str
    regions: str
    setting: str
    first: str
    second: str
    agreement: Agreement


def across_grids(maps: Sequence[SweepMap], common: Common = "coarser") -> list[GridAgreement]:
    """Every pair of grids, by model, background and setting; label maps are left out.

    Parameters
    ----------
    common
        "coarser" compares on the fewer rows and the fewer columns of the two grids. Neither map is then asked
        for detail that it cannot have: of nested grids the finer one's values are summed within the coarser
        one's cells, and phi of a model whose pixels act each for itself agrees perfectly. (|phi| need not:
        within a coarse cell phi of both signs cancels.) On a finer grid, the equal parts of coarse cells make
        ties, and mere resolution counts as disagreement. Its price is that pairs are compared on different
        numbers of cells, and a 2x2 grid ranks but four; "finest", of the sweep's rows and of its columns, or
        a grid of one's own compares all pairs alike.

    Returns
    -------
    list[GridAgreement]
        By setting, model and background in the sweep's order, then from coarse to fine. Pairs without a
        common stimulus, or whose common grid has a single cell, are absent.
    """
    on_grids = [m for m in maps if m.grid is not None]
    if not on_grids:
        return []
    if common == "finest":
        grids_there = [m.grid for m in on_grids if m.grid is not None]
        common = Grid(max(grid.rows for grid in grids_there), max(grid.cols for grid in grids_there))
    found = []
    for setting, them in settings(on_grids).items():
        for (model, background), own in grouped(them, lambda m: (m.row.model, m.row.background)).items():
            grids = grouped(own, lambda m: m.grid)
            for first, second in combinations(sorted(grids, key=_fineness), 2):
                assert first is not None and second is not None
                rows, cols = min(first.rows, second.rows), min(first.cols, second.cols)
                if common == "coarser" and rows * cols < 2:
                    continue
                met = Grid(rows, cols) if common == "coarser" else common
                matched = pairs(grids[first], grids[second])
                if matched:
                    agreement = _agreement(matched, _on_grid(first, met), _on_grid(second, met))
                    found.append(
                        GridAgreement(
                            model, background, setting, str(first), str(second), str(met), agreement
                        )
                    )
    return found


def across_backgrounds(maps: Sequence[SweepMap]) -> list[BackgroundAgreement]:
    """Every pair of backgrounds, by model, regions and setting.

    Sampled maps of one seed stand on the same coalitions under both backgrounds, so that part of what they
    have in common is their error.
    """
    found = []
    for setting, them in settings(maps).items():
        for (model, regions), own in grouped(them, lambda m: (m.row.model, m.row.regions)).items():
            backgrounds = grouped(own, lambda m: m.row.background)
            for first, second in combinations(backgrounds, 2):
                matched = pairs(backgrounds[first], backgrounds[second])
                if matched:
                    agreement = _agreement(matched, rounded, rounded)
                    found.append(BackgroundAgreement(model, regions, setting, first, second, agreement))
    return found


def mean_over_stimuli(values: Float64[np.ndarray, " stimuli"]) -> Mean:
    """The mean of what is defined (not NaN), with its interval."""
    known = values[~np.isnan(values)]
    if not known.size:
        return Mean(None, None, None, 0)
    ends = bca_interval(known, resamples=RESAMPLES) if known.size >= FEWEST_STIMULI else None
    low, high = (None, None) if ends is None else (ends.low, ends.high)
    return Mean(float(known.mean()), low, high, known.size)


Bring = Callable[[Float64[np.ndarray, "m n"]], Float64[np.ndarray, "m k"]]


def _agreement(
    matched: Mapping[str, list[tuple[SweepMap, SweepMap]]], bring: Bring, bring_other: Bring
) -> Agreement:
    """Of pairs of maps by stimulus, both brought to the same cells."""
    stimulus = np.repeat(np.arange(len(matched)), [len(them) for them in matched.values()])
    firsts, seconds = zip(*(pair for them in matched.values() for pair in them), strict=True)
    # Label maps have as many regions as they have; what is stacked has the same.
    numbers = np.full((4, len(stimulus)), np.nan)
    sizes = np.array([m.n_players for m in firsts])
    for size in np.unique(sizes):
        chosen = np.flatnonzero(sizes == size)
        one, other = (np.stack([them[i].values for i in chosen]) for them in (firsts, seconds))
        numbers[:, chosen] = _numbers(one, other, bring, bring_other)
    rank, rank_signed, cos, cos_signed = (
        mean_over_stimuli(mean_by(stimulus, them, len(matched))) for them in numbers
    )
    return Agreement(rank, rank_signed, cos, cos_signed)


def _numbers(
    one: Float64[np.ndarray, "m n"], other: Float64[np.ndarray, "m _"], bring: Bring, bring_other: Bring
) -> Float64[np.ndarray, "4 m"]:
    magnitudes = bring(np.abs(one)), bring_other(np.abs(other))
    signed = bring(one), bring_other(other)
    return np.stack(
        [
            spearman(*magnitudes),
            spearman(*signed),
            cosine(*magnitudes),
            cosine(*signed),
        ]
    )


def mean_by(
    group: np.ndarray, values: Float64[np.ndarray, " m"], count: int
) -> Float64[np.ndarray, " count"]:
    """Means of what is defined by group; NaN where nothing is."""
    known = ~np.isnan(values)
    sums = np.bincount(group[known], values[known], minlength=count)
    members = np.bincount(group[known], minlength=count)
    return np.divide(sums, members, out=np.full(count, np.nan), where=members > 0)


def _on_grid(source: Grid, target: Grid) -> Bring:
    def bring(values: Float64[np.ndarray, "m n"]) -> Float64[np.ndarray, "m k"]:
        # Where values cancel, what rounding leaves of them is small beside what they were.
        sizes = resample(np.abs(values), source, target)
        return rounded(resample(values, source, target), sizes)

    return bring


def rounded(
    maps: Float64[np.ndarray, "m n"], sizes: Float64[np.ndarray, "m n"] | None = None
) -> Float64[np.ndarray, "m n"]:
    """Maps over their largest value, or the largest of `sizes`, to DIGITS: for ranks and cosines."""
    largest = np.abs(maps if sizes is None else sizes).max(axis=1, keepdims=True)
    return np.round(maps / np.where(largest == 0, 1.0, largest), DIGITS)


def _fineness(grid: Grid | None) -> tuple[int, int]:
    assert grid is not None
    return grid.n_players, grid.rows
