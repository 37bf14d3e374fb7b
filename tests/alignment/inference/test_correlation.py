"""Correlations beside scipy's, their intervals' coverage, and what is undefined."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import permutations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from hlx.alignment.inference import (
    Unavailable,
    bca_interval,
    correlation_equivalence,
    correlation_over_models,
    fisher_interval,
    pearson,
    spearman,
)
from hlx.errors import InputError

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning", "error::UserWarning")

PAIRS = arrays(
    np.float64,
    st.integers(3, 40).map(lambda n: (2, n)),
    elements=st.integers(-40, 40).map(lambda k: k / 8),
)


@given(PAIRS)
@settings(max_examples=60)
def test_correlations_are_scipys(pairs: np.ndarray) -> None:
    x, y = pairs
    assume(np.ptp(x) > 0 and np.ptp(y) > 0)
    for ours, theirs in ((spearman, stats.spearmanr), (pearson, stats.pearsonr)):
        found, expected = ours(x, y, resamples=20), theirs(x, y)
        assert found.coefficient == pytest.approx(expected.statistic, abs=1e-12)
        assert found.p == pytest.approx(expected.pvalue, abs=1e-9)
        assert found.p_greater == pytest.approx(theirs(x, y, alternative="greater").pvalue, abs=1e-9)
        assert (found.n, found.dropped) == (len(x), 0)
        assert (found.p_exact is None) == (len(x) > 8)
        json.dumps(asdict(found))


@given(PAIRS)
@settings(max_examples=40)
def test_fishers_interval_of_r_is_scipys(pairs: np.ndarray) -> None:
    x, y = pairs
    assume(len(x) > 3 and np.ptp(x) > 0 and np.ptp(y) > 0)
    expected = stats.pearsonr(x, y)
    assume(abs(expected.statistic) < 1 - 1e-9)
    found = fisher_interval(float(expected.statistic), len(x), level=0.9)
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval(0.9)))
    wider = fisher_interval(float(expected.statistic), len(x), level=0.9, rank=True)
    assert wider.low < found.low and found.high < wider.high


@given(st.integers(0, 1000), st.integers(3, 5))
def test_exact_p_is_a_count_of_pairings(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 4, (2, n)).astype(np.float64)
    assume(np.ptp(x) > 0 and np.ptp(y) > 0)
    found = spearman(x, y, resamples=10)
    orders = np.array(list(permutations(range(n))))
    pairings = np.broadcast_to(stats.rankdata(x), orders.shape), stats.rankdata(y)[orders]
    all_of_them = stats.pearsonr(*pairings, axis=1).statistic
    more = np.mean(all_of_them >= found.coefficient - 1e-9)
    less = np.mean(all_of_them <= found.coefficient + 1e-9)
    assert found.p_exact == pytest.approx(min(1, 2 * min(more, less)))


@given(PAIRS, st.integers(0, 2**31))
@settings(max_examples=30)
def test_missing_pairs_are_counted_and_change_nothing(pairs: np.ndarray, seed: int) -> None:
    x, y = pairs
    with_gaps = np.append(x, [np.nan, 1, np.nan]), np.append(y, [2, np.nan, np.nan])
    for test in (spearman, pearson):
        plain = asdict(test(x, y, resamples=20, seed=seed))
        found = asdict(test(*with_gaps, resamples=20, seed=seed))
        assert found.pop("dropped") == 3 and plain.pop("dropped") == 0
        assert found == plain


@given(PAIRS)
@settings(max_examples=20)
def test_constants_have_no_correlation(pairs: np.ndarray) -> None:
    x, constant = pairs[0], np.full(pairs.shape[1], 0.1)
    for test in (spearman, pearson):
        for found in (test(x, constant), test(constant, x)):
            assert found.n == len(x)
            assert (found.coefficient, found.p, found.p_greater, found.bca, found.fisher) == (None,) * 5


def test_perfect_correlation_has_no_interval() -> None:
    x = np.array([0.1, 0.4, 0.2, 0.9, 0.3])
    found = spearman(x, x**3)
    assert found.coefficient == pytest.approx(1) and found.fisher is None and found.bca is None
    assert found.p_exact == pytest.approx(2 / 120)


def test_intervals_are_seeded_and_cover() -> None:
    """BCa and Fisher intervals of rho hold the true value about as often as they say."""
    rng = np.random.default_rng(0)
    r = 0.5
    rho = 6 / np.pi * np.arcsin(r / 2)
    held = {"bca": 0, "fisher": 0}
    runs = 120
    for seed in range(runs):
        x, noise = rng.normal(size=(2, 40))
        found = spearman(x, r * x + np.sqrt(1 - r**2) * noise, seed=seed, resamples=499)
        assert found.bca.method == "BCa" and found.fisher.method == "Fisher z"
        for name in held:
            interval = getattr(found, name)
            held[name] += interval.low <= rho <= interval.high
    assert all(0.88 * runs <= count <= 0.995 * runs for count in held.values()), held
    x = rng.normal(size=30)
    assert bca_interval(x, seed=4) == bca_interval(x, seed=4) != bca_interval(x, seed=5)


@given(st.integers(0, 10_000), st.integers(5, 40), st.sampled_from([0.9, 0.95]))
@settings(max_examples=30)
def test_bca_of_a_mean_is_scipys(seed: int, n: int, level: float) -> None:
    x = np.random.default_rng(seed).exponential(size=n)
    found = bca_interval(x, seed=seed, resamples=199, level=level)
    expected = stats.bootstrap(
        (x,), np.mean, n_resamples=199, confidence_level=level, rng=np.random.default_rng(seed)
    ).confidence_interval
    assert (found.low, found.high, found.method) == (expected.low, expected.high, "BCa")
    medians = bca_interval(np.append(x, np.nan), np.median, seed=seed, resamples=199)
    rounding = 4 * np.finfo(float).eps * x.max()  # quantiles lie between two values, and that is rounded
    assert x.min() - rounding <= medians.low <= medians.high <= x.max() + rounding


def distinct(values: np.ndarray, axis: int) -> np.ndarray:
    return 1 + np.count_nonzero(np.diff(np.sort(values, axis=axis), axis=axis), axis=axis)


def test_degenerate_bootstraps_are_said() -> None:
    assert bca_interval(np.full(9, 0.1)) is None
    x = np.random.default_rng(0).normal(size=12)
    assert bca_interval(x, lambda values, axis: np.zeros(values.shape[:-1])) is None
    # All leave-one-out samples have 11 distinct values and no resample has 12: BCa is undefined.
    found = bca_interval(x, distinct, resamples=500)
    assert found.method == "percentile" and 3 < found.low < found.high < 12
    # Some resamples draw one value alone, whose correlation is undefined.
    few = spearman(np.array([1.0, 1, 1, 2, 1]), np.array([3.0, 1, 4, 5, 2]), resamples=500)
    assert few.bca.method == "percentile" and -1 <= few.bca.low < few.bca.high <= 1


@given(st.floats(-0.99, 0.99), st.integers(4, 500), st.floats(0.01, 0.9), st.booleans())
@settings(max_examples=40)
def test_equivalence_of_a_correlation(coefficient: float, n: int, bound: float, rank: bool) -> None:
    """p below alpha exactly where Fisher's 90% interval lies within the bounds."""
    found = correlation_equivalence(coefficient, n, bound, rank=rank)
    interval = fisher_interval(coefficient, n, rank=rank, level=0.9)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert (found.effect, found.bound) == (coefficient, bound)
    if abs(found.p - 0.05) > 1e-9:
        assert found.equivalent == (found.smallest_bound < bound) == (found.p < 0.05)


def test_equivalence_errs_as_often_as_it_says() -> None:
    """At a true correlation on the bound, equivalence is declared in about alpha of all samples."""
    rng = np.random.default_rng(0)
    bound, n = 0.3, 120
    r = 2 * np.sin(np.pi * bound / 6)  # of the normal distribution whose rho is the bound
    runs = 800
    x, noise = rng.normal(size=(2, runs, n))
    ranks = (stats.rankdata(v, axis=1) for v in (x, r * x + np.sqrt(1 - r**2) * noise))
    rhos = stats.pearsonr(*ranks, axis=1).statistic
    declared = sum(correlation_equivalence(float(rho), n, bound).equivalent for rho in rhos)
    assert 0.025 < declared / runs < 0.08


def test_undefined_equivalence_is_none() -> None:
    assert correlation_equivalence(None, 20) is None
    assert correlation_equivalence(0.5, 3) is None
    assert correlation_equivalence(1.0, 20) is None


def test_correlations_over_models() -> None:
    rc, accuracy = np.array([0.22, 0.26, 0.2, 0.24]), np.array([0.71, 0.67, np.nan, 0.68])
    found = correlation_over_models(rc, accuracy)
    assert found.spearman.n == found.pearson.n == 3 and found.spearman.dropped == 1
    assert found.spearman.coefficient == pytest.approx(-1)
    assert found.pearson.coefficient == pytest.approx(stats.pearsonr(rc[[0, 1, 3]], accuracy[[0, 1, 3]])[0])
    for k, said in ((0, "0 models have"), (1, "1 model has"), (2, "2 models have")):
        reason = correlation_over_models(rc[:k], accuracy[:k])
        assert isinstance(reason, Unavailable) and "at least 3" in reason.reason
        assert f"{said} both values" in reason.reason


def test_bad_input_is_refused() -> None:
    x = np.arange(4.0)
    for message, call in {
        "at least 3": lambda: spearman(x[:2], x[:2]),
        "at least 3 ": lambda: pearson(np.array([1, 2, np.nan]), x[:3]),
        "pairs": lambda: spearman(x, x[:3]),
        "infinite": lambda: pearson(x, np.array([1, 2, 3, -np.inf])),
        "level": lambda: spearman(x, x[::-1] ** 2, level=1.0),
        "seed": lambda: bca_interval(x, seed=-1),
        "resamples": lambda: bca_interval(x, resamples=0),
        "alpha": lambda: correlation_equivalence(0.1, 20, alpha=0.7),
        "bound": lambda: correlation_equivalence(0.1, 20, 1.0),
        "at least 3 pairs": lambda: correlation_equivalence(0.1, 2),
    }.items():
        with pytest.raises(InputError, match=message):
            call()
