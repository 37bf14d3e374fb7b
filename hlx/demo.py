"""The demo: exact maps of embedded scenes with the embedded models, and whether they point at the object.

Which scenes are shown is settled without looking at any map: of every phenomenon in `PHENOMENA` the first
one that a held-out seed gives.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool

from hlx.attribution import Attribution
from hlx.errors import InputError, OutputError
from hlx.explaining import explain
from hlx.files import check_output, write_bytes
from hlx.plot import save_contact_sheet
from hlx.regions import Grid, Regions
from hlx.scenes import HELD_OUT_SEED, SceneStimulus, make_stimuli
from hlx.stimuli import Stimulus
from hlx.store import save

if TYPE_CHECKING:
    from hlx.models.batches import Progress
    from hlx.models.dual_encoder import DualEncoder

MODELS = ("clip-scenes", "siglip-scenes")

# The kinds of statement that always have an object to point at and that differ: half of the negations are
# about something absent, and swapped roles have the captions of relations.
PHENOMENA = ("existence", "counting", "attribute", "relation")

REGIONS = Grid(4, 4)
STORE, SHEET = "demo.h5", "contact-sheet.png"


@dataclass(frozen=True, eq=False)
class DemoScene:
    """A stimulus with a number, by which its files are named.

    Raises
    ------
    InputError : the caption is about nothing in the image.
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


@dataclass(frozen=True, eq=False)
class DemoMap:
    """One scene's map by one model."""

    model: str
    scene: DemoScene
    attribution: Attribution

    @property
    def object_regions(self) -> Bool[np.ndarray, " n"]:
        regions = self.attribution.regions
        assert regions is not None  # the demo explains grids
        return self.scene.object_regions(regions)

    @property
    def on_object(self) -> bool:
        """Whether the region with the highest |phi| (of equals the first) is one of the object's."""
        return bool(self.object_regions[np.abs(self.attribution.values).argmax()])


@dataclass(frozen=True)
class Pointing:
    """How often a model's maps point at the object: `hits` of `maps`.

    `chance` is what a region picked blindly would reach: the mean share of regions that are the object's.
    """

    hits: int
    maps: int
    chance: float


def choose_scenes(seed: int = HELD_OUT_SEED, phenomena: Sequence[str] = PHENOMENA) -> list[DemoScene]:
    """The first stimulus of each phenomenon that the seed gives."""
    stimuli = make_stimuli(len(phenomena), seed, phenomena)
    return [DemoScene(number, stimulus) for number, stimulus in enumerate(stimuli, 1)]


def output_files(scenes: Sequence[DemoScene], models: Sequence[str] = MODELS) -> list[str]:
    """Names of all files that the demo writes: results, contact sheet, overlays, the scenes themselves."""
    overlays = [scene.overlay_file(model) for scene in scenes for model in models]
    return [STORE, SHEET, *overlays, *(scene.image_file for scene in scenes)]


@contextmanager
def output_folder(folder: Path, names: Sequence[str], force: bool = False) -> Iterator[None]:
    """A folder in which these files can be written; taken away again if it was made here and stays empty.

    Raises
    ------
    OutputError : the folder cannot be made or written to, or one of the files exists (unless `force`).
    """
    made = not folder.exists()
    try:
        folder.mkdir(exist_ok=True)
    except FileExistsError:
        raise OutputError(f"{folder}: is a file, expected a folder; name another one") from None
    except OSError as error:
        raise OutputError(f"{folder}: the folder cannot be made: {error.strerror or error}") from error
    try:
        for name in names:
            check_output(folder / name, force)
        yield
    finally:
        if made:
            with suppress(OSError):  # raised where there is something in it
                folder.rmdir()


def explain_scene(
    model: DualEncoder,
    scene: DemoScene,
    folder: Path,
    regions: Regions = REGIONS,
    progress: Progress | None = None,
) -> DemoMap:
    """The exact map of one scene; writes the scene itself and the map over it into the folder.

    The scene is written first and read back from there, so that the result names a file that exists.

    Raises
    ------
    OutputError : a file cannot be written.
    """
    from PIL import Image

    path, drawn = folder / scene.image_file, io.BytesIO()
    Image.fromarray(scene.stimulus.image).save(drawn, "png")
    write_bytes(path, drawn.getvalue())
    about = scene.stimulus
    stimulus = Stimulus(path, about.caption, about.foil, id=scene.name, phenomenon=about.phenomenon)
    attribution = explain(model, stimulus, regions, progress=progress)
    found = DemoMap(model.name, scene, attribution)
    attribution.plot(folder / scene.overlay_file(model.name), _title(found))
    return found


def save_maps(folder: Path, maps: Sequence[DemoMap]) -> None:
    """All maps with their coalition tables in one HDF5 file, and all on one contact sheet; replaces both.

    Raises
    ------
    OutputError : a file cannot be written.
    """
    save(folder / STORE, [found.attribution for found in maps], force=True)
    save_contact_sheet(folder / SHEET, [found.attribution.panel(_title(found)) for found in maps])


def pointing(maps: Sequence[DemoMap]) -> dict[str, Pointing]:
    """For each model, how often its highest |phi| lies on the object."""
    by_model: dict[str, list[DemoMap]] = {}
    for found in maps:
        by_model.setdefault(found.model, []).append(found)
    return {
        model: Pointing(
            hits=sum(found.on_object for found in own),
            maps=len(own),
            chance=float(np.mean([found.object_regions.mean() for found in own])),
        )
        for model, own in by_model.items()
    }


def _title(found: DemoMap) -> str:
    return f"{found.scene.number} {found.scene.stimulus.phenomenon}, {found.model}"
