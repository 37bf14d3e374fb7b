"""Power beside statsmodels's and beside simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hlx.alignment.inference import detectable_d, detectable_rho, spearman_power, t_power
from hlx.errors import InputError

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning", "error::UserWarning")


def test_the_study_can_find_a_rho_of_039() -> None:
    """92 stimuli at .05 / 13: what a study of this size finds four times out of five."""
    assert detectable_rho(92, 0.05 / 13) == pytest.approx(0.39, abs=0.005)
    assert detectable_rho(92) == pytest.approx(0.297, abs=0.001)
    assert spearman_power(0.1686, 92, 0.05 / 13) < 0.1


@given(st.integers(4, 500), st.floats(0.001, 0.1), st.floats(0.2, 0.99))
@settings(max_examples=40)
def test_detectable_rho_inverts_power(n: int, alpha: float, power: float) -> None:
    rho = detectable_rho(n, alpha, power)
    assert 0 < rho <= 1
    if rho < 1 - 1e-6:
        assert spearman_power(rho, n, alpha) == pytest.approx(power, abs=1e-6)
        assert spearman_power(-rho, n, alpha) == pytest.approx(power, abs=1e-6)


@given(st.floats(-1.5, 1.5), st.integers(3, 300), st.floats(0.001, 0.2))
@settings(max_examples=60)
def test_t_power_is_statsmodels(d: float, n: int, alpha: float) -> None:
    from statsmodels.stats.power import TTestPower

    expected = TTestPower().power(effect_size=abs(d), nobs=n, alpha=alpha, alternative="two-sided")
    if np.isfinite(expected):
        assert t_power(d, n, alpha) == pytest.approx(expected, abs=1e-7)
    assert 0 < t_power(d, n, alpha) <= 1
    assert t_power(0.0, n, alpha) == pytest.approx(alpha)


@given(st.integers(3, 300), st.sampled_from([0.05, 0.05 / 13]), st.floats(0.3, 0.95))
@settings(max_examples=25)
def test_detectable_d_inverts_power(n: int, alpha: float, power: float) -> None:
    d = detectable_d(n, alpha, power)
    assert t_power(d, n, alpha) == pytest.approx(power, abs=1e-6)
    assert detectable_d(n + 50, alpha, power) < d


@pytest.mark.parametrize("d", [5.0, 100.0, 1e6, 1e300])
def test_large_effects_are_always_found(d: float) -> None:
    assert t_power(d, 10_000) == t_power(-d, 10_000) == 1


def test_power_is_the_share_of_simulated_studies_that_find_the_effect() -> None:
    rng = np.random.default_rng(0)
    n, runs, r = 40, 4000, 0.4
    x, noise = rng.normal(size=(2, runs, n))
    y = r * x + np.sqrt(1 - r**2) * noise
    rho = stats.pearsonr(stats.rankdata(x, axis=1), stats.rankdata(y, axis=1), axis=1).statistic
    t = rho * np.sqrt((n - 2) / (1 - rho**2))
    share = np.mean(np.abs(t) > stats.t.isf(0.025, n - 2))
    assert spearman_power(6 / np.pi * np.arcsin(r / 2), n) == pytest.approx(share, abs=0.03)
    found = stats.ttest_1samp(x + 0.4, 0, axis=1).pvalue < 0.05
    assert t_power(0.4, n) == pytest.approx(found.mean(), abs=0.03)


def test_three_pairs_give_no_power() -> None:
    assert spearman_power(0.5, 3) is None and detectable_rho(3) is None
    assert 0 < t_power(0.5, 3) < detectable_d(3)


def test_bad_input_is_refused() -> None:
    for message, call in {
        "at least 3": lambda: spearman_power(0.5, 2),
        "at least 3 ": lambda: detectable_d(2),
        "at least 3 s": lambda: detectable_rho(2),
        "alpha": lambda: t_power(0.5, 9, 0.0),
        "rho": lambda: spearman_power(1.0, 9),
        "d: expected": lambda: t_power(float("nan"), 9),
        "power: expected a number": lambda: detectable_d(9, 0.05, 0.05),
        "power: expected a number between 0.05 and 1, found 1": lambda: detectable_rho(9, 0.05, 1.0),
    }.items():
        with pytest.raises(InputError, match=message):
            call()
