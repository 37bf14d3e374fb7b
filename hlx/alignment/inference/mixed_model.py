"""The mixed model RC ~ model + phenomenon + (1 | stimulus), fitted by statsmodels (the extra `stats`)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Shaped

from hlx.alignment.inference.intervals import ROUNDING
from hlx.alignment.inference.samples import FEWEST_STIMULI, Sample, Unavailable, defined, quiet, real_numbers
from hlx.errors import InputError

OPTIMISERS = ("bfgs", "powell")
"""Tried in turn until one converges. BFGS is exact where the stimulus variance is well above zero; its
gradient vanishes at zero, where it stops anywhere and Powell's method, which uses none, does not."""


@dataclass(frozen=True)
class Coefficient:
    """A fixed effect.

    Attributes
    ----------
    term, level
        "intercept" and "", or "model" or "phenomenon" and which; the difference from the reference level of
        its term.
    estimate, standard_error, z, p, low, high
        With Wald's test and 95% interval, from the normal distribution. All but the first are None where the
        fit gives no standard error.
    """

    term: str
    level: str
    estimate: float
    standard_error: float | None
    z: float | None
    p: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class WaldTest:
    """Wald's chi-squared test that all coefficients of a term are zero; chi2 and p None where undefined."""

    term: str
    chi2: float | None
    df: int
    p: float | None


@dataclass(frozen=True)
class MixedModel:
    """A linear model with a random intercept per stimulus, fitted by restricted maximum likelihood.

    Attributes
    ----------
    n, observations
        Stimuli, and values of all models that are not NaN.
    references
        Term -> the level that the others are compared with, the first given.
    coefficients
        Intercept first, then models, then phenomena.
    tests
        Of each term as a whole.
    stimulus_variance, residual_variance
        Of the random intercepts, and of what is left.
    icc
        Intraclass correlation, stimulus variance over both: how alike the models are on a stimulus.
    log_likelihood
        Restricted.
    converged
        Whether the optimiser found a maximum; without one, trust none of the numbers.
    warnings
        What statsmodels had to say of the fit, such as a stimulus variance of zero.
    """

    n: int
    observations: int
    references: dict[str, str]
    coefficients: tuple[Coefficient, ...]
    tests: tuple[WaldTest, ...]
    stimulus_variance: float
    residual_variance: float
    icc: float
    log_likelihood: float
    converged: bool
    warnings: tuple[str, ...]


def mixed_model(
    rc: Sample, models: Sequence[str], phenomena: Sequence[str] | None = None
) -> MixedModel | Unavailable:
    """Fit RC ~ model + phenomenon + (1 | stimulus) (Laird & Ware 1982) by REML.

    Parameters
    ----------
    rc
        (n, k) by stimulus and model; single NaN entries are left out.
    models
        Names of the columns.
    phenomena
        Of the rows; None, or a single one, leaves the term out.

    Returns
    -------
    MixedModel | Unavailable
        The fit; or the reason why there is none: statsmodels is missing, one model (a single value per
        stimulus does not tell stimuli from residuals), no fewer phenomena than stimuli, models and phenomena
        that cannot be told apart, or values without variation.

    Raises
    ------
    InputError
        No numbers of shape (n, k), infinite ones, names that are not k or phenomena that are not n, or fewer
        than 3 stimuli with values.
    """
    values = real_numbers(rc, 2, "mixed model")
    if values.shape[1] != len(models):
        raise InputError(f"mixed model: {len(models)} models for values of shape {values.shape}")
    if phenomena is not None and len(phenomena) != len(rc):
        raise InputError(f"mixed model: {len(phenomena)} phenomena for {len(rc)} stimuli")
    row, column = np.nonzero(~np.isnan(values))
    known = len(np.unique(row))
    if known < FEWEST_STIMULI:
        raise InputError(
            f"mixed model: expected at least {FEWEST_STIMULI} stimuli with defined values, found {known}"
        )
    factors = {"model": np.array(models)[column]}
    if phenomena is not None:
        factors["phenomenon"] = np.array(phenomena)[row]
    levels = {term: list(dict.fromkeys(found.tolist())) for term, found in factors.items()}
    reason = _reason(values, levels, known)
    if reason is not None:
        return Unavailable(reason)
    columns = [(term, level) for term, names in levels.items() for level in names[1:]]
    design = np.stack([np.ones(len(row)), *(factors[term] == level for term, level in columns)], axis=1)
    if np.linalg.matrix_rank(design) < design.shape[1]:
        return Unavailable("the values that are there do not tell models from phenomena")
    # The optimisers' thresholds are absolute; so they are relative to the spread of the values.
    unit = float(values[row, column].std())
    fit, said = _fitted(values[row, column] / unit, design, row)
    if fit is None:
        return Unavailable(said[0])
    references = {term: names[0] for term, names in levels.items() if len(names) > 1}
    return _result(fit, unit, said, [("intercept", ""), *columns], references)


def _reason(values: np.ndarray, levels: dict[str, list[str]], stimuli: int) -> str | None:
    if len(levels["model"]) < 2:
        return "a mixed model needs two models or more: one value each does not tell stimuli from residuals"
    if len(levels.get("phenomenon", [])) >= stimuli:
        return "a mixed model needs more stimuli than phenomena"
    if (np.sum(~np.isnan(values), axis=1) < 2).all():
        return "a mixed model needs stimuli with values of several models"
    if np.nanmax(values) - np.nanmin(values) <= ROUNDING * np.nanmax(np.abs(values)):
        return "a mixed model needs values that differ"
    return None


def _fitted(
    values: Float64[np.ndarray, " m"], design: Float64[np.ndarray, "m p"], stimuli: Shaped[np.ndarray, " m"]
) -> tuple[Any, tuple[str, ...]]:
    """statsmodels's fit and its warnings; or None and why there is none."""
    try:
        from statsmodels.regression.mixed_linear_model import MixedLM
        from statsmodels.tools.sm_exceptions import ModelWarning
    except ImportError:
        return None, ("the mixed model needs statsmodels: pip install '.[stats]'",)
    fit: Any = None
    said: tuple[str, ...] = ()
    for method in OPTIMISERS:
        with warnings.catch_warnings(record=True) as caught, np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", ModelWarning)
            try:
                fit = MixedLM(values, design, groups=stimuli).fit(reml=True, method=[method])
            except np.linalg.LinAlgError as error:
                if fit is None:
                    said = (f"the mixed model cannot be fitted to these values: {error}",)
                continue
            said = tuple(dict.fromkeys(str(warning.message) for warning in caught))
        if fit.converged:
            break
    return fit, said


def _result(
    fit: Any, unit: float, said: tuple[str, ...], named: list[tuple[str, str]], references: dict[str, str]
) -> MixedModel:
    p = len(named)
    with quiet():
        estimates = np.asarray(fit.fe_params) * unit
        covariance = np.asarray(fit.cov_params())[:p, :p] * unit**2
        tests = tuple(
            _wald(term, estimates, covariance, [t == term for t, _ in named]) for term in references
        )
        errors = np.sqrt(np.diagonal(covariance))
    stimulus, residual = float(fit.cov_re[0, 0]) * unit**2, float(fit.scale) * unit**2
    observations = len(fit.model.endog)
    return MixedModel(
        n=int(fit.model.n_groups),
        observations=observations,
        references=references,
        coefficients=tuple(
            _coefficient(*name, float(b), defined(error))
            for name, b, error in zip(named, estimates, errors, strict=True)
        ),
        tests=tests,
        stimulus_variance=stimulus,
        residual_variance=residual,
        icc=stimulus / (stimulus + residual),
        # REML is the likelihood of the observations - p contrasts that are free of the fixed effects.
        log_likelihood=float(fit.llf) - (observations - p) * float(np.log(unit)),
        converged=bool(fit.converged),
        warnings=said,
    )


def _coefficient(term: str, level: str, estimate: float, error: float | None) -> Coefficient:
    from scipy.special import ndtr, ndtri

    if not error:
        return Coefficient(term, level, estimate, None, None, None, None, None)
    z, half_width = estimate / error, float(ndtri(0.975)) * error
    p = float(2 * ndtr(-abs(z)))
    return Coefficient(term, level, estimate, error, z, p, estimate - half_width, estimate + half_width)


def _wald(term: str, estimates: np.ndarray, covariance: np.ndarray, among: list[bool]) -> WaldTest:
    from scipy import stats

    b = estimates[among]
    try:
        chi2 = defined(b @ np.linalg.solve(covariance[np.ix_(among, among)], b))
    except np.linalg.LinAlgError:
        chi2 = None
    return WaldTest(term, chi2, len(b), None if chi2 is None else float(stats.chi2.sf(chi2, len(b))))
