"""Interaction indices against their definitions, their axioms, exact arithmetic, and each other."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from math import comb, factorial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hlx.attribution.interactions import INDICES, interactions
from hlx.kernels import banzhaf, compiled, derivative_sums, derivatives, shapley

REAL = st.floats(-1e3, 1e3).map(lambda value: round(value, 4))
EFFICIENT = ("k-SII", "STII", "FSII")


def tables(most: int = 7) -> st.SearchStrategy[np.ndarray]:
    """Tables of 1 to `most` players."""
    return st.integers(1, most).flatmap(lambda n: hnp.arrays(np.float64, 1 << n, elements=REAL))


@st.composite
def cases(draw: st.DrawFn, most: int = 6) -> tuple[np.ndarray, str, int]:
    """A table, an index, and an order that the table has."""
    table = draw(tables(most))
    return table, draw(st.sampled_from(list(INDICES))), draw(st.integers(1, len(table).bit_length() - 1))


def random_table(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=1 << n)


def id_of(players: tuple[int, ...]) -> int:
    return sum(1 << player for player in players)


def close(one: object, other: object, scale: float, digits: float = 1e-11) -> None:
    np.testing.assert_allclose(one, other, rtol=0, atol=digits * (scale + 1e-300))


def derivative(v: list[Fraction], players: tuple[int, ...], coalition: int) -> Fraction:
    s = len(players)
    subsets = [part for size in range(s + 1) for part in combinations(players, size)]
    return sum(((-1) ** (s - len(part)) * v[coalition | id_of(part)] for part in subsets), Fraction(0))


def by_definition(
    table: np.ndarray, index: str, players: tuple[int, ...], order: int, p: Fraction
) -> Fraction:
    """SII, BII, WBII, Moebius and STII as sums of derivatives over coalitions, in rational numbers."""
    v = [Fraction(float(value)) for value in table]
    n, s = len(v).bit_length() - 1, len(players)
    own = id_of(players)
    total = Fraction(0)
    for coalition in range(1 << n):
        if coalition & own:
            continue
        size = coalition.bit_count()
        if index == "SII":
            weight = Fraction(factorial(size) * factorial(n - size - s), factorial(n - s + 1))
        elif index in ("BII", "WBII"):
            q = Fraction(1, 2) if index == "BII" else p
            weight = q**size * (1 - q) ** (n - s - size)
        elif index == "STII" and s == order:
            weight = Fraction(order, n * comb(n - 1, size))
        else:
            weight = Fraction(size == 0)
        total += weight * derivative(v, players, coalition)
    return total


def best_fit(table: np.ndarray, order: int, shapley_weights: bool) -> np.ndarray:
    """Coefficients of the weighted least squares fit by sets of up to `order` players, lexicographic by size.

    Shapley's weights are infinite for the empty and the full coalition: equality constraints, solved exactly
    through the conditions of Karush, Kuhn and Tucker.
    """
    n = len(table).bit_length() - 1
    sets = [id_of(part) for size in range(order + 1) for part in combinations(range(n), size)]
    ids = np.arange(1 << n)
    design = np.stack([(ids & part) == part for part in sets], axis=1).astype(float)
    weights, constraints = np.ones(1 << n), np.zeros((0, len(sets)))
    if shapley_weights:
        sizes = np.bitwise_count(ids).astype(int)
        inner = [0.0, *((n - 1) / (comb(n, s) * s * (n - s)) for s in range(1, n)), 0.0]
        weights, constraints = np.array(inner)[sizes], design[[0, -1]]
    normal = design.T @ (weights[:, None] * design)
    m = len(constraints)
    system = np.block([[normal, constraints.T], [constraints, np.zeros((m, m))]])
    right = np.concatenate([design.T @ (weights * table), table[[0, -1]] if m else []])
    return np.linalg.lstsq(system, right, rcond=None)[0][: len(sets)]


# --- values


@pytest.mark.parametrize("index", ["SII", "BII", "WBII", "Moebius", "STII"])
@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_values_are_their_definitions(index: str, n: int) -> None:
    table = random_table(n, seed=n)
    for order in range(1, n + 1):
        found = interactions(table, index, order, p=0.25 if index == "WBII" else None)
        assert len(found) == sum(comb(n, s) for s in range(order + 1))
        for players in found:
            expected = by_definition(table, index, players, order, Fraction(1, 4))
            assert abs(Fraction(found[players]) - expected) <= 1e-14 * 2**n


@pytest.mark.parametrize("n", [1, 2, 3, 6])
@pytest.mark.parametrize("index", ["FSII", "FBII"])
def test_faithful_indices_are_the_best_fits(index: str, n: int) -> None:
    table = random_table(n, seed=n)
    for order in range(1, n + 1):
        expected = best_fit(table, order, shapley_weights=index == "FSII")
        close(interactions(table, index, order).values, expected, 1.0, 1e-10)


@settings(max_examples=30)
@given(table=tables(10))
def test_order_one_is_shapley_and_banzhaf(table: np.ndarray) -> None:
    scale = np.ptp(table)
    for index in ("SII", *EFFICIENT):
        close(interactions(table, index, 1).of_order(1), shapley(table), scale)
    for index in ("BII", "FBII", "WBII"):
        close(interactions(table, index, 1).of_order(1), banzhaf(table), scale)


@settings(max_examples=50)
@given(table=tables(8), data=st.data())
def test_efficiency(table: np.ndarray, data: st.DataObject) -> None:
    order = data.draw(st.integers(1, len(table).bit_length() - 1))
    for index in EFFICIENT:
        found = interactions(table, index, order)
        assert found[()] == found.baseline_value == table[0]
        close(found.values[1:].sum(), table[-1] - table[0], np.ptp(table), 1e-10)


@settings(max_examples=40)
@given(table=tables(8))
def test_moebius_values_rebuild_the_table_and_are_every_index_of_order_n(table: np.ndarray) -> None:
    n = len(table).bit_length() - 1
    found = interactions(table, "Moebius", n)
    sets = found.ids
    rebuilt = [found.values[sets & coalition == sets].sum() for coalition in range(1 << n)]
    scale = np.ptp(table) + abs(table[0])
    close(rebuilt, table, scale, 1e-12)
    for index in (*EFFICIENT, "FBII"):
        close(interactions(table, index, n).values, found.values, scale, 1e-10)
    close(interactions(table, "WBII", n, p=0.0).values, found.values, scale)


@settings(max_examples=40)
@given(case=cases(), data=st.data())
def test_renamed_players_keep_their_interactions(
    case: tuple[np.ndarray, str, int], data: st.DataObject
) -> None:
    table, index, order = case
    n = len(table).bit_length() - 1
    new_name = data.draw(st.permutations(range(n)))
    renamed = np.empty_like(table)
    for coalition in range(1 << n):
        renamed[id_of(tuple(new_name[i] for i in range(n) if coalition >> i & 1))] = table[coalition]
    found, again = interactions(table, index, order), interactions(renamed, index, order)
    close(
        [again[tuple(new_name[i] for i in players)] for players in found], found.values, np.ptp(table), 1e-10
    )


@settings(max_examples=40)
@given(case=cases(), data=st.data(), worth=REAL)
def test_a_dummy_has_no_interactions_and_changes_no_others(
    case: tuple[np.ndarray, str, int], data: st.DataObject, worth: float
) -> None:
    table, index, order = case
    dummy = data.draw(st.integers(0, len(table).bit_length() - 1))
    wider = np.stack([table.reshape(-1, 1 << dummy), table.reshape(-1, 1 << dummy) + worth], axis=1).ravel()
    before, found = interactions(table, index, order), interactions(wider, index, order)
    scale = np.abs(table).max() + abs(worth)
    for players in found:
        if dummy not in players:
            old = tuple(i - (i > dummy) for i in players)
            if players:
                close(found[players], before[old], scale, 1e-10)
        else:
            close(found[players], worth if players == (dummy,) else 0.0, scale, 1e-10)


@settings(max_examples=40)
@given(case=cases(), data=st.data(), factor=st.integers(-8, 8))
def test_linearity(case: tuple[np.ndarray, str, int], data: st.DataObject, factor: int) -> None:
    left, index, order = case
    right = data.draw(hnp.arrays(np.float64, left.shape, elements=REAL))
    expected = interactions(left, index, order).values + factor * interactions(right, index, order).values
    scale = np.abs(left).max() + 8 * np.abs(right).max()
    close(interactions(left + factor * right, index, order).values, expected, scale, 1e-10)


@pytest.mark.parametrize("index", list(INDICES))
def test_a_game_of_pairs_has_its_pairs(index: str) -> None:
    """v(S) = sum of a_i and of b_ij within S: every index of order 2 finds b, whatever it does with a."""
    rng, n = np.random.default_rng(1), 17  # more players than a block has
    single, pair = rng.normal(size=n), np.triu(rng.normal(size=(n, n)), 1)
    table = np.zeros(1)
    for i in range(n):
        gain = np.full(1, single[i])
        for j in range(i):
            gain = np.concatenate([gain, gain + pair[j, i]])
        table = np.concatenate([table, table + gain])
    found = interactions(table, index, 2)
    np.testing.assert_allclose(found.matrix(), pair + pair.T, rtol=0, atol=1e-11)
    if index in ("Moebius", *EFFICIENT, "FBII"):
        np.testing.assert_allclose(found.of_order(1), single, rtol=0, atol=1e-11)


@pytest.mark.parametrize("index", list(INDICES))
@pytest.mark.parametrize("offset", [1e6, -1e9])
def test_a_large_common_offset_costs_no_digits(index: str, offset: float) -> None:
    table = np.round(random_table(9) * 64) / 64  # exact also after the offset
    plain, moved = interactions(table, index, 3), interactions(table + offset, index, 3)
    close(moved.values[1:], plain.values[1:], 1.0, 1e-12)
    close(moved[()] - offset, plain[()], 1.0, 1e-6)


@pytest.mark.parametrize("index", list(INDICES))
def test_single_precision_is_read_exactly(index: str) -> None:
    table = random_table(6).astype(np.float32)
    found = interactions(table, index, 2)
    assert found.values.dtype == np.float64
    np.testing.assert_array_equal(found.values, interactions(table.astype(np.float64), index, 2).values)


def test_many_players_of_order_two() -> None:
    """At n = 20, BII of a pair is the mean over the table of v times both players' signs."""
    n = 20
    table = np.random.default_rng(0).normal(size=1 << n).astype(np.float32)
    found = interactions(table, "BII", 2)
    ids = np.arange(1 << n)
    for i, j in ((0, 1), (3, 17), (18, 19)):
        signs = (2 * (ids >> i & 1) - 1) * (2 * (ids >> j & 1) - 1)
        close(found[i, j], 4 * np.mean(table * signs, dtype=np.float64), 1.0, 1e-13)


# --- the transform


@pytest.mark.parametrize("block", [14, 3])
@pytest.mark.parametrize("n", [1, 2, 4, 6])
def test_sums_of_derivatives_are_those(n: int, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derivatives, "BLOCK", block)
    table = random_table(n)
    v = [Fraction(float(value)) for value in table]
    v = [value - v[0] for value in v]
    for order in range(n + 1):
        found = derivative_sums(table, order)
        assert [len(ids) for ids, _ in found] == [comb(n, s) for s in range(order + 1)]
        for s, (ids, sums) in enumerate(found):
            assert sums.shape == (n - s + 1, len(ids))
            for own, column in zip(ids.tolist(), sums.T, strict=True):
                players = tuple(i for i in range(n) if own >> i & 1)
                assert len(players) == s
                expected = [Fraction(0)] * (n - s + 1)
                for coalition in range(1 << n):
                    if not coalition & own:
                        expected[coalition.bit_count()] += derivative(v, players, coalition)
                np.testing.assert_allclose(column, list(map(float, expected)), rtol=0, atol=1e-12)


def test_any_number_of_threads_gives_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "THREAD_BYTES", 1)
    table = random_table(17)
    alone = derivative_sums(table, 2, threads=1)
    for threads in (2, None):
        for (ids, sums), (same_ids, same_sums) in zip(alone, derivative_sums(table, 2, threads), strict=True):
            np.testing.assert_array_equal(ids, same_ids)
            np.testing.assert_array_equal(sums, same_sums)


def test_the_kernel_refuses_other_tables_and_orders() -> None:
    for table, order in ((np.zeros((2, 4)), 1), (np.zeros(4), 3), (np.zeros(4), -1), (np.zeros(5), 1)):
        with pytest.raises(ValueError, match="found"):
            derivative_sums(table, order)
