"""From Shapley values to maps that can be compared with where people looked."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from jaxtyping import Float64

from hlx.errors import InputError

Magnitude = Literal["absolute", "positive", "signed"]
"""What of phi is compared: |phi|, as in the reference study; what speaks for the caption; phi as it is."""

MAGNITUDES: tuple[str, ...] = get_args(Magnitude)


def magnitude(
    values: Float64[np.ndarray, "*maps n"], kind: str = "absolute"
) -> Float64[np.ndarray, "*maps n"]:
    """Maps of signed values phi (..., n): |phi| or max(phi, 0) over its sum, or phi as it is ("signed").

    A row of which nothing is left to normalise (all zero; nothing positive) becomes NaN.

    Raises
    ------
    InputError
        `kind` is none of `MAGNITUDES`.
    """
    if kind == "signed":
        return values.copy()
    if kind not in MAGNITUDES:
        raise InputError(f"magnitude: expected one of {', '.join(MAGNITUDES)}, found {kind!r}")
    return shares(np.abs(values) if kind == "absolute" else np.maximum(values, 0.0))


def shares(maps: Float64[np.ndarray, "*maps n"]) -> Float64[np.ndarray, "*maps n"]:
    """Maps (..., n) over their sums, so that they are distributions; NaN rows where a map is none.

    A map with a negative value, or with nothing but zeros, is no distribution.
    """
    mass = np.sum(maps, axis=-1, keepdims=True)
    negative = np.any(maps < 0, axis=-1, keepdims=True)
    return maps / np.where(negative | (mass == 0), np.nan, mass)
