"""The exact estimator and the registry; what all sampled ones promise is in test_sampled_estimators."""

from __future__ import annotations

import itertools
from math import factorial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlx.errors import InputError
from hlx.estimators import ESTIMATORS, EXACT, check_affordable, get_estimator, get_estimators, make_plan
from hlx.estimators.permutation import PERMUTATION
from hlx.games.coalitions import all_rows
from hlx.games.game import shapley_from_table
from hlx.games.regions import Grid


def shapley_by_orders(table: np.ndarray, n: int) -> np.ndarray:
    """The mean marginal contribution over all n! orders: the definition, as slow as it is."""
    phi = np.zeros(n)
    for order in itertools.permutations(range(n)):
        before = 0
        for player in order:
            phi[player] += table[before | 1 << player] - table[before]
            before |= 1 << player
    return phi / factorial(n)


@given(n=st.integers(1, 10), games=st.integers(1, 3), seed=st.integers(0, 999))
def test_exact_is_shapley_from_table(n: int, games: int, seed: int) -> None:
    tables = np.random.default_rng(seed).normal(size=(games, 1 << n))
    plan = make_plan(EXACT, n, None, seed)
    np.testing.assert_array_equal(plan.coalitions, all_rows(n))
    estimate = plan.solve(tables)
    assert estimate.standard_error is None
    np.testing.assert_array_equal(estimate.values, shapley_from_table(tables))


@given(n=st.integers(1, 5), seed=st.integers(0, 999))
def test_exact_is_the_mean_over_all_orders(n: int, seed: int) -> None:
    table = np.random.default_rng(seed).normal(size=1 << n)
    values = make_plan(EXACT, n, 1 << n, 0).solve(table).values
    np.testing.assert_allclose(values, shapley_by_orders(table, n), atol=1e-12)


def test_registry_finds_estimators_by_their_names() -> None:
    assert ESTIMATORS["exact"].exhaustive and not ESTIMATORS["permutation"].exhaustive
    assert all(name == estimator.name and estimator.summary for name, estimator in ESTIMATORS.items())
    assert get_estimator("permutation") is PERMUTATION is get_estimator(PERMUTATION)
    with pytest.raises(InputError, match=r"unknown estimator 'guess'.*exact.*permutation"):
        get_estimator("guess")


def test_exact_above_its_limit_names_cost_and_alternative() -> None:
    check_affordable(EXACT, 24, None)
    with pytest.raises(InputError, match=r"25 regions take 2\^25 = 33,554,432 .*permutation.*budget"):
        check_affordable(EXACT, 25, None)
    check_affordable(PERMUTATION, 196, 1000)


@pytest.mark.parametrize(
    ("name", "n", "budget"), [("exact", 4, 15), ("permutation", 4, None), ("permutation", 16, 9)]
)
def test_budgets_that_mean_nothing(name: str, n: int, budget: int | None) -> None:
    with pytest.raises(InputError, match="budget"):
        make_plan(get_estimator(name), n, budget, 0)


def test_estimators_say_what_matters_to_them() -> None:
    assert {name for name, e in ESTIMATORS.items() if not e.random} == {"exact", "partition", "occlusion"}
    placed = {name for name, e in ESTIMATORS.items() if e.uses_adjacency}
    assert placed == {"odd-gp", "partition", "regression-adjusted"}
    for name, estimator in ESTIMATORS.items():
        plans = [
            make_plan(estimator, 6, None if estimator.exhaustive else 30, seed, Grid(2, 3)).coalitions
            for seed in (0, 1)
        ]
        assert np.array_equal(*plans) != estimator.random, name
        assert (estimator.estimates == "Shapley values") == estimator.consistent, name


@pytest.mark.parametrize("name", [name for name, e in ESTIMATORS.items() if not e.exhaustive])
def test_budgets_without_end_are_clipped_or_refused(name: str) -> None:
    estimator = ESTIMATORS[name]
    plan = make_plan(estimator, 10, 10**30, 0)
    np.testing.assert_array_equal(plan.coalitions, make_plan(estimator, 10, 1 << 10, 0).coalitions)
    check_affordable(estimator, 25, estimator.max_budget or 1 << 24)
    for n in (25, 49):
        with pytest.raises(
            InputError, match=r"more than the (limit of 2\^24; use a smaller|largest that it takes)"
        ):
            make_plan(estimator, n, (1 << 24) + 1, 0)


def test_one_estimator_or_several() -> None:
    assert get_estimators("permutation") == get_estimators([PERMUTATION]) == [PERMUTATION]
    assert get_estimators(("exact", "permutation")) == [EXACT, PERMUTATION]
    with pytest.raises(InputError, match=r"unknown estimator 'nothing'; there are exact"):
        get_estimators(["exact", "nothing"])
    with pytest.raises(InputError, match=r"which estimator\? there are exact"):
        get_estimators([])


def test_regions_of_another_game_are_refused() -> None:
    with pytest.raises(InputError, match="16 players, the regions are 4"):
        make_plan(PERMUTATION, 16, 100, 0, Grid(2, 2))
