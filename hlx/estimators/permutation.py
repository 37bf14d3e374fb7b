"""Marginal contributions over independent draws: antithetic permutations, and Owen sampling.

Castro, Gomez and Tejada (2009) average marginal contributions along random orders; Mitchell et al. (2022,
arXiv:2104.12199, section 4) show that each order paired with its reverse lowers the variance.

Owen (1972): the Shapley value is the integral over q in (0, 1) of the expected marginal contribution to a
coalition that shows every other player with probability q. Okhrati and Lipani (2021, arXiv:2010.12082) sample
it, and pair every coalition with its complement, which is one of probability 1 - q.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from hlx.estimators.draws import FIRST_BLOCK, draw_within, within
from hlx.estimators.estimator import Estimate, Estimator, Plan
from hlx.games.regions import Regions

GATHERED = 1 << 22  # values looked up at a time, 32 MiB


@dataclass(frozen=True, eq=False)
class MarginalContributionsPlan(Plan):
    """Independent draws, each with marginal contributions of every player.

    Attributes
    ----------
    before, after
        (draws, r, n), rows of `coalitions` that differ in that player alone, without and with it; the r
        contributions of a player in one draw may depend on each other.
    """

    before: Int[np.ndarray, "draws r n"]
    after: Int[np.ndarray, "draws r n"]

    def _solve(self, values: Float[np.ndarray, "*games m"]) -> Estimate:
        """Mean contributions, and standard errors from their spread between draws; None with a single draw.

        What is missing to efficiency is shared equally. This is the projection onto the plane that the
        Shapley value lies in: it can only come closer, and an unbiased mean stays unbiased. Intervals take
        Student's t with one degree less than there are draws.
        """
        values = values.astype(np.float64, copy=False)
        draws, r, n = self.after.shape
        weights = np.zeros((len(self.coalitions), n))
        players = np.broadcast_to(np.arange(n), self.after.shape)
        np.add.at(weights, (self.after, players), 1 / (draws * r))
        np.add.at(weights, (self.before, players), -1 / (draws * r))
        # Against the empty coalition's value, so that a large constant costs no digits.
        values = values - values[..., :1]
        mean = values @ weights
        estimate = mean + (values[..., -1:] - mean.sum(axis=-1, keepdims=True)) / n
        if draws < 2:
            return Estimate(estimate)
        squares = np.zeros_like(mean)
        step = max(1, GATHERED // max(1, mean.size * r))
        for start in range(0, draws, step):
            part = slice(start, start + step)
            gains = (values[..., self.after[part]] - values[..., self.before[part]]).mean(axis=-2)
            gains -= mean[..., None, :]
            gains -= gains.mean(axis=-1, keepdims=True)
            squares += np.square(gains).sum(axis=-2)
        return Estimate(estimate, np.sqrt(squares / (draws * (draws - 1))), float(draws - 1))


def plan_permutation(
    n: int, budget: int, rng: np.random.Generator, regions: Regions | None
) -> MarginalContributionsPlan:
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


PERMUTATION = Estimator("permutation", "antithetic pairs of random orders", plan_permutation, lambda n: n + 1)


def plan_owen(
    n: int, budget: int, rng: np.random.Generator, regions: Regions | None
) -> MarginalContributionsPlan:
    """As many draws as the budget holds: a coalition, its complement, and both with each player toggled.

    Every draw takes a node of the quadrature with its weight as probability, so that any number of draws
    is unbiased. With n + 3 to 2 n + 3 evaluations there is one draw, of one side alone.

    A draw asks for 2 (n + 1) coalitions, less what is known already. Draws near nothing or everything repeat
    more, and are the likelier to be the last that fits: a bias of the order of one over the number of
    draws, too small to be seen beside the standard error (and a quarter of a large budget would be lost
    without).
    """
    del regions
    side = int(rng.integers(2))
    if budget >= 2 * (n + 1) + 2:
        draws = draw_within(n, budget, rng, lambda rng, k: _toggled(rng, n, k))
    else:
        first = _toggled(rng, n, FIRST_BLOCK)[:1]
        draws = within(first.reshape(1, 2, n + 1, n)[:, side], budget)
    sides = draws.rows.reshape(len(draws.rows), -1, n + 1)
    drawn, toggled = sides[:, :, :1], sides[:, :, 1:]
    shown = draws.coalitions[sides[:, :, 0]]
    return MarginalContributionsPlan(
        draws.coalitions, np.where(shown, toggled, drawn), np.where(shown, drawn, toggled)
    )


def _toggled(rng: np.random.Generator, n: int, k: int) -> Bool[np.ndarray, "k r n"]:
    """k random coalitions, each followed by those with one player toggled, then the complements of all."""
    nodes, weights = _nodes(n)
    q = rng.choice(nodes, k, p=weights)
    drawn = rng.random((k, n)) < q[:, None]
    rows = np.concatenate([drawn[:, None], drawn[:, None] ^ np.eye(n, dtype=bool)], axis=1)
    return np.concatenate([rows, ~rows], axis=1)


def _nodes(n: int) -> tuple[Float64[np.ndarray, " k"], Float64[np.ndarray, " k"]]:
    """Gauss-Legendre nodes on (0, 1) and weights of sum 1; exact, for the integrand is of degree n - 1."""
    nodes, weights = np.polynomial.legendre.leggauss(-(-n // 2))
    return (nodes + 1) / 2, weights / weights.sum()


OWEN = Estimator(
    "owen",
    "marginal contributions at Gauss-Legendre nodes of the multilinear extension",
    plan_owen,
    lambda n: n + 3,
)
