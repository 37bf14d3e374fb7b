"""The pairing permutation test beside enumeration, and its errors under the null."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hlx.alignment.inference import pairing_test
from hlx.errors import InputError


def enumerated(matrix: np.ndarray, alternative: str) -> float:
    """scipy's p-value over all n! pairings."""
    n = len(matrix)
    found = stats.permutation_test(
        (np.arange(n),),
        lambda partners, axis: np.mean(matrix[np.arange(n), partners], axis=axis),
        permutation_type="pairings",
        alternative=alternative,
        n_resamples=np.inf,
        vectorized=True,
    )
    return float(found.pvalue)


@given(st.integers(3, 6), st.integers(0, 2**32 - 1))
@settings(max_examples=25)
def test_p_values_are_those_of_enumeration(n: int, seed: int) -> None:
    """Sampled frequencies are within five standard errors of what all n! pairings give."""
    matrix = np.random.default_rng(seed).normal(size=(n, n))
    matrix[0] = matrix[-1]  # equal maps: pairings that differ and tie
    shuffles = 20_000
    found = pairing_test(matrix, shuffles=shuffles, seed=seed)
    for p, alternative in ((found.p, "greater"), (found.p_corrected, "greater"), (found.p_less, "less")):
        exact = enumerated(matrix, alternative)
        assert abs(p - exact) < 5 * np.sqrt(exact * (1 - exact) / shuffles) + 1 / shuffles
    assert found.p == found.exceeding / shuffles
    assert found.p_corrected == (found.exceeding + 1) / (shuffles + 1)
    assert found.p_two_sided == min(1.0, 2 * min(found.p_corrected, found.p_less))
    assert found.observed == pytest.approx(np.diag(matrix).mean())


@given(st.integers(3, 40), st.integers(0, 1000))
@settings(max_examples=30)
def test_null_moments_are_the_known_ones(n: int, seed: int) -> None:
    """Hoeffding (1951): the mean is that of all entries, the variance that of the double-centred ones."""
    matrix = np.random.default_rng(seed).normal(size=(n, n)) + 3
    found = pairing_test(matrix, shuffles=10_000, seed=seed)
    centred = matrix - matrix.mean(0) - matrix.mean(1, keepdims=True) + matrix.mean()
    sd = np.sqrt(np.sum(centred**2) / (n - 1)) / n
    assert abs(found.null_mean - matrix.mean()) < 5 * sd / 100
    assert found.null_sd == pytest.approx(sd, rel=0.06)
    assert found.z == pytest.approx((found.observed - found.null_mean) / found.null_sd)
    assert found.null.shape == (10_000,) and found.null.mean() == found.null_mean


@given(st.integers(3, 30), st.floats(0.1, 1), st.floats(-1, 1))
def test_pairings_that_tie_in_exact_arithmetic_count(n: int, a: float, b: float) -> None:
    """Rows plus columns: every pairing has the same sum, whatever the order in which it is rounded."""
    steps = np.arange(n)
    matrix = np.round(a * np.cos(steps)[:, None] + b * np.sin(3 * steps), 12)
    found = pairing_test(matrix, shuffles=50)
    assert (found.p, found.p_corrected, found.p_less, found.p_two_sided) == (1, 1, 1, 1)
    assert found.z is None


def test_ties_after_rounding_to_12_digits_count() -> None:
    """1/3 and 2/3 rounded miss 1 by a digit; the swap of the first two pairs has the sum of the observed."""
    matrix = np.round(np.array([[1 / 3, 0.5, -1], [0.5, 2 / 3, -1], [-1, -1, 0]]) / 0.3, 12)
    assert matrix[0, 0] + matrix[1, 1] != matrix[0, 1] + matrix[1, 0]
    found = pairing_test(matrix, shuffles=20_000)
    assert found.p == pytest.approx(1 / 3, abs=0.02)


@given(st.floats(1e-6, 1e6), st.floats(-10, 10))
def test_scale_and_shift_change_no_p(scale: float, shift: float) -> None:
    matrix = np.random.default_rng(3).normal(size=(9, 9))
    plain, moved = pairing_test(matrix, shuffles=500), pairing_test(scale * (matrix + shift), shuffles=500)
    assert (plain.exceeding, plain.p_less) == (moved.exceeding, moved.p_less)
    assert moved.z == pytest.approx(plain.z, rel=1e-6)


def test_errors_under_the_null_are_as_many_as_promised() -> None:
    """p_corrected is uniform over its steps; b / n, which may be zero, errs at least as often."""
    rng = np.random.default_rng(0)
    runs = [pairing_test(rng.normal(size=(8, 8)), shuffles=199, seed=seed) for seed in range(1000)]
    corrected = sum(run.p_corrected <= 0.05 for run in runs)
    assert stats.binomtest(corrected, len(runs), 0.05).pvalue > 1e-4
    assert sum(run.p <= 0.05 for run in runs) >= corrected


def test_a_matched_diagonal_is_found_and_reported() -> None:
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(40, 40)) + 2 * np.eye(40)
    found = pairing_test(matrix, shuffles=999)
    assert found.p == 0 and found.p_corrected == 1 / 1000 and found.p_two_sided == 2 / 1000
    assert found.z > 5 and found.p_less == 1
    assert json.loads(json.dumps(found.as_dict()))["exceeding"] == 0 and "null" not in found.as_dict()
    same = pairing_test(matrix, shuffles=999, threads=1)
    np.testing.assert_array_equal(same.null, found.null)
    assert not np.array_equal(pairing_test(matrix, shuffles=999, seed=1).null, found.null)


@pytest.mark.parametrize(
    ("matrix", "options", "said"),
    [
        (np.ones((2, 2)), {}, "at least 3 stimuli"),
        (np.ones((3, 4)), {}, r"\(n, n\)"),
        (np.array([[0, 1, 2], [3, 4, np.nan], [5, 6, 7]]), {}, "row 1, column 2"),
        (np.full((3, 3), np.inf), {}, "row 0, column 0"),
        (np.eye(3), {"shuffles": 0}, "shuffles"),
        (np.eye(3), {"seed": -1}, "seed"),
        (np.eye(3), {"threads": 0}, "threads"),
        (np.array([["a"] * 3] * 3), {}, "matrix"),
    ],
)
def test_bad_input_is_said_in_one_line(matrix: np.ndarray, options: dict, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        pairing_test(matrix, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("error")
@given(st.integers(0, 1000), st.integers(1, 3))
def test_the_smallest_study_works(seed: int, shuffles: int) -> None:
    found = pairing_test(np.random.default_rng(seed).normal(size=(3, 3)), shuffles=shuffles, seed=seed)
    assert 0 <= found.p <= 1 and 0 < found.p_corrected <= 1
    assert (found.null_sd is None) == (shuffles == 1)
