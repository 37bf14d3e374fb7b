"""Top-k IoU: whether two maps are highest in the same cells."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from hlx.counts import whole_number
from hlx.errors import InputError

SHARE = 0.2
"""Of the cells are the top ones where no number is asked for, rounded, at least one."""


def top_k_iou(
    maps: Float64[np.ndarray, "m n"], humans: Float64[np.ndarray, "m n"], k: int | None = None
) -> Float64[np.ndarray, " m"]:
    """Intersection over union of the k highest cells of each map and of the human map in the same row.

    Equal cells of which only some fit into the top k belong to it in equal parts, so that their order plays
    no role: memberships w lie between 0 and 1 and sum to k, the result is sum min(w, w') / sum max(w, w').
    NaN where a map holds NaN.

    Raises
    ------
    InputError : `k` is not a whole number from 1 to n.
    """
    n = maps.shape[1]
    k = max(1, round(SHARE * n)) if k is None else whole_number(k, "top-k IoU: k", 1)
    if k > n:
        raise InputError(f"top-k IoU: k = {k} is more than the {n} cells of the maps")
    first, second = _membership(maps, k), _membership(humans, k)
    return np.minimum(first, second).sum(axis=1) / np.maximum(first, second).sum(axis=1)


def _membership(maps: Float64[np.ndarray, "m n"], k: int) -> Float64[np.ndarray, "m n"]:
    last = -np.partition(-maps, k - 1, axis=1)[:, k - 1 : k]
    above, at = maps > last, maps == last
    # k is at most the number of cells at the last place or above, so some are at it unless there is NaN.
    part = (k - above.sum(axis=1, keepdims=True)) / np.maximum(at.sum(axis=1, keepdims=True), 1)
    undefined = np.isnan(maps).any(axis=1, keepdims=True)
    return np.where(undefined, np.nan, np.where(above, 1.0, np.where(at, part, 0.0)))
