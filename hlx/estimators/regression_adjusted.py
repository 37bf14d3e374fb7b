"""Any cheap model of the game, and an unbiased estimate of what it misses.

Witter et al. (2025, Regression-adjusted Monte Carlo estimators for Shapley values, arXiv:2506.11849): the
Shapley values of a surrogate plus those of the residual game, estimated by sampling. Here the sample is of
pairs of complements, stratified by size without replacement. The surrogate is fitted once per fold of the
pairs, to all other folds, so that it knows nothing of the values that correct it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from hlx.estimators.estimator import Estimate, Estimator, Plan
from hlx.estimators.size_strata import PairSample, draw_pairs, stratum_population, stratum_sizes
from hlx.estimators.surrogates import FittedSurrogate, GaussianProcessSurrogate, Surrogate, surrogate_shapley
from hlx.estimators.threads import solve_game_by_game
from hlx.games.regions import Regions

MOST_FOLDS = 5
# Evaluations: a surrogate takes a few matrices of all its pairs, and time that grows with the cube.
MAX_BUDGET = 1 << 14
SURROGATE_MATRICES = 5
# With fewer pairs a player a correction would add more noise than the bias it removes: the surrogate stands.
LEAST_PAIRS_A_PLAYER = 2


@dataclass(frozen=True, eq=False)
class RegressionAdjustedPlan(Plan):
    """A stratified sample of pairs.

    Attributes
    ----------
    fold
        (k,), the fold of every pair; -1 for those of strata too small to be corrected.
    folds
        How many there are.
    populations
        (k,), pairs in the stratum of each.
    """

    sample: PairSample
    fold: Int[np.ndarray, " k"]
    folds: int
    populations: Float64[np.ndarray, " k"]
    surrogate: Surrogate
    regions: Regions | None

    def _solve(self, values: Float[np.ndarray, "*games m"]) -> Estimate:
        """The adjusted values, exactly efficient; standard errors by the spread of residuals within strata.

        Raises
        ------
        InputError
            The surrogate has no Shapley values of its own, and a table is too large.
        """
        return self._resume(values, [None] * (values.size // values.shape[-1]))

    def _resume(self, values: Float[np.ndarray, "*games m"], learned: Sequence[Any]) -> Estimate:
        """As `_solve`; each game's surrogates start from the one fitted before."""
        games = values.astype(np.float64, copy=False).reshape(-1, values.shape[-1])
        game_bytes = 8 * SURROGATE_MATRICES * len(self.fold) ** 2
        solved = solve_game_by_game(self._solve_one, list(zip(games, learned, strict=True)), game_bytes)
        shape = (*values.shape[:-1], self.n_players)
        phi = np.array([one.phi for one in solved]).reshape(shape)
        fitted = [one.surrogate for one in solved]
        if len(self.fold) < LEAST_PAIRS_A_PLAYER * self.n_players:
            return Estimate(phi, learned=fitted)
        error = np.sqrt(np.array([one.variance for one in solved])).reshape(shape)
        return Estimate(phi, error, float(len(self.fold) - self.n_players + 1), fitted)

    def _solve_one(self, game: tuple[np.ndarray, FittedSurrogate | None]) -> _Solved:
        values, start = game
        pairs = self.sample.pairs
        odd = (values[pairs[:, 0]] - values[pairs[:, 1]]) / 2
        half_total = (values[-1] - values[0]) / 2
        shown, everything = self.coalitions[pairs[:, 0]], self.coalitions[-1:]
        weights = shapley_weights(shown)
        phi, residuals = np.zeros(self.n_players), np.zeros(len(odd))
        for fold in range(self.folds):
            held_out = self.fold == fold if self.folds > 1 else np.zeros(len(odd), bool)
            known = ~held_out
            pairs_and_all = np.concatenate([shown[known], everything])
            fitted = self._fit(pairs_and_all, np.append(odd[known], half_total), start)
            both = np.concatenate([shown, everything])
            predicted = (fitted.predict(both) - fitted.predict(~both)) / 2
            missed = odd - predicted[:-1]
            residuals[held_out] = missed[held_out]
            expanded = self._expansion(held_out) * missed
            phi += surrogate_shapley(fitted, self.n_players) + expanded @ weights
            phi += 2 * (half_total - predicted[-1]) / self.n_players
        return _Solved(phi / self.folds, self._variance(residuals[:, None] * weights), fitted)

    def _fit(
        self,
        coalitions: Bool[np.ndarray, "p n"],
        odd: Float64[np.ndarray, " p"],
        start: FittedSurrogate | None,
    ) -> FittedSurrogate:
        again = getattr(self.surrogate, "fit_from", None)
        if start is None or again is None:
            return self.surrogate.fit(coalitions, odd, self.regions)
        found: FittedSurrogate = again(start, coalitions, odd, self.regions)
        return found

    def _expansion(self, held_out: Bool[np.ndarray, " k"]) -> Float64[np.ndarray, " k"]:
        """How many pairs each pair stands for: a held-out one for its share of all that were not fitted to.

        Given the fitted pairs, those held out are a simple random sample of all the others of their stratum.
        """
        expansion = np.ones(len(held_out))
        for size in np.unique(self.sample.sizes[held_out]):
            inside = self.sample.sizes == size
            fitted, held = int((inside & ~held_out).sum()), inside & held_out
            expansion[held] = (self.populations[inside][0] - fitted) / held.sum()
        return expansion

    def _variance(self, terms: Float64[np.ndarray, "k n"]) -> Float64[np.ndarray, " n"]:
        """Of a sum over a population estimated from a stratified sample (Cochran 1977, equation 5.6)."""
        variance = np.zeros(terms.shape[1])
        for size in np.unique(self.sample.sizes):
            inside = self.sample.sizes == size
            count, population = int(inside.sum()), self.populations[inside][0]
            if count > 1:
                spread = terms[inside].var(axis=0, ddof=1)
                variance += population * (population - count) / count * spread
        return variance


class _Solved(NamedTuple):
    """A game's Shapley values, their variances, and the last fold's surrogate."""

    phi: Float64[np.ndarray, " n"]
    variance: Float64[np.ndarray, " n"]
    surrogate: FittedSurrogate


def shapley_weights(shown: Bool[np.ndarray, "k n"]) -> Float64[np.ndarray, "k n"]:
    """d phi_i / d y(S): twice Shapley's weight of v(S), for the complement has minus the same."""
    n, sizes = shown.shape[1], np.count_nonzero(shown, axis=1)
    inside = np.array([2 / (n * comb(n - 1, s - 1)) if s else 0.0 for s in range(n + 1)])
    outside = np.array([-2 / (n * comb(n - 1, s)) if s < n else 0.0 for s in range(n + 1)])
    return np.where(shown, inside[sizes, None], outside[sizes, None])


def regression_adjusted(
    surrogate: Surrogate, name: str = "regression-adjusted", summary: str = "", expensive: bool = True
) -> Estimator:
    """The estimator that corrects this surrogate.

    Examples
    --------
    >>> from hlx.estimators.surrogates import InteractionRidge
    >>> regression_adjusted(InteractionRidge(), "ridge-adjusted").name
    'ridge-adjusted'
    """

    def plan(
        n: int, budget: int, rng: np.random.Generator, regions: Regions | None
    ) -> RegressionAdjustedPlan:
        sizes = stratum_sizes(n)
        sample = draw_pairs(n, (budget - 2) // 2, np.where(2 * sizes == n, 0.5, 1.0), rng)
        populations = np.array([float(stratum_population(n, int(size))) for size in sample.sizes])
        fold, folds = assign_folds(sample, populations)
        return RegressionAdjustedPlan(sample.coalitions, sample, fold, folds, populations, surrogate, regions)

    return Estimator(
        name,
        summary or "a surrogate and its residuals, cross-fitted",
        plan,
        _least,
        expensive=expensive,
        uses_adjacency=True,
        max_budget=MAX_BUDGET,
    )


def assign_folds(
    sample: PairSample, populations: Float64[np.ndarray, " k"]
) -> tuple[Int[np.ndarray, " k"], int]:
    """Folds of as equal parts of every stratum as possible, each with at least one pair of every stratum.

    Strata that were drawn as a whole need no correction, and those with a single pair can have none. Where
    all are such, or there are few pairs a player, nothing is corrected, in a single fold.
    """
    fold = np.full(len(sample.sizes), -1)
    counts = sample.counts[(sample.counts > 1) & (sample.counts < populations)]
    if not len(counts) or len(fold) < LEAST_PAIRS_A_PLAYER * sample.coalitions.shape[1]:
        return fold, 1
    folds = min(MOST_FOLDS, int(counts.min()))
    for size in np.unique(sample.sizes):
        inside = np.flatnonzero(sample.sizes == size)
        if 1 < len(inside) < populations[inside[0]]:
            fold[inside] = np.arange(len(inside)) % folds
    return fold, folds


def _least(n: int) -> int:
    return max(4, n + 1)


REGRESSION_ADJUSTED = regression_adjusted(
    GaussianProcessSurrogate(), summary="Gaussian-process surrogate plus its residuals, cross-fitted"
)
