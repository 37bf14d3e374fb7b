"""Results to the disk behind a run's back: when, and how much may wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from hlx.sweep.results.job_results import JobResult
from hlx.sweep.results.shards import write_shard
from hlx.sweep.run import shard_writer as writer
from hlx.sweep.run.executor import Done
from hlx.sweep.run.shard_writer import ShardWriter
from tests.support.fake_executor import kept, shards
from tests.support.job_results import SmallPlan, results_of, small_plan
from tests.support.waiting import PATIENCE, patiently


def done_of(plan: SmallPlan, results: Sequence[JobResult]) -> list[Done]:
    by_unit = {result.job: result for result in results}
    return [Done(group, [by_unit[job.id] for job in group.jobs], [], 0.0, 0.0) for group in plan.groups]


def test_results_are_written_after_seconds_or_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = small_plan(tmp_path)
    done = done_of(plan, results_of(plan))
    monkeypatch.setattr(writer, "SECONDS", 60.0)
    slow = ShardWriter(tmp_path)
    slow.put(done[0])
    time.sleep(0.1)
    assert shards(plan) == []
    slow.close()
    assert len(shards(plan)) == 1
    monkeypatch.setattr(writer, "SECONDS", 0.05)
    soon = ShardWriter(tmp_path)
    soon.put(done[1])
    patiently(lambda: len(shards(plan)) == 2)
    soon.close()
    monkeypatch.setattr(writer, "SECONDS", 60.0)
    monkeypatch.setattr(writer, "BYTES", 1)
    large = ShardWriter(tmp_path)
    large.put(done[2])
    patiently(lambda: len(shards(plan)) == 3)
    large.close()
    assert len(kept(plan)) == 6


def test_a_disk_that_is_behind_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = small_plan(tmp_path)
    done = done_of(plan, results_of(plan))
    go = threading.Event()

    def slow(output: Path, batch: Sequence[JobResult]) -> Path:
        go.wait(PATIENCE)
        return write_shard(output, batch)

    monkeypatch.setattr(writer, "write_shard", slow)
    monkeypatch.setattr(writer, "BYTES", 1)
    behind = ShardWriter(tmp_path)
    put: list[int] = []

    def put_all() -> None:
        for number, each in enumerate(done):
            behind.put(each)
            put.append(number)

    thread = threading.Thread(target=put_all)
    thread.start()
    time.sleep(0.2)
    assert len(put) <= 2
    go.set()
    thread.join(PATIENCE)
    behind.close()
    assert len(put) == len(done) and len(kept(plan)) == 2 * len(done)
