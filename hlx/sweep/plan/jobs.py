"""What a sweep computes: jobs, each known by a hash of all that determines its result, in groups.

An image group is what is computed in one go: jobs of one model, image, regions and background, which share
the image's vectors. It is also what is computed whole or not at all, so that whoever computes it, and however
often they are interrupted, finds the same bits on the same kind of device. Jobs that a change to the sweep
adds to a group are computed without those that are there: in other batches, which the last bits may tell.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hlx.attribution.estimate import EstimatorSpec
from hlx.errors import InputError
from hlx.games.regions import Grid, LabelMap, Regions

RESULTS_VERSION = 1
"""Part of every job's hash; raised when the same job would give other numbers than before."""


@dataclass(frozen=True)
class PlannedRegions:
    """The regions of one image: a grid, or the file of a label map, which is read when it is needed.

    Attributes
    ----------
    label
        What the sweep file calls them: "4x4", or the label map as it is written there.
    grid
        The grid, None for a label map.
    labels, sha256, players
        File, content hash and number of regions of a label map.
    """

    label: str
    n_players: int
    grid: Grid | None = None
    labels: Path | None = None
    sha256: str | None = None

    def read(self) -> Regions:
        """The regions themselves.

        Raises
        ------
        InputError
            The label map cannot be read, or is another one than when the sweep was planned.
        """
        if self.grid is not None:
            return self.grid
        assert self.labels is not None
        read = LabelMap.read(self.labels)
        if read.sha256 != self.sha256:
            raise InputError(f"{self.labels}: has changed since the sweep was planned")
        return read

    def identity(self) -> dict[str, Any]:
        """What of them determines a result."""
        return {"labels": self.sha256} if self.grid is None else self.grid.spec()


@dataclass(frozen=True)
class PlannedModel:
    """A model of a sweep, by what `load_model` takes and what determines its scores.

    Attributes
    ----------
    label
        What results call it; no two models of a sweep have the same.
    name, dtype, engine, device, detector, revision
        As `load_model` takes them.
    batch_size
        Coalitions at once; None for what suits the device.
    fingerprint
        SHA-256 of weights, config, tokenizer and preprocessing.
    """

    label: str
    name: str
    dtype: str
    engine: str
    fingerprint: str
    device: str | None = None
    detector: str | None = None
    revision: str | None = None
    batch_size: int | None = None

    def identity(self) -> dict[str, Any]:
        """What of it determines a result."""
        return {"fingerprint": self.fingerprint, "dtype": self.dtype, "engine": self.engine}


@dataclass(frozen=True)
class PlannedImage:
    """An image file and the SHA-256 of its bytes."""

    path: Path
    sha256: str


@dataclass(frozen=True)
class PlannedStimulus:
    """A stimulus of a sweep without its image: what an image group asks of one.

    Attributes
    ----------
    id, phenomenon
        Of the stimulus; they name results and determine none.
    """

    id: str
    caption: str
    foil: str | None
    phenomenon: str | None = None


@dataclass(frozen=True)
class Job:
    """One stimulus explained by one estimator with one budget and seed.

    Attributes
    ----------
    id
        64 hexadecimal digits, see `job_id`. Stimuli with the same texts and image share it.
    stimulus
        The caption and foil.
    spec
        Estimator, budget, seed, tolerance.
    """

    id: str
    stimulus: PlannedStimulus
    spec: EstimatorSpec


@dataclass(frozen=True)
class ImageGroup:
    """The jobs of one model, image, regions and background, in the sweep's order.

    Attributes
    ----------
    model
        Place among the plan's models.
    keep_tables
        Keep the values of all coalitions where they are evaluated.
    """

    model: int
    image: PlannedImage
    regions: PlannedRegions
    background: str
    keep_tables: bool
    jobs: tuple[Job, ...]

    @property
    def id(self) -> str:
        """64 hexadecimal digits: the hash of its jobs' ids."""
        return hashlib.sha256("".join(job.id for job in self.jobs).encode()).hexdigest()


def job_identity(
    model: PlannedModel,
    image: PlannedImage,
    regions: PlannedRegions,
    background: str,
    stimulus: PlannedStimulus,
    spec: EstimatorSpec,
    keep_tables: bool,
) -> dict[str, Any]:
    """Everything that determines a job's result, as JSON's types."""
    source = spec.estimator.source
    return {
        **({} if source is None else {"estimator_source": source}),
        "results": RESULTS_VERSION,
        "model": model.identity(),
        "image": image.sha256,
        "regions": regions.identity(),
        "background": background,
        "caption": stimulus.caption,
        "foil": stimulus.foil,
        "estimator": spec.estimator.name,
        "budget": spec.budget,
        "seed": spec.seed,
        "tolerance": spec.tolerance,
        "table": keep_tables and spec.takes_table(regions.n_players),
    }


def job_id(identity: dict[str, Any]) -> str:
    """SHA-256, in hexadecimal, of a job's identity."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
