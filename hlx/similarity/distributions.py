"""SIM, KLDiv and chi-squared: how alike two maps are as distributions over the cells, wherever these lie.

Maps are divided by their sums. Where one is no distribution (a negative value, or all zeros) the result is
NaN; pysaliency shifts the one and takes the other as uniform.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from hlx.magnitudes import shares
from hlx.similarity.ratio import ratio

EPSILON = 2.2204e-16
"""Regularises KLDiv, in the MIT/Tuebingen saliency benchmark and in pysaliency's `MIT_KLDiv`."""


def histogram_intersection(
    maps: Float64[np.ndarray, "m n"], humans: Float64[np.ndarray, "m n"]
) -> Float64[np.ndarray, " m"]:
    """SIM: the mass that both distributions share, sum min(p, q); 0 to 1."""
    return np.sum(np.minimum(shares(maps), shares(humans)), axis=1)


def kl_divergence(
    maps: Float64[np.ndarray, "m n"], humans: Float64[np.ndarray, "m n"]
) -> Float64[np.ndarray, " m"]:
    """KLDiv: sum q log(e + q / (p + e)) in nats, of the human map q from the map p, e = 2.2204e-16.

    Human || model: what is lost where people looked and the map shows little. The other way round it is
    infinite wherever nobody clicked in a cell. Where a map is 0 in cells with human mass q, each adds about
    36 q; rounding can leave -1e-14 for equal maps.
    """
    p, q = shares(maps), shares(humans)
    return np.sum(q * np.log(EPSILON + q / (p + EPSILON)), axis=1)


def chi_squared(
    maps: Float64[np.ndarray, "m n"], humans: Float64[np.ndarray, "m n"]
) -> Float64[np.ndarray, " m"]:
    """Chi-squared distance, 1/2 sum (p - q)^2 / (p + q), cells empty in both adding nothing; 0 to 1.

    With the half, as in Pele & Werman (2010, ECCV, The quadratic-chi histogram distance family).
    """
    p, q = shares(maps), shares(humans)
    both = p + q
    return np.sum(np.where(both == 0, 0.0, ratio((p - q) ** 2, both)), axis=1) / 2.0
