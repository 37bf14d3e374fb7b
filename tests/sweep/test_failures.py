"""Why jobs failed: kept until they succeed, and no longer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hlx.sweep.results.failures import Failure, forget_failures, read_failures, record_failures
from hlx.sweep.results.shards import scan
from tests.support.fake_executor import FakeExecutor, kept, run
from tests.support.job_results import results_of, small_plan


def test_failures_are_recorded_until_they_succeed(tmp_path: Path) -> None:
    plan = small_plan(tmp_path)
    results = results_of(plan)
    bad = plan.groups[1].jobs[0].id
    summary = run(plan, FakeExecutor(results, {bad: "the score is NaN"}))
    assert (summary.exit_status, summary.failures, summary.done) == (1, 1, len(results) - 1)
    [failed] = summary.failed
    assert (failed.model, failed.image, failed.regions) == ("model 0", "1.png", "1x2")
    assert (failed.background, failed.jobs, failed.reason) == ("blur", 1, "the score is NaN")
    assert read_failures(tmp_path, {bad}) == {bad: "the score is NaN"} and bad not in scan(tmp_path)
    executor = FakeExecutor(results)
    again = run(plan, executor)
    # Without the group's other job, which is there already.
    assert [[job.id for job in group.jobs] for group in executor.computed] == [[bad]]
    assert (again.exit_status, again.done, again.before) == (0, 1, len(results) - 1)
    assert read_failures(tmp_path, {bad}) == {} and len(kept(plan)) == len(results)


def test_reasons_of_groups_that_are_no_more_are_forgotten(tmp_path: Path) -> None:
    plan = small_plan(tmp_path)
    results = results_of(plan)
    one, *others = plan.groups
    bad = one.jobs[0].id
    run(plan, FakeExecutor(results, {bad: "an old reason"}))
    # The sweep file has changed: the job is in another group now, which is computed well.
    changed = replace(plan, groups=(replace(one, jobs=one.jobs[:1]), *others))
    assert run(changed, FakeExecutor(results)).exit_status == 0
    assert read_failures(tmp_path, {bad}) == {}
    # What another sweep file of this folder has is left as it is.
    run(plan, FakeExecutor(results, {job.id: "kept" for job in plan.jobs()}), shard=(1, 9))
    elsewhere = small_plan(tmp_path, images=9, models=1)
    record_failures(tmp_path, plan.groups[0], [Failure((bad, "f" * 64), "of two")])
    forget_failures(tmp_path, elsewhere.groups[1:])
    assert read_failures(tmp_path, {bad}) == {bad: "of two"}
    forget_failures(tmp_path, changed.groups)
    assert read_failures(tmp_path, {bad, "f" * 64}) == {"f" * 64: "of two"}


def test_a_job_of_which_nothing_is_heard_has_failed(tmp_path: Path) -> None:
    plan = small_plan(tmp_path)
    results = results_of(plan)
    summary = run(plan, FakeExecutor(results[1:]))
    assert summary.exit_status == 1 and summary.failed[0].reason == "gave neither a result nor a reason"
    assert list(read_failures(tmp_path, {results[0].job})) == [results[0].job]
