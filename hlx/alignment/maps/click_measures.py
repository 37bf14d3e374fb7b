"""NSS, AUC and shuffled AUC: how high a map is where people clicked.

They are measures of pixels. A map's value of a cell is its sum over the cell's pixels, so that on the canvas
every pixel shows the value over the number of pixels in its cell; cells differ in these by a row or column
where the grid does not divide the canvas. Nothing is drawn: cells count as often as they have pixels or
clicks, which gives the same.

Densities that agree to 12 digits of a map's largest are equal: dividing by the numbers of pixels would
otherwise break ties, and make a constant map's rounding errors the map.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64, Real

from hlx.alignment.maps.similarity import Maps, Numbers, ratio
from hlx.errors import InputError
from hlx.games.regions import Grid

Counts = Real[np.ndarray, "m n"]
"""One row for each map: how many clicks fell into each cell."""

DENSITY_DIGITS = 12
"""Decimal digits that are kept of densities over their largest."""


def nss(maps: Maps, clicks: Counts, grid: Grid, side: int) -> Numbers:
    """NSS: mean over the clicks of the map's pixels, standardised over the canvas (ddof 0).

    The normalised scanpath saliency of Peters et al. (2005, doi:10.1016/j.visres.2005.03.019).

    Parameters
    ----------
    maps
        (m, n), one map per row, signed or not.
    clicks
        (m, n), how many clicks of the same stimulus fell into each cell; see `cells_of_clicks`.
    grid, side
        The cells, and the canvas's width and height in pixels.

    Returns
    -------
    Numbers
        (m,); NaN without clicks and where a map is constant (pysaliency gives 0) or holds NaN.

    Raises
    ------
    InputError
        The grid has more rows or columns than the canvas has pixels.
    """
    density, pixels = _density(maps, grid, side)
    constant = np.ptp(density, axis=1) == 0
    deviations = density - np.average(density, axis=1, weights=pixels)[:, None]
    spread = np.sqrt(np.average(deviations**2, axis=1, weights=pixels))
    at_clicks = ratio(np.sum(clicks * deviations, axis=1), clicks.sum(axis=1))
    return ratio(at_clicks, np.where(constant, 0.0, spread))


def auc(maps: Maps, clicks: Counts, grid: Grid, side: int) -> Numbers:
    """AUC: probability that a click's pixel is higher than any pixel of the canvas, ties counting half.

    Judd's (Judd et al. 2009, ICCV), with the negatives of pysaliency: all pixels.

    Parameters
    ----------
    maps, clicks, grid, side
        As in `nss`; only the order of a map's densities matters.

    Returns
    -------
    Numbers
        (m,), 0 to 1, 1/2 where a map is constant; NaN without clicks and where a map holds NaN.

    Raises
    ------
    InputError
        As `nss`.
    """
    density, pixels = _density(maps, grid, side)
    return _area(density, clicks, pixels)


def shuffled_auc(
    maps: Maps,
    clicks: Counts,
    others: Counts,
    grid: Grid,
    side: int,
) -> Numbers:
    """Shuffled AUC: probability that a click's pixel is higher than that of another stimulus's click.

    What looking at the centre explains plays no part in it (Zhang et al. 2008, doi:10.1167/8.7.32).

    Parameters
    ----------
    maps, clicks, grid, side
        As in `auc`.
    others
        (m, n), how many clicks of all other stimuli fell into each cell.

    Returns
    -------
    Numbers
        (m,), as `auc`; NaN also without clicks of others.

    Raises
    ------
    InputError
        As `nss`.
    """
    return _area(_density(maps, grid, side)[0], clicks, others)


def cells_of_clicks(clicks: Float64[np.ndarray, "k 2"], grid: Grid, side: int) -> Int64[np.ndarray, " n"]:
    """How many clicks fell into each cell, row-major; those off the canvas are left out.

    Parameters
    ----------
    clicks
        (k, 2) of x (column) and y (row) in pixels, pixel centres at integers: a click belongs to the pixel
        whose centre is nearest, the right or lower one at the border of two.
    grid
        Its cells hold the pixels that `Grid.labels` says.
    side
        Width and height of the canvas in pixels.
    """
    inside = ((clicks >= -0.5) & (clicks < side - 0.5)).all(axis=1)
    col, row = np.floor(clicks[inside] + 0.5).astype(np.int64).T
    cells = (row * grid.rows // side) * grid.cols + col * grid.cols // side
    return np.bincount(cells, minlength=grid.n_players).astype(np.int64)


def pixels_of_cells(grid: Grid, side: int) -> Int64[np.ndarray, " n"]:
    """How many pixels of the canvas each cell has, row-major, as `Grid.labels` deals them out.

    Parameters
    ----------
    grid, side
        The cells, and the canvas's width and height in pixels.

    Raises
    ------
    InputError
        The grid has more rows or columns than the canvas has pixels.
    """
    if side < max(grid.rows, grid.cols):
        raise InputError(f"grid {grid}: has more rows or columns than the canvas's {side} x {side} pixels")
    height, width = (np.diff(borders(count, side)) for count in (grid.rows, grid.cols))
    return np.outer(height, width).ravel()


def borders(count: int, side: int) -> Int64[np.ndarray, " b"]:
    """The first pixel of each of `count` rows or columns of cells, and `side` after the last."""
    return -(-np.arange(count + 1, dtype=np.int64) * side // count)


def _density(maps: Maps, grid: Grid, side: int) -> tuple[Maps, Int64[np.ndarray, "m n"]]:
    """What a pixel of each cell shows, over the map's largest; and how many pixels each cell has."""
    pixels = np.broadcast_to(pixels_of_cells(grid, side), maps.shape)
    density = maps / pixels
    largest = np.abs(density).max(axis=1, keepdims=True)
    return np.round(density / np.where(largest == 0, 1.0, largest), DENSITY_DIGITS), pixels


def _area(
    density: Maps,
    positives: Counts,
    negatives: Counts,
) -> Numbers:
    """Share of the pairs of a positive and a negative in which the positive is higher, ties counting half."""
    order = np.argsort(density, axis=1)
    ranked, weights = (np.take_along_axis(rows, order, axis=1) for rows in (density, negatives))
    changes = np.diff(ranked, axis=1) != 0
    edge = np.ones((len(density), 1), dtype=np.bool_)
    up_to = np.cumsum(weights, axis=1)
    # Both sums are the same for all cells of a tie: those before its first cell, and those up to its last.
    below = np.maximum.accumulate(np.where(np.hstack([edge, changes]), up_to - weights, 0), axis=1)
    ends = np.where(np.hstack([changes, edge]), up_to, np.inf)
    through = np.minimum.accumulate(ends[:, ::-1], axis=1)[:, ::-1]
    won = np.take_along_axis(positives, order, axis=1) * (below + through) / 2.0
    found = ratio(won.sum(axis=1), positives.sum(axis=1) * up_to[:, -1])
    return np.where(np.isnan(density).any(axis=1), np.nan, found)
