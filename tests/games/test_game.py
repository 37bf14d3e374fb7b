"""Games that are tables, games that are functions, and the Shapley values of both."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hlx.errors import InputError, NonFiniteScoreError
from hlx.games.coalitions import all_rows
from hlx.games.game import CallableGame, Game, TabulatedGame, shapley_from_table

TABLES = st.integers(1, 8).flatmap(
    lambda n: hnp.arrays(
        st.sampled_from([np.float64, np.float32]), 1 << n, elements=st.floats(-1000, 1000, width=32)
    )
)


@given(table=TABLES, data=st.data())
def test_a_tabulated_game_looks_its_values_up(table: np.ndarray, data: st.DataObject) -> None:
    game = TabulatedGame(table)
    assert isinstance(game, Game)
    assert 2**game.n_players == len(table)
    ids = data.draw(hnp.arrays(np.int64, st.integers(0, 9), elements=st.integers(0, len(table) - 1)))
    values = game(all_rows(game.n_players)[ids])
    assert values.dtype == np.float64
    np.testing.assert_array_equal(values, table[ids])
    assert np.shares_memory(game.table(), table)
    assert not game.table().flags.writeable and table.flags.writeable


@given(table=TABLES, batch_size=st.integers(1, 300))
def test_a_function_of_rows_has_the_same_table_in_batches(table: np.ndarray, batch_size: int) -> None:
    known, asked = TabulatedGame(table), []

    def function(rows: np.ndarray) -> np.ndarray:
        asked.append(len(rows))
        return known(rows)

    game = CallableGame(function, known.n_players, batch_size=batch_size)
    assert isinstance(game, Game)
    np.testing.assert_array_equal(game.table(), table)
    assert max(asked) <= batch_size and sum(asked) == len(table)


def test_integer_tables_become_real_numbers() -> None:
    game = TabulatedGame(np.array([0, 1, 2, 5]))
    assert game.table().dtype == np.float64
    np.testing.assert_array_equal(game(np.array([[True, True], [False, True]])), [5, 2])


@pytest.mark.parametrize("shape", [(0,), (1,), (3,), (2, 4)])
def test_tables_of_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"dog: expected a table of shape \(2\^n,\)"):
        TabulatedGame(np.zeros(shape), name="dog")
    if shape != (2, 4):
        with pytest.raises(InputError, match="found"):
            shapley_from_table(np.zeros(shape))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_first_coalition_without_a_finite_value_is_named(bad: float) -> None:
    table = np.zeros(16)
    table[[5, 9]] = bad, np.nan
    said = f"is {bad} .players 0, 2 of 4 shown"
    with pytest.raises(NonFiniteScoreError, match=f"^dog: .* {said}"):
        TabulatedGame(table, name="dog")
    game = CallableGame(lambda rows: table[rows @ (1 << np.arange(4))], 4, batch_size=3, name="dog")
    with pytest.raises(NonFiniteScoreError, match=f"^dog: .* {said}"):
        game.table()
    with pytest.raises(InputError, match=f"^table: the value of coalition 5 {said}"):
        shapley_from_table(table)
    with pytest.raises(InputError, match=f"^table 1: the value of coalition 5 {said}"):
        shapley_from_table(np.stack([np.zeros(16), table, table]))


def test_sums_beyond_double_precision_are_refused() -> None:
    with pytest.raises(InputError, match="too large"):
        shapley_from_table(np.array([-1.5e308, 1.5e308]))


@pytest.mark.parametrize("dtype", [complex, object, "U3"])
def test_tables_of_other_types_are_refused(dtype: object) -> None:
    for read in (TabulatedGame, shapley_from_table):
        with pytest.raises(InputError, match="a table holds real numbers"):
            read(np.zeros(4, dtype))


@pytest.mark.parametrize("game", [TabulatedGame(np.zeros(8)), CallableGame(lambda rows: rows.sum(axis=1), 3)])
def test_rows_that_do_not_fit_are_refused(game: Game) -> None:
    with pytest.raises(InputError, match=r"expected rows as \(m, 3\) booleans, found shape \(2, 4\)"):
        game(np.zeros((2, 4), bool))
    with pytest.raises(InputError, match="found int64"):
        game(np.zeros((2, 3), int))


@pytest.mark.parametrize(
    "function",
    [
        lambda rows: 0.0,
        lambda rows: np.zeros((len(rows), 1)),
        lambda rows: ["a"] * len(rows),
        lambda rows: [[1], [1, 2]],
    ],
)
def test_functions_that_return_something_else_are_refused(function) -> None:
    with pytest.raises(InputError, match=r"expected \(2,\) real numbers for 2 coalitions, found"):
        CallableGame(function, 3)(np.zeros((2, 3), bool))


def test_limits_of_callable_games() -> None:
    with pytest.raises(InputError, match="n_players: expected at least 1, found 0"):
        CallableGame(lambda rows: rows.sum(axis=1), 0)
    with pytest.raises(InputError, match="batch_size: expected at least 1, found 0"):
        CallableGame(lambda rows: rows.sum(axis=1), 2, batch_size=0)
    wide = CallableGame(lambda rows: rows.sum(axis=1), 196)
    np.testing.assert_array_equal(wide(np.ones((2, 196), bool)), [196, 196])
    with pytest.raises(InputError, match="a table of 196 players takes"):
        wide.table()


@given(table=TABLES)
def test_shapley_values_add_up_to_the_gain(table: np.ndarray) -> None:
    phi = shapley_from_table(table)
    assert phi.dtype == np.float64
    np.testing.assert_allclose(phi.sum(), float(table[-1]) - float(table[0]), rtol=0, atol=1e-11)
    np.testing.assert_array_equal(shapley_from_table(np.stack([table, table])), [phi, phi])
