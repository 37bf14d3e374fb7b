"""Corrections of p-values for the number of tests; None, a test that could not be made, stays None."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float64

from hlx.counts import whole_number
from hlx.errors import InputError

PValues = Sequence[float | None]


def bonferroni(p_values: PValues, tests: int | None = None) -> list[float | None]:
    """Each p-value times the number of tests, at most 1: bounds the chance of any error among them.

    Parameters
    ----------
    tests : how many there are in the family; None for as many as there are p-values.

    Raises
    ------
    InputError : a p-value outside [0, 1], or fewer `tests` than p-values.
    """
    made = sum(p is not None for p in p_values)
    family = made if tests is None else whole_number(tests, "tests", made)
    return _corrected(p_values, lambda p: np.minimum(family * p, 1.0))


def holm(p_values: PValues) -> list[float | None]:
    """Holm's (1979) step-down: keeps what Bonferroni keeps, and never finds less. Raises as `bonferroni`."""

    def step_down(p: Float64[np.ndarray, " m"]) -> Float64[np.ndarray, " m"]:
        order = np.argsort(p, kind="stable")
        adjusted = np.empty_like(p)
        adjusted[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
        return np.minimum(adjusted, 1.0)

    return _corrected(p_values, step_down)


def benjamini_hochberg(p_values: PValues) -> list[float | None]:
    """Benjamini & Hochberg's (1995) step-up: bounds the share of errors among what is found, for independent
    and positively dependent tests. Raises as `bonferroni`."""
    from scipy import stats

    return _corrected(p_values, lambda p: np.asarray(stats.false_discovery_control(p, method="bh")))


def _corrected(
    p_values: PValues, correct: Callable[[Float64[np.ndarray, " m"]], Float64[np.ndarray, " m"]]
) -> list[float | None]:
    known = np.array([p for p in p_values if p is not None], dtype=np.float64)
    outside = known[~((known >= 0) & (known <= 1))]
    if outside.size:
        raise InputError(f"p-values: expected numbers from 0 to 1, found {outside[0]}")
    adjusted = iter(correct(known).tolist() if known.size else [])
    return [None if p is None else next(adjusted) for p in p_values]
