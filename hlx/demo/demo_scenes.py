"""The scenes of the demo, settled without looking at any map: the first that a held-out seed gives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from hlx.errors import InputError
from hlx.games.regions import Regions
from hlx.games.scenes import HELD_OUT_SEED, SceneStimulus, make_stimuli
from hlx.games.stimuli import Stimulus
from hlx.io.files import write_bytes
from hlx.io.images import png_bytes

# The kinds of statement that always have an object to point at and that differ: half of the negations are
# about something absent, and swapped roles have the captions of relations.
PHENOMENA = ("existence", "counting", "attribute", "relation")


@dataclass(frozen=True, eq=False)
class DemoScene:
    """A stimulus with a number, by which its files are named.

    Raises
    ------
    InputError
        The caption is about nothing in the image.
    """

    number: int
    stimulus: SceneStimulus

    def __post_init__(self) -> None:
        if self.stimulus.target is None:
            raise InputError(f"{self.stimulus.caption!r} is about no object, so no map can point at it")

    @property
    def name(self) -> str:
        return f"{self.number}-{self.stimulus.phenomenon}"

    @property
    def image_file(self) -> str:
        return f"scene-{self.name}.png"

    def overlay_file(self, model: str) -> str:
        return f"{model}-{self.name}.png"

    def object_regions(self, regions: Regions) -> Bool[np.ndarray, " n"]:
        """The regions that hold at least one pixel of the objects the caption is about."""
        target = self.stimulus.target
        assert target is not None
        touched = regions.labels(len(target))[target]
        return np.bincount(touched, minlength=regions.n_players) > 0

    def saved(self, folder: Path) -> Stimulus:
        """The stimulus, its image written into the folder: so that results name a file that exists.

        Raises
        ------
        OutputError
            The file cannot be written.
        """
        path = folder / self.image_file
        write_bytes(path, png_bytes(self.stimulus.image))
        about = self.stimulus
        return Stimulus(path, about.caption, about.foil, id=self.name, phenomenon=about.phenomenon)


def choose_scenes(n: int, seed: int = HELD_OUT_SEED) -> list[DemoScene]:
    """The first n stimuli that the seed gives, `PHENOMENA` in turn."""
    stimuli = make_stimuli(n, seed, PHENOMENA)
    return [DemoScene(number, stimulus) for number, stimulus in enumerate(stimuli, 1)]
