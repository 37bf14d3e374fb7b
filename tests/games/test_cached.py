"""Evaluations: every coalition is paid for once, whoever asks for it and in whatever order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hlx
from hlx.errors import InputError, NonFiniteScoreError
from hlx.games.cached import CachedGame, Evaluations, as_game
from hlx.games.coalitions import all_rows


class Counted:
    """A random game that counts the rows it is asked for."""

    def __init__(self, n: int, columns: int | None = None) -> None:
        shape = (1 << n,) if columns is None else (1 << n, columns)
        self.values, self.powers, self.asked = (
            np.random.default_rng(n).normal(size=shape),
            1 << np.arange(n),
            [],
        )

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        ids = rows @ self.powers
        self.asked += ids.tolist()
        return self.values[ids]


@given(
    n=st.integers(1, 9),
    columns=st.sampled_from([None, 1, 3]),
    asked=st.lists(st.lists(st.integers(0, 1 << 20), max_size=30), max_size=6),
)
def test_every_row_is_evaluated_once(n: int, columns: int | None, asked: list[list[int]]) -> None:
    game = Counted(n, columns)
    evaluations = Evaluations(game)
    for call in asked:
        ids = np.array(call, int) % (1 << n)
        rows = all_rows(n)[ids]
        np.testing.assert_array_equal(evaluations(rows), game.values[ids])
    assert len(set(game.asked)) == len(game.asked) == evaluations.count


def test_a_call_that_fails_leaves_nothing_behind() -> None:
    def evaluate(rows: np.ndarray) -> np.ndarray:
        if not rows.any(axis=1).all():
            raise RuntimeError("device lost")
        return rows.sum(axis=1) * 1.0

    evaluations = Evaluations(evaluate)
    evaluations(all_rows(3)[1:3])
    with pytest.raises(RuntimeError):
        evaluations(all_rows(3))
    assert evaluations.count == 2
    np.testing.assert_array_equal(evaluations(all_rows(3)[1:]), all_rows(3)[1:].sum(axis=1))


@pytest.mark.parametrize("n", [65, 200])
def test_wide_rows(n: int) -> None:
    rows = np.random.default_rng(0).random((50, n)) < 0.5
    asked = []
    game = CachedGame(lambda some: (asked.append(len(some)), some.mean(axis=1))[1], n_players=n)
    for _ in range(2):
        np.testing.assert_array_equal(game(np.concatenate([rows, rows])), np.tile(rows.mean(axis=1), 2))
    assert asked == [50] and game.n_evaluations == 50
    with pytest.raises(InputError, match="at most 24 players"):
        game.table()


def test_estimators_share_what_one_of_them_paid_for() -> None:
    counted = Counted(8)
    game = CachedGame(counted, n_players=8, name="dog")
    first = hlx.estimate(game, estimator="leverage", budget=60)
    assert game.n_evaluations == len(counted.asked) == first.n_evaluations <= 60
    hlx.estimate(game, estimator="leverage", budget=60)
    assert game.n_evaluations == first.n_evaluations
    for name in ("permutation", "kernel", "partition", "occlusion", "exact"):
        made = hlx.estimate(game, estimator=name, budget=None if name == "exact" else 100)
        assert made.n_evaluations <= (256 if name == "exact" else 100)
    assert sorted(counted.asked) == list(range(256))
    np.testing.assert_array_equal(game.table(), counted.values)
    np.testing.assert_allclose(hlx.estimate(game).values, hlx.shapley_from_table(counted.values))


def test_answers_are_checked() -> None:
    with pytest.raises(InputError, match="how many players"):
        as_game(lambda rows: rows.sum(axis=1))
    with pytest.raises(InputError, match="n_players: expected at least 1, found 0"):
        as_game(lambda rows: rows.sum(axis=1), 0)
    with pytest.raises(InputError, match="n_players is 3, the game has 4"):
        as_game(hlx.TabulatedGame(np.zeros(16)), 3)
    game = CachedGame(lambda rows: np.where(rows.all(axis=1), np.nan, 0.0), 3, "cat")
    with pytest.raises(
        NonFiniteScoreError, match=r"cat: the value of a coalition is nan .all 3 players shown"
    ):
        game(all_rows(3))
    assert game.n_evaluations == 0
    with pytest.raises(InputError, match=r"expected .2,. real numbers for 2 coalitions"):
        CachedGame(lambda rows: rows, 3)(all_rows(3)[:2])
    with pytest.raises(InputError, match="expected rows"):
        game(np.zeros((2, 4), bool))
