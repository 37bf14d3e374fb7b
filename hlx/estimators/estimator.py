"""What an estimator is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64


@dataclass(frozen=True)
class Estimate:
    """Shapley values (n,) and their standard errors (n,), None where exact or unknown."""

    values: Float64[np.ndarray, " n"]
    standard_error: Float64[np.ndarray, " n"] | None = None


@dataclass(frozen=True)
class Estimator:
    """An estimator by name.

    Attributes
    ----------
    plan : (n, budget, rng) -> boolean coalitions (m, n), empty and full among them, at most `budget` of them
        distinct.
    solve : (coalitions (m, n), values (m,)) -> Estimate; coalitions are those of `plan`, in its order.
    exhaustive : evaluates all 2^n coalitions and takes no budget.
    summary : one line for lists.
    least_budget : n -> smallest budget that `plan` takes.
    """

    name: str
    summary: str
    exhaustive: bool
    plan: Callable[[int, int, np.random.Generator], Bool[np.ndarray, "m n"]]
    solve: Callable[[Bool[np.ndarray, "m n"], Float[np.ndarray, " m"]], Estimate]
    least_budget: Callable[[int], int]
