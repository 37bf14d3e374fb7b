"""Runs over executors of no devices at all: what is computed, what is kept, how they end."""

from __future__ import annotations

import errno
import os
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlx.cli.sweep_run import parse_shard
from hlx.errors import InputError, OutputError
from hlx.sweep.results.job_results import JobResult
from hlx.sweep.results.locks import run_lock
from hlx.sweep.results.shards import write_shard
from hlx.sweep.run import shard_writer as writer
from hlx.sweep.run.display import LineDisplay, QuietDisplay, Tally
from hlx.sweep.run.loop import dealt, run_plan
from hlx.sweep.run.signals import EndedAtOnce
from tests.support.fake_executor import FakeExecutor, kept, run, shards
from tests.support.job_results import SmallPlan, results_of, small_plan
from tests.support.waiting import PATIENCE, patiently


def test_everything_is_computed_once_and_kept(tmp_path: Path) -> None:
    plan = small_plan(tmp_path / "out")
    results = results_of(plan)
    executor = FakeExecutor(results)
    summary = run(plan, executor)
    assert kept(plan) == {result.job: result.content() for result in results}
    assert sorted(group.id for group in executor.computed) == sorted(group.id for group in plan.groups)
    assert executor.most <= executor.capacity and executor.closed
    assert (summary.before, summary.done, summary.left, summary.failures) == (0, len(results), 0, 0)
    assert (summary.exit_status, summary.signal, summary.devices) == (0, None, 2)
    assert summary.evaluating == pytest.approx(0.01 * len(plan.groups))
    assert summary.waiting_share == pytest.approx(summary.waiting / (2 * summary.seconds))
    assert summary.overhead_share == pytest.approx(max(0, 1 - summary.evaluating / (2 * summary.seconds)))


def test_what_is_done_is_not_computed_again_and_no_executor_is_called_for_nothing(tmp_path: Path) -> None:
    plan = small_plan(tmp_path)
    first, *_ = plan.groups
    results = results_of(plan)
    # All jobs of the first group, and one of the second's.
    write_shard(tmp_path, results[: len(first.jobs) + 1])
    executor = FakeExecutor(results)
    summary = run(plan, executor)
    second, *others = plan.groups[1:]
    rest = replace(second, jobs=second.jobs[1:])
    assert {group.id for group in executor.computed} == {group.id for group in (rest, *others)}
    assert (summary.before, summary.done) == (len(first.jobs) + 1, len(results) - len(first.jobs) - 1)
    before = shards(plan)

    def no_crew() -> FakeExecutor:
        raise AssertionError("an executor for nothing")

    again = run_plan(plan, no_crew)  # type: ignore[arg-type]
    assert (again.before, again.done, again.exit_status) == (len(results), 0, 0)
    assert shards(plan) == before


def test_models_alike_are_computed_once(tmp_path: Path) -> None:
    plan = small_plan(tmp_path, models=1)
    twice = SmallPlan(
        plan.sweep,
        (plan.models[0], replace(plan.models[0], label="again")),
        (*plan.groups, *(replace(group, model=1) for group in plan.groups)),
    )
    executor = FakeExecutor(results_of(plan))
    summary = run(twice, executor)
    assert len(executor.computed) == len(plan.groups) and summary.done == len(results_of(plan))
    # None of them was there before, whoever else will have it.
    assert len(kept(twice)) == summary.done and summary.before == 0
    failing = {job.id: "no" for group in twice.groups for job in group.jobs}
    again = run(replace(twice, sweep=replace(twice.sweep, output=tmp_path / "b")), FakeExecutor([], failing))
    assert (again.before, again.done, again.failures) == (0, 0, len(results_of(plan)))


@given(n=st.integers(1, 5), images=st.integers(1, 7), models=st.integers(1, 2))
@settings(max_examples=25)
def test_shards_of_a_sweep_are_its_parts(n: int, images: int, models: int) -> None:
    plan = small_plan(Path("nowhere"), images=images, models=models)
    parts = [dealt(plan.groups, (i + 1, n)) for i in range(n)]
    assert sorted(group.id for part in parts for group in part) == sorted(group.id for group in plan.groups)
    assert parts[0][0] == plan.groups[0] and dealt(plan.groups, None) == list(plan.groups)
    for i, part in enumerate(parts):
        assert {group.image.path.name for group in part} == {f"{k}.png" for k in range(i, images, n)}
        assert sorted(part, key=plan.groups.index) == part


def test_runs_of_all_shards_make_the_whole(tmp_path: Path) -> None:
    plan = small_plan(tmp_path)
    results = results_of(plan)
    done = sum(run(plan, FakeExecutor(results), shard=(i, 2)).done for i in (1, 2))
    assert done == len(results) and len(kept(plan)) == len(results)


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "1/", "a/b", "1/0", "-1/2", "1/2/3", "²/2", ""])
def test_shards_that_are_none(text: str) -> None:
    with pytest.raises(InputError, match="expected i/n"):
        parse_shard(text)


def test_shards_by_name() -> None:
    assert parse_shard("1/4") == (1, 4) and parse_shard(" 12/12") == (12, 12)


def test_an_error_of_any_kind_keeps_what_was_computed(tmp_path: Path) -> None:
    plan = small_plan(tmp_path)

    def broken(count: int) -> None:
        if count == 3:
            raise RuntimeError("of the executor")

    executor = FakeExecutor(results_of(plan), meanwhile=broken)
    with pytest.raises(RuntimeError, match="of the executor"):
        run(plan, executor)
    assert executor.closed and len(kept(plan)) == 4


def test_progress_that_cannot_be_shown_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, tried = small_plan(tmp_path), []

    class Full:
        def write(self, text: str) -> int:
            tried.append(text)
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("sys.stderr", Full())
    summary = run(plan, FakeExecutor(results_of(plan)), progress=LineDisplay(every=1e-9))
    monkeypatch.undo()
    assert summary.exit_status == 0 and len(kept(plan)) == summary.done and len(tried) > 2


def test_a_second_signal_ends_an_executor_that_is_slow_to_close(tmp_path: Path) -> None:
    plan = small_plan(tmp_path)

    class Slow(FakeExecutor):
        def close(self) -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)
            raise AssertionError("the second signal did not come through")

    with pytest.raises(EndedAtOnce):
        run(plan, Slow(results_of(plan)))
    assert len(kept(plan)) == len(results_of(plan))


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_finishes_what_was_begun(tmp_path: Path, number: signal.Signals, status: int) -> None:
    plan = small_plan(tmp_path, images=6)
    results = results_of(plan)
    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    executor = FakeExecutor(
        results, meanwhile=lambda count: os.kill(os.getpid(), number) if count == 4 else None
    )
    summary = run(plan, executor)
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert executor.stopped and executor.closed and len(executor.computed) == 5
    assert summary.exit_status == status and summary.done == 10 == len(kept(plan))
    assert summary.left == len(results) - 10
    assert run(plan, FakeExecutor(results)).before == 10
    assert len(kept(plan)) == len(results)


def test_a_signal_at_the_very_end_interrupts_nothing(tmp_path: Path) -> None:
    plan = small_plan(tmp_path, images=2, models=1)
    executor = FakeExecutor(
        results_of(plan), meanwhile=lambda count: os.kill(os.getpid(), signal.SIGINT) if count == 2 else None
    )
    summary = run(plan, executor)
    assert (summary.exit_status, summary.left, summary.signal) == (0, 0, signal.SIGINT)


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    plan = small_plan(tmp_path)
    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]

    def twice(_: int) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(EndedAtOnce) as ended:
        run(plan, FakeExecutor(results_of(plan), meanwhile=twice))
    assert ended.value.number in (signal.SIGINT, signal.SIGTERM)
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers
    with run_lock(tmp_path):
        pass


def test_in_another_thread_no_signal_is_touched(tmp_path: Path) -> None:
    plan, summaries = small_plan(tmp_path), []
    thread = threading.Thread(target=lambda: summaries.append(run(plan, FakeExecutor(results_of(plan)))))
    thread.start()
    thread.join()
    assert summaries[0].exit_status == 0 and len(kept(plan)) == summaries[0].done


def test_a_clock_that_runs_backwards_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    ticks = iter(range(10**9))
    monkeypatch.setattr(writer, "SECONDS", 0.0)
    monkeypatch.setattr(time, "time", lambda: now - 3600 * next(ticks))
    plan = small_plan(tmp_path)
    summary = run(plan, FakeExecutor(results_of(plan)))
    assert summary.exit_status == 0 and 0 < summary.seconds < 3600 and summary.rate > 0
    assert 0 <= summary.overhead_share <= 1 and len(kept(plan)) == summary.done


def test_a_full_disk_ends_the_run_and_keeps_what_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = small_plan(tmp_path, images=6)
    results = results_of(plan)
    written = 0
    monkeypatch.setattr(writer, "SECONDS", 0.0)

    def full(output: Path, batch: Sequence[JobResult]) -> Path:
        nonlocal written
        written += 1
        if written > 2:
            raise OutputError("shard: cannot be written: No space left on device") from OSError(
                errno.ENOSPC, ""
            )
        return write_shard(output, batch)

    monkeypatch.setattr(writer, "write_shard", full)
    # Each group is written, or refused, before the next one is there.
    executor = FakeExecutor(results, meanwhile=lambda count: patiently(lambda: written >= min(count - 1, 3)))
    with pytest.raises(OutputError, match="No space left"):
        run(plan, executor)
    assert executor.closed and 0 < len(kept(plan)) < len(results)
    monkeypatch.undo()
    assert run(plan, FakeExecutor(results)).exit_status == 0 and len(kept(plan)) == len(results)


def test_two_runs_on_one_folder(tmp_path: Path) -> None:
    plan = small_plan(tmp_path)
    results = results_of(plan)
    with run_lock(tmp_path):
        with pytest.raises(OutputError, match="another run"):
            run(plan, FakeExecutor(results))
        assert not shards(plan)
    said: list[str] = []

    class Told(QuietDisplay):
        def say(self, line: str) -> None:
            said.append(line)
            release.set()

    release, ended = threading.Event(), threading.Event()

    def hold() -> None:
        with run_lock(tmp_path):
            taken.set()
            release.wait(PATIENCE)
            time.sleep(0.1)
        ended.set()

    taken = threading.Event()
    holder = threading.Thread(target=hold)
    holder.start()
    taken.wait(PATIENCE)
    summary = run(plan, FakeExecutor(results), wait=True, progress=Told())
    holder.join()
    assert ended.is_set() and summary.done == len(results)
    assert "waiting for its end" in said[0]


def test_progress_is_told_of_every_job(tmp_path: Path) -> None:
    plan = small_plan(tmp_path)
    results = results_of(plan)
    write_shard(tmp_path, results[:1])
    seen: dict[str, Tally] = {}

    class Counting(QuietDisplay):
        def shown(self, tallies: Any) -> Any:
            seen.update({name: replace(tally) for name, tally in tallies.items()})
            return super().shown(tallies)

        def advance(self, model: str, done: int, failed: int) -> None:
            seen[model].done += done
            seen[model].failed += failed

    run(plan, FakeExecutor(results, {results[-1].job: "no"}), progress=Counting())
    per_model = len(results) // 2
    assert seen == {"model 0": Tally(per_model, per_model), "model 1": Tally(per_model, per_model - 1, 1)}
