"""What of a sweep is done, what failed and why, who is at it, and whether the merged file has it all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hlx.errors import InputError
from hlx.sweep.results.failures import FailedJobs, read_failures
from hlx.sweep.results.locks import who_runs
from hlx.sweep.results.merge import MERGED, model_line
from hlx.sweep.results.merged_file import SweepResults, load_results
from hlx.sweep.results.rows import Row, rows_of
from hlx.sweep.results.shards import QUARANTINE, BadShard, Scan, scan

if TYPE_CHECKING:
    from hlx.sweep.plan.expand import Plan


@dataclass
class StatusLine:
    """Results asked of a model on some regions: in all, done, failed when they were last tried."""

    model: str
    regions: str
    asked: int = 0
    done: int = 0
    failed: int = 0

    @property
    def missing(self) -> int:
        """Not done, and not tried either."""
        return self.asked - self.done - self.failed


@dataclass(frozen=True)
class Status:
    """The state of a sweep.

    Attributes
    ----------
    parts
        By model and regions, in the sweep's order.
    failed
        Why results failed, group by group.
    bad
        Shards that are damaged and not set aside yet.
    quarantined
        Names of shards that were set aside.
    running
        Who works on the sweep just now, in words; None if nobody.
    merged
        "missing", "up to date", "out of date", or what is wrong with the file.
    """

    parts: tuple[StatusLine, ...]
    failed: tuple[FailedJobs, ...]
    bad: tuple[BadShard, ...]
    quarantined: tuple[str, ...]
    running: str | None
    merged: str


def status_of(plan: Plan) -> Status:
    """Look at a sweep's output folder; nothing in it is changed.

    Raises
    ------
    InputError
        Shards of another version of hlx.
    """
    output = plan.sweep.output
    scanned = scan(output, quarantine=False)
    undone = {job.id for group in plan.groups for job in group.jobs if job.id not in scanned}
    reasons = read_failures(output, undone)
    parts: dict[tuple[str, str], StatusLine] = {}
    failed: list[FailedJobs] = []
    for group in plan.groups:
        label = plan.models[group.model].label
        part = parts.setdefault((label, group.regions.label), StatusLine(label, group.regions.label))
        counts: dict[str, int] = {}
        for job in group.jobs:
            part.asked += 1
            part.done += job.id in scanned
            if job.id in reasons:
                part.failed += 1
                counts[reasons[job.id]] = counts.get(reasons[job.id], 0) + 1
        failed += [FailedJobs.of(group, label, count, reason) for reason, count in counts.items()]
    return Status(
        parts=tuple(parts.values()),
        failed=tuple(failed),
        bad=scanned.bad,
        quarantined=tuple(sorted(path.name for path in (output / QUARANTINE).glob("*.h5"))),
        running=who_runs(output),
        merged=merged_state(plan, scanned),
    )


def merged_state(plan: Plan, scanned: Scan) -> str:
    """Whether the merged file is that of a plan and its shards, as `Status.merged` has it."""
    path = plan.sweep.output / MERGED
    if not path.exists():
        return "missing"
    try:
        with load_results(path) as results:
            current = _is_current(results, plan, scanned)
    except InputError as error:
        return str(error)
    return "up to date" if current else "out of date"


def _is_current(results: SweepResults, plan: Plan, scanned: Scan) -> bool:
    """Whether a merge would find the same: rows that are there and those that are not, models and results."""
    rows = {True: list[Row](), False: list[Row]()}
    for row in rows_of(plan):
        rows[row.job in scanned].append(row)
    return (
        results.rows == rows[True]
        and [replace(row, reason=None) for row in results.missing] == rows[False]
        and results.models == [model_line(model) for model in plan.models]
        and all(scanned.done[job] == content for job, content in results.contents().items())
    )
