"""Shards give back what was put in, and what is damaged is set aside, whatever the damage."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlx.errors import InputError, OutputError, VersionError
from hlx.io.hdf5 import USER_BLOCK, Kind, reading, streaming, write_dataset, writing
from hlx.sweep.plan.jobs import RESULTS_VERSION
from hlx.sweep.results.failures import Failure, read_failures, record_failures
from hlx.sweep.results.job_results import JobResult, columns_of
from hlx.sweep.results.shards import (
    FIRST_KIND,
    KIND,
    BadShard,
    Scan,
    read_shard,
    remove_leftovers,
    scan,
    write_shard,
)
from tests.support.command_line import files
from tests.support.job_results import assert_same, differing, job_results, results_of, small_plan


@settings(max_examples=40)
@given(results=job_results())
def test_what_is_written_comes_back(results: list[JobResult]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "results"
        path = write_shard(output, results)
        assert path == write_shard(output, results)
        assert [file.name for file in path.parent.iterdir()] == [path.name]
        for one, other in zip(results, read_shard(path), strict=True):
            assert_same(one, other)
        found = scan(output)
        assert found == Scan({bytes.fromhex(result.job): result.content() for result in results}, ())
        assert all(result.job in found for result in results) and "0" * 64 not in found


def test_the_number_of_arrays_does_not_grow_with_jobs(tmp_path: Path) -> None:
    few = write_shard(tmp_path, results_of(small_plan(tmp_path, images=1)))
    many = write_shard(tmp_path, results_of(small_plan(tmp_path, images=40)))
    with h5py.File(few) as one, h5py.File(many) as other:
        assert list(one) == list(other) and len(one) == 7
        assert all(dataset.fletcher32 for dataset in other.values())


def test_content_knows_nothing_of_time_and_host(tmp_path: Path) -> None:
    plan = small_plan(tmp_path)
    one, other = results_of(plan, host="here"), results_of(plan, host="there")
    assert [a.content() for a in one] == [b.content() for b in other]
    assert len({result.content() for result in one}) == len(one)
    assert differing(one[0]).content() != one[0].content()


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("shard")
    return write_shard(folder, results_of(small_plan(folder))).read_bytes()


def set_aside(content: bytes) -> BadShard:
    """Why a shard of this content is moved away, which it is beside a good one that stays."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder)
        good = write_shard(output, results_of(small_plan(output, images=1)))
        path = output / "shards" / "damaged.h5"
        path.write_bytes(content)
        found = scan(output)
        assert len(found.done) == 4 and good.exists() and not path.exists()
        [bad] = found.bad
        assert bad.path == output / "quarantine" / "damaged.h5" and bad.path.read_bytes() == content
        assert "\n" not in bad.reason
        assert scan(output) == Scan(found.done, ())
        return bad


@settings(max_examples=60)
@given(data=st.data())
def test_a_flipped_bit_anywhere_is_found(shard: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, USER_BLOCK - 1) | st.integers(0, len(shard) - 1))
    content = bytearray(shard)
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    set_aside(bytes(content))


@settings(max_examples=30)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_shard_that_was_cut_off_is_found(shard: bytes, share: float) -> None:
    set_aside(shard[: int(share * len(shard))])


@pytest.mark.parametrize("content", [b"", b"nothing of the kind", b"\x89HDF\r\n\x1a\n" + bytes(5000)])
def test_what_is_no_shard_is_found(content: bytes) -> None:
    set_aside(content)


def resealed(change: Callable[[h5py.File], object]) -> bytes:
    """A shard that is damaged, or of another kind, under a seal that is right."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.h5"
        with writing(path, KIND) as file:
            file.attrs["results_version"] = RESULTS_VERSION
            for column, array in columns_of(results_of(small_plan(path))).items():
                write_dataset(file, column, array)
            change(file)
        return path.read_bytes()


def put(name: str, place: object, value: object) -> Callable[[h5py.File], object]:
    return lambda file: file[name].__setitem__(place, value)


def replaced(name: str, array: np.ndarray) -> Callable[[h5py.File], object]:
    def change(file: h5py.File) -> None:
        del file[name]
        file[name] = array

    return change


@pytest.mark.parametrize(
    "change",
    [
        put("records", 0, 0),
        put("records", slice(None), ord("[")),
        put("values", 1, 7.0),
        put("tables", 3, 7.0),
        put("jobs", (0, 0), 1),
        put("contents", (1, 5), 1),
        put("places", (0, 1, 0), 2**63 - 1),
        put("places", (0, 1, 1), 10**9),
        put("places", (0, 1, 1), -1),
        replaced("values", np.zeros(24, np.float32)),
        replaced("places", np.zeros((2, 4, 2), np.int64)),
        lambda file: file.__delitem__("tables"),
        lambda file: file.attrs.__delitem__("results_version"),
        lambda file: file.attrs.__setitem__("results_version", "one"),
    ],
)
def test_a_seal_alone_is_not_believed(change: Callable[[h5py.File], object], tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_bytes(resealed(lambda file: None))
    assert len(read_shard(tmp_path / "a.h5")) == 12
    set_aside(resealed(change))


def test_quarantine_keeps_all_there_ever_was(tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    for content in (b"one", b"two", b"three"):
        (tmp_path / "shards" / "a.h5").write_bytes(content)
        scan(tmp_path)
    kept = {path.name: path.read_bytes() for path in (tmp_path / "quarantine").iterdir()}
    assert kept == {"a.h5": b"one", "a-2.h5": b"two", "a-3.h5": b"three"}


def test_looking_changes_nothing_where_it_is_not_to(tmp_path: Path) -> None:
    write_shard(tmp_path, results_of(small_plan(tmp_path)))
    (tmp_path / "shards" / "a.h5").write_bytes(b"damaged")
    before = files(tmp_path)
    found = scan(tmp_path, quarantine=False)
    assert [bad.path.name for bad in found.bad] == ["a.h5"] and len(found.done) == 12
    assert files(tmp_path) == before


@pytest.mark.parametrize("kind", [Kind(KIND.name, KIND.version + 1, KIND.made_by), FIRST_KIND, KIND])
def test_shards_of_another_version_are_refused_and_stay(tmp_path: Path, kind: Kind) -> None:
    results = results_of(small_plan(tmp_path))
    write_shard(tmp_path, results[:1])
    for number, result in enumerate(results[1:4]):
        with writing(tmp_path / "shards" / f"{number}.h5", kind) as file:
            file.attrs["results_version"] = RESULTS_VERSION + 1
            for column, array in columns_of([result]).items():
                write_dataset(file, column, array)
    before = files(tmp_path)
    with pytest.raises(VersionError):
        read_shard(tmp_path / "shards" / "0.h5")
    with pytest.raises(
        InputError, match=r"3 of 4 shards .*incompatible.* name another output .*hlx"
    ) as caught:
        scan(tmp_path)
    assert "\n" not in str(caught.value) and files(tmp_path) == before


def test_a_shard_that_may_not_be_read_is_not_called_bad(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_shard(tmp_path, results_of(small_plan(tmp_path)))

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(InputError, match="cannot be read: Permission denied"):
        scan(tmp_path)
    assert path.exists()


def test_leftovers_are_passed_over_and_removed(tmp_path: Path) -> None:
    path = write_shard(tmp_path, results_of(small_plan(tmp_path)))
    leftover = path.with_name(f".{path.name}.0123abcd.part")
    hidden = path.with_name(".other.h5")
    for name in (leftover, hidden):
        name.write_bytes(path.read_bytes()[:100])
    assert scan(tmp_path).bad == ()
    remove_leftovers(tmp_path)
    assert sorted(path.parent.iterdir()) == sorted([path, hidden])
    remove_leftovers(tmp_path / "nowhere")


def test_a_folder_that_is_not_there_has_nothing(tmp_path: Path) -> None:
    assert scan(tmp_path / "nowhere") == Scan({}, ())
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_keeps_what_is_there(tiny_disk: Path) -> None:
    plan = small_plan(tiny_disk)
    old = write_shard(tiny_disk, results_of(plan)[:4])
    with pytest.raises(OutputError, match="cannot be written: No space left on device"):
        write_shard(tiny_disk, results_of(plan, table=1 << 16)[4:])
    assert list(old.parent.iterdir()) == [old]
    assert len(scan(tiny_disk).done) == 4


def test_a_read_only_disk(tiny_disk: Path) -> None:
    results = results_of(small_plan(tiny_disk))
    path = write_shard(tiny_disk, results)
    path.with_name("a.h5").write_bytes(b"damaged")
    subprocess.run(["mount", "-o", "remount,ro", tiny_disk], check=True)
    with pytest.raises(OutputError, match="Read-only file system"):
        write_shard(tiny_disk, results[:1])
    with pytest.raises(OutputError, match="Read-only file system"):
        scan(tiny_disk)
    assert len(scan(tiny_disk, quarantine=False).done) == len(results)


def test_failures_last_until_the_group_succeeds(tmp_path: Path) -> None:
    plan = small_plan(tmp_path)
    group, other = plan.groups[:2]
    first, second = (job.id for job in group.jobs)
    assert read_failures(tmp_path, {first}) == {}
    record_failures(tmp_path, group, [])
    assert list(tmp_path.iterdir()) == []
    record_failures(tmp_path, group, [Failure((first, second), "NaN"), Failure((), "nothing")])
    record_failures(tmp_path, other, [Failure((other.jobs[0].id,), "no such file")])
    assert read_failures(tmp_path, {first, other.jobs[0].id}) == {
        first: "NaN",
        other.jobs[0].id: "no such file",
    }
    record_failures(tmp_path, group, [Failure((first,), "inf")])
    assert read_failures(tmp_path, {first, second}) == {first: "inf"}
    record_failures(tmp_path, group, [])
    assert read_failures(tmp_path, {first, second, other.jobs[0].id}) == {other.jobs[0].id: "no such file"}


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '{"jobs": []}', "[" * 10**5, '[{"jobs": 3}]'])
def test_a_damaged_failure_file_tells_nothing(tmp_path: Path, text: str) -> None:
    group = small_plan(tmp_path).groups[0]
    record_failures(tmp_path, group, [Failure((group.jobs[0].id,), "NaN")])
    (tmp_path / "failed" / "damaged.json").write_text(text)
    assert read_failures(tmp_path, {group.jobs[0].id}) == {group.jobs[0].id: "NaN"}


def test_the_last_reason_counts(tmp_path: Path) -> None:
    job = "0" * 64
    (tmp_path / "failed").mkdir()
    for name, seconds in (("a", 300), ("b", 100), ("c", 200)):
        path = tmp_path / "failed" / f"{name}.json"
        path.write_text(json.dumps([{"jobs": [job], "reason": name}]))
        os.utime(path, (seconds, seconds))
    assert read_failures(tmp_path, {job}) == {job: "a"}


STREAM = Kind("hlx test stream", 1, "a test")


@settings(max_examples=20)
@given(lengths=st.lists(st.integers(0, 40_000), max_size=6))
def test_a_stream_is_what_was_put_into_it(lengths: list[int]) -> None:
    draw = np.random.default_rng(0)
    parts = [draw.random(length) for length in lengths]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.h5"
        with streaming(path, STREAM) as stream:
            for part in parts:
                stream.append("values", part)
                stream.append("rows", np.stack([part, part], axis=1))
        assert [file.name for file in Path(folder).iterdir()] == ["a.h5"]
        with reading(path, STREAM) as file:
            assert list(file) == (["rows", "values"] if parts else [])
            if parts:
                np.testing.assert_array_equal(file["values"][...], np.concatenate(parts))
                np.testing.assert_array_equal(file["rows"][:, 1], np.concatenate(parts))
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
        with pytest.raises(InputError, match="damaged"), reading(path, STREAM):
            pass
