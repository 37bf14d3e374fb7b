"""`hlx sweep run`, `resume` and `status` on the command line: what they print, refuse and leave."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hlx.cli import sweep_run
from hlx.cli.sweep import COMMANDS
from hlx.games.scenes import iterate_stimuli
from hlx.sweep.results.shards import SHARDS, read_shard
from tests.support.command_line import Ended, files, hlx, refusal

OWN = """
import numpy as np

def score(images, texts):
    seen = [images[:, ::16, ::16].mean(axis=(1, 2, 3)) * len(text) for text in texts]
    found = np.stack(seen, axis=1).astype(np.float32)
    found[:, [text == "nothing" for text in texts]] = np.nan
    return found
"""
IMAGES = 3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sweep of own functions, three images and two grids; one caption can be made to fail."""
    tmp_path.chmod(0o755)
    for i, scene in enumerate(islice(iterate_stimuli(0, ("existence",)), IMAGES)):
        Image.fromarray(np.asarray(scene.image)).save(tmp_path / f"scene{i}.png")
    write_stimuli(tmp_path, "a square")
    (tmp_path / "own.py").write_text(OWN)
    write_sweep(tmp_path)
    return tmp_path


def write_stimuli(folder: Path, caption: str) -> None:
    rows = [f"s{i},scene{i}.png,{caption if i == 1 else 'a circle'},a foil" for i in range(IMAGES)]
    (folder / "stimuli.csv").write_text("\n".join(["id,image,caption,foil", *rows]) + "\n")


def write_sweep(folder: Path, **more: str) -> None:
    lines = {
        "stimuli": '["stimuli.csv"]',
        "models": f'[{{name = "{folder}/own.py:score", label = "own"}}]',
        "regions": '["1x2", "2x2"]',
        **more,
    }
    (folder / "sweep.toml").write_text("".join(f"{key} = {value}\n" for key, value in lines.items()))


def run(folder: Path, *options: str, command: str = "run") -> Ended:
    return hlx("sweep", command, folder / "sweep.toml", *options)


def status(folder: Path) -> dict:
    return json.loads(run(folder, "--json", command="status").out)


def test_a_run_and_what_it_prints(folder: Path) -> None:
    ended = run(folder)
    assert ended.status == 0
    first, second = ended.out.splitlines()
    assert first == f"6 jobs done, 0 were before, 0 failed, 0 left, in {folder / 'sweep'}"
    assert "jobs/s on 1 device: waiting for images " in second and "not computing " in second
    told, start, end = ended.err.splitlines()
    assert told == f"6 jobs of 1 model, 3 images and 2 kinds of regions, into {folder / 'sweep'}"
    assert start == "0 of 6 jobs done" and end.startswith("6 of 6 jobs done, ")
    again = run(folder, "--quiet", command="resume")
    assert again == Ended(0, f"0 jobs done, 6 were before, 0 failed, 0 left, in {folder / 'sweep'}\n", "")


def test_a_run_for_machines(folder: Path) -> None:
    ended = run(folder, "--json", "--quiet")
    found = json.loads(ended.out)
    assert ended.status == 0 and ended.err == ""
    assert (found["before"], found["done"], found["failed"], found["left"]) == (0, 6, 0, 0)
    assert found["seconds"] > 0 and found["jobs_per_second"] > 0 and found["devices"] == 1
    assert 0 <= found["waiting_share"] <= found["overhead_share"] <= 1
    assert (found["failures"], found["bad_shards"], found["signal"]) == ([], [], None)


def test_parts(folder: Path) -> None:
    done = [json.loads(run(folder, "--json", "--shard", f"{i}/2").out)["done"] for i in (1, 2)]
    assert done == [4, 2]
    assert "part 3 of 3" in run(folder, "--shard", "3/3").err
    assert "expected i/n" in refusal(folder, "sweep", "run", folder / "sweep.toml", "--shard", "3/2")


def test_failures_are_listed_until_they_are_mended(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_stimuli(folder, "nothing")
    ended = run(folder, "--quiet")
    assert ended.status == 1 and ended.out.startswith("4 jobs done, 0 were before, 2 failed, 0 left")
    head, one, two, last = ended.err.splitlines()
    assert head == "2 jobs failed:"
    for line, grid in ((one, "1x2"), (two, "2x2")):
        assert line.startswith(f"  own, {folder / 'scene1.png'}, {grid}, blur, 1 job: ")
        assert "the score is NaN or infinite" in line
    assert last == f"failed jobs are tried again by: hlx sweep run {folder / 'sweep.toml'}"
    found = status(folder)
    assert [(part["regions"], part["done"], part["failed"]) for part in found["parts"]] == [
        ("1x2", 2, 1),
        ("2x2", 2, 1),
    ]
    assert len(found["failures"]) == 2
    monkeypatch.setattr(sweep_run, "SHOWN", 1)
    assert "  ... and 1 more; --json has them all" in run(folder, command="status").err
    write_stimuli(folder, "a square")
    assert run(folder).status == 0 and status(folder)["failures"] == []


def test_only_what_the_file_adds_is_computed(folder: Path) -> None:
    sampled = '[{{name = "leverage", budgets = [64], seeds = {}}}]'
    embedded = {"models": '["clip-scenes"]', "regions": '["3x3"]'}
    write_sweep(folder, **embedded, estimators=sampled.format("[0]"))
    assert run(folder, "--quiet").status == 0
    before = kept(folder)
    write_sweep(folder, **embedded, estimators=sampled.format("[1, 0]"))
    plan = json.loads(hlx("sweep", "plan", folder / "sweep.toml", "--no-timing", "--json").out)
    assert (plan["jobs"], plan["done"], plan["evaluations"]) == (6, 3, 3 * 64)
    assert run(folder, "--quiet").out.startswith("3 jobs done, 3 were before")
    after = kept(folder)
    # Each id once: nothing that was there is computed again, which could give other last bits.
    assert len(before) == 3 and len(after) == 6 == len(dict(after)) and set(before) < set(after)
    merged = hlx("sweep", "merge", folder / "sweep.toml")
    assert merged.status == 0 and "warning" not in merged.err


def kept(folder: Path) -> list[tuple[str, bytes]]:
    return [
        (result.job, result.content())
        for path in sorted((folder / "sweep" / SHARDS).glob("*.h5"))
        for result in read_shard(path)
    ]


def test_status(folder: Path) -> None:
    before = files(folder)
    found = status(folder)
    assert found["parts"] == [
        {"model": "own", "regions": grid, "asked": 3, "done": 0, "failed": 0, "missing": 3}
        for grid in ("1x2", "2x2")
    ]
    assert (found["running"], found["merged"], found["quarantined"]) == (None, "missing", [])
    assert files(folder) == before
    run(folder, "--shard", "1/3")
    table = run(folder, command="status").out.splitlines()
    assert table[0].split() == ["model", "regions", "asked", "done", "failed", "missing"]
    assert table[1].split() == ["own", "1x2", "3", "1", "0", "2"]
    assert table[3:] == ["2 of 6 results are done", "run: nobody", "merged file: missing"]
    assert hlx("sweep", "merge", folder / "sweep.toml").status == 1
    assert status(folder)["merged"] == "up to date"
    run(folder)
    assert status(folder)["merged"] == "out of date"
    hlx("sweep", "merge", folder / "sweep.toml")
    merged = folder / "sweep" / "merged.h5"
    assert status(folder)["merged"] == "up to date"
    merged.write_bytes(merged.read_bytes()[:-1])
    assert "damaged" in status(folder)["merged"]


def test_what_is_refused_before_anything_runs(folder: Path) -> None:
    file = folder / "sweep.toml"
    assert "leave it out" in refusal(folder, "sweep", "run", file, "--ray-actors", "2")
    write_sweep(folder, compilation_cache='"compiled"')
    (folder / "compiled").mkdir()
    (folder / "compiled").chmod(0o777)
    assert "can be written by other users" in refusal(folder, "sweep", "run", file)
    write_sweep(folder, modles="1")
    assert "modles" in refusal(folder, "sweep", "run", file)
    for command in ("run", "resume", "status"):
        assert "nowhere.toml" in refusal(folder, "sweep", command, folder / "nowhere.toml")


def test_a_device_that_is_not_there(folder: Path) -> None:
    write_sweep(folder, models='["clip-scenes"]')
    ended = run(folder, "--device", "tpu", "--quiet")
    assert ended.status == 2 and "device 'tpu' is not here for JAX" in ended.err and ended.out == ""
    assert not (folder / "sweep" / "shards").exists()


@pytest.mark.parametrize("command", ["run", "resume", "status"])
def test_help(command: str) -> None:
    shown = hlx("sweep", command, "--help")
    assert shown.status == 0 and "Example" in shown.out and max(map(len, shown.out.splitlines())) <= 110


def test_the_group_lists_its_commands() -> None:
    for shown in (hlx("sweep"), hlx("sweep", "--help")):
        assert shown.status == 0 and "hlx sweep run sweep.toml" in shown.out
        assert all(f"\n  {name} " in shown.out for name in COMMANDS)
    assert "No such command 'nonsense'" in hlx("sweep", "nonsense").err
