"""Noise ceilings: how alike the maps of different people are, for one stimulus."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
from jaxtyping import Bool, Float64

from hlx.counts import whole_number
from hlx.errors import InputError
from hlx.regions import Grid
from hlx.similarity.baselines import mean_of_others
from hlx.similarity.measures import MEASURES


def split_half(
    rater_values: Float64[np.ndarray, "r n"],
    rng: np.random.Generator,
    splits: int = 100,
    measure: str = "RC",
) -> float:
    """Reliability of the mean map: the correlation of two halves of the raters, stepped up to all of them.

    The mean correlation over the splits, then Spearman-Brown (`spearman_brown`): what to expect between this
    mean map and that of as many other people. A model without noise correlates with the mean map up to about
    the square root of it.

    Parameters
    ----------
    rater_values : (r, n), one map for each rater; the halves' mean maps are compared.
    rng : draws the splits.
    splits : how many; where there are no more different ones, each is taken once instead. Of an odd number of
        raters one half has one more, and the formula for equal halves is used all the same.
    measure : a correlation, "RC" or "CC"; Spearman-Brown holds for nothing else.

    Returns
    -------
    NaN with fewer than two raters, or where the correlation is undefined for every split.

    Raises
    ------
    InputError : another measure, or `splits` is not a positive whole number.
    """
    if measure not in ("RC", "CC"):
        raise InputError(f"split-half: Spearman-Brown is for correlations, RC or CC, found {measure!r}")
    splits = whole_number(splits, "splits", 1)
    if len(rater_values) < 2:
        return float("nan")
    half = _halves(len(rater_values), splits, rng)
    first, second = (part @ rater_values / part.sum(axis=1, keepdims=True) for part in (half, ~half))
    return spearman_brown(_mean_defined(MEASURES[measure].function(first, second, _any_grid(rater_values))))


def leave_one_out(
    rater_values: Float64[np.ndarray, "r n"], measure: str = "RC", grid: Grid | None = None
) -> float:
    """How well people predict one more: mean over raters of measure(mean map of the others, the rater's).

    Parameters
    ----------
    rater_values : (r, n), one map for each rater.
    measure : any of `MEASURES` that compares maps.
    grid : where the cells lie; only EMD asks for it.

    Returns
    -------
    NaN with fewer than two raters, or where the measure is undefined for every rater; raters for whom it is
    (a constant map) are left out of the mean.

    Raises
    ------
    InputError : an unknown measure, one of clicks, or EMD without a grid.
    """
    if measure not in MEASURES:
        raise InputError(f"measure {measure!r}: expected one of {', '.join(MEASURES)}")
    if measure == "EMD" and grid is None:
        raise InputError("EMD: needs the grid, for the distances between cells")
    if len(rater_values) < 2:
        return float("nan")
    others = mean_of_others(rater_values)
    return _mean_defined(MEASURES[measure].function(others, rater_values, grid or _any_grid(rater_values)))


def spearman_brown(correlation: float) -> float:
    """2 r / (1 + |r|): the reliability of a whole from the correlation r of its halves.

    The formula of Spearman (1910) and Brown (1910) for r >= 0. A negative r is no reliability, and 2r/(1 + r)
    would fall without bound; it is stepped up as if positive, its sign kept, so that -1 stays -1.
    """
    return 2.0 * correlation / (1.0 + abs(correlation))


def _halves(raters: int, splits: int, rng: np.random.Generator) -> Bool[np.ndarray, "s r"]:
    size = raters // 2
    if comb(raters, size) <= splits:  # of an even number each split comes twice, with its halves swapped
        chosen = np.array(list(combinations(range(raters), size)))
        half = np.zeros((len(chosen), raters), dtype=np.bool_)
        np.put_along_axis(half, chosen, True, axis=1)
        return half
    return rng.permuted(np.tile(np.arange(raters) < size, (splits, 1)), axis=1)


def _mean_defined(values: Float64[np.ndarray, " m"]) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")


def _any_grid(maps: Float64[np.ndarray, "r n"]) -> Grid:
    """Stands in for the grid with measures that do not ask where cells lie."""
    return Grid(1, maps.shape[1])
