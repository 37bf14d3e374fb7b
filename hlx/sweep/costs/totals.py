"""What a sweep takes: jobs, evaluations, time and room on the disk, before anything runs."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hlx.errors import InputError
from hlx.estimators import ESTIMATORS
from hlx.sweep.costs.evaluation_counts import EvaluationCounts
from hlx.sweep.costs.timing import Timing
from hlx.sweep.plan.expand import Plan
from hlx.sweep.plan.jobs import ImageGroup, Job
from hlx.sweep.results.shards import SHARDS, Scan
from hlx.sweep.run.loop import Remaining
from hlx.sweep.run.shard_writer import SECONDS

RECORD_BYTES = 1200
"""Of a job's record without its texts, of its ids and places, in shards."""

ROW_BYTES = 450
"""Of a row of the merged file without its texts."""

SHARD_BYTES = 20_000
"""Of a shard without what it holds."""


@dataclass
class CostLine:
    """What an estimator takes of a model on some regions.

    Attributes
    ----------
    jobs, done : asked for, and there already.
    evaluations : still to do: what the estimator adds to those that the group's others share with it.
    at_most : it may be fewer evaluations.
    seconds : of what is still to do; None where that was not measured.
    at_least : it takes longer, by what large budgets of costly estimators take to solve.
    """

    model: str
    regions: str
    estimator: str
    jobs: int = 0
    done: int = 0
    evaluations: int = 0
    at_most: bool = False
    seconds: float | None = None
    at_least: bool = False


@dataclass(frozen=True)
class Disk:
    """Bytes on the disk of the output folder.

    Attributes
    ----------
    needed : of the shards that are still to come and of the merged file, about.
    free : to be had.
    record : of a job besides its numbers and texts.
    measured : whether the shards that are there say so, or it is assumed.
    """

    needed: int
    free: int
    record: int = RECORD_BYTES
    measured: bool = False


@dataclass(frozen=True)
class Costs:
    """What a sweep takes, and what of that is still to do.

    Attributes
    ----------
    lines : by model, regions and estimator, in the sweep's order.
    groups : still to do, of all models together.
    seconds : still to go, loading and compiling apart; None where anything was not measured.
    starting : seconds of loading and compiling, once for each device; None where nothing was measured.
    unknown : why a model could not be timed, by label.
    """

    lines: tuple[CostLine, ...]
    groups: int
    seconds: float | None
    starting: float | None
    unknown: Mapping[str, str]
    disk: Disk

    @property
    def jobs(self) -> int:
        """Jobs asked for."""
        return sum(line.jobs for line in self.lines)

    @property
    def done(self) -> int:
        """Jobs that are there."""
        return sum(line.done for line in self.lines)

    @property
    def evaluations(self) -> int:
        """Still to do; no coalition of an image group counts twice."""
        return sum(line.evaluations for line in self.lines)

    @property
    def at_most(self) -> bool:
        """Whether it may be fewer evaluations."""
        return any(line.at_most for line in self.lines)

    @property
    def at_least(self) -> bool:
        """Whether it takes longer than `seconds`."""
        return any(line.at_least for line in self.lines)


def remaining_groups(plan: Plan, scanned: Scan) -> list[ImageGroup]:
    """The groups that a run would compute, with the jobs that they lack."""
    return [
        part.missing for part in Remaining.of(plan.groups, [m.label for m in plan.models], scanned).groups
    ]


def costs(plan: Plan, scanned: Scan, timings: Mapping[int, Timing | str] | None = None) -> Costs:
    """What a plan takes of which `scanned` is done, with the times that `measure` found."""
    timings, counts = timings or {}, EvaluationCounts()
    lines: dict[tuple[int, str, str], CostLine] = {}
    for group in plan.groups:
        for job in group.jobs:
            line = _line(lines, plan, group, job.request.estimator.name)
            line.jobs += 1
            line.done += job.id in scanned
    todo = remaining_groups(plan, scanned)
    for group in todo:
        timing = timings.get(group.model)
        rate = timing.rate(group.regions.n_players) if isinstance(timing, Timing) else None
        asked = Counter(job.request.estimator.name for job in group.jobs)
        # Besides its evaluations a group takes what costly estimators take to solve, where there are any.
        costly = {name for name in asked if ESTIMATORS[name].costly} or set(asked)
        total = 0.0
        for name, (evaluations, at_most) in counts.of(group).items():
            line = _line(lines, plan, group, name)
            line.evaluations += evaluations
            line.at_most |= at_most
            if rate is not None:
                besides = rate.job * len(group.jobs) * asked[name] / sum(asked[each] for each in costly)
                seconds = rate.evaluation * evaluations + (besides if name in costly else 0.0)
                line.seconds = (line.seconds or 0.0) + seconds
                line.at_least |= not rate.solved
                total += seconds
        if rate is not None and line.seconds is not None:
            line.seconds += max(0.0, rate.preparing - total)
    known = {place: timing for place, timing in timings.items() if isinstance(timing, Timing)}
    timed = all(group.model in known for group in todo)
    spent = sum((line.seconds for line in lines.values() if line.seconds is not None), 0.0)
    shapes = {(group.model, group.regions.n_players) for group in todo}
    starting = sum(timing.loading for timing in known.values()) + sum(
        known[model].compiling for model, _ in shapes if model in known
    )
    return Costs(
        lines=tuple(lines.values()),
        groups=len(todo),
        seconds=spent if timed else None,
        starting=starting if known else None,
        unknown={
            plan.models[place].label: reason for place, reason in timings.items() if isinstance(reason, str)
        },
        disk=disk_of(plan, scanned, spent),
    )


def disk_of(plan: Plan, scanned: Scan | None = None, seconds: float | None = None) -> Disk:
    """What a sweep needs of the disk, and what is free where its output goes.

    Parameters
    ----------
    scanned : what is done; by default as much as the shards' sizes say.
    seconds : that it runs, for the number of its shards; as few as can be where that is not known.
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
    InputError : it needs more than is free; says how much.
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


def _line(lines: dict[tuple[int, str, str], CostLine], plan: Plan, group: ImageGroup, name: str) -> CostLine:
    key = group.model, group.regions.label, name
    if key not in lines:
        lines[key] = CostLine(plan.models[group.model].label, group.regions.label, name)
    return lines[key]


def _numbers(group: ImageGroup, job: Job) -> int:
    """Bytes of values, standard errors and table."""
    n, request = group.regions.n_players, job.request
    if not request.takes_table(n):
        return 8 * n * (1 + request.estimator.standard_errors)
    return 8 * n + (4 << n if group.keep_tables else 0)


def _text_bytes(job: Job) -> int:
    stimulus = job.stimulus
    return len(json.dumps([stimulus.caption, stimulus.foil, stimulus.id, stimulus.phenomenon]))


def _nearest(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that is there."""
    return next(place for place in (folder, *folder.parents) if place.is_dir())
