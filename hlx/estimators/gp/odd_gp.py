"""Shapley values by a Gaussian process over the odd part of the game, whose prior each game teaches anew.

Shapley values depend on a game only through its odd part, y(S) = (v(S) - v(complement of S)) / 2
(Fumagalli et al. 2025, OddSHAP). Its prior, in `hlx.estimators.gp.odd_kernels`, knows sizes, players, triples
of neighbours and interactions of any players; how strong each of them is and which players matter is learned
from the sampled pairs by marginal likelihood. The pairs lie as far apart as they can, see
`hlx.estimators.gp.spread_pairs`.

The estimate is a posterior mean: biased towards the prior, exact when every pair is known. Its standard error
is the posterior standard deviation, which also counts what is not known of the prior's parameters, times the
root mean square of the leave-one-out errors in their own standard deviations, and 0 once every pair is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Float64

from hlx.estimators.estimator import Estimate, Estimator, Plan
from hlx.estimators.gp.odd_kernels import Rows
from hlx.estimators.gp.posterior import OddKernel, posterior, posterior_bytes
from hlx.estimators.gp.spread_pairs import spread_pairs
from hlx.estimators.gp.triples import triples_of
from hlx.estimators.size_strata import stratum_population
from hlx.estimators.threads import solve_game_by_game
from hlx.games.coalitions import none_and_all
from hlx.games.regions import Regions

# Parameters are learned from the first so many pairs, for every step takes time cubic in them.
MOST_FITTED = 300
MOST_REFINED = 1000
REFINING_STEPS = 6
# Of the parameters, around the most probable ones; in opposite pairs.
DRAWS = 12
# Evaluations. The posterior's matrix takes 0.5 GB here and grows with the square, the time with the cube.
MAX_BUDGET = 1 << 14


@dataclass(frozen=True, eq=False)
class OddGPPlan(Plan):
    """Pairs of complements, and the prior.

    Attributes
    ----------
    rows
        One coalition of every pair, in the order in which they were chosen; last the one that shows all.
    """

    kernel: OddKernel
    rows: Rows

    def _solve(self, values: Float[np.ndarray, "*games m"]) -> Estimate:
        """The posterior of one game after the other; every one takes the time of a fit."""
        return self._resume(values, [None] * (values.size // values.shape[-1]))

    def _resume(self, values: Float[np.ndarray, "*games m"], learned: Sequence[Any]) -> Estimate:
        """As `_solve`; the search for each game's parameters starts from those learned before."""
        values = values.astype(np.float64, copy=False)
        odd = self.odd_part(values.reshape(-1, values.shape[-1]))
        game_bytes = posterior_bytes(len(self.rows.shown), self.n_players, len(self.kernel.members))
        games = list(zip(odd, learned, strict=True))
        solved = solve_game_by_game(self._solve_one, games, game_bytes)
        shape = (*values.shape[:-1], self.n_players)
        phi = np.array([one.phi for one in solved]).reshape(shape)
        error = np.array([one.error for one in solved]).reshape(shape)
        return Estimate(phi, error, learned=[one.learned for one in solved])

    def odd_part(self, values: Float64[np.ndarray, "g m"]) -> Float64[np.ndarray, "g p"]:
        """y at the plan's rows; the last one is half of v(all) - v(none)."""
        pairs = len(self.rows.shown) - 1
        lower, upper = values[:, 1 : pairs + 1], values[:, pairs + 1 : -1]
        return np.concatenate([lower - upper, values[:, -1:] - values[:, :1]], axis=1) / 2

    def _solve_one(self, game: tuple[np.ndarray, Learned | None]) -> Solved:
        y, before = game
        n = self.n_players
        scale = np.sqrt(np.mean(y[:-1] ** 2)) if len(y) > 1 else 0.0
        scale = scale or abs(y[-1])
        if scale == 0:
            return Solved(np.zeros(n), np.zeros(n), None)
        learned = learn(self.kernel, self.rows, y / scale, before)
        found = posterior(self.kernel, learned.theta, self.rows, y / scale)
        variance = np.diag(found.phi_covariance) * learned.inflation
        if len(y) > 1:
            # Pairs beyond those that were learned from tell honestly whether the prior fits.
            variance = variance * (self._left_out_weights() @ np.square(found.left_out[:-1]))
        phi = found.phi * scale
        phi += (2 * y[-1] - phi.sum()) / n
        return Solved(phi, np.sqrt(np.maximum(variance, 0)) * scale, learned)

    def _left_out_weights(self) -> Float64[np.ndarray, " p"]:
        """Every size counts alike, as for Shapley values, but for the part of it that is known; sum 1."""
        sizes = self.rows.sizes[:-1]
        counts = np.bincount(sizes, minlength=self.n_players + 1)
        weights = np.zeros(len(counts))
        for size in np.unique(sizes):
            unknown = 1 - counts[size] / stratum_population(self.n_players, int(size))
            weights[size] = unknown * (0.5 if 2 * size == self.n_players else 1.0) / counts[size]
        each = weights[sizes]
        return each / (each.sum() or 1.0)


class Learned(NamedTuple):
    """What a game tells of the prior.

    Attributes
    ----------
    theta
        The most probable parameters.
    inflation
        (n,), by what the variance of each Shapley value grows for not knowing theta better.
    steps
        A square root of the covariance of theta, as the first pairs leave it.
    pairs
        How many pairs it was learned from.
    """

    theta: Float64[np.ndarray, " k"]
    inflation: Float64[np.ndarray, " n"]
    steps: Float64[np.ndarray, "k k"]
    pairs: int


class Solved(NamedTuple):
    """A game's Shapley values, their standard errors, and what it taught; None of a game of zeros."""

    phi: Float64[np.ndarray, " n"]
    error: Float64[np.ndarray, " n"]
    learned: Learned | None


def learn(
    kernel: OddKernel, rows: Rows, y: Float64[np.ndarray, " p"], before: Learned | None = None
) -> Learned:
    """Parameters from the first pairs, refined in a few steps with more of them.

    The inflation is the total variance over draws of theta, divided by that of the most probable theta.

    Parameters
    ----------
    before
        What fewer of the same pairs taught: the search starts there, and what they knew already of the first
        pairs is not asked again.
    """
    few_rows, few = first_pairs(kernel, rows, y, MOST_FITTED)
    if before is None or before.pairs < len(few) - 1:
        start, units = (None, None) if before is None else (before.theta, before.steps)
        theta = kernel.fit(few_rows, few, start, units)
        steps = kernel.uncertainty(theta, few_rows, few)
        before = Learned(theta, _inflation(kernel, theta, steps, few_rows, few), steps, len(few) - 1)
    more_rows, more = first_pairs(kernel, rows, y, MOST_REFINED)
    if len(more) - 1 == before.pairs:
        return before
    part = (before.pairs + 1) / len(more)
    theta = kernel.fit(more_rows, more, before.theta, before.steps * np.sqrt(part), REFINING_STEPS)
    return Learned(theta, 1 + (before.inflation - 1) * part, before.steps * np.sqrt(part), len(more) - 1)


def _inflation(
    kernel: OddKernel, theta: np.ndarray, steps: np.ndarray, rows: Rows, y: np.ndarray
) -> Float64[np.ndarray, " n"]:
    normal = np.random.default_rng(0).standard_normal((DRAWS // 2, len(theta)))
    drawn = [
        posterior(kernel, kernel.within_bounds(theta + steps @ z), rows, y)
        for z in np.concatenate([normal, -normal])
    ]
    within = np.mean([np.diag(each.phi_covariance) for each in drawn], axis=0)
    between = np.var([each.phi for each in drawn], axis=0)
    alone = np.diag(posterior(kernel, theta, rows, y).phi_covariance)
    return (within + between) / np.maximum(alone, np.finfo(float).tiny)


def first_pairs(
    kernel: OddKernel, rows: Rows, y: Float64[np.ndarray, " p"], pairs: int
) -> tuple[Rows, Float64[np.ndarray, " k"]]:
    """The first pairs, and (none, all)."""
    if len(y) <= pairs + 1:
        return rows, y
    some = np.r_[0:pairs, len(y) - 1]
    return kernel.rows(rows.shown[some]), y[some]


def plan(n: int, budget: int, rng: np.random.Generator, regions: Regions | None) -> OddGPPlan:
    """As many pairs as the budget holds, far from each other; regions tell which players are neighbours."""
    shown = spread_pairs(n, (budget - 2) // 2, rng)
    ends = none_and_all(n)
    kernel = OddKernel(n, triples_of(n, regions))
    coalitions = np.concatenate([ends[:1], shown, ~shown, ends[1:]])
    return OddGPPlan(coalitions, kernel, kernel.rows(np.concatenate([shown, ends[1:]])))


ODD_GP = Estimator(
    "odd-gp",
    "Gaussian process over the odd part, learned from each game",
    plan,
    lambda n: max(4, n + 1),
    expensive=True,
    uses_adjacency=True,
    max_budget=MAX_BUDGET,
)
