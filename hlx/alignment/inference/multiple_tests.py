"""Corrections of p-values for the number of tests; None, a test that could not be made, stays None."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from hlx.errors import InputError
from hlx.io.checks import whole_number

PValues = Sequence[float | None]


def bonferroni(p_values: PValues, tests: int | None = None) -> list[float | None]:
    """Each p-value times the number of tests, at most 1: bounds the chance of any error among them.

    Parameters
    ----------
    p_values
        From 0 to 1, None for a test that could not be made.
    tests
        How many there are in the family; None for as many as there are p-values.

    Returns
    -------
    list[float | None]
        One for each p-value, in their order.

    Raises
    ------
    InputError
        A p-value outside [0, 1], or fewer `tests` than p-values.
    """
    p = _known(p_values)
    family = len(p) if tests is None else whole_number(tests, "tests", len(p))
    return _in_place(p_values, np.minimum(family * p, 1.0))


def holm(p_values: PValues) -> list[float | None]:
    """Step-down of Holm (1979, Scandinavian Journal of Statistics 6): keeps what Bonferroni keeps.

    It bounds the chance of any error as `bonferroni` does, and never finds less.

    Parameters
    ----------
    p_values
        As in `bonferroni`.

    Raises
    ------
    InputError
        A p-value outside [0, 1].
    """
    p = _known(p_values)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return _in_place(p_values, np.minimum(adjusted, 1.0))


def benjamini_hochberg(p_values: PValues) -> list[float | None]:
    """Step-up of Benjamini & Hochberg (1995): bounds the share of errors among what is found.

    For independent and positively dependent tests.

    Parameters
    ----------
    p_values
        As in `bonferroni`.

    Raises
    ------
    InputError
        A p-value outside [0, 1].
    """
    from scipy import stats

    p = _known(p_values)
    return _in_place(p_values, np.asarray(stats.false_discovery_control(p, method="bh")) if p.size else p)


def _known(p_values: PValues) -> Float64[np.ndarray, " m"]:
    p = np.array([p for p in p_values if p is not None], dtype=np.float64)
    outside = p[~((p >= 0) & (p <= 1))]
    if outside.size:
        raise InputError(f"p-values: expected numbers from 0 to 1, found {outside[0]}")
    return p


def _in_place(p_values: PValues, adjusted: Float64[np.ndarray, " m"]) -> list[float | None]:
    """The adjusted p-values where there were any, None elsewhere."""
    left = iter(adjusted.tolist())
    return [None if p is None else next(left) for p in p_values]
