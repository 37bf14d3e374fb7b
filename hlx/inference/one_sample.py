"""Tests of one sample against a number: Student's t with its effect sizes, and Wilcoxon's signed ranks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Shaped

from hlx.inference.samples import sample
from hlx.inference.undefined import defined, quiet


@dataclass(frozen=True)
class Wilcoxon:
    """Wilcoxon's (1945) signed-rank test.

    Attributes
    ----------
    n : differences that are not zero; the others are left out, as Wilcoxon did.
    w_plus : sum of the ranks of the positive ones, equal sizes sharing the mean of their ranks.
    p, p_greater : two-sided, and for a shift to above.
    rank_biserial : (w_plus - w_minus) / (w_plus + w_minus), in [-1, 1] (Kerby 2014, "The simple difference
        formula").
    """

    n: int
    w_plus: float
    p: float
    p_greater: float
    rank_biserial: float


@dataclass(frozen=True)
class OneSampleTest:
    """Student's t-test of a mean.

    Attributes
    ----------
    n, dropped : observations, and NaN entries left out.
    popmean : what the mean is tested against.
    mean, sd, sem : of the sample; sd with ddof 1, sem = sd / sqrt(n).
    t, df : (mean - popmean) / sem, n - 1.
    p, p_greater : two-sided, and for a mean above popmean.
    cohen_d : (mean - popmean) / sd; of differences of pairs this is Cohen's (1988, p. 48) d_z.
    hedges_g : cohen_d without its bias in small samples (Hedges 1981), by the exact factor for n - 1 degrees
        of freedom.
    ci95 : 95% interval of the mean from Student's t.
    wilcoxon : the test of signed ranks; None where no observation differs from popmean.

    t, both p, both effect sizes and ci95 are None where all observations are equal.
    """

    n: int
    dropped: int
    popmean: float
    mean: float
    sd: float
    sem: float
    t: float | None
    df: int
    p: float | None
    p_greater: float | None
    cohen_d: float | None
    hedges_g: float | None
    ci95: tuple[float, float] | None
    wilcoxon: Wilcoxon | None


def one_sample_t(x: Shaped[np.ndarray, ...], popmean: float = 0.0) -> OneSampleTest:
    """Test whether the mean of a sample (m,) differs from `popmean`; NaN entries are left out and counted.

    Raises
    ------
    InputError : fewer than 3 observations, or infinite ones.
    """
    from scipy import stats

    values = sample(x, "t-test")
    n = len(values)
    # The sd of equal numbers may be a rounding error instead of zero, their t then any number.
    constant = np.ptp(values) == 0
    sd = 0.0 if constant else float(np.std(values, ddof=1))
    with quiet():
        test = stats.ttest_1samp(values, popmean)
        greater = stats.ttest_1samp(values, popmean, alternative="greater")
        interval = test.confidence_interval(0.95)
        d = defined((values.mean() - popmean) / sd) if sd > 0 else None
    known = d is not None
    return OneSampleTest(
        n=n,
        dropped=len(x) - n,
        popmean=float(popmean),
        mean=float(values[0] if constant else values.mean()),
        sd=sd,
        sem=sd / n**0.5,
        t=defined(test.statistic) if known else None,
        df=n - 1,
        p=defined(test.pvalue) if known else None,
        p_greater=defined(greater.pvalue) if known else None,
        cohen_d=d,
        hedges_g=None if d is None else d * small_sample_factor(n - 1),
        ci95=(float(interval.low), float(interval.high)) if known else None,
        wilcoxon=wilcoxon(values - popmean),
    )


def small_sample_factor(df: int) -> float:
    """Hedges's (1981) exact J = gamma(df/2) / (sqrt(df/2) gamma((df - 1)/2)), for df of at least 2."""
    from scipy.special import gammaln

    return float(np.exp(gammaln(df / 2) - gammaln((df - 1) / 2)) / np.sqrt(df / 2))


def wilcoxon(differences: Float64[np.ndarray, " n"]) -> Wilcoxon | None:
    """Signed-rank test of differences from zero; None where all are zero.

    p-values are scipy's: exact for small samples, Wilcoxon's normal approximation otherwise.
    """
    from scipy import stats

    moved = differences[differences != 0]
    n = len(moved)
    if n == 0:
        return None
    with quiet():
        two_sided, greater = (stats.wilcoxon(moved, alternative=side) for side in ("two-sided", "greater"))
    # scipy's statistic is w_plus for one-sided tests, the smaller sum for two-sided ones.
    w_plus, ranks = float(greater.statistic), n * (n + 1) / 2
    return Wilcoxon(
        n=n,
        w_plus=w_plus,
        p=float(two_sided.pvalue),
        p_greater=float(greater.pvalue),
        rank_biserial=(2 * w_plus - ranks) / ranks,
    )
