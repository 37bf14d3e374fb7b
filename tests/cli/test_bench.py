"""`hlx bench estimators`: tables, JSON and pictures from games in files; bad input is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.command_line import hlx, refusal

QUICK = ("--repeats", 2, "--estimators", "permutation", "--budgets", "12,20")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    draw = np.random.default_rng(0)
    np.savez(tmp_path / "games.npz", values=draw.normal(size=(3, 32)), game=np.arange(3))
    np.savez(tmp_path / "two.npz", a=draw.normal(size=32), b=draw.normal(size=16))
    np.savez(tmp_path / "none.npz", game=np.arange(4))
    np.save(tmp_path / "odd.npy", draw.normal(size=(2, 31)))
    values = draw.normal(size=(2, 8))
    values[1, 5] = np.nan
    np.save(tmp_path / "nan.npy", values)
    (tmp_path / "old.json").write_text("{}")
    (tmp_path / "broken.npz").write_bytes(b"PK nothing")
    return tmp_path


def test_a_table_a_picture_and_json(folder: Path) -> None:
    ended = hlx(
        *("bench", "estimators", folder / "games.npz", *QUICK, "--faithfulness", "--measure", "all"),
        *("--json", folder / "all.json", "--plot", folder / "all.png"),
    )
    assert ended.status == 0, ended.err
    assert "3 games of 5 players" in ended.out and "mean squared error" in ended.out
    assert "running estimators" in ended.err and "running" not in ended.out
    assert (folder / "all.png").read_bytes().startswith(b"\x89PNG")
    found = json.loads((folder / "all.json").read_text())
    assert found["games"] == [f"games.npz:values[{i}]" for i in range(3)] and found["seed"] == 0
    assert {"hlx", "numpy", "scipy", "numba"} <= set(found["versions"])
    assert [(row["estimator"], row["budget"], row["repeats"]) for row in found["rows"]] == [
        ("permutation", 12, 2),
        ("permutation", 20, 2),
    ]
    for row in found["rows"]:
        assert row["mse"]["count"] == 6 and row["evaluations"]["mean"] <= row["budget"]
        assert len(row["mse"]["quartiles"]) == 3 and row["insertion"]["mean"] is not None
        assert row["mse_ratio"] is None


def test_json_alone_on_standard_output_and_the_same_seed_gives_the_same(folder: Path) -> None:
    def measured(seed: int) -> list[dict[str, object]]:
        ended = hlx("bench", "estimators", folder / "games.npz", *QUICK, "--json", "-", "--seed", seed)
        rows = json.loads(ended.out)["rows"]
        return [
            {k: v for k, v in row.items() if k not in ("sampling", "evaluation", "solving")} for row in rows
        ]

    assert measured(3) == measured(3) != measured(4)


def test_the_first_games_and_their_neighbours(folder: Path) -> None:
    ended = hlx(
        "bench", "estimators", folder / "games.npz", *QUICK, "--games", 2, "--grid", "1x5", "--json", "-"
    )
    found = json.loads(ended.out)
    assert len(found["games"]) == 2 and found["regions"] == ["1x5"] * 2


def test_neighbours_that_are_not_known_are_told(folder: Path) -> None:
    command = ("bench", "estimators", folder / "games.npz", "--repeats", 1, "--budgets", 20)
    silent = hlx(*command, "--estimators", "partition", "--grid", "1x5")
    told = hlx(*command, "--estimators", "partition")
    assert (silent.status, told.status) == (0, 0)
    assert "partition ran without neighbours" in told.out and "neighbours" not in silent.out


def test_games_of_a_model_take_one_sweep_per_image(folder: Path, clip_checkpoint: Path) -> None:
    from PIL import Image

    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(
        folder / "a.png"
    )
    (folder / "stimuli.csv").write_text(
        "image,caption,foil,id\na.png,a dog,a cat,one\na.png,a cat,a dog,two\nmissing.png,a cat,a dog,three\n"
    )
    ended = hlx(
        *("bench", "estimators", folder / "games.npz", "--stimuli", folder / "stimuli.csv", "--grid", "1x5"),
        *("--model", clip_checkpoint, *QUICK, "--json", "-"),
    )
    assert ended.status == 0, ended.err
    found = json.loads(ended.out)
    assert found["games"][3:] == ["one", "two"] and found["regions"] == ["1x5"] * 5
    assert "1 image was not found" in ended.err and "sweeping images: 1 of 1" in ended.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "which games?"),
        (("missing.npz",), "missing.npz: no such file"),
        (("broken.npz",), "broken.npz: cannot be read"),
        (("odd.npy",), "odd.npy[0]: expected a table of shape (2^n,)"),
        (("nan.npy",), "nan.npy[1]: the value of a coalition is nan (players 0, 2 of 3 shown)"),
        (("two.npz",), "a, b could all be tables; choose with --key"),
        (("none.npz",), "no floating-point array"),
        (("games.npz", "--key", "other"), "no array 'other'; it holds values float64 (3, 32)"),
        (("odd.npy", "--key", "values"), "there is none among the files"),
        (("games.npz", "--grid", "4x4"), "has 5 players, the regions 4x4 are 16"),
        (("games.npz", "--estimators", "magic"), "unknown estimator 'magic'; there are exact, "),
        (("games.npz", "--budgets", "12,many"), "found 'many'"),
        (("games.npz", "--budgets", "0"), "found 0"),
        (("games.npz", "--budgets", "2", "--estimators", "permutation"), "every budget is too small"),
        (("games.npz", "--repeats", "0"), "--repeats 0: expected at least 1"),
        (("games.npz", "--games", "0"), "--games 0: expected at least 1"),
        (("games.npz", "--measure", "luck"), "--measure 'luck': expected all, mse"),
        (("games.npz", "--model", "clip-scenes"), "--model is for games of a model"),
        (("games.npz", "--plot", "map.gif"), "expected a name that ends in .png or .pdf"),
        (("games.npz", "--stimuli", "old.json", "--json", "old.json"), "is an input, it will not be"),
        (("games.npz", "--json", "old.json"), "exists; --force replaces it"),
        (("games.npz", "--json", "q.png", "--plot", "q.png"), "q.png: expected a name that ends in .json"),
        (("games.npz", "--top", "6"), "--top 6: a game has 5 players, take at most as many"),
        (("games.npz", "--top", "0"), "--top 0: expected at least 1"),
        (("games.csv",), "found extension '.csv'"),
    ],
)
def test_bad_input_is_refused(
    folder: Path, arguments: tuple[str, ...], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert words in refusal(folder, "bench", "estimators", *arguments)


def test_results_without_tables_are_refused(folder: Path) -> None:
    from hlx.attribution.attribution import Attribution
    from hlx.attribution.result_file import save
    from hlx.games.regions import Grid

    save(folder / "bare.h5", [Attribution(np.zeros(4), 0.0, 0.0, 16, Grid(2, 2), "exact")])
    assert "has no table of all coalitions" in refusal(folder, "bench", "estimators", folder / "bare.h5")


def test_the_tables_of_a_result_are_taken_once_at_what_they_cost(folder: Path) -> None:
    from dataclasses import replace

    from hlx.attribution.result_file import save
    from tests.attribution.test_result_file import attribution

    made = attribution(seed=1)
    assert made.context is not None
    context = replace(made.context, seconds=90.0, table_seconds=8.0)
    kept = [replace(made, context=context, estimator=name) for name in ("leverage", "exact")]
    save(folder / "both.h5", [*kept, replace(made, coalition_values=None)])
    ended = hlx("bench", "estimators", folder / "both.h5", *QUICK[:4], "--budgets", 12, "--json", "-")
    found = json.loads(ended.out)
    assert len(found["games"]) == 1
    [row] = found["rows"]
    assert row["evaluation"]["mean"] == pytest.approx(8.0 / 16 * row["evaluations"]["mean"])


def test_small_games_have_fewer_largest_values(folder: Path) -> None:
    np.save(folder / "small.npy", np.random.default_rng(1).normal(size=8))
    command = ("bench", "estimators", folder / "small.npy", *QUICK[2:4], "--budgets", 7, "--json", "-")
    assert json.loads(hlx(*command).out)["top"] == 3
    assert json.loads(hlx(*command, "--top", 2).out)["top"] == 2


def test_games_without_errors_are_reported_without_a_picture(folder: Path) -> None:
    np.save(folder / "flat.npy", np.ones((2, 16)))
    ended = hlx("bench", "estimators", folder / "flat.npy", *QUICK, "--plot", folder / "a.png")
    assert ended.status == 0 and "2 games of 4 players" in ended.out
    assert "warning: " in ended.err and "a.png is left out" in ended.err and "written" not in ended.err
    assert not (folder / "a.png").exists()


def test_bench_alone_shows_its_help() -> None:
    ended = hlx("bench")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out == hlx("bench", "--help").out and "\n  estimators " in ended.out


def test_help_has_an_example_and_loads_nothing_heavy() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from hlx.cli.bench import bench; "
        "bench(['estimators', '--help'], standalone_mode=False); "
        "print([m for m in ('jax', 'numba', 'scipy', 'matplotlib', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "hlx bench estimators games.npz" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"
