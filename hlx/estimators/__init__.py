"""Estimators: coalitions and their values in, Shapley values and standard errors out; none ever sees a model.

Each is two pure functions, `plan(n, budget, rng) -> coalitions` and `solve(coalitions, values) -> Estimate`,
in a file of its own; `ESTIMATORS` is their registry.
"""

from hlx.estimators.estimator import Estimate, Estimator
from hlx.estimators.exact import EXACT
from hlx.estimators.permutation import PERMUTATION
from hlx.estimators.registry import ESTIMATORS, check_affordable, get_estimator

__all__ = [
    "ESTIMATORS",
    "EXACT",
    "PERMUTATION",
    "Estimate",
    "Estimator",
    "check_affordable",
    "get_estimator",
]
