"""What is not defined: None in the place of a number, a reason in the place of a result, and no warnings."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import SupportsFloat

import numpy as np


@dataclass(frozen=True)
class Unavailable:
    """A result that cannot be had.

    Attributes
    ----------
    reason : a sentence for people.
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
