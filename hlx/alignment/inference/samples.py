"""What tests are given, and what they give where there is nothing to give.

Samples without gaps, large enough to test anything; None in the place of a number that is not defined, a
reason in the place of a result, and no warnings.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import SupportsFloat

import numpy as np
from jaxtyping import Float64, Shaped

from hlx.errors import InputError

Sample = Shaped[np.ndarray, "..."]
"""Numbers to test; their shape and type are checked, and refused in words."""

FEWEST_STIMULI = 3
"""Observations below which nothing here is computed."""


def sample(x: Sample, what: str) -> Float64[np.ndarray, " n"]:
    """The observations (m,) without NaN.

    Parameters
    ----------
    what
        The test that asks, for messages.

    Raises
    ------
    InputError
        No single axis of finite real numbers and NaN, or fewer than 3 that are not NaN.
    """
    values = real_numbers(x, 1, what)
    return _enough(values[~np.isnan(values)], what)


def paired_samples(
    x: Sample, y: Sample, what: str
) -> tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, " n"]]:
    """Two samples (m,) without the pairs where either is NaN; raises InputError as `sample`."""
    first, second = real_numbers(x, 1, what), real_numbers(y, 1, what)
    if first.shape != second.shape:
        raise InputError(f"{what}: expected pairs, found {len(first)} and {len(second)} values")
    pairs = complete_rows(np.stack([first, second], axis=1), what)
    return pairs[:, 0], pairs[:, 1]


def complete_rows(matrix: Sample, what: str) -> Float64[np.ndarray, "n k"]:
    """The rows of a matrix (m, k) without NaN; raises InputError as `sample`, for rows."""
    values = real_numbers(matrix, 2, what)
    return _enough(values[~np.isnan(values).any(axis=1)], what)


def check_between(value: float, name: str, low: float, high: float) -> None:
    """Raise InputError for a number that is not strictly between `low` and `high`; names it `name`."""
    if not low < value < high:
        raise InputError(f"{name}: expected a number between {low:g} and {high:g}, found {value}")


def real_numbers(x: np.ndarray, axes: int, what: str) -> np.ndarray:
    """The array as float64; InputError, which calls it `what`, unless it is real numbers of so many axes."""
    if x.dtype.kind not in "fiu" or x.ndim != axes:
        shape = "(n,)" if axes == 1 else "(n, k)"
        raise InputError(f"{what}: expected real numbers of shape {shape}, found {x.dtype} {x.shape}")
    values = x.astype(np.float64)
    if np.isinf(values).any():
        raise InputError(f"{what}: expected finite numbers, found an infinite one")
    return values


def _enough(values: np.ndarray, what: str) -> np.ndarray:
    if len(values) < FEWEST_STIMULI:
        raise InputError(
            f"{what}: expected at least {FEWEST_STIMULI} stimuli with defined values, found {len(values)}"
        )
    return values


@dataclass(frozen=True)
class Unavailable:
    """A result that cannot be had.

    Attributes
    ----------
    reason
        A sentence for people.
    """

    reason: str


def defined(number: SupportsFloat) -> float | None:
    """The number; None where it is NaN or infinite."""
    value = float(number)
    return value if np.isfinite(value) else None


@contextmanager
def quiet() -> Iterator[None]:
    """Keep libraries from warning of what comes back as None, such as the correlation of constants."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield
