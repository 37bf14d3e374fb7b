"""The exact Shapley value: all 2^n coalitions, weighted as Shapley (1953) does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hlx.estimators.estimator import Estimate, Estimator, Plan
from hlx.games.coalitions import all_rows
from hlx.games.regions import Regions
from hlx.kernels import shapley


@dataclass(frozen=True, eq=False)
class ExactPlan(Plan):
    """Every coalition, in the order of the ids: the values are whole tables."""

    def _solve(self, values: Float[np.ndarray, "*games m"]) -> Estimate:
        return Estimate(shapley(values))


def plan(n: int, budget: int, rng: np.random.Generator, regions: Regions | None) -> ExactPlan:
    """Every coalition; nothing is random, and no budget is asked for."""
    del budget, rng, regions
    return ExactPlan(all_rows(n))


EXACT = Estimator(
    "exact",
    "all 2^n coalitions, nothing sampled",
    plan,
    lambda n: 1 << n,
    exhaustive=True,
    needs_budget=False,
    standard_errors=False,
    random=False,
)
