"""Estimators: coalitions and their values in, Shapley values and standard errors out; none ever sees a model.

Each is a file of its own: `plan` draws the coalitions, and the plan it returns solves for the values of any
number of games. `ESTIMATORS` is their registry, and `make_plan` the one way to a plan.
"""

from hlx.estimators.estimator import Estimate, Estimator, Plan
from hlx.estimators.exact import EXACT, ExactPlan
from hlx.estimators.registry import (
    ESTIMATORS,
    check_affordable,
    check_regions,
    draws_at_random,
    get_estimator,
    get_estimators,
    make_plan,
    reaches_all,
)

__all__ = [
    "ESTIMATORS",
    "EXACT",
    "Estimate",
    "Estimator",
    "ExactPlan",
    "Plan",
    "check_affordable",
    "check_regions",
    "draws_at_random",
    "get_estimator",
    "get_estimators",
    "make_plan",
    "reaches_all",
]
