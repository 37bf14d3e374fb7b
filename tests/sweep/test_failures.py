"""Why units failed: kept until they succeed, and no longer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hlx.sweep.results.failures import Failure, forget_failures, read_failures, record_failures
from hlx.sweep.results.shards import scan
from tests.support.fake_executor import FakeCrew, kept, run
from tests.support.job_results import results_of, small_plan


def test_failures_are_recorded_until_they_succeed(tmp_path: Path) -> None:
    plan = small_plan(tmp_path)
    results = results_of(plan)
    bad = plan.items[1].units[0].id
    summary = run(plan, FakeCrew(results, {bad: "the score is NaN"}))
    assert (summary.exit_status, summary.failures, summary.done) == (1, 1, len(results) - 1)
    [failed] = summary.failed
    assert (failed.model, failed.image, failed.regions) == ("model 0", "1.png", "1x2")
    assert (failed.background, failed.units, failed.reason) == ("blur", 1, "the score is NaN")
    assert read_failures(tmp_path, {bad}) == {bad: "the score is NaN"} and bad not in scan(tmp_path)
    crew = FakeCrew(results)
    again = run(plan, crew)
    # Without the item's other unit, which is there already.
    assert [[unit.id for unit in item.units] for item in crew.computed] == [[bad]]
    assert (again.exit_status, again.done, again.before) == (0, 1, len(results) - 1)
    assert read_failures(tmp_path, {bad}) == {} and len(kept(plan)) == len(results)


def test_reasons_of_items_that_are_no_more_are_forgotten(tmp_path: Path) -> None:
    plan = small_plan(tmp_path)
    results = results_of(plan)
    one, *others = plan.items
    bad = one.units[0].id
    run(plan, FakeCrew(results, {bad: "an old reason"}))
    # The study file has changed: the unit is in another item now, which is computed well.
    changed = replace(plan, items=(replace(one, units=one.units[:1]), *others))
    assert run(changed, FakeCrew(results)).exit_status == 0
    assert read_failures(tmp_path, {bad}) == {}
    # What another study file of this folder has is left as it is.
    run(plan, FakeCrew(results, {unit.id: "kept" for unit in plan.units()}), shard=(1, 9))
    elsewhere = small_plan(tmp_path, images=9, models=1)
    record_failures(tmp_path, plan.items[0], [Failure((bad, "f" * 64), "of two")])
    forget_failures(tmp_path, elsewhere.items[1:])
    assert read_failures(tmp_path, {bad}) == {bad: "of two"}
    forget_failures(tmp_path, changed.items)
    assert read_failures(tmp_path, {bad, "f" * 64}) == {"f" * 64: "of two"}


def test_a_unit_of_which_nothing_is_heard_has_failed(tmp_path: Path) -> None:
    plan = small_plan(tmp_path)
    results = results_of(plan)
    summary = run(plan, FakeCrew(results[1:]))
    assert summary.exit_status == 1 and summary.failed[0].reason == "gave neither a result nor a reason"
    assert list(read_failures(tmp_path, {results[0].unit})) == [results[0].unit]
