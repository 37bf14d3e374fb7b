"""Covariances of the odd part of a game, and of its Shapley values with it.

With x in {-1, +1}^n, +1 for every player shown, the odd part y(S) = (v(S) - v(complement of S)) / 2 is a sum
of c_T prod_{i in T} x_i over the coalitions T of odd size, and the Shapley values are
phi_i = 2 sum over odd T that contain i of c_T / |T| (Fumagalli et al. 2025, OddSHAP): linear in y. A Gaussian
prior over y thus is one over phi as well. The prior here is a sum of terms, each with parameters of its own:

* `SizePart`: what depends on the number of players shown alone. It moves no Shapley value from
  the others, but sampled values differ by it most.
* `PlayerPart`: one effect a player, which changes with the number of players shown.
* `ProductPart`: three and more players anywhere, the product kernel.
* `TriplePart`: three players each, the weaker the farther apart they lie.
* `RoughPart`: values that have nothing to do with each other.

In the product and triple parts, a coalition's variance has a factor exp(relevance) for each of its players.
A part's `covariance` comes with its pullback: the gradient of sum(W * K) by own parameters and relevances.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float64, Int

Matrix = Float64[np.ndarray, "p q"]
Vector = Float64[np.ndarray, " k"]
PerPlayer = Float64[np.ndarray, " n"]
Pullback = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""W (p, p) symmetric -> gradients of sum(W * K) by the part's parameters (k,) and by the relevances (n,)."""


class Rows:
    """Coalitions as a kernel sees them.

    Attributes
    ----------
    signs
        (p, n), +1 for a player shown and -1 for one hidden.
    sizes
        (p,), players shown.
    triples
        (p, t), the products of the signs of each triple.
    """

    def __init__(self, shown: Bool[np.ndarray, "p n"], triples: Int[np.ndarray, "t 3"]) -> None:
        self.shown, self.members = shown, triples

    @cached_property
    def signs(self) -> Float64[np.ndarray, "p n"]:
        return 2.0 * self.shown - 1.0

    @cached_property
    def sizes(self) -> Int[np.ndarray, " p"]:
        return np.count_nonzero(self.shown, axis=1)

    @cached_property
    def triples(self) -> Float64[np.ndarray, "p t"]:
        i, j, k = self.members.T
        return self.signs[:, i] * self.signs[:, j] * self.signs[:, k]

    def __getitem__(self, some: slice) -> Rows:
        """Some of the rows, as views of what is known of all."""
        rows = Rows(self.shown[some], self.members)
        rows.signs, rows.sizes, rows.triples = self.signs[some], self.sizes[some], self.triples[some]
        return rows


class Part(ABC):
    """A term of the prior.

    Attributes
    ----------
    start, spread
        Mean and standard deviation of the normal prior of each parameter.
    """

    start: Vector
    spread: Vector

    @abstractmethod
    def covariance(self, theta: Vector, relevance: PerPlayer, a: Rows, b: Rows) -> tuple[Matrix, Pullback]:
        """Of y at the rows a with y at the rows b; the pullback is meant for a = b."""

    @abstractmethod
    def to_phi(self, theta: Vector, relevance: PerPlayer, rows: Rows) -> Float64[np.ndarray, "n p"]:
        """Of the Shapley values with y at the rows."""

    @abstractmethod
    def of_phi(self, theta: Vector, relevance: PerPlayer) -> Float64[np.ndarray, "n n"]:
        """Of the Shapley values with each other."""


class SizePart(Part):
    """f(s), odd around n/2: a straight line and a Wiener process in (2 s - n) / n."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.start, self.spread = np.log([0.3, 0.3]), np.array([2.0, 2.0])
        excess = (2 * np.arange(n + 1) - n) / n
        line = np.outer(excess, excess)
        least = np.minimum(abs(excess)[:, None], abs(excess))
        self.tables = [line, np.sign(line) * least]

    def covariance(self, theta: Vector, relevance: PerPlayer, a: Rows, b: Rows) -> tuple[Matrix, Pullback]:
        terms = [
            np.exp(t) * table[np.ix_(a.sizes, b.sizes)] for t, table in zip(theta, self.tables, strict=True)
        ]

        def pullback(w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return np.array([np.vdot(w, term) for term in terms]), np.zeros(self.n)

        return sum(terms, np.zeros((len(a.sizes), len(b.sizes)))), pullback

    def to_phi(self, theta: Vector, relevance: PerPlayer, rows: Rows) -> Float64[np.ndarray, "n p"]:
        table = sum(np.exp(t) * table for t, table in zip(theta, self.tables, strict=True))
        return np.tile((table[-1] - table[0])[rows.sizes] / self.n, (self.n, 1))

    def of_phi(self, theta: Vector, relevance: PerPlayer) -> Float64[np.ndarray, "n n"]:
        table = sum(np.exp(t) * table for t, table in zip(theta, self.tables, strict=True))
        both = table[-1, -1] - table[-1, 0] - table[0, -1] + table[0, 0]
        return np.full((self.n, self.n), both / self.n**2)


class PlayerPart(Part):
    """sum_i x_i a_i(u), u = |2 s - n| / n: a constant, a slope and a Wiener process for every player."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.start = np.log(np.array([0.5, 0.16, 0.16]) / n)
        self.spread = np.array([2.0, 2.0, 2.0])
        u = abs(2 * np.arange(n + 1) - n) / n
        self.tables = [np.ones((n + 1, n + 1)), np.outer(u, u), np.minimum(u[:, None], u)]

    def covariance(self, theta: Vector, relevance: PerPlayer, a: Rows, b: Rows) -> tuple[Matrix, Pullback]:
        inner = a.signs @ b.signs.T
        terms = [
            np.exp(t) * table[np.ix_(a.sizes, b.sizes)] * inner
            for t, table in zip(theta, self.tables, strict=True)
        ]

        def pullback(w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return np.array([np.vdot(w, term) for term in terms]), np.zeros(self.n)

        return sum(terms, np.zeros(inner.shape)), pullback

    def to_phi(self, theta: Vector, relevance: PerPlayer, rows: Rows) -> Float64[np.ndarray, "n p"]:
        own, others = self._effects(sum(np.exp(t) * k for t, k in zip(theta, self.tables, strict=True)))
        signs = rows.signs.T
        return (own - others)[rows.sizes] * signs + others[rows.sizes] * signs.sum(axis=0)

    def of_phi(self, theta: Vector, relevance: PerPlayer) -> Float64[np.ndarray, "n n"]:
        own, others = self._effects(sum(np.exp(t) * k for t, k in zip(theta, self.tables, strict=True)))
        (own_own, own_others), (others_own, others_others) = self._effects(own), self._effects(others)
        shared = own_others + others_own + (self.n - 2) * others_others
        return (own_own - own_others - others_own + others_others) * np.eye(self.n) + shared

    def _effects(self, a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What x_j a(s) adds to phi_j and to phi_i of any other player; a is along the first axis.

        Player i joins the coalitions of t = 0 ... n - 1 others alike, among which x_j is 2 t/(n - 1) - 1 on
        average; x_j goes from -1 to +1 when j itself joins.
        """
        t = np.arange(self.n)
        mean_sign = (2 * t / max(self.n - 1, 1) - 1).reshape(-1, *[1] * (a.ndim - 1))
        own, others = (a[:-1] + a[1:]).mean(axis=0), (mean_sign * (a[1:] - a[:-1])).mean(axis=0)
        return np.asarray(own), np.asarray(others)
