"""`hlx analyze` as it is typed: tables, JSON, a file of all stimuli, and one line for every bad input."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from hlx.alignment.analysis import analyze, read_study
from tests.alignment.test_reading import (
    GRID,
    NAMES,
    maps,
    write_own,
    write_published,
    write_results,
    write_table,
)
from tests.support.command_line import files, hlx, refusal


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study in the reference study's layout."""
    folder = tmp_path / "study"
    folder.mkdir()
    write_published(folder)
    return folder


def test_json_says_what_the_library_says(study: Path) -> None:
    options = ("--shuffles", 300, "--seed", 4, "--alpha", 0.01, "--magnitude", "positive")
    ended = hlx("analyze", study, "--json", *options)
    assert (ended.status, ended.err, ended.out.count("\n")) == (0, "", 1)
    expected = analyze(read_study(study), shuffles=300, seed=4, alpha=0.01, magnitude="positive")
    found = json.loads(ended.out)
    assert found == json.loads(json.dumps(expected.to_json()))
    assert set(found["models"]["A"]) >= {"rc", "rc_interval", "permutation", "emd_mean", "rho", "scores"}
    assert set(found["models"]["A"]["rc"]) >= {"n", "mean", "sem", "t", "p"}
    assert set(found["models"]["A"]["permutation"]) >= {"p", "p_corrected", "null_mean"}
    assert set(found["models"]["A"]["scores"]) >= {"accuracy_pooled", "accuracy_macro", "accuracy"}
    assert set(found) >= {"alpha", "n_tests", "models", "over_models", "corrections"}
    assert set(found["over_models"]) >= {"anova", "friedman", "rm_anova"}
    assert set(found["over_models"]["anova"]) >= {"F", "p"}


def test_text_asks_the_questions_in_order(study: Path) -> None:
    ended = hlx("analyze", study, "--shuffles", 200)
    assert (ended.status, ended.err) == (0, "")
    places = [ended.out.index(part) for part in ("RQ1", "RQ2.1", "RQ2.2", "7 tests", "Beside the study's")]
    assert places == sorted(places)
    assert max(map(len, ended.out.splitlines())) <= 100
    assert hlx("analyze", study, "--shuffles", 200).out == ended.out


def test_csv_holds_every_stimulus_and_model(study: Path, tmp_path: Path) -> None:
    table = tmp_path / "stimuli.csv"
    ended = hlx("analyze", study, "--shuffles", 20, "--csv", table)
    assert (ended.status, ended.err) == (0, f"written: {table}\n")
    with open(table) as file:
        rows = list(csv.DictReader(file))
    assert [(row["stimulus"], row["model"]) for row in rows] == [(s, m) for s in NAMES for m in ("A", "B")]
    analysis = analyze(read_study(study), shuffles=20)
    for place, row in enumerate(rows):
        assert float(row["rc"]) == analysis.models[row["model"]].by_stimulus.rc[place // 2]
        assert float(row["emd"]) == analysis.models[row["model"]].by_stimulus.emd[place // 2]
        assert (
            float(row["normalised_f"]) == analysis.models[row["model"]].by_stimulus.normalised_f[place // 2]
        )
        assert row["phenomenon"] == ("existence", "relations", "actions")[place // 2 % 3]
    before = files(tmp_path)
    assert "--force" in refusal(tmp_path, "analyze", study, "--csv", table)
    assert (
        hlx("analyze", study, "--shuffles", 20, "--csv", table, "--magnitude", "signed", "--force").status
        == 0
    )
    assert {name for name, content in files(tmp_path).items() if content != before[name]} == {"stimuli.csv"}


def test_own_results_of_simulated_participants_say_so(tmp_path: Path) -> None:
    write_own(tmp_path)
    ended = hlx("analyze", tmp_path, "--shuffles", 20)
    assert ended.status == 0 and "simulated participants" in ended.out
    assert "the stimuli's own scores normalise f and count" in " ".join(ended.out.split())
    assert json.loads(hlx("analyze", tmp_path, "--shuffles", 20, "--json").out)["simulated"] is True


def test_constant_maps_become_null_and_are_said(tmp_path: Path) -> None:
    write_own(tmp_path, ())
    values = maps(0)
    values["s05"] = np.ones(GRID.n_players)
    write_results(tmp_path / "a.h5", "A", values)
    ended = hlx("analyze", tmp_path, "--json", "--shuffles", 20, "--csv", tmp_path / "out.csv")
    found = json.loads(ended.out)
    assert (found["models"]["A"]["rc"]["n"], found["models"]["A"]["rc"]["dropped"]) == (11, 1)
    assert any("(s05)" in note for note in found["notes"])
    with open(tmp_path / "out.csv") as file:
        assert [row["stimulus"] for row in csv.DictReader(file) if row["rc"] == ""] == ["s05"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Missing argument 'STUDY'"),
        (("nowhere",), "nowhere: no such folder; a study is a folder with human_maps.csv"),
        (("study", "--shuffles", 0), "0 is not in the range"),
        (("study", "--alpha", 0), "0.0 is not in the range"),
        (("study", "--alpha", 1), "is not in the range"),
        (("study", "--seed", -1), "-1 is not in the range"),
        (("study", "--magnitude", "big"), "'big' is not one of"),
        (("study", "--csv", "out.txt"), "ends in .csv"),
        (("study", "--csv", "missing/out.csv"), "there is no folder missing"),
        (("study", "--csv", "study/stimuli.csv", "--force"), "is an input"),
        (("two",), "two: 2 stimuli with a human map and a map of every model"),
        (("grids",), "2x2 grid"),
    ],
)
def test_bad_input_is_refused_in_one_line(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[object, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("two", "grids"):
        Path(name).mkdir()
        write_published(Path(name), ())
    write_table(Path("two"), "A", 0, NAMES[:2])
    write_table(Path("grids"), "A", 0, grid=type(GRID)(2, 2))
    assert said in refusal(tmp_path, "analyze", *arguments)


def test_help_shows_an_example() -> None:
    ended = hlx("analyze", "--help")
    assert ended.status == 0 and "hlx analyze study/ --csv rc.csv" in ended.out
