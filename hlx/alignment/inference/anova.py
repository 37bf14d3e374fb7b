"""Do groups differ? Analyses of variance and rank tests, of independent groups and of repeated measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from hlx.alignment.inference.samples import Sample, complete_rows, defined, quiet, sample


@dataclass(frozen=True)
class OneWayAnova:
    """One-way analysis of variance of independent groups, and Kruskal & Wallis's (1952) test of their ranks.

    Attributes
    ----------
    n
        Observations in each group, NaN left out.
    F, p, df_between, df_within
        Of the analysis of variance; F and p None where no group varies.
    eta_squared
        Share of the sum of squares that lies between groups.
    omega_squared
        The same without its bias, (SSB - dfB MSW) / (SST + MSW) (Hays 1963); may be negative.
    kruskal_h, kruskal_p
        Corrected for ties; None where all observations are equal.
    """

    n: tuple[int, ...]
    F: float | None
    p: float | None
    df_between: int
    df_within: int
    eta_squared: float | None
    omega_squared: float | None
    kruskal_h: float | None
    kruskal_p: float | None


@dataclass(frozen=True)
class RepeatedMeasuresAnova:
    """One-way analysis of variance of k conditions met by the same stimuli.

    Attributes
    ----------
    n, dropped, k
        Stimuli with all values, stimuli left out because one is NaN, conditions.
    F, p, df1, df2
        With df1 = k - 1 and df2 = (n - 1)(k - 1); F and p None where, beside differences between stimuli and
        between conditions, nothing varies.
    epsilon, p_gg
        Greenhouse & Geisser's (1959) estimate of the departure from sphericity, in [1 / (k - 1), 1], and p
        with both degrees of freedom multiplied by it; None as F.
    partial_eta_squared
        SS of conditions over itself and SS of the error.
    """

    n: int
    dropped: int
    k: int
    F: float | None
    p: float | None
    df1: int
    df2: int
    epsilon: float | None
    p_gg: float | None
    partial_eta_squared: float | None


@dataclass(frozen=True)
class Friedman:
    """Friedman's (1937) test of the ranks of k conditions within each stimulus.

    Attributes
    ----------
    n, dropped, k
        Stimuli with all values, stimuli left out because one is NaN, conditions.
    chi2, df, p
        Corrected for ties, with k - 1 degrees of freedom; chi2 and p None where every stimulus has equal
        values in all conditions.
    kendall_w
        Concordance of the stimuli's rankings, chi2 / (n (k - 1)), in [0, 1] (Kendall & Babington Smith 1939).
    """

    n: int
    dropped: int
    k: int
    chi2: float | None
    df: int
    p: float | None
    kendall_w: float | None


def one_way_anova(groups: Sequence[Sample]) -> OneWayAnova | None:
    """Compare the means of independent groups.

    The reference study's test over models. Models that see the same stimuli are not independent, for which
    `rm_anova` allows.

    Parameters
    ----------
    groups
        (m,) each, observations of one group; NaN entries are left out.

    Returns
    -------
    OneWayAnova | None
        None for a single group.

    Raises
    ------
    InputError
        A group has fewer than 3 observations or infinite ones; names its place.
    """
    from scipy import stats

    values = [sample(group, f"analysis of variance, group {place}") for place, group in enumerate(groups, 1)]
    if len(values) < 2:
        return None
    n = tuple(map(len, values))
    df1, df2 = len(values) - 1, sum(n) - len(values)
    varies = any(np.ptp(group) > 0 for group in values)
    with quiet():
        test = stats.f_oneway(*values)
        # scipy refuses ranks that are all equal.
        ranks = stats.kruskal(*values) if np.ptp(np.concatenate(values)) > 0 else None
        ratio = defined(test.statistic) if varies else None
    if ratio is not None:
        ratio = max(ratio, 0.0)  # where all means are equal, rounding may leave it below, and scipy's p NaN
    return OneWayAnova(
        n=n,
        F=ratio,
        p=None if ratio is None else float(stats.f.sf(ratio, df1, df2)),
        df_between=df1,
        df_within=df2,
        eta_squared=None if ratio is None else _explained(ratio, df1, df2),
        omega_squared=None if ratio is None else df1 * (ratio - 1) / (df1 * (ratio - 1) + sum(n)),
        kruskal_h=None if ranks is None else defined(ranks.statistic),
        kruskal_p=None if ranks is None else defined(ranks.pvalue),
    )


def rm_anova(matrix: Sample) -> RepeatedMeasuresAnova | None:
    """Compare k conditions (models) over the same stimuli.

    Stimuli with a NaN are left out and counted. For two conditions F is the square of the paired t.

    Parameters
    ----------
    matrix
        (m, k), stimuli by conditions; stimuli with a NaN are left out and counted.

    Returns
    -------
    RepeatedMeasuresAnova | None
        None for fewer than two conditions.

    Raises
    ------
    InputError
        No matrix, infinite values, or fewer than 3 stimuli without NaN.
    """
    from scipy import stats

    values = complete_rows(matrix, "repeated-measures analysis of variance")
    n, k = values.shape
    if k < 2:
        return None
    df1, df2 = k - 1, (n - 1) * (k - 1)
    within = values - values.mean(axis=1, keepdims=True)
    conditions = within.mean(axis=0)
    residuals = within - conditions
    rounding = np.finfo(np.float64).eps * np.abs(values).max()
    with quiet():
        ratio = defined((n * np.sum(conditions**2) / df1) / (np.sum(residuals**2) / df2))
    if ratio is None or np.abs(residuals).max() <= 4 * rounding:
        return RepeatedMeasuresAnova(n, len(matrix) - n, k, None, None, df1, df2, None, None, None)
    epsilon = _sphericity(residuals)
    return RepeatedMeasuresAnova(
        n=n,
        dropped=len(matrix) - n,
        k=k,
        F=ratio,
        p=float(stats.f.sf(ratio, df1, df2)),
        df1=df1,
        df2=df2,
        epsilon=epsilon,
        p_gg=float(stats.f.sf(ratio, epsilon * df1, epsilon * df2)),
        partial_eta_squared=_explained(ratio, df1, df2),
    )


def friedman(matrix: Sample) -> Friedman | None:
    """Compare the ranks of k conditions within the same stimuli.

    By the formula for ties (Conover 1999, section 5.8), which scipy.stats.friedmanchisquare uses too but not
    for two conditions: there this is the sign test's normal approximation. Stimuli with a NaN are left out.

    Parameters
    ----------
    matrix
        (m, k), as in `rm_anova`.

    Returns
    -------
    Friedman | None
        None for fewer than two conditions.

    Raises
    ------
    InputError
        As `rm_anova`.
    """
    from scipy import stats

    values = complete_rows(matrix, "Friedman test")
    n, k = values.shape
    if k < 2:
        return None
    ranks = np.asarray(stats.rankdata(values, axis=1)) - (k + 1) / 2
    spread = float(np.sum(ranks**2))
    if spread == 0:
        return Friedman(n, len(matrix) - n, k, None, k - 1, None, None)
    chi2 = (k - 1) * float(np.sum(ranks.sum(axis=0) ** 2)) / spread
    return Friedman(
        n=n,
        dropped=len(matrix) - n,
        k=k,
        chi2=chi2,
        df=k - 1,
        p=float(stats.chi2.sf(chi2, k - 1)),
        kendall_w=chi2 / (n * (k - 1)),
    )


def _sphericity(residuals: Float64[np.ndarray, "n k"]) -> float:
    """tr(S)^2 / ((k - 1) tr(S^2)) of the double-centred covariance S (Greenhouse & Geisser 1959)."""
    scaled = residuals / np.abs(residuals).max()
    covariance = scaled.T @ scaled
    k = len(covariance)
    bounded = np.clip(np.trace(covariance) ** 2 / ((k - 1) * np.sum(covariance**2)), 1 / (k - 1), 1)
    return float(bounded)


def _explained(ratio: float, df1: int, df2: int) -> float:
    """Share of SS between of SS between and within, from their ratio F (Cohen 1988, section 8.2)."""
    return ratio * df1 / (ratio * df1 + df2)
