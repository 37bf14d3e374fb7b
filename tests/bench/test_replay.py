"""Replaying estimators on tables: what they cost, how they are measured, and that seeds settle everything."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from jaxtyping import Float

from hlx.bench import (
    BenchmarkGame,
    BenchmarkResult,
    benchmark_estimators,
    benchmark_figure,
    default_budgets,
    joined,
    markdown,
    report,
)
from hlx.errors import InputError
from hlx.estimators import Estimate, Estimator, Plan
from hlx.games.coalitions import all_rows, ids_from_rows
from hlx.games.regions import Grid, Regions
from hlx.kernels import shapley
from tests.support.unchecked import said_of


@dataclass(frozen=True, eq=False)
class FakePlan(Plan):
    """Solves for the exact values, which it takes from a table of its own, plus noise of a known size."""

    truth: np.ndarray
    noise: np.ndarray

    def _solve(self, values: Float[np.ndarray, "*games m"]) -> Estimate:
        phi = self.truth[: len(values)] + self.noise[: len(values)]
        return Estimate(phi, np.full(phi.shape, 0.1))


def fake(tables: np.ndarray, name: str = "fake", size: float = 0.1, **options: object) -> Estimator:
    """An estimator with normal errors of standard deviation `size`, and standard errors of 0.1."""
    truth = shapley(tables)

    def plan(n: int, budget: int, rng: np.random.Generator, regions: Regions | None) -> FakePlan:
        proper = 1 + rng.permutation((1 << n) - 2)[: budget - 2]
        rows = all_rows(n)[np.concatenate([[0], proper, [-1]])]
        return FakePlan(rows, truth, size * rng.normal(size=truth.shape))

    settings = {"min_budget": lambda n: n + 1, "consistent": False, **options}
    return Estimator(name, "for tests", plan, **settings)  # type: ignore[arg-type]


def tables(g: int = 3, n: int = 5, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(g, 1 << n))


def numbers(result: BenchmarkResult) -> dict[tuple[str, int, str], list[float]]:
    """All samples but the seconds."""
    return {
        (row.estimator, row.budget, name): samples.tolist()
        for row in result.rows
        for name, samples in row.samples.items()
        if name not in ("sampling", "evaluation", "solving")
    }


# --- running


def test_every_estimator_runs_at_every_budget_it_can() -> None:
    made = tables()
    cheap, dear = fake(made), fake(made, "dear", expensive=True, min_budget=lambda n: 20)
    result = benchmark_estimators(made, [cheap, dear], [8, 24], repeats=7, expensive_repeats=2)
    assert [(row.estimator, row.budget, row.repeats) for row in result.rows] == [
        ("fake", 8, 7),
        ("fake", 24, 7),
        ("dear", 24, 2),
    ]
    assert [(s.estimator, s.budget, s.min_budget) for s in result.skipped] == [("dear", 8, 20)]
    for row in result.rows:
        assert row.samples["mse"].shape == (row.repeats, 3)
        assert (row.samples["evaluations"] == row.budget).all()


def test_noise_is_measured_and_covered() -> None:
    made = tables(8, 6)
    result = benchmark_estimators(made, [fake(made), fake(made, "wide", 0.3)], [10], repeats=100)
    own, wide = (result.row(name, 10) for name in ("fake", "wide"))
    assert own is not None and wide is not None
    mse, coverage = own.summary("mse"), own.summary("coverage")
    assert mse is not None and coverage is not None and mse.sem is not None
    assert mse.mean == pytest.approx(0.01, abs=4 * mse.sem)
    assert coverage.mean == pytest.approx(0.95, abs=0.015)
    ratio = result.ratio(wide, reference="fake")
    assert ratio is not None and ratio.low < 9 < ratio.high
    assert ratio.value == pytest.approx(wide.samples["mse"].mean() / own.samples["mse"].mean())


def test_a_perfect_estimator_has_no_error_and_no_ratio() -> None:
    made = tables()
    result = benchmark_estimators(made, [fake(made, "leverage", 0.0)], [8], repeats=2)
    [row] = result.rows
    assert (row.samples["mse"] == 0).all() and (row.samples["kendall"] == 1).all()
    assert result.ratio(row) is None
    with pytest.raises(InputError, match="log scale"):
        benchmark_figure(result)


def test_all_coalitions_make_every_estimator_exact() -> None:
    made = tables()
    sampled = fake(made, consistent=True)
    result = benchmark_estimators(made, [sampled, "exact"], [16, 32], repeats=2)
    for name in ("fake", "exact"):
        row = result.row(name, 32)
        assert row is not None and row.samples["mse"].max() < 1e-25
        assert row.summary("coverage") is None
    assert result.row("exact", 16) is None


def test_seeds_settle_everything() -> None:
    made = tables()
    runs = [benchmark_estimators(made, [fake(made)], [8, 12], repeats=3, seed=seed) for seed in (4, 4, 5)]
    first, again, other = map(numbers, runs)
    assert first == again
    # Repeat r has seed + r, so that a later start sees the same draws.
    assert first["fake", 8, "mse"][1:] == other["fake", 8, "mse"][:2]


def test_runs_join_into_one() -> None:
    made = tables()
    whole = benchmark_estimators(made, [fake(made)], [8, 12], repeats=5, seed=1)
    parts = [
        benchmark_estimators(made, [fake(made)], [8, 12], repeats=count, seed=seed)
        for count, seed in ((2, 1), (3, 3))
    ]
    assert numbers(joined(parts)) == numbers(whole)
    with pytest.raises(InputError, match="games"):
        joined([whole, benchmark_estimators(made[:2], [fake(made[:2])], [8], repeats=1)])


def test_games_of_several_sizes_have_plans_of_their_own() -> None:
    small, large = tables(1, 3)[0], tables(1, 5)[0]
    games = [BenchmarkGame("small", small, Grid(1, 3)), BenchmarkGame("large", large)]
    asked: list[tuple[int, Regions | None]] = []

    def plan(n: int, budget: int, rng: np.random.Generator, regions: Regions | None) -> FakePlan:
        asked.append((n, regions))
        truth = shapley({3: small, 5: large}[n])[None]
        return FakePlan(all_rows(n)[[0, 1, -1]], truth, np.full(truth.shape, float(n)))

    estimator = Estimator("fake", "for tests", plan, lambda n: 3, consistent=False)
    [row] = benchmark_estimators(games, [estimator], [6], repeats=1).rows
    assert set(asked) == {(3, Grid(1, 3)), (5, None)}
    np.testing.assert_allclose(row.samples["mse"], [[9.0, 25.0]])


def test_values_come_from_the_right_coalitions() -> None:
    made = tables(2, 4)
    seen: list[np.ndarray] = []

    @dataclass(frozen=True, eq=False)
    class Recorder(Plan):
        def _solve(self, values: Float[np.ndarray, "*games m"]) -> Estimate:
            seen.append(values - made[: len(values), ids_from_rows(self.coalitions)])
            return Estimate(np.zeros((len(values), self.n_players)))

    def plan(n: int, budget: int, rng: np.random.Generator, regions: Regions | None) -> Recorder:
        return Recorder(rng.permutation(all_rows(n))[:budget])

    benchmark_estimators(made, [Estimator("r", "", plan, lambda n: 1, consistent=False)], [9], repeats=3)
    assert len(seen) > 2 and not any(difference.any() for difference in seen)


def test_faithfulness_is_measured_when_asked_for() -> None:
    # A game that adds up, with its best player first: insertion rises at once, deletion falls at once.
    worth = np.array([4.0, 2.0, 1.0])
    made = (all_rows(3) @ worth)[None]
    result = benchmark_estimators(made, [fake(made, size=0.0)], [6], repeats=1, faithfulness=True)
    [row] = result.rows
    assert row.samples["insertion"] == pytest.approx((0 / 2 + 4 + 6 + 7 / 2) / 3)
    assert row.samples["deletion"] == pytest.approx((7 / 2 + 3 + 1 + 0 / 2) / 3)


def test_model_seconds_are_told_where_all_games_know_them() -> None:
    made = tables(2)
    games = [BenchmarkGame(f"{i}", table, None, 0.5 + i) for i, table in enumerate(made)]
    [row] = (result := benchmark_estimators(games, [fake(made)], [8], repeats=1)).rows
    assert result.model_seconds and row.samples["evaluation"] == pytest.approx(8 * (0.5 + 1.5) / 2)
    mixed = [games[0], replace(games[1], seconds_per_evaluation=None)]
    result = benchmark_estimators(mixed, [fake(made)], [8], repeats=1)
    assert not result.model_seconds and result.rows[0].samples["evaluation"].max() < 1


def test_bad_requests_are_refused() -> None:
    made = tables()
    one = fake(made)
    for arguments, words in [
        (dict(estimators=["nothing"]), "unknown estimator"),
        (dict(estimators=[]), "which estimator"),
        (dict(estimators=[one, one]), "named twice"),
        (dict(estimators=[one], budgets=[]), "no budgets"),
        (dict(estimators=[one], budgets=[0]), "found 0"),
        (dict(estimators=[one], budgets=[3]), "fake 6"),
        (dict(estimators=[one], repeats=0), "repeats: expected at least 1"),
        (dict(estimators=[one], level=2.0), "level"),
        (dict(estimators=[one], seed=-1), "seed: expected at least 0"),
    ]:
        with pytest.raises(InputError, match=words):
            benchmark_estimators(made, **arguments)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no games"):
        benchmark_estimators([], [one])


def test_arguments_of_another_type_are_refused_in_one_line() -> None:
    def call(arguments: str) -> str:
        return f"benchmark_estimators(np.eye(2, 16), {arguments})"

    wanted = {
        "5": "unknown estimator 5; there are exact",
        "'leverage', '20'": "budgets: expected a whole number, found '20'",
        "'leverage', [20.0]": "budgets: expected a whole number, found 20.0",
        "'leverage', 20, repeats=2.5": "repeats: expected a whole number, found 2.5",
        "'leverage', 20, expensive_repeats='2'": "expensive repeats: expected a whole number, found '2'",
        "'leverage', 20, top=None": "top: expected a whole number, found None",
        "'leverage', 20, seed=0.5": "seed: expected a whole number, found 0.5",
        "'leverage', 20, level='a'": "level: expected a number between 0 and 1, such as 0.95, found 'a'",
    }
    for (arguments, words), said in zip(wanted.items(), said_of([*map(call, wanted)]), strict=True):
        assert said.startswith(f"InputError: {words}") and "\n" not in said, (arguments, said)
    [numpy_integers] = said_of([call("'leverage', np.array([8, 12]), repeats=np.int64(2)") + ".budgets"])
    assert numpy_integers == "no error: [8, 12]"


def test_one_name_and_one_budget_will_do() -> None:
    alone = benchmark_estimators(tables(), "leverage", 20, repeats=2)
    assert numbers(alone) == numbers(benchmark_estimators(tables(), ["leverage"], [20], repeats=2))


def test_nothing_random_is_run_once() -> None:
    """Repeats of the same number would make its standard error too small."""
    made = tables()
    fixed = fake(made, "fixed", random=False)
    run = [benchmark_estimators(made, [fake(made), fixed], [8, 12], repeats=4, seed=seed) for seed in (0, 4)]
    whole = joined(run)
    for result, repeats in ((run[0], 4), (whole, 8)):
        assert [row.repeats for row in result.rows] == [repeats, repeats, 1, 1]
        assert result.deterministic == ["fixed"]
        text = report(result)
        assert "fixed*" in text and "* run once, for nothing in it is random: fixed" in text
        assert "repeats: fixed" not in text
    found = whole.row("fixed", 8).summary("mse")  # type: ignore[union-attr]
    assert found is not None and found.count == 3


def test_who_ran_without_neighbours_is_told() -> None:
    made = tables(1)
    run = [fake(made), fake(made, "placed", uses_adjacency=True)]
    bare = report(benchmark_estimators(made, run, [8], repeats=1))
    assert "where players lie is not known: placed ran without neighbours" in bare
    games = [BenchmarkGame("a", made[0], Grid(1, 5))]
    assert "neighbours" not in report(benchmark_estimators(games, run, [8], repeats=1))


def test_no_ratio_to_errors_that_are_rounding() -> None:
    made = tables()
    for size, told in ((1e-6, True), (1e-13, False)):
        result = benchmark_estimators(made, [fake(made, "leverage", size), fake(made)], [16], repeats=2)
        [reference, _] = result.rows
        assert 0 < reference.samples["mse"].max() < 1e-10
        assert [row["mse_ratio"] is not None for row in result.as_dict()["rows"]] == [told, told]
        assert markdown(result, "ratio").endswith(" - |") != told


def test_a_budget_without_end_is_all_coalitions() -> None:
    result = benchmark_estimators(tables(), ["rise", "leverage"], [10**12], repeats=1)
    for name in ("rise", "leverage"):
        assert (result.row(name, 10**12).samples["evaluations"] == 32).all()  # type: ignore[union-attr]


def test_a_game_of_one_player_is_one() -> None:
    made = tables(1, 1)
    assert report(benchmark_estimators(made, [fake(made)], [2], repeats=1)).startswith("1 game of 1 player\n")


def test_an_estimate_that_is_no_number_is_no_measurement() -> None:
    made = tables()
    with pytest.raises(InputError, match="broken: gives NaN"):
        benchmark_estimators(made, [fake(made, "broken", np.nan)], [8], repeats=1)


@pytest.mark.parametrize("n", [1, 2, 4, 16, 20])
def test_default_budgets_span_what_can_be_spent(n: int) -> None:
    budgets = default_budgets(n)
    assert budgets[0] == n + 1 and budgets[-1] == min(1 << n, 20_000)
    assert budgets == sorted(set(budgets)) and len(budgets) <= 8
