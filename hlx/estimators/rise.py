"""RISE: the mean value of the random masks that show a region (Petsiuk et al., 2018, arXiv:1806.07421).

Every player is shown with probability 1/2. The saliency of equation 1 is E[v(S) | i in S], here the mean over
the masks that do show i, so that the level of the game adds no noise. RISE reads a map by its order alone.
Signs and magnitudes are read here too, so the mean over all masks is taken off: every player moves by the
same amount, and 0 says that showing the player changes nothing on average. In the game's own units,

    phi_i = E[v(S) | i in S] - E[v(S)],

half the Banzhaf value. It does not add up to v(all) - v(none), nor tend to the Shapley value. RISE's smooth
upscaled masks are left out: the masks here are coalitions of the regions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Bool, Float, Float64

from hlx.estimators.draws import draw_within
from hlx.estimators.estimator import Estimate, Estimator, Plan
from hlx.games.coalitions import MAX_TABLE_PLAYERS, all_rows
from hlx.games.regions import Regions


@dataclass(frozen=True, eq=False)
class RisePlan(Plan):
    """Random masks without repetition; those of none and all, which every plan holds, count like the others.

    Attributes
    ----------
    weights
        (m, n); the means are linear in the game.
    """

    weights: Float64[np.ndarray, "m n"]

    def _solve(self, values: Float[np.ndarray, "*games m"]) -> Estimate:
        worth = np.asarray(values, np.float64)
        # Against the empty coalition's value, so that a large constant leaves no rounding.
        return Estimate((worth - worth[..., :1]) @ self.weights)


def plan(n: int, budget: int, rng: np.random.Generator, regions: Regions | None) -> RisePlan:
    """As many distinct masks as the budget holds."""
    del regions
    if n <= MAX_TABLE_PLAYERS and budget >= 1 << n:
        rows = all_rows(n)  # random masks would hardly ever find the last ones
    else:
        rows = draw_within(n, budget, rng, partial(_masks, n=n)).coalitions
    # The last row shows every player, so that no mean is empty.
    return RisePlan(rows, rows / rows.sum(axis=0) - 1 / len(rows))


def _masks(rng: np.random.Generator, count: int, n: int) -> Bool[np.ndarray, "count 1 n"]:
    return rng.integers(0, 2, (count, 1, n), dtype=np.uint8).view(np.bool_)


RISE = Estimator(
    "rise",
    "mean over random masks that show a region, less the mean over all; not Shapley values",
    plan,
    lambda n: 2,
    consistent=False,
    standard_errors=False,
    estimates="RISE saliency",
)
