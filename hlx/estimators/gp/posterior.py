"""A Gaussian process over the odd part of a game: strengths by marginal likelihood, Shapley values by Bayes.

Rasmussen and Williams (2006), Gaussian Processes for Machine Learning: marginal likelihood and its gradient,
equations 5.8 and 5.9; posterior, 2.23 and 2.24; leave-one-out, 5.12.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float64

from hlx.estimators.gp.interaction_kernels import ProductPart, RoughPart, TriplePart
from hlx.estimators.gp.odd_kernels import Part, PlayerPart, Rows, SizePart
from hlx.estimators.gp.triples import Triples

# Prior standard deviation of the logarithm of what a player contributes to an interaction's variance.
RELEVANCE_SPREAD = 0.7
# Added to the diagonal, for the values are scaled to mean square 1; the next where one leaves the matrix
# indefinite in floating point.
JITTERS = (1e-9, 1e-7, 1e-5, 1e-3)
# Numbers of a covariance that are computed at once: each of its parts takes several arrays of them.
BLOCK = 1 << 19
MOST_ITERATIONS = 60
# Parameters stay within so many prior standard deviations.
BOUND = 6.0
# Of logarithms, for the curvature of the loss.
DIFFERENCE = 0.1


class OddKernel:
    """The sum of all parts, with one vector theta: their parameters one after the other, then relevances."""

    def __init__(self, n: int, triples: Triples) -> None:
        self.n, self.members = n, triples.members
        self.parts: Sequence[Part] = [SizePart(n), PlayerPart(n), RoughPart(n)]
        if n >= 3:
            self.parts = [*self.parts, ProductPart(n)]
        if len(triples.members):
            self.parts = [*self.parts, TriplePart(n, triples.members, triples.spreads)]
        ends = np.cumsum([0, *(len(part.start) for part in self.parts)])
        self.slices = [slice(a, b) for a, b in pairwise(ends.tolist())]
        self.start = np.concatenate([*(part.start for part in self.parts), np.zeros(n)])
        self.spread = np.concatenate([*(part.spread for part in self.parts), np.full(n, RELEVANCE_SPREAD)])

    def rows(self, shown: Bool[np.ndarray, "p n"]) -> Rows:
        return Rows(shown, self.members)

    def covariance(self, theta: Float64[np.ndarray, " k"], a: Rows, b: Rows) -> Float64[np.ndarray, "p q"]:
        """Of y at the rows a with y at the rows b."""
        return added_up([part.covariance(*self._of(part, theta), a, b)[0] for part in self.parts])

    def lower_covariance(
        self, theta: Float64[np.ndarray, " k"], rows: Rows, jitter: float
    ) -> Float64[np.ndarray, "p p"]:
        """Of y at the rows with itself and `jitter` on the diagonal, in the order of LAPACK's columns.

        Nothing is promised of what lies above the diagonal.
        """
        p = len(rows.shown)
        covariance = np.empty((p, p), order="F")
        for some in blocks(p, p):
            covariance[some, : some.stop] = self.covariance(theta, rows[some], rows[: some.stop])
        covariance[np.diag_indices(p)] += jitter
        return covariance

    def predict(
        self,
        theta: Float64[np.ndarray, " k"],
        rows: Rows,
        weights: Float64[np.ndarray, " p"],
        shown: Bool[np.ndarray, "m n"],
    ) -> Float64[np.ndarray, " m"]:
        """Covariances of y at other coalitions with y at the rows, times weights."""
        predicted = np.empty(len(shown))
        for some in blocks(len(shown), len(weights)):
            predicted[some] = self.covariance(theta, self.rows(shown[some]), rows) @ weights
        return predicted

    def to_phi(self, theta: Float64[np.ndarray, " k"], rows: Rows) -> Float64[np.ndarray, "n p"]:
        return np.sum([part.to_phi(*self._of(part, theta), rows) for part in self.parts], axis=0)

    def of_phi(self, theta: Float64[np.ndarray, " k"]) -> Float64[np.ndarray, "n n"]:
        return np.sum([part.of_phi(*self._of(part, theta)) for part in self.parts], axis=0)

    def loss(
        self, theta: Float64[np.ndarray, " k"], rows: Rows, y: Float64[np.ndarray, " p"]
    ) -> tuple[float, Float64[np.ndarray, " k"]]:
        """Negative log of marginal likelihood times prior, without constants, and its gradient."""
        from scipy.linalg import lapack

        found = [part.covariance(*self._of(part, theta), rows, rows) for part in self.parts]
        covariance = added_up([term for term, _ in found])
        covariance[np.diag_indices(len(y))] += JITTERS[0]
        factor, failed = lapack.dpotrf(covariance, lower=1)
        if failed:
            return 1e10, np.zeros(len(theta))
        weights = lapack.dpotrs(factor, y, lower=1)[0]
        half_determinant = np.log(np.diag(factor)).sum()
        inverse = np.tril(lapack.dpotri(factor, lower=1)[0])
        inverse += np.tril(inverse, -1).T
        slope = (inverse - np.outer(weights, weights)) / 2
        own, relevance = [], np.zeros(self.n)
        for _, pullback in found:
            by_own, by_relevance = pullback(slope)
            own.append(by_own)
            relevance += by_relevance
        away = (theta - self.start) / self.spread
        loss = y @ weights / 2 + half_determinant + away @ away / 2
        return float(loss), np.concatenate([*own, relevance]) + away / self.spread

    def fit(
        self,
        rows: Rows,
        y: Float64[np.ndarray, " p"],
        start: Float64[np.ndarray, " k"] | None = None,
        steps: Float64[np.ndarray, "k k"] | None = None,
        iterations: int = MOST_ITERATIONS,
    ) -> Float64[np.ndarray, " k"]:
        """The most probable theta, searched from `start` in units of `steps`."""
        from scipy.optimize import minimize

        origin = self.start if start is None else start
        units = np.diag(self.spread) if steps is None else steps

        def scaled_loss(moved: np.ndarray) -> tuple[float, np.ndarray]:
            loss, slope = self.loss(self.within_bounds(origin + units @ moved), rows, y)
            return loss, units.T @ slope

        # Without curvature to go by, the first step of L-BFGS has length 1 in these units.
        found = minimize(
            scaled_loss,
            np.zeros(len(origin)),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": iterations, "maxfun": 2 * iterations},
        )
        return self.within_bounds(origin + units @ found.x)

    def within_bounds(self, theta: Float64[np.ndarray, " k"]) -> Float64[np.ndarray, " k"]:
        return np.clip(theta, self.start - BOUND * self.spread, self.start + BOUND * self.spread)

    def uncertainty(
        self, theta: Float64[np.ndarray, " k"], rows: Rows, y: Float64[np.ndarray, " p"]
    ) -> Float64[np.ndarray, "k k"]:
        """A square root of the covariance of theta near its best value, by Laplace's approximation."""
        at = self.loss(theta, rows, y)[1]
        shifts = DIFFERENCE * np.eye(len(theta))
        hessian = np.array([self.loss(theta + shift, rows, y)[1] - at for shift in shifts]) / DIFFERENCE
        curvatures, directions = np.linalg.eigh((hessian + hessian.T) / 2)
        # No direction can be less certain than it was beforehand.
        return directions / np.sqrt(np.maximum(curvatures, 1 / np.square(self.spread).max()))

    def _of(self, part: Part, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return theta[self.slices[self.parts.index(part)]], theta[-self.n :]


@dataclass(frozen=True, eq=False)
class Posterior:
    """What the observed values say.

    Attributes
    ----------
    weights
        (p,), the inverse covariance of the observed values times these: predictions are covariances times
        weights.
    phi
        (n,), posterior mean.
    phi_covariance
        (n, n).
    left_out
        (p,), the error of the prediction of each value from all others, in its standard deviations.
    """

    kernel: OddKernel
    theta: Float64[np.ndarray, " k"]
    rows: Rows
    weights: Float64[np.ndarray, " p"]
    phi: Float64[np.ndarray, " n"]
    phi_covariance: Float64[np.ndarray, "n n"]
    left_out: Float64[np.ndarray, " p"]

    def predict(self, shown: Bool[np.ndarray, "m n"]) -> Float64[np.ndarray, " m"]:
        """Posterior mean of the odd part at other coalitions."""
        return self.kernel.predict(self.theta, self.rows, self.weights, shown)


def posterior(
    kernel: OddKernel, theta: Float64[np.ndarray, " k"], rows: Rows, y: Float64[np.ndarray, " p"]
) -> Posterior:
    """The posterior for one theta.

    One matrix of p x p numbers is held, which becomes its own factor and then its own inverse.

    Raises
    ------
    LinAlgError
        The covariance is not positive definite even with the largest jitter.
    """
    from scipy.linalg import lapack, solve_triangular

    for jitter in JITTERS:
        covariance = kernel.lower_covariance(theta, rows, jitter)
        factor, failed = lapack.dpotrf(covariance, lower=1, clean=0, overwrite_a=1)
        if not failed and np.isfinite(factor[-1, -1]):  # it passes NaN on to the last
            break
    else:
        raise np.linalg.LinAlgError(f"the covariance of {len(y)} values is not positive definite")
    weights = lapack.dpotrs(factor, y, lower=1)[0]
    to_phi = kernel.to_phi(theta, rows)
    explained = solve_triangular(factor, to_phi.T, lower=True, check_finite=False)
    precisions = np.diag(lapack.dpotri(factor, lower=1, overwrite_c=1)[0])
    return Posterior(
        kernel,
        theta,
        rows,
        weights,
        to_phi @ weights,
        kernel.of_phi(theta) - explained.T @ explained,
        weights / np.sqrt(precisions),
    )


def posterior_bytes(pairs: int, n: int, triples: int) -> int:
    """Memory that the posterior of so many values takes: its matrix, the rows, and blocks of the parts."""
    return 8 * (pairs * (pairs + 3 * triples + 6 * n) + 12 * BLOCK)


def added_up(terms: Sequence[Float64[np.ndarray, "p q"]]) -> Float64[np.ndarray, "p q"]:
    """The sum, in new memory, of one term after the other."""
    total = terms[0].copy()
    for term in terms[1:]:
        total += term
    return total


def blocks(rows: int, columns: int) -> Iterator[slice]:
    """Slices of so many rows that a block has at most `BLOCK` numbers, or a single row."""
    step = max(1, BLOCK // max(1, columns))
    return (slice(start, min(start + step, rows)) for start in range(0, rows, step))
