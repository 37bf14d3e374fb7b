"""The table kernels against exact arithmetic, the axioms, a second implementation, and full disks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hlx.kernels import banzhaf, compiled, folding, moebius, moebius_transform, shapley

KERNELS = (shapley, banzhaf, moebius)
REAL = st.floats(-1e6, 1e6).map(lambda value: round(value, 6))  # away from the subnormal numbers


@pytest.fixture(params=["shipped blocks", "small blocks"])
def blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small blocks send small tables down the road of large ones."""
    if request.param == "small blocks":
        monkeypatch.setattr(folding, "BLOCK", 3)
        monkeypatch.setattr(folding, "LANES", 1)
        monkeypatch.setattr(moebius_transform, "BLOCK", 6)


def random_table(n: int, seed: int = 0, games: int | None = None) -> np.ndarray:
    shape = (1 << n,) if games is None else (games, 1 << n)
    return np.random.default_rng(seed).normal(size=shape)


def tables(most: int = 6) -> st.SearchStrategy[np.ndarray]:
    """Tables of 1 to `most` players."""
    return st.integers(1, most).flatmap(lambda n: hnp.arrays(np.float64, 1 << n, elements=REAL))


def exact(table: np.ndarray, kernel: object) -> list[Fraction]:
    """Shapley values, Banzhaf values or the Moebius transform by definition, in rational numbers."""
    v = [Fraction(float(value)) for value in table]
    n = len(v).bit_length() - 1
    if kernel is moebius:
        for player in range(n):
            for coalition in range(len(v)):
                if coalition >> player & 1:
                    v[coalition] -= v[coalition ^ 1 << player]
        return v
    weights = [Fraction(1, n * comb(n - 1, s) if kernel is shapley else 2 ** (n - 1)) for s in range(n)]
    without = [[c for c in range(len(v)) if not c >> player & 1] for player in range(n)]
    return [sum(weights[c.bit_count()] * (v[c | 1 << i] - v[c]) for c in without[i]) for i in range(n)]


def assert_close_to_exact(table: np.ndarray, kernel, digits: float = 4e-15) -> None:
    """Rounding errors are judged by the spread of the table, not by the level its values lie at."""
    found, expected = kernel(table), exact(table, kernel)
    scale = float(np.ptp(table)) or 1e-300
    if kernel is moebius:  # sums of up to 2^n values
        digits *= len(table)
        scale = max(scale, abs(float(table[0])) * 1e-1)
    assert found.shape == (len(expected),)
    assert max(abs(Fraction(float(f)) - e) for f, e in zip(found, expected, strict=True)) <= digits * scale


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
def test_agrees_with_rational_arithmetic(kernel, n: int) -> None:
    assert_close_to_exact(random_table(n, seed=n), kernel)


@pytest.mark.parametrize("kernel", KERNELS)
@settings(max_examples=40)
@given(table=tables())
def test_agrees_with_rational_arithmetic_on_any_values(kernel, table: np.ndarray) -> None:
    assert_close_to_exact(table, kernel)


@pytest.mark.parametrize("kernel", [shapley, banzhaf])
@pytest.mark.parametrize("offset", [1e6, -1e9])
def test_a_large_common_offset_costs_no_digits(kernel, offset: float) -> None:
    assert_close_to_exact(random_table(10) + offset, kernel)


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("n", [2, 5, 18])
def test_a_game_of_pairs(n: int) -> None:
    """v(S) = sum of a_i and of b_ij within S: phi_i = beta_i = a_i + half of i's b_ij; m holds a and b."""
    rng = np.random.default_rng(n)
    single, pair = rng.normal(size=n), np.triu(rng.normal(size=(n, n)), 1)
    table = np.zeros(1)
    for i in range(n):
        gain = np.full(1, single[i])
        for j in range(i):
            gain = np.concatenate([gain, gain + pair[j, i]])
        table = np.concatenate([table, table + gain])
    expected = single + (pair + pair.T).sum(axis=1) / 2
    np.testing.assert_allclose(shapley(table), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(banzhaf(table), expected, rtol=0, atol=1e-12)
    dividends = np.zeros(1 << n)
    dividends[1 << np.arange(n)] = single
    i, j = np.triu_indices(n, 1)
    dividends[(1 << i) | (1 << j)] = pair[i, j]
    np.testing.assert_allclose(moebius(table), dividends, rtol=0, atol=1e-9)


@given(table=tables(10))
def test_efficiency(table: np.ndarray) -> None:
    np.testing.assert_allclose(shapley(table).sum(), table[-1] - table[0], rtol=0, atol=1e-14 * np.ptp(table))


@pytest.mark.parametrize("kernel", [shapley, banzhaf])
@settings(max_examples=40)
@given(data=st.data(), table=tables(7))
def test_renamed_players_keep_their_values(kernel, data: st.DataObject, table: np.ndarray) -> None:
    n = len(table).bit_length() - 1
    order = np.array(data.draw(st.permutations(range(n))))
    bits = np.arange(1 << n)[:, None] >> np.arange(n) & 1
    renamed = table[(bits[:, np.argsort(order)] << np.arange(n)).sum(axis=1)]
    np.testing.assert_allclose(
        kernel(renamed)[np.argsort(order)], kernel(table), rtol=0, atol=1e-14 * np.ptp(table)
    )


@pytest.mark.parametrize("kernel", [shapley, banzhaf])
@settings(max_examples=40)
@given(data=st.data(), table=tables(7), worth=REAL)
def test_a_player_who_only_adds_a_constant_gets_it(
    kernel, data: st.DataObject, table: np.ndarray, worth: float
) -> None:
    n = len(table).bit_length() - 1
    player = data.draw(st.integers(0, n))
    wider = np.stack([table.reshape(-1, 1 << player), table.reshape(-1, 1 << player) + worth], axis=1).ravel()
    expected = np.insert(kernel(table), player, worth)
    scale = np.ptp(wider) + abs(table).max()  # the sum table + worth is rounded here
    np.testing.assert_allclose(kernel(wider), expected, rtol=0, atol=1e-14 * scale)


@pytest.mark.parametrize("kernel", KERNELS)
@settings(max_examples=40)
@given(data=st.data(), left=tables(7), factor=st.integers(-8, 8))
def test_linearity(kernel, data: st.DataObject, left: np.ndarray, factor: int) -> None:
    right = data.draw(hnp.arrays(np.float64, left.shape, elements=REAL))
    expected = kernel(left) + factor * kernel(right)
    found = kernel(left + factor * right)
    scale = abs(left).max() + 9 * abs(right).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14 * scale * (len(left) + 9))


@pytest.mark.parametrize("n", [2, 3, 6, 9])
def test_agrees_with_shapiq(n: int) -> None:
    shapiq = pytest.importorskip("shapiq", reason="the second implementation is shapiq's")
    table = random_table(n, seed=n)
    computer = shapiq.ExactComputer(lambda rows: table[rows.astype(int) @ (1 << np.arange(n))], n)
    for kernel, index in ((shapley, "SV"), (banzhaf, "BV")):
        values = computer(index)
        found = [values[(player,)] for player in range(n)]
        np.testing.assert_allclose(kernel(table), found, rtol=0, atol=1e-10)
    dividends = computer("Moebius")
    for coalition, value in enumerate(moebius(table)):
        players = tuple(player for player in range(n) if coalition >> player & 1)
        assert abs(dividends[players] - value) <= 1e-10


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("n", [1, 2, 7, 11])
def test_single_precision_is_read_exactly(kernel, n: int) -> None:
    table = random_table(n).astype(np.float32)
    found = kernel(table)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, kernel(table.astype(np.float64)))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("n", [1, 4, 9])
def test_many_tables_as_one_by_one(kernel, n: int) -> None:
    many = random_table(n, games=5)
    np.testing.assert_array_equal(kernel(many), np.stack([kernel(table) for table in many]))
    assert kernel(many[:0]).shape == (0, len(kernel(many[0])))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("shape", [(1 << 18,), (7, 1 << 10)])
def test_any_number_of_threads_gives_the_same_bits(
    kernel, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled, "THREAD_BYTES", 1)
    table = np.random.default_rng(0).normal(size=shape)
    alone = kernel(table, threads=1)
    for threads in (2, 5, None):
        np.testing.assert_array_equal(kernel(table, threads=threads), alone)
    with ThreadPoolExecutor(3) as pool:
        for result in pool.map(kernel, [table] * 6):
            np.testing.assert_array_equal(result, alone)
    with pytest.raises(ValueError, match="threads must be at least 1, found 0"):
        kernel(table, threads=0)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("change", [lambda t: t[::-1][::-1].copy(order="F"), lambda t: t.astype(">f8")])
def test_the_layout_in_memory_does_not_matter_and_nothing_is_changed(kernel, change) -> None:
    table = random_table(6, games=3)
    other = change(table)
    before = other.copy()
    np.testing.assert_array_equal(kernel(other), kernel(table))
    np.testing.assert_array_equal(kernel(np.repeat(table, 2, axis=1)[:, ::2]), kernel(table))
    np.testing.assert_array_equal(other, before)


def test_counts_are_as_good_as_real_numbers() -> None:
    np.testing.assert_array_equal(shapley(np.array([0, 1, 2, 5])), [2.0, 3.0])
    np.testing.assert_array_equal(moebius(np.array([1, 1, 2, 5], np.uint8)), [1.0, 0.0, 1.0, 3.0])


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("n", [1, 2, 8])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinity_reach_whatever_depends_on_them(n: int, bad: float) -> None:
    for coalition in {0, 1, (1 << n) // 2, (1 << n) - 1}:
        table = random_table(n)
        table[coalition] = bad
        assert not np.isfinite(shapley(table)).any()
        assert not np.isfinite(banzhaf(table)).any()
        above = np.arange(1 << n) & coalition == coalition
        np.testing.assert_array_equal(np.isfinite(moebius(table)), ~above)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("shape", [(0,), (1,), (3,), (5, 12), (4, 0), (2, 2, 2)])
def test_other_shapes_are_refused(kernel, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"found (.*in )?shape \("):
        kernel(np.zeros(shape))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("dtype", [complex, object, "U3"])
def test_other_types_are_refused(kernel, dtype: object) -> None:
    with pytest.raises(ValueError, match="a table holds real numbers"):
        kernel(np.zeros(4, dtype))


def double(values, out) -> None:  # type: ignore[no-untyped-def]
    for i in range(len(values)):
        out[i] = 2 * values[i]


def test_kernels_work_where_no_machine_code_can_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    from numba.core import caching

    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])
    out = np.zeros(3)
    compiled.kernel(double)(np.arange(3.0), out)
    np.testing.assert_array_equal(out, [0, 2, 4])


def test_kernels_work_when_the_disk_fills_up(monkeypatch: pytest.MonkeyPatch) -> None:
    from numba.core import caching

    refused = []

    def save(*_: object) -> None:
        refused.append(True)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(caching.IndexDataCacheFile, "save", save)
    monkeypatch.setattr(caching.IndexDataCacheFile, "load", lambda *_: None)
    out = np.zeros(3)
    compiled.kernel(double)(np.arange(3.0), out)
    assert refused
    np.testing.assert_array_equal(out, [0, 2, 4])
