"""Winter values: their axioms, their closed form at 4 x 4, other regions, and what a small budget gives."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from hlx.estimators.estimator import Plan
from hlx.estimators.partition import PARTITION, halving, region_centroids
from hlx.games.coalitions import ids_from_rows
from hlx.games.regions import Grid, LabelMap, Regions
from hlx.kernels import shapley

WHOLE = 10**6
"""A budget for any whole tree here."""


def plan_of(n: int, budget: int = WHOLE, regions: Regions | None = None) -> Plan:
    return PARTITION.plan(n, budget, np.random.default_rng(0), regions)


def winter(table: np.ndarray, budget: int = WHOLE, regions: Regions | None = None) -> np.ndarray:
    plan = plan_of(table.shape[-1].bit_length() - 1, budget, regions)
    return plan.solve(table[..., ids_from_rows(plan.coalitions)]).values


def random_table(n: int, seed: int, *games: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(*games, 1 << n))


def permuted(table: np.ndarray, order: list[int]) -> np.ndarray:
    """The game in which player i plays as player order[i] does in this one."""
    n = len(order)
    ids = np.arange(1 << n)
    return table[sum(((ids >> i) & 1) << order[i] for i in range(n))]


@st.composite
def cases(draw: st.DrawFn) -> tuple[np.ndarray, Regions | None]:
    """A random game of 1 to 9 players, on a grid, a label map or neither."""
    kind = draw(st.sampled_from(["none", "grid", "labels"]))
    if kind == "none":
        n, regions = draw(st.integers(1, 9)), None
    elif kind == "grid":
        rows, cols = draw(st.sampled_from([(1, 2), (2, 1), (2, 2), (3, 2), (3, 3), (1, 5), (2, 4)]))
        n, regions = rows * cols, Grid(rows, cols)
    else:
        n = draw(st.integers(2, 9))
        pixels = np.random.default_rng(draw(st.integers(0, 99))).integers(0, n, (8, 6))
        pixels.flat[:n] = np.arange(n)
        regions = LabelMap(pixels)
    return random_table(n, draw(st.integers(0, 2**32))), regions


@given(cases(), st.integers(0, 40))
def test_plans_are_distinct_within_budget_and_nested(case, spare: int) -> None:
    table, regions = case
    n = len(table).bit_length() - 1
    rows = [plan_of(n, budget, regions).coalitions for budget in (n + 1, n + 1 + spare, WHOLE)]
    assert len(rows[0]) <= n + 1 and len(rows[1]) <= n + 1 + spare
    sets = [set(ids_from_rows(part).tolist()) for part in rows]
    assert sets[0] <= sets[1] <= sets[2]
    for part, ids in zip(rows, sets, strict=True):
        assert len(ids) == len(part)
        assert not part[0].any() and part[-1].all()


@given(cases(), st.integers(0, 60))
def test_shares_add_up_at_any_budget(case, spare: int) -> None:
    table, regions = case
    n = len(table).bit_length() - 1
    assert winter(table, n + 1 + spare, regions).sum() == pytest.approx(table[-1] - table[0], abs=1e-12)


@given(cases(), st.integers(0, 8))
def test_players_that_change_nothing_get_nothing(case, player: int) -> None:
    table, regions = case
    n = len(table).bit_length() - 1
    player %= n
    dummy = table[np.arange(1 << n) & ~(1 << player)]
    assert winter(dummy, WHOLE, regions)[player] == pytest.approx(0, abs=1e-12)


@given(cases())
def test_additive_games_give_their_weights(case) -> None:
    table, regions = case
    n = len(table).bit_length() - 1
    weights = table[:n] if n > 1 else table[:1]
    additive = ((np.arange(1 << n)[:, None] >> np.arange(n)) & 1) @ weights + 3.0
    np.testing.assert_allclose(winter(additive, WHOLE, regions), weights, atol=1e-12)


@given(cases(), st.integers(0, 60), st.floats(-3, 3))
def test_is_linear_and_solves_many_games_as_one(case, spare: int, factor: float) -> None:
    table, regions = case
    n = len(table).bit_length() - 1
    other, budget = table[::-1].copy() ** 2, n + 1 + spare
    single = np.stack([winter(v, budget, regions) for v in (table, other, table + factor * other)])
    together = winter(np.stack([table, other, table + factor * other]), budget, regions)
    np.testing.assert_allclose(together, single, atol=1e-13)
    np.testing.assert_allclose(single[2], single[0] + factor * single[1], atol=1e-10)


@given(cases())
def test_halves_share_as_two_players_do(case) -> None:
    """Blocks get what they would as players: halved once, and still when halved all the way down."""
    table, regions = case
    n = len(table).bit_length() - 1
    if n == 1:
        return
    first, second = halving(n, regions)(np.arange(n))
    assert len(first) - len(second) in (0, 1) or isinstance(regions, Grid)
    a, b = (int((1 << half).sum()) for half in (first, second))
    expected = shapley(table[[0, a, b, -1]])
    values = winter(table, WHOLE, regions)
    np.testing.assert_allclose([values[first].sum(), values[second].sum()], expected, atol=1e-12)
    coarse = winter(table, 4, regions)
    np.testing.assert_allclose(coarse[first], expected[0] / len(first), atol=1e-12)


def test_siblings_are_treated_alike_and_others_are_not() -> None:
    table, order = random_table(4, 5), [1, 0, 2, 3]
    symmetric = table + permuted(table, order)
    found = winter(symmetric, WHOLE, Grid(2, 2))
    assert found[0] == pytest.approx(found[1], abs=1e-12)
    across = winter(table + permuted(table, [0, 2, 1, 3]), WHOLE, Grid(2, 2))
    assert abs(across[1] - across[2]) > 1e-3


def test_closed_form_at_4_by_4() -> None:
    """The 16 unions of a cell's neighbour, the other half of its row, the row beside and the other half."""
    table = random_table(16, 1)
    plan = plan_of(16, 172, Grid(4, 4))
    assert len(plan.coalitions) == 172
    found = plan.solve(table[ids_from_rows(plan.coalitions)]).values
    cells = np.arange(16).reshape(4, 4)
    for row, col in product(range(4), range(4)):
        blocks = [
            cells[row, [col ^ 1]],
            cells[row, [col // 2 * 2 ^ 2, col // 2 * 2 ^ 3]],
            cells[row ^ 1],
            cells[[row // 2 * 2 ^ 2, row // 2 * 2 ^ 3]].ravel(),
        ]
        unions = [sum(int((1 << block).sum()) for block, taken in zip(blocks, which, strict=True) if taken)
                  for which in product((0, 1), repeat=4)]  # fmt: skip
        gains = [table[union | 1 << cells[row, col]] - table[union] for union in unions]
        assert found[cells[row, col]] == pytest.approx(np.mean(gains), abs=1e-12)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_few_players(n: int) -> None:
    table = random_table(n, n)
    assert len(plan_of(n).coalitions) <= 1 << n
    if n <= 2:
        np.testing.assert_allclose(winter(table), shapley(table), atol=1e-12)
    np.testing.assert_allclose(winter(table, 2), (table[-1] - table[0]) / n, atol=1e-12)


@pytest.mark.parametrize(("side", "whole"), [(7, 1804), (14, 28844)])
def test_wide_grids(side: int, whole: int) -> None:
    n = side * side
    weights = np.random.default_rng(side).normal(size=n)
    plan = plan_of(n, WHOLE, Grid(side, side))
    assert len(plan.coalitions) == whole
    np.testing.assert_allclose(plan.solve(plan.coalitions @ weights).values, weights, atol=1e-10)
    few = plan_of(n, 394, Grid(side, side))
    assert 172 <= len(few.coalitions) <= 394
    # Blocks of equal shares: whole rows or parts of them.
    shares = few.solve(few.coalitions @ weights).values
    assert 4 < len(np.unique(shares.round(9))) < n
    assert shares.sum() == pytest.approx(weights.sum())


def test_an_incomplete_level_halves_as_many_blocks_as_fit() -> None:
    table = random_table(16, 3)
    counts = [
        len(plan_of(16, budget, Grid(4, 4)).coalitions) for budget in (2, 3, 4, 7, 8, 12, 20, 43, 44, 300)
    ]
    assert counts == [2, 2, 4, 4, 8, 12, 20, 36, 44, 172]
    whole, part = winter(table, WHOLE, Grid(4, 4)), winter(table, 20, Grid(4, 4))
    rows = part.reshape(4, 4)
    np.testing.assert_allclose(rows.sum(axis=1), whole.reshape(4, 4).sum(axis=1))
    np.testing.assert_allclose(rows[0].reshape(2, 2).sum(axis=1), whole[:4].reshape(2, 2).sum(axis=1))
    assert [len(np.unique(row.round(9))) for row in rows] == [2, 1, 1, 1]


def test_label_maps_are_halved_across_their_longer_side() -> None:
    order = np.array([5, 2, 7, 0, 3, 6, 1, 4])
    strips = np.repeat(order, 3)[None, :].repeat(4, axis=0)
    for pixels in (strips, strips.T):
        halve = halving(8, LabelMap(pixels))
        first, second = halve(np.arange(8))
        assert set(first) == set(order[:4]) and set(second) == set(order[4:])
        assert set(halve(second)[0]) == set(order[4:6])
    np.testing.assert_allclose(region_centroids(LabelMap(strips))[5], [1.5, 1.0])


def test_a_label_map_of_quadrants_is_the_grid() -> None:
    table = random_table(4, 2)
    quadrants = LabelMap(Grid(2, 2).labels(10))
    np.testing.assert_array_equal(winter(table, WHOLE, quadrants), winter(table, WHOLE, Grid(2, 2)))


def test_moves_the_map_of_real_games(shared: Path) -> None:
    tables = np.load(shared / "games" / "vit16_games.npz")["values"].astype(np.float64)
    found, exact = winter(tables, 300, Grid(4, 4)), shapley(tables)
    ranks = [spearmanr(abs(a), abs(b)).statistic for a, b in zip(found, exact, strict=True)]
    assert np.mean(ranks) == pytest.approx(0.695, abs=0.005)
