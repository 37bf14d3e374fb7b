"""Antithetic permutation sampling: a random order of the players and its reverse, over and over.

Castro, Gomez and Tejada (2009) average marginal contributions along random orders; Mitchell et al. (2022,
arXiv:2104.12199, section 4) show that each order paired with its reverse lowers the variance.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from hlx.coalitions import all_rows
from hlx.errors import InputError
from hlx.estimators.estimator import Estimate, Estimator
from hlx.kernels import shapley


def plan(n: int, budget: int, rng: np.random.Generator) -> Bool[np.ndarray, "m n"]:
    """Coalitions of as many antithetic pairs of orders as the budget holds.

    A pair costs the n - 1 proper prefixes of an order and their complements; empty and full are shared.
    Where the budget reaches 2^n every coalition is planned instead. Rows: empty, full, then per pair the
    prefixes of the order, shortest first, and those of its reverse.

    Raises
    ------
    InputError : the budget does not hold one pair.
    """
    if budget >= 1 << n:
        return all_rows(n)
    pairs = (budget - 2) // (2 * (n - 1)) if n > 1 else 0
    if pairs < 1:
        raise InputError(
            f"permutation: a budget of {budget} evaluations holds no pair of orders of {n} regions; "
            f"use at least {2 * n}"
        )
    orders = rng.permuted(np.tile(np.arange(n), (pairs, 1)), axis=1)
    both = np.stack([orders, orders[:, ::-1]], axis=1)
    ranks = np.argsort(both, axis=2)
    prefixes = ranks[:, :, None, :] < np.arange(1, n)[:, None]
    ends = np.array([[False] * n, [True] * n])
    return np.concatenate([ends, prefixes.reshape(-1, n)])


def solve(coalitions: Bool[np.ndarray, "m n"], values: Float[np.ndarray, " m"]) -> Estimate:
    """Mean marginal contributions; standard errors from the spread between pairs, None with a single pair."""
    n = coalitions.shape[1]
    if len(coalitions) == 1 << n:
        return Estimate(shapley(values))
    inner = coalitions[2:].reshape(-1, n - 1, n)
    worth = np.asarray(values, np.float64)
    chain = np.pad(worth[2:].reshape(-1, n - 1), ((0, 0), (1, 1)), constant_values=worth[0])
    chain[:, -1] = worth[1]
    # The rank of a player in an order is the number of prefixes it is not in.
    ranks = (~inner).sum(axis=1)
    gains = np.take_along_axis(np.diff(chain, axis=1), ranks, axis=1)
    means = gains.reshape(-1, 2, n).mean(axis=1)
    pairs = len(means)
    error = means.std(axis=0, ddof=1) / np.sqrt(pairs) if pairs > 1 else None
    return Estimate(means.mean(axis=0), error)


PERMUTATION = Estimator(
    "permutation", "antithetic pairs of random orders", False, plan, solve, lambda n: min(2 * n, 1 << n)
)
