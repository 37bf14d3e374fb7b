"""A merged sweep is the same whoever computed it in whatever order, and says what it lacks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from hlx.cli.sweep_merge import merge as merge_command
from hlx.errors import InputError, OutputError
from hlx.sweep.results.failures import Failure, record_failures
from hlx.sweep.results.job_results import JobResult, content_hash_of
from hlx.sweep.results.locks import merge_lock
from hlx.sweep.results.merge import merge
from hlx.sweep.results.merged_file import load_results
from hlx.sweep.results.rows import Missing, Row, rows_of
from hlx.sweep.results.shards import write_shard
from tests.support.command_line import files
from tests.support.job_results import SmallPlan, assert_same, differing, results_of, small_plan
from tests.support.waiting import PATIENCE

ROOT = Path(__file__).parents[2]


def shards_of(output: Path, groups: list[list[JobResult]]) -> None:
    for group in groups:
        write_shard(output, group)


@settings(max_examples=10)
@given(data=st.data())
def test_how_results_lie_in_shards_does_not_matter(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        plan = small_plan(Path(folder) / "one")
        results = results_of(plan)
        write_shard(plan.sweep.output, results)
        merged = merge(plan)
        assert merged.content_hash == content_hash_of(
            result.content() for result in sorted(results, key=lambda result: result.job)
        )
        other = small_plan(Path(folder) / "other")
        shuffled = data.draw(st.permutations(results_of(other, host="there")))
        cuts = sorted(data.draw(st.sets(st.integers(1, len(shuffled) - 1))))
        groups = [shuffled[a:b] for a, b in zip([0, *cuts], [*cuts, len(shuffled)], strict=True)]
        again = data.draw(st.lists(st.sampled_from(shuffled), max_size=5))
        shards_of(other.sweep.output, [*groups, *([again] if again else [])])
        same = merge(other)
        assert same.content_hash == merged.content_hash
        assert (same.jobs, same.rows, same.missing, same.others) == (12, 12, (), 0)
        with load_results(same.path) as loaded:
            assert loaded.content_hash == merged.content_hash
            assert loaded.rows == list(rows_of(other)) and loaded.missing == []
            by_unit = {result.job: result for result in shuffled}
            for row in loaded.rows:
                assert_same(loaded.result(row), by_unit[row.job])
                assert loaded.result(row, table=False).coalition_values is None


def test_rows_say_what_was_asked(tmp_path: Path) -> None:
    plan = small_plan(tmp_path, images=1, captions=1, models=1)
    write_shard(tmp_path, results_of(plan))
    with load_results(merge(plan).path) as loaded:
        assert loaded.rows == [
            Row(
                model="model 0",
                stimulus="s0-0",
                phenomenon=None,
                caption="caption 0",
                foil=None,
                image="0.png",
                regions="1x2",
                background="blur",
                estimator="exact",
                budget=None,
                seed=0,
                tolerance=None,
                job=plan.jobs()[0].id,
            )
        ]
        [model] = loaded.models
        assert (model["label"], model["name"], model["dtype"]) == ("model 0", "name-0", "float32")
        assert model["fingerprint"] == plan.models[0].fingerprint


def test_stimuli_with_the_same_texts_share_a_result(tmp_path: Path) -> None:
    plan = small_plan(tmp_path, images=1, captions=1, models=1)
    [group], [job] = plan.groups, plan.jobs()
    twin = replace(job, stimulus=replace(job.stimulus, id="twin", phenomenon="colour"))
    twins = replace(plan, groups=(replace(group, jobs=(job, twin)),))
    write_shard(tmp_path, results_of(plan))
    merged = merge(twins)
    assert (merged.jobs, merged.rows) == (1, 2)
    with load_results(merged.path) as loaded:
        assert [row.stimulus for row in loaded.rows] == ["s0-0", "twin"]
        one, other = (loaded.result(row) for row in loaded.rows)
        assert_same(one, other)


def test_what_is_missing_is_told_by_model_with_reasons(tmp_path: Path) -> None:
    plan = small_plan(tmp_path)
    results = results_of(plan)
    write_shard(tmp_path, results[:5])
    last = plan.groups[-1]
    record_failures(tmp_path, last, [Failure(tuple(job.id for job in last.jobs), "no such file")])
    record_failures(tmp_path, plan.groups[0], [Failure((results[0].job,), "NaN")])  # succeeded since
    merged = merge(plan)
    assert merged.missing == (
        Missing("model 0", 6, 1, {}),
        Missing("model 1", 6, 6, {"no such file": 2}),
    )
    assert (merged.jobs, merged.rows) == (5, 5)
    with load_results(merged.path) as loaded:
        assert [row.job for row in loaded.rows] == [result.job for result in results[:5]]
        assert [row.job for row in loaded.missing] == [result.job for result in results[5:]]
        assert [row.reason for row in loaded.missing] == [None] * 5 + ["no such file"] * 2
    write_shard(tmp_path, results[5:])
    whole = merge(plan)
    assert whole.missing == () and whole.content_hash != merged.content_hash


def test_strict_writes_nothing_that_is_not_whole(tmp_path: Path) -> None:
    plan = small_plan(tmp_path)
    write_shard(tmp_path, results_of(plan)[1:])
    with pytest.raises(InputError, match="1 results are missing, nothing was written"):
        merge(plan, strict=True)
    assert not (tmp_path / "merged.h5").exists()
    write_shard(tmp_path, results_of(plan)[:1])
    assert merge(plan, strict=True).missing == ()


def test_what_the_sweep_no_longer_asks_for_is_left_out(tmp_path: Path) -> None:
    plan, larger = small_plan(tmp_path, images=2), small_plan(tmp_path, images=3)
    write_shard(tmp_path, results_of(larger))
    merged = merge(plan)
    assert (merged.jobs, merged.others) == (8, 4)
    whole = merge(larger)
    assert (whole.jobs, whole.others) == (12, 0) and whole.content_hash != merged.content_hash


def test_nothing_to_merge_is_an_error(tmp_path: Path) -> None:
    plan = small_plan(tmp_path / "results", images=1)
    with pytest.raises(InputError, match="holds no results of this sweep yet"):
        merge(plan)
    write_shard(plan.sweep.output, results_of(small_plan(tmp_path, images=2))[2:4])
    with pytest.raises(InputError, match="none of its 2 results is one that the sweep file asks for"):
        merge(plan)
    assert not list(plan.sweep.output.glob("*merged*"))
    for path in (plan.sweep.output / "shards").iterdir():
        path.write_bytes(b"damaged")
    with pytest.raises(InputError, match=r"none of its 0 results is .* asks for, 1 shards are bad"):
        merge(plan)


@pytest.mark.parametrize("turned", [False, True])
def test_results_that_differ_are_told_and_the_choice_is_always_the_same(tmp_path: Path, turned: bool) -> None:
    plan = small_plan(tmp_path)
    results = results_of(plan)
    others = [differing(result) for result in results[:3]]
    groups = [[*others, results[5]], [*results[:5], *results[6:]]]
    if turned:
        groups = [[*others, *results[3:]], results[:3], [others[0]]]
    shards_of(tmp_path, groups)
    with pytest.warns(UserWarning, match="3 jobs .* 1 x cpu on here, 1 x gpu on there: one of each") as told:
        merged = merge(plan)
    assert len(told) == 1
    taken = [min(pair, key=JobResult.content) for pair in zip(results, others, strict=False)]
    with load_results(merged.path) as loaded:
        for row, result in zip(loaded.rows, [*taken, *results[3:]], strict=True):
            assert_same(loaded.result(row), result)
    assert merged.jobs == 12


def test_bad_shards_are_set_aside_and_told(tmp_path: Path) -> None:
    plan = small_plan(tmp_path)
    results = results_of(plan)
    write_shard(tmp_path, results[2:])
    path = write_shard(tmp_path, results[:2])
    path.write_bytes(path.read_bytes()[:-1])
    merged = merge(plan)
    assert [bad.path for bad in merged.bad] == [tmp_path / "quarantine" / path.name]
    assert [model.missing for model in merged.missing] == [2]


def test_a_later_merge_replaces_merged_but_no_other_file(tmp_path: Path) -> None:
    plan = small_plan(tmp_path / "results")
    results, out = results_of(plan), tmp_path / "other.h5"
    write_shard(plan.sweep.output, results[:3])
    first = merge(plan)
    assert merge(plan, out).path == out
    write_shard(plan.sweep.output, results[3:])
    with pytest.raises(OutputError, match="exists; force=True"):
        merge(plan, out)
    whole = merge(plan)
    assert whole.content_hash != first.content_hash
    assert merge(plan, out, force=True).content_hash == whole.content_hash


def test_damage_to_the_merged_file_is_found(tmp_path: Path) -> None:
    plan = small_plan(tmp_path)
    write_shard(tmp_path, results_of(plan))
    path = merge(plan).path
    with h5py.File(path, "r+") as file:
        file["values"][0] += 1
    with pytest.raises(InputError, match="damaged"):
        load_results(path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(InputError, match="damaged"):
        load_results(path)
    with pytest.raises(InputError, match="no such file"):
        load_results(tmp_path / "nothing.h5")
    [shard] = (tmp_path / "shards").iterdir()
    with pytest.raises(InputError, match="is not a file of hlx's sweep "):
        load_results(shard)


def test_memory_holds_one_shard_whatever_the_sweep(tmp_path: Path) -> None:
    def peak(images: int) -> float:
        plan = small_plan(tmp_path / str(images), images=images, models=1)
        results = results_of(plan, table=1 << 16)
        for start in range(0, len(results), 16):
            write_shard(plan.sweep.output, results[start : start + 16])
        del results
        tracemalloc.start()
        try:
            merged = merge(plan)
            with load_results(merged.path) as loaded:
                for row in loaded.rows:
                    loaded.result(row)
            return tracemalloc.get_traced_memory()[1] / 2**20
        finally:
            tracemalloc.stop()

    few, many = peak(20), peak(100)  # 10 and 50 MiB of tables, 4 MiB a shard
    assert many < 1.1 * few, (few, many)


def test_only_one_merge_at_a_time(tmp_path: Path) -> None:
    plan = small_plan(tmp_path)
    write_shard(tmp_path, results_of(plan))
    with merge_lock(tmp_path), pytest.raises(OutputError, match="another merge of this sweep works here"):
        merge(plan)
    merge(plan)


def test_a_full_disk_leaves_the_old_merged_file(tiny_disk: Path) -> None:
    """In a process of its own, which must end in peace: HDF5 writes what it still holds at exit."""
    plan = small_plan(tiny_disk, images=1)
    write_shard(tiny_disk, results_of(plan))
    old = merge(plan)
    write_shard(tiny_disk, results_of(small_plan(tiny_disk), table=1 << 14)[4:])
    before = files(tiny_disk)
    program = f"""
from pathlib import Path
from hlx.sweep.results.merge import merge
from hlx.errors import OutputError
from tests.support.job_results import small_plan
try:
    merge(small_plan(Path({str(tiny_disk)!r})))
except OutputError as error:
    print(error)
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == f"{tiny_disk}/merged.h5: cannot be written: No space left on device\n"
    assert files(tiny_disk) == before
    with load_results(old.path) as loaded:
        assert loaded.content_hash == old.content_hash


def test_a_read_only_folder_can_be_merged_elsewhere(tiny_disk: Path, tmp_path: Path) -> None:
    plan = small_plan(tiny_disk)
    path = write_shard(tiny_disk, results_of(plan))
    path.with_name("a.h5").write_bytes(b"damaged")
    subprocess.run(["mount", "-o", "remount,ro", tiny_disk], check=True)
    with pytest.raises(OutputError, match="Read-only file system"):
        merge(plan)
    merged = merge(plan, tmp_path / "merged.h5")
    assert merged.missing == () and [bad.path.name for bad in merged.bad] == ["a.h5"]


MERGE = """
from pathlib import Path
import sys
from hlx.sweep.results.merge import merge
from tests.support.job_results import small_plan
plan = small_plan(Path(sys.argv[1]), images=30)
print("ready", flush=True)
while True:
    merge(plan)
"""


def larger_study(folder: Path) -> SmallPlan:
    plan = small_plan(folder, images=30)
    results = results_of(plan, table=1 << 14)
    shards_of(folder, [results[start : start + 10] for start in range(0, len(results), 10)])
    return plan


def start_merging(folder: Path) -> subprocess.Popen[str]:
    running = subprocess.Popen(
        [sys.executable, "-c", MERGE, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert running.stdout is not None and running.stdout.readline() == "ready\n"
    return running


def test_a_killed_merge_leaves_a_whole_file_or_none(tmp_path: Path) -> None:
    """It merges again and again, so that the kill falls into the first merge or a later one."""
    plan = larger_study(tmp_path)
    expected = content_hash_of(
        result.content() for result in sorted(results_of(plan, table=1 << 14), key=lambda one: one.job)
    )
    draw = np.random.default_rng()
    for _ in range(3):
        running = start_merging(tmp_path)
        time.sleep(0.3 * float(draw.random()))
        running.kill()
        running.wait()
        if (tmp_path / "merged.h5").exists():
            with load_results(tmp_path / "merged.h5") as loaded:
                assert loaded.content_hash == expected
    assert merge(plan).content_hash == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == ["locks", "merged.h5", "shards"]


def test_an_interrupted_merge_ends_in_peace(tmp_path: Path) -> None:
    """Ctrl-C while HDF5 writes through a file of ours must not reach it there."""
    larger_study(tmp_path)
    for wait in (0.0, 0.05, 0.17):
        running = start_merging(tmp_path)
        time.sleep(wait)
        running.send_signal(signal.SIGINT)
        assert running.wait(PATIENCE) in (-signal.SIGINT, 1)
        assert not list(tmp_path.glob("*.part")) and not list(tmp_path.glob(".*.part"))
    if os.path.exists(tmp_path / "merged.h5"):
        load_results(tmp_path / "merged.h5").close()


def test_the_command_tells_what_is_missing_and_ends_with_status_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = small_plan(tmp_path / "results")
    monkeypatch.setitem(sys.modules, "hlx.sweep.plan.expand", SimpleNamespace(plan_sweep=lambda sweep: plan))
    results, group = results_of(plan), plan.groups[-1]
    write_shard(plan.sweep.output, results[:9])
    record_failures(plan.sweep.output, group, [Failure((group.jobs[0].id,), "no such file")])
    ended = CliRunner().invoke(merge_command, ["sweep.toml"], standalone_mode=False)
    assert ended.return_value == 1
    hash_of = merge(plan).content_hash
    assert ended.stdout == f"9 of 12 results in {tmp_path}/results/merged.h5\ncontent hash {hash_of}\n"
    assert ended.stderr.endswith(
        "model 1: 3 of 6 results are missing\n  2 not computed yet\n  1 failed: no such file\n"
        "hlx sweep run sweep.toml computes what is missing\n"
    )
    write_shard(plan.sweep.output, results[9:])
    out = tmp_path / "out.h5"
    ended = CliRunner().invoke(
        merge_command, ["sweep.toml", "--json", "--out", str(out)], standalone_mode=False
    )
    assert ended.return_value == 0 and out.exists()
    told = json.loads(ended.stdout)
    assert (told["path"], told["rows"], told["missing"], told["bad"]) == (str(out), 12, [], [])
