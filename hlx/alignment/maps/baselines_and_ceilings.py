"""What a model's maps must beat, and what they can reach at most.

Baselines are maps that know nothing of the model: the same value everywhere, a Gaussian at the centre, the
mean human map of other stimuli. Ceilings say how similar the maps of different people are, for one stimulus.
"""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
from jaxtyping import Bool, Float64

from hlx.alignment.maps.click_measures import borders, pixels_of_cells
from hlx.alignment.maps.measures import MEASURES, Measure, find_measure
from hlx.alignment.maps.similarity import Maps, Numbers
from hlx.errors import InputError
from hlx.games.regions import Grid
from hlx.io.checks import whole_number

CENTRE_SIGMA = 0.25
"""Standard deviation of the centre Gaussian as a share of the side: 100 of 400 pixels."""

CORRELATIONS = ("RC", "CC")
"""The measures that Spearman-Brown holds for."""


def uniform_map(grid: Grid, side: int | None = None) -> Float64[np.ndarray, " n"]:
    """The same value in every cell, or in every pixel.

    Parameters
    ----------
    grid
        The cells.
    side
        Width and height of a canvas: every pixel of it has the same value, which differs from the same value
        in every cell where the grid does not divide the side. None for cells of equal value.

    Returns
    -------
    Float64[np.ndarray, " n"]
        (n,), sums to 1.
    """
    if side is None:
        return np.full(grid.n_players, 1.0 / grid.n_players)
    return pixels_of_cells(grid, side) / side**2


def centre_bias(
    grid: Grid, sigma: float = CENTRE_SIGMA, side: int | None = None
) -> Float64[np.ndarray, " n"]:
    """A Gaussian at the centre of the image: its mass in each cell, over its mass in the image.

    Parameters
    ----------
    grid
        The cells.
    sigma
        Standard deviation along rows and columns as a share of the image's side. Saliency benchmarks stretch
        a Gaussian over the image without agreeing on a width; on square grids up to 4x4 rank correlations are
        the same for any.
    side
        The canvas in pixels, where cells are to be as unequal as its pixels make them; None for equal cells.

    Returns
    -------
    Float64[np.ndarray, " n"]
        (n,), sums to 1.

    Raises
    ------
    InputError
        `sigma` is not a finite number above 0.
    """
    from scipy.special import ndtr

    if not 0 < sigma < np.inf:
        raise InputError(f"centre bias: sigma must be a finite number above 0, found {sigma}")
    masses = []
    for count in (grid.rows, grid.cols):
        edges = np.linspace(0.0, 1.0, count + 1) if side is None else borders(count, side) / side
        mass = np.diff(ndtr((edges - 0.5) / sigma))
        # Cells that mirror each other must tie in their ranks, to the last bit.
        masses.append((mass + mass[::-1]) / 2.0 if side is None else mass)
    cells = np.outer(*masses).ravel()
    return cells / cells.sum()


def mean_of_others(maps: Maps) -> Maps:
    """For each of m maps (stimuli, raters) the mean of all others.

    Sums before and after each map are added, so that nothing cancels and values that are 0 in all other maps
    stay 0.

    Parameters
    ----------
    maps
        (m, n), one map per row.

    Returns
    -------
    Maps
        (m, n); NaN where there is no other.
    """
    m = len(maps)
    if m < 2:
        return np.full(maps.shape, np.nan)
    nothing = np.zeros((1, maps.shape[1]))
    before = np.concatenate([nothing, np.cumsum(maps[:-1], axis=0)])
    after = np.concatenate([np.cumsum(maps[:0:-1], axis=0)[::-1], nothing])
    return (before + after) / (m - 1)


def leave_one_out(
    rater_values: Float64[np.ndarray, "r n"], measure: str | Measure = "RC", grid: Grid | None = None
) -> float:
    """How well people predict one more: mean over raters of measure(mean map of the others, the rater's).

    Parameters
    ----------
    rater_values
        (r, n), one map for each rater.
    measure
        Any that compares maps, or its name (`find_measure`).
    grid
        Where the cells lie; of hlx's measures only EMD asks for it.

    Returns
    -------
    float
        NaN with fewer than two raters, or where the measure is undefined for every rater; raters for whom it
        is (a constant map) are left out of the mean.

    Raises
    ------
    InputError
        An unknown measure, one of clicks, or EMD without a grid.
    """
    measure = find_measure(measure)
    measure.check({"humans": rater_values, "grid": grid})
    if len(rater_values) < 2:
        return float("nan")
    return mean_defined(measure(mean_of_others(rater_values), humans=rater_values, grid=grid))


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
    rater_values
        (r, n), one map for each rater; the halves' mean maps are compared.
    rng
        Draws the splits.
    splits
        How many; where there are no more different ones, each is taken once instead. Of an odd number of
        raters one half has one more, and the formula for equal halves is used all the same.
    measure
        A correlation, "RC" or "CC"; Spearman-Brown holds for nothing else.

    Returns
    -------
    float
        NaN with fewer than two raters, or where the correlation is undefined for every split.

    Raises
    ------
    InputError
        Another measure, or `splits` is not a positive whole number.
    """
    if measure not in CORRELATIONS:
        raise InputError(f"split-half: Spearman-Brown is for correlations, RC or CC, found {measure!r}")
    splits = whole_number(splits, "splits", 1)
    if len(rater_values) < 2:
        return float("nan")
    half = _halves(len(rater_values), splits, rng)
    first, second = (part @ rater_values / part.sum(axis=1, keepdims=True) for part in (half, ~half))
    return spearman_brown(mean_defined(MEASURES[measure](first, humans=second)))


def spearman_brown(correlation: float) -> float:
    """2 r / (1 + |r|): the reliability of a whole from the correlation r of its halves.

    The formula of Spearman (1910) and Brown (1910) for r >= 0. A negative r is no reliability, and 2r/(1 + r)
    would fall without bound; it is stepped up as if positive, its sign kept, so that -1 stays -1.
    """
    return 2.0 * correlation / (1.0 + abs(correlation))


def mean_defined(values: Numbers) -> float:
    """The mean of what is not NaN; NaN of nothing."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")


def _halves(raters: int, splits: int, rng: np.random.Generator) -> Bool[np.ndarray, "s r"]:
    size = raters // 2
    if comb(raters, size) <= splits:  # of an even number each split comes twice, with its halves swapped
        chosen = np.array(list(combinations(range(raters), size)))
        half = np.zeros((len(chosen), raters), dtype=np.bool_)
        np.put_along_axis(half, chosen, True, axis=1)
        return half
    return rng.permuted(np.tile(np.arange(raters) < size, (splits, 1)), axis=1)
