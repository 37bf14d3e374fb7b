"""Shapley values as means of marginal contributions over independent draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from hlx.estimators.estimator import Estimate, Plan

GATHERED = 1 << 22  # values looked up at a time, 32 MiB


@dataclass(frozen=True, eq=False)
class MarginalContributionsPlan(Plan):
    """Independent draws, each with marginal contributions of every player.

    Attributes
    ----------
    before, after : (draws, r, n), rows of `coalitions` that differ in that player alone, without and with it;
        the r contributions of a player in one draw may depend on each other.
    """

    before: Int[np.ndarray, "draws r n"]
    after: Int[np.ndarray, "draws r n"]

    def _solve(self, values: Float[np.ndarray, "*games m"]) -> Estimate:
        """Mean contributions, and standard errors from their spread between draws; None with a single draw.

        What is missing to efficiency is shared equally. This is the projection onto the plane that the
        Shapley value lies in: it can only come closer, and an unbiased mean stays unbiased. Intervals take
        Student's t with one degree less than there are draws.
        """
        values = values.astype(np.float64, copy=False)
        draws, r, n = self.after.shape
        weights = np.zeros((len(self.coalitions), n))
        players = np.broadcast_to(np.arange(n), self.after.shape)
        np.add.at(weights, (self.after, players), 1 / (draws * r))
        np.add.at(weights, (self.before, players), -1 / (draws * r))
        # Against the empty coalition's value, so that a large constant costs no digits.
        values = values - values[..., :1]
        mean = values @ weights
        estimate = mean + (values[..., -1:] - mean.sum(axis=-1, keepdims=True)) / n
        if draws < 2:
            return Estimate(estimate)
        squares = np.zeros_like(mean)
        step = max(1, GATHERED // max(1, mean.size * r))
        for start in range(0, draws, step):
            part = slice(start, start + step)
            gains = (values[..., self.after[part]] - values[..., self.before[part]]).mean(axis=-2)
            gains -= mean[..., None, :]
            gains -= gains.mean(axis=-1, keepdims=True)
            squares += np.square(gains).sum(axis=-2)
        return Estimate(estimate, np.sqrt(squares / (draws * (draws - 1))), float(draws - 1))
