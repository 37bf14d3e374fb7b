"""How far estimates are from the truth: one number per map, whatever the axes before the players.

All take estimates (..., n) and true values that broadcast to them; NaN says that a measure is undefined for a
map (a rank correlation of equal values, a relative error of a zero game).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64

from hlx.attribution.attribution import critical_value
from hlx.estimators import Estimate

Maps = Float64[np.ndarray, "*maps n"]
Numbers = Float64[np.ndarray, "*maps"]

ROUNDING = 1e-9
"""Of the largest true value: an error below this is the arithmetic's, and no interval is blamed for it."""


def map_errors(estimates: Maps, truth: Maps, top: int) -> dict[str, Numbers]:
    """All measures that compare values, by their names in `MEASURES`."""
    return {
        "mse": mean_squared_error(estimates, truth),
        "mae": mean_absolute_error(estimates, truth),
        "relative_error": relative_error(estimates, truth),
        "precision": precision_at(top, estimates, truth),
        "spearman": spearman(estimates, truth),
        "kendall": kendall(estimates, truth),
    }


def mean_squared_error(estimates: Maps, truth: Maps) -> Numbers:
    """Mean over the players of (estimate - phi)^2."""
    return np.asarray(np.mean((estimates - truth) ** 2, axis=-1))


def mean_absolute_error(estimates: Maps, truth: Maps) -> Numbers:
    """Mean over the players of |estimate - phi|."""
    return np.asarray(np.mean(np.abs(estimates - truth), axis=-1))


def relative_error(estimates: Maps, truth: Maps) -> Numbers:
    """||estimate - phi||_2 / ||phi||_2: its square is the squared error in units of ||phi||^2."""
    size = np.linalg.norm(truth, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(size > 0, np.linalg.norm(estimates - truth, axis=-1) / size, np.nan)


def precision_at(k: int, estimates: Maps, truth: Maps) -> Numbers:
    """Share of the k players of largest |phi| that are among the k of largest |estimate|; all, if k > n.

    Magnitudes, since these make the maps that are compared with people. Of equal ones the first players
    count.
    """
    k = min(k, truth.shape[-1])
    shared = _among_largest(k, estimates) & _among_largest(k, truth)
    return np.asarray(shared.sum(axis=-1) / k)


def spearman(estimates: Maps, truth: Maps) -> Numbers:
    """Correlation of the ranks of the values, equal values sharing the mean of their ranks."""
    from scipy.stats import rankdata

    # Twice a mean of ranks is whole: the correlation of equal ranks is exactly 1.
    ranks = (2 * np.asarray(rankdata(values, axis=-1)) for values in (estimates, truth))
    first, second = (r - r.mean(axis=-1, keepdims=True) for r in ranks)
    return _cosine(first, second)


def kendall(estimates: Maps, truth: Maps) -> Numbers:
    """Kendall's (1945) tau-b: concordant less discordant pairs of players, over the pairs without ties.

    Of the values themselves. Over all maps at once; scipy.stats.kendalltau, which takes one pair of maps at a
    time, gives the same.
    """
    i, j = np.triu_indices(truth.shape[-1], 1)
    first, second = (np.sign(values[..., i] - values[..., j]) for values in (estimates, truth))
    return _cosine(first, second)


def covered(estimate: Estimate, truth: Maps, level: float) -> Numbers:
    """Share of the players with |estimate - phi| <= t se, for Student's t or the normal quantile of `level`.

    NaN for every game where the estimate has no standard errors.
    """
    if estimate.standard_error is None:
        return np.full(estimate.values.shape[:-1], np.nan)
    half_width = critical_value(level, estimate.degrees_of_freedom) * estimate.standard_error
    rounding = ROUNDING * np.abs(truth).max(axis=-1, keepdims=True)
    return np.asarray(np.mean(np.abs(estimate.values - truth) <= half_width + rounding, axis=-1))


def _among_largest(k: int, values: Maps) -> Bool[np.ndarray, "*maps n"]:
    order = np.argsort(-np.abs(values), axis=-1, kind="stable")
    chosen = np.zeros(values.shape, np.bool_)
    np.put_along_axis(chosen, order[..., :k], True, axis=-1)
    return chosen


def _cosine(first: Maps, second: Maps) -> Numbers:
    size = np.sqrt(np.sum(first**2, axis=-1) * np.sum(second**2, axis=-1))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(size > 0, np.sum(first * second, axis=-1) / size, np.nan)
