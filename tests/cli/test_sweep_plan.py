"""`hlx sweep plan` for people and for machines."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner, Result

from hlx.cli.sweep_plan import plan
from hlx.errors import InputError
from hlx.sweep.costs.timing import Rate, Timing
from tests.support.sweep_files import ROWS, write_sweep

MIX = {
    "regions": ["2x2", "3x3"],
    "estimators": [
        {"name": "exact", "most_players": 4},
        {"name": "odd-gp", "budgets": [16], "fewest_players": 5},
    ],
}


def run(*arguments: str) -> Result:
    """What the command says; errors are raised as they are."""
    return CliRunner().invoke(plan, [*arguments], catch_exceptions=False, standalone_mode=False)


def test_nothing_is_written_and_no_model_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_sweep(tmp_path, **MIX)
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setattr("hlx.sweep.costs.timing.load_planned", lambda *_: pytest.fail("a model was loaded"))
    told = run(str(path), "--no-timing").stdout
    assert sorted(tmp_path.rglob("*")) == before
    lines = [line.split() for line in told.splitlines()]
    assert ["clip-scenes", "2x2", "exact", "3", "0", "32", "-"] in lines
    assert ["clip-scenes", "3x3", "odd-gp", "3", "0", "<=", "32", "-"] in lines
    assert "3 stimuli of 2 images, 1 model" in told and "jobs         6, 0 of them done" in told
    assert "odd-gp: 2x2 (3)" in told and "exact: 3x3 (3)" in told
    assert "free" in told and "time  " not in told.split("jobs  ")[-1]


def test_times_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {0: Timing({4: Rate(60.0, 0.0, 0.0), 9: Rate(1.0, 0.0, 0.0, solved=False)}, 4.0, 1.0)}
    monkeypatch.setattr("hlx.sweep.costs.timing.measure", lambda *_: found)
    told = run(str(write_sweep(tmp_path, **MIX))).stdout
    # Rates of 4 regions are known not to be whole, too.
    assert "time         at least 32 min 32 s on this machine, and 6.0 s of loading and compiling" in told
    monkeypatch.setattr("hlx.sweep.costs.timing.measure", lambda *_: {0: "no device\nhere"})
    result = run(str(write_sweep(tmp_path, **MIX)))
    assert "time   " not in result.stdout.split("jobs  ")[-1]
    assert "warning: clip-scenes cannot be timed: no device here" in result.stderr


def test_json_has_it_all(tmp_path: Path) -> None:
    path = write_sweep(tmp_path, **MIX)
    told = json.loads(run(str(path), "--no-timing", "--json").stdout)
    assert (told["jobs"], told["done"], told["groups"], told["evaluations"]) == (6, 0, 4, 64)
    assert told["at_most"] and told["seconds"] is None
    assert told["left_out"][0] == {"estimator": "odd-gp", "regions": "2x2", "jobs": 3}
    assert [line["jobs"] for line in told["lines"]] == [3, 3]
    assert told["models"][0]["label"] == "clip-scenes" and told["output"] == str(tmp_path / "out")


def test_what_is_wrong_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_sweep(tmp_path, ROWS, models=["nowhere"], regions=["9x9"])
    with pytest.raises(InputError, match=r"2 problems: model nowhere: .*; estimators"):
        run(str(path))
    path = write_sweep(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=100))
    with pytest.raises(InputError, match="where 100 bytes are free"):
        run(str(path), "--no-timing")


def test_help_shows_an_example() -> None:
    assert "hlx sweep plan sweep.toml" in run("--help").stdout and isinstance(plan, click.Command)
