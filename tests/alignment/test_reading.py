"""A folder becomes a study: the reference study's files, hlx's own results, both; or it is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hlx.alignment.analysis import Study, read_study
from hlx.attribution.attribution import Attribution
from hlx.attribution.map_tables import map_table_text
from hlx.attribution.result_file import save
from hlx.attribution.score import NO_PHENOMENON
from hlx.errors import InputError
from hlx.games.regions import Grid
from hlx.humans import HumanMap, HumanMaps
from hlx.humans.human_map_files import write_human_maps
from hlx.io.files import write_csv
from tests.attribution.test_result_file import context

GRID = Grid(3, 3)
PHENOMENA = ("existence", "relations", "actions")
NAMES = tuple(f"s{number:02}" for number in range(12))


def maps(seed: int, names: Sequence[str] = NAMES, grid: Grid = GRID) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=grid.n_players) for name in names}


def shares(seed: int, names: Sequence[str] = NAMES, grid: Grid = GRID) -> dict[str, np.ndarray]:
    return {name: abs(values) / abs(values).sum() for name, values in maps(seed, names, grid).items()}


def write_people(folder: Path, names: Sequence[str] = NAMES, grid: Grid = GRID) -> None:
    map_table_text(grid, shares(99, names, grid), folder / "human_maps.csv")


def write_table(folder: Path, model: str, seed: int, names: Sequence[str] = NAMES, grid: Grid = GRID) -> None:
    map_table_text(grid, maps(seed, names, grid), folder / f"shapley_{model}.csv")


def write_stimuli(folder: Path, names: Sequence[str] = NAMES, key: str = "stimulus") -> None:
    rows = [
        {key: name, "caption": f"caption {name}", "foil": f"foil {name}", "phenomenon": PHENOMENA[number % 3]}
        for number, name in enumerate(names)
    ]
    write_csv(rows, folder / "stimuli.csv")


def write_scores(path: Path, seed: int, names: Sequence[str] = NAMES) -> dict[str, float]:
    """Scores of these stimuli; f by name."""
    scores = np.random.default_rng(seed).normal(size=(len(names), 2))
    columns = ("stimulus", "score_caption", "score_foil")
    write_csv(
        [dict(zip(columns, (n, *s), strict=True)) for n, s in zip(names, scores.tolist(), strict=True)], path
    )
    return {name: caption - foil for name, (caption, foil) in zip(names, scores.tolist(), strict=True)}


def write_benchmark(path: Path, seed: int, items: int = 60, **columns: object) -> np.ndarray:
    """Scores of the items of a benchmark; their f."""
    scores = np.random.default_rng(seed).normal(0.3, 2, size=(items, 2))
    rows = [
        {"image": f"{i}.jpg", "caption": "c", "foil": "f", "phenomenon": PHENOMENA[i % 3], **columns,
         "score_caption": caption, "score_foil": foil}
        for i, (caption, foil) in enumerate(scores.tolist())
    ]  # fmt: skip
    write_csv(rows, path)
    return scores[:, 0] - scores[:, 1]


def write_published(folder: Path, models: Sequence[str] = ("A", "B"), benchmark: bool = True) -> None:
    """A folder in the reference study's layout."""
    write_people(folder)
    write_stimuli(folder)
    for seed, model in enumerate(models):
        write_table(folder, model, seed)
        write_scores(folder / f"scores_stimuli_{model}.csv", 10 + seed)
        if benchmark:
            write_benchmark(folder / f"scores_valse_{model}.csv", 20 + seed)


def result(name: str, values: np.ndarray, model: str, grid: Grid = GRID, **changes: object) -> Attribution:
    """A result of explaining one stimulus; `changes` are of the context."""
    rng = np.random.default_rng(abs(hash(name)) % 1000)
    about = context(
        rng, stimulus_id=name, model=model, foil=f"foil {name}", phenomenon="existence", **changes
    )
    grand_coalition_value = float(values.sum())
    return Attribution(values, grand_coalition_value, 0.0, 1 << grid.n_players, grid, "exact", context=about)


def write_results(path: Path, model: str, values: Mapping[str, np.ndarray], grid: Grid = GRID) -> None:
    path.parent.mkdir(exist_ok=True)
    save(path, [result(name, one, model, grid) for name, one in values.items()])


def write_own(folder: Path, models: Sequence[str] = ("A", "B")) -> None:
    """A folder of hlx's own results."""
    people = HumanMaps(GRID, {name: HumanMap(one) for name, one in shares(99).items()}, simulated=True)
    write_human_maps(folder / "humans.h5", people)
    for seed, model in enumerate(models):
        write_results(folder / f"{model}.h5", model, maps(seed))


def note(study: Study, *parts: str) -> str:
    (found,) = (one for one in study.notes if all(part in one for part in parts))
    return found


def test_the_published_layout_is_read(tmp_path: Path) -> None:
    write_published(tmp_path, ("B", "A"))
    study = read_study(tmp_path)
    assert (study.name, study.grid, study.stimuli, study.notes) == (tmp_path.name, GRID, NAMES, ())
    assert [model.name for model in study.models] == ["A", "B"]
    assert not study.images and not study.humans.simulated
    about = study.about["s04"]
    assert (about.caption, about.foil, about.phenomenon) == ("caption s04", "foil s04", "relations")
    assert study.phenomenon("s04") == "relations" and study.phenomenon("nowhere") is None
    a, b = study.models
    np.testing.assert_array_equal(b.phi(NAMES), list(maps(0).values()))
    np.testing.assert_array_equal(a.f(NAMES), list(write_scores(tmp_path / "again.csv", 11).values()))
    assert np.isnan(a.f(("s00", "unknown"))).tolist() == [False, True]
    assert a.benchmark is not None and not a.benchmark.own_stimuli
    f = write_benchmark(tmp_path / "again_too.csv", 21)
    np.testing.assert_array_equal(a.benchmark.f, f)
    assert a.benchmark.deviation == float(np.std(f))
    accuracies = a.benchmark.accuracies
    assert accuracies.pooled.share == (f > 0).mean()
    each = {name: (f[i::3] > 0).mean() for i, name in enumerate(PHENOMENA)}
    assert {name: one.share for name, one in accuracies.phenomena.items()} == each
    assert accuracies.macro == pytest.approx(np.mean(list(each.values())), rel=1e-15)


def test_a_tie_of_scores_is_wrong(tmp_path: Path) -> None:
    write_published(tmp_path, ("A",))
    path = tmp_path / "scores_valse_A.csv"
    path.write_text("score_caption,score_foil,phenomenon\n1,1,x\n2,1,x\n0,1,\n2,0,\n")
    (model,) = read_study(tmp_path).models
    assert model.benchmark is not None
    shares = {name: one.share for name, one in model.benchmark.accuracies.phenomena.items()}
    assert shares == {"x": 0.5, NO_PHENOMENON: 0.5}


@pytest.mark.parametrize("where", [".", "shards"])
def test_results_of_hlx_are_read(tmp_path: Path, where: str) -> None:
    write_own(tmp_path, ())
    for seed, model in enumerate(("B", "A")):
        values = maps(seed)
        half = {name: values[name] for name in NAMES[:5]}
        rest = {name: values[name] for name in NAMES[5:]}
        write_results(tmp_path / where / f"{seed}-1.h5", model, half)
        write_results(tmp_path / where / f"{seed}-2.h5", model, rest)
    study = read_study(tmp_path)
    assert [model.name for model in study.models] == ["B", "A"] and study.stimuli == NAMES
    assert study.humans.simulated and study.phenomenon("s03") == "existence"
    assert study.images["s03"].shape == (8, 8, 3)
    for seed, model in enumerate(study.models):
        np.testing.assert_array_equal(model.phi(NAMES), list(maps(seed).values()))
        expected = [values.sum() for values in maps(seed).values()]
        np.testing.assert_array_equal(model.f(NAMES), expected)
        assert model.benchmark is not None and model.benchmark.own_stimuli
        np.testing.assert_array_equal(sorted(model.benchmark.f), sorted(expected))
        assert set(model.benchmark.phenomena) == {"existence"}
    assert note(study, "the stimuli's own scores normalise f").endswith("accuracy: all 12 scored stimuli")
    assert not read_study(tmp_path, pictures=False).images


def test_own_scores_say_how_many_they_are(tmp_path: Path) -> None:
    write_published(tmp_path, ("A", "B"), benchmark=False)
    for file in ("human_maps.csv", "scores_stimuli_B.csv"):
        (tmp_path / file).unlink()
    write_people(tmp_path, NAMES[:9])
    write_scores(tmp_path / "scores_stimuli_B.csv", 5, NAMES[:9])
    study = read_study(tmp_path)
    assert [len(model.benchmark.f) for model in study.models if model.benchmark is not None] == [12, 9]
    assert note(study, "A: no scores").endswith(
        "all 12 scored stimuli, also the 3 that lack a human map or a model's"
    )
    assert note(study, "B: no scores").endswith(": all 9 scored stimuli")


def test_both_kinds_mix(tmp_path: Path) -> None:
    write_published(tmp_path, ("A",))
    write_results(tmp_path / "b.h5", "B", maps(1))
    write_scores(tmp_path / "scores_stimuli_B.csv", 5)
    write_benchmark(tmp_path / "scores_some_name.csv", 22, 30, model="B")
    study = read_study(tmp_path)
    a, b = study.models
    assert (a.name, b.name) == ("A", "B") and a.benchmark is not None and b.benchmark is not None
    assert (len(a.benchmark.f), len(b.benchmark.f)) == (60, 30)
    # Scores in a file of their own go before those of results.
    np.testing.assert_array_equal(b.f(NAMES), list(write_scores(tmp_path / "again.csv", 5).values()))
    assert note(study, "different numbers of items") == (
        "accuracies are of different numbers of items: A 60, B 30"
    )
    assert study.about["s00"].caption == "caption s00"


def test_scores_find_maps_that_go_by_more_than_the_models_name(tmp_path: Path) -> None:
    write_own(tmp_path, ())
    for estimator in ("exact", "owen"):
        made = [replace(result(n, v, "m"), estimator=estimator) for n, v in maps(3).items()]
        save(tmp_path / f"{estimator}.h5", made)
    write_benchmark(tmp_path / "scores_m.csv", 4)
    study = read_study(tmp_path)
    assert [model.name for model in study.models] == ["m (exact)", "m (owen)"]
    assert all(model.benchmark is not None and len(model.benchmark.f) == 60 for model in study.models)


def test_scores_of_hlx_may_lack_images(tmp_path: Path) -> None:
    write_own(tmp_path, ("A",))
    (tmp_path / "scores.csv").write_text(
        "id,phenomenon,score_caption,score_foil,model\na,x,2,1,A\nb,x,,,A\nc,y,0,1,A\n"
    )
    study = read_study(tmp_path)
    (model,) = study.models
    assert model.benchmark is not None and model.benchmark.f.tolist() == [1.0, -1.0]
    assert note(study, "without scores") == "scores.csv: 1 item without scores left out"


def test_missing_stimuli_are_left_out_and_counted(tmp_path: Path) -> None:
    write_published(tmp_path, ())
    write_table(tmp_path, "A", 0, NAMES[2:])
    write_table(tmp_path, "B", 1, (*NAMES[:9], "extra"))
    study = read_study(tmp_path)
    assert study.stimuli == NAMES[2:9]
    assert note(study, "analysed") == (
        "7 of 13 stimuli analysed, those with a human map and a map of every model; left out: 1 without a "
        "human map (extra); 3 without a map of A (s00, s01, extra); 3 without a map of B (s09, s10, s11)"
    )
    assert note(study, "A: f of the stimuli is not known") and study.models[0].benchmark is None
    write_scores(tmp_path / "scores_stimuli_A.csv", 1, NAMES[:4])
    assert "f of 5 stimuli is not known (s04, s05, s06 and 2 more)" in note(read_study(tmp_path), "A: f of")


def test_scores_without_maps_are_noted(tmp_path: Path) -> None:
    write_published(tmp_path, ("A",))
    write_scores(tmp_path / "scores_stimuli_C.csv", 1)
    write_benchmark(tmp_path / "scores_valse_D.csv", 1)
    study = read_study(tmp_path)
    assert note(study, "scores_stimuli_C.csv", "there are no maps")
    assert note(study, "scores_valse_D.csv", "there are no maps")


def test_stimuli_go_by_id_or_image(tmp_path: Path) -> None:
    write_published(tmp_path, ("A",))
    (tmp_path / "stimuli.csv").unlink()
    assert read_study(tmp_path).phenomenon("s01") is None
    write_stimuli(tmp_path, NAMES[:7], "image")
    study = read_study(tmp_path)
    assert study.phenomenon("s01") == "relations" and study.phenomenon("s08") is None
    assert "5 stimuli with a human map: s07, s08, s09 and 2 more" in note(study, "does not list")
    (tmp_path / "stimuli.csv").unlink()
    write_stimuli(tmp_path, ("s01", "s01"), "image")
    with pytest.raises(InputError, match=r"stimuli\.csv: lists 's01' twice"):
        read_study(tmp_path)


def test_images_become_thumbnails(tmp_path: Path) -> None:
    folder, images = tmp_path / "study", tmp_path / "images"
    folder.mkdir(), images.mkdir()
    write_published(folder, ("A",))
    rng = np.random.default_rng(0)
    wide, small = (rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in ((300, 600), (20, 30)))
    Image.fromarray(wide).save(images / "s00.png")
    Image.fromarray(small).save(images / "s01.png")
    (images / "s02.png").write_bytes(b"no image")
    assert not read_study(folder).images
    study = read_study(folder, images=images)
    assert set(study.images) == {"s00", "s01"}
    assert study.images["s00"].shape == (128, 256, 3)
    np.testing.assert_array_equal(study.images["s01"], small)
    assert "s02.png" in note(study, "1 image cannot be read")
    assert "10 stimuli without an image: s02, s03, s04 and 7 more" in study.notes
    # Beside the file that lists the stimuli they are found without being pointed at.
    Image.fromarray(small).save(folder / "near.png")
    (folder / "stimuli.csv").write_text("id,image,caption\ns05,near.png,a caption\n")
    np.testing.assert_array_equal(read_study(folder).images["s05"], small)
    with pytest.raises(InputError, match="no such folder"):
        read_study(folder, images=tmp_path / "nowhere")


def refused(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_study(folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_folders_that_are_no_study_say_what_was_looked_for(tmp_path: Path) -> None:
    assert "no such folder; a study is a folder with human_maps.csv" in refused(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    assert "is no folder" in refused(tmp_path / "file")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "no files in this folder; a study has human_maps.csv or humans.h5" in refused(empty)
    write_table(tmp_path, "A", 0)
    assert "no human maps; looked for human_maps.csv and for the .h5 file" in refused(tmp_path)
    write_people(empty)
    assert "no model's maps; looked for shapley_NAME.csv and for the .h5 files" in refused(empty)


def test_two_files_of_one_thing_are_refused(tmp_path: Path) -> None:
    write_published(tmp_path, ("A",))
    write_own(tmp_path, ())
    message = refused(tmp_path)
    assert "humans.h5" in message and "human_maps.csv" in message
    (tmp_path / "human_maps.csv").unlink()
    write_results(tmp_path / "a.h5", "A", maps(0))
    assert "a.h5: " in (message := refused(tmp_path)) and "shapley_A.csv also holds maps of A" in message
    (tmp_path / "a.h5").unlink()
    write_benchmark(tmp_path / "scores_A.csv", 0)
    assert (
        "scores_A.csv: " in (message := refused(tmp_path)) and "scores_valse_A.csv also scores A" in message
    )


@pytest.mark.parametrize("own", [False, True])
def test_grids_that_differ_name_both_files(tmp_path: Path, own: bool) -> None:
    write_people(tmp_path)
    if own:
        write_results(tmp_path / "a.h5", "A", maps(0, grid=Grid(2, 2)), Grid(2, 2))
    else:
        write_table(tmp_path, "A", 0, grid=Grid(2, 2))
    message = refused(tmp_path)
    for part in ("human_maps.csv", "a.h5" if own else "shapley_A.csv", "2x2", "3x3"):
        assert part in message


def test_too_few_stimuli_are_refused(tmp_path: Path) -> None:
    write_people(tmp_path)
    write_table(tmp_path, "A", 0, NAMES[:2])
    message = refused(tmp_path)
    assert "2 stimuli with a human map and a map of every model of 12: 10 without a map of A" in message
    assert "at least 3 are needed" in message


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("scores_stimuli_A.csv", "stimulus,score_caption\ns00,1\n", "row 1: column score_foil is missing"),
        ("scores_stimuli_A.csv", "stimulus,score_caption,score_foil\ns00,1,x\n", "row 2, column score_foil"),
        (
            "scores_stimuli_A.csv",
            "stimulus,score_caption,score_foil\ns00,1,2\ns00,1,2\n",
            "row 3, column stimulus: 's00' appears twice",
        ),
        ("scores_valse_A.csv", "score_caption,score_foil\n1,\n", "row 2, column score_foil"),
        ("scores_valse_A.csv", "score_caption,score_foil\n", "holds no scored items"),
        ("scores.csv", "score_caption,score_foil\n1,2\n", "row 2, column model: missing; say whose scores"),
        ("stimuli.csv", "stimulus,foil\ns00,x\n", "row 1: column caption is missing"),
        ("human_maps.csv", "stimulus,r0c0,r0c1\ns00,0.5,oops\n", "row 2, column r0c1"),
        ("shapley_A.csv", "stimulus,r0c0\ns00,1\n", "a single cell"),
    ],
)
def test_files_that_cannot_be_used_are_named(tmp_path: Path, file: str, text: str, said: str) -> None:
    write_published(tmp_path, ("A",))
    (tmp_path / file).write_text(text)
    message = refused(tmp_path)
    assert said in message and file in message


def test_other_files_are_passed_over(tmp_path: Path) -> None:
    write_published(tmp_path, ("A",))
    for name in ("other.h5", "README.md", "notes.csv", ".hidden.h5"):
        (tmp_path / name).write_text("anything")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "stray.h5").write_text("anything")
    assert read_study(tmp_path).notes == ("other.h5 is no file of hlx's and was passed over",)


def test_the_reference_study_is_read(shared: Path) -> None:
    study = read_study(shared / "thesis")
    assert (study.name, len(study.stimuli), len(study.about)) == ("thesis", 92, 92)
    assert [model.name for model in study.models] == ["CLIP", "FLAVA"]
    assert "92 of 99 stimuli analysed" in note(study, "7 without a human map")
    assert all(model.benchmark is not None and len(model.benchmark.f) == 2637 for model in study.models)


def test_the_reference_study_without_a_benchmark(shared: Path, tmp_path: Path) -> None:
    for path in (shared / "thesis").glob("*.csv"):
        if not path.name.startswith("scores_valse_"):
            (tmp_path / path.name).symlink_to(path)
    study = read_study(tmp_path, pictures=False)
    assert len(study.stimuli) == 92
    assert all(model.benchmark is not None and len(model.benchmark.f) == 99 for model in study.models)
    assert "CLIP, FLAVA" in note(study, "all 99 scored stimuli, also the 7 that lack a human map")
