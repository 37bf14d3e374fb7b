"""Merge: all results that a sweep's shards hold for its plan, in one file, and what is missing.

Shards are read one after the other and written on as they come, so that memory holds one of them and an
index. Which results there are, and the hash over them, depends neither on which shards hold them nor on how
often.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, fields
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hlx.errors import InputError
from hlx.io.files import remove_temporaries
from hlx.io.hdf5 import Stream, streaming
from hlx.sweep.plan.jobs import PlannedModel
from hlx.sweep.results.failures import read_failures
from hlx.sweep.results.job_results import FLAT, JobResult, columns_of, content_hash_of
from hlx.sweep.results.locks import merge_lock
from hlx.sweep.results.merged_file import KIND
from hlx.sweep.results.rows import Missing, Row, missing_of, rows_of
from hlx.sweep.results.shards import BadShard, Shards

if TYPE_CHECKING:
    from hlx.sweep.plan.expand import Plan

MERGED = "merged.h5"
"""The merged file's name in a sweep's output folder."""

AT_ONCE = 2**24
"""Bytes of results and of rows that are put into the file in one go."""


@dataclass(frozen=True)
class MergeResult:
    """What a merge made.

    Attributes
    ----------
    content_hash
        Over results and what made them, in the order of jobs' ids; not over seconds and hosts.
    jobs
        Results in the file.
    rows
        What the plan asked for and has a result.
    others
        Results in the shards that the plan does not ask for, of what the sweep file said before.
    missing
        Of every model that lacks something.
    bad
        Shards that could not be trusted.
    """

    path: Path
    content_hash: str
    jobs: int
    rows: int
    others: int
    missing: tuple[Missing, ...]
    bad: tuple[BadShard, ...]


def merge(
    plan: Plan,
    path: Path | None = None,
    force: bool = False,
    strict: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> MergeResult:
    """Write the results of a plan into one file that `load_results` reads.

    Parameters
    ----------
    path
        By default merged.h5 in the sweep's output folder, which a later merge replaces.
    force
        Replace an existing file of another name.
    strict
        Write nothing unless there is a result for all that was asked.
    progress
        Called with shards read and shards in all.

    Raises
    ------
    InputError
        No results at all, or (`strict`) not all; shards of another version of hlx.
    OutputError
        Another merge is at work, or the file exists, or cannot be written; what was there stays.
    """
    output = plan.sweep.output
    target = output / MERGED if path is None else path
    shards = Shards(output, quarantine=os.access(output, os.W_OK))
    if not len(shards):
        raise InputError(f"{output}: holds no results of this sweep yet (hlx sweep run makes them)")
    with ExitStack() as held:
        # A folder that takes no files has no merge in it that one could meet.
        if shards.quarantine:
            held.enter_context(merge_lock(output))
            remove_temporaries(target.parent, escape(target.name))
        stream = held.enter_context(streaming(target, KIND, force or path is None))
        index, others = _copy(plan, shards, stream, progress)
        if not index:
            set_aside = f", {len(shards.bad)} shards are bad" if shards.bad else ""
            raise InputError(
                f"{output}: none of its {others} results is one that the sweep file asks for{set_aside} (hlx "
                "sweep run makes them)"
            )
        undone = {row.job for row in rows_of(plan) if bytes.fromhex(row.job) not in index}
        reasons = read_failures(output, undone)
        missing = missing_of(
            (row for row in rows_of(plan) if row.job not in undone),
            (row for row in rows_of(plan, reasons) if row.job in undone),
        )
        lacking = sum(model.missing for model in missing)
        if strict and lacking:
            raise InputError(
                f"{output}: {lacking} results are missing, nothing was written (hlx sweep run makes them; "
                "hlx sweep status says which)"
            )
        content_hash = content_hash_of(index[job].content for job in sorted(index))
        stream.file.attrs["content_hash"] = content_hash
        _write_index(stream, index)
        _write_lines(stream, "models", map(model_line, plan.models))
        _write_lines(stream, "rows", (_line(row) for row in rows_of(plan) if row.job not in undone))
        _write_lines(stream, "missing", (_line(row) for row in rows_of(plan, reasons) if row.job in undone))
    asked = sum(len(group.jobs) for group in plan.groups)
    return MergeResult(
        target,
        content_hash,
        len(index),
        asked - lacking,
        others,
        tuple(missing),
        tuple(shards.bad),
    )


@dataclass(frozen=True, slots=True)
class _Kept:
    """Where a result is in the merged file (4, 2), what it hashes to, and who computed it."""

    places: np.ndarray
    content: bytes
    source: str


def _copy(
    plan: Plan, shards: Shards, stream: Stream, progress: Callable[[int, int], None] | None
) -> tuple[dict[bytes, _Kept], int]:
    """Put all results that a plan asks for into the file: where each is, and how many others there were."""
    wanted = {bytes.fromhex(job.id) for group in plan.groups for job in group.jobs}
    index: dict[bytes, _Kept] = {}
    others: set[bytes] = set()
    differing: dict[bytes, set[str]] = {}
    ends = dict.fromkeys(FLAT, 0)
    for number, results in enumerate(shards, start=1):
        for batch in _batches(_new(results, wanted, index)):
            columns = columns_of(batch)
            start = np.array([[end, 0] for end in ends.values()], np.int64)
            for name in FLAT:
                stream.append(name, columns[name])
                ends[name] += len(columns[name])
            for result, content, places in zip(batch, columns["contents"], columns["places"], strict=True):
                job = bytes.fromhex(result.job)
                new = _Kept(places + start, content.tobytes(), _source(result))
                old = index.setdefault(job, new)
                if old.content != new.content:
                    differing.setdefault(job, {old.source}).add(new.source)
                    # Whatever comes first: the order of shards is not to matter.
                    index[job] = min(old, new, key=lambda kept: kept.content)
        others |= {bytes.fromhex(result.job) for result in results} - wanted
        if progress is not None:
            progress(number, len(shards))
    if differing:
        who = sorted(set().union(*differing.values()))
        warnings.warn(
            f"{shards.output}: {len(differing)} jobs have several results that differ, computed by "
            f"{', '.join(who[:5])}{' and others' if len(who) > 5 else ''}: one of each is taken, the same in "
            f"every merge (for example job {min(differing).hex()[:12]})",
            stacklevel=3,
        )
    return index, len(others)


def _new(results: Iterable[JobResult], wanted: set[bytes], index: dict[bytes, _Kept]) -> Iterator[JobResult]:
    """Those that are wanted and not in the file already, content for content."""
    for result in results:
        job = bytes.fromhex(result.job)
        if job in wanted and (job not in index or index[job].content != result.content()):
            yield result


def _batches(results: Iterable[JobResult]) -> Iterator[list[JobResult]]:
    """Results, without the arrays of whole shards being there twice."""
    batch: list[JobResult] = []
    size = 0
    for result in results:
        batch.append(result)
        size += result.values.nbytes + (
            0 if result.coalition_values is None else result.coalition_values.nbytes
        )
        if size > AT_ONCE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _source(result: JobResult) -> str:
    versions = result.record.get("versions")
    device = versions.get("device") if isinstance(versions, dict) else None
    return f"{device or 'an unknown device'} on {result.spent.get('host') or 'an unknown host'}"


def _write_index(stream: Stream, index: dict[bytes, _Kept]) -> None:
    jobs = sorted(index)
    for name, hashes in (("jobs", jobs), ("contents", [index[job].content for job in jobs])):
        stream.append(name, np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, 32))
    stream.append("places", np.array([index[job].places for job in jobs], np.int64))


def model_line(model: PlannedModel) -> dict[str, Any]:
    """What a merged file says of a model."""
    known = ("label", "name", "revision", "detector", "dtype", "engine", "fingerprint")
    return {name: getattr(model, name) for name in known}


def _line(row: Row) -> dict[str, Any]:
    return {field.name: getattr(row, field.name) for field in fields(row)}


def _write_lines(stream: Stream, name: str, lines: Iterable[dict[str, Any]]) -> None:
    """JSON lines as an array of bytes, which is there even where there are none."""
    gathered = bytearray()
    for line in lines:
        gathered += json.dumps(line).encode() + b"\n"
        if len(gathered) > AT_ONCE:
            stream.append(name, np.frombuffer(bytes(gathered), np.uint8))
            gathered.clear()
    stream.append(name, np.frombuffer(bytes(gathered), np.uint8))
