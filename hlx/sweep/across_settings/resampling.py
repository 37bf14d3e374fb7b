"""Maps of one grid as maps of another: each region's value spread evenly over its area.

A cell's value is the sum over regions of value times the share of the region's area that lies in the cell, so
that the total is kept. Shares are of the unit square and rational: no side in pixels enters, and
they are computed from whole numbers with one division.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from jaxtyping import Float64

from hlx.games.regions import Grid


def resample(
    values: Float64[np.ndarray, "*maps n"], source: Grid, target: Grid
) -> Float64[np.ndarray, "*maps k"]:
    """Maps of a grid on another grid, area-weighted.

    The two axes are independent: with the shares A of rows and B of columns, a map V becomes A V B^T.

    Parameters
    ----------
    values
        (..., n), row-major; signed or not.
    source, target
        n and k cells.

    Returns
    -------
    Float64[np.ndarray, "*maps k"]
        (..., k) with the same sums; the same values where `source` is `target`.
    """
    maps = source.to_map(values)
    if source == target:
        return values.copy()
    down, across = shares(source.rows, target.rows), shares(source.cols, target.cols)
    resampled = down @ maps @ across.T
    return resampled.reshape(*values.shape[:-1], target.n_players)


@lru_cache(maxsize=256)
def shares(source: int, target: int) -> Float64[np.ndarray, "target source"]:
    """The share of each of `source` equal parts of a line that lies in each of its `target` equal parts.

    In units of 1 / (source target) of the line, part i reaches from i target to (i + 1) target, and part j of
    the target from j source to (j + 1) source; a share is what both have in common, over `target`.
    """
    i, j = np.arange(source) * target, np.arange(target)[:, None] * source
    common = np.minimum(i + target, j + source) - np.maximum(i, j)
    found = np.maximum(common, 0) / target
    found.flags.writeable = False  # it is kept and handed out again
    return found
