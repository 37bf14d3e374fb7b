"""Maps of models over many stimuli, from hlx's result files or from tables of maps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float64, UInt8

from hlx.regions import Grid
from hlx.stimuli import Stimulus


@dataclass(frozen=True, eq=False)
class ModelMaps:
    """The maps of one model by one estimator.

    Attributes
    ----------
    name : of the model; where a file holds several kinds of maps of it, of map and model.
    grid : the regions.
    values : signed phi, float64 (n,), by stimulus id.
    f : score(caption) - score(foil) with everything shown, by stimulus id, where known.
    kind : what the values are, "Shapley values" say; None where the file does not tell.
    estimator : its name, None where unknown.
    stimuli : caption, foil, phenomenon and image file by stimulus id, where known.
    images : pixels by stimulus id, where the file holds them, as the model saw them.
    source : the file or files, for messages.
    """

    name: str
    grid: Grid
    values: Mapping[str, Float64[np.ndarray, " n"]]
    f: Mapping[str, float] = field(default_factory=dict)
    kind: str | None = None
    estimator: str | None = None
    stimuli: Mapping[str, Stimulus] = field(default_factory=dict)
    images: Mapping[str, UInt8[np.ndarray, "h w 3"]] = field(default_factory=dict)
    source: str = ""
