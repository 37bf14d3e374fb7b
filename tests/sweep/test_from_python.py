"""`hlx.plan_sweep` and `hlx.run_sweep`: what the commands do, without a command line."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

import hlx
from hlx.models.loading.load import DTYPES, ENGINES
from hlx.sweep.config.sweep_file import SweepFile
from hlx.sweep.run.display import LineDisplay
from tests.support.command_line import hlx as command
from tests.support.sweep_files import write_sweep

FAST = ["fast.py:model"]


def test_a_sweep_is_planned_from_a_path_or_from_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_sweep(tmp_path, models=FAST)
    monkeypatch.chdir(tmp_path)
    keys = tomllib.loads(path.read_text())
    plans = [hlx.plan_sweep(given) for given in (path, str(path), keys)]
    assert [[group.id for group in plan.groups] for plan in plans] == [[g.id for g in plans[0].groups]] * 3
    assert {plan.sweep.output for plan in plans} == {tmp_path / "out"}
    elsewhere = hlx.plan_sweep(keys | {"output": tmp_path / "elsewhere"})
    assert elsewhere.sweep.output == tmp_path / "elsewhere"
    with pytest.raises(hlx.InputError, match=r"^sweep: 2 problems: regionz: unknown key; did you mean"):
        hlx.plan_sweep({name.replace("regions", "regionz"): value for name, value in keys.items()})


def test_a_sweep_runs_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_sweep(tmp_path, models=FAST)
    first = hlx.run_sweep(path, shard=(1, 2), progress=LineDisplay())
    said = capsys.readouterr().err
    assert "3 jobs of 1 model, 2 images" in said and "; part 1 of 2 of them" in said
    plan = hlx.plan_sweep(path)
    rest = hlx.run_sweep(plan)
    assert (first.done + rest.done, rest.before, rest.failures) == (plan.n_jobs, first.done, 0)
    assert capsys.readouterr() == ("", "")
    assert json.loads(command("sweep", "run", path, "--json").out)["before"] == plan.n_jobs


def test_wrong_arguments_are_named_as_python_has_them(tmp_path: Path) -> None:
    path = write_sweep(tmp_path, models=FAST)
    with pytest.raises(hlx.InputError, match=r"^shard \(3, 2\): expected"):
        hlx.run_sweep(path, shard=(3, 2))
    with pytest.raises(hlx.InputError, match=r"^ray_actors: is of ray"):
        hlx.run_sweep(path, ray_actors=2)
    assert "--ray-actors: is of" in command("sweep", "run", path, "--ray-actors", 2).err


def test_the_schema_knows_every_key_and_what_it_is_for() -> None:
    schema = json.loads(command("sweep", "schema").out)
    assert set(schema["properties"]) == set(SweepFile.model_fields)
    assert schema["properties"]["dtype"]["enum"] == list(DTYPES)
    assert schema["$defs"]["ModelEntry"]["anyOf"][1]["properties"]["engine"]["anyOf"][0]["enum"] == list(
        ENGINES
    )
    assert schema["required"] == ["stimuli", "models", "regions"]
    tables = [schema["properties"]["regions"]["items"]["anyOf"][1]]
    tables += [schema["$defs"][name]["anyOf"][1] for name in ("ModelEntry", "EstimatorEntry")]
    for table in (schema, *tables):
        assert table["additionalProperties"] is False
        for key in table["properties"].values():
            assert ": " in key["description"]
