"""The run of a sweep: an executor computes what is missing, and results are kept as soon as they come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from hlx.errors import HlxError
from hlx.sweep.plan.jobs import ImageGroup
from hlx.sweep.results.failures import FailedJobs, Failure, forget_failures
from hlx.sweep.results.locks import run_lock
from hlx.sweep.results.shards import Scan, remove_leftovers, scan
from hlx.sweep.run.display import Display, QuietDisplay, Tally
from hlx.sweep.run.executor import Done
from hlx.sweep.run.run_summary import RunSummary
from hlx.sweep.run.shard_writer import ShardWriter
from hlx.sweep.run.signals import EndedAtOnce, StopAsked, stop_signals

if TYPE_CHECKING:
    from hlx.sweep.plan.expand import Plan
    from hlx.sweep.run.executor import Executor

POLL = 0.2
"""Seconds after which a run looks up from waiting: at signals, the writer's errors, the time."""


def dealt(groups: Sequence[ImageGroup], shard: tuple[int, int] | None) -> list[ImageGroup]:
    """The groups of shard i of n: of the i-th, (i+n)-th, ... image of all; all groups without a shard."""
    if shard is None:
        return list(groups)
    i, n = shard
    # By content: the same image under two names stays in one hand, which computes it once.
    numbers: dict[str, int] = {}
    return [group for group in groups if numbers.setdefault(group.image.sha256, len(numbers)) % n == i - 1]


def run_plan(
    plan: Plan,
    make_executor: Callable[[], Executor],
    shard: tuple[int, int] | None = None,
    progress: Display | None = None,
    wait: bool = False,
) -> RunSummary:
    """Compute what is missing of a sweep.

    What a group lacks is computed together, and nothing else of it. After the first SIGINT or SIGTERM what
    was begun is finished and written; the second raises `EndedAtOnce`.

    Parameters
    ----------
    make_executor
        Called once, and only if there is anything to compute.
    shard
        (i, n), of `dealt`.
    progress
        Told of all that happens; nothing is shown by default.
    wait
        For other runs that have the folder.

    Raises
    ------
    InputError
        Shards of another version of hlx; what `make_executor` raises.
    OutputError
        Another run is at work, or results cannot be written; what was written before is kept.
    """
    output, shown = plan.sweep.output, QuietDisplay() if progress is None else progress
    with run_lock(output, shard, wait, shown.say):
        if shard is None:
            remove_leftovers(output)
        scanned = scan(output)
        for bad in scanned.bad:
            shown.say(f"bad shard, computed again: {bad.path}: {bad.reason}")
        labels = [model.label for model in plan.models]
        work = Remaining.of(dealt(plan.groups, shard), labels, scanned)
        summary = RunSummary(sum(tally.done for tally in work.tallies.values()), scanned.bad)
        if shard is None:
            forget_failures(output, plan.groups)
        if work.groups:
            executor = make_executor()
            # Only now: what executors are made of may have handlers of its own, such as Ray has.
            with stop_signals() as asked:
                try:
                    with shown.shown(work.tallies):
                        _compute(work, labels, executor, ShardWriter(output), shown, summary, asked)
                except EndedAtOnce:
                    # Without closing the executor, which may wait for what is being computed.
                    raise
                except BaseException:
                    executor.close()
                    raise
                executor.close()
    return summary


def _compute(
    work: Remaining,
    labels: Sequence[str],
    executor: Executor,
    writer: ShardWriter,
    shown: Display,
    summary: RunSummary,
    asked: StopAsked,
) -> None:
    summary.devices = executor.devices
    try:
        _Loop(work, labels, executor, writer, shown, summary).run(asked)
    except Exception:
        # What was computed is kept, whatever ended the run, and that is what is told.
        with suppress(HlxError):
            writer.close()
        raise
    except BaseException:
        writer.abandon()
        raise
    writer.close()
    summary.signal = asked.number


class PartialGroup(NamedTuple):
    """What is to be computed of an image group.

    Attributes
    ----------
    whole
        The group, as the plan has it.
    missing
        The group with the missing jobs alone.
    ids
        Of the missing jobs.
    """

    whole: ImageGroup
    missing: ImageGroup
    ids: frozenset[str]


@dataclass
class Remaining:
    """What a run has to do.

    Attributes
    ----------
    groups
        Of which jobs are missing, and what of them is to be computed; no job by two.
    tallies
        Of each model, by label: jobs asked for, each once, and done so far.
    """

    groups: list[PartialGroup]
    tallies: dict[str, Tally]

    @classmethod
    def of(cls, groups: Sequence[ImageGroup], labels: Sequence[str], scanned: Scan) -> Remaining:
        """What is missing of groups."""
        work, seen = cls([], {}), set[str]()
        for group in groups:
            # Each once: of groups that share jobs, one image under two names say, the first counts them.
            ids = {job.id for job in group.jobs} - seen
            seen |= ids
            new = frozenset(job for job in ids if job not in scanned)
            tally = work.tallies.setdefault(labels[group.model], Tally())
            tally.asked += len(ids)
            tally.done += len(ids) - len(new)
            if new:
                missing = tuple(job for job in group.jobs if job.id in new)
                work.groups.append(PartialGroup(group, replace(group, jobs=missing), new))
        return work


class _Loop:
    """Image groups to the executor, a bounded number at a time, and what comes back to the writer."""

    def __init__(
        self,
        work: Remaining,
        labels: Sequence[str],
        executor: Executor,
        writer: ShardWriter,
        progress: Display,
        summary: RunSummary,
    ) -> None:
        self._labels, self._executor, self._writer = labels, executor, writer
        self._progress, self._summary = progress, summary
        self._left: Iterator[PartialGroup] = iter(work.groups)
        self._bringing: dict[str, PartialGroup] = {}
        self._jobs = sum(len(part.ids) for part in work.groups)

    def run(self, asked: StopAsked) -> None:
        """Until all is done, or as soon as there is a signal and what was begun then is done."""
        start, summary = time.monotonic(), self._summary
        stopping, to_come = False, 0
        try:
            while True:
                if not stopping and asked.number is not None:
                    stopping, to_come = True, self._executor.stop()
                    self._progress.say("stopping: what was begun is finished first; again ends at once")
                while not stopping and to_come < self._executor.capacity and self._submit():
                    to_come += 1
                if to_come == 0:
                    break
                done = self._executor.next(POLL)
                self._writer.check()
                if done is not None:
                    to_come -= 1
                    self._take(done)
                self._progress.tick()
        finally:
            summary.seconds = time.monotonic() - start
            summary.left = self._jobs - summary.done - summary.failures

    def _submit(self) -> bool:
        part = next(self._left, None)
        if part is None:
            return False
        self._bringing[part.missing.id] = part
        self._executor.submit(part.missing)
        return True

    def _take(self, done: Done) -> None:
        summary = self._summary
        # Failures are recorded of the group as the plan has it, by which the next run forgets them.
        group, _, new = self._bringing.pop(done.group.id)
        done = replace(done, group=group)
        label = self._labels[group.model]
        missing = new - {result.job for result in done.results}
        told = set[str]().union(*(failure.jobs for failure in done.failures))
        if missing - told:
            failure = Failure(tuple(sorted(missing - told)), "gave neither a result nor a reason")
            done = replace(done, failures=[*done.failures, failure])
        for failure in done.failures:
            if count := len(missing.intersection(failure.jobs)):
                summary.failed.append(FailedJobs.of(group, label, count, failure.reason))
        summary.done += len(new) - len(missing)
        summary.evaluating += done.seconds
        summary.waiting += done.waited
        self._writer.put(done)
        self._progress.advance(label, len(new) - len(missing), len(missing))
