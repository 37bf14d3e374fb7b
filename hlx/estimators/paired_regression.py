"""Shapley values as the weighted least-squares fit of an additive game to pairs of complements.

Charnes et al. (1988) write the Shapley value as such a fit over all coalitions; Lundberg and Lee (2017) fit
it to a sample. Where every coalition S comes with its complement, only the odd part of the game matters,
y = (v(S) - v(complement)) / 2, and x, 1/2 for every player shown and -1/2 for every other, explains it:
y ~ x phi under the constraint sum phi = D = v(all) - v(none).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from hlx.estimators.estimator import Estimate, Plan


@dataclass(frozen=True, eq=False)
class PairedRegressionPlan(Plan):
    """Pairs of complements, how they were sampled, and the fit.

    Attributes
    ----------
    pairs : (k, 2), rows of `coalitions`: one of the pair, and its complement.
    repeats : (k,), how many times each pair was drawn.
    stratum : (k,), pairs with the same number were drawn from the same population.
    sampled : (k,), the part of this population that was drawn; 0 where drawn with replacement.
    fit : (k, n), phi = D/n + (y - x 1 D/n) fit, the weights of all `repeats` of a pair together.
    centred : (k, n), x less its mean over the players: what the constraint leaves of x.
    leverage : (k,), the pull of one repeat of each pair on its own fitted value.
    floored : whether some direction was shrunk, see `least_squares`.
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
