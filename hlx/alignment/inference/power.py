"""Power: what a study of n stimuli would find, and how large an effect must be to be found."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hlx.alignment.inference.intervals import fisher_error
from hlx.alignment.inference.samples import FEWEST_STIMULI, check_between
from hlx.errors import InputError


def spearman_power(rho: float, n: int, alpha: float = 0.05) -> float | None:
    """Power of the two-sided test of Spearman's rho with n pairs, at a true rho in (-1, 1).

    Fisher's z of the estimate is taken as normal about artanh(rho) with the variance 1.06 / (n - 3) of
    Fieller, Hartley & Pearson (1957), which holds for |rho| up to about 0.8. None for fewer than 4 pairs.

    Parameters
    ----------
    rho
        The true correlation.
    n
        How many pairs.
    alpha
        Of the test.

    Returns
    -------
    float | None
        Between alpha and 1; None for fewer than 4 pairs.

    Raises
    ------
    InputError
        Fewer than 3 pairs, or rho or alpha out of range.
    """
    from scipy.special import ndtr, ndtri

    _check(n, alpha)
    check_between(rho, "rho", -1.0, 1.0)
    error = fisher_error(n, rank=True)
    if error is None:
        return None
    shift, critical = np.arctanh(rho) / error, float(ndtri(1 - alpha / 2))
    return float(ndtr(shift - critical) + ndtr(-shift - critical))


def detectable_rho(n: int, alpha: float = 0.05, power: float = 0.8) -> float | None:
    """The smallest true rho that the test of `spearman_power` finds with this power; None as there.

    Parameters
    ----------
    n, alpha
        As in `spearman_power`.
    power
        Between alpha and 1.

    Returns
    -------
    float | None
        None for fewer than 4 pairs.

    Raises
    ------
    InputError
        As `spearman_power`, or a power that is not between alpha and 1.
    """
    _check(n, alpha)
    check_between(power, "power", alpha, 1.0)
    error = fisher_error(n, rank=True)
    if error is None:
        return None
    # In units of Fisher's z, where no effect is too large for the bracket.
    return float(np.tanh(_solved(lambda z: spearman_power(_below_one(np.tanh(z)), n, alpha), power, error)))


def t_power(d: float, n: int, alpha: float = 0.05) -> float:
    """Power of the two-sided one-sample or paired t-test at a true effect size d.

    From the noncentral t with n - 1 degrees of freedom and noncentrality d sqrt(n) (Cohen 1988, chapter 2).

    Parameters
    ----------
    d
        The true mean over its standard deviation.
    n
        How many observations or pairs.
    alpha
        Of the test.

    Raises
    ------
    InputError
        Fewer than 3 observations, or d or alpha out of range.
    """
    from scipy import stats

    _check(n, alpha)
    check_between(d, "d", -np.inf, np.inf)
    critical, shift = stats.t.isf(alpha / 2, n - 1), abs(d) * n**0.5
    # scipy gives NaN for tails too small for a float.
    tails = stats.nct.sf(critical, n - 1, shift), np.nan_to_num(stats.nct.cdf(-critical, n - 1, shift))
    return float(min(sum(tails), 1.0)) if np.isfinite(tails[0]) else 1.0


def detectable_d(n: int, alpha: float = 0.05, power: float = 0.8) -> float:
    """The smallest true effect size that the test of `t_power` finds with this power.

    Parameters
    ----------
    n, alpha
        As in `t_power`.
    power
        Between alpha and 1.

    Raises
    ------
    InputError
        As `t_power`, or a power that is not between alpha and 1.
    """
    _check(n, alpha)
    check_between(power, "power", alpha, 1.0)
    return _solved(lambda d: t_power(d, n, alpha), power, n**-0.5)


def _solved(power_at: Callable[[float], float | None], power: float, start: float) -> float:
    """The positive effect of this power, which rises with the effect from alpha at none."""
    from scipy.optimize import brentq

    def short(effect: float) -> float:
        return (power_at(effect) or 0.0) - power

    high = start
    while short(high) < 0:
        high *= 2
    return float(brentq(short, 0.0, high, xtol=1e-12, rtol=1e-12))


def _below_one(value: float) -> float:
    return min(float(value), float(np.nextafter(1, 0)))


def _check(n: int, alpha: float) -> None:
    if n < FEWEST_STIMULI:
        raise InputError(f"power: expected at least {FEWEST_STIMULI} stimuli, found {n}")
    check_between(alpha, "alpha", 0.0, 1.0)
