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
from jaxtyping import Float64, Real

from hlx.errors import InputError
from hlx.regions import Grid
from hlx.similarity.canvas import pixels_of_cells
from hlx.similarity.ratio import ratio

CLICK_MEASURES = ("NSS", "AUC", "shuffled AUC")

DIGITS = 12
"""Decimal digits that are kept of densities over their largest."""


def click_measure(
    name: str,
    maps: Float64[np.ndarray, "m n"],
    cell_counts: Real[np.ndarray, "m n"],
    grid: Grid,
    side: int,
    others: Real[np.ndarray, "m n"] | None = None,
) -> Float64[np.ndarray, " m"]:
    """A measure of each map with the clicks in the same row.

    Parameters
    ----------
    name : "NSS", the mean over the clicks of the map's pixels, standardised over the canvas (ddof 0); "AUC",
        the probability that a click's pixel is higher than any pixel of the canvas, ties counting half
        (Judd's, with the negatives of pysaliency: all pixels); "shuffled AUC", than the pixel of any other
        stimulus's click.
    maps : (m, n), signed or not; only their order matters to AUC.
    cell_counts : (m, n), clicks in each cell; `cells_of_clicks`.
    grid, side : the cells, and the canvas's width and height in pixels.
    others : (m, n), clicks that other stimuli had in each cell; for shuffled AUC.

    Returns
    -------
    (m,); NaN without clicks (of others), where a map holds NaN, and for NSS where it is constant (pysaliency
    gives 0). AUC of a constant map is 1/2.

    Raises
    ------
    InputError : another name, no `others` for shuffled AUC, or a grid finer than the canvas.
    """
    pixels = np.broadcast_to(pixels_of_cells(grid, side), maps.shape)
    density = maps / pixels
    largest = np.abs(density).max(axis=1, keepdims=True)
    density = np.round(density / np.where(largest == 0, 1.0, largest), DIGITS)
    if name == "NSS":
        return _nss(density, cell_counts, pixels)
    if name == "AUC":
        return _auc(density, cell_counts, pixels)
    if name != "shuffled AUC":
        raise InputError(f"click measure {name!r}: expected one of {', '.join(CLICK_MEASURES)}")
    if others is None:
        raise InputError("shuffled AUC: needs the clicks of other stimuli")
    return _auc(density, cell_counts, others)


def _nss(
    density: Float64[np.ndarray, "m n"], clicks: Real[np.ndarray, "m n"], pixels: Real[np.ndarray, "m n"]
) -> Float64[np.ndarray, " m"]:
    constant = np.ptp(density, axis=1) == 0
    deviations = density - np.average(density, axis=1, weights=pixels)[:, None]
    spread = np.sqrt(np.average(deviations**2, axis=1, weights=pixels))
    at_clicks = ratio(np.sum(clicks * deviations, axis=1), clicks.sum(axis=1))
    return ratio(at_clicks, np.where(constant, 0.0, spread))


def _auc(
    density: Float64[np.ndarray, "m n"],
    positives: Real[np.ndarray, "m n"],
    negatives: Real[np.ndarray, "m n"],
) -> Float64[np.ndarray, " m"]:
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
