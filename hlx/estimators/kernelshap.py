"""Paired KernelSHAP and leverage-score sampling: an additive game fitted to pairs of complements.

Charnes et al. (1988) write the Shapley value as a weighted least-squares fit of an additive game over all
coalitions; Lundberg and Lee (2017) fit it to coalitions drawn with the Shapley kernel's own probabilities;
Covert and Lee (2021, arXiv:2012.01536, section 4.2) add the complement of every coalition drawn. Nothing is
regularised that could drop a player. Where every coalition S comes with its complement, only the odd part of
the game matters, y = (v(S) - v(complement)) / 2, and x, 1/2 for every player shown and -1/2 for every other,
explains it: y ~ x phi under the constraint sum phi = D = v(all) - v(none).

Musco and Witter (2025, arXiv:2410.01917): in the regression whose solution is the Shapley value, the leverage
score of a coalition is proportional to 1 / C(n, size), so that every size is sampled alike, in pairs of
complements and without replacement.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from hlx.estimators.draws import draw_within, within
from hlx.estimators.estimator import Estimate, Estimator, Plan
from hlx.estimators.size_strata import draw_pairs, stratum_sizes
from hlx.games.coalitions import random_subsets
from hlx.games.regions import Regions


@dataclass(frozen=True, eq=False)
class PairedRegressionPlan(Plan):
    """Pairs of complements, how they were sampled, and the fit.

    Attributes
    ----------
    pairs
        (k, 2), rows of `coalitions`: one of the pair, and its complement.
    repeats
        (k,), how many times each pair was drawn.
    stratum
        (k,), pairs with the same number were drawn from the same population.
    sampled
        (k,), the part of this population that was drawn; 0 where drawn with replacement.
    fit
        (k, n), phi = D/n + (y - x 1 D/n) fit, the weights of all `repeats` of a pair together.
    centred
        (k, n), x less its mean over the players: what the constraint leaves of x.
    leverage
        (k,), the pull of one repeat of each pair on its own fitted value.
    floored
        Whether some direction was shrunk, see `least_squares`.
    """

    pairs: Int[np.ndarray, "k 2"]
    repeats: Int[np.ndarray, " k"]
    stratum: Int[np.ndarray, " k"]
    sampled: Float64[np.ndarray, " k"]
    fit: Float64[np.ndarray, "k n"]
    centred: Float64[np.ndarray, "k n"]
    leverage: Float64[np.ndarray, " k"]
    floored: bool

    def _solve(self, values: Float[np.ndarray, "*games m"]) -> Estimate:
        """The fitted values, and standard errors by linearisation; None where a direction was shrunk.

        The error of a fit is close to the sum over draws of residual times pull on phi, whose variance the
        spread within the strata gives (a sandwich; Binder 1983 for finite populations). Residuals are divided
        by 1 - leverage (HC3; MacKinnon and White 1985), for a fit leaves too little of them.
        """
        values = values.astype(np.float64, copy=False)
        k, n = self.fit.shape
        total = values[..., -1:] - values[..., :1]
        odd = (values[..., self.pairs[:, 0]] - values[..., self.pairs[:, 1]]) / 2
        shares = (self.coalitions[self.pairs[:, 0]] - 0.5).sum(axis=1) / n
        odd -= total * shares
        phi = odd @ self.fit
        estimate = phi + total / n
        if self.floored or k < n:
            return Estimate(estimate)
        residuals = (odd - phi @ self.centred.T) / (1 - self.leverage)
        return Estimate(estimate, np.sqrt(self._variance(residuals)), float(k - n + 1))

    def _variance(self, residuals: Float64[np.ndarray, "*games k"]) -> Float64[np.ndarray, "*games n"]:
        pull = self.fit / self.repeats[:, None]
        variance = np.zeros((*residuals.shape[:-1], self.fit.shape[1]))
        for stratum in np.unique(self.stratum):
            inside = self.stratum == stratum
            repeats, errors, pulls = self.repeats[inside], residuals[..., inside], pull[inside]
            draws = repeats.sum()
            spread = np.square(errors) @ (repeats[:, None] * np.square(pulls))
            # A single draw has no spread of its own: its distance from no error at all stands in.
            if draws > 1:
                spread -= np.square(errors @ (repeats[:, None] * pulls)) / draws
                spread *= draws / (draws - 1)
            variance += np.maximum(spread, 0) * (1 - self.sampled[inside][0])
        return variance


def fit_pairs(
    coalitions: Bool[np.ndarray, "m n"],
    pairs: Int[np.ndarray, "k 2"],
    weights: Float64[np.ndarray, " k"],
    repeats: Int[np.ndarray, " k"],
    stratum: Int[np.ndarray, " k"],
    sampled: Float64[np.ndarray, " k"],
) -> PairedRegressionPlan:
    """The plan of a fit in which every repeat of a pair has the weight given, up to a common factor."""
    x = coalitions[pairs[:, 0]] - 0.5
    centred = x - x.mean(axis=1, keepdims=True)
    fit, leverage, floored = least_squares(centred, weights * repeats)
    return PairedRegressionPlan(
        coalitions, pairs, repeats, stratum, sampled, fit, centred, leverage / repeats, floored
    )


def least_squares(
    x: Float64[np.ndarray, "k n"], weights: Float64[np.ndarray, " k"]
) -> tuple[Float64[np.ndarray, "k n"], Float64[np.ndarray, " k"], bool]:
    """Weighted least squares of y on x whose rows sum to zero: (y -> y fit), the leverages, whether shrunk.

    With about as many pairs as players some eigenvalues of x'Wx come close to zero by chance, and their
    directions bring errors of any size. With the aspect ratio g = (n - 1)/k, random rows spread
    the eigenvalues over (1 - sqrt g)^2 ... (1 + sqrt g)^2 times their mean (Marchenko and Pastur 1967). Below
    g times their mean they are raised to that, which shrinks these directions towards equal shares. The lower
    edge meets this floor at g = 1/4: with more than about four pairs a player nothing is changed.
    """
    k, n = x.shape
    if min(k, n - 1) < 1:
        return np.zeros((k, n)), np.zeros(k), False
    weighted = x * weights[:, None]
    eigenvalues, directions = np.linalg.eigh(weighted.T @ x)
    floor = (n - 1) / k * eigenvalues.sum() / (n - 1)
    raised = np.maximum(eigenvalues, floor)
    fit = weighted @ (directions / raised) @ directions.T
    # The first direction is that of all players alike, which the rows have no part in.
    return fit, (fit * x).sum(axis=1), bool((eigenvalues[1:] < floor).any())


def plan_kernelshap(
    n: int, budget: int, rng: np.random.Generator, regions: Regions | None
) -> PairedRegressionPlan:
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
    plan_kernelshap,
    lambda n: max(4, n + 1),
)


def plan_leverage(
    n: int, budget: int, rng: np.random.Generator, regions: Regions | None
) -> PairedRegressionPlan:
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
    plan_leverage,
    lambda n: max(4, n + 1),
)
