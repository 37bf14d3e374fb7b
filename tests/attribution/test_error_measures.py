"""The measures of a benchmark say what their names say, on one map and on many at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import kendalltau, spearmanr

from hlx.attribution.error_measures import (
    covered,
    kendall,
    map_errors,
    mean_absolute_error,
    mean_squared_error,
    precision_at,
    relative_error,
    spearman,
)
from hlx.errors import InputError
from hlx.estimators import Estimate

# Few different values, so that ties are common.
coarse = st.integers(2, 9).flatmap(
    lambda n: arrays(np.float64, (2, n), elements=st.integers(-4, 4).map(float))
)


def test_measures_by_hand() -> None:
    truth, estimate = np.array([3.0, 0.0, -4.0]), np.array([3.0, 2.0, -3.0])
    assert mean_squared_error(estimate, truth) == pytest.approx(5 / 3)
    assert mean_absolute_error(estimate, truth) == pytest.approx(1.0)
    assert relative_error(estimate, truth) == pytest.approx(np.sqrt(5) / 5)
    assert spearman(estimate, truth) == 1.0
    assert kendall(np.array([2.0, 3.0, -3.0]), truth) == pytest.approx(1 / 3)


def test_precision_is_of_magnitudes() -> None:
    truth = np.array([-9.0, 8.0, 1.0, 0.5])
    assert precision_at(2, np.array([-5.0, 0.1, 4.0, 0.0]), truth) == 0.5
    assert precision_at(2, np.array([5.0, -4.0, 1.0, 0.0]), truth) == 1.0
    assert precision_at(9, np.zeros(4), truth) == 1.0


@given(coarse)
def test_rank_correlations_are_scipy_s(maps: np.ndarray) -> None:
    first, second = maps
    assume(np.ptp(first) > 0 and np.ptp(second) > 0)
    assert kendall(first, second) == pytest.approx(kendalltau(first, second).statistic, abs=1e-12)
    assert spearman(first, second) == pytest.approx(spearmanr(first, second).statistic, abs=1e-12)


@given(coarse)
def test_a_perfect_estimate_has_no_error(maps: np.ndarray) -> None:
    truth = maps[0]
    assume(np.ptp(truth) > 0)
    found = {name: float(number) for name, number in map_errors(truth, truth, 3).items()}
    assert found == {
        **dict.fromkeys(("mse", "mae", "relative_error"), 0.0),
        **dict.fromkeys(("precision", "spearman", "kendall"), 1.0),
    }


def test_what_is_undefined_is_nan() -> None:
    level, other = np.ones(4), np.arange(4.0)
    assert np.isnan(spearman(level, other)) and np.isnan(kendall(other, level))
    assert np.isnan(relative_error(other, np.zeros(4)))
    assert np.isnan(covered(Estimate(other), other, 0.95))


def test_many_maps_are_measured_like_one() -> None:
    draw = np.random.default_rng(0)
    truth, estimates = draw.normal(size=(3, 7)), draw.normal(size=(3, 7))
    together = map_errors(estimates, truth, 2)
    for i in range(3):
        for name, number in map_errors(estimates[i], truth[i], 2).items():
            assert together[name][i] == pytest.approx(float(number)), name


@pytest.mark.parametrize("degrees", [None, 4.0])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_intervals_hold_the_truth_as_often_as_their_level_says(degrees: float | None, level: float) -> None:
    draw = np.random.default_rng(1)
    truth = draw.normal(size=(4000, 10))
    error, scale = draw.normal(size=truth.shape), np.ones(truth.shape)
    if degrees is not None:
        scale = np.sqrt(draw.chisquare(degrees, truth.shape) / degrees)
    share = covered(Estimate(truth + 0.1 * error, 0.1 * scale, degrees), truth, level)
    assert share.shape == (4000,)
    assert share.mean() == pytest.approx(level, abs=0.006)  # three standard errors of 40,000 draws


def test_rounding_is_no_miss_and_an_error_is() -> None:
    truth = np.array([1.0, 2.0])
    sure = np.zeros(2)
    assert covered(Estimate(truth * (1 + 1e-15), sure), truth, 0.95) == 1.0
    assert covered(Estimate(np.array([1.0, 2.1]), sure), truth, 0.95) == 0.5
    with pytest.raises(InputError, match="level"):
        covered(Estimate(truth, sure), truth, 1.0)
