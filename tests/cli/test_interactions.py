"""`hlx interactions` as it is typed: strongest sets, files, and one line for every bad input."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hlx.attribution.attribution import Attribution, Context
from hlx.attribution.interactions import interactions
from hlx.attribution.result_file import save
from hlx.games.game import shapley_from_table
from hlx.games.regions import Grid, LabelMap, Regions
from tests.support.command_line import files, refusal
from tests.support.command_line import hlx as run

DASH = "\N{EN DASH}"


def attribution(regions: Regions | None, seed: int = 0, context: bool = True) -> Attribution:
    n = 6 if regions is None else regions.n_players
    rng = np.random.default_rng(seed)
    table = rng.normal(size=1 << n)
    square = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
    made = Context(
        **dict.fromkeys(("stimulus_id", "phenomenon", "revision")),  # type: ignore[arg-type]
        **dict.fromkeys(("stimulus_hash", "image_hash", "fingerprint"), "0" * 64),
        image="photo.png",
        caption=f"caption {seed}",
        foil="a foil",
        model="a model",
        engine="jax",
        dtype="float32",
        background="blur",
        unit="logits",
        batch_size=1,
        seconds=1.0,
        table_seconds=0.5,
        versions={},
        shown=square,
        hidden=square,
    )
    values = shapley_from_table(table)
    bare = Attribution(
        values, float(table[-1]), float(table[0]), 1 << n, regions, "exact", coalition_values=table
    )
    return replace(bare, context=made) if context else bare


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with two attributions in a.h5, one without table in bare.h5, and tables.npz."""
    monkeypatch.chdir(tmp_path)
    label_map = LabelMap(np.arange(6).reshape(3, 2).repeat(4, 0).repeat(4, 1))
    save("a.h5", [attribution(Grid(2, 3)), attribution(label_map, 1)])
    save("bare.h5", [attribution(Grid(2, 3))], keep_table=False)
    np.savez("tables.npz", values=np.random.default_rng(2).normal(size=(3, 32)).astype(np.float32), game=[1])
    return tmp_path


def printed(*arguments: object) -> list[dict]:
    ended = run("interactions", *arguments, "--json")
    assert ended.status == 0, ended.err
    return [json.loads(line) for line in ended.out.splitlines()]


@pytest.mark.parametrize(("index", "order"), [("k-SII", 2), ("stii", 3), ("Moebius", 6)])
def test_json_says_what_the_library_says(folder: Path, index: str, order: int) -> None:
    said = printed("a.h5", "--index", index, "--order", order)
    assert [one["table"] for one in said] == [0, 1]
    for one, made in zip(said, (attribution(Grid(2, 3)), attribution(Grid(2, 3), 1)), strict=True):
        assert made.coalition_values is not None
        expected = interactions(np.asarray(made.coalition_values), index, order)
        assert one.items() >= expected.as_dict().items()
        assert (one["image"], one["model"], one["foil"]) == ("photo.png", "a model", "a foil")
    assert said[0]["regions"] == {"kind": "grid", "rows": 2, "cols": 3}


def test_the_strongest_pairs_are_printed_with_cells_and_signs(folder: Path) -> None:
    ended = run("interactions", "a.h5", "--top", 4, "--index", "SII")
    assert (ended.status, ended.err) == (0, "")
    first, second = ended.out.split("photo.png\n")[1:]
    for part in ("caption 0", "a foil", "a model", "SII of order 2, strongest 4 of 15 pairs:"):
        assert part in first
    for block, seed, name in ((first, 0, lambda i: f"({i // 3}, {i % 3})"), (second, 1, str)):
        table = attribution(Grid(2, 3), seed).coalition_values
        assert table is not None
        expected = interactions(np.asarray(table), "SII", 2).strongest(4)
        lines = [line.strip() for line in block.splitlines() if DASH in line]
        assert [line.rsplit(maxsplit=1)[0].strip() for line in lines] == [
            f"{name(i)} {DASH} {name(j)}" for (i, j), _ in expected
        ]
        found = [float(line.rsplit(maxsplit=1)[1]) for line in lines]
        np.testing.assert_allclose(found, [value for _, value in expected], atol=0.006)
        assert all(line.rsplit(maxsplit=1)[1][0] in "+-" for line in lines)


def test_every_order_from_two_on_is_printed(folder: Path) -> None:
    out = run("interactions", "a.h5", "--order", 3, "--top", 2).out
    assert out.count("strongest 2 of 15 pairs:") == out.count("strongest 2 of 20 sets of 3:") == 2
    assert run("interactions", "a.h5", "--order", 1).out.count("strongest 6 of 6 regions:") == 2


def test_bare_tables_name_players(folder: Path) -> None:
    tables = np.load("tables.npz")["values"]
    np.save("one.npy", tables[1])
    for arguments, number in ((("tables.npz", "--select", 1), 1), (("one.npy",), 0)):
        (said,) = printed(*arguments, "--index", "weighted-banzhaf", "-p", 0.25)
        assert said["table"] == number and said["p"] == 0.25 and "regions" not in said
        assert said["values"] == interactions(tables[1], "WBII", 2, p=0.25).values.tolist()
    (said,) = printed("tables.npz", "--key", "values", "--select", 2)
    assert said["values"] == interactions(tables[2], "k-SII", 2).values.tolist()
    np.save("alone.npy", [1.0, 2.0])
    out = run("interactions", "alone.npy", "--order", 1).out
    assert "table 0 of 1 player\n" in out and "strongest 1 of 1 player:" in out
    out = run("interactions", "tables.npz", "--order", 1, "--top", 1).out
    assert out.count("strongest 1 of 5 players:") == 3 and "table 2 of 5 players" in out


def test_a_table_of_several_estimators_is_taken_once(folder: Path) -> None:
    first, second = attribution(Grid(2, 3)), attribution(Grid(2, 3), 1)
    several = [replace(first, estimator="leverage"), first, replace(first, coalition_values=None), second]
    save("both.h5", several)
    said = printed("both.h5")
    assert [one["table"] for one in said] == [0, 1]
    assert [one["caption"] for one in said] == ["caption 0", "caption 1"]
    assert printed("both.h5", "--select", 1) == said[1:]


def test_csv_and_plot_are_written(folder: Path) -> None:
    ended = run("interactions", "a.h5", "--csv", "a.csv", "--plot", "a.png", "--top", 3)
    assert ended.status == 0
    assert ended.err.splitlines() == ["written: a.png", "written: a.csv"]
    assert "written" not in ended.out
    with open("a.csv") as file:
        records = list(csv.DictReader(file))
    said = printed("a.h5")
    found = [
        (int(record["table"]), [*map(int, record["players"].split())], float(record["value"]))
        for record in records
    ]
    assert found == [
        (one["table"], players, value)
        for one in said
        for players, value in zip(one["players"], one["values"], strict=True)
    ]
    with Image.open("a.png") as drawn:
        assert drawn.format == "PNG" and drawn.size[0] > 600
    before = files(folder)
    assert (
        run("interactions", "a.h5", "--select", 1, "--csv", "a.csv", "--plot", "a.png", "--force").status == 0
    )
    after = files(folder)
    assert {name for name in after if after[name] != before[name]} == {"a.csv", "a.png"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("a.h5", "--index", "SHAP"), "known: SII, k-SII, STII, FSII, BII, FBII, Moebius, WBII"),
        (("a.h5", "--order", 7), "a.h5, table 0: interactions of 6 players have order 1 to 6, found order 7"),
        (("a.h5", "--order", 0), "found order 0"),
        (("a.h5", "-p", 0.5), "k-SII has none"),
        (("a.h5", "--index", "WBII", "-p", 2), "expected 0 to 1, found 2"),
        (("a.h5", "--top", 0), "0 is not in the range"),
        (("a.h5", "--select", 2), "holds tables 0 to 1"),
        (("a.h5", "--order", 1, "--plot", "a.png"), "--plot draws pairs"),
        (("a.h5", "--plot", "a.jpg"), "ends in .png or .pdf"),
        (("a.h5", "--csv", "a.txt"), "ends in .csv"),
        (("a.h5", "--csv", "missing/a.csv"), "there is no folder missing"),
        (("bare.h5",), "--no-table"),
        (("missing.h5",), "missing.h5"),
        (("photo.txt",), "is not a file of hlx's attributions"),
        (("tables.npz", "--plot", "a.png"), "table 0 comes without"),
        (("nan.npy",), "table 0: table: the value of coalition 2 is nan (player 1 of 2 shown)"),
        (("long.npy",), "shape (2^n,), n >= 1, found shape (12,)"),
        (("deep.npy",), "deep.npy: expected tables of shape (2^n,) or (games, 2^n), found (2, 2, 2)"),
        (("broken.npz",), "broken.npz: cannot be read"),
        (("two.npz",), "a, b could all be tables; choose with --key"),
        (("two.npz", "--key", "c"), "no array 'c'; it holds a float64 (4,), b float64 (4,)"),
        (("a.h5", "--key", "a"), "--key a: names an array of an .npz, found a.h5"),
        (("missing.h5", "-p", 0.5), "p is the probability of WBII"),
        (("missing.h5", "--index", "WBII", "-p", 1.5), "hlx: p is a probability, expected 0 to 1, found 1.5"),
        (("a.h5", "--csv", "a.csv", "--plot", "b.csv"), "ends in .png or .pdf"),
        ((), "Missing argument 'FILE'"),
    ],
)
def test_bad_input_is_refused_in_one_line(folder: Path, arguments: tuple[object, ...], said: str) -> None:
    np.save("nan.npy", [0.0, 1.0, np.nan, 2.0])
    np.save("long.npy", np.zeros(12))
    np.save("deep.npy", np.zeros((2, 2, 2)))
    np.savez("two.npz", a=np.zeros(4), b=np.zeros(4))
    Path("broken.npz").write_bytes(b"PK\3\4 and nothing more")
    Path("photo.txt").write_text("no such file")
    assert said in refusal(folder, "interactions", *arguments)


def test_a_file_that_exists_is_kept(folder: Path) -> None:
    Path("a.csv").write_text("mine")
    assert "--force" in refusal(folder, "interactions", "a.h5", "--csv", "a.csv")


def test_help_shows_an_example() -> None:
    ended = run("interactions", "--help")
    assert (
        ended.status == 0 and "hlx interactions map.h5 --index k-SII --order 2 --plot pairs.png" in ended.out
    )
