"""`hlx compare` as it is typed: tables, files, and one line for every bad input."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hlx.alignment.compare import compare, summary
from hlx.alignment.maps import MEASURES
from hlx.alignment.model_maps import read_model_maps
from hlx.attribution.map_tables import map_table_text
from hlx.attribution.result_file import save
from hlx.games.regions import Grid
from hlx.humans import HumanMaps, read_human_maps, write_human_maps
from tests.alignment.compare.test_comparison import people
from tests.alignment.test_model_maps import result
from tests.support.command_line import files, hlx, refusal

GRID = Grid(3, 4)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a.h5 and shapley_TWO.csv of 6 stimuli each, humans.h5 and humans.csv."""
    monkeypatch.chdir(tmp_path)
    save("a.h5", [result(f"s{k}", k, GRID) for k in range(6)])
    draw = np.random.default_rng(9)
    map_table_text(GRID, {f"s{k}": draw.normal(size=12) for k in range(6)}, "shapley_TWO.csv")
    humans = people(raters=4)
    write_human_maps("humans.h5", humans)
    table(humans, "humans.csv")
    return tmp_path


def table(humans: HumanMaps, name: str) -> None:
    map_table_text(humans.grid, {stimulus: human.values for stimulus, human in humans.maps.items()}, name)


def printed(*arguments: object) -> dict:
    ended = hlx("compare", *arguments, "--json")
    assert (ended.status, ended.err) == (0, ""), ended.err
    return json.loads(ended.out)


def test_json_says_what_the_library_says(folder: Path) -> None:
    said = printed("a.h5", "shapley_TWO.csv", "humans.h5", "--seed", 3, "--splits", 7)
    humans = read_human_maps("humans.h5")
    expected = {
        maps.name: summary(compare(maps, humans, seed=3, splits=7))
        for maps in read_model_maps(["a.h5", "shapley_TWO.csv"])
    }
    assert said["models"] == expected and list(expected) == ["clip-scenes", "TWO"]
    about = {"humans": "humans.h5", "simulated": False, "seed": 3, "splits": 7, "magnitude": "absolute"}
    assert said.items() >= about.items()


@pytest.mark.parametrize("magnitude", ["positive", "signed"])
def test_options_reach_the_library(folder: Path, magnitude: str) -> None:
    said = printed("a.h5", "humans.csv", "--magnitude", magnitude, "--measure", "cc", "--measure", "RC")
    (found,) = said["models"].values()
    assert list(found["measures"]) == ["CC", "RC"] and found["magnitude"] == magnitude
    assert found["measures"]["CC"]["ceilings"] == {}


def test_a_line_for_every_measure_with_all_it_is_held_against(folder: Path) -> None:
    ended = hlx("compare", "a.h5", "shapley_TWO.csv", "humans.h5")
    assert (ended.status, ended.err) == (0, "")
    first, second, legend = ended.out.split("\n\n")
    assert first.startswith("clip-scenes: |phi| against human maps of 6 stimuli\n")
    assert second.startswith("TWO: |phi|")
    said = printed("a.h5", "humans.h5")["models"]["clip-scenes"]
    head, *lines = first.splitlines()[1:]
    assert head.split() == [
        "matched",
        "shuffled",
        "uniform",
        "centre",
        "bias",
        "mean",
        "human",
        "map",
        "leave-one-out",
        "split-half",
    ]
    for name, line in zip(MEASURES, lines, strict=False):
        one = said["measures"][name]
        arrow = "↑" if one["better"] == "higher" else "↓"
        means = [one["shuffled_mean"], *one["baselines"].values(), one["ceilings"]["leave-one-out"]]
        means.append(one["ceilings"].get("split-half"))
        numbers = ["-" if mean is None else f"{mean:z.3f}" for mean in means]
        start = f"{name} {arrow}"
        assert line.strip().startswith(start)
        assert line.strip().removeprefix(start).split() == [
            *(f"{one['mean']:z.3f}", "±", f"{one['sem']:.3f}"),
            *numbers,
        ]
    partial = said["partial_rc"]["centre bias"]
    assert f"given centre bias {partial['mean']:z.3f} ± {partial['sem']:.3f}" in lines[-1]
    assert "↑ higher, ↓ lower is closer" in legend and "split-half" in legend
    assert "simulated" not in ended.out


def test_without_raters_there_are_no_ceilings(folder: Path) -> None:
    out = hlx("compare", "a.h5", "humans.csv").out
    assert "leave-one-out" not in out and "split-half" not in out and "AUC" not in out


def test_notes_are_printed(folder: Path) -> None:
    save("more.h5", [result(f"s{k}", k, GRID) for k in range(5)] + [result("z", 7, GRID)])
    out = hlx("compare", "more.h5", "humans.h5").out
    assert "  note: 1 stimulus without a human map: z\n" in out
    assert "  note: 1 stimulus with a human map but without one of the model: s5\n" in out
    assert len(printed("more.h5", "humans.h5")["models"]["clip-scenes"]["notes"]) == 2


def test_simulated_people_are_said(folder: Path) -> None:
    write_human_maps("made-up.h5", replace(people(raters=2), simulated=True))
    out = hlx("compare", "a.h5", "made-up.h5").out
    assert "against simulated human maps" in out and "no people took part" in out
    said = printed("a.h5", "made-up.h5")
    assert said["simulated"] and said["models"]["clip-scenes"]["simulated"]


def test_csv_and_plot_are_written(folder: Path) -> None:
    arguments = ("compare", "a.h5", "shapley_TWO.csv", "humans.h5", "--csv", "out.csv", "--plot", "out.png")
    ended = hlx(*arguments)
    assert ended.err.splitlines() == ["written: out.png", "written: out.csv"]
    assert "written" not in ended.out
    with open("out.csv") as file:
        records = list(csv.DictReader(file))
    said = printed("a.h5", "shapley_TWO.csv", "humans.h5")["models"]
    assert len(records) == 2 * len(MEASURES) * 6
    for model, found in said.items():
        for name, one in found["measures"].items():
            own = [row["matched"] for row in records if (row["model"], row["measure"]) == (model, name)]
            assert np.mean([float(value) for value in own]) == pytest.approx(one["mean"])
    with Image.open("out.png") as picture:
        assert picture.format == "PNG" and picture.size[0] > 1200
    before = files(folder)
    assert "exists; --force" in refusal(folder, *arguments)
    assert hlx(*arguments, "--force").status == 0
    assert files(folder) == before  # the same bytes again


def test_a_measure_of_ones_own_is_named_by_its_file(folder: Path) -> None:
    Path("mine.py").write_text(
        "def overlap(maps, humans):\n"
        "    '''Shared mass.'''\n"
        "    return abs(maps).clip(max=humans).sum(axis=1)\n"
    )
    said = printed("a.h5", "humans.h5", "--measure", "mine.py:overlap", "--measure", "SIM")
    own, shared = (said["models"]["clip-scenes"]["measures"][name] for name in ("overlap", "SIM"))
    for number in ("mean", "sem", "shuffled_mean", "difference", "shuffled_closer"):
        assert own[number] == pytest.approx(shared[number])
    assert "measure 'mine.py:overlaps': mine.py has nothing called overlaps" in refusal(
        folder, "compare", "a.h5", "humans.h5", "--measure", "mine.py:overlaps"
    )


def test_the_reference_study(shared: Path) -> None:
    folder = shared / "thesis"
    said = printed(
        folder / "shapley_CLIP.csv", folder / "human_maps.csv", "--measure", "RC", "--measure", "EMD"
    )
    found = said["models"]["CLIP"]
    assert round(found["measures"]["RC"]["mean"], 4) == 0.2268
    assert round(found["measures"]["EMD"]["mean"], 4) == 0.7584
    assert round(found["partial_rc"]["mean human map"]["mean"], 4) == 0.1845


def test_bad_input_is_one_line(folder: Path) -> None:
    small = people(grid=Grid(4, 4))
    table(small, "small.csv")
    elsewhere = replace(small, grid=GRID, maps={f"{n}.jpg": h for n, h in people().maps.items()})
    table(elsewhere, "elsewhere.csv")
    Path("text.csv").write_text("stimulus,r0c0,r0c1\ns0,0.5,many\n")
    for arguments, expected in (
        (("a.h5", "small.csv"), "a.h5: the maps of clip-scenes are on a 3x4 grid, the human maps on 4x4"),
        (("a.h5", "elsewhere.csv"), "at least 3 are needed; the maps are of s0, s1, s2 and 3 more"),
        (("text.csv", "humans.h5"), "text.csv, row 2, column r0c1: expected a number"),
        (("humans.h5", "a.h5"), "a.h5: is not a file of hlx's human maps"),
        (("humans.h5", "humans.h5"), "humans.h5: is not a file of hlx's attributions"),
        (("missing.h5", "humans.h5"), "missing.h5: no such file"),
        (("a.h5", "missing.h5"), "missing.h5: no such file"),
        (("a.h5", "a.h5", "humans.h5"), "a.h5: is given twice"),
        (("a.h5",), "Missing argument"),
        (("a.h5", "humans.csv", "--measure", "NSS"), "measure NSS: needs clicks"),
        (("a.h5", "humans.h5", "--measure", "rank"), "'rank': expected one of RC"),
        (("a.h5", "humans.h5", "--magnitude", "signed", "--measure", "EMD"), "take the magnitude"),
        (("a.h5", "humans.h5", "--plot", "a.jpg"), "a.jpg: expected a name that ends in .png or .pdf"),
        (("shapley_TWO.csv", "humans.h5", "--csv", "shapley_TWO.csv"), "is an input"),
        (("a.h5", "humans.h5", "--csv", "no/where.csv"), "there is no folder"),
        (("a.h5", "humans.h5", "--splits", 0), "--splits"),
    ):
        assert expected in refusal(folder, "compare", *arguments), arguments


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from hlx.cli.compare import compare; "
        "heavy = 'jax scipy numba matplotlib h5py ot numpy'; "
        "print([name for name in heavy.split() if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"
    out = hlx("compare", "--help").out
    assert "hlx compare clip.h5 flava.h5 humans.h5" in out
    assert all(name in " ".join(out.split()) for name in MEASURES)
