"""`hlx explain` and `hlx models` as they are typed: results, files, and one line for every bad input."""

from __future__ import annotations

import csv
import errno
import functools
import json
import os
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file

import hlx
import hlx.models
from hlx.cli import COMMANDS
from hlx.models.families import FAMILIES
from hlx.models.jax.dual_encoder import DualEncoder
from hlx.models.loading.hub import EMBEDDED, find
from tests.support.command_line import Ended, files, refusal
from tests.support.command_line import hlx as run

CAPTION, FOIL = "a red circle left of a blue square", "a blue circle"
TEXTS = ("--caption", CAPTION, "--foil", FOIL)
SMALL = ("--grid", "2x2")
ASSETS = Path(hlx.__file__).parent / "assets"
KEYS = {
    *("model", "image", "caption", "foil", "grid", "background", "estimator", "dtype", "n_evaluations"),
    *("score", "score_hidden", "shapley", "standard_error", "seconds", "engine"),
}


@pytest.fixture(scope="module", autouse=True)
def embedded_models_are_loaded_once() -> Iterator[None]:
    load = hlx.models.load_model
    once = functools.cache(load)

    def load_or_reuse(name: str, dtype: str = "float32") -> DualEncoder:
        return (once if name in EMBEDDED else load)(name, dtype)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hlx.models, "load_model", load_or_reuse)
        yield


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with photo.png in it."""
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    Image.fromarray(pixels.repeat(10, 0).repeat(10, 1)).save("photo.png")
    return tmp_path


def explained(*arguments: object) -> dict:
    """The one JSON object that a call prints."""
    ended = run("explain", *arguments, "--json")
    assert ended.status == 0, ended.err
    return json.loads(ended.out)


def close(one: object, other: object) -> None:
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-4)


# --- results


def test_json_says_what_the_library_says(folder: Path) -> None:
    made = explained("photo.png", *TEXTS, "--grid", "2x3", "--background", "mean")
    assert made.keys() >= KEYS
    assert (made["model"], made["image"], made["grid"]) == ("clip-scenes", "photo.png", "2x3")
    assert (made["caption"], made["foil"], made["background"]) == (CAPTION, FOIL, "mean")
    assert (made["estimator"], made["dtype"], made["n_evaluations"]) == ("exact", "float32", 64)
    assert made["standard_error"] is None and made["seconds"] > 0
    model = hlx.load_model(made["model"])
    same = hlx.explain(model, hlx.Stimulus("photo.png", CAPTION, FOIL), hlx.Grid(2, 3), background="mean")
    close(made["shapley"], same.map)
    close([made["score"], made["score_hidden"]], [same.grand_coalition_value, same.baseline_value])
    assert np.sum(made["shapley"]) == pytest.approx(made["score"] - made["score_hidden"], abs=1e-6)


def test_a_folder_s_name_loads_again_from_anywhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ASSETS / "siglip-scenes", "here")
    made = explained("photo.png", *TEXTS, *SMALL, "--model", "./here")
    assert made["model"] == str(folder / "here")
    close(made["shapley"], explained("photo.png", *TEXTS, *SMALL, "--model", "siglip-scenes")["shapley"])
    monkeypatch.chdir("/")
    assert hlx.load_model(made["model"]).fingerprint == made["fingerprint"]


def test_results_go_to_stdout_and_all_else_to_stderr(folder: Path) -> None:
    plain = run("explain", "photo.png", *TEXTS, *SMALL, "--out", "a.h5", "--plot", "a.png")
    assert plain.status == 0
    for part in ("photo.png", CAPTION, FOIL, "clip-scenes (float32, jax), hidden", "exact, 16 evaluations"):
        assert part in plain.out
    assert "written" not in plain.out and "evaluating" not in plain.out
    assert plain.err.splitlines()[-2:] == ["written: a.h5", "written: a.png"]
    assert "evaluating coalitions: 16 of 16\n" in plain.err
    assert files(folder).keys() == {"photo.png", "a.h5", "a.png"}
    with Image.open("a.png") as drawn:
        assert drawn.format == "PNG" and min(drawn.size) > 100


def test_without_a_foil_f_is_the_caption_s_score(folder: Path) -> None:
    alone, pair = explained("photo.png", "--caption", CAPTION, *SMALL), explained("photo.png", *TEXTS, *SMALL)
    foil = explained("photo.png", "--caption", FOIL, *SMALL)
    assert alone["foil"] is None
    close(np.subtract(alone["shapley"], foil["shapley"]), pair["shapley"])
    close(alone["score"] - foil["score"], pair["score"])


@pytest.mark.parametrize("ending", [".png", ".npy"])
def test_label_maps(folder: Path, ending: str) -> None:
    """The cells of a grid as a label map, of the image's size or of the model's."""
    grid = np.ravel(explained("photo.png", *TEXTS, "--grid", "2x1")["shapley"])
    for name, shape in (("own", (50, 70)), ("model", (64, 64))):
        labels = np.zeros(shape, np.uint8)
        labels[shape[0] // 2 :] = 1
        path = Path(name + ending)
        Image.fromarray(labels).save(path) if ending == ".png" else np.save(path, labels)
        made = explained("photo.png", *TEXTS, "--regions", path)
        assert made["grid"] is None and made["regions"]["shape"] == list(shape)
        close(made["shapley"], grid)
    shown = run("explain", "photo.png", *TEXTS, "--regions", path, "--out", "a.h5", "--plot", "a.png")
    assert shown.status == 0
    again = run("explain", "--from", "a.h5", "--plot", "b.png")
    assert again.out == shown.out and Path("a.png").read_bytes() == Path("b.png").read_bytes()


def test_options_reach_the_result(folder: Path) -> None:
    base = explained("photo.png", *TEXTS, *SMALL)
    for options, changed in (
        (("--background", "black"), {"background": "black"}),
        (("--batch-size", "4"), {"batch_size": 4}),
        (("--seed", "9"), {"seed": 9}),
    ):
        made = explained("photo.png", *TEXTS, *SMALL, *options)
        assert {key: made[key] for key in changed} == changed != {key: base[key] for key in changed}
        same = np.allclose(made["shapley"], base["shapley"], atol=1e-4)
        assert same != ("--background" in options)
    half = explained("photo.png", *TEXTS, *SMALL, "--dtype", "bfloat16")
    assert half["dtype"] == "bfloat16" and half["shapley"] != base["shapley"]
    assert np.corrcoef(np.ravel(half["shapley"]), np.ravel(base["shapley"]))[0, 1] > 0.9


def test_sampling(folder: Path) -> None:
    sampled = ("--grid", "2x3", "--estimator", "permutation", "--budget")
    one, same, other = (explained("photo.png", *TEXTS, *sampled, 32, "--seed", seed) for seed in (1, 1, 2))
    assert one["n_evaluations"] <= 32 and np.shape(one["standard_error"]) == (2, 3)
    assert one["shapley"] == same["shapley"] != other["shapley"]
    run("explain", "photo.png", *TEXTS, *sampled, 32, "--seed", 1, "--out", "a.h5")
    kept = explained("--from", "a.h5")
    assert (kept["shapley"], kept["standard_error"]) == (one["shapley"], one["standard_error"])


def test_an_over_long_caption_is_cut_with_one_warning(folder: Path) -> None:
    long = "a red circle " * 60
    ended = run("explain", "photo.png", "--caption", long, "--foil", FOIL, *SMALL, "--json")
    assert ended.status == 0
    said = [line for line in ended.err.splitlines() if "evaluating" not in line]
    assert len(said) == 1 and said[0].startswith("warning: caption of 18") and "cut to the model's" in said[0]
    made = json.loads(ended.out)
    assert made["caption"] == long
    close(
        made["shapley"],
        explained("photo.png", "--caption", long + "a dog", "--foil", FOIL, *SMALL)["shapley"],
    )


# --- many pairs, and results that are kept

PAIRS = [(CAPTION, FOIL, "one"), ("a large, green triangle", "", "two"), ("no circle", "a circle", "three")]


@pytest.fixture
def pairs(folder: Path) -> Path:
    with open("pairs.csv", "w", newline="") as file:
        csv.writer(file).writerows([("caption", "foil", "id"), *PAIRS])
    return folder / "pairs.csv"


def lines(ended: Ended) -> list[dict]:
    assert ended.status == 0, ended.err
    return [json.loads(line) for line in ended.out.splitlines()]


def test_pairs_give_what_each_gives_alone(pairs: Path) -> None:
    """From one sweep, kept with image vectors, which map the same pairs and new ones later."""
    kept = ("--out", "a.h5", "--keep-embeddings")
    ended = run("explain", "photo.png", "--pairs", "pairs.csv", *SMALL, "--json", *kept)
    assert ended.err.count("evaluating coalitions: 16 of 16") == 1
    together = lines(ended)
    again = lines(run("explain", "--from", "a.h5", "--json"))
    later = lines(run("explain", "--from", "a.h5", "--pairs", "pairs.csv", "--json"))
    assert len(together) == len(again) == len(later) == 3
    with h5py.File("a.h5") as file:
        assert file["vectors/0"].shape[0] == 16 and len(file["vectors"]) == len(file["images"]) == 1
    for (caption, foil, name), *made in zip(PAIRS, together, again, later, strict=True):
        alone = explained("photo.png", "--caption", caption, *(("--foil", foil) if foil else ()), *SMALL)
        for one in made:
            assert (one["caption"], one["foil"], one["stimulus_id"]) == (caption, foil or None, name)
            assert one["stimulus_hash"] == alone["stimulus_hash"]
            close(one["shapley"], alone["shapley"])
            close([one["score"], one["score_hidden"]], [alone["score"], alone["score_hidden"]])
    drawn = run("explain", "--from", "a.h5", "--plot", "a.png")
    assert drawn.status == 0 and all(caption in drawn.out for caption, _, _ in PAIRS)


@pytest.mark.parametrize("model", [name for name in EMBEDDED if name != "lxmert-scenes"])
def test_kept_embeddings_map_a_new_pair(folder: Path, model: str) -> None:
    options = ("--model", model, "--grid", "2x3")
    assert (
        run(
            "explain", "photo.png", *TEXTS, *options, "--out", "a.h5", "--keep-embeddings", "--no-table"
        ).status
        == 0
    )
    for texts in (("--caption", FOIL, "--foil", "a circle"), ("--caption", "a circle")):
        new = explained("--from", "a.h5", *texts, "--out", "b.h5", "--force")
        fresh = explained("photo.png", *texts, *options)
        close(new["shapley"], fresh["shapley"])
        close([new["score"], new["score_hidden"]], [fresh["score"], fresh["score_hidden"]])
        moving = {"shapley", "score", "score_hidden", "seconds", "table_seconds", "seed"}
        assert {k: v for k, v in new.items() if k not in moving} == {
            k: v for k, v in fresh.items() if k not in moving
        }
        assert explained("--from", "b.h5") == new


def test_no_embeddings_are_kept_of_a_model_that_sees_image_and_text_together(folder: Path) -> None:
    options = ("--model", "lxmert-scenes", *SMALL, "--out", "a.h5", "--keep-embeddings")
    refused = refusal(folder, "explain", "photo.png", *TEXTS, *options)
    assert refused.startswith("hlx: image vectors are kept of models whose image side never sees the text")
    assert (
        run("explain", "photo.png", *TEXTS, "--model", "lxmert-scenes", *SMALL, "--out", "b.h5").status == 0
    )
    refused = refusal(folder, "explain", "--from", "b.h5", "--caption", "x")
    assert "of lxmert-scenes, run by torch, none can be kept" in refused and "--keep" not in refused
    assert "explain the image again" in refused


def test_a_single_pair_may_have_an_id(folder: Path) -> None:
    for source in (("photo.png", *SMALL, "--out", "a.h5", "--keep-embeddings"), ("--from", "a.h5")):
        assert explained(*source, *TEXTS, "--id", "s 1")["stimulus_id"] == "s 1"
    refused = run("explain", "photo.png", "--pairs", "pairs.csv", "--id", "s 1")
    assert refused.status == 2 and "--id names the stimulus of a --caption" in refused.err


def test_kept_tables_are_solved_again(folder: Path) -> None:
    first = explained("photo.png", *TEXTS, *SMALL, "--out", "a.h5")
    bare = explained("photo.png", *TEXTS, *SMALL, "--out", "b.h5", "--no-table")
    assert explained("--from", "a.h5") == first and explained("--from", "b.h5") == bare
    a, b = hlx.load("a.h5")[0], hlx.load("b.h5")[0]
    assert b.coalition_values is None and a.coalition_values is not None
    np.testing.assert_array_equal(hlx.shapley_from_table(a.coalition_values), np.ravel(first["shapley"]))
    assert explained("--from", "a.h5", "--out", "c.h5", "--no-table") == first
    assert hlx.load("c.h5")[0].coalition_values is None


def test_kept_embeddings_are_of_the_same_weights(folder: Path) -> None:
    shutil.copytree(ASSETS / "clip-scenes", "model")
    made = ("--model", "model", *SMALL, "--out", "a.h5", "--keep-embeddings")
    assert run("explain", "photo.png", *TEXTS, *made).status == 0
    weights = load_file("model/model.safetensors")
    key = next(key for key in weights if key.startswith("vision_model"))
    save_file({**weights, key: weights[key] + 1}, "model/model.safetensors")
    assert "other weights" in refusal(folder, "explain", "--from", "a.h5", *TEXTS)
    shutil.rmtree("model")
    assert "unknown model" in refusal(folder, "explain", "--from", "a.h5", *TEXTS)
    assert run("explain", "--from", "a.h5").status == 0


def test_existing_files_are_replaced_only_by_force(folder: Path) -> None:
    for option, name in (("--out", "a.h5"), ("--plot", "a.png")):
        arguments = ("explain", "photo.png", *TEXTS, *SMALL, option, name)
        Path(name).write_bytes(b"old")
        assert "exists; --force replaces it" in refusal(folder, *arguments)
        assert run(*arguments, "--force").status == 0
        assert Path(name).read_bytes() != b"old"
    Image.new("L", (70, 50)).save("labels.png")
    for name, *options in (
        ("photo.png", "--caption", CAPTION),
        ("labels.png", "--caption", CAPTION, "--regions", "labels.png"),
    ):
        plot = ("--plot", folder / name, "--force")
        assert "is an input" in refusal(folder, "explain", "photo.png", *options, *plot)


# --- bad options

CONFLICTS: dict[str, tuple[tuple[object, ...], str]] = {
    "no image": (TEXTS, "which image"),
    "no caption": (("photo.png",), "which caption"),
    "foil alone": (("photo.png", "--foil", "x"), "--foil needs a --caption"),
    "pairs and caption": (("photo.png", "--pairs", "p.csv", "--caption", "x"), "--pairs holds"),
    "from and image": (("photo.png", "--from", "kept.h5"), "leave IMAGE out"),
    "from and model": (("--from", "kept.h5", "--model", "clip-scenes"), "--model was settled"),
    "from and batch": (("--from", "kept.h5", "--batch-size", "4"), "--batch-size was settled"),
    "grid and regions": (("photo.png", *TEXTS, *SMALL, "--regions", "l.png"), "give one of them"),
    "no table": (("photo.png", *TEXTS, "--no-table"), "--no-table says what --out keeps"),
    "embeddings": (("photo.png", *TEXTS, "--keep-embeddings"), "--keep-embeddings says what --out"),
    "sampled embeddings": (
        (
            *("photo.png", *TEXTS, *SMALL, "--keep-embeddings", "--out", "a.h5"),
            *("--estimator", "permutation", "--budget", 10),
        ),
        "exact",
    ),
    "no vectors": (("--from", "kept.h5", "--caption", "x"), "--keep-embeddings"),
    "no result": (("--from", "none.h5"), "none.h5: no such file"),
    "other file": (("--from", "photo.png"), "photo.png: is not a file of hlx"),
    "background": (("photo.png", *TEXTS, "--background", "white"), "'white' is not one of 'blur'"),
    "dtype": (("photo.png", *TEXTS, "--dtype", "float16"), "'float16'"),
    "estimator": (("photo.png", *TEXTS, "--estimator", "lime"), "unknown estimator 'lime'"),
    "batch": (("photo.png", *TEXTS, "--batch-size", "0"), "batch size '0'"),
    "batch text": (("photo.png", *TEXTS, "--batch-size", "many"), "batch size 'many'"),
    "seed": (("photo.png", *TEXTS, "--seed", "-1"), "--seed"),
    "seed text": (("photo.png", *TEXTS, "--seed", "x"), "--seed"),
    "no budget": (("photo.png", *TEXTS, "--estimator", "permutation"), "say how many with a budget"),
    "budget": (("photo.png", *TEXTS, "--estimator", "permutation", "--budget", "5"), "too small"),
    "no pair of orders": (
        ("photo.png", *TEXTS, *SMALL, "--estimator", "permutation", "--budget", "4"),
        "at least 5",
    ),
    "exact budget": (("photo.png", *TEXTS, "--budget", "5"), "all 65,536 coalitions"),
    "no option": (("photo.png", "--grdi", "4x4"), "No such option '--grdi'"),
    "two images": (("photo.png", "photo.png", *TEXTS), "unexpected extra argument"),
    "empty caption": (("photo.png", "--caption", " "), "caption: empty"),
    "empty foil": (("photo.png", "--caption", "x", "--foil", ""), "foil: empty"),
    "same texts": (("photo.png", "--caption", "a  b", "--foil", "a b"), "foil: equals the caption"),
}


@pytest.mark.parametrize(("arguments", "message"), CONFLICTS.values(), ids=CONFLICTS)
def test_options_that_do_not_go_together(folder: Path, arguments: tuple, message: str) -> None:
    from tests.attribution.test_result_file import attribution

    hlx.save("kept.h5", [attribution()])
    assert message in refusal(folder, "explain", *arguments)


def test_a_command_that_is_none(folder: Path) -> None:
    assert "No such command 'explane'" in refusal(folder, "explane")


def test_a_bare_game_has_nothing_to_draw(folder: Path) -> None:
    from tests.attribution.test_result_file import attribution

    hlx.save("a.h5", [attribution(context=None)])
    refused = refusal(folder, "explain", "--from", "a.h5", "--plot", "a.png", "--out", "b.h5")
    assert "no image to draw it on" in refused
    hlx.save("b.h5", [])
    assert "b.h5: holds no attributions" in refusal(folder, "explain", "--from", "b.h5")


def test_more_maps_than_a_picture_holds(folder: Path) -> None:
    Path("pairs.csv").write_text("caption\n" + "".join(f"{i} circles\n" for i in range(101)))
    refused = refusal(folder, "explain", "photo.png", "--pairs", "pairs.csv", *SMALL, "--plot", "a.png")
    assert "at most 100 maps, these are 101" in refused


# --- bad regions

GRIDS = {
    "0x4": "rows must be at least 1",
    "-1x4": "rows must be at least 1",
    "1x1": "at least two cells",
    "4x": "expected ROWSxCOLS",
    "": "expected ROWSxCOLS",
    "4": "expected ROWSxCOLS",
    "5x5": "2^25 = 33,554,432 evaluations",
    "30x30": "2^900",
    "200x200": "2^40000",
}


@pytest.mark.parametrize(("grid", "message"), GRIDS.items())
def test_grids(folder: Path, grid: str, message: str) -> None:
    refused = refusal(folder, "explain", "photo.png", *TEXTS, "--grid", grid)
    assert message in refused
    if "2^" in message:
        assert "sampled estimator (odd-gp, " in refused and len(refused) < 1000


def labels(*values: int, shape: tuple[int, int] = (50, 70)) -> np.ndarray:
    return np.resize(values, shape).astype(np.uint8)


LABELS: dict[str, tuple[str, np.ndarray | bytes | None, str]] = {
    "wrong size": ("l.npy", labels(0, 1, shape=(40, 40)), "40 x 40"),
    "gaps": ("l.npy", labels(0, 1, 4), "labels 2, 3 are missing"),
    "one region": ("l.png", labels(0), "only one region"),
    "from one": ("l.png", labels(1, 2), "label 0 is missing"),
    "float": ("l.npy", np.zeros((50, 70)), "integers, found float64"),
    "negative": ("l.npy", -labels(0, 1).astype(int), "found -1"),
    "stack": ("l.npy", np.zeros((2, 50, 70), int), "shape (2, 50, 70)"),
    "colours": ("l.png", np.zeros((50, 70, 3), np.uint8), "mode RGB"),
    "missing": ("l.npy", None, "no such file"),
    "pickle": ("l.npy", np.array([{}]), "cannot be read as a .npy array"),
    "no array": ("l.npy", b"garbage", "cannot be read as a .npy array"),
    "no image": ("l.png", b"garbage", "not an image"),
    "jpeg": ("l.jpg", b"", "label maps are .png or .npy"),
}


@pytest.mark.parametrize(("name", "content", "message"), LABELS.values(), ids=LABELS)
def test_label_maps_that_are_none(
    folder: Path, name: str, content: np.ndarray | bytes | None, message: str
) -> None:
    if isinstance(content, bytes):
        Path(name).write_bytes(content)
    elif content is not None:
        Image.fromarray(content).save(name) if name.endswith(".png") else np.save(name, content)
    refused = refusal(folder, "explain", "photo.png", *TEXTS, "--regions", name)
    assert message in refused and name in refused


def test_a_label_map_of_too_many_regions(folder: Path) -> None:
    np.save("l.npy", labels(*range(25)))
    assert "2^25" in refusal(folder, "explain", "photo.png", *TEXTS, "--regions", "l.npy")


# --- images


def bomb() -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    size = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("name", "act", "message"),
    [
        ("none.png", lambda path: None, "no such file"),
        ("folder", Path.mkdir, "is a folder"),
        ("empty.png", lambda path: path.write_bytes(b""), "the file is empty"),
        ("half.png", lambda path: path.write_bytes(Path("photo.png").read_bytes()[:150]), "truncated"),
        ("text.png", lambda path: path.write_text("not a picture"), "not an image"),
        ("bomb.png", lambda path: path.write_bytes(bomb()), "refused"),
        ("https:/example.org/a.png", lambda path: None, "download it first"),
    ],
)
def test_images_that_are_none(folder: Path, name: str, act: Callable[[Path], object], message: str) -> None:
    act(Path(name))
    for options in ((), ("--out", "a.h5", "--plot", "a.png")):
        refused = refusal(folder, "explain", name, *TEXTS, *SMALL, *options)
        assert refused.startswith(f"hlx: {name}: ") and message in refused


@pytest.mark.parametrize("kind", ["CMYK", "16-bit", "alpha", "palette", "animated", "1x1", "grey", "one row"])
def test_images_of_every_kind(folder: Path, kind: str) -> None:
    grey = Image.open("photo.png").convert("L")
    path = Path(f"{kind}.{'jpg' if kind == 'CMYK' else 'gif' if kind == 'animated' else 'png'}")
    if kind == "16-bit":
        Image.fromarray(np.asarray(grey).astype(np.uint16) * 257).save(path)
    elif kind == "animated":
        grey.save(path, save_all=True, append_images=[grey.rotate(90)])
    elif kind in ("1x1", "one row"):
        Image.new("RGB", (1, 1) if kind == "1x1" else (300, 1), "red").save(path)
    else:
        grey.convert({"CMYK": "CMYK", "alpha": "RGBA", "palette": "P", "grey": "L"}[kind]).save(path)
    made = explained(path, *TEXTS, *SMALL)
    assert np.isfinite(made["shapley"]).all()
    if kind in ("16-bit", "alpha", "palette", "animated", "grey"):
        grey.save("plain.png")
        close(made["shapley"], explained("plain.png", *TEXTS, *SMALL)["shapley"])


# --- stimulus files


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("p.csv", "caption,foil,id\na,b,1\nc,d,1\n", "p.csv, row 3, column id: '1' is also the id of row 2"),
        ("p.csv", "foil,id\nb,1\n", "p.csv, row 1: column caption is missing"),
        ("p.csv", "caption;foil\na;b\n", "separate columns by commas"),
        ("p.csv", "caption,foil\na,b\nc\n", "row 3: expected 2 columns"),
        ("p.csv", "caption,foil\na,a\n", "row 2, column foil: equals the caption"),
        ("p.csv", "caption,foil\n ,b\n", "row 2, column caption: empty"),
        ("p.csv", "caption,foil\n", "lists no stimuli"),
        ("p.csv", "", "the file is empty"),
        ("p.jsonl", '{"foil": "b"}\n', "line 1, key caption: missing"),
        ("p.txt", "a", "expected a .csv"),
        ("p.csv", None, "no such file"),
    ],
)
def test_pairs_that_cannot_be_read(folder: Path, name: str, text: str | None, message: str) -> None:
    if text is not None:
        Path(name).write_text(text)
    refused = refusal(folder, "explain", "photo.png", "--pairs", name, *SMALL, "--out", "a.h5")
    assert message in refused and name in refused


# --- models


def changed(name: str, **changes: object) -> None:
    path = Path("model", name)
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    ("act", "messages"),
    [
        (lambda w: w.unlink(), ("no weights", "model.safetensors")),
        (lambda w: w.write_bytes(w.read_bytes()[:1000]), ("model.safetensors is not a whole safetensors",)),
        (lambda w: w.write_bytes(b""), ("model.safetensors is not a whole safetensors",)),
        (lambda w: save_file({**load_file(w), "extra": np.ones(1)}, w), ("unexpected key extra",)),
        (lambda w: save_file({"logit_scale": np.ones((), np.float32)}, w), ("key ", "is missing")),
        (lambda w: changed("config.json", model_type="bert"), ("unsupported architecture 'bert'",)),
        (lambda w: Path("model/config.json").unlink(), ("config.json is missing",)),
    ],
    ids=["missing", "cut", "empty", "extra key", "missing keys", "architecture", "no config"],
)
def test_checkpoints_that_are_none(folder: Path, act: Callable[[Path], object], messages: tuple) -> None:
    shutil.copytree(ASSETS / "clip-scenes", "model")
    act(Path("model/model.safetensors"))
    refused = refusal(folder, "explain", "photo.png", *TEXTS, *SMALL, "--model", "model", "--out", "a.h5")
    assert all(message in refused for message in ("model", *messages))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("clip-scene", "unknown model 'clip-scene'"),
        ("./nowhere", "unknown model"),
        ("photo.png", "is a file"),
        ("openai/clip-vit-base-patch32", "the hub is out of reach and no copy is cached"),
    ],
)
def test_names_of_no_model(folder: Path, name: str, message: str) -> None:
    refused = refusal(folder, "explain", "photo.png", *TEXTS, "--model", name, "--out", "a.h5")
    assert message in refused and name in refused


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_no_numbers(folder: Path, bad: float) -> None:
    shutil.copytree(ASSETS / "clip-scenes", "model")
    weights = load_file("model/model.safetensors")
    weights["visual_projection.weight"][0, 0] = bad
    save_file(weights, "model/model.safetensors")
    Path("pairs.csv").write_text("caption,id\na circle,only\n")
    before = files(folder)
    options = ("--model", "model", *SMALL, "--out", "a.h5", "--plot", "a.png")
    for texts, name in ((TEXTS, f"photo.png: '{CAPTION}'"), (("--pairs", "pairs.csv"), "only")):
        ended = run("explain", "photo.png", *texts, *options)
        assert (ended.status, ended.out) == (2, "")
        last = ended.err.splitlines()[-1]
        assert last == f"hlx: stimulus {name}: the score is NaN or infinite with none of 4 players shown"
        assert files(folder) == before and "Traceback" not in ended.err


# --- outputs


@pytest.mark.parametrize(("option", "ending"), [("--out", ".h5"), ("--plot", ".png")])
def test_outputs_that_cannot_be_written(folder: Path, option: str, ending: str) -> None:
    Path("folder" + ending).mkdir()
    for name, message in (
        ("folder" + ending, "no regular file"),
        ("missing/a" + ending, "there is no folder missing"),
        ("a" * 300 + ending, "name too long"),
        ("a.txt", "expected a name that ends in"),
        ("/proc/a" + ending, "cannot be written"),
    ):
        refused = refusal(folder, "explain", "photo.png", *TEXTS, *SMALL, option, name, "--force")
        assert refused.startswith(f"hlx: {name}: ") and message.lower() in refused.lower()


def test_a_disk_that_fills_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    Path("a.h5").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", full)
    before = files(folder)
    ended = run("explain", "photo.png", *TEXTS, *SMALL, "--out", "a.h5", "--plot", "a.png", "--force")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.splitlines()[-1] == "hlx: a.h5: cannot be written: No space left on device"
    assert files(folder) == before


def test_memory_that_runs_out_is_said_in_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def large(*_: object, **__: object) -> None:
        raise MemoryError("Unable to allocate 9 TiB")

    monkeypatch.setattr(hlx.models, "load_model", large)
    assert "out of memory: Unable to allocate" in refusal(folder, "explain", "photo.png", *TEXTS)


def test_an_interruption_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    before = files(folder)
    ended = run("explain", "photo.png", *TEXTS, *SMALL, "--out", "a.h5")
    assert ended.status == 130 and ended.err.endswith("interrupted\n") and files(folder) == before


# --- the other commands


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_an_example(name: str) -> None:
    shown = run(name, "--help")
    assert shown.status == 0 and shown.err == ""
    assert f"\n    hlx {name}" in shown.out and "Example" in shown.out
    assert max(map(len, shown.out.splitlines())) <= 110


def test_help_lists_every_command() -> None:
    for shown in (run("--help"), run("-h"), run()):
        assert shown.status == 0 and shown.err == "" and "hlx explain photo.jpg" in shown.out
        assert all(f"\n  {name} " in shown.out for name in COMMANDS)


def test_version_names_the_devices() -> None:
    import jax

    shown = run("--version")
    assert shown.status == 0 and shown.out.startswith(f"hlx {hlx.__version__}, jax {jax.__version__}, ")
    assert f"{len(jax.local_devices())} x {jax.local_devices()[0].device_kind}" in shown.out


def test_models(folder: Path) -> None:
    listed = json.loads(run("models", "--json").out)
    assert listed["embedded"] == EMBEDDED and listed["default"] in EMBEDDED
    loadable = {row["model_type"]: row for row in listed["loadable"]}
    assert set(loadable) == set(FAMILIES) >= {"clip", "siglip", "flava", "lxmert", "blip"}
    assert loadable["flava"]["engines"] == ["jax", "torch"] and loadable["lxmert"]["extras"] == ["torch"]
    assert set(listed["extras"]) == {"siglip", "torch"}
    text = run("models").out
    for part in (*EMBEDDED, *(family.example for family in FAMILIES.values()), "FILE.py:FUNCTION"):
        assert part in text
    assert all((find(name).folder / "model.safetensors").is_file() for name in listed["embedded"])


# --- processes of their own

SCRIPT = Path(sys.executable).parent / "hlx"


def process(*arguments: object, **options: object) -> subprocess.CompletedProcess:
    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
    return subprocess.run([SCRIPT, *map(str, arguments)], check=False, **settings)


def test_help_imports_nothing_heavy() -> None:
    """Half a second is only met without them."""
    program = (
        "import sys; sys.argv = ['hlx', *sys.argv[1:]]\n"
        "from hlx.cli import main\n"
        "try:\n    main()\nfinally:\n"
        "    loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "    print(sorted(loaded & set('jax flax transformers torch matplotlib numba scipy h5py'.split())))"
    )
    for arguments in (["--help"], ["explain", "--help"], ["models", "--help"], ["convert", "--help"]):
        ended = subprocess.run(
            [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
        )
        assert ended.stdout.splitlines()[-1] == "[]", arguments


@pytest.mark.skipif(not SCRIPT.exists(), reason="hlx is not installed beside this Python")
def test_the_installed_command(folder: Path) -> None:
    ended = process("explain", "photo.png", *TEXTS, *SMALL, "--json", "--out", "a.h5")
    assert ended.returncode == 0, ended.stderr
    close(json.loads(ended.stdout)["shapley"], explained("--from", "a.h5")["shapley"])
    assert ended.stderr == "evaluating coalitions: 16 of 16\nwritten: a.h5\n"


@pytest.mark.skipif(not SCRIPT.exists(), reason="hlx is not installed beside this Python")
def test_standard_output_that_takes_no_more() -> None:
    with open("/dev/full", "w") as full:
        ended = process("models", stdout=full)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "No space left on device" in ended.stderr
