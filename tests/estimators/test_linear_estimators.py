"""What the linear sampled estimators promise one by one, and how their draws fill a budget."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlx.estimators import Plan, make_plan
from hlx.estimators.draws import in_order_of_appearance, within
from hlx.estimators.kernelshap import KERNEL, LEVERAGE, PairedRegressionPlan
from hlx.estimators.permutation import OWEN, PERMUTATION, MarginalContributionsPlan
from hlx.estimators.size_strata import apportion, draw_stratum, stratum_population
from hlx.estimators.svarm import SVARM, SvarmPlan
from hlx.games.coalitions import all_rows, ids_from_rows, none_and_all
from hlx.games.game import shapley_from_table


def values_of(plan: Plan, table: np.ndarray) -> np.ndarray:
    return table[..., ids_from_rows(plan.coalitions)]


def sizes_of(plan: Plan) -> np.ndarray:
    return np.bincount(plan.coalitions.sum(axis=1), minlength=plan.n_players + 1)


# Draws


@given(k=st.integers(1, 30), r=st.integers(1, 4), n=st.sampled_from([3, 4, 70]), seed=st.integers(0, 999))
def test_draws_stop_before_the_first_too_many(k: int, r: int, n: int, seed: int) -> None:
    """Rows lead back to what was drawn; one draw more would exceed the budget."""
    rng = np.random.default_rng(seed)
    drawn = rng.random((k, r, n)) < 0.5
    budget = int(rng.integers(2, 2 + k * r))
    draws = within(drawn, budget)
    kept = len(draws.rows)
    np.testing.assert_array_equal(draws.coalitions[draws.rows], drawn[:kept])
    assert len(draws.coalitions) <= budget
    assert len(np.unique(draws.coalitions, axis=0)) == len(draws.coalitions)
    if kept < k:
        asked = np.concatenate([none_and_all(n), drawn[: kept + 1].reshape(-1, n)])
        assert len(np.unique(asked, axis=0)) > budget


@given(m=st.integers(1, 60), n=st.sampled_from([2, 5, 63, 64, 100]), seed=st.integers(0, 999))
def test_distinct_rows_in_order_of_appearance(m: int, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = (rng.random((9, n)) < 0.5)[rng.integers(0, 9, m)]
    first, number = in_order_of_appearance(rows)
    assert (np.diff(first) > 0).all()
    np.testing.assert_array_equal(rows[first][number], rows)
    assert len(np.unique(rows, axis=0)) == len(first)


# Strata of size


@given(n=st.integers(2, 12), seed=st.integers(0, 99), share=st.floats(0, 1))
def test_a_stratum_is_drawn_without_replacement(n: int, seed: int, share: float) -> None:
    """Distinct pairs of one size, of n/2 one of each two alike, up to all there are."""
    size = 1 + seed % (n // 2)
    population = stratum_population(n, size)
    pairs = round(share * population)
    rows = draw_stratum(n, size, pairs, np.random.default_rng(seed))
    assert rows.shape == (pairs, n) and (rows.sum(axis=1) == size).all()
    full = (1 << n) - 1
    assert len({min(i, full - i) for i in ids_from_rows(rows).tolist()}) == pairs


@pytest.mark.parametrize(("n", "size"), [(30, 15), (40, 7), (196, 98)])
def test_large_strata_are_drawn_without_replacement(n: int, size: int) -> None:
    rows = draw_stratum(n, size, 500, np.random.default_rng(0))
    assert (rows.sum(axis=1) == size).all()
    both = np.concatenate([rows, ~rows]) if 2 * size == n else rows
    assert len(np.unique(both, axis=0)) == len(both)
    np.testing.assert_array_equal(draw_stratum(n, size, 100, np.random.default_rng(0)), rows[:100])


def test_every_pair_of_a_stratum_is_as_likely() -> None:
    drawn = [draw_stratum(6, 3, 2, np.random.default_rng(seed)) for seed in range(2000)]
    ids = ids_from_rows(np.concatenate(drawn))
    counts = np.bincount(np.minimum(ids, 63 - ids), minlength=32)
    counts = counts[counts > 0]
    assert len(counts) == 10
    assert np.square(counts - 400).sum() / 400 < 27.9  # 99.9% of chi-square with 9 degrees of freedom


@given(n=st.integers(2, 20), pairs=st.integers(0, 3000))
def test_apportionment_is_monotone_and_spends_everything(n: int, pairs: int) -> None:
    populations = [stratum_population(n, size) for size in range(1, n // 2 + 1)]
    shares = np.ones(len(populations))
    counts, more = (apportion(p, shares, populations) for p in (pairs, pairs + 1))
    assert counts.sum() == min(pairs, sum(populations))
    assert (counts <= populations).all() and (counts <= more).all()


# Permutation


def test_permutation_gives_a_dummy_nothing() -> None:
    rows = all_rows(7)
    table = np.random.default_rng(0).normal(size=64)[ids_from_rows(np.delete(rows, 3, axis=1))]
    plan = make_plan(PERMUTATION, 7, 60, 0)
    assert plan.solve(values_of(plan, table)).values[3] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("n", [3, 5, 16, 49])
def test_permutation_takes_one_order_then_pairs(n: int) -> None:
    for budget, orders in ((n + 1, 1), (2 * n - 1, 1), (2 * n, 2)):
        plan = PERMUTATION.plan(n, budget, np.random.default_rng(0), None)
        assert isinstance(plan, MarginalContributionsPlan)
        assert plan.after.shape[1:] == (orders, n) and len(plan.coalitions) <= budget
        assert plan.solve(np.zeros(len(plan.coalitions))).standard_error is None or len(plan.after) > 1


def test_permutation_repeats_for_nothing() -> None:
    """Near 2^n most pairs are known already and go on lowering the error."""
    plan = make_plan(PERMUTATION, 6, 63, 0)
    assert isinstance(plan, MarginalContributionsPlan)
    assert len(plan.after) > 61 // 10 + 2


# Kernel and leverage


@pytest.mark.parametrize("estimator", [KERNEL, LEVERAGE], ids=lambda estimator: estimator.name)
@given(n=st.integers(6, 12), seed=st.integers(0, 99))
@settings(max_examples=20)
def test_regression_of_an_additive_game_is_exact(estimator, n: int, seed: int) -> None:  # type: ignore[no-untyped-def]
    """Wherever nothing is shrunk, and then without error."""
    worth = np.random.default_rng(seed).normal(size=n)
    plan = make_plan(estimator, n, min(12 * n, (1 << n) - 1), seed)
    assert isinstance(plan, PairedRegressionPlan)
    estimate = plan.solve(plan.coalitions @ worth + 3)
    if plan.floored:
        assert estimate.standard_error is None
        return
    np.testing.assert_allclose(estimate.values, worth, atol=1e-9)
    if estimate.standard_error is not None:
        np.testing.assert_allclose(estimate.standard_error, 0, atol=1e-8)


@pytest.mark.parametrize("estimator", [KERNEL, LEVERAGE], ids=lambda estimator: estimator.name)
def test_regression_is_least_squares_of_the_sample(estimator) -> None:  # type: ignore[no-untyped-def]
    """Against the normal equations over all planned coalitions, complements and repeats included."""
    n, table = 8, np.random.default_rng(0).normal(size=256)
    plan = make_plan(estimator, n, 150, 0)
    assert isinstance(plan, PairedRegressionPlan) and not plan.floored
    values = values_of(plan, table)
    size = plan.stratum
    weights = plan.repeats.astype(float)
    if estimator is LEVERAGE:
        weights = 1 / (size * (n - size) * np.bincount(size)[size]) * np.where(2 * size == n, 0.5, 1)
    rows = plan.pairs.T.reshape(-1)
    root = np.sqrt(np.r_[weights, weights])
    # The constraint by elimination of the last player.
    z, total = plan.coalitions[rows].astype(float), values[-1] - values[0]
    design = (z[:, :-1] - z[:, -1:]) * root[:, None]
    target = (values[rows] - values[0] - z[:, -1] * total) * root
    phi = np.linalg.lstsq(design, target, rcond=None)[0]
    np.testing.assert_allclose(plan.solve(values).values, np.r_[phi, total - phi.sum()], atol=1e-10)


@pytest.mark.parametrize("estimator", [KERNEL, LEVERAGE], ids=lambda estimator: estimator.name)
def test_regression_is_tame_with_as_many_pairs_as_players(estimator) -> None:  # type: ignore[no-untyped-def]
    """No budget around two evaluations a player is much worse than half of it."""
    n, rng = 12, np.random.default_rng(0)
    table = all_rows(n) @ rng.normal(size=n) + rng.normal(size=1 << n)
    exact = shapley_from_table(table)

    def error(budget: int) -> float:
        plans = [make_plan(estimator, n, budget, seed) for seed in range(40)]
        return float(np.mean([np.square(p.solve(values_of(p, table)).values - exact) for p in plans]))

    few = error(14)
    assert max(error(budget) for budget in range(22, 34, 2)) < 1.2 * few


def test_leverage_takes_every_size_alike() -> None:
    sizes = sizes_of(make_plan(LEVERAGE, 16, 394, 0))
    assert sizes[1] == 16 and sizes.sum() == 394
    assert np.ptp(sizes[2:15]) <= 2
    np.testing.assert_array_equal(sizes, sizes[::-1])


def test_kernel_takes_sizes_by_the_shapley_kernel() -> None:
    n, counts = 9, np.zeros(10)
    for seed in range(40):
        plan = make_plan(KERNEL, n, 200, seed)
        assert isinstance(plan, PairedRegressionPlan)
        np.add.at(counts, plan.coalitions[plan.pairs].sum(axis=2), plan.repeats[:, None])
    kernel = 1 / (np.arange(1, n) * (n - np.arange(1, n)))
    np.testing.assert_allclose(counts[1:-1] / counts.sum(), kernel / kernel.sum(), atol=0.015)


# SVARM


@given(n=st.integers(3, 12), seed=st.integers(0, 99), share=st.floats(0, 1))
def test_svarm_is_the_mean_of_strata_means(n: int, seed: int, share: float) -> None:
    """Against means taken player by player and size by size, wherever no stratum is empty."""
    least = min(2 * n + 2, 1 << n)
    table = np.random.default_rng(seed).normal(size=1 << n)
    plan = SVARM.plan(n, least + int(share * ((1 << n) - least)), np.random.default_rng(seed), None)
    assert isinstance(plan, SvarmPlan)
    sizes = sizes_of(plan)
    assert sizes[0] == sizes[n] == 1 and sizes[1] == sizes[n - 1] == n
    if (plan.counts[1:] == 0).any():
        return
    values, rows = values_of(plan, table), plan.coalitions
    size = rows.sum(axis=1)
    phi = np.array(
        [
            np.mean([values[rows[:, i] & (size == a)].mean() for a in range(1, n + 1)])
            - np.mean([values[~rows[:, i] & (size == a)].mean() for a in range(n)])
            for i in range(n)
        ]
    )
    phi += (table[-1] - table[0] - phi.sum()) / n
    np.testing.assert_allclose(plan.solve(values).values, phi, atol=1e-10)


@pytest.mark.parametrize("n", [4, 7, 16, 49])
def test_svarm_fills_empty_strata_so_that_additive_games_are_exact(n: int) -> None:
    worth = np.linspace(-1, 2, n)
    plan = SVARM.plan(n, 2 * n + 2, np.random.default_rng(0), None)
    assert isinstance(plan, SvarmPlan) and (plan.counts[1:] == 0).any()
    estimate = plan.solve(plan.coalitions @ worth)
    np.testing.assert_allclose(estimate.values, worth, atol=1e-9)
    assert estimate.standard_error is None


# Owen


@given(n=st.integers(1, 12), seed=st.integers(0, 99))
def test_owen_toggles_every_player(n: int, seed: int) -> None:
    plan = OWEN.plan(n, min(6 * n, 1 << n) + 3, np.random.default_rng(seed), None)
    assert isinstance(plan, MarginalContributionsPlan)
    without, with_player = plan.coalitions[plan.before], plan.coalitions[plan.after]
    np.testing.assert_array_equal(
        with_player & ~without, np.broadcast_to(np.eye(n, dtype=bool), without.shape)
    )
    assert not (without & ~with_player).any()


def test_owen_draws_all_sizes_alike() -> None:
    """Integrated over q every number of other players shown is as likely; the Gauss nodes keep that."""
    n, counts = 7, np.zeros(7)
    for seed in range(60):
        plan = make_plan(OWEN, n, 2 * n + 4, seed)
        assert isinstance(plan, MarginalContributionsPlan)
        counts += np.bincount(plan.coalitions[plan.before].sum(axis=-1)[:1].ravel(), minlength=n)
    np.testing.assert_allclose(counts / counts.sum(), 1 / n, atol=0.06)
