"""What comparing one model's maps with human maps gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64


@dataclass(frozen=True, eq=False)
class MeasureResult:
    """One measure of one model's maps against human maps.

    Attributes
    ----------
    matched : float64 (n,), each model map with the human map of its own stimulus; NaN where undefined.
    shuffled : float64 (s, n), each model map with the human maps of s other stimuli; row d pairs stimulus i
        of a seeded order with its (d + 1)th successor, so that n - 1 rows are all mismatched pairs.
    baselines : name -> float64 (n,), the measure of a baseline map in the model's place; "uniform", "centre",
        "other people" (the mean human map of all other stimuli).
    """

    matched: Float64[np.ndarray, " n"]
    shuffled: Float64[np.ndarray, "s n"]
    baselines: Mapping[str, Float64[np.ndarray, " n"]]


@dataclass(frozen=True, eq=False)
class Comparison:
    """One model's maps against human maps.

    Attributes
    ----------
    model : its name.
    stimuli : ids, in the order of the human maps.
    magnitude : "absolute", "positive" or "signed".
    measures : by name ("RC", "EMD", "CC", ...).
    partial_rc : float64 (n,) by what is held constant: "other people", "centre".
    ceilings : "leave-one-out RC" and so on for every measure, "split-half RC" and "split-half CC" -> float64
        (n,) by stimulus, NaN where a stimulus has too few raters; empty without raters' maps.
    notes : sentences on what was left out or undefined.
    simulated : True where no people took part; every text and picture says so.
    """

    model: str
    stimuli: tuple[str, ...]
    magnitude: str
    measures: Mapping[str, MeasureResult]
    partial_rc: Mapping[str, Float64[np.ndarray, " n"]]
    ceilings: Mapping[str, Float64[np.ndarray, " n"]]
    notes: tuple[str, ...] = ()
    simulated: bool = False
