"""Exports: the layout that analyses read, a folder for each way of making maps, nothing mixed."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hlx.alignment.analysis import analyze, read_study
from hlx.alignment.analysis.scores import stimulus_scores
from hlx.attribution import result_file
from hlx.attribution.map_tables import read_map_table
from hlx.errors import InputError, OutputError
from hlx.games.regions import Grid
from hlx.humans import build_human_maps, simulate_responses, write_human_maps
from hlx.report import make_page
from hlx.sweep.results.csv_export import MapFilter, export
from hlx.sweep.results.export_folder import unlike
from hlx.sweep.results.merged_file import load_results
from tests.support.merged_sweeps import How, additive, write_sweep

SAMPLED = (How("odd-gp", 64, 0, 0.2), How("odd-gp", 64, 1, 0.2))


def exported(
    folder: Path, choice: MapFilter | None = None, humans: Path | None = None, **options: object
) -> list:
    path = write_sweep(folder / "merged.h5", **options)  # type: ignore[arg-type]
    with load_results(path) as results:
        return export(results, folder / "out", choice, humans)


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_one_way_of_making_maps_goes_into_the_folder_itself(tmp_path: Path) -> None:
    [one] = exported(tmp_path, grids=("2x3",))
    folder = tmp_path / "out"
    assert one.folder == folder and sorted(path.name for path in folder.iterdir()) == sorted(one.files)
    grid, maps = read_map_table(folder / "shapley_CLIP.csv")
    assert grid == Grid(2, 3)
    for stimulus, values in maps.items():
        np.testing.assert_array_equal(values, additive("CLIP", stimulus, grid, "blur"))
    f = stimulus_scores(folder / "scores_stimuli_FLAVA.csv")
    assert f["s3"] == pytest.approx(additive("FLAVA", "s3", grid, "blur").sum())
    assert rows_of(folder / "stimuli.csv")[2] == {
        "stimulus": "s2",
        "image": "/photos/s2.png",
        "caption": "caption of s2",
        "foil": "foil of s2",
        "phenomenon": "existence",
    }
    made_by = json.loads((folder / "made_by.json").read_text())
    assert made_by["setting"] == "exact" and len(made_by["content_hash"]) == 64
    assert [model["label"] for model in made_by["models"]] == ["CLIP", "FLAVA"]


def test_long_form_holds_every_region_with_its_standard_error(tmp_path: Path) -> None:
    exported(tmp_path, MapFilter(seed=1), models=("CLIP",), grids=("2x3",), hows=SAMPLED, stimuli=2)
    rows = rows_of(tmp_path / "out" / "maps.csv")
    assert len(rows) == 2 * 6 and {row["seed"] for row in rows} == {"1"}
    assert [(row["row"], row["col"]) for row in rows[:6]] == [(str(r), str(c)) for r in "01" for c in "012"]
    assert {float(row["standard_error"]) for row in rows} == {0.2}
    _, maps = read_map_table(tmp_path / "out" / "shapley_CLIP.csv")
    assert [float(row["value"]) for row in rows[6:]] == maps["s1"].tolist()


def test_several_ways_get_a_folder_each_and_filters_choose(tmp_path: Path) -> None:
    options = {"backgrounds": ("blur", "mean"), "hows": (How(), *SAMPLED), "grids": ("2x2", "3x3")}
    found = exported(tmp_path, **options)
    assert [one.folder.name for one in found if one.conditions.regions == "2x2"] == [
        f"2x2-{background}-{how}"
        for background in ("blur", "mean")
        for how in ("exact", "odd-gp-64-seed0", "odd-gp-64-seed1")
    ]
    assert len(found) == 12
    with load_results(tmp_path / "merged.h5") as results:
        choice = MapFilter("3x3", "mean", "odd-gp", 64, 1)
        [one] = export(results, tmp_path / "one", choice)
        assert one.folder == tmp_path / "one" and one.conditions.seed == 1
        for wrong in (
            MapFilter("5x5"),
            MapFilter(background="black"),
            MapFilter(estimator="owen"),
            MapFilter(budget=65),
        ):
            with pytest.raises(InputError, match="there are"):
                export(results, tmp_path / "none", wrong)
        assert not (tmp_path / "none").exists()


def test_labels_become_names_of_files_that_differ(tmp_path: Path) -> None:
    exported(tmp_path, models=("org/clip", "org-clip"), grids=("2x2",))
    tables = sorted(path.name for path in (tmp_path / "out").glob("shapley_*"))
    assert tables == ["shapley_org-clip-2.csv", "shapley_org-clip.csv"]


@given(names=st.lists(st.from_regex(r"[xX](-[23])?", fullmatch=True), max_size=8))
def test_names_of_files_are_made_unlike(names: list[str]) -> None:
    found = unlike(names)
    assert len({name.casefold() for name in found}) == len(names)
    assert all(made.startswith(name) for made, name in zip(found, names, strict=True))


def test_nothing_that_would_be_analysed_with_the_maps_is_left_beside_them(tmp_path: Path) -> None:
    path = write_sweep(tmp_path / "merged.h5", grids=("2x2",), models=("CLIP",))
    out = tmp_path / "out"
    with load_results(path) as results:
        export(results, out)
        for name in ("scores_FLAVA.csv", "scores_valse_FLAVA.csv", "stimuli.jsonl", "human_maps.csv"):
            (out / name).write_text("of others")
            with pytest.raises(OutputError, match=f"{name}: is of other maps"):
                export(results, out, force=True)
            (out / name).unlink()
        (out / "inner").mkdir()
        explained = out / "inner" / "one.h5"
        explained.write_bytes(f"{result_file.KIND.name} 4 sha256 ".encode().ljust(600, b"\0"))
        with pytest.raises(OutputError, match=r"one\.h5: is of other maps"):
            export(results, out, force=True)
        explained.unlink()
        for name in ("scores_CLIP.csv", "scores_valse_CLIP.csv", "notes.txt"):
            (out / name).write_text("of the same model")
        export(results, out, force=True)


def test_stimuli_without_foils_have_maps_and_no_scores(tmp_path: Path) -> None:
    [one] = exported(tmp_path, grids=("2x2",), foil=None)
    assert not any(name.startswith("scores") for name in one.files)
    assert "without a foil" in one.notes[0]


def test_existing_files_are_kept_unless_forced_and_maps_are_not_mixed(tmp_path: Path) -> None:
    exported(tmp_path, grids=("2x2",), models=("CLIP", "FLAVA"))
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    path = write_sweep(tmp_path / "other.h5", grids=("2x2",), models=("CLIP",), stimuli=3)
    with load_results(path) as results:
        with pytest.raises(OutputError, match="exists; force=True"):
            export(results, tmp_path / "out")
        with pytest.raises(OutputError, match=r"FLAVA.*is of other maps"):
            export(results, tmp_path / "out", force=True)
        assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
        for left in (tmp_path / "out").glob("*FLAVA*"):
            left.unlink()
        export(results, tmp_path / "out", force=True)
    assert len(read_map_table(tmp_path / "out" / "shapley_CLIP.csv")[1]) == 3


def test_what_a_model_lacks_is_noted(tmp_path: Path) -> None:
    [one] = exported(
        tmp_path, grids=("2x2",), missing=lambda row: row.model == "CLIP" and row.stimulus == "s1"
    )
    assert one.notes == ("CLIP has no maps of 1 stimulus",)
    assert len(read_map_table(one.folder / "shapley_CLIP.csv")[1]) == 5


def simulated_humans(path: Path, grid: Grid, stimuli: int) -> Path:
    """Maps of simulated people who click into the upper left."""
    target = np.zeros((40, 40), np.bool_)
    target[:15, :15] = True
    responses = simulate_responses({f"s{i}": target for i in range(stimuli)}, participants=20)
    write_human_maps(path, build_human_maps(responses, grid, simulated=True))
    return path


def test_an_export_with_human_maps_is_a_study(tmp_path: Path) -> None:
    humans = simulated_humans(tmp_path / "people.h5", Grid(4, 4), 12)
    image = tmp_path / "picture.png"
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(image)
    options = {"stimuli": 12, "grids": ("4x4", "2x2"), "image": str(image)}
    found = exported(tmp_path, MapFilter(), humans, **options)
    assert [("humans.h5" in one.files) for one in found] == [True, False]
    sweep = read_study(found[0].folder)
    assert [model.name for model in sweep.models] == ["CLIP", "FLAVA"]
    assert sweep.humans.simulated and set(sweep.images) == set(sweep.stimuli)
    page = make_page(analyze(sweep, shuffles=20))
    assert page.stimuli == len(sweep.stimuli) >= 3 and page.images == 1


def test_human_maps_of_no_grid_of_the_sweep_are_refused(tmp_path: Path) -> None:
    humans = tmp_path / "human_maps.csv"
    humans.write_text("stimulus,r0c0,r0c1,r0c2\ns0,0.2,0.3,0.5\n")
    with pytest.raises(InputError, match="1x3 grid, but the sweep's regions are 2x2"):
        exported(tmp_path, None, humans, grids=("2x2",))
    assert not (tmp_path / "out").exists()
