"""Room on the disk that a sweep takes, and whether it is there."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from hlx.errors import InputError
from hlx.sweep.plan.expand import Plan
from hlx.sweep.plan.jobs import ImageGroup, Job
from hlx.sweep.results.shards import SHARDS, Scan
from hlx.sweep.run.shard_writer import SECONDS

RECORD_BYTES = 1200
"""Of a job's record without its texts, of its ids and places, in shards."""

ROW_BYTES = 450
"""Of a row of the merged file without its texts."""

SHARD_BYTES = 20_000
"""Of a shard without what it holds."""


@dataclass(frozen=True)
class Disk:
    """Bytes on the disk of the output folder.

    Attributes
    ----------
    needed
        Of the shards that are still to come and of the merged file, about.
    free
        To be had.
    record
        Of a job besides its numbers and texts.
    measured
        Whether the shards that are there say so, or it is assumed.
    """

    needed: int
    free: int
    record: int = RECORD_BYTES
    measured: bool = False


def disk_of(plan: Plan, scanned: Scan | None = None, seconds: float | None = None) -> Disk:
    """What a sweep needs of the disk, and what is free where its output goes.

    Parameters
    ----------
    scanned
        What is done; by default as much as the shards' sizes say.
    seconds
        That it runs, for the number of its shards; as few as can be where that is not known.
    """
    output = plan.sweep.output
    kept = sum(path.stat().st_size for path in (output / SHARDS).glob("*.h5"))
    numbers = {job.id: _numbers(group, job) + _text_bytes(job) for _, group, job in plan.rows()}
    done = [numbers[job] for job in numbers if scanned is not None and job in scanned]
    # Shards that hold results of something else, too, tell nothing of these.
    measured = scanned is not None and 0 < len(done) == len(scanned.done)
    record = max(0, kept - sum(done)) // len(done) if measured else RECORD_BYTES
    whole = sum(numbers.values()) + record * len(numbers)
    left = whole - sum(done) - record * len(done) if scanned is not None else max(0, whole - kept)
    files = min(len(plan.groups), 1 + int((seconds or 0) / SECONDS)) if left else 0
    # The merged file holds the same once more, and the rows; an old one is kept until the new one is there.
    rows = sum(ROW_BYTES + _text_bytes(job) + len(str(group.image.path)) for _, group, job in plan.rows())
    needed = left + SHARD_BYTES * files + whole + rows
    return Disk(needed, shutil.disk_usage(_nearest(output)).free, record, measured)


def check_disk(plan: Plan, disk: Disk | None = None) -> None:
    """Refuse a sweep that does not fit on the disk.

    Raises
    ------
    InputError
        It needs more than is free; says how much.
    """
    disk = disk_of(plan) if disk is None else disk
    if disk.needed > disk.free:
        raise InputError(
            f"{plan.sweep.path}: needs about {size_text(disk.needed)} more on the disk of "
            f"{plan.sweep.output}, where {size_text(disk.free)} are free: make room, name another output "
            "folder" + (", or leave keep_tables out" if plan.sweep.keep_tables else "")
        )


def size_text(size: int) -> str:
    """Bytes in words."""
    for power, unit in ((4, "TB"), (3, "GB"), (2, "MB"), (1, "kB")):
        if size >= 1000**power:
            return f"{size / 1000**power:.1f} {unit}"
    return f"{size} bytes"


def _numbers(group: ImageGroup, job: Job) -> int:
    """Bytes of values, standard errors and table."""
    n, spec = group.regions.n_players, job.spec
    if not spec.takes_table(n):
        return 8 * n * (1 + spec.estimator.standard_errors)
    return 8 * n + (4 << n if group.keep_tables else 0)


def _text_bytes(job: Job) -> int:
    stimulus = job.stimulus
    return len(json.dumps([stimulus.caption, stimulus.foil, stimulus.id, stimulus.phenomenon]))


def _nearest(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that is there."""
    return next(place for place in (folder, *folder.parents) if place.is_dir())
