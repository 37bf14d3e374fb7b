"""Occlusion: what is lost when one region alone is hidden (Zeiler and Fergus, 2014, arXiv:1311.2901).

phi_i = v(N) - v(N without i): a player's last marginal contribution, one of the many that the Shapley value
averages. The losses do not add up to v(all) - v(none): players that stand in for one another all get nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hlx.estimators.estimator import Estimate, Estimator, Plan
from hlx.games.coalitions import none_and_all
from hlx.games.regions import Regions


@dataclass(frozen=True, eq=False)
class OcclusionPlan(Plan):
    """None shown, all but one shown for each player in turn, all shown."""

    def _solve(self, values: Float[np.ndarray, "*games m"]) -> Estimate:
        worth = np.asarray(values, np.float64)
        # A single player hidden is no player shown: then the first row serves both.
        return Estimate(worth[..., -1:] - worth[..., -1 - self.n_players : -1])


def plan(n: int, budget: int, rng: np.random.Generator, regions: Regions | None) -> OcclusionPlan:
    """n + 2 coalitions, whatever the budget; two of a single player."""
    del budget, rng, regions
    ends = none_and_all(n)
    hidden = ~np.eye(n, dtype=np.bool_)
    return OcclusionPlan(np.concatenate([ends[:1], hidden[: n if n > 1 else 0], ends[1:]]))


OCCLUSION = Estimator(
    "occlusion",
    "the loss when one region alone is hidden; n + 2 evaluations; not Shapley values",
    plan,
    lambda n: n + 2 if n > 1 else 2,
    needs_budget=False,
    consistent=False,
    standard_errors=False,
    random=False,
    estimates="occlusion values",
)
