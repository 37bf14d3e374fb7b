"""Estimators: exact where they say so, unbiased, efficient and within their budget elsewhere."""

from __future__ import annotations

import itertools
from math import factorial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlx.coalitions import all_rows, ids_from_rows
from hlx.errors import InputError
from hlx.estimators import ESTIMATORS, EXACT, PERMUTATION, Estimate, check_affordable, get_estimator
from hlx.games import TabulatedGame, shapley_from_table

PLAYERS = st.integers(1, 10)


def random_game(n: int, seed: int) -> TabulatedGame:
    """A game with interactions of all orders."""
    return TabulatedGame(np.random.default_rng(seed).normal(size=1 << n) * 3)


def permutation_estimate(game: TabulatedGame, budget: int, seed: int) -> Estimate:
    """One run of the permutation estimator."""
    rows = PERMUTATION.plan(game.n_players, budget, np.random.default_rng(seed))
    return PERMUTATION.solve(rows, game(rows))


def shapley_by_orders(game: TabulatedGame) -> np.ndarray:
    """The mean marginal contribution over all n! orders: the definition, as slow as it is."""
    n, table = game.n_players, game.table()
    phi = np.zeros(n)
    for order in itertools.permutations(range(n)):
        before = 0
        for player in order:
            phi[player] += table[before | 1 << player] - table[before]
            before |= 1 << player
    return phi / factorial(n)


@given(n=PLAYERS, seed=st.integers(0, 999))
def test_exact_is_shapley_from_table(n: int, seed: int) -> None:
    game = random_game(n, seed)
    rows = EXACT.plan(n, 1 << n, np.random.default_rng(0))
    estimate = EXACT.solve(rows, game(rows))
    assert estimate.standard_error is None
    np.testing.assert_array_equal(estimate.values, shapley_from_table(game.table()))


@given(n=st.integers(1, 5), seed=st.integers(0, 999))
def test_exact_is_the_mean_over_all_orders(n: int, seed: int) -> None:
    game = random_game(n, seed)
    values = EXACT.solve(all_rows(n), game.table()).values
    np.testing.assert_allclose(values, shapley_by_orders(game), atol=1e-12)


@given(n=st.integers(2, 10), extra=st.integers(0, 1200), seed=st.integers(0, 999))
def test_permutation_keeps_its_budget_and_its_efficiency(n: int, extra: int, seed: int) -> None:
    """No more distinct coalitions than paid for, empty and full among them; phi adds up."""
    budget, game = 2 * n + extra, random_game(n, seed)
    rows = PERMUTATION.plan(n, budget, np.random.default_rng(seed))
    assert rows.dtype == bool and rows.shape[1] == n
    ids = np.unique(ids_from_rows(rows))
    assert len(ids) <= len(rows) <= budget
    assert ids[0] == 0 and ids[-1] == (1 << n) - 1
    estimate = PERMUTATION.solve(rows, game(rows))
    table = game.table()
    np.testing.assert_allclose(estimate.values.sum(), table[-1] - table[0], atol=1e-10)
    if budget >= 1 << n:
        np.testing.assert_array_equal(estimate.values, shapley_from_table(table))
        assert estimate.standard_error is None
    elif estimate.standard_error is not None:
        assert (estimate.standard_error >= 0).all()


@given(n=st.integers(2, 10), budget=st.integers(-5, 19))
def test_budget_without_a_pair_of_orders_is_refused(n: int, budget: int) -> None:
    if budget >= min(2 * n, 1 << n):
        assert len(PERMUTATION.plan(n, budget, np.random.default_rng(0))) <= budget
        return
    with pytest.raises(InputError, match="budget"):
        PERMUTATION.plan(n, budget, np.random.default_rng(0))


@settings(max_examples=6)
@given(n=st.integers(3, 7), seed=st.integers(0, 99))
def test_permutation_is_unbiased_with_honest_errors(n: int, seed: int) -> None:
    """Over many seeds the mean is the exact value, and the reported error the observed spread."""
    game, budget, runs = random_game(n, seed), 2 + 2 * (n - 1) * min(4, 2 ** (n - 1) // n), 300
    if budget >= 1 << n or budget < 2 + 4 * (n - 1):
        budget = 2 + 2 * (n - 1)
    estimates = [permutation_estimate(game, budget, run) for run in range(runs)]
    values = np.array([estimate.values for estimate in estimates])
    exact, spread = shapley_from_table(game.table()), values.std(axis=0, ddof=1)
    assert (np.abs(values.mean(axis=0) - exact) < 5 * spread / np.sqrt(runs) + 1e-9).all()
    if estimates[0].standard_error is not None:
        reported = np.sqrt(np.mean([np.square(e.standard_error) for e in estimates], axis=0))
        np.testing.assert_allclose(reported, spread, rtol=0.25)


def test_single_pair_has_no_standard_error() -> None:
    estimate = permutation_estimate(random_game(5, 0), budget=10, seed=0)
    assert estimate.standard_error is None


def test_more_budget_less_error() -> None:
    game = random_game(8, 1)
    exact = shapley_from_table(game.table())
    mean_error = [
        np.mean([np.abs(permutation_estimate(game, budget, s).values - exact).mean() for s in range(30)])
        for budget in (20, 80, 240)
    ]
    assert mean_error[0] > 1.4 * mean_error[1] > 1.4 * 1.2 * mean_error[2]


@pytest.mark.parametrize("n, budget", [(1, 2), (2, 4), (1, 100), (2, 5)])
def test_one_and_two_players_are_exact(n: int, budget: int) -> None:
    game = random_game(n, 3)
    estimate = permutation_estimate(game, budget, 0)
    np.testing.assert_array_equal(estimate.values, shapley_from_table(game.table()))


@pytest.mark.parametrize("n, budget", [(1, 1), (1, 0), (2, 3)])
def test_one_and_two_players_with_too_little(n: int, budget: int) -> None:
    with pytest.raises(InputError, match="budget"):
        PERMUTATION.plan(n, budget, np.random.default_rng(0))


def test_additive_game_needs_one_pair() -> None:
    worth = np.arange(1.0, 8.0)
    game = TabulatedGame(all_rows(7) @ worth)
    estimate = permutation_estimate(game, 40, 0)
    np.testing.assert_allclose(estimate.values, worth, atol=1e-12)
    assert estimate.standard_error is not None
    np.testing.assert_allclose(estimate.standard_error, 0, atol=1e-12)


@given(seed=st.integers(0, 99))
def test_same_seed_same_plan(seed: int) -> None:
    one, same, other = (PERMUTATION.plan(9, 200, np.random.default_rng(s)) for s in (seed, seed, seed + 1))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_many_players_are_only_rows() -> None:
    """Wide grids have no ids: 196 players take as little as any."""
    rows = PERMUTATION.plan(196, 1000, np.random.default_rng(0))
    assert rows.shape == (2 + 2 * 2 * 195, 196)
    worth = np.linspace(-1, 1, 196)
    np.testing.assert_allclose(PERMUTATION.solve(rows, rows @ worth).values, worth, atol=1e-9)


def test_registry() -> None:
    assert ESTIMATORS["exact"].exhaustive and not ESTIMATORS["permutation"].exhaustive
    assert all(name == estimator.name and estimator.summary for name, estimator in ESTIMATORS.items())
    assert get_estimator("permutation") is PERMUTATION
    with pytest.raises(InputError, match=r"unknown estimator 'kernel'.*exact.*permutation"):
        get_estimator("kernel")


def test_exact_above_its_limit_names_cost_and_alternative() -> None:
    check_affordable(EXACT, 24, None)
    with pytest.raises(InputError, match=r"25 regions take 2\^25 = 33,554,432 .*permutation.*budget"):
        check_affordable(EXACT, 25, None)
    check_affordable(PERMUTATION, 196, 1000)


@pytest.mark.parametrize(
    "name, n, budget", [("exact", 4, 15), ("permutation", 4, None), ("permutation", 16, 9)]
)
def test_budgets_that_mean_nothing(name: str, n: int, budget: int | None) -> None:
    with pytest.raises(InputError, match="budget"):
        check_affordable(get_estimator(name), n, budget)


def test_exact_plan_is_the_whole_table_or_nothing() -> None:
    np.testing.assert_array_equal(EXACT.plan(4, 16, np.random.default_rng(0)), all_rows(4))
    with pytest.raises(InputError, match="16 coalitions of 4 regions"):
        EXACT.plan(4, 15, np.random.default_rng(0))
