"""Owen sampling: random coalitions of players shown with probability q, marginal contributions over all q.

Owen (1972): the Shapley value is the integral over q in (0, 1) of the expected marginal contribution to a
coalition that shows every other player with probability q. Okhrati and Lipani (2021, arXiv:2010.12082) sample
it, and pair every coalition with its complement, which is one of probability 1 - q.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64

from hlx.estimators.draws import FIRST_BLOCK, draw_within, within
from hlx.estimators.estimator import Estimator
from hlx.estimators.marginal_contributions import MarginalContributionsPlan
from hlx.regions import Regions


def plan(n: int, budget: int, rng: np.random.Generator, regions: Regions | None) -> MarginalContributionsPlan:
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
    plan,
    lambda n: n + 3,
)
