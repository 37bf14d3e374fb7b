"""Surrogates: cheap models of a game's odd part, for `hlx.estimators.regression_adjusted`.

Any object with the two methods of `Surrogate` and `FittedSurrogate` will do; one around a tree ensemble or
a neural network takes a dozen lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float64

from hlx.errors import InputError
from hlx.estimators.gp.posterior import OddKernel, Posterior, posterior
from hlx.estimators.gp.triples import triples_of
from hlx.games.coalitions import all_rows
from hlx.games.regions import Regions
from hlx.kernels import shapley

# Surrogates without Shapley values of their own are evaluated on all coalitions of so many players.
MOST_TABULATED = 16
# Prior variance of a single player's coefficient in units of a triple's.
SINGLE_VARIANCE = 1e4


@runtime_checkable
class FittedSurrogate(Protocol):
    """A model of one game. It may have a method `shapley() -> (n,)`, its own exact Shapley values."""

    def predict(self, coalitions: Bool[np.ndarray, "m n"]) -> Float64[np.ndarray, " m"]:
        """Values at coalitions; only differences between a coalition and its complement are used."""


@runtime_checkable
class Surrogate(Protocol):
    """A way to fit such models.

    It may have a method `fit_from(start, coalitions, odd, regions)`, which starts from a model of the same
    game that was fitted to fewer coalitions.
    """

    def fit(
        self, coalitions: Bool[np.ndarray, "p n"], odd: Float64[np.ndarray, " p"], regions: Regions | None
    ) -> FittedSurrogate:
        """A model of odd(S) = (v(S) - v(complement of S)) / 2, which at the complements is minus the same.

        The coalitions show at most half of the players, but for the last, which shows all; there may be no
        other.
        """


def surrogate_shapley(fitted: FittedSurrogate, n: int) -> Float64[np.ndarray, " n"]:
    """The Shapley values of a fitted surrogate: its own, or from all its predictions.

    Raises
    ------
    InputError
        It has none of its own, and a table of n players is too large.
    """
    own = getattr(fitted, "shapley", None)
    if own is not None:
        return np.asarray(own(), np.float64)
    if n > MOST_TABULATED:
        raise InputError(
            f"surrogate {type(fitted).__name__}: has no method shapley(), and {n} players are more than the "
            f"{MOST_TABULATED} for which all its predictions are made; give it one"
        )
    return shapley(np.asarray(fitted.predict(all_rows(n)), np.float64))


@dataclass(frozen=True)
class GaussianProcessSurrogate:
    """The posterior mean of `odd-gp`.

    Attributes
    ----------
    most_fitted
        Strengths and relevances are learned from so many pairs, spread over all.
    """

    most_fitted: int = 200

    def fit(
        self, coalitions: Bool[np.ndarray, "p n"], odd: Float64[np.ndarray, " p"], regions: Regions | None
    ) -> ScaledPosterior:
        return self.fit_from(None, coalitions, odd, regions)

    def fit_from(
        self,
        start: ScaledPosterior | None,
        coalitions: Bool[np.ndarray, "p n"],
        odd: Float64[np.ndarray, " p"],
        regions: Regions | None,
    ) -> ScaledPosterior:
        n = coalitions.shape[1]
        kernel = OddKernel(n, triples_of(n, regions))
        scale = float(np.sqrt(np.mean(odd**2))) or 1.0
        pairs = len(odd) - 1
        some = np.unique(np.linspace(0, pairs, min(pairs, self.most_fitted) + 1).round().astype(int))
        before = None if start is None else start.posterior.theta
        theta = kernel.fit(kernel.rows(coalitions[some]), odd[some] / scale, before)
        return ScaledPosterior(posterior(kernel, theta, kernel.rows(coalitions), odd / scale), scale)


@dataclass(frozen=True, eq=False)
class ScaledPosterior:
    """A posterior over values in units of `scale`."""

    posterior: Posterior
    scale: float

    def predict(self, coalitions: Bool[np.ndarray, "m n"]) -> Float64[np.ndarray, " m"]:
        return self.posterior.predict(coalitions) * self.scale

    def shapley(self) -> Float64[np.ndarray, " n"]:
        return self.posterior.phi * self.scale


@dataclass(frozen=True)
class InteractionRidge:
    """Ridge regression on single players and triples of neighbours: fitted in milliseconds.

    Attributes
    ----------
    penalties
        Of the triples, times the number of pairs; the one with the least leave-one-out error is taken. Single
        players are hardly shrunk.
    """

    penalties: tuple[float, ...] = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)

    def fit(
        self, coalitions: Bool[np.ndarray, "p n"], odd: Float64[np.ndarray, " p"], regions: Regions | None
    ) -> FittedRidge:
        """Ridge in its dual form; leave-one-out errors as Rasmussen and Williams (2006), equation 5.12."""
        n = coalitions.shape[1]
        model = FittedRidge(triples_of(n, regions).members, np.zeros(0))
        features = model.features(coalitions)
        variances = np.r_[np.full(n, SINGLE_VARIANCE), np.ones(features.shape[1] - n)]
        gram = (features * variances) @ features.T
        eigenvalues, vectors = np.linalg.eigh(gram)
        best, least = np.zeros(len(odd)), np.inf
        for penalty in self.penalties:
            inverse = (vectors / (np.maximum(eigenvalues, 0) + penalty * len(odd))) @ vectors.T
            weights = inverse @ odd
            error = float(np.mean(np.square(weights / np.diag(inverse))))
            if error < least:
                best, least = weights, error
        return FittedRidge(model.members, variances * (best @ features))


@dataclass(frozen=True, eq=False)
class FittedRidge:
    """sum_i c_i x_i + sum_T c_T x_i x_j x_k, coefficients of the players first."""

    members: np.ndarray
    coefficients: Float64[np.ndarray, " f"]

    def features(self, coalitions: Bool[np.ndarray, "m n"]) -> Float64[np.ndarray, "m f"]:
        signs = 2.0 * coalitions - 1.0
        return np.concatenate([signs, signs[:, self.members].prod(axis=2)], axis=1)

    def predict(self, coalitions: Bool[np.ndarray, "m n"]) -> Float64[np.ndarray, " m"]:
        return self.features(coalitions) @ self.coefficients

    def shapley(self) -> Float64[np.ndarray, " n"]:
        """phi_i = 2 sum over T that contain i of c_T / |T|."""
        n = len(self.coefficients) - len(self.members)
        phi = 2 * self.coefficients[:n]
        for players in self.members.T:
            phi += 2 / 3 * np.bincount(players, self.coefficients[n:], minlength=n)
        return phi
