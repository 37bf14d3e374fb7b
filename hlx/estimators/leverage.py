"""Paired leverage-score sampling: least squares on pairs of complements, as many of every size.

Musco and Witter (2025, arXiv:2410.01917): in the regression whose solution is the Shapley value, the leverage
score of a coalition is proportional to 1 / C(n, size), so that every size is sampled alike, in pairs of
complements and without replacement.
"""

from __future__ import annotations

import numpy as np

from hlx.estimators.estimator import Estimator
from hlx.estimators.paired_regression import PairedRegressionPlan, fit_pairs
from hlx.estimators.size_strata import draw_pairs, stratum_sizes
from hlx.regions import Regions


def plan(n: int, budget: int, rng: np.random.Generator, regions: Regions | None) -> PairedRegressionPlan:
    """As many pairs as the budget holds, as evenly over the sizes as their populations allow.

    The number of pairs of every size is fixed instead of random, which leaves less to chance than the
    independent draws of the paper. A pair weighs what the Shapley regression gives all pairs of its size,
    divided by how many were drawn. Additive games are exact wherever no direction is shrunk
    (`least_squares`), in general from about four pairs a player on.
    """
    del regions
    sizes = stratum_sizes(n)
    share = np.where(2 * sizes == n, 0.5, 1.0)
    sample = draw_pairs(n, (budget - 2) // 2, share, rng)
    # In the Shapley regression all pairs of a size together weigh 1 / (s (n - s)), half of that at n/2.
    of_size = share / (sizes * (n - sizes))
    weights = of_size[sample.sizes - 1] / sample.counts
    once = np.ones(len(sample.pairs), np.int64)
    return fit_pairs(sample.coalitions, sample.pairs, weights, once, sample.sizes, sample.sampled)


LEVERAGE = Estimator(
    "leverage",
    "least squares on pairs of complements, every size alike",
    plan,
    lambda n: max(4, n + 1),
)
