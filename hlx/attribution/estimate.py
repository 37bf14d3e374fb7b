"""`estimate`: Shapley values of any game; and the rounds in which an estimator spends its budget."""

from __future__ import annotations

import reprlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float64, Shaped

from hlx.attribution.attribution import Attribution, critical_value
from hlx.errors import InputError
from hlx.estimators import (
    ESTIMATORS,
    EXACT,
    Estimate,
    Estimator,
    ExactPlan,
    Plan,
    check_affordable,
    check_regions,
    get_estimator,
    get_estimators,
    make_plan,
    reaches_all,
)
from hlx.games.cached import Evaluate, Evaluations, as_game
from hlx.games.game import Game, TabulatedGame, shapley_from_table
from hlx.games.regions import Regions
from hlx.io.checks import whole_number

GROWTH = 1.5
"""Each round's budget over the last one's, while a tolerance is not reached."""

MOST_SQUARED = 1e150
"""Larger values have no square in double precision."""

MOST_EVALUATIONS = 1 << 16
"""Where a tolerance comes without a budget."""


def estimate(
    game: Callable[[Bool[np.ndarray, "m n"]], Shaped[np.ndarray, " m"]],
    n_players: int | None = None,
    estimator: str | Estimator = "exact",
    budget: int | None = None,
    *,
    seed: int = 0,
    regions: Regions | None = None,
    tolerance: float | None = None,
) -> Attribution:
    """Shapley values of a game: any function of boolean rows (m, n) that returns (m,) real numbers.

    Parameters
    ----------
    game
        The function, or a game object. A `CachedGame` pays for no coalition twice, however many estimators
        are run on it.
    n_players
        May be left out where the game knows it.
    estimator
        A name of `hlx.estimators.ESTIMATORS`, or an `Estimator`.
    budget
        The most distinct coalitions to evaluate, empty and full included; every estimator of Shapley values
        is exact at 2^n. None for "exact" and "occlusion", or with a tolerance.
    seed
        Of the sampling.
    regions
        Tells the estimators that use neighbourhoods which players are neighbours, `Grid(4, 4)` say.
    tolerance
        Evaluate in rounds of growing budgets, and stop once the largest standard error is below `tolerance`
        times (max phi - min phi). The budget stays the limit; where None is given, 65,536 or the estimator's
        largest. A standard error that rests on few draws counts more, by Student's t. A warning says so if
        the tolerance was not reached.

    Raises
    ------
    InputError
        Unknown names, too small or missing budget, a game that returns the wrong shape, or values whose sums
        overflow.
    NonFiniteScoreError
        A value is NaN or infinite; names the coalition.
    """
    spec = EstimatorSpec(get_estimator(estimator), budget, seed, tolerance)
    asked = as_game(game, n_players)
    n = asked.n_players
    spec.check(n, regions)
    if spec.takes_table(n) and isinstance(game, Game):
        # A game that knows all its values, or has a faster way to them; checked like any other answer.
        table = TabulatedGame(game.table(), asked.name).table()
        if len(table) != 1 << n:
            raise InputError(
                f"{asked.name}: the table of {n} players has {1 << n} values, found {len(table)}"
            )
        [found] = estimate_from_tables(table[None])
    else:
        [found] = run_estimator(spec, Evaluations(asked), n, regions)
    return attribution_of(found, spec, regions)


MakePlan = Callable[[Estimator, int, int | None, int, Regions | None], Plan]
"""What `make_plan` is: (estimator, n, budget, seed, regions) -> plan."""


@dataclass(frozen=True)
class EstimatorSpec:
    """An estimator, what it may spend, and when it may stop.

    Raises
    ------
    InputError
        budget or seed are no whole numbers, the seed is negative, or the tolerance is not finite and
        positive.
    """

    estimator: Estimator
    budget: int | None = None
    seed: int = 0
    tolerance: float | None = None

    def __post_init__(self) -> None:
        if self.budget is not None:
            object.__setattr__(self, "budget", whole_number(self.budget, "budget"))
        object.__setattr__(self, "seed", whole_number(self.seed, "seed", least=0))
        if self.tolerance is not None:
            if not isinstance(self.tolerance, Real) or not 0 < self.tolerance < np.inf:
                raise InputError(
                    "tolerance: expected a positive share of the values' range, such as 0.05, "
                    f"found {reprlib.repr(self.tolerance)}"
                )
            object.__setattr__(self, "tolerance", float(self.tolerance))

    def check(self, n: int, regions: Regions | None = None) -> None:
        """Refuse what cannot be done before anything is evaluated.

        Raises
        ------
        InputError
            As `check_affordable` and `check_regions`; a tolerance of an estimator without standard errors.
        """
        check_regions(n, regions)
        if self.tolerance is None:
            check_affordable(self.estimator, n, self.budget)
            return
        if not self.estimator.standard_errors:
            able = ", ".join(name for name, e in ESTIMATORS.items() if e.standard_errors)
            raise InputError(
                f"{self.estimator.name} gives no standard errors for a tolerance; these do: {able}"
            )
        check_affordable(self.estimator, n, self._limit(n))

    def takes_table(self, n: int) -> bool:
        """Whether all coalitions are evaluated from the start."""
        return self.tolerance is None and reaches_all(self.estimator, n, self.budget)

    def rounds(self, n: int) -> Iterator[int | None]:
        """Budgets to try, one after the other."""
        if self.tolerance is None:
            yield self.budget
            return
        limit = self._limit(n)
        most = max(self.estimator.lowest_budget(n), 4 * n)
        while most < min(limit, self.estimator.max_budget or limit):
            yield most
            most = int(most * GROWTH)
        yield limit

    def _limit(self, n: int) -> int:
        limit = min(1 << n, MOST_EVALUATIONS if self.budget is None else self.budget)
        most = self.estimator.max_budget
        if self.budget is None and most is not None and not reaches_all(self.estimator, n, limit):
            return min(limit, most)
        return limit


def estimator_specs(
    estimator: str | Estimator | Sequence[str | Estimator],
    budget: int | None = None,
    seed: int = 0,
    tolerance: float | None = None,
) -> list[EstimatorSpec]:
    """A spec for each of one estimator or several, in the order given.

    In company a budget is not for the exact estimator, nor a tolerance for those without standard errors.
    """
    chosen = list({one.name: one for one in get_estimators(estimator)}.values())
    if len(chosen) == 1:
        return [EstimatorSpec(chosen[0], budget, seed, tolerance)]
    return [
        EstimatorSpec(
            one,
            None if one.exhaustive else budget,
            seed,
            tolerance if one.standard_errors else None,
        )
        for one in chosen
    ]


@dataclass(frozen=True, eq=False)
class GameEstimate:
    """What an estimator found in one game."""

    estimate: Estimate
    grand_coalition_value: float
    baseline_value: float
    n_evaluations: int
    estimator: str
    coalition_values: Float[np.ndarray, " coalitions"] | None = None


def estimate_from_tables(tables: Float[np.ndarray, "g coalitions"]) -> list[GameEstimate]:
    """Exact values of games from the values of all their coalitions."""
    return [
        GameEstimate(Estimate(values), float(table[-1]), float(table[0]), len(table), EXACT.name, table)
        for values, table in zip(shapley_from_table(tables), tables, strict=True)
    ]


def run_estimator(
    spec: EstimatorSpec,
    evaluations: Evaluate,
    n: int,
    regions: Regions | None,
    planned: MakePlan = make_plan,
) -> list[GameEstimate]:
    """Run an estimator on every column of values that `evaluations` gives, (m,) or (m, k).

    With a tolerance in rounds, for each column until its own is reached or the budget is spent: what is found
    in one game hangs on no other. `planned` gives the plans, where they are kept from one game to the next.
    """
    estimator, tolerance = spec.estimator, spec.tolerance
    latest: dict[int, GameEstimate] = {}
    learned: dict[int, Any] = {}
    reached: set[int] = set()
    for most in spec.rounds(n):
        plan = planned(estimator, n, most, spec.seed, regions)
        values = np.asarray(evaluations(plan.coalitions), np.float64)
        columns = np.ascontiguousarray(values.reshape(len(plan.coalitions), -1).T)
        games = [game for game in range(len(columns)) if game not in reached]
        if isinstance(plan, ExactPlan):
            latest |= zip(games, estimate_from_tables(columns[games]), strict=True)
            return [latest[game] for game in range(len(columns))]
        before = [learned[game] for game in games] if learned else None
        found = solve(plan, columns[games], estimator.name, before)
        learned = dict(zip(games, found.learned or (), strict=found.learned is not None))
        for i, game in enumerate(games):
            baseline_value, grand_coalition_value = columns[game, [0, -1]].tolist()
            latest[game] = GameEstimate(
                _game(found, i), grand_coalition_value, baseline_value, len(plan.coalitions), estimator.name
            )
        if tolerance is None:
            break
        errors = relative_errors(found)
        reached |= {game for game, error in zip(games, errors, strict=True) if error <= tolerance}
        if len(reached) == len(columns):
            break
    if tolerance is not None and len(reached) < len(columns):
        worst = errors.max()
        told = "are not known" if np.isinf(worst) else f"reach {worst:.2g} of the values' range"
        where = f" in {len(columns) - len(reached)} of {len(columns)} games" if len(columns) > 1 else ""
        warnings.warn(
            f"{estimator.name}: the tolerance of {tolerance:g} was not reached with {len(plan.coalitions):,} "
            f"evaluations{where}: standard errors {told}",
            stacklevel=3,
        )
    return [latest[game] for game in range(len(columns))]


def solve(
    plan: Plan, values: Float64[np.ndarray, "g m"], name: str, learned: Sequence[Any] | None = None
) -> Estimate:
    """What a plan finds in games, all of it finite; `learned` as `Plan.solve` takes it.

    Raises
    ------
    InputError
        NaN or infinity, for values so large that their sums or squares overflow, say; `name` is the
        estimator's.
    """
    largest = float(np.abs(values).max())
    try:
        # What overflows is said once, below.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            found = plan.solve(values, learned)
        numbers = [part for part in (found.values, found.standard_error) if part is not None]
        if all(np.isfinite(part).all() for part in numbers):
            return found
    except np.linalg.LinAlgError:
        pass
    except ValueError:  # linear algebra refuses what is not finite; what else went wrong is not ours to tell
        if largest <= MOST_SQUARED:
            raise
    advice = "scale them down" if largest > MOST_SQUARED else "take another budget"
    raise InputError(
        f"{name}: gives NaN or infinity with {len(plan.coalitions):,} coalitions, whose values reach "
        f"{largest:.2g}: {advice}"
    )


def relative_errors(estimate: Estimate) -> Float64[np.ndarray, " g"]:
    """Largest standard error / (max phi - min phi) of every game (g, n); infinite where no errors are known.

    Standard errors of few degrees of freedom are widened to those of a normal distribution with the same 95%
    interval, since a lucky small one would otherwise end the rounds.
    """
    values, error = estimate.values, estimate.standard_error
    if error is None:
        return np.full(len(values), np.inf)
    widened = critical_value(0.95, estimate.degrees_of_freedom) / critical_value(0.95, None)
    largest, spread = error.max(axis=1) * widened, np.ptp(values, axis=1)
    # A game whose players are all alike is known once its errors are zero.
    return np.divide(largest, spread, out=np.where(largest > 0, np.inf, 0.0), where=spread > 0)


def attribution_of(found: GameEstimate, spec: EstimatorSpec, regions: Regions | None) -> Attribution:
    """What was found, as an attribution of a bare game."""
    return Attribution(
        values=found.estimate.values,
        grand_coalition_value=found.grand_coalition_value,
        baseline_value=found.baseline_value,
        n_evaluations=found.n_evaluations,
        regions=regions,
        estimator=found.estimator,
        standard_error=found.estimate.standard_error,
        degrees_of_freedom=found.estimate.degrees_of_freedom,
        budget=spec.budget,
        seed=spec.seed,
        tolerance=spec.tolerance,
        coalition_values=found.coalition_values,
        kind=spec.estimator.estimates,
    )


def _game(estimate: Estimate, i: int) -> Estimate:
    error = estimate.standard_error
    return Estimate(estimate.values[i], None if error is None else error[i], estimate.degrees_of_freedom)
