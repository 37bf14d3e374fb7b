"""Insertion and deletion curves: worked by hand, against every other order, and with wrong input."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlx.errors import InputError, NonFiniteScoreError
from hlx.games.coalitions import ids_from_rows
from hlx.games.faithfulness import (
    areas_from_tables,
    faithfulness_curves,
    faithfulness_from_values,
    faithfulness_rows,
)
from hlx.games.game import CallableGame, TabulatedGame

SEEDS = st.integers(0, 2**32)


def random_game(n: int, seed: int) -> tuple[TabulatedGame, np.ndarray]:
    rng = np.random.default_rng(seed)
    return TabulatedGame(rng.normal(size=1 << n)), rng.normal(size=n)


def test_by_hand() -> None:
    """v: none 0, {0} 1, {1} 4, {0, 1} 6; player 1 first."""
    found = faithfulness_curves(TabulatedGame(np.array([0.0, 1.0, 4.0, 6.0])), np.array([-0.5, 0.25]))
    np.testing.assert_array_equal(found.insertion, [0, 4, 6])
    np.testing.assert_array_equal(found.deletion, [6, 1, 0])
    assert (found.insertion_area, found.deletion_area, found.difference) == (3.5, 2.0, 1.5)
    assert found.as_dict() == {
        "insertion": [0.0, 4.0, 6.0],
        "deletion": [6.0, 1.0, 0.0],
        "insertion_area": 3.5,
        "deletion_area": 2.0,
        "difference": 1.5,
    }


def test_one_player() -> None:
    found = faithfulness_curves(TabulatedGame(np.array([1.0, 4.0])), np.array([9.0]))
    assert found.insertion.tolist() == [1, 4] and found.deletion.tolist() == [4, 1]
    assert found.insertion_area == found.deletion_area == 2.5


def test_equal_values_are_ordered_by_index() -> None:
    rows = faithfulness_rows(np.array([0.0, 1.0, 0.0, 1.0, -0.0]))
    assert [row.nonzero()[0].tolist() for row in rows[:6]] == [
        [],
        [1],
        [1, 3],
        [0, 1, 3],
        [0, 1, 2, 3],
        [0, 1, 2, 3, 4],
    ]


@given(n=st.integers(1, 70), seed=SEEDS)
def test_curves_take_2n_distinct_rows_in_one_call(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, weights = rng.integers(-2, 3, size=(2, n)).astype(float)
    calls = []

    def game(rows: np.ndarray) -> np.ndarray:
        calls.append(len(np.unique(rows, axis=0)))
        return rows @ weights

    found = faithfulness_curves(game, values)
    assert calls == [2 * n]
    order = sorted(range(n), key=lambda player: (-values[player], player))
    shown = np.concatenate([[0], np.cumsum(weights[order])])
    np.testing.assert_allclose(found.insertion, shown, atol=1e-12)
    np.testing.assert_allclose(found.deletion, weights.sum() - shown, atol=1e-12)


@settings(max_examples=12)
@given(n=st.integers(1, 6), seed=SEEDS)
def test_no_order_is_better_than_the_values_of_an_additive_game(n: int, seed: int) -> None:
    weights = np.random.default_rng(seed).normal(size=n)
    found = faithfulness_curves(lambda rows: rows @ weights, weights)
    others = [
        faithfulness_curves(lambda rows: rows @ weights, -np.argsort(order).astype(float))
        for order in permutations(range(n))
    ]
    assert found.insertion_area == pytest.approx(max(other.insertion_area for other in others))
    assert found.deletion_area == pytest.approx(min(other.deletion_area for other in others))


@given(n=st.integers(1, 8), seed=SEEDS)
def test_deletion_is_insertion_of_the_reverse_order(n: int, seed: int) -> None:
    game, values = random_game(n, seed)
    found, reverse = faithfulness_curves(game, values), faithfulness_curves(game, -values)
    np.testing.assert_array_equal(found.deletion, reverse.insertion[::-1])
    assert found.deletion_area == pytest.approx(reverse.insertion_area)
    assert found.difference == pytest.approx(-reverse.difference)


@given(n=st.integers(1, 8), seed=SEEDS, level=st.floats(-9, 9), scale=st.floats(0.1, 9))
def test_only_the_order_of_the_values_matters(n: int, seed: int, level: float, scale: float) -> None:
    game, values = random_game(n, seed)
    found = faithfulness_curves(game, values)
    np.testing.assert_array_equal(faithfulness_curves(game, np.exp(values)).insertion, found.insertion)
    moved = faithfulness_curves(TabulatedGame(game.table() * scale + level), values)
    assert moved.insertion_area == pytest.approx(found.insertion_area * scale + level, abs=1e-9)
    assert moved.difference == pytest.approx(found.difference * scale, abs=1e-9)


@given(n=st.integers(1, 7), games=st.integers(1, 4), repeats=st.integers(1, 3), seed=SEEDS)
def test_tables_give_the_areas_of_the_curves(n: int, games: int, repeats: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    tables = rng.normal(size=(games, 1 << n)).astype(np.float32)
    values = rng.integers(-3, 4, size=(repeats, games, n))
    insertion, deletion = areas_from_tables(tables, values)
    assert insertion.shape == deletion.shape == (repeats, games)
    for repeat, game in np.ndindex(repeats, games):
        found = faithfulness_curves(TabulatedGame(tables[game]), values[repeat, game])
        assert insertion[repeat, game] == pytest.approx(found.insertion_area, abs=1e-12)
        assert deletion[repeat, game] == pytest.approx(found.deletion_area, abs=1e-12)
    single, _ = areas_from_tables(tables[0], values[:, 0])
    np.testing.assert_array_equal(single, insertion[:, 0])


def test_rows_and_values_meet_in_the_same_order() -> None:
    game, values = random_game(5, 3)
    rows = faithfulness_rows(values)
    found = faithfulness_from_values(game.table()[ids_from_rows(rows)])
    np.testing.assert_array_equal(found.deletion, faithfulness_curves(game, values).deletion)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((2, 3)), "shape"),
        (np.array(1.0), "shape"),
        (np.zeros(0), "found float64 of shape"),
        (np.array([0.0, np.nan, 1.0]), "nan for player 1"),
        (np.array([0.0, 1.0, np.inf]), "inf for player 2"),
        (np.array(["a", "b", "c"]), "found <U1"),
    ],
)
def test_values_must_be_finite_numbers_one_per_player(values: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        faithfulness_curves(lambda rows: rows.sum(axis=1), values)
    assert "\n" not in str(error.value)


def test_games_must_answer_with_one_finite_number_each() -> None:
    values = np.arange(3.0)
    with pytest.raises(InputError, match=r"expected \(6,\) real numbers"):
        faithfulness_curves(lambda rows: rows.astype(float), values)
    with pytest.raises(NonFiniteScoreError, match="players 1, 2 of 3 shown"):
        faithfulness_curves(
            lambda rows: np.where((rows == [False, True, True]).all(axis=1), np.nan, 1.0), values
        )
    for game in (TabulatedGame(np.zeros(4)), CallableGame(lambda rows: rows[:, 0] * 1.0, 2)):
        with pytest.raises(InputError, match="the game has 2 players, the map 3 values"):
            faithfulness_curves(game, values)


@pytest.mark.parametrize("found", [np.zeros(3), np.zeros(0), np.zeros((2, 2))])
def test_values_of_the_curves_must_be_two_per_player(found: np.ndarray) -> None:
    with pytest.raises(InputError, match="2n coalitions"):
        faithfulness_from_values(found)


@pytest.mark.parametrize(
    ("tables", "values"),
    [
        ((3, 8), (3, 4)),
        ((3, 8), (2, 3)),
        ((3, 8), (3,)),
        ((2, 3, 8), (2, 3, 3)),
        ((8,), ()),
        ((0,), (0,)),
    ],
)
def test_tables_and_maps_must_belong_together(tables: tuple[int, ...], values: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="faithfulness: "):
        areas_from_tables(np.zeros(tables), np.zeros(values))


def test_tables_of_unusable_maps() -> None:
    with pytest.raises(InputError, match="nan for player 0"):
        areas_from_tables(np.zeros((1, 4)), np.array([[np.nan, 1.0]]))
