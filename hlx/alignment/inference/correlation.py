"""Spearman's and Pearson's correlation with their tests and intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from hlx.alignment.inference.intervals import RESAMPLES, Interval, bootstrap_interval, fisher_interval
from hlx.alignment.inference.samples import Sample, Unavailable, defined, paired_samples, quiet
from hlx.io.messages import plural

Values = Float64[np.ndarray, "*resamples n"]

EXACT_PAIRS = 8
"""Up to so many pairs p_exact is computed, from at most 40,320 pairings."""


@dataclass(frozen=True)
class Correlation:
    """A correlation of pairs.

    All but n and dropped are None where either side is constant.

    Attributes
    ----------
    method
        "spearman" or "pearson".
    n, dropped
        Pairs, and those left out because either value is NaN.
    coefficient
        Spearman's rho, equal values sharing the mean of their ranks, or Pearson's r.
    p, p_greater
        Two-sided, and for a positive correlation; from Student's t with n - 2 degrees of freedom.
    p_exact
        Two-sided, from all n! pairings; None for more than 8 pairs. The one to quote for a few models.
    bca
        Bootstrap interval of pairs drawn together (`intervals.bca_interval`).
    fisher
        From Fisher's z, for Spearman's rho with Fieller's variance (`intervals.fisher_interval`).
    """

    method: str
    n: int
    dropped: int
    coefficient: float | None
    p: float | None
    p_greater: float | None
    p_exact: float | None
    bca: Interval | None
    fisher: Interval | None


@dataclass(frozen=True)
class CorrelationOverModels:
    """A property of models against another: both correlations, each model one pair."""

    spearman: Correlation
    pearson: Correlation


def spearman(
    x: Sample, y: Sample, *, seed: int = 0, resamples: int = RESAMPLES, level: float = 0.95
) -> Correlation:
    """Spearman's (1904) rank correlation of pairs (m,), (m,); pairs with NaN are left out and counted.

    Values that are equal in exact arithmetic must be equal here, since ranks take any difference for one:
    round what a computation made, to 12 digits say.

    Parameters
    ----------
    x, y
        (m,) each, the pairs.
    seed, resamples, level
        Of the bootstrap interval `bca`; `level` also of `fisher`.

    Raises
    ------
    InputError
        Fewer than 3 pairs, samples of different length, or infinite values.
    """
    from scipy import stats

    first, second = paired_samples(x, y, "rank correlation")
    ranks = stats.rankdata(first), stats.rankdata(second)
    return _correlation("spearman", (first, second), ranks, len(x), _rank_correlation, seed, resamples, level)


def pearson(
    x: Sample, y: Sample, *, seed: int = 0, resamples: int = RESAMPLES, level: float = 0.95
) -> Correlation:
    """Pearson's correlation of pairs (m,), (m,); otherwise as `spearman`.

    Parameters
    ----------
    x, y, seed, resamples, level
        As in `spearman`.
    """
    pairs = paired_samples(x, y, "correlation")
    return _correlation("pearson", pairs, pairs, len(x), _product_moment, seed, resamples, level)


def correlation_over_models(x: Sample, y: Sample, *, seed: int = 0) -> CorrelationOverModels | Unavailable:
    """Correlate two numbers per model, such as mean RC and accuracy; a reason for fewer than 3 models.

    Parameters
    ----------
    x, y
        (models,) each; NaN where a model has no value.
    seed
        Of the bootstrap intervals.

    Returns
    -------
    CorrelationOverModels | Unavailable
        Both correlations, or the reason why there are none: fewer than 3 models have both values.
    """
    known = int(np.count_nonzero(~np.isnan(x) & ~np.isnan(y)))
    if known < 3:
        have = f"{plural(known, 'model')} {'has' if known == 1 else 'have'}"
        return Unavailable(f"a correlation over models needs at least 3 of them, and {have} both values")
    return CorrelationOverModels(spearman(x, y, seed=seed), pearson(x, y, seed=seed))


def _correlation(
    method: str,
    pairs: tuple[np.ndarray, np.ndarray],
    scored: tuple[np.ndarray, np.ndarray],
    given: int,
    statistic: Callable[..., np.ndarray],
    seed: int,
    resamples: int,
    level: float,
) -> Correlation:
    from scipy import stats

    n = len(pairs[0])
    test = stats.spearmanr if method == "spearman" else stats.pearsonr
    with quiet():
        found = test(*pairs)
        greater = test(*pairs, alternative="greater")
    coefficient = defined(found.statistic)
    if coefficient is None:
        return Correlation(method, n, given - n, None, None, None, None, None, None)
    return Correlation(
        method=method,
        n=n,
        dropped=given - n,
        coefficient=coefficient,
        p=defined(found.pvalue),
        p_greater=defined(greater.pvalue),
        p_exact=_exact(*scored) if n <= EXACT_PAIRS else None,
        bca=bootstrap_interval(list(pairs), statistic, seed=seed, resamples=resamples, level=level),
        fisher=fisher_interval(coefficient, n, rank=method == "spearman", level=level),
    )


def _exact(first: np.ndarray, second: np.ndarray) -> float:
    """Two-sided p from all pairings, of the sum of products: the correlation rises with it alone."""
    from scipy import stats

    centred = second - second.mean()
    found = stats.permutation_test(
        (first - first.mean(),),
        lambda values, axis: np.sum(values * centred, axis=axis),
        permutation_type="pairings",
        n_resamples=np.inf,
        vectorized=True,
    )
    return float(found.pvalue)


def _product_moment(first: Values, second: Values, axis: int) -> Float64[np.ndarray, "*resamples"]:
    from scipy import stats

    return np.asarray(stats.pearsonr(first, second, axis=axis).statistic, dtype=np.float64)


def _rank_correlation(first: Values, second: Values, axis: int) -> Float64[np.ndarray, "*resamples"]:
    from scipy import stats

    return _product_moment(stats.rankdata(first, axis=axis), stats.rankdata(second, axis=axis), axis)
