"""What a sweep will take: evaluations, seconds and disk, against what it then takes."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hlx.errors import InputError
from hlx.sweep.costs.evaluation_counts import EvaluationCounts
from hlx.sweep.costs.timing import Rate, Timing, measure
from hlx.sweep.costs.totals import costs
from hlx.sweep.results.shards import Scan, scan, write_shard
from hlx.sweep.run.computing import compute
from hlx.sweep.run.disk_space import RECORD_BYTES, check_disk, disk_of, size_text
from hlx.sweep.run.preparing import Preparer, load_planned
from tests.support.sweep_files import ROWS, plan_of

NOTHING = Scan({}, ())

MIXES = [
    ["exact", {"name": "permutation", "budgets": [50]}],
    [{"name": "permutation", "budgets": [40, 60], "seeds": [0, 1]}, {"name": "kernel", "budgets": [50]}],
    ["occlusion", {"name": "leverage", "budgets": [30, 512]}],
    [{"name": "odd-gp", "budgets": [60, 40]}],
    [{"name": "owen", "tolerance": 0.5, "budgets": [80]}, "occlusion"],
]


@pytest.mark.parametrize("estimators", MIXES)
def test_evaluations_are_those_that_are_made(tmp_path: Path, estimators: list[object]) -> None:
    plan = plan_of(tmp_path, rows=ROWS[:1], models=["fast.py:model"], regions=["3x3"], estimators=estimators)
    [group], asked = plan.groups, set()
    loaded = load_planned(plan.models[0])
    prepared = Preparer().prepare(loaded, plan.models[0], group)
    values, sweep = prepared.masked.values, prepared.masked.sweep

    def seen(rows: np.ndarray, *rest: object) -> np.ndarray:
        asked.update(map(bytes, rows))
        return values(rows, *rest)

    def swept(*rest: object) -> object:
        asked.update(bytes(row) for row in np.ndindex(*[2] * 9))
        return sweep(*rest)

    prepared.masked.values, prepared.masked.sweep = seen, swept  # type: ignore[method-assign, assignment]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a tolerance that is not reached is no matter here
        _, failures = compute(loaded, plan.models[0], group, prepared)
    counts = EvaluationCounts().of(group)
    total = sum(count.evaluations for count in counts.values())
    assert not failures
    if "tolerance" in str(estimators):
        assert any(count.at_most for count in counts.values()) and len(asked) <= total
    else:
        assert total == len(asked)


def test_costs_add_up_and_leave_out_what_is_done(tmp_path: Path) -> None:
    estimators = ["exact", {"name": "permutation", "budgets": [12]}]
    plan = plan_of(
        tmp_path,
        models=["fast.py:model"],
        estimators=estimators,
        regions=["2x2", "2x3"],
        keep_tables=True,
    )
    timings = {0: Timing({4: Rate(0.1, 1.0, 0.0), 6: Rate(0.3, 1.0, 0.0)}, 5.0, 2.0)}
    before = costs(plan, NOTHING, timings)
    assert before.jobs == plan.n_jobs == 12 and before.done == 0 and before.groups == 4
    assert before.evaluations == 2 * 16 + 2 * 64 and not before.at_most
    assert before.seconds == pytest.approx(2 * 16 * 0.1 + 2 * 64 * 0.3 + 12 * 1.0)
    assert before.starting == pytest.approx(5 + 2 * 2)
    loaded, group = load_planned(plan.models[0]), plan.groups[0]
    results, _ = compute(loaded, plan.models[0], group, Preparer().prepare(loaded, plan.models[0], group))
    write_shard(plan.sweep.output, results)
    after = costs(plan, scan(plan.sweep.output), timings)
    assert (after.done, after.groups) == (4, 3)
    assert after.evaluations == before.evaluations - 16
    assert after.disk.measured and not before.disk.measured
    assert after.disk.record > RECORD_BYTES  # one shard has little to share its overhead among
    assert costs(plan, NOTHING).seconds is None
    assert dict(costs(plan, NOTHING, {0: "no device"}).unknown) == {"fast:model": "no device"}


def test_the_disk_that_is_assumed_is_about_that_which_is_used(tmp_path: Path) -> None:
    rows = [("a.png", f"caption {i}", f"foil {i}", str(i)) for i in range(40)]
    plan = plan_of(tmp_path, rows=rows, models=["fast.py:model"], regions=["3x3"], keep_tables=True)
    loaded, [group] = load_planned(plan.models[0]), plan.groups
    results, _ = compute(loaded, plan.models[0], group, Preparer().prepare(loaded, plan.models[0], group))
    shard = write_shard(plan.sweep.output, results).stat().st_size
    # Shard and merged file hold the same, the latter with the rows.
    needed = disk_of(plan, NOTHING).needed
    assert 2 * shard * 0.8 < needed < 2 * shard * 1.4


def test_too_small_a_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(tmp_path, output="not/yet/there", models=["fast.py:model"])
    check_disk(plan)
    monkeypatch.setattr(
        "shutil.disk_usage", lambda path: SimpleNamespace(free=2_000) if path == tmp_path else None
    )
    with pytest.raises(InputError, match=r"sweep.toml: needs about \S+ kB more .*, where 2.0 kB are free"):
        check_disk(plan)


def test_sizes_are_said_in_words() -> None:
    assert [size_text(size) for size in (999, 1500, 2_000_000, 3 * 10**9, 10**13)] == [
        *("999 bytes", "1.5 kB", "2.0 MB", "3.0 GB", "10.0 TB"),
    ]


def test_models_are_timed_or_say_why_not(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def score(images, texts):\n    raise KeyError('weights')\n")
    plan = plan_of(
        tmp_path,
        models=["fast.py:model", "mine.py:score"],
        regions=["2x2", "3x3"],
        estimators=["exact", {"name": "odd-gp", "budgets": [14]}],
    )
    told: list[str] = []
    found = measure(plan.models, plan.groups, told.append)
    timing, reason = found[0], found[1]
    assert isinstance(timing, Timing) and set(timing.rates) == {4, 9}
    assert 0 < timing.rate(6).evaluation < 1 and timing.rate(6).job >= 0 <= timing.compiling
    assert isinstance(reason, str) and "weights" in reason
    assert told == ["timing fast:model", "timing mine:score"]
    # A run passes over an image that is broken, and so does the timing.
    first = plan.groups[0].image
    first.path.write_bytes(first.path.read_bytes()[:100])
    content = hashlib.sha256(first.path.read_bytes()).hexdigest()
    broken = [
        replace(group, image=replace(first, sha256=content)) if group.image == first else group
        for group in plan.groups
    ]
    assert isinstance(measure(plan.models, broken)[0], Timing)
