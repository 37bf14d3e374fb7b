"""Occlusion and RISE: what they measure, at any number of players."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlx.estimators.estimator import Estimator, Plan
from hlx.estimators.occlusion import OCCLUSION
from hlx.estimators.registry import make_plan
from hlx.estimators.rise import RISE
from hlx.games.coalitions import ids_from_rows
from hlx.kernels import banzhaf

BOTH = pytest.mark.parametrize("estimator", [OCCLUSION, RISE], ids=lambda estimator: estimator.name)


def plan_of(estimator: Estimator, n: int, budget: int, seed: int = 0) -> Plan:
    return estimator.plan(n, budget, np.random.default_rng(seed), None)


def solved(estimator: Estimator, table: np.ndarray, budget: int, seed: int = 0) -> np.ndarray:
    plan = plan_of(estimator, table.shape[-1].bit_length() - 1, budget, seed)
    return plan.solve(table[..., ids_from_rows(plan.coalitions)]).values


def random_table(n: int, seed: int, *games: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(*games, 1 << n))


@BOTH
@given(n=st.integers(1, 12), spare=st.integers(0, 50), seed=st.integers(0, 2**32))
def test_plans_are_distinct_within_budget_and_nested(estimator, n: int, spare: int, seed: int) -> None:
    least = estimator.lowest_budget(n)
    small, large = (plan_of(estimator, n, b, seed).coalitions for b in (least + spare // 2, least + spare))
    assert len(small) <= least + spare // 2 and len(large) <= least + spare
    ids = [ids_from_rows(rows) for rows in (small, large)]
    assert set(ids[0]) <= set(ids[1])
    for rows, each in zip((small, large), ids, strict=True):
        assert len(set(each)) == len(rows)
        assert not rows[0].any() and rows[-1].all()


@BOTH
@pytest.mark.parametrize("n", [1, 2, 3, 8, 49, 196])
def test_is_linear_blind_to_the_level_and_solves_many_games_as_one(estimator, n: int) -> None:
    plan = plan_of(estimator, n, 400)
    rng = np.random.default_rng(n)
    values = rng.normal(size=(2, len(plan.coalitions)))
    both = plan.solve(values)
    assert both.standard_error is None and both.values.shape == (2, n)
    for one, found in zip(values, both.values, strict=True):
        np.testing.assert_allclose(plan.solve(one).values, found, atol=1e-13)
    shifted = plan.solve(7 + values[0] - 2 * values[1]).values
    np.testing.assert_allclose(shifted, both.values[0] - 2 * both.values[1], atol=1e-12)
    assert plan.solve(values.astype(np.float32)).values.dtype == np.float64


@given(n=st.integers(1, 8), seed=st.integers(0, 2**32))
def test_occlusion_is_the_loss_of_each_player_alone(n: int, seed: int) -> None:
    table = random_table(n, seed)
    full = (1 << n) - 1
    expected = [table[full] - table[full ^ 1 << player] for player in range(n)]
    np.testing.assert_allclose(solved(OCCLUSION, table, 1000), expected, atol=1e-14)
    assert len(plan_of(OCCLUSION, n, 1000).coalitions) == min(n + 2, 1 << n) == OCCLUSION.min_budget(n)


def test_occlusion_overlooks_players_that_stand_in_for_each_other() -> None:
    either = np.array([0.0, 1.0, 1.0, 1.0])
    np.testing.assert_array_equal(solved(OCCLUSION, either, 4), [0.0, 0.0])


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_rise_of_all_masks_is_half_the_banzhaf_value(n: int) -> None:
    table = random_table(n, n, 3)
    plan = plan_of(RISE, n, 1 << n)
    assert len(plan.coalitions) == 1 << n
    np.testing.assert_allclose(solved(RISE, table, 1 << n), banzhaf(table) / 2, atol=1e-13)


@given(seed=st.integers(0, 2**32), budget=st.integers(2, 200))
def test_rise_is_the_mean_over_masks_that_show_a_player(seed: int, budget: int) -> None:
    table = random_table(8, seed)
    plan = plan_of(RISE, 8, budget, seed)
    values = table[ids_from_rows(plan.coalitions)]
    saliency = np.array([values[plan.coalitions[:, player]].mean() for player in range(8)])
    np.testing.assert_allclose(plan.solve(values).values, saliency - values.mean(), atol=1e-13)


def test_rise_of_a_constant_game_is_nothing_at_all() -> None:
    """Not rounding noise, which a map would be coloured by."""
    assert not solved(RISE, np.full((2, 1 << 10), 0.1), 300).any()


def test_rise_of_a_budget_of_everything_ends_at_once() -> None:
    plan = make_plan(RISE, 16, 10**30, 0)
    assert len(plan.coalitions) == 1 << 16


def test_rise_approaches_half_the_banzhaf_value() -> None:
    table = random_table(12, 0)
    found = np.array([solved(RISE, table, 600, seed) for seed in range(60)])
    error = found - banzhaf(table) / 2
    spread = found.std(axis=0, ddof=1) / np.sqrt(60)
    assert (abs(error.mean(axis=0)) < 4 * spread).all()
    assert abs(error).mean() < 0.05


def test_rise_shows_about_half_of_many_players() -> None:
    rows = plan_of(RISE, 196, 1000).coalitions
    assert len(rows) == len(np.unique(rows, axis=0)) == 1000
    assert rows.mean(axis=0).min() > 0.4 and rows.mean(axis=0).max() < 0.6
    assert abs(np.corrcoef(rows[1:-1].T) - np.eye(196)).max() < 0.2
