"""Stratified SVARM: mean values with and without each player, size by size; every value informs all players.

Kolpaczki et al. (2024, arXiv:2302.00736, section 5): phi_i is the mean over sizes a of the mean value of the
coalitions of a that show i, less that of the coalitions of n - a that hide it. Sizes 0, 1, n - 1 and n are
evaluated exhaustively. Here coalitions come with their complements, which changes neither the strata nor
their means but lets the even part of the game cancel: with d(S) = v(S) - v(complement),
phi_i = 1/n sum over a = 1 ... n of the mean of d(S) over the S of size a that show i.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from hlx.estimators.estimator import Estimate, Estimator, Plan
from hlx.estimators.size_strata import draw_pairs, stratum_sizes
from hlx.games.regions import Regions

GATHERED = 1 << 21  # residuals at a time, 16 MiB


@dataclass(frozen=True, eq=False)
class SvarmPlan(Plan):
    """Pairs of complements, and what each says of each player.

    Attributes
    ----------
    pairs
        (k, 2), rows of `coalitions`: the one of fewer players, and its complement; nothing and everything
        come first.
    sizes
        (k,), of the smaller ones, ascending.
    sampled
        (k,), the part of all pairs of this size that was drawn.
    counts
        (n + 1, n), how many of the coalitions of each size show each player.
    shares
        (n + 1, n), the weight in phi of the mean of d over these.
    """

    pairs: Int[np.ndarray, "k 2"]
    sizes: Int[np.ndarray, " k"]
    sampled: Float64[np.ndarray, " k"]
    counts: Int[np.ndarray, "sizes n"]
    shares: Float64[np.ndarray, "sizes n"]

    def _solve(self, values: Float[np.ndarray, "*games m"]) -> Estimate:
        """Means over strata; standard errors from the spread within them.

        What is missing to efficiency is shared equally: the projection onto the plane that the Shapley value
        lies in, which can only come closer. Standard errors are None where a size was drawn once or not
        at all.
        """
        values = values.astype(np.float64, copy=False)
        n = self.n_players
        difference = values[..., self.pairs[:, 0]] - values[..., self.pairs[:, 1]]
        smaller = self.coalitions[self.pairs[:, 0]]
        size = np.where(smaller, self.sizes[:, None], n - self.sizes[:, None])
        players = np.arange(n)
        pull = np.where(smaller, 1, -1) * (self.shares / np.maximum(self.counts, 1))[size, players]
        phi = difference @ pull
        phi += (values[..., -1:] - values[..., :1] - phi.sum(axis=-1, keepdims=True)) / n
        drawn = np.bincount(self.sizes, minlength=n // 2 + 1)
        if n > 2 and (drawn[1:] < 2).any():  # two players make one pair, which is all there is
            return Estimate(phi)
        games = difference.reshape(-1, len(self.pairs))
        variance = np.zeros((len(games), n))
        for s in np.unique(self.sizes[self.sampled < 1]):
            inside = self.sizes == s
            step = max(1, GATHERED // (int(inside.sum()) * n))
            for start in range(0, len(games), step):
                part = slice(start, start + step)
                spread = self._variance(games[part][:, inside], smaller[inside], pull[inside])
                variance[part] += (1 - self.sampled[inside][0]) * spread
        return Estimate(phi, np.sqrt(variance).reshape(phi.shape))

    def _variance(
        self,
        difference: Float64[np.ndarray, "g k"],
        smaller: Bool[np.ndarray, "k n"],
        pull: Float64[np.ndarray, "k n"],
    ) -> Float64[np.ndarray, "g n"]:
        """What the pairs of one size add to the variance of phi, before the finite population's correction.

        Deviations from the mean of a stratum, enlarged by sqrt(c / (c - 1)) for a mean of c; where c is one,
        deviations from the mean over all pairs of this size.
        """
        k, n = smaller.shape
        with_player, half = np.count_nonzero(smaller, axis=0), 2 * np.count_nonzero(smaller[0]) == n
        if half:  # both sides of a pair are of one stratum
            sign = np.where(smaller, 1.0, -1.0)
            centre = (difference @ sign / k)[:, None, :] * sign
            count = np.full((k, n), k)
        else:
            overall = difference.mean(axis=1, keepdims=True)
            means = [
                np.where(c > 1, difference @ side / np.maximum(c, 1), overall)
                for side, c in ((smaller, with_player), (~smaller, k - with_player))
            ]
            centre = np.where(smaller, means[0][:, None, :], means[1][:, None, :])
            count = np.where(smaller, with_player, k - with_player)
        enlarged = pull * np.sqrt(count / np.maximum(count - 1, 1))
        deviations = enlarged * (difference[:, :, None] - centre)
        deviations -= deviations.mean(axis=2, keepdims=True)
        return np.square(deviations).sum(axis=1)


def plan(n: int, budget: int, rng: np.random.Generator, regions: Regions | None) -> SvarmPlan:
    """All pairs of sizes 1 and n - 1; of the others as many as the budget holds, without replacement.

    With values spread equally at all sizes, the variance is least for numbers of pairs proportional to
    1 / sqrt(s (n - s)).
    """
    del regions
    sizes = stratum_sizes(n)
    wanted = np.where(2 * sizes == n, 0.5, 1.0) / np.sqrt(sizes * (n - sizes))
    wanted[:1] = np.inf
    sample = draw_pairs(n, (budget - 2) // 2, wanted, rng)
    pairs = np.concatenate([[[0, len(sample.coalitions) - 1]], sample.pairs])
    smaller = sample.coalitions[pairs[:, 0]]
    size = np.r_[0, sample.sizes]
    counts = np.zeros((n + 1, n), np.int64)
    np.add.at(counts, (np.where(smaller, size[:, None], n - size[:, None]), np.arange(n)), 1)
    return SvarmPlan(sample.coalitions, pairs, size, np.r_[1.0, sample.sampled], counts, _shares(counts))


def _shares(counts: Int[np.ndarray, "sizes n"]) -> Float64[np.ndarray, "sizes n"]:
    """1/n for every stratum; an empty one passes its own on to the nearest others of the player.

    They get it in the proportions of linear interpolation over the size, exact for additive games, where the
    expected d is linear in the size. Sizes 1, n - 1 and n are always there to interpolate between.
    """
    n = counts.shape[1]
    size = np.arange(n + 1)[:, None]
    below = np.maximum.accumulate(np.where(counts > 0, size, 0), axis=0)
    above = np.minimum.accumulate(np.where(counts > 0, size, n)[::-1], axis=0)[::-1]
    towards_above = (size - below) / np.maximum(above - below, 1)
    shares = np.zeros((n + 1, n))
    players = np.broadcast_to(np.arange(n), (n, n))
    np.add.at(shares, (below[1:], players), (1 - towards_above[1:]) / n)
    np.add.at(shares, (above[1:], players), towards_above[1:] / n)
    return shares


SVARM = Estimator(
    "svarm",
    "means over strata of size with and without each player, pairs of complements",
    plan,
    lambda n: 2 * n + 2,
)
