"""Analyses of variance, rank tests, pairs and corrections beside scipy's and statsmodels's."""

from __future__ import annotations

import json
from dataclasses import asdict
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from hlx.alignment.inference import (
    benjamini_hochberg,
    bonferroni,
    friedman,
    holm,
    one_way_anova,
    paired_differences,
    rm_anova,
)
from hlx.errors import InputError

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning", "error::UserWarning")

MATRICES = arrays(
    np.float64,
    st.tuples(st.integers(3, 25), st.integers(2, 6)),
    elements=st.integers(-50, 50).map(lambda k: k / 16),
)
P_VALUES = st.lists(st.none() | st.floats(0, 1), max_size=15)


def varies(matrix: np.ndarray) -> bool:
    """Whether anything is left beside stimuli and conditions."""
    within = matrix - matrix.mean(axis=1, keepdims=True)
    return bool(np.abs(within - within.mean(axis=0)).max() > 1e-9)


@given(st.lists(MATRICES.map(np.ravel), min_size=2, max_size=5))
@settings(max_examples=40)
def test_one_way_is_scipys(groups: list[np.ndarray]) -> None:
    assume(any(np.ptp(group) > 0 for group in groups))
    found = one_way_anova([np.append(group, np.nan) for group in groups])
    expected, ranks = stats.f_oneway(*groups), stats.kruskal(*groups)
    # Of groups with equal means scipy may say F = -1e-32 and p = NaN.
    assert found.F >= 0 and found.p == pytest.approx(np.nan_to_num(expected.pvalue, nan=1.0))
    assert pytest.approx(expected.statistic, abs=1e-9) == found.F
    assert found.kruskal_h == pytest.approx(ranks.statistic, abs=1e-9) and found.kruskal_p == pytest.approx(
        ranks.pvalue
    )
    everything = np.concatenate(groups)
    total = np.sum((everything - everything.mean()) ** 2)
    within = sum(np.sum((group - group.mean()) ** 2) for group in groups)
    assert found.eta_squared == pytest.approx(1 - within / total, abs=1e-9)
    error = within / found.df_within
    omega = (total - within - found.df_between * error) / (total + error)
    assert found.omega_squared == pytest.approx(omega, abs=1e-9)
    assert found.df_between == len(groups) - 1 and found.df_within == len(everything) - len(groups)
    json.dumps(asdict(found))


@given(MATRICES)
@settings(max_examples=25)
def test_repeated_measures_are_statsmodels(matrix: np.ndarray) -> None:
    import pandas as pd
    from statsmodels.stats.anova import AnovaRM

    assume(varies(matrix))
    n, k = matrix.shape
    stimulus, condition = np.indices(matrix.shape)
    columns = {"rc": matrix.ravel(), "stimulus": stimulus.ravel(), "model": condition.ravel()}
    table = AnovaRM(pd.DataFrame(columns), "rc", "stimulus", ["model"]).fit().anova_table
    found = rm_anova(matrix)
    assert pytest.approx(table["F Value"].iloc[0], abs=1e-9) == found.F
    assert found.p == pytest.approx(table["Pr > F"].iloc[0], abs=1e-9)
    assert (
        (found.df1, found.df2)
        == (table["Num DF"].iloc[0], table["Den DF"].iloc[0])
        == (k - 1, (n - 1) * (k - 1))
    )
    json.dumps(asdict(found))


@given(MATRICES, st.integers(0, 1000))
def test_epsilon_is_that_of_orthonormal_contrasts(matrix: np.ndarray, seed: int) -> None:
    """Greenhouse & Geisser: (sum of eigenvalues)^2 / ((k - 1) sum of their squares), of any contrasts."""
    assume(varies(matrix))
    k = matrix.shape[1]
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(np.concatenate([np.ones((k, 1)), rng.normal(size=(k, k - 1))], axis=1))[0][:, 1:]
    values = np.linalg.eigvalsh(np.atleast_2d(np.cov(matrix @ basis, rowvar=False)))
    found = rm_anova(matrix)
    assert found.epsilon == pytest.approx(values.sum() ** 2 / ((k - 1) * np.sum(values**2)))
    assert 1 / (k - 1) <= found.epsilon <= 1
    expected = stats.f.sf(found.F, found.epsilon * found.df1, found.epsilon * found.df2)
    assert found.p_gg == pytest.approx(expected)
    if k == 2:
        assert found.epsilon == 1


@given(MATRICES)
@settings(max_examples=15)
def test_two_conditions_are_a_paired_t_test(matrix: np.ndarray) -> None:
    pair = matrix[:, :2]
    assume(varies(pair))
    found, expected = rm_anova(pair), stats.ttest_rel(pair[:, 0], pair[:, 1])
    assert pytest.approx(expected.statistic**2, abs=1e-9) == found.F
    assert found.p == pytest.approx(expected.pvalue) == pytest.approx(found.p_gg)
    (difference,) = paired_differences(pair, ["A", "B"])
    assert difference.test.t == pytest.approx(expected.statistic, abs=1e-9)
    assert (difference.first, difference.second) == ("A", "B")
    assert difference.p_holm == difference.test.p
    t2 = difference.test.t**2
    assert found.partial_eta_squared == pytest.approx(t2 / (t2 + len(pair) - 1), abs=1e-9)


@given(MATRICES)
def test_friedman_is_scipys_and_the_sign_test(matrix: np.ndarray) -> None:
    n, k = matrix.shape
    found = friedman(matrix)
    if np.all(np.ptp(matrix, axis=1) == 0):
        assert (found.chi2, found.p, found.kendall_w) == (None, None, None)
        return
    if k > 2:
        expected = stats.friedmanchisquare(*matrix.T)
        assert found.chi2 == pytest.approx(expected.statistic, abs=1e-9)
        assert found.p == pytest.approx(expected.pvalue)
    else:
        signs = np.sign(matrix[:, 0] - matrix[:, 1])
        assert found.chi2 == pytest.approx(signs.sum() ** 2 / np.sum(signs**2))
    assert found.kendall_w == pytest.approx(found.chi2 / (n * (k - 1))) and 0 <= found.kendall_w <= 1 + 1e-12
    json.dumps(asdict(found))


@given(MATRICES)
@settings(max_examples=20)
def test_incomplete_stimuli_are_left_out(matrix: np.ndarray) -> None:
    gaps = matrix[:2].copy()
    gaps[:, -1] = np.nan
    for test in (rm_anova, friedman):
        plain, found = asdict(test(matrix)), asdict(test(np.concatenate([gaps, matrix])))
        assert found.pop("dropped") == 2 and plain.pop("dropped") == 0
        assert found == plain


@given(st.floats(-1, 1), st.integers(3, 9), st.integers(2, 5))
def test_without_error_variance_there_is_no_f(value: float, n: int, k: int) -> None:
    """Equal values, and conditions that shift all stimuli alike, also where sums are rounded."""
    shifted = np.arange(k) / 10 + value + np.zeros((n, 1))
    for matrix in (np.full((n, k), value), shifted):
        found = rm_anova(matrix)
        assert (found.F, found.p, found.epsilon, found.p_gg, found.partial_eta_squared) == (None,) * 5
        assert one_way_anova(list(matrix.T)).F is None
    assert one_way_anova([np.full(n, value)] * 2).kruskal_h is None
    assert friedman(shifted).kendall_w == pytest.approx(1)


def test_all_pairs_of_models() -> None:
    rng = np.random.default_rng(0)
    matrix = rng.normal([0, 0, 0.4, 1], 1, size=(20, 4))
    matrix[0, 1] = np.nan
    found = paired_differences(matrix, list("ABCD"))
    assert [pair.first + pair.second for pair in found] == ["AB", "AC", "AD", "BC", "BD", "CD"]
    assert [pair.test.n for pair in found] == [19, 20, 20, 19, 19, 20]
    assert [pair.p_holm for pair in found] == holm([pair.test.p for pair in found])
    assert [pair.wilcoxon_p_holm for pair in found] == holm([pair.test.wilcoxon.p for pair in found])
    expected = stats.wilcoxon(matrix[:, 0], matrix[:, 3])
    assert found[2].test.wilcoxon.p == pytest.approx(expected.pvalue)
    assert paired_differences(matrix[:, :1], ["A"]) == []


@given(P_VALUES)
@settings(max_examples=40)
@pytest.mark.parametrize(
    ("ours", "name"), [(bonferroni, "bonferroni"), (holm, "holm"), (benjamini_hochberg, "fdr_bh")]
)
def test_corrections_are_statsmodels(ours: object, name: str, p: list[float | None]) -> None:
    from statsmodels.stats.multitest import multipletests

    found = ours(p)
    assert [value is None for value in found] == [value is None for value in p]
    known = [value for value in p if value is not None]
    if known:
        with patch("gc.collect"):  # statsmodels collects garbage at each call, most of a second in here
            expected = multipletests(known, method=name)[1]
        np.testing.assert_allclose([value for value in found if value is not None], expected, atol=1e-12)
    assert all(type(value) is float for value in found if value is not None)


@given(P_VALUES)
def test_corrections_are_ordered(p: list[float | None]) -> None:
    for a, b, c, d in zip(p, benjamini_hochberg(p), holm(p), bonferroni(p), strict=True):
        assert a is None or a - 1e-12 <= b <= c + 1e-12 <= d + 2e-12
    assert bonferroni([0.01, None], tests=13) == [pytest.approx(0.13), None]


def test_a_single_model_is_compared_with_none() -> None:
    x = np.arange(5.0)
    assert one_way_anova([x]) is None and rm_anova(x[:, None]) is None and friedman(x[:, None]) is None


def test_bad_input_is_refused() -> None:
    x = np.arange(4.0)
    two = np.stack([x, x], axis=1)
    for message, call in {
        "group 2: expected at least 3": lambda: one_way_anova([x, x[:2]]),
        "variance: expected at least 3": lambda: rm_anova(two[:2]),
        "Friedman test: expected at least 3": lambda: friedman(two[:2]),
        "A and B: expected at least 3": lambda: paired_differences(two[:2], ["A", "B"]),
        "names": lambda: paired_differences(two, ["A"]),
        "real numbers of shape": lambda: rm_anova(x),
        "infinite": lambda: friedman(two / np.array([0.5, np.inf]) + np.inf),
        "p-values": lambda: holm([0.1, 1.5]),
        "p-values: ": lambda: benjamini_hochberg([float("nan")]),
        "tests": lambda: bonferroni([0.1, 0.2], tests=1),
    }.items():
        with pytest.raises(InputError, match=message):
            call()


def test_differences_that_are_equal_tie_whatever_their_scale() -> None:
    matrix = np.array([[0.3, 0.1], [0.3, 0.5], [0.7, 0.1], [0.2, 0.2], [0.9, 0.4]])
    for scale in (1.0, 1e-9, 3e11):
        (found,) = paired_differences(scale * matrix, ["A", "B"])
        # |d| is .2, .2, .6 and .5, without the zero: ranks 1.5, 1.5, 4 and 3; the second is negative.
        assert found.test.wilcoxon is not None and found.test.wilcoxon.w_plus == 8.5
