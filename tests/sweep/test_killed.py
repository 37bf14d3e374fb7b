"""Sweeps in real processes that are killed, interrupted, disturbed and shared: the results are the same."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hlx.games.scenes import iterate_stimuli
from tests.support.forked import APPEND, FSYNC, REPLACE, REPLACED, WRITE, ProcessServer
from tests.support.waiting import patiently

OWN = """
import time
import numpy as np

def score(images, texts):
    time.sleep({pause})
    shown = images[:, ::16, ::16].reshape(len(images), -1).astype(np.float64)
    seen = [np.cos(shown * (len(text) + {odd})).mean(axis=1) for text in texts]
    return np.stack(seen, axis=1).astype(np.float32)
"""
HELD = (
    OWN.format(pause=0.3, odd=3)
    + """
from pathlib import Path

free = score

def score(images, texts):
    while any(Path({shards!r}).glob("*.h5")) and not Path({go!r}).exists():
        time.sleep(0.01)
    return free(images, texts)
"""
)
NAN = """
import numpy as np

def score(images, texts):
    return np.full((len(images), len(texts)), np.nan, np.float32)
"""
ENDLESS = """
import time
from pathlib import Path

def score(images, texts):
    Path(__file__).with_name("begun").touch()
    time.sleep(1000)
"""
IMAGES = 4
JOBS = IMAGES * 2 * 2 * 2
"""Of two models, on two grids, by two specs."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessServer]:
    folder = tmp_path_factory.mktemp("processes")
    folder.chmod(0o755)
    made = ProcessServer(folder)
    yield made
    made.close()


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of images, a stimulus file that lists them, and two models that take little time."""
    folder = tmp_path_factory.mktemp("sweep")
    rows = ["id,image,caption,foil"]
    for i, scene in enumerate(islice(iterate_stimuli(0, ("existence",)), IMAGES)):
        Image.fromarray(np.asarray(scene.image)).save(folder / f"scene{i}.png")
        rows.append(f"s{i},scene{i}.png,{scene.caption},{scene.foil}")
    (folder / "stimuli.csv").write_text("\n".join(rows) + "\n")
    for name, odd in (("one", 1), ("two", 2)):
        (folder / f"{name}.py").write_text(OWN.format(pause=0.01, odd=odd))
    (folder / "endless.py").write_text(ENDLESS)
    (folder / "nan.py").write_text(NAN)
    return folder


def sweep(
    folder: Path, name: str, models: tuple[str, ...] = ("one", "two"), output: str | Path = "", **more: str
) -> Path:
    """A sweep file of its own output folder."""
    functions = [f'{{name = "{folder / model}.py:score", label = "{model}"}}' for model in models]
    own = [f'"{model}"' for model in models if model.endswith("scenes")]
    lines = {
        "output": f'"{output or name}"',
        "stimuli": '["stimuli.csv"]',
        "models": f"[{', '.join(own or functions)}]",
        "regions": '["1x3", "2x2"]',
        "estimators": '["exact", {name = "leverage", budgets = [6]}]',
        **more,
    }
    path = folder / f"{name}.toml"
    path.write_text("".join(f"{key} = {value}\n" for key, value in lines.items()))
    return path


def held(folder: Path, name: str, output: Path | None = None) -> str:
    """A model that stops once a run has written something, until `let_go`."""
    shards = (output or folder / name) / "shards"
    (folder / f"held_{name}.py").write_text(HELD.format(shards=str(shards), go=str(folder / f"{name}.go")))
    return f"held_{name}"


def let_go(file: Path) -> None:
    """Let the model of a sweep go on."""
    file.with_suffix(".go").touch()


def merged(server: ProcessServer, file: Path) -> str:
    """The content hash of all results."""
    ended = server.run("sweep", "merge", file, "--json")
    assert ended.status == 0, ended
    return str(ended.json()["content_hash"])


@pytest.fixture(scope="module")
def undisturbed(server: ProcessServer, scenes: Path) -> str:
    """The content hash of a sweep that nothing happened to."""
    file = sweep(scenes, "undisturbed")
    ended = server.run("sweep", "run", file, "--json")
    assert ended.status == 0 and ended.json()["done"] == JOBS, ended
    return merged(server, file)


def resumed(server: ProcessServer, file: Path, *options: str) -> str:
    """Go on with a sweep; the hash of its results, and no trace of what was begun."""
    ended = server.run("sweep", "resume", file, "--json", *options)
    assert ended.status == 0, ended
    found = ended.json()
    assert found["done"] + found["before"] == JOBS and found["left"] == found["failed"] == 0
    content_hash = merged(server, file)
    left = [path.name for path in (file.parent / file.stem).rglob(".*")]
    assert left == []
    return content_hash


@pytest.mark.parametrize(("kill", "count"), [(WRITE, 2), (FSYNC, 3), (REPLACE, 1), (REPLACED, 4), (FSYNC, 8)])
def test_a_run_that_is_killed_goes_on(
    server: ProcessServer, scenes: Path, undisturbed: str, kill: str, count: int
) -> None:
    file = sweep(scenes, f"killed-{kill}-{count}")
    killed = server.run("sweep", "run", file, kill=kill, count=count)
    assert killed.status == -signal.SIGKILL, killed
    assert resumed(server, file) == undisturbed


@pytest.mark.parametrize(("kill", "count"), [(APPEND, 2), (APPEND, 7), (FSYNC, 1), (REPLACE, 1)])
def test_a_merge_that_is_killed_is_made_again(
    server: ProcessServer, scenes: Path, undisturbed: str, kill: str, count: int
) -> None:
    file = sweep(scenes, "killed-merge")
    server.run("sweep", "run", file)
    before = (scenes / "killed-merge" / "merged.h5").exists()
    killed = server.run("sweep", "merge", file, kill=kill, count=count)
    assert killed.status == -signal.SIGKILL, killed
    assert (scenes / "killed-merge" / "merged.h5").exists() == before
    assert resumed(server, file) == undisturbed


@pytest.mark.slow
@pytest.mark.parametrize("number", range(20))
def test_an_embedded_model_killed_at_random(server: ProcessServer, scenes: Path, number: int) -> None:
    draw = random.Random()
    whole = sweep(scenes, "whole-embedded", ("clip-scenes", "siglip-scenes"))
    file = sweep(scenes, f"embedded-{number}", ("clip-scenes", "siglip-scenes"))
    start = time.monotonic()
    if not (scenes / "whole-embedded" / "merged.h5").exists():
        assert server.run("sweep", "run", whole).status == 0
    expected = merged(server, whole)
    took = time.monotonic() - start
    for _ in range(draw.randint(1, 3)):
        if draw.random() < 0.5:
            ended = server.run("sweep", "run", file, after=draw.uniform(0.1, 15.0 if took < 15 else took))
        else:
            place = draw.choice([WRITE, FSYNC, REPLACE, REPLACED])
            ended = server.run("sweep", "run", file, kill=place, count=draw.randint(1, 12))
        assert ended.status in (0, -signal.SIGKILL), ended
    assert resumed(server, file) == expected


def test_an_embedded_model_killed_between_shards(server: ProcessServer, scenes: Path) -> None:
    more = {"regions": '["2x2"]', "compilation_cache": "true"}
    whole = sweep(scenes, "whole", ("clip-scenes",), **more)
    file = sweep(scenes, "between", ("clip-scenes",), **more)
    assert server.run("sweep", "run", whole).status == 0
    assert any((server.folder / "hlx" / "compiled").iterdir())
    killed = server.run("sweep", "run", file, kill=REPLACED, count=2)
    assert killed.status == -signal.SIGKILL, killed
    ended = server.run("sweep", "run", file, "--json")
    assert ended.status == 0 and ended.json()["before"] > 0 < ended.json()["done"], ended
    assert merged(server, file) == merged(server, whole)


def test_two_halves_are_the_whole(server: ProcessServer, scenes: Path, undisturbed: str) -> None:
    file = sweep(scenes, "halves")
    halves = [server.start("sweep", "run", file, "--shard", f"{i}/2", "--json") for i in (1, 2)]
    ended = [half.wait() for half in halves]
    assert [each.status for each in ended] == [0, 0], ended
    assert [each.json()["done"] for each in ended] == [JOBS // 2, JOBS // 2]
    assert resumed(server, file) == undisturbed


@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_a_damaged_shard_is_set_aside_and_made_again(
    server: ProcessServer, scenes: Path, undisturbed: str, damage: str
) -> None:
    file = sweep(scenes, f"damaged-{damage}")
    assert server.run("sweep", "run", file).status == 0
    shard = sorted((scenes / file.stem / "shards").glob("*.h5"))[0]
    content = bytearray(shard.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
    shard.write_bytes(content if damage == "flip" else content[:-100])
    state = server.run("sweep", "status", file, "--json").json()
    assert [bad["path"] for bad in state["bad_shards"]] == [str(shard)] and shard.exists()
    again = server.run("sweep", "run", file, "--json")
    assert again.status == 0 and again.json()["done"] > 0 and "bad shard" in again.err, again
    assert resumed(server, file) == undisturbed
    state = server.run("sweep", "status", file, "--json").json()
    assert state["quarantined"] == [shard.name] and state["merged"] == "up to date"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_finishes_the_job_in_flight(
    server: ProcessServer, scenes: Path, number: signal.Signals, status: int
) -> None:
    name = f"signalled-{status}"
    file = sweep(scenes, name, (held(scenes, name),))
    running = server.start("sweep", "run", file, "--json")
    begun(scenes / file.stem)
    running.send(number)
    patiently(lambda: "stopping" in running.err)
    let_go(file)
    ended = running.wait()
    assert ended.status == status, ended
    found = ended.json()
    assert 0 < found["done"] < JOBS // 2 and found["left"] == JOBS // 2 - found["done"]
    assert "stopping: what was begun is finished first" in ended.err
    assert f"go on with: hlx sweep run {file}" in ended.err
    state = server.run("sweep", "status", file, "--json").json()
    assert sum(part["done"] for part in state["parts"]) == found["done"] and state["running"] is None
    assert list((scenes / file.stem).rglob(".*")) == []


def test_a_second_signal_ends_at_once(server: ProcessServer, scenes: Path) -> None:
    file = sweep(scenes, "at-once", ("endless",))
    running = server.start("sweep", "run", file)
    patiently((scenes / "begun").exists)
    running.send(signal.SIGINT)
    patiently(lambda: "stopping" in running.err)
    running.send(signal.SIGINT)
    ended = running.wait()
    assert ended.status == 130, ended
    assert ended.err.endswith(f"ended at once; what is written is kept: hlx sweep run {file}\n")


def test_the_second_of_two_runs_refuses_or_waits(
    server: ProcessServer, scenes: Path, undisturbed: str
) -> None:
    file = sweep(scenes, "two-runs", (held(scenes, "two-runs"),))
    first = server.start("sweep", "run", file, "--json")
    begun(scenes / file.stem)
    second = server.run("sweep", "run", file)
    assert second.status == 2 and second.out == "" and f"process {first.pid} on " in second.err, second
    assert second.err.splitlines()[-1].startswith("hlx: ")
    state = server.run("sweep", "status", file, "--json").json()
    assert f"process {first.pid} on " in state["running"]
    waiting = server.start("sweep", "run", file, "--wait", "--json")
    patiently(lambda: "waiting for its end" in waiting.err)
    let_go(file)
    ended, waited = first.wait(), waiting.wait()
    assert (ended.status, waited.status) == (0, 0), (ended, waited)
    assert ended.json()["done"] == JOBS // 2 == waited.json()["before"] and waited.json()["done"] == 0


def test_what_fails_is_told_and_does_not_stop_the_rest(server: ProcessServer, scenes: Path) -> None:
    bad = scenes / "bad.png"
    bad.write_bytes(b"no image at all")
    rows = (scenes / "stimuli.csv").read_text() + "bad,bad.png,a caption,a foil\n"
    (scenes / "with-bad.csv").write_text(rows)
    file = sweep(scenes, "failing", ("nan", "one"), stimuli='["with-bad.csv"]')
    ended = server.run("sweep", "run", file, "--json")
    found = ended.json()
    per_model = (IMAGES + 1) * 4
    assert ended.status == 1 and found["done"] == IMAGES * 4 and found["failed"] == per_model + 4, ended
    listed = [line for line in ended.err.splitlines() if line.startswith("  ")]
    assert len(listed) == len(found["failures"]) and f"{per_model + 4} jobs failed:" in ended.err
    reasons = {(each["model"], Path(each["image"]).name): each["reason"] for each in found["failures"]}
    assert "bad.png" in reasons["one", "bad.png"] and "NaN or infinite" in reasons["nan", "scene0.png"]
    state = server.run("sweep", "status", file).out
    table = [line.split() for line in state.splitlines()]
    assert ["one", "2x2", "10", "8", "2", "0"] in table and ["nan", "1x3", "10", "0", "10", "0"] in table
    merge = server.run("sweep", "merge", file)
    assert merge.status == 1 and "are missing" in merge.err


def test_a_full_disk_leaves_what_is_written(server: ProcessServer, scenes: Path, tiny_disk: Path) -> None:
    file = sweep(scenes, "full", (held(scenes, "full", tiny_disk / "out"),), output=tiny_disk / "out")
    running = server.start("sweep", "run", file)
    begun(tiny_disk / "out")
    # What was planned for fitted: somebody else fills the disk meanwhile.
    filler = tiny_disk / "filler"
    with suppress(OSError), open(filler, "wb", buffering=0) as full:
        while True:
            full.write(bytes(4096))
    let_go(file)
    ended = running.wait()
    assert ended.status == 2 and "No space left on device" in ended.err.splitlines()[-1], ended
    again = server.run("sweep", "run", file)
    assert again.status == 2 and "needs about" in again.err.splitlines()[-1], again
    filler.unlink()
    again = server.run("sweep", "run", file, "--json")
    assert again.status == 0 and again.json()["before"] > 0 and not again.json()["bad_shards"], again


def test_a_process_as_users_start_it(scenes: Path, server: ProcessServer, undisturbed: str) -> None:
    file = sweep(scenes, "plain")
    command = [sys.executable, "-c", "from hlx.cli import main; main()", "sweep", "run", str(file)]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended
    assert f"{JOBS} jobs done, 0 were before, 0 failed, 0 left" in ended.stdout
    assert "waiting for images" in ended.stdout and f"{JOBS} of {JOBS} jobs done" in ended.stderr
    assert resumed(server, file) == undisturbed


def begun(output: Path) -> None:
    """Wait until a run has written something."""
    patiently(lambda: any((output / "shards").glob("*.h5")))
