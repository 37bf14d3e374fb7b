"""Equivalence: are effects so small that they do not matter? Two one-sided tests (TOST; Schuirmann 1987).

A bound must be set before the data are seen, at the smallest effect of interest (Lakens 2017, "Equivalence
tests"). The defaults are what Cohen (1988) calls small, d = 0.2, and the correlation this makes between two
groups, r = 0.1. They need many stimuli (for 80% power where there is no effect at all, about 215 for d and
900 for Spearman's rho); `smallest_bound` says what a smaller study can show.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hlx.alignment.inference.intervals import ROUNDING, fisher_error
from hlx.alignment.inference.samples import FEWEST_STIMULI, Sample, check_between, paired_samples, sample
from hlx.errors import InputError

SMALL_D = 0.2
"""Bound of a mean, in standard deviations of the sample (of the differences, where there are two)."""

SMALL_R = 0.1
"""Bound of a correlation."""


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests of an effect against -bound and bound.

    Attributes
    ----------
    n
        Observations or pairs.
    effect, bound
        In the same unit: the sample's own, or a correlation.
    p_above, p_below
        Of the effect being above -bound, and below bound.
    p
        The larger of both; small where the effect lies within the bounds.
    equivalent
        p < alpha.
    low, high
        Ends of the interval at level 1 - 2 alpha; equivalent where it lies within the bounds.
    smallest_bound
        max(|low|, |high|); these data show equivalence within any larger bound.
    alpha
        Of each test.
    """

    n: int
    effect: float
    bound: float
    p_above: float
    p_below: float
    p: float
    equivalent: bool
    low: float
    high: float
    smallest_bound: float
    alpha: float


def mean_equivalence(
    x: Sample, bound: float | None = None, *, popmean: float = 0.0, alpha: float = 0.05
) -> Equivalence | None:
    """Is the mean of a sample (m,) within `popmean` +- `bound`? NaN entries are left out.

    Parameters
    ----------
    x
        (m,); NaN entries are left out.
    bound
        In the unit of x; None for `SMALL_D` standard deviations of the sample.
    popmean
        What the mean is compared with.
    alpha
        Of each of the two tests, below 0.5.

    Returns
    -------
    Equivalence | None
        `effect` is the mean less `popmean`. None where all observations are equal.

    Raises
    ------
    InputError
        Fewer than 3 observations, or a bound or alpha out of range.
    """
    from scipy import stats

    check_between(alpha, "alpha", 0.0, 0.5)
    values = sample(x, "equivalence test")
    n = len(values)
    effect, sd = float(values.mean() - popmean), float(values.std(ddof=1))
    if np.ptp(values) == 0 or sd == 0:
        return None
    limit = SMALL_D * sd if bound is None else bound
    check_between(limit, "bound", 0.0, np.inf)
    student = stats.t(n - 1)
    return _two_tests(student, n, effect, limit, sd / n**0.5, alpha)


def paired_equivalence(
    x: Sample, y: Sample, bound: float | None = None, *, alpha: float = 0.05
) -> Equivalence | None:
    """Are conditions (m,), (m,) of the same stimuli equal within `bound`? As `mean_equivalence` of x - y.

    Parameters
    ----------
    x, y
        (m,) each, the pairs.
    bound, alpha
        As in `mean_equivalence`.
    """
    first, second = paired_samples(x, y, "equivalence test")
    return mean_equivalence(first - second, bound, alpha=alpha)


def correlation_equivalence(
    coefficient: float | None, n: int, bound: float = SMALL_R, *, rank: bool = True, alpha: float = 0.05
) -> Equivalence | None:
    """Is a correlation of n pairs within +- `bound`? From Fisher's z, normal about its true value.

    Parameters
    ----------
    coefficient
        Spearman's rho, or Pearson's r; None, for one that is undefined, passes through.
    n
        How many pairs it comes from.
    bound
        Between 0 and 1.
    rank
        The former, whose z has the variance of Fieller, Hartley & Pearson (1957), 1.06 / (n - 3).
    alpha
        Of each of the two tests, below 0.5.

    Returns
    -------
    Equivalence | None
        None for fewer than 4 pairs, and for a coefficient of -1 or 1: z has no standard error or no value.

    Raises
    ------
    InputError
        Fewer than 3 pairs, or a bound or alpha out of range.
    """
    from scipy import stats

    check_between(alpha, "alpha", 0.0, 0.5)
    check_between(bound, "bound", 0.0, 1.0)
    if n < FEWEST_STIMULI:
        raise InputError(f"equivalence test: expected at least {FEWEST_STIMULI} pairs, found {n}")
    error = fisher_error(n, rank=rank)
    if coefficient is None or error is None or not abs(coefficient) < 1 - ROUNDING:
        return None
    z = float(np.arctanh(coefficient))
    found = _two_tests(stats.norm(), n, z, float(np.arctanh(bound)), error, alpha)
    low, high, widest = (float(np.tanh(end)) for end in (found.low, found.high, found.smallest_bound))
    return replace(found, effect=coefficient, bound=bound, low=low, high=high, smallest_bound=widest)


def _two_tests(
    distribution: Any, n: int, effect: float, bound: float, error: float, alpha: float
) -> Equivalence:
    """The tests of an effect whose error has a scipy.stats distribution, times its standard error."""
    above = float(distribution.sf((effect + bound) / error))
    below = float(distribution.cdf((effect - bound) / error))
    half_width = float(distribution.isf(alpha)) * error
    low, high = effect - half_width, effect + half_width
    p = max(above, below)
    return Equivalence(
        n=n,
        effect=effect,
        bound=bound,
        p_above=above,
        p_below=below,
        p=p,
        equivalent=p < alpha,
        low=low,
        high=high,
        smallest_bound=max(abs(low), abs(high)),
        alpha=alpha,
    )
