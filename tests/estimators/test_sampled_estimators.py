"""What every sampled estimator promises, on random games and on real ones. A new one joins `SUBJECTS`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hlx.errors import InputError
from hlx.estimators import ESTIMATORS, EXACT, Estimate, Estimator, Plan, make_plan
from hlx.estimators.gp.odd_gp import ODD_GP
from hlx.estimators.kernelshap import KERNEL, LEVERAGE
from hlx.estimators.permutation import OWEN, PERMUTATION
from hlx.estimators.regression_adjusted import REGRESSION_ADJUSTED
from hlx.estimators.svarm import SVARM
from hlx.games.coalitions import all_rows, ids_from_rows
from hlx.games.game import shapley_from_table


@dataclass(frozen=True)
class Subject:
    """An estimator, and what holds for it beyond what holds for all."""

    estimator: Estimator
    linear: bool = True
    # Whether the estimate is unbiased given this plan; None where it never is.
    unbiased: Callable[[Plan], bool] | None = None
    # How far a search that starts anew may end from where it ended before: of the largest value, and
    # ten times that of the largest error.
    search: float = 0.0


SUBJECTS = [
    Subject(PERMUTATION, unbiased=lambda plan: True),
    Subject(KERNEL),
    Subject(LEVERAGE),
    Subject(SVARM, unbiased=lambda plan: bool((plan.counts[1:] > 0).all())),
    Subject(OWEN, unbiased=lambda plan: True),
]

# A game takes these a tenth of a second and more: they are held to the same on a few small ones.
EXPENSIVE = [
    Subject(ODD_GP, linear=False, search=1e-2),
    Subject(REGRESSION_ADJUSTED, linear=False, search=1e-2),
]

every = pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.estimator.name)
every_unbiased = pytest.mark.parametrize(
    "subject",
    [subject for subject in SUBJECTS if subject.unbiased],
    ids=lambda subject: subject.estimator.name,
)

also_expensive = pytest.mark.parametrize(
    "subject", [*SUBJECTS, *EXPENSIVE], ids=lambda subject: subject.estimator.name
)


def random_tables(n: int, seed: int, games: int = 1) -> np.ndarray:
    """Games (games, 2^n) with interactions of all orders, and a constant."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(games, 1 << n)) * 3 + 10


def budget_between(estimator: Estimator, n: int, share: float) -> int:
    """A budget from the least one to at most 2^n - 1, or the only one there is."""
    low, high = estimator.lowest_budget(n), min((1 << n) - 1, 600)
    return low + int(share * max(0, high - low))


def solve(plan: Plan, tables: np.ndarray) -> Estimate:
    return plan.solve(tables[..., ids_from_rows(plan.coalitions)])


@every
@given(n=st.integers(1, 12), share=st.floats(0, 1), seed=st.integers(0, 999))
@settings(max_examples=40)
def test_budget_is_kept_and_rows_are_distinct(subject: Subject, n: int, share: float, seed: int) -> None:
    """No more coalitions than paid for, each once, nothing first and everything last."""
    budget = budget_between(subject.estimator, n, share)
    # Straight from the estimator, so that tiny games and full budgets reach it as well.
    plan = subject.estimator.plan(n, budget, np.random.default_rng(seed), None)
    rows = plan.coalitions
    assert rows.dtype == bool and rows.shape[1] == n and 2 <= len(rows) <= budget
    assert not rows[0].any() and rows[-1].all()
    assert len(np.unique(ids_from_rows(rows))) == len(rows)
    assert np.isfinite(solve(plan, random_tables(n, seed)).values).all()


@every
@given(n=st.integers(1, 12), shares=st.tuples(st.floats(0, 1), st.floats(0, 1)), seed=st.integers(0, 999))
@settings(max_examples=40)
def test_smaller_budgets_are_part_of_larger_ones(
    subject: Subject, n: int, shares: tuple[float, float], seed: int
) -> None:
    small, large = (
        set(ids_from_rows(make_plan(subject.estimator, n, budget, seed).coalitions).tolist())
        for budget in sorted(budget_between(subject.estimator, n, share) for share in shares)
    )
    assert small <= large


@every
@given(n=st.integers(1, 12), share=st.floats(0, 1), seed=st.integers(0, 999))
@settings(max_examples=40)
def test_values_add_up(subject: Subject, n: int, share: float, seed: int) -> None:
    """Efficiency, for many games at once; standard errors are no negative numbers."""
    tables = random_tables(n, seed, games=3)
    estimate = solve(
        make_plan(subject.estimator, n, budget_between(subject.estimator, n, share), seed), tables
    )
    assert estimate.values.shape == (3, n)
    np.testing.assert_allclose(estimate.values.sum(axis=1), tables[:, -1] - tables[:, 0], atol=1e-9)
    if estimate.standard_error is not None:
        assert estimate.standard_error.shape == (3, n)
        assert (estimate.standard_error >= 0).all()
        assert estimate.degrees_of_freedom is None or estimate.degrees_of_freedom >= 1


@every
@given(n=st.integers(1, 10), share=st.floats(0, 1), seed=st.integers(0, 999))
@settings(max_examples=30)
def test_many_games_are_as_one_by_one(subject: Subject, n: int, share: float, seed: int) -> None:
    tables = random_tables(n, seed, games=4).reshape(2, 2, -1)
    plan = make_plan(subject.estimator, n, budget_between(subject.estimator, n, share), seed)
    together = solve(plan, tables.reshape(4, -1))
    for game, table in enumerate(tables.reshape(4, -1)):
        alone = solve(plan, table)
        np.testing.assert_allclose(alone.values, together.values[game], atol=1e-10)
        assert (alone.standard_error is None) == (together.standard_error is None)
        if alone.standard_error is not None and together.standard_error is not None:
            np.testing.assert_allclose(alone.standard_error, together.standard_error[game], atol=1e-7)


@every
@given(
    n=st.integers(1, 10),
    share=st.floats(0, 1),
    seed=st.integers(0, 999),
    a=st.floats(-3, 3),
    b=st.floats(-3, 3),
)
@settings(max_examples=30)
def test_linear_in_the_game(subject: Subject, n: int, share: float, seed: int, a: float, b: float) -> None:
    """Scaling and shifting a game scales its values and errors; linear estimators also add up over games."""
    plan = make_plan(subject.estimator, n, budget_between(subject.estimator, n, share), seed)
    v, w = random_tables(n, seed, games=2)
    scaled, plain = solve(plan, 2 * v + 5), solve(plan, v)
    near = 1e-8 + subject.search * np.abs(plain.values).max()
    np.testing.assert_allclose(scaled.values, 2 * plain.values, atol=near)
    if scaled.standard_error is not None and plain.standard_error is not None:
        near = 1e-6 + 10 * subject.search * plain.standard_error.max()
        np.testing.assert_allclose(scaled.standard_error, 2 * plain.standard_error, atol=near)
    if subject.linear:
        mixed = a * plain.values + b * solve(plan, w).values
        np.testing.assert_allclose(solve(plan, a * v + b * w).values, mixed, atol=1e-8)


@every
@given(n=st.integers(1, 10), extra=st.integers(0, 99), seed=st.integers(0, 999))
@settings(max_examples=20)
def test_exact_where_the_budget_reaches_every_coalition(
    subject: Subject, n: int, extra: int, seed: int
) -> None:
    tables = random_tables(n, seed, games=2)
    estimate = solve(make_plan(subject.estimator, n, (1 << n) + extra, seed), tables)
    np.testing.assert_array_equal(estimate.values, shapley_from_table(tables))
    assert estimate.standard_error is None


@also_expensive
@pytest.mark.parametrize("n", [1, 2, 3, 16, 49, 196])
def test_least_budget_works_and_less_is_refused(subject: Subject, n: int) -> None:
    budget = subject.estimator.lowest_budget(n)
    rows = make_plan(subject.estimator, n, budget, 0).coalitions
    assert rows.shape[1] == n and len(rows) <= budget
    for less in (budget - 1, 0, -5):
        with pytest.raises(InputError, match=rf"budget of {less} .*use at least {budget}"):
            make_plan(subject.estimator, n, less, 0)


@every
@pytest.mark.parametrize("n", [49, 196])
def test_wide_grids_are_only_rows(subject: Subject, n: int) -> None:
    """More players than bits in an id: budgets are kept, games without interactions come close."""
    worth = np.linspace(-1, 1, n)
    plan = make_plan(subject.estimator, n, 3000, 0)
    rows = plan.coalitions
    assert rows.shape[1] == n and 2 * n < len(rows) <= 3000
    assert len(np.unique(np.packbits(rows, axis=1), axis=0)) == len(rows)
    assert not rows[0].any() and rows[-1].all()
    smaller = {row.tobytes() for row in make_plan(subject.estimator, n, 1500, 0).coalitions}
    assert smaller <= {row.tobytes() for row in rows}
    estimate = plan.solve(rows @ worth)
    assert np.corrcoef(estimate.values, worth)[0, 1] > 0.8
    np.testing.assert_allclose(estimate.values.sum(), worth.sum(), atol=1e-9)


@every
@given(seed=st.integers(0, 99))
@settings(max_examples=10)
def test_same_seed_same_plan(subject: Subject, seed: int) -> None:
    one, same, other = (make_plan(subject.estimator, 9, 200, s).coalitions for s in (seed, seed, seed + 1))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


@every_unbiased
@pytest.mark.parametrize(("n", "budget", "seed"), [(4, 13, 0), (5, 24, 1), (6, 40, 2), (8, 120, 3)])
def test_unbiased_with_honest_errors(subject: Subject, n: int, budget: int, seed: int) -> None:
    """Over many seeds the mean is the exact value, and the reported error the observed spread."""
    table, runs = random_tables(n, seed)[0], 400
    exact = shapley_from_table(table)
    plans = [make_plan(subject.estimator, n, budget, run) for run in range(runs)]
    assert subject.unbiased is not None
    plans = [plan for plan in plans if subject.unbiased(plan)]
    assert len(plans) > 50
    estimates = [solve(plan, table) for plan in plans]
    values = np.array([estimate.values for estimate in estimates])
    spread = values.std(axis=0, ddof=1)
    assert (np.abs(values.mean(axis=0) - exact) < 4.5 * spread / np.sqrt(len(plans)) + 1e-9).all()
    errors = [estimate.standard_error for estimate in estimates if estimate.standard_error is not None]
    if len(errors) == len(plans):
        reported = np.sqrt(np.mean(np.square(errors)))
        assert reported == pytest.approx(np.sqrt(np.mean(np.square(spread))), rel=0.25)


@also_expensive
def test_players_that_do_the_same_get_the_same_on_average(subject: Subject) -> None:
    """Symmetry in distribution: in a game of size alone all players' means agree within their errors."""
    n, budget, runs = (4, 11, 20) if subject in EXPENSIVE else (7, 50, 200)
    size = np.array([i.bit_count() for i in range(1 << n)])
    table = np.random.default_rng(5).normal(size=n + 1)[size]
    values = np.array(
        [solve(make_plan(subject.estimator, n, budget, run), table).values for run in range(runs)]
    )
    error = values.std(axis=0, ddof=1) / np.sqrt(runs)
    np.testing.assert_array_less(np.abs(values.mean(axis=0) - values.mean()), 4.5 * error + 1e-9)


@every
def test_more_budget_less_error(subject: Subject) -> None:
    table = random_tables(8, 1)[0]
    exact = shapley_from_table(table)
    small, medium, large = (
        np.mean(
            [np.square(solve(make_plan(subject.estimator, 8, b, s), table).values - exact) for s in range(30)]
        )
        for b in (20, 80, 230)
    )
    assert small > 1.5 * medium > 1.5 * 1.5 * large


@every
@pytest.mark.parametrize("budget", [394, 1895])
def test_intervals_cover_on_real_games(subject: Subject, budget: int, vit_games: np.ndarray) -> None:
    """95% intervals of the ten games' players hold the exact value about as often as they say."""
    games = vit_games
    exact, runs = shapley_from_table(games), 12
    covered = []
    for run in range(runs):
        estimate = solve(make_plan(subject.estimator, 16, budget, run), games)
        assert estimate.standard_error is not None
        degrees = estimate.degrees_of_freedom
        width = stats.norm.ppf(0.975) if degrees is None else stats.t.ppf(0.975, degrees)
        covered.append(np.abs(estimate.values - exact) <= width * estimate.standard_error)
    assert 0.90 <= np.mean(covered) <= 0.98


@every
@given(n=st.integers(4, 12), seed=st.integers(0, 99))
@settings(max_examples=10)
def test_a_constant_game_has_no_error(subject: Subject, n: int, seed: int) -> None:
    budget = budget_between(subject.estimator, n, 0.8)
    estimate = solve(make_plan(subject.estimator, n, budget, seed), np.full(1 << n, 7.0))
    np.testing.assert_allclose(estimate.values, 0, atol=1e-9)
    if estimate.standard_error is not None:
        np.testing.assert_allclose(estimate.standard_error, 0, atol=1e-9)


@every
def test_a_dummy_gets_nothing_on_average(subject: Subject) -> None:
    """A player that never adds anything; exactly nothing where only its own contributions count."""
    n, runs = 7, 300
    others = np.delete(all_rows(n), 3, axis=1)
    table = np.random.default_rng(2).normal(size=64)[ids_from_rows(others)]
    found = np.array(
        [solve(make_plan(subject.estimator, n, 90, run), table).values[3] for run in range(runs)]
    )
    if subject.estimator is PERMUTATION:
        np.testing.assert_allclose(found, 0, atol=1e-12)
    assert abs(found.mean()) < 4.5 * found.std(ddof=1) / np.sqrt(runs) + 1e-12


@pytest.fixture(scope="module")
def vit_games(shared: Path) -> np.ndarray:
    return np.load(shared / "games" / "vit16_games.npz")["values"].astype(np.float64)


@every
@pytest.mark.parametrize("budget", [82, 394])
def test_real_games_add_up_and_mix(subject: Subject, budget: int, vit_games: np.ndarray) -> None:
    """Efficiency and linearity where interactions are those of a model."""
    plan = make_plan(subject.estimator, 16, budget, 1)
    found = solve(plan, vit_games).values
    np.testing.assert_allclose(found.sum(axis=1), vit_games[:, -1] - vit_games[:, 0], atol=1e-9)
    mixing = np.random.default_rng(0).normal(size=(3, len(vit_games)))
    np.testing.assert_allclose(solve(plan, mixing @ vit_games).values, mixing @ found, atol=1e-9)


@every
def test_real_games_of_two_like_players_treat_them_alike(subject: Subject, vit_games: np.ndarray) -> None:
    """Symmetry in distribution: players 5 and 10 in the mean of each game and the one with both swapped."""
    rows, runs = all_rows(16), 60
    rows[:, [5, 10]] = rows[:, [10, 5]]
    like = (vit_games + vit_games[:, ids_from_rows(rows)]) / 2
    plans = [make_plan(subject.estimator, 16, 179, run) for run in range(runs)]
    values = np.array([solve(plan, like).values for plan in plans])
    apart = values[:, :, 5] - values[:, :, 10]
    assert (np.abs(apart.mean(axis=0)) < 4.5 * apart.std(axis=0, ddof=1) / np.sqrt(runs)).all()


PROMISES = [
    test_budget_is_kept_and_rows_are_distinct,
    test_smaller_budgets_are_part_of_larger_ones,
    test_values_add_up,
    test_many_games_are_as_one_by_one,
    test_linear_in_the_game,
    test_exact_where_the_budget_reaches_every_coalition,
    test_same_seed_same_plan,
    test_a_constant_game_has_no_error,
]


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__.removeprefix("test_"))
@pytest.mark.parametrize("subject", EXPENSIVE, ids=lambda subject: subject.estimator.name)
def test_expensive_estimators_promise_the_same(subject: Subject, promise: Callable[..., None]) -> None:
    check = promise.hypothesis.inner_test  # type: ignore[attr-defined]
    asked = inspect.signature(check).parameters
    for n, share in ((1, 0.0), (3, 0.5), (5, 0.6)):
        if promise is test_a_constant_game_has_no_error and n < 4:
            continue
        drawn = {
            "n": n,
            "share": share,
            "shares": (share / 2, share),
            "seed": n,
            "a": 2.0,
            "b": 1.0,
            "extra": n,
        }
        check(subject, **{name: value for name, value in drawn.items() if name in asked})


def test_every_sampled_estimator_is_a_subject_once() -> None:
    names = [subject.estimator.name for subject in (*SUBJECTS, *EXPENSIVE)]
    assert sorted(names) == sorted(name for name, e in ESTIMATORS.items() if e.random and e.consistent)
    assert EXACT.name not in names
