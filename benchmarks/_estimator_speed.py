"""What planning and solving cost: linear estimators on many games at once, expensive ones game by game."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from _environment import interleave, summary

from hlx.bench import BenchmarkGame
from hlx.estimators import ESTIMATORS, Estimator, make_plan
from hlx.games.coalitions import ids_from_rows
from hlx.games.regions import Grid


def linear_speed(games: Sequence[BenchmarkGame], grid: Grid, budget: int, stimuli: int) -> dict[str, Any]:
    """Seconds to plan once and solve `stimuli` games at once, of every estimator that is not expensive."""
    chosen = [e for e in ESTIMATORS.values() if not e.expensive and not e.exhaustive]
    n = games[0].n_players

    def plan_and_solve(estimator: Estimator) -> Callable[[], Any]:
        ids = ids_from_rows(make_plan(estimator, n, budget, 0, grid).coalitions)
        rows = np.stack([game.coalition_values[ids] for game in games]).astype(np.float64)
        values = np.resize(rows, (stimuli, len(ids)))
        return lambda: make_plan(estimator, n, budget, 0, grid).solve(values)

    seconds = interleave({e.name: plan_and_solve(e) for e in chosen}, 5)
    return {
        "budget": budget,
        "stimuli": stimuli,
        "seconds": {name: summary(samples) for name, samples in seconds.items()},
    }


def expensive_speed(
    games: Sequence[BenchmarkGame], grid: Grid, budgets: Sequence[int]
) -> list[dict[str, Any]]:
    """Seconds to plan and solve one game, of the estimators that are expensive; one game after the other."""
    rows = []
    for estimator in (e for e in ESTIMATORS.values() if e.expensive):
        for budget in budgets:
            samples = []
            for seed, game in enumerate([games[0], *games]):
                start = time.perf_counter()
                plan = make_plan(estimator, game.n_players, budget, seed, grid)
                values = game.coalition_values[ids_from_rows(plan.coalitions)].astype(np.float64)
                plan.solve(values[None])
                samples.append(time.perf_counter() - start)
            # The first one compiles.
            rows.append({"estimator": estimator.name, "budget": budget, "seconds": summary(samples[1:])})
    return rows
