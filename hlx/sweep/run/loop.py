"""The run of a study: a crew computes what is missing, and results are kept as soon as they are there."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from hlx.errors import HlxError, InputError
from hlx.sweep.plan.jobs import Item
from hlx.sweep.results.failures import Failed, Failure, forget_failures
from hlx.sweep.results.locks import run_lock
from hlx.sweep.results.shards import Scan, remove_leftovers, scan
from hlx.sweep.run.executor import Done
from hlx.sweep.run.progress import Progress, Quiet, Tally
from hlx.sweep.run.run_summary import RunSummary
from hlx.sweep.run.shard_writer import ShardWriter
from hlx.sweep.run.signals import EndedAtOnce, StopAsked, stop_signals

if TYPE_CHECKING:
    from hlx.sweep.plan.expand import Plan
    from hlx.sweep.run.executor import Crew

POLL = 0.2
"""Seconds after which a run looks up from waiting: at signals, the writer's errors, the time."""


def parse_shard(text: str) -> tuple[int, int]:
    """(i, n) of "i/n", counted from 1.

    Raises
    ------
    InputError : not two whole numbers with 1 <= i <= n.
    """
    found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text.strip())
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise InputError(f"--shard {text!r}: expected i/n, the i-th of n parts, such as 1/4 up to 4/4")
    return int(found[1]), int(found[2])


def dealt(items: Sequence[Item], shard: tuple[int, int] | None) -> list[Item]:
    """The items of shard i of n: of the i-th, (i+n)-th, ... image of all; all items without a shard."""
    if shard is None:
        return list(items)
    i, n = shard
    # By content: the same image under two names stays in one hand, which computes it once.
    numbers: dict[str, int] = {}
    return [item for item in items if numbers.setdefault(item.image.sha256, len(numbers)) % n == i - 1]


def run_study(
    plan: Plan,
    make_crew: Callable[[], Crew],
    shard: tuple[int, int] | None = None,
    progress: Progress | None = None,
    wait: bool = False,
) -> RunSummary:
    """Compute what is missing of a study.

    What an item lacks is computed together, and nothing else of it. After the first SIGINT or SIGTERM what
    was begun is finished and written; the second raises `EndedAtOnce`.

    Parameters
    ----------
    make_crew : called once, and only if there is anything to compute.
    shard : (i, n), of `dealt`.
    progress : told of all that happens; nothing is shown by default.
    wait : for other runs that have the folder.

    Raises
    ------
    InputError : shards of another version of hlx; what `make_crew` raises.
    OutputError : another run is at work, or results cannot be written; what was written before is kept.
    """
    output, shown = plan.study.output, Quiet() if progress is None else progress
    with run_lock(output, shard, wait, shown.say):
        if shard is None:
            remove_leftovers(output)
        scanned = scan(output)
        for bad in scanned.bad:
            shown.say(f"bad shard, computed again: {bad.path}: {bad.reason}")
        labels = [model.label for model in plan.models]
        work = Work.of(dealt(plan.items, shard), labels, scanned)
        summary = RunSummary(sum(tally.done for tally in work.tallies.values()), scanned.bad)
        if shard is None:
            forget_failures(output, plan.items)
        if work.items:
            crew = make_crew()
            # Only now: what crews are made of may have handlers of its own, such as Ray has.
            with stop_signals() as asked:
                try:
                    with shown.shown(work.tallies):
                        _compute(work, labels, crew, ShardWriter(output), shown, summary, asked)
                except EndedAtOnce:
                    # Without closing the crew, which may wait for what is being computed.
                    raise
                except BaseException:
                    crew.close()
                    raise
                crew.close()
    return summary


def _compute(
    work: Work,
    labels: Sequence[str],
    crew: Crew,
    writer: ShardWriter,
    shown: Progress,
    summary: RunSummary,
    asked: StopAsked,
) -> None:
    summary.devices = crew.devices
    try:
        _Loop(work, labels, crew, writer, shown, summary).run(asked)
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


class Part(NamedTuple):
    """What is to be computed of an item.

    Attributes
    ----------
    whole : the item, as the plan has it.
    missing : the item with the missing units alone.
    ids : of the missing units.
    """

    whole: Item
    missing: Item
    ids: frozenset[str]


@dataclass
class Work:
    """What a run has to do.

    Attributes
    ----------
    items : of which units are missing, and what of them is to be computed; no unit by two.
    tallies : of each model, by label: units asked for, each once, and done so far.
    """

    items: list[Part]
    tallies: dict[str, Tally]

    @classmethod
    def of(cls, items: Sequence[Item], labels: Sequence[str], scanned: Scan) -> Work:
        """What is missing of items."""
        work, seen = cls([], {}), set[str]()
        for item in items:
            # Each once: of items that share units, one image under two names say, the first counts them.
            ids = {unit.id for unit in item.units} - seen
            seen |= ids
            new = frozenset(unit for unit in ids if unit not in scanned)
            tally = work.tallies.setdefault(labels[item.model], Tally())
            tally.asked += len(ids)
            tally.done += len(ids) - len(new)
            if new:
                missing = tuple(unit for unit in item.units if unit.id in new)
                work.items.append(Part(item, replace(item, units=missing), new))
        return work


class _Loop:
    """Items to the crew, a bounded number at a time, and what comes back to the writer."""

    def __init__(
        self,
        work: Work,
        labels: Sequence[str],
        crew: Crew,
        writer: ShardWriter,
        progress: Progress,
        summary: RunSummary,
    ) -> None:
        self._labels, self._crew, self._writer = labels, crew, writer
        self._progress, self._summary = progress, summary
        self._left: Iterator[Part] = iter(work.items)
        self._bringing: dict[str, Part] = {}
        self._units = sum(len(part.ids) for part in work.items)

    def run(self, asked: StopAsked) -> None:
        """Until all is done, or as soon as there is a signal and what was begun then is done."""
        start, summary = time.monotonic(), self._summary
        stopping, to_come = False, 0
        try:
            while True:
                if not stopping and asked.number is not None:
                    stopping, to_come = True, self._crew.stop()
                    self._progress.say("stopping: what was begun is finished first; again ends at once")
                while not stopping and to_come < self._crew.capacity and self._submit():
                    to_come += 1
                if to_come == 0:
                    break
                done = self._crew.next(POLL)
                self._writer.check()
                if done is not None:
                    to_come -= 1
                    self._take(done)
                self._progress.tick()
        finally:
            summary.seconds = time.monotonic() - start
            summary.left = self._units - summary.done - summary.failures

    def _submit(self) -> bool:
        part = next(self._left, None)
        if part is None:
            return False
        self._bringing[part.missing.id] = part
        self._crew.submit(part.missing)
        return True

    def _take(self, done: Done) -> None:
        summary = self._summary
        # Failures are recorded of the item as the plan has it, by which the next run forgets them.
        item, _, new = self._bringing.pop(done.item.id)
        done = replace(done, item=item)
        label = self._labels[item.model]
        missing = new - {result.unit for result in done.results}
        told = set[str]().union(*(failure.units for failure in done.failures))
        if missing - told:
            failure = Failure(tuple(sorted(missing - told)), "gave neither a result nor a reason")
            done = replace(done, failures=[*done.failures, failure])
        for failure in done.failures:
            if count := len(missing.intersection(failure.units)):
                summary.failed.append(Failed.of(item, label, count, failure.reason))
        summary.done += len(new) - len(missing)
        summary.evaluating += done.seconds
        summary.waiting += done.waited
        self._writer.put(done)
        self._progress.advance(label, len(new) - len(missing), len(missing))
