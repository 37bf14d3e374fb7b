"""CC and cosine: how alike two maps are up to scale, with and without their means."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from hlx.similarity.ratio import ratio


def correlation(
    maps: Float64[np.ndarray, "m n"], humans: Float64[np.ndarray, "m n"]
) -> Float64[np.ndarray, " m"]:
    """CC: Pearson's correlation of the cells of each map and the human map in the same row.

    NaN where one of them is constant; pysaliency gives 0 where only the first is.
    """
    return cosine(_deviations(maps), _deviations(humans))


def cosine(maps: Float64[np.ndarray, "m n"], humans: Float64[np.ndarray, "m n"]) -> Float64[np.ndarray, " m"]:
    """Cosine of the angle between each map and the human map in the same row; NaN where one is all zeros."""
    return np.clip(np.sum(_unit(maps) * _unit(humans), axis=1), -1.0, 1.0)


def _deviations(maps: Float64[np.ndarray, "m n"]) -> Float64[np.ndarray, "m n"]:
    # The mean of equal numbers can differ from them in the last bit; what is left would correlate.
    constant = np.ptp(maps, axis=1, keepdims=True) == 0
    return np.where(constant, 0.0, maps - maps.mean(axis=1, keepdims=True))


def _unit(maps: Float64[np.ndarray, "m n"]) -> Float64[np.ndarray, "m n"]:
    scaled = ratio(maps, np.abs(maps).max(axis=1, keepdims=True))  # squares of tiny values would vanish
    return scaled / np.sqrt(np.sum(scaled**2, axis=1, keepdims=True))
