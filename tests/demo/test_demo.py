"""The demo counts what it says it counts, writes what it names, and leaves nothing behind when refused."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

import hlx.demo.demo_scenes
import hlx.models
from hlx.attribution.attribution import Attribution
from hlx.attribution.result_file import load
from hlx.cli.demo import demo, pointing_text, scene_text
from hlx.demo import exact_maps, simulated_study
from hlx.demo.demo_scenes import DemoScene, choose_scenes
from hlx.demo.exact_maps import MODELS, DemoMap, map_files, pointing
from hlx.demo.simulated_study import FOLDER, HUMANS, REPORT, study_files
from hlx.errors import InputError, OutputError
from hlx.games.regions import Grid, LabelMap
from hlx.games.scenes import CELL, HELD_OUT_SEED, PHENOMENA, make_stimuli
from hlx.humans import read_human_maps
from hlx.io.files import output_folder
from hlx.io.images import read_image
from hlx.models.jax.dual_encoder import DualEncoder
from tests.support.command_line import files

ESCAPE = re.compile(r"\033\[[0-9;]*m")
SCENES = choose_scenes(4)
loaded = functools.cache(hlx.models.load_model)  # a model compiles anew each time it is loaded
phi = st.lists(st.floats(-9, 9), min_size=16, max_size=16).map(np.array)


def constructed(values: np.ndarray, scene: DemoScene = SCENES[0], model: str = "m") -> DemoMap:
    return DemoMap(model, scene, Attribution(values, float(values.sum()), 0.0, 65536, Grid(4, 4), "exact"))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(demo, arguments)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two exact maps of sixteen coalitions instead of 65,536, and a study of eight scenes."""
    monkeypatch.setattr(exact_maps, "REGIONS", Grid(2, 2))
    monkeypatch.setattr(exact_maps, "N_SCENES", 2)
    monkeypatch.setattr(simulated_study, "N_STIMULI", 8)
    monkeypatch.setattr(simulated_study, "BUDGET", 40)
    monkeypatch.setattr(simulated_study, "BENCHMARK_ITEMS", 20)
    monkeypatch.setattr(hlx.models, "load_model", loaded)


@pytest.fixture
def no_models(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a model was loaded before the output was checked")

    monkeypatch.setattr(hlx.models, "load_model", refuse)


# --- which scenes, and where their objects are


def test_scenes_are_the_first_of_each_phenomenon_of_a_held_out_seed() -> None:
    assert [scene.stimulus.phenomenon for scene in SCENES] == list(hlx.demo.demo_scenes.PHENOMENA)
    first = make_stimuli(len(SCENES), HELD_OUT_SEED, hlx.demo.demo_scenes.PHENOMENA)
    assert [scene.stimulus.caption for scene in SCENES] == [stimulus.caption for stimulus in first]
    assert len({scene.name for scene in SCENES}) == len(SCENES) >= 3


@given(st.integers(10_000, 2**31 - 1))
def test_object_regions_are_the_cells_with_a_pixel_of_the_object(seed: int) -> None:
    for scene in choose_scenes(4, seed):
        target = scene.stimulus.target
        cells = target.reshape(4, CELL, 4, CELL).any((1, 3)).ravel()
        assert np.array_equal(scene.object_regions(Grid(4, 4)), cells)
        halves = scene.object_regions(LabelMap(np.repeat([[0, 1]], 64, 0).repeat(32, 1)))
        assert halves.tolist() == [target[:, :32].any(), target[:, 32:].any()]


def test_a_caption_about_nothing_is_refused() -> None:
    stimuli = make_stimuli(60, HELD_OUT_SEED, ("negation",))
    absent = next(stimulus for stimulus in stimuli if stimulus.target is None)
    with pytest.raises(InputError, match="no object"):
        DemoScene(1, absent)
    assert set(hlx.demo.demo_scenes.PHENOMENA) <= set(PHENOMENA) - {"negation"}


# --- the count


@given(phi, st.integers(0, 15), st.sampled_from([-1, 1]), st.sampled_from(SCENES))
def test_a_map_is_on_the_object_where_its_highest_magnitude_is(
    values: np.ndarray, region: int, sign: int, scene: DemoScene
) -> None:
    values[region] = sign * 10
    assert constructed(values, scene).on_object == scene.object_regions(Grid(4, 4))[region]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(SCENES), st.booleans()), min_size=1))
def test_pointing_counts_each_model_s_own_maps(drawn: list[tuple[str, DemoScene, bool]]) -> None:
    maps = []
    for model, scene, hit in drawn:
        touched = scene.object_regions(Grid(4, 4))
        maps.append(constructed(np.where(touched == hit, 1.0, 0.5), scene, model))
    found = pointing(maps)
    assert set(found) == {model for model, _, _ in drawn}
    for model, own in found.items():
        mine = [(scene, hit) for name, scene, hit in drawn if name == model]
        assert (own.hits, own.maps) == (sum(hit for _, hit in mine), len(mine))
        assert own.chance == pytest.approx(np.mean([s.object_regions(Grid(4, 4)).mean() for s, _ in mine]))
        assert f"{own.hits} of {own.maps} maps" in pointing_text(found)


# --- the text


@given(phi, phi, st.sampled_from(SCENES), st.sampled_from([46, 60, 79, 80, 200]))
def test_scene_text_fits_the_terminal_and_says_the_same_in_colour(
    one: np.ndarray, other: np.ndarray, scene: DemoScene, width: int
) -> None:
    maps = [constructed(one, scene, "clip-scenes"), constructed(other, scene, "siglip-scenes")]
    plain, coloured = scene_text(maps, False, width), scene_text(maps, True, width)
    assert "\033" not in plain
    blocks = 1 if width >= 80 else 2
    marks = blocks * int(scene.object_regions(Grid(4, 4)).sum())
    for text in (plain, ESCAPE.sub("", coloured)):
        lines = text.splitlines()[4:]  # below captions, which are as long as they are
        assert max(map(len, lines)) <= width
        assert sum(line[:9].count("#") for line in lines) == marks
        for outcome in (True, False):
            said = f"highest |phi| {'on' if outcome else 'off'} the object"
            assert text.count(said) == sum(found.on_object == outcome for found in maps)


# --- the folder


def test_folder_is_taken_away_only_if_it_was_made_here_and_stays_empty(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    with pytest.raises(KeyboardInterrupt), output_folder(folder, ["a"]):
        assert folder.is_dir()
        raise KeyboardInterrupt
    assert not folder.exists()
    with pytest.raises(KeyboardInterrupt), output_folder(folder, ["a"]):
        (folder / "a").write_text("whole")
        raise KeyboardInterrupt
    assert (folder / "a").read_text() == "whole"
    empty = tmp_path / "own"
    empty.mkdir()
    with output_folder(empty, ["a"]):
        pass
    assert empty.is_dir()


@pytest.mark.usefixtures("no_models")
def test_existing_files_are_refused_before_anything_is_done(tmp_path: Path) -> None:
    studied = choose_scenes(simulated_study.N_STIMULI)
    of_study = [f"{FOLDER}/{name}" for name in study_files(studied, MODELS)]
    for number, name in enumerate([REPORT, *map_files(SCENES[:3], MODELS), *of_study]):
        folder = tmp_path / str(number)
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(b"kept")
        before = files(folder)
        result = run("--out", str(folder))
        assert isinstance(result.exception, OutputError)
        assert name in str(result.exception) and "force=True" in str(result.exception)
        assert result.output == ""
        assert {**files(folder), FOLDER: ""} == {**before, FOLDER: ""}
        assert (folder / name).read_bytes() == b"kept"


@pytest.mark.usefixtures("no_models")
def test_folders_that_cannot_be_made_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for out in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / "missing" / "below"):
        result = run("--out", str(out))
        assert isinstance(result.exception, OutputError)
        assert str(out) in str(result.exception) and "\n" not in str(result.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_seeds_of_training_are_refused() -> None:
    assert run("--seed", "9999").exit_code == 2


def test_help_says_how_long_it_takes_without_numbers_that_a_machine_may_miss() -> None:
    told = " ".join(run("--help").output.split())
    assert "without the exact maps: about a minute." in told and "It takes a few minutes." in told


# --- all of it


@pytest.mark.usefixtures("quick")
def test_demo_writes_what_it_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run()
    assert result.exit_code == 0, result.output
    folder = tmp_path / "hlx-demo"
    studied = study_files(choose_scenes(8), MODELS)
    named = {FOLDER, REPORT, *map_files(SCENES[:2], MODELS), *(f"{FOLDER}/{name}" for name in studied)}
    assert set(files(folder)) == named
    kept = load(folder / exact_maps.STORE)
    maps = [(scene, model) for scene in SCENES[:2] for model in MODELS]
    assert len(kept) == len(maps)
    for attribution, (scene, model) in zip(kept, maps, strict=True):
        context = attribution.context
        assert (context.model, context.caption, context.foil) == (
            model,
            scene.stimulus.caption,
            scene.stimulus.foil,
        )
        assert (context.stimulus_id, context.phenomenon) == (scene.name, scene.stimulus.phenomenon)
        assert np.array_equal(read_image(tmp_path / context.image), scene.stimulus.image)
        assert attribution.coalition_values.shape == (16,)
        assert attribution.values.sum() == pytest.approx(
            attribution.grand_coalition_value - attribution.baseline_value, abs=1e-3
        )
        assert min(read_image(folder / scene.overlay_file(model)).shape[:2]) > 300
        assert scene.stimulus.caption in result.output
    found = pointing([DemoMap(model, scene, each) for each, (scene, model) in zip(kept, maps, strict=True)])
    assert pointing_text(found) in result.stdout

    again = run("--force", "--json")
    assert again.exit_code == 0, again.output
    summary = json.loads(again.stdout)
    assert {model: each["hits"] for model, each in summary["pointing"].items()} == {
        model: own.hits for model, own in found.items()
    }
    assert [each["shapley"] for each in summary["maps"]] == [each.map.tolist() for each in kept]
    assert all(Path(file).is_file() for file in summary["files"])
    assert set(files(folder)) == named
    check_study(folder, summary["study"])


def check_study(folder: Path, summary: dict[str, Any]) -> None:
    """The study's files hold what the summary is made from, and every text says who clicked."""
    humans = read_human_maps(folder / FOLDER / HUMANS)
    assert humans.simulated and summary["n_stimuli"] == len(humans.maps) >= 3
    for model in MODELS:
        kept = load(folder / FOLDER / f"{model}.h5")
        assert len(kept) == 8 and {each.n_evaluations for each in kept} == {40}
        ranks = [
            spearmanr(np.abs(each.values), humans.maps[each.context.stimulus_id].values).statistic
            for each in kept
            if each.context.stimulus_id in humans.maps
        ]
        assert summary["models"][model]["rc"]["mean"] == pytest.approx(np.mean(ranks), abs=1e-9)
    assert "simulated" in (folder / REPORT).read_text().lower()


@pytest.mark.usefixtures("quick")
def test_quick_is_the_study_alone_and_the_same_one(tmp_path: Path) -> None:
    whole, quick = run("--out", str(tmp_path / "a")), run("--out", str(tmp_path / "b"), "--quick", "--json")
    assert whole.exit_code == quick.exit_code == 0, quick.output
    assert set(files(tmp_path / "b")) == {FOLDER, REPORT} | {
        f"{FOLDER}/{name}" for name in study_files(choose_scenes(8), MODELS)
    }
    summary = json.loads(quick.stdout)
    assert "pointing" not in summary
    for found in summary["study"]["models"].values():
        assert f"mean RC {found['rc']['mean']:.3f}" in whole.stdout
    assert "SIMULATED" in whole.stdout


@pytest.mark.usefixtures("quick")
def test_an_interrupted_demo_leaves_whole_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    explained = exact_maps.explain_scene

    def interrupted(model: DualEncoder, scene: DemoScene, *rest: Any) -> DemoMap:
        if scene.number == 2:
            raise KeyboardInterrupt
        return explained(model, scene, *rest)

    monkeypatch.setattr(exact_maps, "explain_scene", interrupted)
    assert run("--out", str(tmp_path / "maps")).exit_code != 0
    first = SCENES[0]
    whole = {first.image_file, *(first.overlay_file(model) for model in MODELS)}
    assert {path.name for path in (tmp_path / "maps").iterdir()} == whole
    for name in whole:
        assert read_image(tmp_path / "maps" / name).ndim == 3
