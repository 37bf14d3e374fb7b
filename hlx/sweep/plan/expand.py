"""The plan of a sweep: every job that its file asks for, in an order that depends on the file alone."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hlx.attribution.estimate import EstimatorSpec
from hlx.errors import HlxError, InputError
from hlx.games.stimuli import gather_read, read_stimuli
from hlx.models.loading.load import identify
from hlx.sweep.config.problems import NAMED_PROBLEMS, Problems
from hlx.sweep.config.sweep_file import SweepFile, checked_sweep, read_sweep_file
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
from hlx.sweep.plan.planned_estimators import PlannedEstimators
from hlx.sweep.plan.planned_regions import Sides, planned_regions


@dataclass(frozen=True)
class LeftOut:
    """Jobs that the sweep file's limits leave out, of an estimator on some regions."""

    estimator: str
    regions: str
    jobs: int


@dataclass(frozen=True, eq=False)
class Plan:
    """What a sweep computes.

    Attributes
    ----------
    stimuli
        In the order of the files.
    models
        In the sweep file's order.
    groups
        By model, image (in the order of its first stimulus), regions, background; the jobs of each by
        stimulus, estimator, budget, seed. Stimuli with the same texts and image have jobs of the same id.
    left_out
        What the limits of estimators leave out.
    """

    sweep: SweepFile
    stimuli: tuple[PlannedStimulus, ...]
    models: tuple[PlannedModel, ...]
    groups: tuple[ImageGroup, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def n_jobs(self) -> int:
        """Jobs of all groups; those of the same id count each."""
        return sum(len(group.jobs) for group in self.groups)

    def rows(self) -> Iterator[tuple[PlannedModel, ImageGroup, Job]]:
        """Every job with its model and group, in order."""
        for group in self.groups:
            for job in group.jobs:
                yield self.models[group.model], group, job


def plan_sweep(sweep: SweepFile | Mapping[str, Any] | str | Path) -> Plan:
    """Expand a sweep into its jobs; models are identified and images hashed, but nothing is loaded.

    Parameters
    ----------
    sweep
        Path of a sweep file, or the keys and values of one, whose paths are relative to the working folder.

    Raises
    ------
    InputError
        All at once: what is wrong in the sweep file; then stimuli that cannot be read, images, label maps and
        models that are not there, label maps of a wrong size, what estimators cannot do; or that nothing is
        left to compute.

    Examples
    --------
    >>> plan = hlx.plan_sweep({"stimuli": ["stimuli.csv"], "models": ["clip-scenes"], "regions": ["4x4"]})
    >>> plan.n_jobs
    128
    """
    if isinstance(sweep, Mapping):
        sweep = checked_sweep(sweep)
    elif not isinstance(sweep, SweepFile):
        sweep = read_sweep_file(sweep)
    problems = Problems(sweep.path)
    models, sides = _models(sweep, problems)
    stimuli, by_image = _stimuli(sweep, problems)
    images = _hashed(by_image, problems)
    regions = planned_regions(sweep.regions, images, sides, problems)
    specs = PlannedEstimators(sweep.estimators)
    for entry in sweep.regions:
        if entry.grid is not None:  # also where no image was found
            specs.add(entry.grid.n_players, entry.label)
    combinations = [
        (image, by_image[image.path], of_image) for image in images for of_image in regions[image.path]
    ]
    for _, _, of_image in combinations:
        specs.add(of_image.n_players, of_image.label)
    specs.tell(problems)
    problems.tell()
    groups = tuple(
        _group(sweep, models, m, image, of_image, background, of_stimuli, specs.of(of_image.n_players))
        for m in range(len(models))
        for image, of_stimuli, of_image in combinations
        for background in sweep.backgrounds
        if specs.of(of_image.n_players)
    )
    if not groups:
        raise InputError(f"{sweep.path}: fewest_players and most_players leave nothing to compute")
    left_out: Counter[tuple[str, str]] = Counter()
    for _, of_stimuli, of_image in combinations:
        for name, count in specs.left_out(of_image.n_players).items():
            left_out[name, of_image.label] += count * len(of_stimuli) * len(models) * len(sweep.backgrounds)
    told = tuple(LeftOut(name, label, count) for (name, label), count in left_out.items())
    return Plan(sweep, stimuli, models, groups, told)


def _group(
    sweep: SweepFile,
    models: tuple[PlannedModel, ...],
    model: int,
    image: PlannedImage,
    regions: PlannedRegions,
    background: str,
    stimuli: list[PlannedStimulus],
    specs: tuple[EstimatorSpec, ...],
) -> ImageGroup:
    keep = sweep.keep_tables
    jobs = tuple(
        Job(
            job_id(job_identity(models[model], image, regions, background, one, spec, keep)),
            one,
            spec,
        )
        for one in stimuli
        for spec in specs
    )
    return ImageGroup(model, image, regions, background, keep, jobs)


def _models(sweep: SweepFile, problems: Problems) -> tuple[tuple[PlannedModel, ...], Sides]:
    """The models with their fingerprints, and the sides of their inputs."""
    models: list[PlannedModel] = []
    sides: Sides = {}
    for entry in sweep.models:
        try:
            found = identify(entry.name, entry.revision, entry.engine, entry.detector)
        except HlxError as error:
            problems.add(f"model {entry.label}: {error}")
            continue
        given = entry.model_dump(exclude={"engine"})
        model = PlannedModel(**given, engine=found.engine, fingerprint=found.fingerprint)
        for other in models:
            if other.identity() == model.identity():
                problems.add(
                    f"model {model.label}: is the same as {other.label}, with the same dtype and engine; "
                    "name it once"
                )
        models.append(model)
        if found.side is not None:
            sides.setdefault(found.side, entry.label)
    return tuple(models), sides


def _stimuli(
    sweep: SweepFile, problems: Problems
) -> tuple[tuple[PlannedStimulus, ...], dict[Path, list[PlannedStimulus]]]:
    """All stimuli, and those of each image that was found."""
    folders = [folder for folder in sweep.images if os.path.isdir(folder)]
    for folder in sweep.images:
        if folder not in folders:
            problems.add(f"images: there is no folder {folder}")
    read = []
    for file in sweep.stimuli:
        try:
            read.append((file, read_stimuli(file, validated=sweep.validated, resolve=False)))
        except InputError as error:
            problems.add(error)
    try:
        gathered = gather_read(read, folders)
    except InputError as error:
        problems.add(error)
        return (), {}
    if missing := gathered.missing:
        count = "an image is" if len(missing) == 1 else f"{len(missing)} images are"
        rest = f" and {len(missing) - NAMED_PROBLEMS} more" if len(missing) > NAMED_PROBLEMS else ""
        places = ", ".join(["beside their stimulus files", *(f"in {folder}" for folder in folders)])
        problems.add(f"{count} not {places}: {', '.join(missing[:NAMED_PROBLEMS])}{rest}")
    stimuli = tuple(
        PlannedStimulus(str(stimulus.id), stimulus.caption, stimulus.foil, stimulus.phenomenon)
        for stimulus in gathered.stimuli
    )
    by_image: dict[Path, list[PlannedStimulus]] = {}
    for stimulus, source in zip(stimuli, gathered.sources, strict=True):
        if source is not None:
            by_image.setdefault(source, []).append(stimulus)
    return stimuli, by_image


def _hashed(paths: Iterable[Path], problems: Problems) -> list[PlannedImage]:
    """The images with the hashes of their files."""

    def hashed(path: Path) -> PlannedImage | OSError:
        try:
            with open(path, "rb") as file:
                return PlannedImage(path, hashlib.file_digest(file, "sha256").hexdigest())
        except OSError as error:
            return error

    images = []
    with ThreadPoolExecutor() as pool:
        for image in pool.map(hashed, paths):
            if isinstance(image, OSError):
                problems.add(f"image {image.filename}: cannot be read: {image.strerror or image}")
            else:
                images.append(image)
    return images
