"""How estimators solve: the same bits each time and in any company, in little memory, from what is known."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
import scipy.linalg.lapack  # noqa: F401  (brings a library of its own)
from threadpoolctl import threadpool_info

import hlx
from hlx.attribution.estimate import EstimatorSpec, run_estimator
from hlx.errors import InputError
from hlx.estimators import ESTIMATORS, Plan, get_estimator, make_plan
from hlx.estimators.gp.odd_gp import MAX_BUDGET
from hlx.estimators.gp.posterior import OddKernel, posterior, posterior_bytes
from hlx.estimators.gp.spread_pairs import spread_pairs
from hlx.estimators.gp.triples import triples_of
from hlx.estimators.threads import one_blas_thread, solve_game_by_game
from hlx.games.regions import Grid

EXPENSIVE = [name for name, estimator in ESTIMATORS.items() if estimator.expensive]

TWICE = """
import os
import numpy as np
from hlx.estimators import ESTIMATORS, make_plan
from hlx.games.regions import Grid

for name, estimator in ESTIMATORS.items():
    for grid in (Grid(4, 4), Grid(7, 7)):
        if grid.n_players > 24 and not estimator.expensive or os.fork():
            continue
        budget = 120 if estimator.needs_budget else None
        plan = make_plan(estimator, grid.n_players, budget, 0, grid)
        values = np.tanh(plan.coalitions @ np.random.default_rng(0).normal(size=grid.n_players))
        found = [plan.solve(values) for _ in range(2)]
        same = {each.values.tobytes() + np.asarray(each.standard_error).tobytes() for each in found}
        print(f"{name} {grid} {len(same)}\\n", end="", flush=True)
        os._exit(0)
    try:
        while True:
            os.wait()
    except ChildProcessError:
        pass
"""


def values_of(plan: Plan, seed: int = 0) -> np.ndarray:
    """A game whose players saturate each other."""
    weights = np.random.default_rng(seed).normal(size=plan.n_players)
    return np.tanh(plan.coalitions @ weights) + 0.1 * plan.coalitions[:, 0] * plan.coalitions[:, 1]


def test_the_first_solve_of_a_process_gives_the_bits_of_the_second() -> None:
    """Also where it is what loads a library of linear algebra."""
    free = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    done = subprocess.run([sys.executable, "-c", TWICE], capture_output=True, text=True, check=True, env=free)
    lines = done.stdout.splitlines()
    assert len(lines) == len(ESTIMATORS) + len(EXPENSIVE)
    assert [line for line in lines if not line.endswith(" 1")] == []


def test_linear_algebra_has_one_thread_until_the_last_leaves() -> None:
    def threads() -> set[int]:
        return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}

    before = threads()
    entered, leave, left = (threading.Event() for _ in range(3))

    def other() -> None:
        with one_blas_thread():
            entered.set()
            leave.wait()
        left.set()

    thread = threading.Thread(target=other)
    thread.start()
    entered.wait()
    with one_blas_thread():
        leave.set()
        left.wait()
        assert threads() == {1}
    thread.join()
    assert threads() == before


@pytest.mark.parametrize("name", EXPENSIVE)
def test_expensive_games_have_the_same_bits_alone_and_in_company(name: str) -> None:
    plan = make_plan(get_estimator(name), 6, 30, 0, Grid(2, 3))
    games = np.stack([values_of(plan, seed) for seed in range(2)])
    together = plan.solve(games)
    for i, game in enumerate(games):
        alone = plan.solve(game)
        assert alone.values.tobytes() == together.values[i].tobytes()
        assert alone.standard_error.tobytes() == together.standard_error[i].tobytes()


def test_games_that_take_much_memory_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hlx.estimators.threads.default_threads", lambda: 8)
    at_once, most = [0], [0]
    lock = threading.Lock()
    barrier = threading.Barrier(2)

    def solve_one(game: int) -> int:
        with lock:
            at_once[0] += 1
            most.append(at_once[0])
        barrier.wait()  # two are inside, always
        with lock:
            at_once[0] -= 1
        return game

    assert solve_game_by_game(solve_one, range(6), game_bytes=1 << 29) == list(range(6))
    assert max(most) == 2


def test_a_posterior_keeps_to_one_matrix() -> None:
    n = 25
    shown = np.concatenate([spread_pairs(n, 1200, np.random.default_rng(0)), np.ones((1, n), bool)])
    kernel = OddKernel(n, triples_of(n, Grid(5, 5)))
    y = np.random.default_rng(1).normal(size=len(shown))
    posterior(kernel, kernel.start, kernel.rows(shown[:5]), y[:5])  # imports what it needs
    tracemalloc.start()
    try:
        found = posterior(kernel, kernel.start, kernel.rows(shown), y)
        found.predict(~shown)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 8 * len(y) ** 2 < most < posterior_bytes(len(y), n, len(kernel.members))


def test_an_indefinite_covariance_is_no_answer() -> None:
    """The same pair over and over with strengths at their bounds leaves rounding alone below zero."""
    kernel = OddKernel(6, triples_of(6, None))
    shown = np.repeat(spread_pairs(6, 8, np.random.default_rng(0)), 12, axis=0)
    y = np.repeat(np.arange(8.0), 12)
    theta = kernel.within_bounds(kernel.start + 100.0)
    theta[kernel.slices[2]] = kernel.start[kernel.slices[2]] - 1e3  # nothing rough
    found = posterior(kernel, theta, kernel.rows(shown), y)
    assert np.isfinite(found.left_out).all()
    np.testing.assert_allclose(found.predict(shown), y, atol=0.05)
    with pytest.raises(np.linalg.LinAlgError, match="96 values is not positive definite"):
        posterior(kernel, np.full(len(theta), np.nan), kernel.rows(shown), y)


@pytest.mark.parametrize("name", EXPENSIVE)
def test_the_largest_budget_is_named_before_anything_is_evaluated(name: str) -> None:
    def game(rows: np.ndarray) -> np.ndarray:
        raise AssertionError("evaluated")

    with pytest.raises(InputError, match=f"{name}: a budget of 20,000 .* the largest that it takes, 16,384,"):
        hlx.estimate(game, 49, name, 20_000)
    with pytest.raises(InputError, match="16,384"):
        hlx.estimate(game, 49, name, 20_000, tolerance=0.1)
    endless = list(EstimatorSpec(get_estimator(name), tolerance=0.1).rounds(49))
    assert endless[-1] == MAX_BUDGET and sorted(set(endless)) == endless
    few = list(EstimatorSpec(get_estimator(name), tolerance=0.1).rounds(16))
    assert few[-1] == 1 << 16 and max(few[:-1]) < MAX_BUDGET  # all coalitions are exact, with no matrix


@pytest.mark.parametrize("name", EXPENSIVE)
def test_rounds_start_from_what_the_last_one_learned(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [0]
    loss = OddKernel.loss

    def counted(*arguments: object) -> object:
        steps[0] += 1
        return loss(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(OddKernel, "loss", counted)
    plans = [make_plan(get_estimator(name), 6, budget, 0, Grid(2, 3)) for budget in (24, 36, 54)]
    learned = None
    for plan in plans:
        steps[0] = 0
        found = plan.solve(values_of(plan), learned)
        learned = found.learned
    warm = steps[0]
    steps[0] = 0
    cold = plans[-1].solve(values_of(plans[-1]))
    assert warm < steps[0]
    np.testing.assert_allclose(found.values, cold.values, atol=0.1 * cold.standard_error.max())


def test_rounds_of_many_games_are_those_of_each() -> None:
    """Each game's round starts from its own last one, also once others have ended."""
    n = 6
    games = [lambda rows, w=w: np.tanh(rows @ w) for w in np.random.default_rng(3).normal(size=(1, n))]
    games.append(lambda rows: rows @ np.arange(n) * 1.0)
    spec = EstimatorSpec(get_estimator("odd-gp"), 60, tolerance=0.02)
    together = run_estimator(
        spec, lambda rows: np.stack([game(rows) for game in games], axis=1), n, Grid(2, 3)
    )
    for game, found in zip(games, together, strict=True):
        [alone] = run_estimator(spec, game, n, Grid(2, 3))
        assert alone.n_evaluations == found.n_evaluations
        assert alone.estimate.values.tobytes() == found.estimate.values.tobytes()
    assert len({found.n_evaluations for found in together}) > 1


def test_budgets_of_rounds_grow() -> None:
    rounds = list(EstimatorSpec(get_estimator("leverage"), 394, tolerance=0.1).rounds(16))
    assert rounds[-1] == 394 and all(a < b for a, b in pairwise(rounds))
