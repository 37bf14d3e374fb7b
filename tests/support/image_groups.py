"""Small groups of sweeps on the embedded scenes, for tests."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from hlx.attribution.estimate import EstimatorSpec
from hlx.estimators import get_estimator
from hlx.games.regions import Grid
from hlx.games.scenes import iterate_stimuli
from hlx.games.stimuli import Stimulus
from hlx.models.loading.load import identify
from hlx.sweep.plan.jobs import (
    ImageGroup,
    Job,
    PlannedImage,
    PlannedModel,
    PlannedRegions,
    PlannedStimulus,
    job_id,
    job_identity,
)


def scene_images(folder: Path, count: int, seed: int = 0) -> list[Stimulus]:
    """Stimuli of embedded scenes whose images are files in the folder."""
    stimuli = []
    for i, scene in enumerate(islice(iterate_stimuli(seed, ("existence", "counting")), count)):
        path = folder / f"scene{i}.png"
        Image.fromarray(np.asarray(scene.image)).save(path)
        stimuli.append(Stimulus(path, scene.caption, scene.foil, f"s{i}", scene.phenomenon))
    return stimuli


def planned_image(path: Path | str) -> PlannedImage:
    """The image as a plan has it."""
    return PlannedImage(Path(path), hashlib.sha256(Path(path).read_bytes()).hexdigest())


def planned_model(name: str | Path = "clip-scenes", label: str = "clip", **options: object) -> PlannedModel:
    """The model as a plan has it."""
    found = identify(name)
    return PlannedModel(label, str(name), "float32", found.engine, found.fingerprint, **options)  # type: ignore[arg-type]


def spec(name: str = "leverage", budget: int | None = 40, seed: int = 0) -> EstimatorSpec:
    """An estimator with its budget and seed."""
    return EstimatorSpec(get_estimator(name), budget, seed)


def group_of(
    model: PlannedModel,
    image: PlannedImage,
    stimuli: Sequence[PlannedStimulus],
    specs: Sequence[EstimatorSpec],
    grid: Grid | None = None,
    keep_tables: bool = False,
    background: str = "blur",
) -> ImageGroup:
    """All stimuli of one image by all specs."""
    grid = Grid(3, 3) if grid is None else grid
    regions = PlannedRegions(str(grid), grid.n_players, grid)
    jobs = tuple(
        Job(job_id(job_identity(model, image, regions, background, one, asked, keep_tables)), one, asked)
        for one in stimuli
        for asked in specs
    )
    return ImageGroup(0, image, regions, background, keep_tables, jobs)
