"""Interaction indices against their definitions, their axioms, exact arithmetic, and each other."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from fractions import Fraction
from itertools import combinations
from math import comb, factorial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hlx import interaction_values
from hlx.errors import InputError, OutputError
from hlx.interaction_values import INDICES, InteractionValues, interactions, known_index
from hlx.kernels import banzhaf, compiled, derivative_sums, derivatives, moebius, shapley

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
        assert found[()] == found.v_none == table[0]
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


# --- the result


@given(n=st.integers(1, 8), data=st.data())
def test_values_are_found_by_players_in_any_order(n: int, data: st.DataObject) -> None:
    order = data.draw(st.integers(1, n))
    table = random_table(n)
    found, dividends = interactions(table, "Moebius", order), moebius(table)
    expected = [part for size in range(order + 1) for part in combinations(range(n), size)]
    assert list(found) == found.players == expected
    np.testing.assert_array_equal(found.ids, [id_of(part) for part in expected])
    np.testing.assert_array_equal(found.masks @ (1 << np.arange(n)), found.ids)
    players = tuple(data.draw(st.permutations(data.draw(st.sampled_from(expected)))))
    assert players in found
    assert found[players] == dividends[id_of(players)] == found[tuple(np.array(players, dtype=np.int64))]


@pytest.mark.parametrize(
    "players",
    [(True, False), (0, 0), (4,), (-1,), (0, 1, 2), 3, [0, 1], ("0",), (0.0,), (0, 4), slice(None), None],
)
def test_other_players_are_refused(players: object) -> None:
    found = interactions(random_table(4), "SII", 2)
    assert players not in found
    with pytest.raises(InputError, match="found") as caught:
        found[players]
    assert "\n" not in str(caught.value)


def test_matrix_strongest_and_orders_say_the_same() -> None:
    n = 5
    found = interactions(random_table(n), "k-SII", 3)
    square = found.matrix()
    np.testing.assert_array_equal(square, square.T)
    np.testing.assert_array_equal(np.diag(square), 0)
    assert all(square[i, j] == found[i, j] for i, j in combinations(range(n), 2))
    np.testing.assert_array_equal(found.of_order(1), [found[(i,)] for i in range(n)])
    np.testing.assert_array_equal(np.concatenate([found.of_order(s) for s in range(4)]), found.values)
    for order in (1, 2, 3):
        sets = list(combinations(range(n), order))
        expected = sorted(sets, key=lambda players: -abs(found[players]))
        assert found.strongest(4, order) == [(players, found[players]) for players in expected[:4]]
        assert len(found.strongest(100, order)) == len(sets)
    assert found.strongest(2) == found.strongest(2, 2)
    assert interactions(np.zeros(8), "SII", 2).strongest(2) == [((0, 1), 0.0), ((0, 2), 0.0)]
    for order in (-1, 4):
        with pytest.raises(InputError, match="0 to 3 players"):
            found.of_order(order)
    with pytest.raises(InputError, match="order 1"):
        interactions(random_table(3), "SII", 1).matrix()


def test_csv_holds_every_digit(tmp_path: Path) -> None:
    found = interactions(random_table(4), "FSII", 3)
    text = found.to_csv()
    records = list(csv.DictReader(io.StringIO(text)))
    assert len(records) == len(found)
    for record in records:
        players = tuple(map(int, record["players"].split()))
        assert int(record["order"]) == len(players)
        assert float(record["value"]) == found[players]
    assert found.to_csv(tmp_path / "a.csv") == text == (tmp_path / "a.csv").read_text()
    with pytest.raises(OutputError, match="exists"):
        found.to_csv(tmp_path / "a.csv")
    found.to_csv(tmp_path / "a.csv", force=True)
    assert [file.name for file in tmp_path.iterdir()] == ["a.csv"]


def test_as_dict_is_json(tmp_path: Path) -> None:
    import json

    found = interactions(random_table(3), "WBII", 2, p=0.3)
    said = json.loads(json.dumps(found.as_dict()))
    assert (said["index"], said["order"], said["p"], said["n_players"]) == ("WBII", 2, 0.3, 3)
    assert said["players"] == [[], [0], [1], [2], [0, 1], [0, 2], [1, 2]]
    assert said["values"] == found.values.tolist()
    assert (said["v_none"], said["v_all"]) == (found.v_none, found.v_all)


# --- names and bad input


@pytest.mark.parametrize(
    ("spelling", "index"),
    [
        *((known, known) for known in INDICES),
        *(("ksii", "k-SII"), ("K-SII", "k-SII"), ("stii", "STII"), ("moebius", "Moebius")),
        *(
            ("Möbius", "Moebius"),
            ("weighted Banzhaf", "WBII"),
            ("weighted-banzhaf", "WBII"),
            ("fbii", "FBII"),
        ),
    ],
)
def test_spellings(spelling: str, index: str) -> None:
    assert known_index(spelling) == index
    assert interactions(random_table(2), spelling, 1).index == index


def test_weighted_banzhaf_is_banzhaf_at_a_half() -> None:
    table = random_table(6)
    half = interactions(table, "WBII", 3)
    assert half.p == 0.5 and interactions(table, "BII", 3).p is None
    np.testing.assert_array_equal(half.values, interactions(table, "BII", 3).values)
    all_but = interactions(table, "WBII", 1, p=1.0)
    close(all_but.of_order(1), table[-1] - table[(1 << 6) - 1 - (1 << np.arange(6))], 1.0)


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        (np.zeros(12), {}, r"shape \(2\^n,\), n >= 1, found shape \(12,\)"),
        (np.zeros(1), {}, r"found shape \(1,\)"),
        (np.zeros((2, 4)), {}, r"found shape \(2, 4\)"),
        (np.zeros(0), {}, r"found shape \(0,\)"),
        (np.zeros(4, complex), {}, "real numbers"),
        (np.array(["a", "b"]), {}, "real numbers"),
        (np.array([0, 1, np.nan, 3]), {}, r"coalition 2 is nan \(player 1 of 2 shown\)"),
        (
            np.array([0, np.inf, np.nan, 3]),
            {"index": "Moebius"},
            r"coalition 1 is inf \(player 0 of 2 shown\)",
        ),
        (np.array([1e308, -1e308, -1e308, 1e308]), {}, "too large"),
        (np.zeros(8), {"index": "SHAP"}, "'SHAP'; known: SII, k-SII, STII, FSII, BII, FBII, Moebius, WBII"),
        (np.zeros(8), {"index": ""}, "unknown interaction index ''"),
        (np.zeros(8), {"order": 4}, "3 players have order 1 to 3, found order 4"),
        (np.zeros(2), {"order": 2}, "1 player have order 1 to 1, found order 2"),
        (np.zeros(8), {"order": 0}, "found order 0"),
        (np.zeros(8), {"order": -1}, "found order -1"),
        (np.zeros(8), {"index": "WBII", "p": 1.5}, "expected 0 to 1, found 1.5"),
        (np.zeros(8), {"index": "WBII", "p": -0.1}, "expected 0 to 1, found -0.1"),
        (np.zeros(8), {"index": "WBII", "p": float("nan")}, "expected 0 to 1, found nan"),
        (np.zeros(8), {"index": "SII", "p": 0.5}, "SII has none"),
    ],
)
def test_bad_input_is_refused_in_one_line(table: np.ndarray, options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        interactions(table, **options)
    assert "\n" not in str(caught.value)


def test_an_order_that_would_fill_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interaction_values, "MAX_BYTES", 1 << 20)
    table = random_table(16)
    with pytest.raises(InputError, match=r"ask for an order up to \d+, or for Moebius") as caught:
        interactions(table, "SII", 16)
    fitting = int(str(caught.value).split("up to ")[1].split(",")[0])
    assert isinstance(interactions(table, "SII", fitting), InteractionValues)
    with pytest.raises(InputError):
        interactions(table, "SII", fitting + 1)
    assert len(interactions(table, "Moebius", 16)) == 1 << 16


def test_arguments_of_other_types_are_refused_in_one_line() -> None:
    """Without the checks of annotations that tests run under, which would refuse them first."""
    program = """
import numpy as np
from hlx.errors import InputError
from hlx.interaction_values import interactions
table = np.arange(8.0)
cases = [dict(index=None), dict(order=2.0), dict(order="2"), dict(order=None), dict(order=True)]
cases += [dict(index="WBII", p="0.5"), dict(index="WBII", p=[0.5])]
cases += [dict(table=None), dict(table=[[1], [1, 2]])]
for case in cases:
    try:
        interactions(**{"table": table, **case})
    except InputError as error:
        print(str(error))
assert interactions(table, order=np.int64(2)).order == 2
"""
    root = Path(__file__).parents[1]
    ended = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    said = ended.stdout.splitlines()
    words = ["index None", *(f"order: expected a whole number, found {x!r}" for x in (2.0, "2", None, True))]
    words += ["found '0.5'", "found [0.5]"]
    words += ["real numbers, found values of type object", "expected one table"]
    assert len(said) == len(words)
    assert all(word in line for word, line in zip(words, said, strict=True)), said
