"""Histograms of samples that are drawn over one another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Shaped

BINS = (8, 28)
"""The fewest and the most bars of a histogram."""

TAILS = 0.005
"""So much of a null at either end may lie outside the picture, where the observed values do not reach."""

REACH = 0.75
"""Lines further from the distributions than so many times their width are out of the picture."""


def finite(numbers: Shaped[np.ndarray, "*shape"]) -> Float64[np.ndarray, " n"]:
    """The numbers that are some, in one row."""
    flat = np.asarray(numbers, dtype=np.float64).ravel()
    return flat[np.isfinite(flat)]


def drawn_range(
    samples: Sequence[tuple[Float64[np.ndarray, _], Float64[np.ndarray, _]]], marked: Sequence[float]
) -> tuple[float, float]:
    """From the least to the greatest of what is drawn, but for thin tails of nulls and lines far away.

    `samples` are pairs of observed values and their null, all finite; `marked` is where lines stand, or NaN.
    """
    ends: list[float] = []
    for observed, null in samples:
        ends += observed.tolist()
        ends += np.quantile(null, [TAILS, 1 - TAILS]).tolist() if null.size else []
    if ends:
        reach = REACH * (max(ends) - min(ends)) or np.inf
        marked = [x for x in marked if min(ends) - reach <= x <= max(ends) + reach]
    ends += [x for x in marked if np.isfinite(x)]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    margin = 0.02 * (high - low) or 0.5
    return low - margin, high + margin


def bars_of(observed: Float64[np.ndarray, " n"], null: Float64[np.ndarray, " m"]) -> int:
    """How many bars, by the smaller sample that is drawn as a histogram."""
    counts = [sample.size for sample in (observed, null) if sample.size > 1]
    return int(np.clip(2.2 * np.sqrt(min(counts, default=1)), *BINS))


def bar_heights(
    numbers: Float64[np.ndarray, " n"], edges: Float64[np.ndarray, " e"]
) -> Float64[np.ndarray, " bars"] | None:
    """Densities between evenly spaced edges, all numbers counting as the whole; None for fewer than two."""
    if numbers.size < 2:
        return None
    return np.histogram(numbers, edges)[0] / (numbers.size * (edges[1] - edges[0]))
