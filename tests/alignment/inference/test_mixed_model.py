"""The mixed model beside the exact solutions of balanced data, and where there is none."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hlx.alignment.inference import MixedModel, Unavailable, mixed_model, rm_anova
from hlx.errors import InputError

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning", "error::UserWarning")
pytest.importorskip("statsmodels", reason="the mixed model needs the stats extra")


def study(n: int, k: int, seed: int, spread: float = 0.3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 0.2 + rng.normal(0, 0.2, (n, k)) + rng.normal(0, spread, (n, 1)) + rng.normal(0, 0.1, k)


@given(st.integers(12, 40), st.integers(2, 4), st.integers(0, 1000), st.sampled_from([1.0, 1e-6, 1e5]))
@settings(max_examples=15)
def test_balanced_data_have_an_exact_solution(n: int, k: int, seed: int, scale: float) -> None:
    """REML then gives the variances of the analysis of variance, and F is the term's chi-squared over df."""
    rc = scale * study(n, k, seed)
    expected = rm_anova(rc)
    within = rc - rc.mean(axis=1, keepdims=True)
    error = np.sum((within - within.mean(axis=0)) ** 2) / expected.df2
    stimulus = rc.mean(axis=1).var(ddof=1) - error / k
    assume(stimulus > 0.1 * error)
    found = mixed_model(rc, [f"model {j}" for j in range(k)])
    assert found.converged and found.warnings == ()
    assert found.residual_variance == pytest.approx(error, rel=1e-3)
    assert found.stimulus_variance == pytest.approx(stimulus, rel=1e-2)
    assert found.icc == pytest.approx(stimulus / (stimulus + error), rel=1e-2)
    (test,) = found.tests
    assert test.chi2 / test.df == pytest.approx(expected.F, rel=1e-3) and test.df == k - 1
    intercept, *others = found.coefficients
    assert intercept.estimate == pytest.approx(rc[:, 0].mean()) and intercept.term == "intercept"
    for j, other in enumerate(others, 1):
        assert (other.term, other.level) == ("model", f"model {j}")
        assert other.estimate == pytest.approx((rc[:, j] - rc[:, 0]).mean())
        assert other.standard_error == pytest.approx(np.sqrt(2 * error / n), rel=1e-3)
        assert (other.low + other.high) / 2 == pytest.approx(other.estimate)
    assert (found.n, found.observations, found.references) == (n, n * k, {"model": "model 0"})
    json.dumps(asdict(found))


def test_unbalanced_data_are_statsmodels() -> None:
    """Missing values and phenomena, on another scale: the same fit as by its formula."""
    import pandas as pd
    import statsmodels.formula.api as smf

    rc = 10 * study(60, 3, seed=1)
    rc[3, 1] = rc[10, 0] = rc[11, :2] = np.nan
    rc[20] = np.nan
    phenomena = ["actions", "existence", "relations"] * 20
    found = mixed_model(rc, ["C", "F", "S"], phenomena)
    stimulus, model = np.nonzero(~np.isnan(rc))
    data = pd.DataFrame(
        {
            "rc": rc[stimulus, model],
            "stimulus": stimulus,
            "model": np.array(["C", "F", "S"])[model],
            "phenomenon": np.array(phenomena)[stimulus],
        }
    )
    expected = smf.mixedlm("rc ~ model + phenomenon", data, groups=data["stimulus"]).fit(reml=True)
    assert found.log_likelihood == pytest.approx(expected.llf, abs=1e-4)
    assert found.residual_variance == pytest.approx(expected.scale, rel=1e-3)
    assert found.stimulus_variance == pytest.approx(float(expected.cov_re.iloc[0, 0]), rel=1e-3)
    names = ["Intercept", "model[T.F]", "model[T.S]", "phenomenon[T.existence]", "phenomenon[T.relations]"]
    for name, ours in zip(names, found.coefficients, strict=True):
        assert ours.estimate == pytest.approx(expected.params[name], rel=1e-4)
        assert ours.standard_error == pytest.approx(expected.bse[name], rel=1e-3)
        assert ours.p == pytest.approx(expected.pvalues[name], rel=1e-2, abs=1e-6)
        assert (ours.low, ours.high) == pytest.approx(tuple(expected.conf_int().loc[name]), rel=1e-3)
    table = expected.wald_test_terms(scalar=True).table
    for test in found.tests:
        assert test.chi2 == pytest.approx(table.loc[test.term, "statistic"], rel=1e-3)
        assert test.p == pytest.approx(table.loc[test.term, "pvalue"], rel=1e-2)
    assert (found.n, found.observations) == (59, len(data))
    assert found.references == {"model": "C", "phenomenon": "actions"}


def test_stimuli_that_do_not_differ_are_found_and_said(capfd: pytest.CaptureFixture[str]) -> None:
    """The variance of stimuli at zero: all of it is residual; statsmodels's words are kept, not printed."""
    rng = np.random.default_rng(0)
    rc = rng.normal(size=(92, 2))
    rc -= rc.mean(axis=1, keepdims=True)
    found = mixed_model(rc, ["A", "B"])
    assert found.converged and found.icc < 1e-5 and any("boundary" in said for said in found.warnings)
    pooled = np.sum((rc - rc.mean(axis=0)) ** 2) / (rc.size - 2)
    assert found.residual_variance == pytest.approx(pooled, rel=1e-4)
    assert capfd.readouterr() == ("", "")


@given(st.integers(0, 1000), st.integers(2, 4))
@settings(max_examples=20)
def test_the_smallest_study_has_a_fit_or_a_reason(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    rc = np.round(rng.normal(size=(3, k)), seed % 3)
    found = mixed_model(rc, [str(j) for j in range(k)], ["a", "b", "a"])
    assert isinstance(found, MixedModel | Unavailable)
    json.dumps(asdict(found))


def test_terms_of_one_level_are_left_out() -> None:
    rc = study(20, 2, seed=0)
    assert asdict(mixed_model(rc, ["A", "B"], ["same"] * 20)) == asdict(mixed_model(rc, ["A", "B"]))


def test_what_cannot_be_fitted_has_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    rc = study(9, 2, seed=0)
    diagonal = np.where(np.arange(9)[:, None] % 2 == np.arange(2), rc, np.nan)
    apart = np.where((np.arange(9)[:, None] < 5) == (np.arange(4) < 2), study(9, 4, seed=0), np.nan)
    reasons = {
        "two models": mixed_model(rc[:, :1], ["A"]),
        "more stimuli than phenomena": mixed_model(rc, ["A", "B"], [str(i) for i in range(9)]),
        "several models": mixed_model(diagonal, ["A", "B"]),
        "models from phenomena": mixed_model(apart, list("ABCD"), ["a"] * 5 + ["b"] * 4),
        "differ": mixed_model(np.full((9, 2), 0.1), ["A", "B"]),
    }
    monkeypatch.setitem(sys.modules, "statsmodels.regression.mixed_linear_model", None)
    reasons["pip install '.[stats]'"] = mixed_model(rc, ["A", "B"])
    for said, found in reasons.items():
        assert isinstance(found, Unavailable) and said in found.reason


def test_bad_input_is_refused() -> None:
    rc = study(9, 2, seed=0)
    for message, call in {
        "at least 3": lambda: mixed_model(rc[:2], ["A", "B"]),
        "models for": lambda: mixed_model(rc, ["A"]),
        "phenomena for": lambda: mixed_model(rc, ["A", "B"], ["a"]),
        "infinite": lambda: mixed_model(rc + np.inf, ["A", "B"]),
    }.items():
        with pytest.raises(InputError, match=message):
            call()
