"""Covariances of the interactions of three and more players, and of what belongs to no interaction.

See `hlx.estimators.gp.odd_kernels` for what a part is.
"""

from __future__ import annotations

from math import comb

import numpy as np
from jaxtyping import Float64, Int

from hlx.estimators.gp.odd_kernels import Matrix, Part, PerPlayer, Pullback, Rows, Vector

# Gauss-Legendre nodes: exact to interactions of 47 players; those beyond have next to no prior variance.
MOST_NODES = 24


class ProductPart(Part):
    """Three and more players anywhere: Var c_T = strength prod_{i in T} rho_i for every odd T but singles.

    sum over odd T of prod_{i in T} rho_i x_i x'_i = C sinh(x' diag(atanh rho) x), C = prod sqrt(1 - rho_i^2),
    the odd part of prod_i (1 + rho_i x_i x'_i). rho_i = 1 / (1 + exp(-level - relevance_i)).
    """

    def __init__(self, n: int) -> None:
        self.n = n
        # n rho = 2.4 makes the expected number of players in an interaction small whatever n is.
        self.start = np.array([np.log(0.1), np.log(2.4 / n)])
        self.spread = np.array([2.0, 0.7])

    def rho(self, theta: Vector, relevance: PerPlayer) -> PerPlayer:
        return 1 / (1 + np.exp(-theta[1] - relevance))

    def covariance(self, theta: Vector, relevance: PerPlayer, a: Rows, b: Rows) -> tuple[Matrix, Pullback]:
        strength, rho = np.exp(theta[0]), self.rho(theta, relevance)
        scale = np.sqrt(1 - rho**2).prod()
        grown = np.exp((a.signs * np.arctanh(rho)) @ b.signs.T)
        shrunk = 1 / grown
        sinh = (scale / 2) * (grown - shrunk)
        covariance = strength * (sinh - (a.signs * rho) @ b.signs.T)

        def pullback(w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            cosh = (scale / 2) * (grown + shrunk)
            curved = np.einsum("pi,pi->i", a.signs, (w * cosh) @ a.signs)
            straight = np.einsum("pi,pi->i", a.signs, w @ a.signs)
            by_rho = strength * ((curved - rho * np.vdot(w, sinh)) / (1 - rho**2) - straight)
            by_relevance = by_rho * rho * (1 - rho)
            return np.array([np.vdot(w, covariance), by_relevance.sum()]), by_relevance

        return covariance, pullback

    def to_phi(self, theta: Vector, relevance: PerPlayer, rows: Rows) -> Float64[np.ndarray, "n p"]:
        """int_0^1 2 rho_i x_i prod_{j != i} (1 + rho_j x_j (2 q - 1)) dq, less 2 rho_i x_i.

        The integral is the derivative of the multilinear extension along its diagonal (Owen 1972).
        """
        strength, weighted = np.exp(theta[0]), rows.signs * self.rho(theta, relevance)
        nodes, weights = _legendre(self.n)
        total = -np.ones_like(weighted)
        for z, weight in zip(nodes, weights, strict=True):
            factors = 1 + weighted * z
            total += weight * factors.prod(axis=1, keepdims=True) / factors
        return (2 * strength * weighted * total).T

    def of_phi(self, theta: Vector, relevance: PerPlayer) -> Float64[np.ndarray, "n n"]:
        """4 sum over T of Var c_T / |T|^2, with 1 / |T|^2 as a double integral of (z z')^(|T| - 1)."""
        strength, rho = np.exp(theta[0]), self.rho(theta, relevance)
        nodes, weights = _legendre(self.n)
        total = np.zeros((self.n, self.n))
        for zz, weight in zip(np.outer(nodes, nodes).flat, np.outer(weights, weights).flat, strict=True):
            factors = 1 + rho * zz
            product = factors.prod()
            pairs = product * zz * np.outer(rho / factors, rho / factors)
            np.fill_diagonal(pairs, product * rho / factors)
            total += weight * pairs
        return 4 * strength * (total - np.diag(rho))


class TriplePart(Part):
    """Three players each: log Var c_T = level + slope (spread_T - mean spread) + sum of their relevances."""

    def __init__(self, n: int, triples: Int[np.ndarray, "t 3"], spreads: Float64[np.ndarray, " t"]) -> None:
        self.n, self.triples = n, triples
        self.spreads = spreads - spreads.mean() if len(spreads) else spreads
        self.membership = np.zeros((n, len(triples)))
        self.membership[triples.T, np.arange(len(triples))] = 1
        self.start = np.array([np.log(0.1 / max(len(triples), 1)), -3.0])
        self.spread = np.array([2.0, 1.5])

    def variances(self, theta: Vector, relevance: PerPlayer) -> Float64[np.ndarray, " t"]:
        return np.exp(theta[0] + theta[1] * self.spreads + relevance @ self.membership)

    def covariance(self, theta: Vector, relevance: PerPlayer, a: Rows, b: Rows) -> tuple[Matrix, Pullback]:
        variances = self.variances(theta, relevance)

        def pullback(w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            by_log = variances * np.einsum("pt,pt->t", a.triples, w @ a.triples)
            return np.array([by_log.sum(), by_log @ self.spreads]), self.membership @ by_log

        return (a.triples * variances) @ b.triples.T, pullback

    def to_phi(self, theta: Vector, relevance: PerPlayer, rows: Rows) -> Float64[np.ndarray, "n p"]:
        return 2 / 3 * (self.membership * self.variances(theta, relevance)) @ rows.triples.T

    def of_phi(self, theta: Vector, relevance: PerPlayer) -> Float64[np.ndarray, "n n"]:
        return 4 / 9 * (self.membership * self.variances(theta, relevance)) @ self.membership.T


class RoughPart(Part):
    """An independent value for every pair of complements, but none for (all, none)."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.start, self.spread = np.array([np.log(1e-4)]), np.array([3.0])
        size = np.arange(n + 1)
        joining = np.array([1 / (n * comb(n - 1, s)) if s < n else 0.0 for s in size])
        # Shapley's weights of v(S) in phi_i, for i in S and for i not in S.
        self.inside, self.outside = np.r_[0.0, joining[:-1]], -joining

    def covariance(self, theta: Vector, relevance: PerPlayer, a: Rows, b: Rows) -> tuple[Matrix, Pullback]:
        inner = a.signs @ b.signs.T
        proper = (a.sizes > 0) & (a.sizes < self.n)
        same = (inner == self.n) * 1.0 - (inner == -self.n)
        covariance = np.exp(theta[0]) * same * proper[:, None]

        def pullback(w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return np.array([np.vdot(w, covariance)]), np.zeros(self.n)

        return covariance, pullback

    def to_phi(self, theta: Vector, relevance: PerPlayer, rows: Rows) -> Float64[np.ndarray, "n p"]:
        weights = np.where(rows.shown, self.inside[rows.sizes, None], self.outside[rows.sizes, None])
        proper = (rows.sizes > 0) & (rows.sizes < self.n)
        return 2 * np.exp(theta[0]) * (weights * proper[:, None]).T

    def of_phi(self, theta: Vector, relevance: PerPlayer) -> Float64[np.ndarray, "n n"]:
        """Sums of products of the weights over all pairs, by their size."""
        n, same, different = self.n, 0.0, 0.0
        for s in range(1, n):
            inside, outside = float(self.inside[s]), float(self.outside[s])
            same += comb(n - 1, s - 1) * inside**2 + comb(n - 1, s) * outside**2
            if n > 1:
                both, neither = (comb(n - 2, s - 2) if s > 1 else 0), comb(n - 2, s)
                different += both * inside**2 + neither * outside**2
                different += 2 * comb(n - 2, s - 1) * inside * outside
        return 2 * np.exp(theta[0]) * (different + (same - different) * np.eye(n))


def _legendre(n: int) -> tuple[Float64[np.ndarray, " k"], Float64[np.ndarray, " k"]]:
    """Nodes z = 2 q - 1 for integrals over q in (0, 1), and weights of sum 1."""
    nodes, weights = np.polynomial.legendre.leggauss(min(-(-n // 2), MOST_NODES))
    return nodes, weights / 2
