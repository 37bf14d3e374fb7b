"""Pairing sums: exactly uniform permutations, one stream per shuffle, and rounding that hides no tie."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hlx.kernels import bounded_draws, compiled, pairing_sums, pairing_tolerance

WORD = 1 << 64
UNLIKELY = 1e-4  # seeds are fixed: a failure is a change of the stream, not bad luck


@pytest.fixture(params=["shipped batches", "full batches"])
def batches(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Full batches are rejected in one lane or another nearly every time."""
    if request.param == "full batches":
        monkeypatch.setattr(bounded_draws, "SPARE_BITS", 4)


def random_matrix(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, n))


def mixed(word: int) -> int:
    """SplitMix64's finaliser, Stafford's variant 13."""
    word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 % WORD
    word = (word ^ word >> 27) * 0x94D049BB133111EB % WORD
    return word ^ word >> 31


def slow_permutations(n: int, shuffles: int, seed: int) -> list[list[int]]:
    """What a seed means, in Python's own integers: 32 shuffles accept or reject their words together."""
    golden = 0x9E3779B97F4A7C15
    key = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])
    bits = 64 - n.bit_length()
    found = []
    for block in range(0, shuffles, 32):
        states = [mixed((key + shuffle * golden) % WORD) for shuffle in range(block, block + 32)]
        lanes = [list(range(n)) for _ in states]
        choices = list(range(n, 0, -1))
        while choices:
            batch = [choices.pop(0)]
            while choices and math.prod(batch) * choices[0] << bounded_draws.SPARE_BITS <= 1 << bits:
                batch.append(choices.pop(0))
            product, rejected = math.prod(batch), True
            while rejected:
                states = [(state + golden) % WORD for state in states]
                words = [mixed(state) >> 64 - bits for state in states]
                rejected = any((word * product) % (1 << bits) < (1 << bits) % product for word in words)
            for lane, word in zip(lanes, words, strict=True):
                for count in batch:
                    drawn, word = divmod(word * count, 1 << bits)
                    lane[count - 1], lane[drawn] = lane[drawn], lane[count - 1]
        found += lanes
    return found[:shuffles]


@pytest.mark.usefixtures("batches")
@pytest.mark.parametrize(
    ("n", "shuffles"), [(1, 3), (2, 40), (3, 100), (7, 64), (16, 33), (92, 70), (300, 40)]
)
def test_agrees_with_the_slow_way(n: int, shuffles: int) -> None:
    matrix = random_matrix(n)
    expected = [
        math.fsum(matrix[np.arange(n), permutation]) for permutation in slow_permutations(n, shuffles, 5)
    ]
    np.testing.assert_allclose(
        pairing_sums(matrix, shuffles, 5), expected, rtol=0, atol=pairing_tolerance(matrix)
    )


@pytest.mark.parametrize("n", [1, 2, 3, 5, 31, 32, 33, 64, 92, 255, 256, 257, 1000, 3000])
def test_every_column_is_met_once(n: int) -> None:
    """Sums of j and of j^2, exact in double precision, are those of 0 ... n - 1 for every permutation."""
    column = np.arange(n, dtype=np.float64)
    for power in (1, 2):
        sums = pairing_sums(np.tile(column**power, (n, 1)), 50, 1)
        np.testing.assert_array_equal(sums, np.full(50, (column**power).sum()))


@pytest.mark.usefixtures("batches")
@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_all_permutations_are_equally_likely(n: int) -> None:
    matrix = np.arange(n) * float(n) ** np.arange(n)[:, None]  # the sum's digits to base n are p(i)
    codes, counts = np.unique(pairing_sums(matrix, 60_000, 7), return_counts=True)
    expected = sorted(matrix[range(n), p].sum() for p in itertools.permutations(range(n)))
    np.testing.assert_array_equal(codes, expected)
    assert stats.chisquare(counts).pvalue > UNLIKELY


@pytest.mark.parametrize("row", [0, 1, 45, 82, 91])
def test_each_row_meets_all_columns_equally_often(row: int) -> None:
    matrix = np.zeros((92, 92))
    matrix[row] = np.arange(92)
    counts = np.bincount(pairing_sums(matrix, 100_000, row).astype(int), minlength=92)
    assert stats.chisquare(counts).pvalue > UNLIKELY


@pytest.mark.parametrize(("one", "other"), [(91, 90), (91, 0), (84, 83), (50, 20), (1, 0)])
def test_two_rows_meet_all_pairs_of_columns_equally_often(one: int, other: int) -> None:
    matrix = np.zeros((92, 92))
    matrix[one], matrix[other] = np.arange(92), 92 * np.arange(92)
    counts = np.bincount(pairing_sums(matrix, 400_000, one).astype(int), minlength=92**2).reshape(92, 92)
    assert not np.diag(counts).any()
    assert stats.chisquare(counts[~np.eye(92, dtype=bool)]).pvalue > UNLIKELY


def test_shuffles_do_not_depend_on_each_other() -> None:
    sums = pairing_sums(random_matrix(92), 200_000, 3)
    for lag in (1, 2, 16, 31, 32, 33, 64):
        assert abs(np.corrcoef(sums[:-lag], sums[lag:])[0, 1]) * np.sqrt(len(sums)) < 4


@settings(max_examples=25)
@given(n=st.integers(2, 40), seed=st.integers(0, 10**6))
def test_mean_and_variance_over_all_permutations(n: int, seed: int) -> None:
    """n times the mean entry, and the doubly centred entries' sum of squares / (n - 1) (Hoeffding 1951)."""
    matrix, shuffles = random_matrix(n, seed) + 3, 20_000
    sums = pairing_sums(matrix, shuffles, seed)
    centred = matrix - matrix.mean(axis=0) - matrix.mean(axis=1)[:, None] + matrix.mean()
    variance = (centred**2).sum() / (n - 1)
    assert abs(sums.mean() - n * matrix.mean()) < 6 * np.sqrt(variance / shuffles) + 1e-12
    if n > 3:  # of few permutations, fourth moments are too far from the normal distribution's
        assert sums.var() == pytest.approx(variance, rel=6 * np.sqrt(2 / shuffles))


@pytest.mark.parametrize("n", [2, 4, 6])
def test_distribution_and_p_value_are_those_of_scipy(n: int) -> None:
    matrix = random_matrix(n, n) + np.eye(n)
    exact = stats.permutation_test(
        (np.arange(n),),
        lambda p: matrix[np.arange(n), p].sum(),
        permutation_type="pairings",
        vectorized=False,
        n_resamples=np.inf,
        alternative="greater",
    )
    assert len(exact.null_distribution) == math.factorial(n)
    shuffles = 40_000
    sums = pairing_sums(matrix, shuffles, 1)
    tolerance = pairing_tolerance(matrix)
    for value in exact.null_distribution[:: max(1, math.factorial(n) // 50)]:
        p, expected = (
            np.mean(sums >= value - tolerance),
            np.mean(exact.null_distribution >= value - tolerance),
        )
        assert abs(p - expected) <= 4.5 * np.sqrt(expected * (1 - expected) / shuffles) + 1e-12
    p = np.mean(sums >= np.trace(matrix) - tolerance)
    assert p == pytest.approx(exact.pvalue, abs=4.5 * 0.5 / np.sqrt(shuffles))


@pytest.mark.parametrize("n", [3, 92])
def test_does_not_depend_on_threads(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = random_matrix(n)
    alone = pairing_sums(matrix, 3000, 11, threads=1)
    monkeypatch.setattr(compiled, "THREAD_BYTES", 1)
    for threads in (1, 2, 3, 7, None):
        np.testing.assert_array_equal(pairing_sums(matrix, 3000, 11, threads=threads), alone)


@settings(max_examples=30)
@given(n=st.integers(1, 100), few=st.integers(0, 200), more=st.integers(0, 200), seed=st.integers(0, 2**70))
def test_the_first_sums_are_the_same_for_any_number(n: int, few: int, more: int, seed: int) -> None:
    matrix = random_matrix(n)
    sums = pairing_sums(matrix, few + more, seed)
    assert sums.shape == (few + more,)
    np.testing.assert_array_equal(pairing_sums(matrix, few, seed), sums[:few])


def test_seeds_give_different_shuffles() -> None:
    matrix = random_matrix(20)
    seeds = [*range(50), 2**63, 2**64, 2**64 + 1, 2**200]
    firsts = [pairing_sums(matrix, 50, seed) for seed in seeds]
    assert len(np.unique(firsts)) == 50 * len(seeds)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_in_the_sums_that_meet_it(value: float) -> None:
    matrix = random_matrix(5)
    where = np.zeros((5, 5))
    where[1, 3] = 1
    met = pairing_sums(where, 2000, 4) == 1
    usual = pairing_sums(matrix, 2000, 4)
    matrix[1, 3] = value
    sums = pairing_sums(matrix, 2000, 4)
    assert 300 < met.sum() < 500
    np.testing.assert_array_equal(sums[met], value)
    np.testing.assert_array_equal(sums[~met], usual[~met])


@pytest.mark.parametrize("kind", ["Fortran", "strided", "read-only", "float32", "int"])
def test_any_array_of_real_numbers(kind: str) -> None:
    matrix = np.random.default_rng(0).integers(-9, 9, (12, 12)).astype(np.float64)
    given = {
        "Fortran": np.asfortranarray(matrix),
        "strided": np.repeat(matrix, 2, axis=1)[:, ::2],
        "read-only": matrix.copy(),
        "float32": matrix.astype(np.float32),
        "int": matrix.astype(np.int64),
    }[kind]
    given.flags.writeable = kind != "read-only"
    np.testing.assert_array_equal(pairing_sums(given, 40, 0), pairing_sums(matrix, 40, 0))


@settings(max_examples=50)
@given(data=st.data(), n=st.integers(2, 12), digits=st.sampled_from([None, 12]))
def test_equal_sums_are_equal_within_the_tolerance(data: st.DataObject, n: int, digits: int | None) -> None:
    """With entries a_i + b_j every permutation has the same sum, up to rounding."""
    fractions = st.lists(st.fractions(-5, 5, max_denominator=60), min_size=n, max_size=n)
    rows, columns = data.draw(fractions), data.draw(fractions)
    exact = [[a + b for b in columns] for a in rows]
    matrix = np.array(
        [[float(x) if digits is None else round(float(x), digits) for x in row] for row in exact]
    )
    tolerance = pairing_tolerance(matrix, 0.0 if digits is None else 0.5 * 10.0**-digits)
    total = sum(rows + columns, Fraction())
    sums = pairing_sums(matrix, 200, 0)
    observed = sum(matrix[i, i] for i in reversed(range(n)))
    assert (sums >= observed - tolerance).all()
    assert (sums <= observed + tolerance).all()
    assert all(abs(Fraction(float(s)) - total) <= Fraction(tolerance) for s in sums)
    assert tolerance < 1e-10


def test_the_tolerance_is_needed() -> None:
    """Rounding does set equal sums apart: a permutation test without it would lose them."""
    third = np.add.outer(np.arange(9) / 7, np.arange(9) / 3)
    assert np.ptp(pairing_sums(third, 200, 0)) > 0


@pytest.mark.parametrize(
    "matrix",
    [
        *(np.zeros(4), np.zeros((3, 4)), np.zeros((0, 0)), np.zeros((2, 2, 2)), np.array(1.0)),
        *(np.eye(2) * 1j, np.array([["a"]])),
    ],
)
def test_what_is_no_square_matrix_is_refused(matrix: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected \(n, n\) real numbers"):
        pairing_sums(matrix, 10, 0)


@pytest.mark.parametrize(("shuffles", "seed", "threads"), [(-1, 0, 1), (5, -1, 1), (5, 0, 0)])
def test_numbers_that_are_too_small_are_refused(shuffles: int, seed: int, threads: int) -> None:
    with pytest.raises(ValueError, match="at least"):
        pairing_sums(np.eye(2), shuffles, seed, threads=threads)


def test_batches_hold_every_draw_and_leave_room() -> None:
    for n in (1, 2, 3, 10, 92, 255, 256, 4096, 70_000):
        bits, found = bounded_draws.shuffle_batches(n)
        assert n << bits <= WORD
        choices = iter(range(n, 0, -1))
        for draws, product, least in found.tolist():
            assert draws > 0
            assert product == math.prod(itertools.islice(choices, draws))
            assert least == (1 << bits) % product < 1 << bits - bounded_draws.SPARE_BITS
        assert next(choices, None) is None
