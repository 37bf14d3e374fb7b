"""Scoring: stimuli get their own scores, images and texts are encoded once, and accuracies add up."""

import csv
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import hlx.models
from hlx.attribution.score import NO_PHENOMENON, PairScore, accuracy, score_stimuli
from hlx.cli.score import score
from hlx.errors import InputError, NonFiniteScoreError, OutputError
from hlx.games.stimuli import Stimulus, read_stimuli
from hlx.io.images import read_image, square


class GreyModel:
    """Scores how close the number that a text starts with is to the image's mean red: 0 at best."""

    side = 4
    fingerprint = "f" * 64
    engine = "jax"

    def __init__(self, name: str = "grey") -> None:
        self.name = name
        self.image_batches: list[int] = []
        self.texts: list[str] = []

    def encode_squares(self, squares: np.ndarray) -> np.ndarray:
        self.image_batches.append(len(squares))
        return np.stack([squares[..., 0].mean((1, 2)), np.ones(len(squares))], 1).astype(np.float32)

    def encode_texts(self, texts: list[str]) -> np.ndarray:
        self.texts += texts
        return np.array([[float(text.split()[0]), 1] for text in texts], np.float32)

    def pair_logits(self, images: np.ndarray, texts: np.ndarray) -> np.ndarray:
        return -np.abs(images[:, 0] - texts[:, 0])


def picture(path: Path, grey: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (5, 7), (grey, 0, 0)).save(path)
    return path


def record(phenomenon: str | None, caption: float | None, foil: float | None) -> PairScore:
    return PairScore(None, "a.png", phenomenon, "x", "y", caption, foil, None)


# --- score_stimuli


@given(
    text_queries=st.lists(
        st.tuples(*[st.integers(0, 4)] * 3).filter(lambda q: q[1] != q[2]), min_size=1, max_size=12
    ),
    batch_size=st.integers(1, 7),
)
def test_scores_are_each_pair_s_own_whatever_the_batches(
    text_queries: list[tuple[int, int, int]], batch_size: int
) -> None:
    images = [np.full((2, 3, 3), grey, np.uint8) for grey in range(5)]
    stimuli = [
        Stimulus(images[g], f"{c} grey", f"{f} grey", id=str(i)) for i, (g, c, f) in enumerate(text_queries)
    ]
    model, calls = GreyModel(), []
    records = score_stimuli(model, stimuli, batch_size=batch_size, progress=lambda *at: calls.append(at))
    for (grey, caption, foil), stimulus, result in zip(text_queries, stimuli, records, strict=True):
        assert (result.id, result.caption, result.foil) == (stimulus.id, stimulus.caption, stimulus.foil)
        assert (result.score_caption, result.score_foil) == (-abs(grey - caption), -abs(grey - foil))
        assert result.correct == (abs(grey - caption) < abs(grey - foil))
        assert result.content_hash == stimulus.content_hash
    used = {grey for grey, _, _ in text_queries}
    spoken = {number for _, *pair in text_queries for number in pair}
    assert sum(model.image_batches) == len(used)
    assert max(model.image_batches) <= batch_size
    assert sorted(model.texts) == sorted(f"{number} grey" for number in spoken)
    assert calls[-1] == (len(used) + len(spoken),) * 2


def test_images_are_squared_to_the_model_s_side(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 5, 3), dtype=np.uint8)).save(path)
    seen = []

    class Watching(GreyModel):
        def encode_squares(self, squares: np.ndarray) -> np.ndarray:
            seen.append(squares)
            return super().encode_squares(squares)

    score_stimuli(Watching(), [Stimulus(path, "1", "2"), Stimulus(str(path), "3", "4")])
    np.testing.assert_array_equal(np.concatenate(seen), square(read_image(path), 4)[None])


def test_a_missing_image_leaves_its_stimulus_unscored(tmp_path: Path) -> None:
    path = picture(tmp_path / "found.png", 3)
    stimuli = [Stimulus(name, "3 a", "4 a", id=name) for name in ("a.png", "b.png")]
    records = score_stimuli(GreyModel(), stimuli, sources=[None, path])
    assert [(r.id, r.image, r.correct) for r in records] == [
        ("a.png", "a.png", None),
        ("b.png", "b.png", True),
    ]
    assert records[0].score_caption is None and records[0].content_hash is None
    assert [r.correct for r in score_stimuli(GreyModel(), stimuli, sources=[None, None])] == [None, None]
    assert score_stimuli(GreyModel(), []) == []


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("text", ["caption", "foil"])
def test_a_score_that_is_no_number_names_its_stimulus(bad: float, text: str) -> None:
    stimuli = [
        Stimulus(np.zeros((1, 1, 3), np.uint8), f"{i} a", f"{i} b", id=f"item-{i}") for i in range(1, 4)
    ]

    class Broken(GreyModel):
        def encode_texts(self, texts: list[str]) -> np.ndarray:
            vectors = super().encode_texts(texts)
            vectors[texts.index("2 a" if text == "caption" else "2 b")] = bad
            return vectors

    with pytest.raises(NonFiniteScoreError, match=rf"stimulus item-2: the model's score of its {text} is "):
        score_stimuli(Broken(), stimuli)


def test_what_cannot_be_scored_is_refused(tmp_path: Path) -> None:
    stimulus = Stimulus(tmp_path / "absent.png", "1", "2", id="q")
    with pytest.raises(InputError, match="stimulus q: has no foil"):
        score_stimuli(GreyModel(), [Stimulus("a.png", "1", id="q")])
    with pytest.raises(InputError, match=r"absent\.png: no such file"):
        score_stimuli(GreyModel(), [stimulus])
    with pytest.raises(InputError, match="batch size: expected at least 1, found 0"):
        score_stimuli(GreyModel(), [stimulus], batch_size=0)
    with pytest.raises(InputError, match="sources: expected one for each of 1 stimuli, found 0"):
        score_stimuli(GreyModel(), [stimulus], sources=[])


# --- accuracy


def test_pooled_counts_stimuli_and_macro_counts_phenomena() -> None:
    records = [record("many", 1.0, 0.0)] * 8 + [record("few", 0.0, 1.0), record("few", 2.0, 1.0)]
    table = accuracy([*records, record("absent", None, None), record("few", None, None)])
    assert {name: entry.share for name, entry in table.phenomena.items()} == {
        "many": 1,
        "few": 0.5,
        "absent": None,
    }
    assert table.pooled.share == 0.9
    assert table.macro == 0.75
    assert (table.pooled.scored, table.pooled.correct, table.pooled.unscored) == (10, 9, 2)
    assert table.phenomena["few"].unscored == 1


scores = st.none() | st.integers(-2, 2).map(float)


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c", None]), scores, scores), max_size=20))
def test_accuracies_add_up(rows: list[tuple[str | None, float | None, float | None]]) -> None:
    records = [record(p, c, None if c is None else f if f is not None else 0.0) for p, c, f in rows]
    table = accuracy(records)
    entries = table.phenomena.values()
    assert table.pooled.scored == sum(e.scored for e in entries)
    assert table.pooled.correct == sum(e.correct for e in entries)
    assert table.pooled.correct == sum(
        r.score_caption > r.score_foil for r in records if r.correct is not None
    )
    assert table.pooled.scored + table.pooled.unscored == len(rows)
    known = [e.share for e in entries if e.share is not None]
    assert (table.macro is None) == (table.pooled.share is None) == (not known)
    if table.macro is not None:
        assert min(known) - 1e-12 <= table.macro <= max(known) + 1e-12


def test_ties_are_wrong_and_no_phenomenon_is_one() -> None:
    table = accuracy([record(None, 1.0, 1.0), record(None, 2.0, 1.0)])
    assert table.phenomena[NO_PHENOMENON].share == 0.5
    assert accuracy([]).macro is None


# --- hlx score


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stimulus file, images of two of its three names, and a model that stands in for all."""
    rows = ["image,caption,foil,phenomenon", "1.png,1 a,2 a,existence", "1.png,9 a,1 a,existence"]
    rows += ["2.png,2 a,9 a,relations", "gone.png,1 a,2 a,relations"]
    (tmp_path / "s.csv").write_text("\n".join(rows))
    picture(tmp_path / "images" / "deep" / "1.PNG", 1)
    picture(tmp_path / "more" / "2.bmp", 2)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hlx.models, "load_model", lambda name, dtype: GreyModel(name), raising=False)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(score, ["s.csv", "--images", "images", "--images", "more", *arguments])


def refused(error: type[Exception], *arguments: str) -> str:
    before = {path: path.read_bytes() for path in Path().iterdir() if path.is_file()}
    result = run(*arguments)
    assert isinstance(result.exception, error), result.output
    assert before == {path: path.read_bytes() for path in Path().iterdir() if path.is_file()}
    assert "\n" not in str(result.exception)
    return str(result.exception)


def test_scores_are_written_and_accuracies_printed(folder: Path) -> None:
    result = run()
    assert result.exit_code == 0, result.output
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["phenomenon", "scored", "correct", "accuracy", "unscored"],
        ["existence", "2", "1", "50.00%", "0"],
        ["relations", "1", "1", "100.00%", "1"],
        ["pooled", "3", "2", "66.67%", "1"],
        ["macro", "75.00%"],
    ]
    assert "1 image not found" in result.stderr and "  gone.png" in result.stderr
    assert "encoding images and texts: 5 of 5" in result.stderr
    rows = list(csv.DictReader((folder / "scores.csv").read_text().splitlines()))
    assert [float(row["score_caption"]) for row in rows[:3]] == [0, -8, 0]
    assert (rows[3]["image"], rows[3]["score_caption"], rows[3]["score_foil"]) == ("gone.png", "", "")
    assert [row["correct"] for row in rows] == ["1", "0", "1", ""]
    assert {row["model"] for row in rows} == {"clip-scenes"}
    assert {(row["fingerprint"], row["engine"]) for row in rows} == {(GreyModel.fingerprint, "jax")}
    written = [path.name for path in folder.iterdir()]
    assert sorted(written) == ["images", "more", "s.csv", "scores.csv"]


def test_a_result_file_is_a_stimulus_file_again(folder: Path) -> None:
    assert run("--out", "first.jsonl").exit_code == 0
    assert run("--out", "first.csv").exit_code == 0
    for name in ("first.jsonl", "first.csv"):
        assert read_stimuli(name, resolve=False) == read_stimuli("s.csv", resolve=False)
    lines = [json.loads(line) for line in (folder / "first.jsonl").read_text().splitlines()]
    assert [line["correct"] for line in lines] == [True, False, True, None]
    assert lines[0]["content_hash"] == Stimulus(folder / "images/deep/1.PNG", "1 a", "2 a").content_hash


def test_json_is_one_object(folder: Path) -> None:
    answer = json.loads(run("--json", "--model", "m", "--dtype", "bfloat16").stdout)
    assert answer["missing_images"] == ["gone.png"]
    assert (answer["model"], answer["dtype"], answer["out"]) == ("m", "bfloat16", "scores.csv")
    assert answer["pooled"] == {"scored": 3, "correct": 2, "unscored": 1, "accuracy": pytest.approx(2 / 3)}
    assert answer["macro"] == 0.75
    assert answer["phenomena"]["relations"]["accuracy"] == 1


def test_all_missing_names_go_to_a_file_and_the_first_to_the_terminal(folder: Path) -> None:
    names = [f"gone{i}.png" for i in range(25)]
    with open("s.csv", "a") as file:
        file.write("\n" + "\n".join(f"{name},1 a,2 a,x" for name in names))
    result = run("--missing", "missing.txt")
    assert result.exit_code == 0
    assert (folder / "missing.txt").read_text().splitlines() == ["gone.png", *names]
    assert "26 images not found" in result.stderr
    assert "gone18.png" in result.stderr and "gone19.png" not in result.stderr
    assert "and 6 more; all of them in missing.txt" in result.stderr


def test_nothing_found_is_an_error(folder: Path) -> None:
    result = CliRunner().invoke(score, ["s.csv", "--missing", "missing.txt"])
    assert isinstance(result.exception, InputError)
    assert "not one image was found of 3" in str(result.exception)
    assert (folder / "missing.txt").read_text().split() == ["1.png", "2.png", "gone.png"]
    assert not (folder / "scores.csv").exists()


def test_outputs_are_refused_before_the_work(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hlx.models, "load_model", lambda name, dtype: pytest.fail("a model was loaded"))
    Path("old.csv").write_text("precious")
    assert "old.csv: exists; force=True" in refused(OutputError, "--out", "old.csv")
    assert "m.csv" in refused(InputError, "--out", "m.csv", "--missing", "./m.csv")
    assert "old.csv: exists" in refused(OutputError, "--missing", "old.csv")
    assert "no folder nowhere" in refused(OutputError, "--out", "nowhere/s.csv")
    Path("folder.csv").mkdir()
    assert "no regular file" in refused(OutputError, "--out", "folder.csv", "--force")
    assert "ends in .csv or .jsonl" in refused(InputError, "--out", "scores.txt")
    assert "holds no annotators' votes" in refused(InputError, "--validated")
    Path("s.csv").write_text("image,caption,foil\n1.png,1 a,\n")
    assert "row 2, column foil: missing" in refused(InputError)


def test_force_replaces(folder: Path) -> None:
    Path("scores.csv").write_text("old")
    assert run("--force").exit_code == 0
    assert (
        Path("scores.csv").read_text().startswith("id,image,caption,foil,phenomenon,score_caption,score_foil")
    )


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_write_that_fails_leaves_what_was_there(
    broken: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("scores.csv").write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, broken, full)
    assert "scores.csv: cannot be written: No space left" in refused(OutputError, "--force")


def test_scores_that_are_no_numbers_write_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(GreyModel):
        def pair_logits(self, images: np.ndarray, texts: np.ndarray) -> np.ndarray:
            return super().pair_logits(images, texts) * math.nan

    monkeypatch.setattr(hlx.models, "load_model", lambda name, dtype: Broken())
    assert "stimulus s/2" in refused(NonFiniteScoreError, "--missing", "missing.txt")


def test_valse_items_left_out_are_told_in_one_line(folder: Path) -> None:
    votes = {"caption": 3, "foil": 0, "other": 0}
    item = {
        "image_file": "1.png",
        "caption": "1 a",
        "foil": "2 a",
        "mturk": votes,
        "linguistic_phenomena": "p",
    }
    items = {"a": item, "b": {**item, "foil": "1 a"}, "c": {**item, "mturk": {**votes, "caption": 1}}}
    Path("swap.json").write_text(json.dumps(items))
    result = CliRunner().invoke(score, ["swap.json", "--images", "images", "--validated"])
    assert result.exit_code == 0, result.output
    assert "warning: swap.json: 1 of 3 items left out, their caption equals their foil: b\n" in result.stderr
    assert [row["id"] for row in csv.DictReader(Path("scores.csv").read_text().splitlines())] == ["swap/a"]


def test_help_shows_an_example_and_loads_nothing_heavy() -> None:
    result = CliRunner().invoke(score, ["--help"])
    assert result.exit_code == 0
    assert "hlx score existence.json relations.json --validated" in result.stdout
