"""`hlx sweep export` and `hlx sweep report`, from a sweep file to `hlx analyze` and `hlx report`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from hlx.attribution.explain import explain
from hlx.attribution.map_tables import read_map_table
from hlx.cli.sweep_results import export, report
from hlx.games.regions import Grid
from hlx.games.stimuli import Stimulus
from hlx.io.files import write_csv
from hlx.models.loading.load import load_model
from hlx.sweep.plan.expand import plan_sweep
from hlx.sweep.results.shards import write_shard
from hlx.sweep.run.computing import compute
from hlx.sweep.run.preparing import Preparer, load_planned
from tests.support.command_line import hlx
from tests.support.image_groups import scene_images
from tests.support.merged_sweeps import write_sweep
from tests.sweep.test_csv_export import simulated_humans

SWEEP = """
stimuli = ["stimuli.csv"]
output = "results"
models = [{name = "clip-scenes", label = "clip"}]
regions = ["2x2", "3x3"]
backgrounds = ["blur", "mean"]
estimators = ["exact", {name = "leverage", budgets = [40], seeds = [0, 1], fewest_players = 9}]
"""


def run(command: object, *arguments: object) -> Result:
    """A command with its output apart from its messages; errors are raised."""
    found = CliRunner().invoke(command, [str(one) for one in arguments], catch_exceptions=False)  # type: ignore[arg-type]
    assert found.exit_code == 0
    return found


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sweep file of which everything but the last image is computed."""
    folder = tmp_path_factory.mktemp("sweep")
    stimuli = scene_images(folder, 6)
    rows = [
        {
            "id": one.id,
            "image": Path(str(one.image)).name,
            **{name: getattr(one, name) for name in ("caption", "foil", "phenomenon")},
        }
        for one in stimuli
    ]
    write_csv(rows, folder / "stimuli.csv")
    (folder / "sweep.toml").write_text(SWEEP)
    plan = plan_sweep(folder / "sweep.toml")
    [model] = plan.models
    loaded, preparer = load_planned(model), Preparer()
    for group in plan.groups:
        if group.image.path.name != "scene5.png":
            results, failures = compute(loaded, model, group, preparer.prepare(loaded, model, group))
            assert not failures
            write_shard(plan.sweep.output, results)
    return folder


@pytest.fixture
def sweep(computed: Path, tmp_path: Path) -> Path:
    """The sweep file, in a copy of the folder."""
    return shutil.copytree(computed, tmp_path / "copy") / "sweep.toml"


def test_a_sweep_file_is_merged_first_and_again_when_it_has_more(sweep: Path) -> None:
    merged = sweep.parent / "results" / "merged.h5"
    first = run(export, sweep)
    assert f"written: {merged}" in first.stderr
    assert "8 of 48 results are missing" in first.stderr
    assert sorted(path.name for path in (sweep.parent / "results" / "export").iterdir()) == [
        f"{grid}-{background}-{how}"
        for grid, hows in (("2x2", ["exact"]), ("3x3", ["exact", "leverage-40-seed0", "leverage-40-seed1"]))
        for background in ("blur", "mean")
        for how in hows
    ]
    assert "written: " not in run(export, sweep, "--force").stderr
    # A shard less, however old the others are.
    next((sweep.parent / "results" / "shards").glob("*.h5")).unlink()
    assert f"written: {merged}" in run(export, sweep, "--force").stderr


def test_what_is_exported_is_what_the_sweep_file_asks_for_now(sweep: Path) -> None:
    run(export, sweep)
    stimuli = sweep.parent / "stimuli.csv"
    stimuli.write_text(stimuli.read_text().replace("existence", "presence"))
    shutil.rmtree(sweep.parent / "results" / "export")
    run(export, sweep)
    written = (sweep.parent / "results" / "export" / "2x2-blur-exact" / "stimuli.csv").read_text()
    assert "presence" in written and "existence" not in written
    # Two sweep files of one output folder: each gets its own.
    other = sweep.with_name("other.toml")
    other.write_text(sweep.read_text().replace('["2x2", "3x3"]', '["2x2"]'))
    for file, folders in ((other, {"2x2"}), (sweep, {"2x2", "3x3"})):
        out = sweep.parent / f"out-{file.stem}"
        run(export, file, "--out", out)
        assert {path.name.split("-")[0] for path in out.iterdir()} == folders


def test_exported_maps_are_those_of_explain(sweep: Path) -> None:
    out = sweep.parent / "out"
    choice = (
        "--regions",
        "3x3",
        "--background",
        "mean",
        "--estimator",
        "leverage",
        "--seed",
        1,
        "--budget",
        40,
    )
    said = json.loads(run(export, sweep, *choice, "--out", out, "--json").stdout)
    [one] = said["folders"]
    assert (one["folder"], one["setting"], one["seed"]) == (str(out), "leverage 40", 1)
    _, maps = read_map_table(out / "shapley_clip.csv")
    about = Stimulus(sweep.parent / "scene2.png", *scene_texts(sweep, 2), "s2")
    alone = explain(
        load_model("clip-scenes"), about, Grid(3, 3), "leverage", budget=40, seed=1, background="mean"
    )
    np.testing.assert_allclose(maps["s2"], alone.values, rtol=0, atol=1e-5)
    assert len(maps) == 5


def scene_texts(sweep: Path, place: int) -> tuple[str, str]:
    from hlx.games.stimuli import read_stimuli

    stimulus = read_stimuli(sweep.parent / "stimuli.csv")[place]
    assert stimulus.foil is not None
    return stimulus.caption, stimulus.foil


def test_an_export_with_human_maps_is_analysed_and_reported(sweep: Path) -> None:
    humans = simulated_humans(sweep.parent / "humans.h5", Grid(3, 3), 6)
    out = sweep.parent / "out"
    run(
        export, sweep, "--regions", "3x3", "--background", "blur", "--estimator", "exact",
        "--humans", humans, "--out", out,
    )  # fmt: skip
    analysed = hlx("analyze", out, "--shuffles", 20, "--json")
    assert analysed.status == 0, analysed.err
    summary = json.loads(analysed.out)
    assert summary["simulated"] and list(summary["models"]) == ["clip"]
    page = sweep.parent / "page.html"
    reported = hlx("report", out, "--out", page, "--shuffles", 20, "--json")
    assert reported.status == 0, reported.err
    # Images are found from wherever the folder is.
    assert json.loads(reported.out)["images"] >= 3


def test_the_report_is_a_page_with_its_findings_on_the_terminal(sweep: Path) -> None:
    told = run(report, sweep)
    page = sweep.parent / "results" / "sweep.html"
    assert page.is_file() and f"written: {page}" in told.stderr
    assert "40 maps of 5 stimuli by 1 model; 8 of the 48 that were asked are missing." in told.stdout
    again = json.loads(run(report, sweep, "--force", "--json", "--common", "finest").stdout)
    assert again["common"] == "finest" and {pair["common"] for pair in again["across_grids"]} == {"3x3"}
    assert again["models"][0]["label"] == "clip" and len(again["content_hash"]) == 64


def test_a_merged_file_needs_no_sweep_file(tmp_path: Path) -> None:
    merged = write_sweep(tmp_path / "all.h5", grids=("2x2", "3x3"))
    run(report, merged, "--out", tmp_path / "page.html", "--common", "2x3")
    assert "2x3, for all pairs" in (tmp_path / "page.html").read_text()
    run(export, merged, "--regions", "2x2")
    assert (tmp_path / "export" / "shapley_CLIP.csv").is_file()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("report", "all.h5", "--common", "wide"), "expected ROWSxCOLS"),
        (("report", "all.h5", "--out", "page.pdf"), "ends in .html"),
        (("report", "none.h5"), "none.h5"),
        (("export", "all.h5", "--regions", "9x9"), "there are 2x2, 3x3"),
        (("export", "all.h5", "--humans", "none.h5"), "none.h5"),
        (("export", "all.h5", "--out", "all.h5", "--regions", "2x2"), "is a file, expected a folder"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], told: str
) -> None:
    write_sweep(tmp_path / "all.h5", grids=("2x2", "3x3"))
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    ended = hlx("sweep", *arguments)
    assert ended.status == 2 and told in ended.err and ended.err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before
