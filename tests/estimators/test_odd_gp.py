"""The odd Gaussian process: what holds for every game, and what it is worth on real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlx.estimators.gp.odd_gp import ODD_GP
from hlx.estimators.gp.posterior import OddKernel
from hlx.estimators.gp.spread_pairs import bit_keys, size_sequence, spread_pairs
from hlx.estimators.gp.triples import MOST_TRIPLES, log_distances, triples_of
from hlx.estimators.registry import get_estimator, make_plan
from hlx.games.coalitions import all_rows, ids_from_rows, rows_from_ids
from hlx.games.regions import Grid, LabelMap
from hlx.kernels import shapley

GRIDS = {4: Grid(2, 2), 6: Grid(2, 3), 8: Grid(2, 4), 16: Grid(4, 4)}


def smooth_game(n: int, seed: int) -> np.ndarray:
    """A saturating sum with some pairs that matter together: the kind of game that models make."""
    rng = np.random.default_rng(seed)
    rows = all_rows(n).astype(float)
    pairs = rng.normal(size=(n, n)) * 0.3
    return np.tanh(rows @ rng.normal(size=n) + np.einsum("ci,ij,cj->c", rows, pairs, rows) / n)


@settings(max_examples=20)
@given(n=st.integers(1, 30), pairs=st.integers(0, 60), seed=st.integers(0, 2**32 - 1))
def test_spread_pairs_are_distinct_and_fewer_are_the_first_of_more(n: int, pairs: int, seed: int) -> None:
    shown = spread_pairs(n, pairs, np.random.default_rng(seed))
    assert len(shown) == min(pairs, (1 << (n - 1)) - 1)
    both = np.concatenate([shown, ~shown, [[True] * n], [[False] * n]])
    assert len(np.unique(both, axis=0)) == 2 * len(shown) + 2
    assert (shown.sum(axis=1) == size_sequence(n, pairs)).all()
    fewer = spread_pairs(n, pairs // 2, np.random.default_rng(seed))
    assert (fewer == shown[: len(fewer)]).all()


def test_spread_pairs_lie_farther_apart_than_random_ones() -> None:
    sizes = size_sequence(16, 100)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        chosen = 2.0 * spread_pairs(16, 100, rng) - 1
        drawn = 2.0 * (rng.random((100, 16)).argsort(axis=1).argsort(axis=1) < sizes[:, None]) - 1
        overlaps = [np.cosh(np.triu(x @ x.T, 1) * 1.5 / 4).sum() for x in (chosen, drawn)]
        assert overlaps[0] < overlaps[1]


def test_bit_keys_tell_rows_of_any_width_apart() -> None:
    rows = np.random.default_rng(0).random((50, 196)) < 0.5
    apart = np.bitwise_count(bit_keys(rows)[:, None] ^ bit_keys(rows)).sum(axis=2)
    assert (apart == (rows[:, None] ^ rows).sum(axis=2)).all()


@pytest.mark.parametrize("n", [1, 2, 3, 4, 6])
def test_every_part_agrees_with_the_exact_operator(n: int) -> None:
    """Covariances with the Shapley values are the Shapley values of covariances."""
    kernel = OddKernel(n, triples_of(n, GRIDS.get(n)))
    theta = kernel.start + np.random.default_rng(n).normal(size=len(kernel.start)) * 0.5
    rows = kernel.rows(all_rows(n))
    for part, own in zip(kernel.parts, kernel.slices, strict=True):
        covariance = part.covariance(theta[own], theta[-n:], rows, rows)[0]
        to_phi = shapley(np.ascontiguousarray(covariance.T))
        np.testing.assert_allclose(
            part.to_phi(theta[own], theta[-n:], rows).T,
            to_phi,
            atol=1e-12,
            err_msg=type(part).__name__,
        )
        of_phi = shapley(np.ascontiguousarray(to_phi.T))
        np.testing.assert_allclose(part.of_phi(theta[own], theta[-n:]), of_phi, atol=1e-12)


@settings(max_examples=6)
@given(n=st.sampled_from([2, 3, 6]), seed=st.integers(0, 1000))
def test_gradient_of_the_evidence(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    kernel = OddKernel(n, triples_of(n, GRIDS.get(n)))
    rows = kernel.rows(np.concatenate([spread_pairs(n, 20, rng), np.ones((1, n), bool)]))
    y = rng.normal(size=len(rows.shown))
    theta = kernel.start + rng.normal(size=len(kernel.start)) * 0.5
    slope = kernel.loss(theta, rows, y)[1]
    shifts = 1e-5 * np.eye(len(theta))
    numeric = [
        (kernel.loss(theta + h, rows, y)[0] - kernel.loss(theta - h, rows, y)[0]) / 2e-5 for h in shifts
    ]
    np.testing.assert_allclose(slope, numeric, rtol=1e-4, atol=1e-4)


@settings(max_examples=5)
@given(n=st.sampled_from([3, 4, 5]), seed=st.integers(0, 1000), extra=st.integers(0, 20))
def test_values_are_efficient_and_follow_scale_and_offset(n: int, seed: int, extra: int) -> None:
    table = smooth_game(n, seed)
    plan = ODD_GP.plan(n, n + 1 + extra, np.random.default_rng(seed), GRIDS.get(n))
    assert len(plan.coalitions) <= n + 1 + extra
    values = table[ids_from_rows(plan.coalitions)]
    once, again = plan.solve(values), plan.solve(np.stack([values, 3 - 1000 * values]))
    assert once.values.sum() == pytest.approx(table[-1] - table[0], abs=1e-9)
    np.testing.assert_array_equal(again.values[0], once.values)
    np.testing.assert_allclose(
        again.values[1], -1000 * once.values, rtol=1e-3, atol=1e-2 * np.abs(once.values).max()
    )
    assert once.standard_error is not None and (once.standard_error >= 0).all()


@pytest.mark.parametrize("n", [1, 2, 3, 7, 16])
def test_constant_and_additive_games(n: int) -> None:
    plan = ODD_GP.plan(n, 4 * n + 2, np.random.default_rng(0), None)
    weights = np.random.default_rng(n).normal(size=n)
    constant, additive = plan.solve(
        np.stack([np.full(len(plan.coalitions), 2.5), plan.coalitions @ weights + 7])
    ).values
    assert (constant == 0).all()
    if len(plan.coalitions) > n:
        np.testing.assert_allclose(additive, weights, atol=5e-3 * np.abs(weights).max())


def test_a_full_sample_gives_the_exact_values() -> None:
    """With every pair known nothing is left to interpolate."""
    table = smooth_game(6, 1)
    plan = ODD_GP.plan(6, 64, np.random.default_rng(0), Grid(2, 3))
    found = plan.solve(table[ids_from_rows(plan.coalitions)])
    np.testing.assert_allclose(found.values, shapley(table), atol=1e-4)


@pytest.mark.parametrize(("n", "regions"), [(36, Grid(6, 6)), (36, None), (196, Grid(14, 14))])
def test_many_players(n: int, regions: Grid | None) -> None:
    """Nearly additive with a few triples of neighbours: far better than equal shares."""
    plan = ODD_GP.plan(n, 3 * n // 2 + 40, np.random.default_rng(0), regions)
    effects = np.random.default_rng(1).normal(size=n)
    signs = 2.0 * plan.coalitions - 1
    values = signs @ effects + signs[:, 0] * signs[:, 1] * signs[:, 2]
    truth = 2 * effects
    truth[:3] += 2 / 3
    found = plan.solve(values)
    assert np.square(found.values - truth).mean() < 0.5 * truth.var()
    assert np.isfinite(found.standard_error).all()


def test_triples_are_of_neighbours_where_there_are_many() -> None:
    members, spreads = triples_of(49, Grid(7, 7))
    assert 1000 < len(members) <= MOST_TRIPLES
    assert [0, 1, 7] in members.tolist() and [0, 6, 48] not in members.tolist()
    assert spreads.max() < -0.7
    assert len(triples_of(49, None).members) == 0


def test_label_maps_have_the_distances_of_the_grid_they_draw() -> None:
    grid = Grid(3, 5)
    drawn = LabelMap(grid.labels(60))
    np.testing.assert_allclose(log_distances(drawn), log_distances(grid), atol=1e-6)


@pytest.fixture(scope="module")
def vit_games(shared: Path) -> np.ndarray:
    return np.load(shared / "games" / "vit16_games.npz")["values"].astype(np.float64)


def test_real_games(vit_games: np.ndarray) -> None:
    """Less than half of leverage sampling's error, and intervals that hold."""
    games = vit_games[:3:2]
    truth = shapley(games)
    for budget, most in ((37, 1.1), (140, 0.6)):
        errors: dict[str, list[float]] = {"odd-gp": [], "leverage": []}
        covered = []
        for seed in range(2):
            for name, estimator in (("odd-gp", ODD_GP), ("leverage", get_estimator("leverage"))):
                plan = make_plan(estimator, 16, budget, seed, Grid(4, 4))
                found = plan.solve(games[:, ids_from_rows(plan.coalitions)])
                errors[name].append(np.square(found.values - truth).mean())
                if name == "odd-gp":
                    covered.append(np.abs(found.values - truth) < 1.96 * found.standard_error)
        assert np.mean(errors["odd-gp"]) < most * np.mean(errors["leverage"])
        assert 0.85 < np.mean(covered) <= 1


def test_plans_are_the_same_on_every_run() -> None:
    first, second = (make_plan(ODD_GP, 9, 60, 5, Grid(3, 3)) for _ in range(2))
    np.testing.assert_array_equal(first.coalitions, second.coalitions)
    assert not np.array_equal(first.coalitions, make_plan(ODD_GP, 9, 60, 6, Grid(3, 3)).coalitions)
    smaller = make_plan(ODD_GP, 9, 31, 5, Grid(3, 3)).coalitions
    assert set(ids_from_rows(smaller)) <= set(ids_from_rows(first.coalitions))
    assert (rows_from_ids(np.array([0, 511]), 9) == first.coalitions[[0, -1]]).all()
