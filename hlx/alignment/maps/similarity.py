"""Measures of the similarity of two maps, by the names that saliency research knows.

Each compares a map (a row of `maps`) with the human map in the same row of `humans`. ``spearman`` is RC, the
reference study's humanlikeness. ``sim``, ``kl_divergence``, ``chi_squared`` and ``emd`` compare distributions
over the cells: they divide maps by their sums, and where a map is no distribution (a negative value, or all
zeros) the result is NaN. pysaliency shifts the former and takes the latter as uniform.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
from jaxtyping import Float64, Real

from hlx.attribution.magnitudes import shares
from hlx.errors import InputError
from hlx.games.regions import Grid
from hlx.io.checks import whole_number

Maps = Float64[np.ndarray, "m n"]
"""One map per row, of n cells, row-major."""

Numbers = Float64[np.ndarray, " m"]
"""One for each map; NaN where it is not defined."""

DIGITS = 12
"""Decimal digits that are kept of a rank correlation."""

EPSILON = 2.2204e-16
"""Regularises KLDiv, in the MIT/Tuebingen saliency benchmark and in pysaliency's `MIT_KLDiv`."""

TOP_SHARE = 0.2
"""Of the cells are the top ones where no number is asked for, rounded, at least one."""


def ratio(
    numerator: Real[np.ndarray, "*_"], denominator: Real[np.ndarray, "*_"]
) -> Float64[np.ndarray, "*_"]:
    """`numerator` / `denominator`, broadcast; NaN, and no warning, where the denominator is 0."""
    shape = np.broadcast_shapes(numerator.shape, denominator.shape)
    out = np.full(shape, np.nan)
    np.divide(numerator, denominator, out=out, where=denominator != 0)
    return out


def spearman(maps: Maps, humans: Maps) -> Numbers:
    """RC: Spearman's (1904) rank correlation; equal values share the mean of their ranks.

    Twice a mean rank is a whole number, so all sums of products are exact, whatever their order: a
    correlation is the same from one pair of maps, from a matrix of them and from any number of threads. Two
    that are equal as real numbers can still differ in the last bit, where square roots round differently; all
    are rounded to 12 digits, so that they tie when they are ranked themselves.

    Parameters
    ----------
    maps
        (m, n), one map per row.
    humans
        (m, n), the human map to compare each with.

    Returns
    -------
    Numbers
        (m,), -1 to 1; NaN where one of the two is constant or holds NaN.

    Examples
    --------
    >>> spearman(np.array([[0.1, 0.2, 0.7]]), np.array([[0.3, 0.1, 0.6]]))
    array([0.5])
    """
    return np.round(_correlations(_centred_ranks(maps), _centred_ranks(humans)), DIGITS)


def spearman_matrix(maps: Maps, humans: Float64[np.ndarray, "h n"]) -> Float64[np.ndarray, "m h"]:
    """Spearman's correlation of every map with every human map, as one matrix product of ranks.

    Parameters
    ----------
    maps
        (m, n), one map per row.
    humans
        (h, n), one human map per row.

    Returns
    -------
    Float64[np.ndarray, "m h"]
        (m, h), to the last bit what `spearman` gives; the rows of constant maps and the columns of constant
        human maps are NaN.
    """
    first, second = _centred_ranks(maps), _centred_ranks(humans)
    sizes = np.multiply.outer(np.sum(first**2, axis=1), np.sum(second**2, axis=1))
    return np.round(ratio(first @ second.T, np.sqrt(sizes)), DIGITS)


def partial_spearman(
    maps: Maps,
    humans: Maps,
    given: Float64[np.ndarray, "*given n"],
) -> Numbers:
    """Spearman's correlation with the ranks of a third map held constant.

    (r_xy - r_xz r_yz) / sqrt((1 - r_xz^2) (1 - r_yz^2)), Kendall & Stuart, Advanced Theory of Statistics
    II, ch. 27, of rank correlations: what is left of both ranks after a regression on those of z.

    Parameters
    ----------
    maps, humans
        (m, n), as in `spearman`.
    given
        (m, n), one for each pair, or (n,), the same for all.

    Returns
    -------
    Numbers
        (m,); NaN where one of the three is constant, or the third has the ranks of one of the two or the
        reverse.
    """
    x, y, z = _centred_ranks(maps), _centred_ranks(humans), _centred_ranks(given)
    xy, xz, yz = _correlations(x, y), _correlations(x, z), _correlations(y, z)
    left = (1.0 - xz**2) * (1.0 - yz**2)
    same = (np.abs(xz).round(DIGITS) == 1.0) | (np.abs(yz).round(DIGITS) == 1.0)
    return np.round(ratio(xy - xz * yz, np.sqrt(np.where(same, 0.0, left))), DIGITS)


def cc(maps: Maps, humans: Maps) -> Numbers:
    """CC: Pearson's correlation of the cells.

    Parameters
    ----------
    maps, humans
        (m, n), as in `spearman`.

    Returns
    -------
    Numbers
        (m,), -1 to 1; NaN where one of the two is constant. pysaliency gives 0 where only the first is.
    """
    return cosine(_deviations(maps), _deviations(humans))


def cosine(maps: Maps, humans: Maps) -> Numbers:
    """Cosine of the angle between each map and the human map in the same row.

    Parameters
    ----------
    maps, humans
        (m, n), as in `spearman`.

    Returns
    -------
    Numbers
        (m,), -1 to 1; NaN where one of the two is all zeros.
    """
    return np.clip(np.sum(_unit(maps) * _unit(humans), axis=1), -1.0, 1.0)


def sim(maps: Maps, humans: Maps) -> Numbers:
    """SIM: the mass that both distributions share, sum min(p, q) (histogram intersection).

    Parameters
    ----------
    maps, humans
        (m, n), nowhere negative; divided by their sums.

    Returns
    -------
    Numbers
        (m,), 0 to 1; NaN where one of the two is no distribution.
    """
    return np.sum(np.minimum(shares(maps), shares(humans)), axis=1)


def kl_divergence(maps: Maps, humans: Maps) -> Numbers:
    """KLDiv: sum q log(e + q / (p + e)) in nats, of the human map q from the map p, e = 2.2204e-16.

    Human || model: what is lost where people looked and the map shows little. The other way round it is
    infinite wherever nobody clicked in a cell. Where a map is 0 in cells with human mass q, each adds about
    36 q; rounding can leave -1e-14 for equal maps. With `EPSILON` as in pysaliency's `MIT_KLDiv`.

    Parameters
    ----------
    maps, humans
        (m, n), nowhere negative; divided by their sums.

    Returns
    -------
    Numbers
        (m,) in nats, from 0; NaN where one of the two is no distribution.
    """
    p, q = shares(maps), shares(humans)
    return np.sum(q * np.log(EPSILON + q / (p + EPSILON)), axis=1)


def chi_squared(maps: Maps, humans: Maps) -> Numbers:
    """Chi-squared distance, 1/2 sum (p - q)^2 / (p + q), cells empty in both adding nothing.

    With the half, as in Pele & Werman (2010, ECCV, The quadratic-chi histogram distance family).

    Parameters
    ----------
    maps, humans
        (m, n), nowhere negative; divided by their sums.

    Returns
    -------
    Numbers
        (m,), 0 to 1; NaN where one of the two is no distribution.
    """
    p, q = shares(maps), shares(humans)
    both = p + q
    return np.sum(np.where(both == 0, 0.0, ratio((p - q) ** 2, both)), axis=1) / 2.0


def emd(maps: Maps, humans: Maps, grid: Grid) -> Numbers:
    """EMD: how far mass must move, in grid cells, to turn one distribution into the other.

    Exact, by POT's network simplex (Bonneel et al. 2011, doi:10.1145/2070781.2024192), with the Euclidean
    distances between cell centres.

    Parameters
    ----------
    maps, humans
        (m, n), nowhere negative; divided by their sums.
    grid
        Where the cells lie.

    Returns
    -------
    Numbers
        (m,), from 0; 1 is the side of a cell. NaN where one of the two is no distribution.
    """
    # Otherwise POT imports every array library that it finds.
    for library in ("PYTORCH", "JAX", "CUPY", "TENSORFLOW"):
        os.environ.setdefault(f"POT_BACKEND_DISABLE_{library}", "1")
    from ot import emd2

    row, col = np.divmod(np.arange(grid.n_players), grid.cols)
    distances = np.hypot(np.subtract.outer(row, row), np.subtract.outer(col, col))

    surpluses = shares(maps) - shares(humans)
    return np.array([_moved(surplus, distances, emd2) for surplus in surpluses], dtype=np.float64)


def top_k_iou(maps: Maps, humans: Maps, k: int | None = None) -> Numbers:
    """Intersection over union of the k highest cells of each map and of the human map in the same row.

    Equal cells of which only some fit into the top k belong to it in equal parts, so that their order plays
    no role: memberships w lie between 0 and 1 and sum to k, the result is sum min(w, w') / sum max(w, w').

    Parameters
    ----------
    maps, humans
        (m, n), as in `spearman`.
    k
        How many cells are the highest; None for a fifth of them, rounded, at least one.

    Returns
    -------
    Numbers
        (m,), 0 to 1; NaN where one of the two holds NaN.

    Raises
    ------
    InputError
        `k` is not a whole number from 1 to n.
    """
    n = maps.shape[1]
    k = max(1, round(TOP_SHARE * n)) if k is None else whole_number(k, "top-k IoU: k", 1)
    if k > n:
        raise InputError(f"top-k IoU: k = {k} is more than the {n} cells of the maps")
    first, second = _membership(maps, k), _membership(humans, k)
    return np.minimum(first, second).sum(axis=1) / np.maximum(first, second).sum(axis=1)


def _centred_ranks(maps: Float64[np.ndarray, "*maps n"]) -> Float64[np.ndarray, "*maps n"]:
    """Twice the mean ranks, centred: whole numbers, all 0 for maps that are constant or hold NaN."""
    from scipy.stats import rankdata

    ranks = np.asarray(rankdata(maps, axis=-1))
    return np.nan_to_num(2.0 * ranks - (maps.shape[-1] + 1))


def _correlations(
    first: Float64[np.ndarray, "*first n"], second: Float64[np.ndarray, "*second n"]
) -> Numbers:
    sizes = np.sum(first**2, axis=-1) * np.sum(second**2, axis=-1)
    return ratio(np.sum(first * second, axis=-1), np.sqrt(sizes))


def _deviations(maps: Maps) -> Maps:
    # The mean of equal numbers can differ from them in the last bit; what is left would correlate.
    constant = np.ptp(maps, axis=1, keepdims=True) == 0
    return np.where(constant, 0.0, maps - maps.mean(axis=1, keepdims=True))


def _unit(maps: Maps) -> Maps:
    scaled = ratio(maps, np.abs(maps).max(axis=1, keepdims=True))  # squares of tiny values would vanish
    return scaled / np.sqrt(np.sum(scaled**2, axis=1, keepdims=True))


def _moved(
    surplus: Float64[np.ndarray, " n"], distances: Float64[np.ndarray, "n n"], solve: Callable[..., float]
) -> float:
    """Least mass times distance that levels the surplus."""
    # Distances obey the triangle inequality, so mass that both maps have in a cell need not move. Without it
    # a problem has n sources and targets in all instead of 2n.
    source, target = surplus > 0, surplus < 0
    if np.isnan(surplus).any():
        return float("nan")
    if not (source.any() and target.any()):
        return 0.0
    leaving, arriving = surplus[source], -surplus[target]
    mass = leaving.sum()
    # The sums are made equal here, and nothing but the distance is asked for.
    sides = leaving / mass, arriving / arriving.sum()
    return float(
        mass * solve(*sides, distances[np.ix_(source, target)], center_dual=False, check_marginals=False)
    )


def _membership(maps: Maps, k: int) -> Maps:
    """How much of each cell belongs to the k highest, summing to k."""
    last = -np.partition(-maps, k - 1, axis=1)[:, k - 1 : k]
    above, at = maps > last, maps == last
    # k is at most the number of cells at the last place or above, so some are at it unless there is NaN.
    part = (k - above.sum(axis=1, keepdims=True)) / np.maximum(at.sum(axis=1, keepdims=True), 1)
    undefined = np.isnan(maps).any(axis=1, keepdims=True)
    return np.where(undefined, np.nan, np.where(above, 1.0, np.where(at, part, 0.0)))
