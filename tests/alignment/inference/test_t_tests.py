"""Tests of means beside scipy's and statsmodels's, and what is undefined."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from hlx.alignment.inference import mean_equivalence, one_sample_t, paired_equivalence
from hlx.alignment.inference.t_tests import small_sample_factor, wilcoxon
from hlx.errors import InputError

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning", "error::UserWarning")

# Signed ranks of up to 13 tied differences are enumerated, which takes a while.
FEW = settings(max_examples=15)
SAMPLES = arrays(np.float64, st.integers(3, 60), elements=st.integers(-1000, 1000).map(lambda k: k / 64))


@given(SAMPLES, st.sampled_from([0.0, 0.25, -3.0]))
@FEW
def test_the_t_test_is_scipys(x: np.ndarray, popmean: float) -> None:
    assume(np.ptp(x) > 0)
    found, expected = one_sample_t(x, popmean), stats.ttest_1samp(x, popmean)
    assert found.t == pytest.approx(expected.statistic) and found.p == pytest.approx(expected.pvalue)
    assert found.p_greater == pytest.approx(stats.ttest_1samp(x, popmean, alternative="greater").pvalue)
    assert (found.n, found.df, found.dropped) == (len(x), len(x) - 1, 0)
    assert found.sem == pytest.approx(stats.sem(x)) and found.sd == pytest.approx(np.std(x, ddof=1))
    low, high = expected.confidence_interval(0.95)
    assert found.ci95 == pytest.approx((low, high))
    assert found.cohen_d == pytest.approx(found.t / np.sqrt(found.n), abs=1e-12)
    assert abs(found.hedges_g) <= abs(found.cohen_d)
    json.dumps(asdict(found))


@given(SAMPLES)
@FEW
def test_signed_ranks_are_scipys(x: np.ndarray) -> None:
    assume(np.any(x != 0))
    found, moved = wilcoxon(x), x[x != 0]
    assert found.p == pytest.approx(stats.wilcoxon(x[x != 0]).pvalue)
    ranks = stats.rankdata(np.abs(moved))
    above, below = ranks[moved > 0].sum(), ranks[moved < 0].sum()
    assert found.w_plus == above and found.n == len(moved)
    assert found.rank_biserial == pytest.approx((above - below) / (above + below))
    # The other side's probability overlaps at the observed sum only.
    assert found.p_greater + wilcoxon(-x).p_greater >= 1 - 1e-9


@given(SAMPLES, st.integers(1, 5))
@FEW
def test_missing_entries_are_counted_and_change_nothing(x: np.ndarray, gaps: int) -> None:
    with_gaps = np.concatenate([x, np.full(gaps, np.nan)])
    plain, found = asdict(one_sample_t(x)), asdict(one_sample_t(with_gaps))
    assert found.pop("dropped") == gaps and plain.pop("dropped") == 0
    assert found == plain


@given(st.floats(-1e6, 1e6), st.integers(3, 30))
@FEW
def test_constants_have_no_t(value: float, n: int) -> None:
    found = one_sample_t(np.full(n, value))
    assert (found.mean, found.sd, found.sem) == (value, 0, 0)
    undefined = (found.t, found.p, found.p_greater, found.cohen_d, found.hedges_g, found.ci95)
    assert undefined == (None,) * 6
    assert (found.wilcoxon is None) == (value == 0)
    assert mean_equivalence(np.full(n, value)) is None


@given(arrays(np.float64, st.integers(3, 12), elements=st.floats(-1e150, 1e150)))
@FEW
def test_no_numbers_make_warnings(x: np.ndarray) -> None:
    found = one_sample_t(x)
    assert found.p is None or 0 <= found.p <= 1


def test_the_correction_of_effect_sizes_removes_their_bias() -> None:
    rng = np.random.default_rng(0)
    d = 0.8
    x = rng.normal(d, 1, size=(20_000, 6))
    found = one_sample_t(x[0])
    assert found.hedges_g == pytest.approx(found.cohen_d * small_sample_factor(5))
    cohen = x.mean(axis=1) / x.std(axis=1, ddof=1)
    spread = cohen.std() / np.sqrt(len(cohen))
    assert abs(small_sample_factor(5) * cohen.mean() - d) < 4 * spread < (cohen.mean() - d) / 2
    assert small_sample_factor(50) == pytest.approx(1 - 3 / (4 * 50 - 1), abs=1e-4)  # the usual approximation


@given(SAMPLES, st.floats(0.01, 20), st.sampled_from([0.05, 0.01]))
def test_equivalence_of_a_mean_is_statsmodels(x: np.ndarray, bound: float, alpha: float) -> None:
    from statsmodels.stats.weightstats import DescrStatsW

    assume(np.ptp(x) > 0)
    found = mean_equivalence(x, bound, popmean=0.25, alpha=alpha)
    p, (above, *_), (below, *_) = DescrStatsW(x).ttost_mean(0.25 - bound, 0.25 + bound)
    assert found.p == pytest.approx(p, abs=1e-12) and found.equivalent == (found.p < alpha)
    df = len(x) - 1
    assert found.p_above == pytest.approx(stats.t.sf(above, df), abs=1e-12)
    assert found.p_below == pytest.approx(stats.t.cdf(below, df), abs=1e-12)
    if abs(found.smallest_bound - bound) > 1e-9:
        assert found.equivalent == (-bound < found.low and found.high < bound)
        assert found.equivalent == (found.smallest_bound < bound)


@given(SAMPLES)
def test_the_default_bound_is_a_small_effect_of_differences(x: np.ndarray) -> None:
    assume(np.ptp(x) > 0)
    y = np.linspace(0, 1, len(x))
    found = paired_equivalence(x, y)
    if found is not None:
        sd = np.std(x - y, ddof=1)
        assert found.bound == pytest.approx(0.2 * sd) and found.effect == pytest.approx(
            np.mean(x - y), abs=1e-9
        )
        assert found == mean_equivalence(x - y, found.bound)


@pytest.mark.parametrize(
    "x", [np.array([]), np.array([1.0, 2.0]), np.array([1.0, np.nan, 2.0]), np.array([np.nan] * 9)]
)
def test_fewer_than_three_are_refused(x: np.ndarray) -> None:
    for test in (one_sample_t, mean_equivalence):
        with pytest.raises(InputError, match="at least 3"):
            test(x)


def test_bad_input_is_refused() -> None:
    x = np.arange(4.0)
    for message, call in {
        "infinite": lambda: one_sample_t(np.array([1, 2, np.inf])),
        "real numbers": lambda: one_sample_t(np.eye(3)),
        "alpha": lambda: mean_equivalence(x, alpha=0.5),
        "bound": lambda: mean_equivalence(x, -1.0),
        "pairs": lambda: paired_equivalence(x, x[:3]),
    }.items():
        with pytest.raises(InputError, match=message):
            call()
