"""The canvas that people click on: its pixels in the cells of a grid, and the clicks in them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64

from hlx.errors import InputError
from hlx.regions import Grid


def cells_of_clicks(clicks: Float64[np.ndarray, "k 2"], grid: Grid, side: int) -> Int64[np.ndarray, " n"]:
    """How many clicks fell into each cell, row-major; those off the canvas are left out.

    Parameters
    ----------
    clicks : (k, 2) of x (column) and y (row) in pixels, pixel centres at integers: a click belongs to the
        pixel whose centre is nearest, the right or lower one at the border of two.
    grid : its cells hold the pixels that `Grid.labels` says.
    side : width and height of the canvas in pixels.
    """
    inside = ((clicks >= -0.5) & (clicks < side - 0.5)).all(axis=1)
    col, row = np.floor(clicks[inside] + 0.5).astype(np.int64).T
    cells = (row * grid.rows // side) * grid.cols + col * grid.cols // side
    return np.bincount(cells, minlength=grid.n_players).astype(np.int64)


def pixels_of_cells(grid: Grid, side: int) -> Int64[np.ndarray, " n"]:
    """How many pixels of the canvas each cell has, row-major, as `Grid.labels` deals them out.

    Raises
    ------
    InputError : the grid has more rows or columns than the canvas has pixels.
    """
    if side < max(grid.rows, grid.cols):
        raise InputError(f"grid {grid}: has more rows or columns than the canvas's {side} x {side} pixels")
    height, width = (np.diff(borders(count, side)) for count in (grid.rows, grid.cols))
    return np.outer(height, width).ravel()


def borders(count: int, side: int) -> Int64[np.ndarray, " b"]:
    """The first pixel of each of `count` rows or columns of cells, and `side` after the last."""
    return -(-np.arange(count + 1, dtype=np.int64) * side // count)
