"""A study: stimuli, where people looked in them, and the maps and scores of models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float64, UInt8

from hlx.alignment.model_maps import ModelMaps
from hlx.attribution.score import Accuracy, AccuracyTable
from hlx.games.regions import Grid
from hlx.games.stimuli import Stimulus
from hlx.humans import HumanMaps


@dataclass(frozen=True, eq=False)
class Benchmark:
    """A model's scores on the items of a benchmark: f = score(caption) - score(foil), and what each tests.

    Attributes
    ----------
    f
        (items,).
    phenomena
        Of each item.
    own_stimuli
        True where the study's own stimuli stand in for a benchmark.
    """

    f: Float64[np.ndarray, " items"]
    phenomena: tuple[str, ...]
    own_stimuli: bool = False

    @property
    def deviation(self) -> float:
        """Standard deviation of f, which f is divided by to compare models; with ddof 0, as in the study."""
        return float(np.std(self.f))

    @property
    def accuracies(self) -> AccuracyTable:
        """How often the caption scores higher, per phenomenon and pooled; a tie is wrong."""
        correct = self.f > 0
        by_item = np.array(self.phenomena)
        return AccuracyTable(
            {name: _accuracy(correct[by_item == name]) for name in dict.fromkeys(self.phenomena)},
            _accuracy(correct),
        )


def _accuracy(correct: np.ndarray) -> Accuracy:
    return Accuracy(scored=len(correct), correct=int(correct.sum()), unscored=0)


@dataclass(frozen=True, eq=False)
class StudyModel:
    """A model in a study: its maps, and its scores on a benchmark that normalise f and give accuracies."""

    maps: ModelMaps
    benchmark: Benchmark | None

    @property
    def name(self) -> str:
        return self.maps.name

    def f(self, stimuli: tuple[str, ...]) -> Float64[np.ndarray, " n"]:
        """f of these stimuli, shape (n,); NaN where it is not known."""
        return np.array([self.maps.f.get(stimulus, np.nan) for stimulus in stimuli], dtype=np.float64)

    def phi(self, stimuli: tuple[str, ...]) -> Float64[np.ndarray, "n k"]:
        """Signed maps of these stimuli, shape (n, k)."""
        return np.array([self.maps.values[stimulus] for stimulus in stimuli], dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Study:
    """What `read_study` found.

    Attributes
    ----------
    name
        Of the folder.
    grid
        Of all maps.
    stimuli
        Ids with a human map and a map of every model, in the order of the human maps.
    about
        Caption, foil, phenomenon and image by stimulus id, where known.
    images
        Pixels by stimulus id, where the study has them; as large as needed for a page.
    humans
        Human maps; may hold stimuli that are not in `stimuli`.
    models
        At least one.
    notes
        Sentences on what was left out, missing or replaced; every output repeats them.
    """

    name: str
    folder: Path
    grid: Grid
    stimuli: tuple[str, ...]
    about: Mapping[str, Stimulus] = field(repr=False)
    images: Mapping[str, UInt8[np.ndarray, "h w 3"]] = field(repr=False)
    humans: HumanMaps = field(repr=False)
    models: tuple[StudyModel, ...] = field(repr=False)
    notes: tuple[str, ...] = ()

    def human_values(self) -> Float64[np.ndarray, "n k"]:
        """The human maps of the stimuli, shape (n, k)."""
        return np.array([self.humans.maps[stimulus].values for stimulus in self.stimuli], dtype=np.float64)

    def phenomenon(self, stimulus: str) -> str | None:
        """What a stimulus tests, where known."""
        return self.about[stimulus].phenomenon if stimulus in self.about else None

    def phenomena(self) -> list[str]:
        """What the stimuli test, in the order in which it first appears."""
        found = (self.phenomenon(stimulus) for stimulus in self.stimuli)
        return list(dict.fromkeys(name for name in found if name is not None))
