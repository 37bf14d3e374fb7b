"""What an estimator is: a plan of coalitions to evaluate, and what their values say of every player."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float64

from hlx.estimators.threads import one_blas_thread
from hlx.games.regions import Regions


@dataclass(frozen=True, eq=False)
class Estimate:
    """Shapley values of one game (n,) or many (g, n).

    Attributes
    ----------
    standard_error
        Of the same shape; None where the values are exact or nothing is known of their error.
    degrees_of_freedom
        Of the standard errors, where they rest on so few draws that an interval takes Student's t; None for
        the normal distribution.
    learned
        What each game taught, from which a plan of a larger budget can start; None where nothing is learned.
    """

    values: Float64[np.ndarray, "*games n"]
    standard_error: Float64[np.ndarray, "*games n"] | None = None
    degrees_of_freedom: float | None = None
    learned: Sequence[Any] | None = None


@dataclass(frozen=True, eq=False)
class Plan(ABC):
    """Coalitions to evaluate, and how an estimator reads their values.

    One plan serves any number of games. It is a value: `solve` changes nothing in it.

    Attributes
    ----------
    coalitions
        Boolean (m, n), distinct; the first row shows nothing, the last one everything.
    """

    coalitions: Bool[np.ndarray, "m n"]

    @property
    def n_players(self) -> int:
        return self.coalitions.shape[1]

    def solve(self, values: Float[np.ndarray, "*games m"], learned: Sequence[Any] | None = None) -> Estimate:
        """Shapley values from the values of the plan's coalitions.

        Linear algebra runs in one thread, so that the bits are the same on any number of processors.

        Parameters
        ----------
        values
            (m,) or (g, m), in the order of the coalitions.
        learned
            That of an earlier estimate of the same games, by a plan of the same seed and a smaller budget.
        """
        with one_blas_thread():
            return self._solve(values) if learned is None else self._resume(values, learned)

    @abstractmethod
    def _solve(self, values: Float[np.ndarray, "*games m"]) -> Estimate:
        """What `solve` returns."""

    def _resume(self, values: Float[np.ndarray, "*games m"], learned: Sequence[Any]) -> Estimate:
        """What `solve` returns of games of which something is known: the same, where nothing is learned."""
        del learned
        return self._solve(values)


PlanMaker = Callable[[int, int, np.random.Generator, Regions | None], Plan]
"""(n, budget, rng, regions) -> Plan of at most `budget` coalitions.

With the same `rng` state, the coalitions of a smaller budget are among those of a larger one, so that rounds
of growing budgets pay for every coalition once. `regions` tells which players are neighbours, where known.
"""


@dataclass(frozen=True)
class Estimator:
    """An estimator by name.

    Attributes
    ----------
    summary
        One line for lists.
    plan
        See `PlanMaker`; called by `make_plan`, which checks the budget first.
    min_budget
        n -> smallest budget that `plan` takes.
    max_budget
        The largest one, where memory grows with its square; 2^n is exact all the same.
    exhaustive
        Evaluates all 2^n coalitions.
    needs_budget
        False where it ends by itself: without a budget it evaluates all that it can use.
    consistent
        estimates Shapley values, so that a budget of 2^n makes them exact.
    standard_errors
        Can report standard errors.
    expensive
        Planning or solving takes seconds a game, where the others take milliseconds.
    random
        The seed matters.
    uses_adjacency
        `regions` matter.
    estimates
        What its values are called.
    source
        SHA-256 of the file of one of the user's own; None for those of hlx and of modules.
    """

    name: str
    summary: str
    plan: PlanMaker
    min_budget: Callable[[int], int]
    exhaustive: bool = False
    needs_budget: bool = True
    consistent: bool = True
    standard_errors: bool = True
    expensive: bool = False
    random: bool = True
    uses_adjacency: bool = False
    estimates: str = "Shapley values"
    max_budget: int | None = None
    source: str | None = None

    def lowest_budget(self, n: int) -> int:
        """The smallest budget for n players; never above that of all coalitions."""
        return min(self.min_budget(n), 1 << n)
