"""What a command writes is none of what it reads, no two outputs are one file, and messages name options."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from hlx.attribution.result_file import load, save
from hlx.cli import in_options
from hlx.cli.outputs import check_outputs
from hlx.errors import InputError, OutputError
from tests.attribution.test_result_file import attribution
from tests.support.command_line import files, hlx, refusal


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a result under three names."""
    monkeypatch.chdir(tmp_path)
    save("kept.h5", [attribution()])
    os.symlink("kept.h5", "linked.h5")
    os.link("kept.h5", "also.h5")
    return tmp_path


@pytest.mark.parametrize("name", ["kept.h5", "./kept.h5", "linked.h5", "also.h5"])
def test_a_result_is_not_replaced_by_what_is_made_of_it(folder: Path, name: str) -> None:
    said = refusal(folder, "explain", "--from", "kept.h5", "--out", name, "--no-table", "--force")
    assert "is an input, it will not be replaced" in said
    assert load("kept.h5")[0].coalition_values is not None


def test_every_command_keeps_its_inputs(folder: Path) -> None:
    Path("s.csv").write_text("image,caption,foil\n")
    np.save("t.csv", np.zeros(4))
    Path("t.csv.npy").rename("t.csv")
    for arguments in (
        ("score", "s.csv", "--out", "s.csv"),
        ("score", "s.csv", "--missing", "s.csv"),
        ("interactions", "t.csv", "--csv", "t.csv"),
        ("explain", "a.png", "--pairs", "s.csv", "--csv", "s.csv"),
        ("bench", "estimators", "--stimuli", "s.png", "--plot", "s.png"),
    ):
        assert "is an input" in refusal(folder, *arguments, "--force")


def test_two_outputs_are_two_files(folder: Path) -> None:
    same = {"--json": (Path("q.png"), ()), "--plot": (Path("./q.png"), (".png",))}
    with pytest.raises(InputError, match=r"--plot q\.png: is also the file of --json"):
        check_outputs(same, [], True)
    check_outputs({"--out": (Path("a.h5"), (".h5",)), "--plot": (None, ())}, ["kept.h5", None], False)
    with pytest.raises(OutputError, match="exists"):
        check_outputs({"--out": (Path("kept.h5"), (".h5",))}, [], False)
    assert set(files(folder)) == {"kept.h5", "linked.h5", "also.h5"}


def test_what_was_written_is_said(folder: Path) -> None:
    ended = hlx("explain", "--from", "kept.h5", "--out", "new.h5", "--csv", "new.csv")
    assert ended.err.splitlines() == ["written: new.h5", "written: new.csv"]


def test_messages_of_the_library_name_options() -> None:
    said = in_options('a=1.h5: exists; force=True replaces it, or start with batch_size=2, dtype="bfloat16"')
    assert said == "a=1.h5: exists; --force replaces it, or start with --batch-size 2, --dtype bfloat16"
