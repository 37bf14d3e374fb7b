"""`hlx explain` with estimators, tolerances and curves, and `hlx estimators`, as they are typed."""

from __future__ import annotations

import base64
import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hlx
from hlx.estimators import ESTIMATORS
from tests.support.command_line import Ended, refusal
from tests.support.command_line import hlx as run

TEXTS = ("--caption", "there is a red circle", "--foil", "there is a blue square")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with photo.png in it, and kept.h5 with its exact 3x3 map."""
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    Image.fromarray(pixels.repeat(10, 0).repeat(10, 1)).save("photo.png")
    assert run("explain", "photo.png", *TEXTS, "--grid", "3x3", "--out", "kept.h5").status == 0
    return tmp_path


def typed(line: str) -> Ended:
    """`hlx LINE`, without quotes."""
    return run(*line.split())


def replayed(*options: object) -> list[dict]:
    """`hlx explain --from kept.h5 OPTIONS --json`, parsed."""
    ended = run("explain", "--from", "kept.h5", *options, "--json")
    assert ended.status == 0, ended.err
    return [json.loads(line) for line in ended.out.splitlines()]


def test_every_estimator_replays_a_kept_table(folder: Path) -> None:
    table = hlx.load("kept.h5")[0].coalition_values
    assert table is not None
    exact = hlx.shapley_from_table(table)
    for name, estimator in ESTIMATORS.items():
        budget = () if estimator.exhaustive else ("--budget", 120)
        [made] = replayed("--estimator", name, *budget, "--seed", 3)
        assert (made["estimator"], made["grid"], made["seed"]) == (name, "3x3", 3)
        assert made["n_evaluations"] <= (512 if estimator.exhaustive else 120)
        if estimator.consistent:
            assert np.corrcoef(np.ravel(made["shapley"]), exact)[0, 1] > 0.9
            assert np.sum(made["shapley"]) == pytest.approx(float(table[-1] - table[0]), abs=1e-4)


def test_the_model_and_its_table_give_the_same(folder: Path) -> None:
    """Sampling a model pays for its coalitions alone, and finds what replaying the table finds."""
    options = ("--estimator", "leverage", "--budget", 100)
    [kept] = replayed(*options)
    ended = run("explain", "photo.png", *TEXTS, "--grid", "3x3", *options, "--json")
    made = json.loads(ended.out)
    np.testing.assert_allclose(made["shapley"], kept["shapley"], atol=1e-3)
    assert (made["budget"], made["n_evaluations"]) == (100, kept["n_evaluations"])


def test_several_estimators_share_their_evaluations(folder: Path) -> None:
    names = ("leverage", "exact", "occlusion")
    options = [part for name in names for part in ("--estimator", name)]
    ended = run(
        "explain", "photo.png", *TEXTS, "--grid", "3x3", *options, "--budget", 90, "--json", "--plot", "a.png"
    )
    assert ended.status == 0
    made = [json.loads(line) for line in ended.out.splitlines()]
    assert [one["estimator"] for one in made] == list(names)
    assert [one["n_evaluations"] for one in made][1:] == [512, 11]
    done = re.findall(r"(\d+) of (\d+)", ended.err)
    assert {total for _, total in done} == {"512"}  # one sweep, nothing else
    assert Image.open("a.png").height > 2 * Image.open("a.png").width / 2
    sampled = [part for name in names if name != "exact" for part in ("--estimator", name)]
    ended = run("explain", "photo.png", *TEXTS, "--grid", "3x3", *sampled, "--budget", 90, "--json")
    counts = [json.loads(line)["n_evaluations"] for line in ended.out.splitlines()]
    asked = sum(int(total) for total in dict.fromkeys(t for _, t in re.findall(r"(\d+) of (\d+)", ended.err)))
    assert asked <= sum(counts) - 2  # all and none are evaluated once


def test_a_sweep_s_table_is_replayed_once(folder: Path) -> None:
    both = ("--estimator", "exact", "--estimator", "leverage", "--budget", 90, "--out", "both.h5")
    assert run("explain", "photo.png", *TEXTS, "--grid", "3x3", *both).status == 0
    first, second = hlx.load("both.h5")
    assert first.coalition_values is not None and first.coalition_values is second.coalition_values
    ended = run("explain", "--from", "both.h5", "--estimator", "occlusion", "--json")
    assert len(ended.out.splitlines()) == 1


def test_a_kept_sampled_result_stays_what_was_sampled(folder: Path) -> None:
    """Also where the table of its sweep lies beside it."""
    both = ("--estimator", "exact", "--estimator", "leverage", "--budget", 90)
    first = run("explain", "photo.png", *TEXTS, "--grid", "3x3", *both, "--out", "both.h5", "--json")
    again = run("explain", "--from", "both.h5", "--json")
    exact, sampled = (json.loads(line) for line in first.out.splitlines())
    assert [json.loads(line) for line in again.out.splitlines()] == [exact, sampled]
    assert sampled["shapley"] != exact["shapley"]


def test_tolerance(folder: Path) -> None:
    [made] = replayed("--estimator", "leverage", "--tolerance", 0.5)
    assert made["tolerance"] == 0.5
    assert np.max(made["standard_error"]) <= 0.5 * np.ptp(made["shapley"])
    ended = typed("explain --from kept.h5 --estimator leverage --tolerance 1e-9 --budget 60")
    assert ended.status == 0 and "warning: leverage: the tolerance of 1e-09 was not reached" in ended.err


def test_faithfulness(folder: Path) -> None:
    [made] = replayed("--faithfulness", "--out", "f.h5")
    curves, table = made["faithfulness"], hlx.load("kept.h5")[0].coalition_values
    assert table is not None
    assert np.shape(curves["insertion"]) == np.shape(curves["deletion"]) == (10,)
    np.testing.assert_allclose([curves["insertion"][0], curves["insertion"][-1]], table[[0, -1]])
    assert curves["insertion_area"] > curves["deletion_area"]
    assert replayed("--from", "f.h5")[0]["faithfulness"] == curves
    sampled = ("--estimator", "rise", "--budget", 40)
    ended = run("explain", "photo.png", *TEXTS, "--grid", "3x3", *sampled, "--faithfulness")
    assert f"  {ESTIMATORS['rise'].estimates} (rise, " in ended.out
    assert "insertion area" in ended.out and "standard errors: not known" in ended.out


def test_csv_and_notebook(folder: Path) -> None:
    ended = typed("explain --from kept.h5 --csv a.csv --estimator exact --estimator rise --budget 40")
    assert ended.status == 0 and "written: a.csv" in ended.err
    with open("a.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["estimator"] for row in rows] == ["exact"] * 9 + ["rise"] * 9
    assert rows[0]["caption"] == TEXTS[1] and rows[8]["row"] == rows[8]["column"] == "2"
    kept = hlx.load("kept.h5")[0]
    assert [float(row["value"]) for row in rows[:9]] == kept.values.tolist()
    assert {row["kind"] for row in rows} == {ESTIMATORS[name].estimates for name in ("exact", "rise")}
    picture = re.search(r'src="data:image/png;base64,([^"]+)"', kept._repr_html_())
    assert picture is not None and base64.b64decode(picture[1]).startswith(b"\x89PNG")
    explanation = kept.to_shap(pixels=True)
    assert explanation.values.sum() == pytest.approx(
        kept.grand_coalition_value - kept.baseline_value, abs=1e-4
    )


def test_estimators_are_listed() -> None:
    ended = run("estimators", "--grid", "14x14")
    assert ended.status == 0
    for name, estimator in ESTIMATORS.items():
        assert re.search(rf"^{name} .*{re.escape(estimator.summary)}$", ended.out, re.MULTILINE)
    assert "2^196" in ended.out
    listed = json.loads(run("estimators", "--json").out)
    assert [one["name"] for one in listed] == list(ESTIMATORS)
    assert all(2 <= one["min_budget"] <= 65536 for one in listed)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--estimator shap", "unknown estimator 'shap'; there are exact, odd-gp"),
        ("--estimator leverage", "say how many with a budget"),
        ("--estimator leverage --budget 9", "use at least 10"),
        ("--estimator leverage --tolerance 0", "positive share"),
        ("--estimator leverage --tolerance x", "--tolerance"),
        ("--tolerance 0.1", "exact gives no standard errors for a tolerance"),
        ("--budget 9", "all 512 coalitions"),
        ("--csv a.txt", "a.txt: expected a name that ends in .csv"),
        ("--grid 4x4", "--grid was settled"),
    ],
)
def test_bad_options(folder: Path, options: str, message: str) -> None:
    assert message in refusal(folder, "explain", "--from", "kept.h5", *options.split())


def test_without_a_table_nothing_can_be_replayed(folder: Path) -> None:
    typed("explain --from kept.h5 --out bare.h5 --no-table")
    for options in ("--estimator leverage --budget 50", "--faithfulness"):
        assert "there is no table" in refusal(folder, "explain", "--from", "bare.h5", *options.split())
