"""`estimate`: any game, any estimator; budgets are promises, tolerances are reached or said not to be."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hlx
from hlx.attribution.estimate import EstimatorSpec, estimator_specs, relative_errors, run_estimator
from hlx.errors import InputError, NonFiniteScoreError
from hlx.estimators import ESTIMATORS, Estimate, get_estimator
from hlx.games.cached import CachedGame
from tests.support.unchecked import said_of

SAMPLED = [name for name, e in ESTIMATORS.items() if not e.exhaustive]
SURE = [name for name, e in ESTIMATORS.items() if e.standard_errors and not e.expensive]


def table_of(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=1 << n)


def function_of(table: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    powers = 1 << np.arange(len(table).bit_length() - 1)
    return lambda rows: table[rows @ powers]


@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_a_budget_is_a_promise(name: str) -> None:
    """Never more distinct coalitions than paid for, and what was spent is what is said."""
    n = 9
    for budget in (40, 77) if ESTIMATORS[name].expensive else (40, 77, 200, 511):
        if ESTIMATORS[name].exhaustive:
            continue
        game = CachedGame(function_of(table_of(n)), n_players=n)
        made = hlx.estimate(game, estimator=name, budget=budget, regions=hlx.Grid(3, 3), seed=budget)
        assert made.n_evaluations == game.n_evaluations <= budget
        assert (made.budget, made.seed, made.estimator) == (budget, budget, name)
        assert made.values.shape == (n,) and made.regions == hlx.Grid(3, 3)
        table = table_of(n)
        assert (made.baseline_value, made.grand_coalition_value) == (table[0], table[-1])


@pytest.mark.parametrize("name", [name for name in SAMPLED if ESTIMATORS[name].consistent])
@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_all_coalitions_are_exact(name: str, n: int) -> None:
    table = table_of(n)
    for budget in (1 << n, 5000):
        made = hlx.estimate(function_of(table), n, name, budget)
        assert made.estimator == "exact" and made.standard_error is None and made.n_evaluations == 1 << n
        np.testing.assert_allclose(made.values, hlx.shapley_from_table(table), atol=1e-12)
        np.testing.assert_array_equal(made.coalition_values, table)
        np.testing.assert_array_equal(made.interval(), np.stack([made.values] * 2, axis=1))


@settings(max_examples=20)
@given(n=st.integers(1, 8), seed=st.integers(0, 99))
def test_exact_is_shapley_of_any_game(n: int, seed: int) -> None:
    table = table_of(n, seed)
    for game in (hlx.TabulatedGame(table), hlx.CallableGame(function_of(table), n), function_of(table)):
        made = hlx.estimate(game, n)
        np.testing.assert_array_equal(made.values, hlx.shapley_from_table(table))
        assert made.regions is None and made.n_evaluations == 1 << n


@pytest.mark.parametrize("name", SURE)
def test_rounds_end_at_the_tolerance_and_pay_once(name: str) -> None:
    n, asked = 12, []

    def game(rows: np.ndarray) -> np.ndarray:
        asked.extend(map(bytes, rows))
        return rows @ np.arange(n) + 0.3 * rows[:, 0] * rows[:, 1] - rows[:, 3] * rows[:, 5] * rows[:, 7]

    made = hlx.estimate(game, n, name, tolerance=0.02, budget=3000)
    assert len(asked) == len(set(asked)) == made.n_evaluations <= 3000
    assert made.standard_error is not None and made.tolerance == 0.02
    assert made.standard_error.max() <= 0.02 * np.ptp(made.values)
    coarse = hlx.estimate(game, n, name, tolerance=0.2)
    assert coarse.n_evaluations <= made.n_evaluations


@pytest.mark.parametrize("name", SURE)
def test_each_game_ends_its_own_rounds(name: str) -> None:
    """What is found in one game must not hang on the company in which it was asked for."""
    n = 12
    tables = np.stack([table_of(n), (np.arange(1 << n)[:, None] >> np.arange(n) & 1) @ np.arange(float(n))])
    tables[1] += 1e-3 * table_of(n, 1)
    spec = EstimatorSpec(get_estimator(name), 600, tolerance=0.05)
    ids = 1 << np.arange(n)
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        together = run_estimator(spec, lambda rows: tables[:, rows @ ids].T, n, None)
        alone = [run_estimator(spec, lambda rows, t=table: t[rows @ ids], n, None)[0] for table in tables]
    for one, other in zip(together, alone, strict=True):
        assert one.n_evaluations == other.n_evaluations
        np.testing.assert_allclose(one.estimate.values, other.estimate.values, atol=1e-12)
        assert (one.grand_coalition_value, one.baseline_value, one.estimator) == (
            other.grand_coalition_value,
            other.baseline_value,
            other.estimator,
        )
    assert together[0].n_evaluations > together[1].n_evaluations


def test_games_that_do_not_reach_the_tolerance_are_counted() -> None:
    tables = np.stack([table_of(10), np.zeros(1 << 10)])
    spec = EstimatorSpec(get_estimator("leverage"), 200, tolerance=1e-9)
    with pytest.warns(UserWarning, match=r"with 200 evaluations in 1 of 2 games: standard errors reach 0\."):
        run_estimator(spec, lambda rows: tables[:, rows @ (1 << np.arange(10))].T, 10, None)


def test_a_tolerance_out_of_reach_is_said() -> None:
    game = function_of(table_of(10))
    with pytest.warns(UserWarning, match=r"leverage: the tolerance of 1e-09 was not reached with \d+ eval"):
        made = hlx.estimate(game, 10, "leverage", 200, tolerance=1e-9)
    assert made.n_evaluations <= 200
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = hlx.estimate(game, 10, "leverage", tolerance=1e-9)  # all coalitions are
    assert made.estimator == "exact" and made.n_evaluations == 1024


def test_constant_games_reach_every_tolerance() -> None:
    made = hlx.estimate(lambda rows: np.full(len(rows), 7.0), 14, "permutation", 2000, tolerance=1e-6)
    assert made.n_evaluations < 2000 and not made.values.any()


def test_relative_errors_widen_with_few_degrees_of_freedom() -> None:
    values, error = (
        np.array([[0.0, 2.0], [1.0, 1.0], [1.0, 1.0]]),
        np.array([[0.1, 0.2], [0.0, 0.1], [0.0, 0.0]]),
    )
    np.testing.assert_allclose(relative_errors(Estimate(values, error)), [0.1, np.inf, 0.0])
    wide = relative_errors(Estimate(values, error, 1.0))[0]
    assert wide == pytest.approx(0.1 * 12.7062 / 1.95996, rel=1e-4)
    assert np.isinf(relative_errors(Estimate(values))).all()


def test_in_company_the_exact_estimator_takes_no_budget() -> None:
    made = estimator_specs(["exact", "leverage", "exact", "rise"], 394, 3, 0.1)
    assert [(one.estimator.name, one.budget, one.tolerance) for one in made] == [
        ("exact", None, None),
        ("leverage", 394, 0.1),
        ("rise", 394, None),
    ]
    assert estimator_specs("exact", 394) == [EstimatorSpec(get_estimator("exact"), 394)]
    with pytest.raises(InputError, match="which estimator"):
        estimator_specs([])


def test_many_players() -> None:
    worth = np.linspace(-1, 1, 196)
    for name in SAMPLED:
        if not ESTIMATORS[name].expensive:
            made = hlx.estimate(lambda rows: rows @ worth, 196, name, 900, regions=hlx.Grid(14, 14))
            assert made.n_evaluations <= 900 and made.map.shape == (14, 14)
            if ESTIMATORS[name].consistent:
                np.testing.assert_allclose(made.values.sum(), worth.sum(), atol=1e-8)


SUM = "lambda rows: rows.sum(axis=1)"

OF_ANOTHER_TYPE = {
    f"hlx.estimate({SUM}, 16, 'leverage', 394.0)": "budget: expected a whole number, found 394.0",
    f"hlx.estimate({SUM}, 16, 'leverage', float('nan'))": "budget: expected a whole number, found nan",
    f"hlx.estimate({SUM}, 16, 'leverage', '394')": "budget: expected a whole number, found '394'",
    f"hlx.estimate({SUM}, 16, 'exact', '394')": "budget: expected a whole number, found '394'",
    f"hlx.estimate({SUM}, 16, 'leverage', 394, seed=-1)": "seed: expected at least 0, found -1",
    f"hlx.estimate({SUM}, 16, 'leverage', 394, seed=0.5)": "seed: expected a whole number, found 0.5",
    f"hlx.estimate({SUM}, 16, ['leverage'], 394)": "unknown estimator ['leverage']; there are exact",
    f"hlx.estimate({SUM}, 16, None, 394)": "unknown estimator None; there are exact",
    f"hlx.estimate({SUM}, 16, 'leverage', tolerance='a')": "positive share of the values' range, such as",
    f"hlx.estimate({SUM}, 16, 'leverage', tolerance=np.inf)": "positive share of the values' range",
    f"hlx.estimate({SUM}, 16, 'leverage', 394, regions='4x4')": "expected a Grid or a LabelMap, found '4x4'",
    f"hlx.estimate({SUM}, 16, regions='4x4')": "expected a Grid or a LabelMap, found '4x4'",
    f"hlx.estimate({SUM}, 16.7)": "n_players: expected a whole number, found 16.7",
    f"hlx.estimate({SUM}, '16')": "n_players: expected a whole number, found '16'",
    "hlx.estimate(lambda rows: [[1], [1, 2]], 4)": "expected (16,) real numbers for 16 coalitions, found",
    "hlx.estimate(np.zeros(65536), 16)": "found ndarray; a table of all 2^n values becomes a game by hlx.Tab",
    "hlx.estimate(5, 3)": "expected a game or a function of boolean rows, found int",
    "hlx.CallableGame(len, 3, batch_size=2.5)": "batch_size: expected a whole number, found 2.5",
    "hlx.TabulatedGame([[1], [1, 2]])": "game: expected a table of real numbers, found list that is no array",
}


def test_arguments_of_another_type_are_refused_in_one_line() -> None:
    for (call, wanted), said in zip(OF_ANOTHER_TYPE.items(), said_of(list(OF_ANOTHER_TYPE)), strict=True):
        assert said.startswith("InputError: ") and wanted in said and "\n" not in said, (call, said)


def test_whole_numbers_of_numpy_are_whole_numbers() -> None:
    made = "hlx.estimate(lambda rows: rows.sum(axis=1), np.int8(6), 'leverage', np.int64(30))"
    assert said_of([f"type({made}.budget)", f"{made}.budget"]) == ["no error: <class 'int'>", "no error: 30"]
    made = EstimatorSpec(get_estimator("leverage"), 30, 4, 0.1)
    assert [type(value) for value in (made.budget, made.seed, made.tolerance)] == [int, int, float]


@pytest.mark.parametrize("name", SAMPLED)
def test_values_whose_sums_overflow_are_refused(name: str) -> None:
    """Never a map of NaN."""

    def game(rows: np.ndarray) -> np.ndarray:
        return np.where(rows[:, 0] ^ (rows[:, 1] & rows[:, 2]), 1.7e308, -1.7e308)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError, match=rf"{name}: gives NaN or infinity .* 1.7e\+308: scale them down"):
            hlx.estimate(game, 9, name, 80)


@pytest.mark.parametrize("name", [name for name in SAMPLED if name not in ("odd-gp", "regression-adjusted")])
def test_a_budget_without_end_is_clipped_or_refused(name: str) -> None:
    """Beyond all coalitions more budget means nothing; where they are too many to list it is refused."""
    made = hlx.estimate(lambda rows: rows[:, 0] * 1.0, 10, name, 10**30)
    assert made.n_evaluations <= 1024 and made.budget == 10**30
    with pytest.raises(InputError, match=rf"{name}: a budget of 1,000,.* more than the limit of 2\^24"):
        hlx.estimate(lambda rows: rows[:, 0] * 1.0, 49, name, 10**30)


def test_regions_of_another_game_are_refused_before_anything_is_evaluated() -> None:
    asked: list[int] = []

    def game(rows: np.ndarray) -> np.ndarray:
        asked.append(len(rows))
        return rows.sum(axis=1) * 1.0

    for name, budget in (("exact", None), ("leverage", 40), ("leverage", 64)):
        with pytest.raises(InputError, match="6 players, the regions are 4"):
            hlx.estimate(game, 6, name, budget, regions=hlx.Grid(2, 2))
    assert not asked


def test_a_tolerance_is_not_reached_where_errors_are_not_known() -> None:
    """The first rounds of kernel have none: they must not end the search, whatever the tolerance."""
    made = hlx.estimate(lambda rows: rows @ np.arange(12.0), 12, "kernel", 2000, tolerance=1e300)
    assert made.standard_error is not None


def test_bad_requests() -> None:
    game = function_of(table_of(6))
    for arguments, message in (
        ({"n_players": None}, "how many players"),
        ({"estimator": "lime"}, "unknown estimator 'lime'; there are exact, odd-gp"),
        ({"estimator": "leverage"}, "say how many with a budget"),
        ({"estimator": "leverage", "budget": 3}, "too small for 6 regions; use at least"),
        ({"budget": 10}, "all 64 coalitions"),
        ({"estimator": "leverage", "budget": 40, "regions": hlx.Grid(2, 2)}, "6 players, the regions are 4"),
        ({"estimator": "leverage", "tolerance": 0.0}, "positive share"),
        ({"estimator": "leverage", "tolerance": float("nan")}, "positive share"),
        ({"estimator": "leverage", "tolerance": float("inf")}, "positive share"),
        ({"estimator": "leverage", "budget": 40, "seed": -1}, "seed: expected at least 0, found -1"),
        ({"estimator": "partition", "tolerance": 0.1}, "gives no standard errors .* permutation"),
        ({"estimator": "leverage", "tolerance": 0.1, "budget": 3}, "too small"),
    ):
        with pytest.raises(InputError, match=message):
            hlx.estimate(game, **{"n_players": 6, **arguments})
    with pytest.raises(InputError, match=r"expected .* real numbers for .* coalitions"):
        hlx.estimate(lambda rows: rows.sum(), 6, "leverage", 40)
    with pytest.raises(NonFiniteScoreError, match=r"inf .*players? .* of 6 shown"):
        hlx.estimate(lambda rows: np.where(rows.sum(axis=1) == 5, np.inf, 0.0), 6, "leverage", 40)
