"""Paired KernelSHAP: least squares on coalitions drawn with the Shapley kernel's own probabilities.

Lundberg and Lee (2017) fit an additive game; Covert and Lee (2021, arXiv:2012.01536, section 4.2) add the
complement of every coalition drawn. Nothing is regularised that could drop a player.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from hlx.coalitions import random_subsets
from hlx.estimators.draws import draw_within, within
from hlx.estimators.estimator import Estimator
from hlx.estimators.paired_regression import PairedRegressionPlan, fit_pairs
from hlx.regions import Regions


def plan(n: int, budget: int, rng: np.random.Generator, regions: Regions | None) -> PairedRegressionPlan:
    """Pairs drawn with replacement until the next new one would exceed the budget; repeats are free.

    A pair counts as often as it was drawn. The fit uses the sample's own second moments, though those of the
    kernel are known in closed form: the errors of both sides of the normal equations then go together and
    cancel. This halves the mean squared error of real games, and additive ones become exact wherever no
    direction is shrunk (`least_squares`), in general from about four distinct pairs a player on.
    """
    del regions
    if n > 1:
        draws = draw_within(n, budget, rng, lambda rng, k: _kernel_pairs(rng, n, k))
    else:
        draws = within(np.zeros((0, 2, n), bool), budget)
    pairs, repeats = np.unique(np.sort(draws.rows, axis=1), axis=0, return_counts=True)
    weights, alike = np.ones(len(pairs)), np.zeros(len(pairs), np.int64)
    # With replacement, no part of the population is used up.
    return fit_pairs(draws.coalitions, pairs, weights, repeats, alike, np.zeros(len(pairs)))


def _kernel_pairs(rng: np.random.Generator, n: int, k: int) -> Bool[np.ndarray, "k 2 n"]:
    """Coalitions of size s with probability proportional to 1 / (s (n - s)), and their complements."""
    sizes = np.arange(1, n)
    kernel = 1 / (sizes * (n - sizes))
    drawn = rng.choice(sizes, k, p=kernel / kernel.sum())
    rows = random_subsets(rng, n, drawn)
    return np.stack([rows, ~rows], axis=1)


KERNEL = Estimator(
    "kernel",
    "KernelSHAP on pairs of complements, least squares without regularisation",
    plan,
    lambda n: max(4, n + 1),
)
