"""The research questions of the reference study, as its code asks them and as a careful reviewer would."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from hlx.study.study import Study


@dataclass(frozen=True, eq=False)
class ModelAnalysis:
    """One model's numbers, all in the order of `Study.stimuli`.

    Attributes
    ----------
    rc : float64 (n,), rank correlation of the magnitude map and the human map; NaN where one is constant.
    emd : float64 (n,), earth mover's distance in grid cells; NaN where undefined.
    normalised_f : float64 (n,), f over its standard deviation on the benchmark; NaN where f is not known.
    null : float64 (shuffles,), the mean RC of every random pairing of model maps and human maps.
    """

    rc: Float64[np.ndarray, " n"]
    emd: Float64[np.ndarray, " n"]
    normalised_f: Float64[np.ndarray, " n"]
    null: Float64[np.ndarray, " shuffles"]


@dataclass(frozen=True, eq=False)
class Analysis:
    """A study's results.

    Attributes
    ----------
    study : what was analysed.
    models : by name.
    summary : everything that is printed, as JSON's types (NaN is None); documented in `summary`'s writer.
    """

    study: Study
    models: Mapping[str, ModelAnalysis]
    summary: dict[str, Any]
