"""Antithetic permutation sampling: a random order of the players and its reverse, over and over.

Castro, Gomez and Tejada (2009) average marginal contributions along random orders; Mitchell et al. (2022,
arXiv:2104.12199, section 4) show that each order paired with its reverse lowers the variance.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from hlx.estimators.draws import FIRST_BLOCK, draw_within, within
from hlx.estimators.estimator import Estimator
from hlx.estimators.marginal_contributions import MarginalContributionsPlan
from hlx.regions import Regions


def plan(n: int, budget: int, rng: np.random.Generator, regions: Regions | None) -> MarginalContributionsPlan:
    """As many antithetic pairs of orders as the budget holds; a single order where it holds no pair.

    A pair costs the n - 1 proper prefixes of an order and their complements, less what is known already.
    Pairs that repeat much are so the likelier to be the last that fits. This biases nothing: whatever is
    kept, the expected estimate is linear, efficient, gives a dummy nothing and treats all players alike,
    and only the Shapley value does.
    """
    del regions
    if budget >= 2 * n:
        draws = draw_within(n, budget, rng, lambda rng, k: _chains(rng, n, k))
    else:
        draws = within(_chains(rng, n, FIRST_BLOCK)[:1, : n + 1], budget)
    chains = draws.rows.reshape(len(draws.rows), -1, n + 1)
    # The place of a player in an order is the number of chain members it is not in, but for the first.
    places = (~draws.coalitions[chains]).sum(axis=2) - 1
    return MarginalContributionsPlan(
        draws.coalitions,
        np.take_along_axis(chains, places, axis=2),
        np.take_along_axis(chains, places + 1, axis=2),
    )


def _chains(rng: np.random.Generator, n: int, k: int) -> Bool[np.ndarray, "k r n"]:
    """The coalitions along k random orders, nothing and everything included, and along their reverses."""
    orders = rng.permuted(np.tile(np.arange(n), (k, 1)), axis=1)
    both = np.stack([orders, orders[:, ::-1]], axis=1)
    places = np.argsort(both, axis=2)
    chains = places[:, :, None, :] < np.arange(n + 1)[:, None]
    return chains.reshape(k, -1, n)


PERMUTATION = Estimator("permutation", "antithetic pairs of random orders", plan, lambda n: n + 1)
