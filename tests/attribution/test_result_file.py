"""What is saved comes back, whatever an attribution holds; what is damaged is refused."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import fields, replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlx.attribution import result_file
from hlx.attribution.attribution import Attribution, Context
from hlx.attribution.result_file import load, save
from hlx.errors import InputError, OutputError
from hlx.games.faithfulness import Faithfulness
from hlx.games.regions import Grid, LabelMap
from hlx.io.hdf5 import USER_BLOCK


def context(draw: np.random.Generator, **changes: object) -> Context:
    shown, hidden = draw.integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    made = Context(
        image="a.png",
        caption="a red circle",
        foil=None,
        stimulus_id=None,
        phenomenon=None,
        stimulus_hash="0" * 64,
        image_hash="1" * 64,
        model="clip-scenes",
        fingerprint="2" * 64,
        revision=None,
        engine="jax",
        dtype="float32",
        background="blur",
        unit="logits",
        batch_size=16,
        seconds=0.25,
        table_seconds=None,
        versions={"hlx": "0", "device": "1 x cpu"},
        shown=shown,
        hidden=hidden,
    )
    return replace(made, **changes)


def attribution(n: int = 4, seed: int = 0, labels: bool = False, **changes: object) -> Attribution:
    draw = np.random.default_rng(seed)
    pixels = draw.permuted(np.resize(np.arange(n), (n, 3)))
    made = Attribution(
        values=draw.normal(size=n),
        grand_coalition_value=float(draw.normal()),
        baseline_value=float(draw.normal()),
        n_evaluations=1 << n,
        regions=LabelMap(pixels) if labels else Grid(1, n),
        estimator="exact",
        coalition_values=draw.normal(size=1 << n).astype(np.float32),
        context=context(draw),
    )
    return replace(made, **changes)


def assert_same(one: Attribution, other: Attribution) -> None:
    for field in fields(Attribution):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if field.name == "context" and a is not None:
            for inner in fields(Context):
                np.testing.assert_array_equal(getattr(a, inner.name), getattr(b, inner.name))
        elif field.name == "faithfulness" and a is not None:
            for curve, same in zip(vars(a).values(), vars(b).values(), strict=True):
                np.testing.assert_array_equal(curve, same)
        elif isinstance(a, np.ndarray):
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype
        else:
            assert a == b, field.name


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@st.composite
def attributions(draw: st.DrawFn) -> list[Attribution]:
    made = []
    for seed in range(draw(st.integers(0, 3))):
        n, random = draw(st.integers(2, 6)), np.random.default_rng(seed)
        kind = draw(st.sampled_from(["float32", "float64"]))
        one = attribution(
            n, seed, draw(st.booleans()), coalition_values=random.normal(size=1 << n).astype(kind)
        )
        changes: dict[str, object] = {}
        if draw(st.booleans()):
            changes |= {
                "standard_error": random.random(n),
                "coalition_values": None,
                "estimator": "permutation",
            }
            changes["kind"] = draw(TEXTS)
            changes |= {"seed": draw(st.integers(0, 2**70)), "budget": 77, "degrees_of_freedom": 2.5}
            changes["tolerance"] = draw(st.none() | st.floats(1e-9, 1))
        if draw(st.booleans()):
            changes["faithfulness"] = Faithfulness(random.normal(size=n + 1), random.normal(size=n + 1))
        if draw(st.booleans()):
            changes["vectors"] = random.normal(size=(1 << n, 3)).astype(np.float32)
        if draw(st.booleans()):
            changes |= {"context": None, "regions": draw(st.sampled_from([None, one.regions]))}
        else:
            texts = {name: draw(TEXTS) for name in ("image", "caption", "model")}
            texts |= {
                name: draw(st.none() | TEXTS) for name in ("foil", "stimulus_id", "phenomenon", "revision")
            }
            seconds = draw(st.none() | st.floats(0, 1e6))
            changes["context"] = context(random, **texts, table_seconds=seconds)
        made.append(replace(one, **changes))
    return made


@settings(max_examples=40)
@given(made=attributions())
def test_what_is_saved_comes_back(made: list[Attribution]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.h5"
        save(path, made)
        assert [file.name for file in Path(folder).iterdir()] == ["a.h5"]
        for one, other in zip(made, load(path), strict=True):
            assert_same(one, other)


def test_a_table_can_be_left_out(tmp_path: Path) -> None:
    made = attribution()
    save(tmp_path / "a.h5", [made], keep_table=False)
    assert_same(replace(made, coalition_values=None), load(tmp_path / "a.h5")[0])


def test_what_several_share_is_stored_once(tmp_path: Path) -> None:
    vectors = np.random.default_rng(1).normal(size=(16, 500)).astype(np.float32)
    first = attribution(labels=True, vectors=vectors)
    assert first.context is not None
    made = [
        replace(first, context=replace(first.context, caption=f"caption {i}"), grand_coalition_value=float(i))
        for i in range(5)
    ]
    assert first.coalition_values is not None
    made[1] = replace(made[1], coalition_values=first.coalition_values[:])  # another view of the same table
    save(tmp_path / "a.h5", [*made, attribution(seed=7)])
    with h5py.File(tmp_path / "a.h5") as file:
        shared = ("attributions", "images", "labels", "vectors", "tables")
        assert [len(file[name]) for name in shared] == [6, 2, 1, 1, 2]
        assert file["vectors/0"].shape == (16, 500) and file["vectors/0"].fletcher32
    loaded = load(tmp_path / "a.h5")
    for one, other in zip(made, loaded, strict=False):
        assert_same(one, other)
        assert other.vectors is loaded[0].vectors and other.coalition_values is loaded[0].coalition_values
    assert loaded[5].vectors is None and loaded[5].coalition_values is not loaded[0].coalition_values


def test_any_hdf5_reader_reads_it(tmp_path: Path) -> None:
    made = attribution()
    save(tmp_path / "a.h5", [made])
    with h5py.File(tmp_path / "a.h5") as file:
        assert (file.attrs["format"], file.attrs["format_version"]) == ("hlx attributions", 5)
        np.testing.assert_array_equal(file["attributions/0/values"][...], made.values)


def test_a_caption_of_any_length_fits(tmp_path: Path) -> None:
    made = attribution(context=context(np.random.default_rng(0), caption="a red circle " * 20_000))
    save(tmp_path / "a.h5", [made])
    assert_same(made, load(tmp_path / "a.h5")[0])


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(str(path)) and "\n" not in message
    return message


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("saved") / "a.h5"
    save(path, [attribution(labels=True, vectors=np.ones((16, 2), np.float32))])
    return path.read_bytes()


@given(data=st.data())
def test_a_flipped_byte_anywhere_is_found(
    saved: bytes, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(saved) - 1))
    content = bytearray(saved)
    content[place] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.getbasetemp() / "flipped.h5"
    path.write_bytes(content)
    refusal(path)


def test_a_changed_value_or_attribute_is_found(saved: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"

    def value(file: h5py.File) -> None:
        file["attributions/0/values"][1] += 1

    def attribute(file: h5py.File) -> None:
        file["attributions/0"].attrs["grand_coalition_value"] = 7.0

    for change in (value, attribute):
        path.write_bytes(saved)
        load(path)
        with h5py.File(path, "r+") as file:
            change(file)
        assert "damaged" in refusal(path)


@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_that_was_cut_off_is_found(
    saved: bytes, tmp_path_factory: pytest.TempPathFactory, share: float
) -> None:
    path = tmp_path_factory.getbasetemp() / "cut.h5"
    path.write_bytes(saved[: int(share * len(saved))])
    refusal(path)


def test_other_files_are_refused(saved: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    assert "no such file" in refusal(path)
    assert "folder" in refusal(tmp_path)
    path.write_bytes(b"")
    assert "empty" in refusal(path)
    path.write_bytes(b"nothing of the kind")
    assert "not a file of hlx" in refusal(path)
    with h5py.File(path, "w") as file:
        file["values"] = np.arange(4)
    assert "not a file of hlx" in refusal(path)
    path.write_bytes(saved.replace(b"hlx attributions 5 ", b"hlx attributions 4 ", 1))
    assert "has format 4, this hlx reads 5" in refusal(path)
    path.write_bytes(saved[:USER_BLOCK])
    assert "damaged or cut off" in refusal(path)


def test_a_failure_in_the_middle_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, old = tmp_path / "a.h5", attribution()
    save(path, [old])
    write = result_file._write
    for error in (KeyboardInterrupt, MemoryError):

        def fail(*parts: object, error: type[BaseException] = error) -> None:
            write(*parts)
            raise error

        monkeypatch.setattr(result_file, "_write", fail)
        with pytest.raises(error):
            save(path, [attribution(seed=1)], force=True)
        assert_same(old, load(path)[0])
        assert list(tmp_path.iterdir()) == [path]


def test_an_existing_file_is_replaced_only_by_force(tmp_path: Path) -> None:
    path, old, new = tmp_path / "a.h5", attribution(), attribution(seed=1)
    save(path, [old])
    with pytest.raises(OutputError, match="exists; force=True"):
        save(path, [new])
    assert_same(old, load(path)[0])
    save(path, [new], force=True)
    assert_same(new, load(path)[0])


@pytest.mark.parametrize("tiny_disk", ["64k"], indirect=True)
def test_a_disk_that_fills_up(tiny_disk: Path) -> None:
    """In a process of its own, which must end in peace: HDF5 writes what it still holds at exit."""
    save(tiny_disk / "old.h5", [attribution()])
    program = f"""
import sys
from hlx.errors import OutputError
from hlx.attribution.result_file import save
from tests.attribution.test_result_file import attribution
for name in ("new.h5", "old.h5"):
    try:
        save({str(tiny_disk)!r} + "/" + name, [attribution(14)], force=True)
    except OutputError as error:
        print(error)
"""
    root = Path(__file__).parents[2]
    ended = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.count("cannot be written: No space left on device\n") == 2
    assert [path.name for path in tiny_disk.iterdir()] == ["old.h5"]
    assert_same(attribution(), load(tiny_disk / "old.h5")[0])
