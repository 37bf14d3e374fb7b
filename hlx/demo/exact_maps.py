"""Exact maps of embedded scenes with the embedded models, and whether they point at the object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool

from hlx.attribution.attribution import Attribution
from hlx.attribution.explain import explain
from hlx.attribution.result_file import save
from hlx.demo.demo_scenes import DemoScene
from hlx.games.regions import Grid, Regions
from hlx.plot import save_contact_sheet

if TYPE_CHECKING:
    from hlx.models.batches import Progress
    from hlx.models.model import Model

MODELS = ("clip-scenes", "siglip-scenes", "flava-scenes", "lxmert-scenes")
IN_TORCH = ("lxmert-scenes",)
"""Of these the ones that take the torch extra."""

N_SCENES = 3
REGIONS = Grid(4, 4)
STORE, SHEET = "demo.h5", "contact-sheet.png"


def models_here() -> tuple[str, ...]:
    """The demo's models that the extras installed can run."""
    return MODELS if find_spec("torch") else tuple(name for name in MODELS if name not in IN_TORCH)


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


def map_files(scenes: Sequence[DemoScene], models: Sequence[str]) -> list[str]:
    """Names of all files that the maps make: results, contact sheet, overlays, the scenes themselves."""
    overlays = [scene.overlay_file(model) for scene in scenes for model in models]
    return [STORE, SHEET, *overlays, *(scene.image_file for scene in scenes)]


def explain_scene(
    model: Model,
    scene: DemoScene,
    folder: Path,
    regions: Regions = REGIONS,
    progress: Progress | None = None,
) -> DemoMap:
    """The exact map of one scene; writes the scene itself and the map over it into the folder.

    The scene is written first and read back from there, so that the result names a file that exists.

    Raises
    ------
    OutputError
        A file cannot be written.
    """
    attribution = explain(model, scene.saved(folder), regions, progress=progress)
    found = DemoMap(model.name, scene, attribution)
    attribution.plot(folder / scene.overlay_file(model.name), _title(found))
    return found


def save_maps(folder: Path, maps: Sequence[DemoMap]) -> None:
    """All maps with their coalition tables in one HDF5 file, and all on one contact sheet; replaces both.

    Raises
    ------
    OutputError
        A file cannot be written.
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
