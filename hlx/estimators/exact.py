"""The exact Shapley value: all 2^n coalitions, weighted as Shapley (1953) does."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from hlx.coalitions import all_rows
from hlx.errors import InputError
from hlx.estimators.estimator import Estimate, Estimator
from hlx.kernels import shapley


def plan(n: int, budget: int, rng: np.random.Generator) -> Bool[np.ndarray, "m n"]:
    """Every coalition, in the order of the ids; `budget` must reach them all and `rng` is not used."""
    del rng
    if budget < 1 << n:
        raise InputError(
            f"exact: all {1 << n} coalitions of {n} regions are evaluated; the budget is {budget}"
        )
    return all_rows(n)


def solve(coalitions: Bool[np.ndarray, "_ _"], values: Float[np.ndarray, " m"]) -> Estimate:
    """Shapley values of a whole table, which says by its order what its coalitions are."""
    del coalitions
    return Estimate(shapley(values))


EXACT = Estimator("exact", "all 2^n coalitions, nothing sampled", True, plan, solve, lambda n: 1 << n)
