"""`hlx convert`: pickled weights become safetensors that give the same scores and need no torch."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import hlx
from tests.conftest import MakeCheckpoint
from tests.support.command_line import files, refusal
from tests.support.command_line import hlx as run

ROOT = Path(__file__).parents[2]
IMAGE = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
TEXTS = ["a red circle", "a blue square"]


def scores(folder: Path) -> np.ndarray:
    return hlx.load_model(folder).scores([IMAGE], TEXTS)


def scores_without_torch(folder: Path) -> np.ndarray:
    """As `scores`, in a process that never finds torch: transformers looks for it once, when imported."""
    program = f"""
import sys
sys.modules["torch"] = None
from tests.cli.test_convert import scores
print(scores({str(folder)!r}).tolist())
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return np.array(json.loads(ended.stdout))


@pytest.fixture
def pickled(make_checkpoint: MakeCheckpoint, tmp_path: Path) -> Path:
    """A CLIP that ships pytorch_model.bin alone."""
    return Path(shutil.copytree(make_checkpoint("clip", pickle_only=True), tmp_path / "pickled"))


def test_pickled_weights_are_read_without_torch_afterwards(pickled: Path, tmp_path: Path) -> None:
    expected, target = scores(pickled), tmp_path / "target"
    ended = run("convert", pickled, target)
    assert (ended.status, ended.err) == (0, "")
    count = len(load_file(target / "model.safetensors"))
    assert ended.out == f"{count} tensors in {target / 'model.safetensors'}\n"
    descriptions = files(pickled)
    descriptions.pop("pytorch_model.bin")
    converted = files(target)
    converted.pop("model.safetensors")
    assert converted == descriptions
    np.testing.assert_array_equal(scores_without_torch(target), expected)


def test_weights_may_be_written_beside_the_pickled_ones(pickled: Path) -> None:
    expected, before = scores(pickled), files(pickled)
    assert run("convert", pickled, pickled).status == 0
    after = files(pickled)
    assert after.pop("model.safetensors") and after == before
    np.testing.assert_array_equal(scores(pickled), expected)
    refused = refusal(pickled, "convert", pickled, pickled.parent / "." / "pickled", "--force")
    assert "already holds model.safetensors; there is nothing to convert" in refused


@pytest.mark.parametrize("options", [{"shards": 3, "dtype": "float16"}, {"shards": 2, "dtype": "bfloat16"}])
def test_shards_become_one_file_of_the_same_type(
    make_checkpoint: MakeCheckpoint, tmp_path: Path, options: dict
) -> None:
    source = make_checkpoint("clip", **options)
    assert run("convert", source, tmp_path / "one").status == 0
    assert not list((tmp_path / "one").glob("*.index.json"))
    types = {tensor.dtype.name for tensor in load_file(tmp_path / "one" / "model.safetensors").values()}
    assert types == {options["dtype"]}
    np.testing.assert_array_equal(scores(tmp_path / "one"), scores(source))


def test_nothing_is_replaced_without_force(pickled: Path, tmp_path: Path) -> None:
    for name in ("model.safetensors", "config.json"):
        target = tmp_path / f"has-{name}"
        target.mkdir()
        (target / name).write_bytes(b"kept")
        (target / "notes.md").write_bytes(b"kept")
        assert f"{name}: exists; --force replaces it" in refusal(tmp_path, "convert", pickled, target)
        assert run("convert", pickled, target, "--force").status == 0
        assert (target / "notes.md").read_bytes() == b"kept"
        assert scores(target).shape == (1, 2)


def test_folders_that_cannot_be_written(pickled: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"kept")
    for name, message in (("file", "is no folder"), ("a/b", "there is no folder"), ("file/b", "no folder")):
        assert message in refusal(tmp_path, "convert", pickled, tmp_path / name)


def test_sources_that_cannot_be_read(pickled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "unknown model" in refusal(tmp_path, "convert", tmp_path / "none", tmp_path / "target")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "torch", None)
        assert "torch extra" in refusal(tmp_path, "convert", pickled, tmp_path / "target")
    (pickled / "pytorch_model.bin").write_bytes(b"garbage")
    assert "pytorch_model.bin" in refusal(tmp_path, "convert", pickled, tmp_path / "target")


@pytest.mark.parametrize("there", [False, True])
def test_a_disk_that_fills_up(
    pickled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if there:
        (tmp_path / "target").mkdir()
    monkeypatch.setattr(os, "fsync", full)
    refused = refusal(tmp_path, "convert", pickled, tmp_path / "target")
    assert "target: cannot be written: No space left on device" in refused
