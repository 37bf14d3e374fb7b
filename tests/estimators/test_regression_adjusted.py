"""Regression-adjusted estimates: unbiased whatever the surrogate, exact where it is."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest

from hlx.errors import InputError
from hlx.estimators.estimator import Estimator
from hlx.estimators.regression_adjusted import REGRESSION_ADJUSTED, regression_adjusted, shapley_weights
from hlx.estimators.surrogates import FittedSurrogate, InteractionRidge, Surrogate, surrogate_shapley
from hlx.games.coalitions import all_rows, ids_from_rows
from hlx.games.regions import Grid, Regions
from hlx.kernels import shapley

RIDGE = regression_adjusted(InteractionRidge(), "ridge-adjusted")


@dataclass(frozen=True)
class Nearest:
    """A user's surrogate: the value of the nearest coalition seen, with no Shapley values of its own."""

    def fit(self, coalitions: np.ndarray, odd: np.ndarray, regions: Regions | None) -> FittedNearest:
        return FittedNearest(np.concatenate([coalitions, ~coalitions]), np.concatenate([odd, -odd]))


@dataclass(frozen=True, eq=False)
class FittedNearest:
    seen: np.ndarray
    values: np.ndarray

    def predict(self, coalitions: np.ndarray) -> np.ndarray:
        return self.values[(coalitions[:, None] ^ self.seen).sum(axis=2).argmin(axis=1)]


NEAREST = regression_adjusted(Nearest(), "nearest-adjusted")


def solve(
    estimator: Estimator, table: np.ndarray, budget: int, seed: int
) -> tuple[np.ndarray, np.ndarray | None]:
    n = table.shape[-1].bit_length() - 1
    plan = estimator.plan(n, budget, np.random.default_rng(seed), None)
    assert len(plan.coalitions) <= budget
    found = plan.solve(table[..., ids_from_rows(plan.coalitions)])
    return found.values, found.standard_error


def random_game(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.tanh(all_rows(n) @ rng.normal(size=n)) + 0.2 * rng.normal(size=1 << n)


def test_weights_are_the_shapley_operator() -> None:
    table = random_game(5, 0)
    half = all_rows(5)[16:]
    odd = (table - table[::-1])[16:] / 2
    np.testing.assert_allclose(odd @ shapley_weights(half), shapley(table), atol=1e-12)


@pytest.mark.parametrize("estimator", [RIDGE, NEAREST], ids=lambda e: e.name)
def test_unbiased_over_many_seeds_with_honest_errors(estimator: Estimator) -> None:
    table = random_game(7, 3)
    truth, repeats = shapley(table), 200
    found = [solve(estimator, table, 60, seed) for seed in range(repeats)]
    values = np.array([value for value, _ in found])
    errors = np.array([error for _, error in found])
    away = (values.mean(axis=0) - truth) / (values.std(axis=0) / np.sqrt(repeats))
    assert np.abs(away).max() < 4.5
    assert 0.75 < np.sqrt(np.square(errors).mean() / values.var(axis=0).mean()) < 1.3


@pytest.mark.parametrize("estimator", [RIDGE, NEAREST, REGRESSION_ADJUSTED], ids=lambda e: e.name)
def test_efficient_at_every_budget(estimator: Estimator) -> None:
    table = random_game(6, 1)
    for budget in (7, 9, 14, 30, 50, 62, 63):
        values, _ = solve(estimator, table, budget, budget)
        assert values.sum() == pytest.approx(table[-1] - table[0], abs=1e-9)


@pytest.mark.parametrize("estimator", [RIDGE, NEAREST, REGRESSION_ADJUSTED], ids=lambda e: e.name)
def test_exact_where_every_pair_is_seen(estimator: Estimator) -> None:
    for n in (1, 2, 3, 6):
        table = random_game(n, n)
        values, error = solve(estimator, table, 1 << n, 0)
        np.testing.assert_allclose(values, shapley(table), atol=1e-9)
        assert error is None or (error == 0).all()


@dataclass(frozen=True)
class Perfect:
    """A surrogate that knows the game."""

    effects: np.ndarray

    def fit(self, coalitions: np.ndarray, odd: np.ndarray, regions: Regions | None) -> Perfect:
        return self

    def predict(self, coalitions: np.ndarray) -> np.ndarray:
        return coalitions @ self.effects + coalitions[:, :3].all(axis=1)

    def shapley(self) -> np.ndarray:
        phi = self.effects.copy()
        phi[:3] += 1 / 3
        return phi


def test_exact_with_a_perfect_surrogate_of_any_number_of_players() -> None:
    for n in (5, 49, 196):
        perfect = Perfect(np.random.default_rng(n).normal(size=n))
        plan = regression_adjusted(perfect).plan(n, n + 31, np.random.default_rng(0), None)
        found = plan.solve(np.stack([perfect.predict(plan.coalitions), 5 - perfect.predict(plan.coalitions)]))
        np.testing.assert_allclose(found.values[0], perfect.shapley(), atol=1e-9)
        assert found.values.shape == (2, n)


@pytest.mark.parametrize("n", [49, 196])
def test_many_players(n: int) -> None:
    regions = {49: Grid(7, 7), 196: Grid(14, 14)}[n]
    plan = RIDGE.plan(n, 6 * n, np.random.default_rng(0), regions)
    effects = np.random.default_rng(1).normal(size=n)
    found = plan.solve(plan.coalitions @ effects)
    np.testing.assert_allclose(found.values, effects, atol=0.2)


def test_a_surrogate_without_shapley_values_needs_a_table() -> None:
    fitted = Nearest().fit(np.ones((1, 5), bool), np.ones(1), None)
    assert surrogate_shapley(fitted, 5) == pytest.approx(shapley(fitted.predict(all_rows(5))))
    with pytest.raises(InputError, match="FittedNearest: has no method shapley"):
        surrogate_shapley(fitted, 17)


def test_users_classes_count_as_surrogates() -> None:
    assert isinstance(Nearest(), Surrogate)
    assert isinstance(FittedNearest(np.zeros((1, 2), bool), np.zeros(1)), FittedSurrogate)
    assert not isinstance(object(), Surrogate)


def test_smaller_budgets_are_part_of_larger_ones() -> None:
    ids = [
        set(ids_from_rows(RIDGE.plan(9, budget, np.random.default_rng(2), None).coalitions))
        for budget in (10, 25, 60, 200)
    ]
    assert all(small <= large for small, large in pairwise(ids))
