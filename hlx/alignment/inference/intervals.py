"""Bootstrap intervals, and Fisher's for correlations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from hlx.alignment.inference.samples import Sample, check_between, defined, quiet, sample
from hlx.io.checks import whole_number

Statistic = Callable[..., Any]
"""Called with one array per sample, observations on the last axis, and `axis=-1`."""

RESAMPLES = 9_999
"""Of a bootstrap: with one more, the ends of the usual levels are order statistics."""

ROUNDING = 8 * float(np.finfo(np.float64).eps)
"""Of the largest number in a sample: what differs by less does not differ."""

BATCH_NUMBERS = 2**20
"""So many numbers of resamples are held at once; the interval does not depend on it."""

FIELLER = 1.06
"""Variance of Fisher's z of Spearman's rho, times n - 3 (Fieller, Hartley & Pearson 1957, "Tests for rank
correlation coefficients. I"); of Pearson's r it is 1."""


@dataclass(frozen=True)
class Interval:
    """A confidence interval.

    Attributes
    ----------
    low, high
        Its ends.
    level
        Nominal coverage, such as 0.95.
    method
        "BCa", "percentile" (where BCa is undefined), or "Fisher z".
    """

    low: float
    high: float
    level: float
    method: str


def bca_interval(
    x: Sample,
    statistic: Statistic = np.mean,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = 0.95,
) -> Interval | None:
    """Bias-corrected and accelerated bootstrap interval (Efron 1987) of a statistic of a sample (m,).

    NaN entries are left out. Where the correction is undefined (the jackknife does not vary, or all resamples
    lie on one side of the estimate) the interval is the percentile interval, which `method` says. None where
    the resamples do not vary.

    Parameters
    ----------
    x
        (m,), the sample.
    statistic
        Called with arrays of observations on the last axis and `axis=-1`.
    seed, resamples
        Of the bootstrap; the same seed gives the same interval.
    level
        Nominal coverage, between 0 and 1.

    Raises
    ------
    InputError
        Fewer than 3 observations, or a level that is not between 0 and 1.
    """
    values = sample(x, "bootstrap interval")
    return bootstrap_interval([values], statistic, seed=seed, resamples=resamples, level=level)


def bootstrap_interval(
    samples: Sequence[Float64[np.ndarray, " n"]],
    statistic: Statistic,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = 0.95,
) -> Interval | None:
    """As `bca_interval`, for a statistic of samples without NaN that are drawn together, in pairs or tuples.

    Resamples for which the statistic is NaN are left out of a percentile interval.

    Parameters
    ----------
    samples
        (n,) each, finite.
    statistic
        Called with one array for each sample, observations on the last axis, and `axis=-1`.
    seed, resamples, level
        As in `bca_interval`.
    """
    from scipy import stats

    check_between(level, "level", 0.0, 1.0)
    whole_number(seed, "seed", 0)
    whole_number(resamples, "resamples", 1)
    if all(np.ptp(values) == 0 for values in samples):
        return None
    with quiet():
        found = stats.bootstrap(
            tuple(samples),
            statistic,
            paired=len(samples) > 1,
            vectorized=True,
            n_resamples=resamples,
            batch=max(1, BATCH_NUMBERS // len(samples[0])),
            confidence_level=level,
            method="BCa",
            rng=np.random.default_rng(seed),
        )
    replicates = found.bootstrap_distribution[np.isfinite(found.bootstrap_distribution)]
    # Correlations of 1 differ by their rounding.
    if len(replicates) == 0 or np.ptp(replicates) <= ROUNDING * np.abs(replicates).max():
        return None
    ends = found.confidence_interval
    if np.isfinite([ends.low, ends.high]).all():
        return Interval(float(ends.low), float(ends.high), level, "BCa")
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level, "percentile")


def fisher_interval(
    coefficient: float, n: int, *, rank: bool = False, level: float = 0.95
) -> Interval | None:
    """Interval of a correlation from Fisher's (1921) z = artanh(r), normal with variance 1 / (n - 3).

    Parameters
    ----------
    coefficient, n
        The correlation, and how many pairs it comes from.
    rank
        The coefficient is Spearman's, z then has variance 1.06 / (n - 3) (`FIELLER`).
    level
        Nominal coverage, between 0 and 1.

    Returns
    -------
    Interval | None
        None for fewer than 4 pairs, and for a coefficient of -1 or 1.
    """
    from scipy.special import ndtri

    check_between(level, "level", 0.0, 1.0)
    error = fisher_error(n, rank=rank)
    if error is None or not abs(coefficient) < 1 - ROUNDING:
        return None
    half_width = float(ndtri((1 + level) / 2)) * error
    low, high = np.tanh(np.arctanh(coefficient) + np.array([-half_width, half_width]))
    return Interval(float(low), float(high), level, "Fisher z")


def fisher_error(n: int, *, rank: bool) -> float | None:
    """Standard error of Fisher's z of a correlation of n pairs; None for fewer than 4."""
    return defined(np.sqrt((FIELLER if rank else 1.0) / (n - 3))) if n > 3 else None
