"""Ratios that are NaN, and silent, where they are not defined."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Real


def ratio(
    numerator: Real[np.ndarray, "*_"], denominator: Real[np.ndarray, "*_"]
) -> Float64[np.ndarray, "*_"]:
    """`numerator` / `denominator`, broadcast; NaN where the denominator is 0 or either is NaN."""
    shape = np.broadcast_shapes(numerator.shape, denominator.shape)
    out = np.full(shape, np.nan)
    np.divide(numerator, denominator, out=out, where=denominator != 0)
    return out
