"""Estimators replayed on games whose values are known: plans are looked up in tables, no model is asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from numbers import Real

import numpy as np
from jaxtyping import Float64

from hlx.attribution.attribution import critical_value
from hlx.attribution.error_measures import covered, map_errors
from hlx.attribution.estimate import solve
from hlx.bench.benchmark_games import BenchmarkGame, as_games
from hlx.bench.result import BenchmarkResult, Row, Skipped
from hlx.errors import InputError
from hlx.estimators import ESTIMATORS, Estimator, get_estimators, make_plan
from hlx.games.coalitions import ids_from_rows
from hlx.games.faithfulness import areas_from_tables
from hlx.games.regions import Regions
from hlx.io.checks import whole_number
from hlx.kernels import shapley

VERSIONED = ("hlx", "numpy", "scipy", "numba")
"""Packages whose versions a result records."""

LARGEST_DEFAULT_BUDGET = 20_000
DEFAULT_BUDGETS = 8


def benchmark_estimators(
    games: Sequence[BenchmarkGame | np.ndarray] | np.ndarray,
    estimators: str | Estimator | Sequence[str | Estimator] | None = None,
    budgets: int | Sequence[int] | None = None,
    *,
    repeats: int = 30,
    expensive_repeats: int = 5,
    seed: int = 0,
    top: int = 5,
    level: float = 0.95,
    faithfulness: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> BenchmarkResult:
    """Run estimators on games at several budgets, and measure how far they are from the exact values.

    One plan serves all games with the same players: its coalitions' values are looked up, and all games are
    solved at once. Repeats come outermost, so that a slow moment of the machine falls on all estimators.

    Parameters
    ----------
    games
        From `read_games`, or tables (2^n,), (g, 2^n) or a sequence of them.
    estimators
        Names or estimators, or one; all that sample where None.
    budgets
        Distinct coalitions, empty and full included, or one number; `default_budgets` where None. An
        estimator is skipped at budgets below its least.
    repeats, expensive_repeats
        Plans per estimator and budget, and at most so many of those that are expensive; one where nothing is
        random.
    seed
        Repeat r plans with seed + r, whatever the estimator and the budget.
    top
        k of Precision@k.
    level
        Of the intervals whose coverage is measured.
    faithfulness
        Also measure the areas under insertion and deletion curves.
    progress
        Called with (plans done, plans in all).

    Raises
    ------
    InputError
        Unknown estimators, budgets or counts that are no whole numbers or below 1, every budget too small for
        all, or an estimate that is not finite.
    """
    chosen = _estimators(estimators)
    known = as_games(games)
    if not known:
        raise InputError("no games to run estimators on")
    repeats = whole_number(repeats, "repeats", least=1)
    expensive_repeats = whole_number(expensive_repeats, "expensive repeats", least=1)
    top, seed = whole_number(top, "top", least=1), whole_number(seed, "seed", least=0)
    if not isinstance(level, Real):
        raise InputError(f"level: expected a number between 0 and 1, such as 0.95, found {level!r}")
    critical_value(level, None)
    groups = _groups(known)
    spending = _budgets(budgets, [group.n for group in groups])

    runs: list[tuple[Estimator, int]] = []
    skipped = []
    for estimator in chosen:
        least = max(estimator.lowest_budget(group.n) for group in groups)
        for budget in spending:
            if budget >= least:
                runs.append((estimator, budget))
            else:
                skipped.append(Skipped(estimator.name, budget, least))
    if not runs:
        needs = ", ".join(
            f"{name} {least}" for name, least in {s.estimator: s.min_budget for s in skipped}.items()
        )
        raise InputError(f"every budget is too small; the least are: {needs}")

    # A first call compiles and imports; its time says nothing of the later ones. One game is enough for that.
    one = groups[0].first()
    for estimator in chosen:
        first = next((budget for other, budget in runs if other is estimator), None)
        if first is not None:
            _replay(estimator, first, seed, [one], top, level, faithfulness)

    def plans(estimator: Estimator) -> int:
        if not estimator.random:
            return 1
        return min(repeats, expensive_repeats) if estimator.expensive else repeats

    times = {id(run): plans(run[0]) for run in runs}
    collected: dict[tuple[str, int], list[dict[str, Float64[np.ndarray, " columns"]]]] = {
        (estimator.name, budget): [] for estimator, budget in runs
    }
    done, total = 0, sum(times.values())
    for repeat in range(repeats):
        for run in runs:
            if repeat >= times[id(run)]:
                continue
            estimator, budget = run
            samples = _replay(estimator, budget, seed + repeat, groups, top, level, faithfulness)
            collected[estimator.name, budget].append(samples)
            done += 1
            if progress is not None:
                progress(done, total)
    return BenchmarkResult(
        rows=[
            Row(name, budget, {key: np.stack([s[key] for s in samples]) for key in samples[0]})
            for (name, budget), samples in collected.items()
        ],
        skipped=skipped,
        estimators=[estimator.name for estimator in chosen],
        budgets=spending,
        games=[game.name for game in known],
        n_players=[game.n_players for game in known],
        regions=[None if game.regions is None else str(game.regions) for game in known],
        seed=seed,
        top=top,
        level=level,
        model_seconds=all(game.seconds_per_evaluation is not None for game in known),
        versions={name: version(name) for name in VERSIONED},
        deterministic=[estimator.name for estimator in chosen if not estimator.random],
        uses_adjacency=[estimator.name for estimator in chosen if estimator.uses_adjacency],
    )


def default_budgets(least_players: int, most_players: int | None = None) -> list[int]:
    """Eight budgets, spaced evenly on a log scale from n + 1 to the smaller of 2^n and 20,000.

    Raises
    ------
    InputError
        Games of so different sizes that no budget suits all.
    """
    low = (most_players or least_players) + 1
    high = min(1 << least_players, LARGEST_DEFAULT_BUDGET)
    if low > high:
        raise InputError(f"games of {least_players} to {most_players} players share no budgets: name them")
    return sorted({round(budget) for budget in np.geomspace(low, high, DEFAULT_BUDGETS).tolist()})


@dataclass(frozen=True, eq=False)
class _Group:
    """Games that one plan serves, and their places among all games."""

    n: int
    regions: Regions | None
    places: list[int]
    tables: list[np.ndarray]
    truth: Float64[np.ndarray, "g n"]
    seconds_per_evaluation: list[float | None]

    def first(self) -> _Group:
        """The first game alone."""
        return _Group(
            self.n, self.regions, [0], self.tables[:1], self.truth[:1], self.seconds_per_evaluation[:1]
        )


def _groups(games: Sequence[BenchmarkGame]) -> list[_Group]:
    alike: dict[tuple[int, Regions | None], list[int]] = {}
    for place, game in enumerate(games):
        alike.setdefault((game.n_players, game.regions), []).append(place)
    return [
        _Group(
            n,
            regions,
            places,
            [games[place].coalition_values for place in places],
            np.stack([shapley(games[place].coalition_values) for place in places]),
            [games[place].seconds_per_evaluation for place in places],
        )
        for (n, regions), places in alike.items()
    ]


def _replay(
    estimator: Estimator,
    budget: int,
    seed: int,
    groups: Sequence[_Group],
    top: int,
    level: float,
    faithfulness: bool,
) -> dict[str, Float64[np.ndarray, " columns"]]:
    """One repeat: every measure as (games,), in the order of the games, and seconds as (1,)."""
    total = sum(len(group.places) for group in groups)
    measured: dict[str, np.ndarray] = {}
    sampling = looking = solving = modelled = 0.0
    for group in groups:
        start = time.perf_counter()
        plan = make_plan(estimator, group.n, budget, seed, group.regions)
        planned = time.perf_counter()
        ids = ids_from_rows(plan.coalitions)
        values = np.stack([table[ids] for table in group.tables]).astype(np.float64)
        looked = time.perf_counter()
        estimate = solve(plan, values, estimator.name)
        solved = time.perf_counter()
        sampling += planned - start
        looking += looked - planned
        solving += solved - looked
        modelled += sum(len(ids) * (seconds or 0.0) for seconds in group.seconds_per_evaluation)
        found = map_errors(estimate.values, group.truth, top)
        found["coverage"] = covered(estimate, group.truth, level)
        found["evaluations"] = np.full(len(group.places), float(len(np.unique(ids))))
        if faithfulness:
            areas = [
                areas_from_tables(table, phi)
                for table, phi in zip(group.tables, estimate.values, strict=True)
            ]
            found["insertion"], found["deletion"] = np.array(areas, np.float64).T
        for name, numbers in found.items():
            measured.setdefault(name, np.full(total, np.nan))[group.places] = numbers
    known = all(s is not None for group in groups for s in group.seconds_per_evaluation)
    measured["sampling"] = np.array([sampling])
    measured["evaluation"] = np.array([(modelled if known else looking) / total])
    measured["solving"] = np.array([solving / total])
    return measured


def _estimators(asked: str | Estimator | Sequence[str | Estimator] | None) -> list[Estimator]:
    if asked is None:
        return [estimator for estimator in ESTIMATORS.values() if not estimator.exhaustive]
    chosen = get_estimators(asked)
    names = [estimator.name for estimator in chosen]
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise InputError(f"estimators: {twice[0]} is named twice")
    return chosen


def _budgets(asked: int | Sequence[int] | None, players: Sequence[int]) -> list[int]:
    if asked is None:
        return default_budgets(min(players), max(players))
    several = asked if isinstance(asked, Iterable) and not isinstance(asked, str) else [asked]
    budgets = sorted({whole_number(budget, "budgets", least=1) for budget in several})
    if not budgets:
        raise InputError("no budgets to run estimators at")
    return budgets
