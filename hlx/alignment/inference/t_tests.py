"""Student's t-test with its effect sizes, and Wilcoxon's signed ranks: of one sample and of paired ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import ceil, log10

import numpy as np
from jaxtyping import Float64

from hlx.alignment.inference.multiple_tests import holm
from hlx.alignment.inference.samples import Sample, defined, paired_samples, quiet, sample
from hlx.errors import InputError

TIE_DIGITS = 12
"""Of the largest value: differences that are equal so far tie in their ranks, as in exact arithmetic."""


@dataclass(frozen=True)
class Wilcoxon:
    """Wilcoxon's (1945) signed-rank test.

    Attributes
    ----------
    n
        Differences that are not zero; the others are left out, as Wilcoxon did.
    w_plus
        Sum of the ranks of the positive ones, equal sizes sharing the mean of their ranks.
    p, p_greater
        Two-sided, and for a shift to above.
    rank_biserial
        (w_plus - w_minus) / (w_plus + w_minus), in [-1, 1] (Kerby 2014, "The simple difference formula").
    """

    n: int
    w_plus: float
    p: float
    p_greater: float
    rank_biserial: float


@dataclass(frozen=True)
class OneSampleTest:
    """Student's t-test of a mean.

    t, both p, both effect sizes and ci95 are None where all observations are equal.

    Attributes
    ----------
    n, dropped
        Observations, and NaN entries left out.
    popmean
        What the mean is tested against.
    mean, sd, sem
        Of the sample; sd with ddof 1, sem = sd / sqrt(n).
    t, df
        (mean - popmean) / sem, n - 1.
    p, p_greater
        Two-sided, and for a mean above popmean.
    cohen_d
        (mean - popmean) / sd; of differences of pairs this is Cohen's (1988, p. 48) d_z.
    hedges_g
        cohen_d without its bias in small samples (Hedges 1981), by the exact factor for n - 1 degrees of
        freedom.
    ci95
        95% interval of the mean from Student's t.
    wilcoxon
        The test of signed ranks; None where no observation differs from popmean.
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


@dataclass(frozen=True)
class PairedDifference:
    """Two conditions compared on the stimuli that have both.

    Attributes
    ----------
    first, second
        Names; the difference is first - second.
    test
        Of the differences against zero: the paired t-test, d_z in `cohen_d`, signed ranks in `wilcoxon`.
    p_holm, wilcoxon_p_holm
        `test`'s p-values corrected over all pairs (Holm 1979).
    """

    first: str
    second: str
    test: OneSampleTest
    p_holm: float | None
    wilcoxon_p_holm: float | None


def one_sample_t(x: Sample, popmean: float = 0.0) -> OneSampleTest:
    """Test whether the mean of a sample (m,) differs from `popmean`; NaN entries are left out and counted.

    Parameters
    ----------
    x
        (m,); NaN entries are left out and counted.
    popmean
        What the mean is tested against.

    Raises
    ------
    InputError
        Fewer than 3 observations, or infinite ones.
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


def paired_differences(matrix: Sample, names: Sequence[str]) -> list[PairedDifference]:
    """Compare all pairs of the k conditions of a matrix (n, k), in the order of their names; none for k < 2.

    A stimulus with NaN in either condition is left out of that pair.

    Parameters
    ----------
    matrix
        (n, k), stimuli by conditions; a stimulus with NaN in either condition is left out of that pair.
    names
        Of the k conditions.

    Raises
    ------
    InputError
        names that are not k, or a pair with fewer than 3 stimuli.
    """
    if matrix.ndim != 2 or matrix.shape[1] != len(names):
        raise InputError(f"paired differences: {len(names)} names for values of shape {matrix.shape}")
    pairs = list(combinations(range(len(names)), 2))
    tests = []
    for i, j in pairs:
        first, second = paired_samples(matrix[:, i], matrix[:, j], f"{names[i]} and {names[j]}")
        tests.append(one_sample_t(_differences(first, second)))
    corrected = holm([test.p for test in tests])
    by_rank = holm([None if test.wilcoxon is None else test.wilcoxon.p for test in tests])
    return [
        PairedDifference(names[i], names[j], test, p, by_rank_p)
        for (i, j), test, p, by_rank_p in zip(pairs, tests, corrected, by_rank, strict=True)
    ]


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


def _differences(
    first: Float64[np.ndarray, " n"], second: Float64[np.ndarray, " n"]
) -> Float64[np.ndarray, " n"]:
    """first - second, without the last digits, in which .3 - .1 and .5 - .3 differ."""
    largest = float(max(np.abs(first).max(), np.abs(second).max()))
    return np.round(first - second, TIE_DIGITS - ceil(log10(largest))) if largest > 0 else first - second
