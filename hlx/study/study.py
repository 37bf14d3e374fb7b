"""A study: stimuli, where people looked in them, and the maps and scores of models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, UInt8

from hlx.humans import HumanMaps
from hlx.model_maps import ModelMaps
from hlx.regions import Grid
from hlx.stimuli import Stimulus


@dataclass(frozen=True, eq=False)
class Benchmark:
    """A model's scores on the items of a benchmark: f = score(caption) - score(foil), and what each tests.

    Attributes
    ----------
    f : float64 (items,).
    phenomena : of each item.
    own_stimuli : True where the study's own stimuli stand in for a benchmark.
    """

    f: Float64[np.ndarray, " items"]
    phenomena: tuple[str, ...]
    own_stimuli: bool = False


@dataclass(frozen=True, eq=False)
class StudyModel:
    """A model in a study: its maps, and its scores on a benchmark that normalise f and give accuracies."""

    maps: ModelMaps
    benchmark: Benchmark | None

    @property
    def name(self) -> str:
        return self.maps.name


@dataclass(frozen=True, eq=False)
class Study:
    """What `read_study` found.

    Attributes
    ----------
    name : of the folder.
    grid : of all maps.
    stimuli : ids with a human map and a map of every model, in the order of the human maps.
    about : caption, foil, phenomenon and image by stimulus id, where known.
    images : pixels by stimulus id, where the study has them; as large as needed for a page.
    humans : human maps; may hold stimuli that are not in `stimuli`.
    models : at least one.
    notes : sentences on what was left out, missing or replaced; every output repeats them.
    """

    name: str
    folder: Path
    grid: Grid
    stimuli: tuple[str, ...]
    about: Mapping[str, Stimulus]
    images: Mapping[str, UInt8[np.ndarray, "h w 3"]]
    humans: HumanMaps
    models: tuple[StudyModel, ...]
    notes: tuple[str, ...] = ()
