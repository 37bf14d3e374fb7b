"""From clicks to maps on a grid: the reference study's masks, normalised and summed over cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float64

from hlx.errors import InputError
from hlx.humans.human_maps import ClickMask
from hlx.regions import Grid

CHUNK_BYTES = 2**26
"""So much memory, or one mask, is rasterised at a time."""


def draw_masks(
    clicks: Sequence[Float64[np.ndarray, "_ 2"]], mask: ClickMask
) -> Float64[np.ndarray, "responses side side"]:
    """Each response's mask: min(cap, 1 + sum over clicks with d <= radius of gain exp(-d^2 / (2 sigma^2))).

    d is the distance in pixels from the click to a pixel's centre.
    """
    from hlx.kernels import click_masks

    starts = np.cumsum([0, *map(len, clicks)], dtype=np.int64)
    points = np.concatenate([np.empty((0, 2)), *clicks])
    return click_masks(points, starts, mask.side, mask.radius, mask.gain, mask.sigma, mask.cap)


def response_maps(
    clicks: Sequence[Float64[np.ndarray, "_ 2"]], grid: Grid, mask: ClickMask
) -> tuple[Float64[np.ndarray, "responses n"], Bool[np.ndarray, " responses"]]:
    """Each response's normalised mask, summed over the cells of the grid.

    Parameters
    ----------
    clicks : each response's, (k, 2) of x and y in pixels of the canvas.

    Returns
    -------
    values : (responses, n), each row sums to 1; zero where the mask does not rise above 1 anywhere.
    in_reach : (responses,), where it does.

    Raises
    ------
    InputError : the grid has more rows or columns than the canvas has pixels.
    """
    if mask.side < max(grid.rows, grid.cols):
        raise InputError(f"canvas {mask.side}: the grid {grid} has more rows or columns than pixels")
    labels = grid.labels(mask.side)
    # 0/1 matrices from pixels to rows and to columns of the grid, so that cells are sums by matrix product.
    rows = (labels[:, 0] // grid.cols == np.arange(grid.rows)[:, None]).astype(np.float64)
    columns = (labels[0] % grid.cols == np.arange(grid.cols)[:, None]).astype(np.float64)
    pixels = np.outer(rows.sum(axis=1), columns.sum(axis=1)).reshape(-1)

    values = np.zeros((len(clicks), grid.n_players))
    in_reach = np.zeros(len(clicks), dtype=np.bool_)
    chunk = max(1, CHUNK_BYTES // (8 * mask.side**2))
    for start in range(0, len(clicks), chunk):
        part = slice(start, start + chunk)
        # Less 1 before the sums, so that a faint click is not lost in 160,000 ones.
        added = draw_masks(clicks[part], mask) - 1.0
        values[part] = (rows @ added @ columns.T).reshape(-1, grid.n_players)
        in_reach[part] = values[part].any(axis=1)
    if mask.normalisation == "mask":
        values[in_reach] += pixels
    values[in_reach] /= values[in_reach].sum(axis=1, keepdims=True)
    return values, in_reach
