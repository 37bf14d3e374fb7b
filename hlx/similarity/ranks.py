"""RC, the reference study's humanlikeness: Spearman's rank correlation, equal values sharing their mean rank.

Twice a mean rank is a whole number, so all sums of products are exact, whatever their order: a correlation is
the same from one pair of maps, from a matrix of them and from any number of threads. Two that are equal as
real numbers can still differ in the last bit, where square roots round differently; all are rounded to 12
digits, so that they tie when they are ranked themselves.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from hlx.similarity.ratio import ratio

DIGITS = 12
"""Decimal digits that are kept of a rank correlation."""


def rank_correlation(
    maps: Float64[np.ndarray, "m n"], humans: Float64[np.ndarray, "m n"]
) -> Float64[np.ndarray, " m"]:
    """Spearman's correlation of each map with the human map in the same row; NaN where one is constant."""
    return np.round(_correlations(_centred_ranks(maps), _centred_ranks(humans)), DIGITS)


def rank_correlation_matrix(
    maps: Float64[np.ndarray, "m n"], humans: Float64[np.ndarray, "h n"]
) -> Float64[np.ndarray, "m h"]:
    """Spearman's correlation of every map with every human map, one matrix product of ranks.

    The rows of constant maps and the columns of constant human maps are NaN.
    """
    first, second = _centred_ranks(maps), _centred_ranks(humans)
    sizes = np.multiply.outer(np.sum(first**2, axis=1), np.sum(second**2, axis=1))
    return np.round(ratio(first @ second.T, np.sqrt(sizes)), DIGITS)


def partial_rank_correlation(
    maps: Float64[np.ndarray, "m n"],
    humans: Float64[np.ndarray, "m n"],
    given: Float64[np.ndarray, "*given n"],
) -> Float64[np.ndarray, " m"]:
    """Spearman's correlation of each map and human map with the ranks of a third map held constant.

    (r_xy - r_xz r_yz) / sqrt((1 - r_xz^2) (1 - r_yz^2)), Kendall & Stuart, Advanced Theory of Statistics
    II, ch. 27, of rank correlations: what is left of both ranks after a regression on those of z.

    Parameters
    ----------
    maps, humans : (m, n).
    given : (m, n), one for each pair, or (n,), the same for all.

    Returns
    -------
    (m,); NaN where one of the three is constant, or the third has the ranks of one of the two or the reverse.
    """
    x, y, z = _centred_ranks(maps), _centred_ranks(humans), _centred_ranks(given)
    xy, xz, yz = _correlations(x, y), _correlations(x, z), _correlations(y, z)
    left = (1.0 - xz**2) * (1.0 - yz**2)
    same = (np.abs(xz).round(DIGITS) == 1.0) | (np.abs(yz).round(DIGITS) == 1.0)
    return np.round(ratio(xy - xz * yz, np.sqrt(np.where(same, 0.0, left))), DIGITS)


def _centred_ranks(maps: Float64[np.ndarray, "*maps n"]) -> Float64[np.ndarray, "*maps n"]:
    """Twice the mean ranks, centred: whole numbers, all 0 for maps that are constant or hold NaN."""
    from scipy.stats import rankdata

    ranks = np.asarray(rankdata(maps, axis=-1))
    return np.nan_to_num(2.0 * ranks - (maps.shape[-1] + 1))


def _correlations(
    first: Float64[np.ndarray, "*first n"], second: Float64[np.ndarray, "*second n"]
) -> Float64[np.ndarray, " m"]:
    sizes = np.sum(first**2, axis=-1) * np.sum(second**2, axis=-1)
    return ratio(np.sum(first * second, axis=-1), np.sqrt(sizes))
