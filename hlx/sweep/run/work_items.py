"""Image groups as they travel to other machines: with the files that they need, and without functions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hlx.attribution.estimate import EstimatorSpec
from hlx.errors import InputError
from hlx.estimators import get_estimator
from hlx.io.checks import check_file
from hlx.sweep.plan.jobs import ImageGroup, Job, PlannedImage, PlannedRegions, PlannedStimulus


@dataclass(frozen=True, eq=False)
class WorkItem:
    """An image group as it travels: with its files' bytes, and estimators by name.

    Attributes
    ----------
    jobs
        Id, stimulus, and estimator, budget, seed and tolerance of each.
    labels_file
        Content of the label map's file, None for grids.
    """

    model: int
    image: PlannedImage
    regions: PlannedRegions
    background: str
    keep_tables: bool
    jobs: tuple[tuple[str, PlannedStimulus, tuple[str, int | None, int, float | None]], ...]
    image_file: bytes
    labels_file: bytes | None

    @classmethod
    def of(cls, group: ImageGroup) -> WorkItem:
        """An image group packed.

        Raises
        ------
        InputError
            Image or label map cannot be read.
        """
        jobs = []
        for job in group.jobs:
            asked = job.spec
            how = asked.estimator.name, asked.budget, asked.seed, asked.tolerance
            jobs.append((job.id, job.stimulus, how))
        labels = group.regions.labels
        return cls(
            group.model,
            group.image,
            group.regions,
            group.background,
            group.keep_tables,
            tuple(jobs),
            _content(group.image.path),
            None if labels is None else _content(labels),
        )

    def group(self) -> ImageGroup:
        """The group, whose files are where they were packed."""
        specs = {
            how: EstimatorSpec(get_estimator(how[0]), *how[1:])
            for how in dict.fromkeys(how for _, _, how in self.jobs)
        }
        jobs = tuple(Job(name, stimulus, specs[how]) for name, stimulus, how in self.jobs)
        return ImageGroup(self.model, self.image, self.regions, self.background, self.keep_tables, jobs)


def _content(path: Path) -> bytes:
    check_file(path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
