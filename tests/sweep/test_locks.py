"""One run to a folder, one to a share: in this process, in others, and after they died."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest

from hlx.errors import OutputError
from hlx.sweep.results.locks import merge_lock, run_lock, who_runs
from tests.support.command_line import files
from tests.support.command_line import refusal as refusal_by
from tests.support.waiting import PATIENCE

ROOT = Path(__file__).parents[2]

HOLD = """
import sys, time
from pathlib import Path
from hlx.sweep.results.locks import run_lock
shard = tuple(map(int, sys.argv[2:])) or None
with run_lock(Path(sys.argv[1]), shard):
    print("ready", flush=True)
    sys.stdin.readline()
"""


def hold(output: Path, *shard: int) -> subprocess.Popen[str]:
    """A process that has the lock until it gets a line."""
    arguments = [sys.executable, "-c", HOLD, str(output), *map(str, shard)]
    running = subprocess.Popen(arguments, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None and running.stdout.readline() == "ready\n"
    return running


def refusal(output: Path, shard: tuple[int, int] | None = None) -> str:
    with pytest.raises(OutputError) as caught, run_lock(output, shard):
        pass
    message = str(caught.value)
    assert message.startswith(f"{output}: another run of this sweep works here (") and "\n" not in message
    return message


def test_shares_of_another_number_do_not_meet(tmp_path: Path) -> None:
    """They would compute some jobs twice, and leave none out of sight."""
    running = hold(tmp_path, 1, 2)
    message = refusal(tmp_path, (1, 3))
    assert f"(shard 1/2: process {running.pid} on " in message
    assert "name shards of that number" in message
    said: list[str] = []

    def tell(line: str) -> None:
        said.append(line)
        threading.Thread(target=lambda: running.communicate("\n")).start()

    with run_lock(tmp_path, (2, 2)), run_lock(tmp_path / "elsewhere", (1, 3)):
        pass
    with run_lock(tmp_path, (1, 3), wait=True, tell=tell):
        assert running.wait(PATIENCE) == 0
    assert len(said) == 1 and "waiting for its end" in said[0]


def test_a_second_run_is_refused_and_told_by_whom(tmp_path: Path) -> None:
    output = tmp_path / "made" / "results"
    running = hold(output)
    for shard in (None, (1, 2)):
        message = refusal(output, shard)
        assert f"process {running.pid} on {os.uname().nodename} since 20" in message
    assert f"({who_runs(output)})" in message
    running.communicate("\n")
    assert who_runs(output) is None and who_runs(tmp_path) is None
    with run_lock(output):
        pass
    with run_lock(output, (1, 2)):
        pass


def test_shares_of_a_run_work_side_by_side(tmp_path: Path) -> None:
    with run_lock(tmp_path), pytest.raises(OutputError), run_lock(tmp_path, (1, 2)):
        pass
    first, second = hold(tmp_path, 1, 3), hold(tmp_path, 2, 3)
    third = hold(tmp_path, 3, 3)
    third.communicate("\n")
    assert f"process {second.pid} on" in refusal(tmp_path, (2, 3))
    message = refusal(tmp_path)
    assert f"shard 1/3: process {first.pid} on" in message
    assert f"shard 2/3: process {second.pid} on" in message and "3/3" not in message
    assert f"({who_runs(tmp_path)})" in message
    with run_lock(tmp_path, (3, 3)):
        pass
    for running in (first, second):
        running.communicate("\n")
    with run_lock(tmp_path):
        pass


def test_a_process_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    for shard in ((), (1, 2)):
        running = hold(tmp_path, *shard)
        refusal(tmp_path)
        running.kill()
        running.wait()
        with run_lock(tmp_path):
            pass
    # What it wrote is still there, and is not taken for who has the lock now.
    running = hold(tmp_path, 2, 2)
    message = refusal(tmp_path)
    assert f"shard 2/2: process {running.pid}" in message and message.count("since") == 1
    running.communicate("\n")


def test_no_clock_plays_a_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("run.lock", "merge.lock"):
        (tmp_path / "locks").mkdir(exist_ok=True)
        (tmp_path / "locks" / name).write_text('{"host": "other", "pid": 1, "since": "2999-01-01"}')
    monkeypatch.setattr(time, "time", lambda: 0.0)
    with run_lock(tmp_path), merge_lock(tmp_path):
        refusal(tmp_path)


def test_who_waits_says_so_once_and_goes_on(tmp_path: Path) -> None:
    running, told = hold(tmp_path), list[str]()
    order: list[str] = []

    def second() -> None:
        with run_lock(tmp_path, wait=True, tell=told.append):
            order.append("second")

    waiting = threading.Thread(target=second)
    waiting.start()
    while not told:
        assert waiting.is_alive()
        time.sleep(0.01)
    assert f"process {running.pid}" in told[0] and "waiting for its end" in told[0]
    time.sleep(0.05)
    order.append("first")
    running.communicate("\n")
    waiting.join(PATIENCE)
    assert order == ["first", "second"] and len(told) == 1


def test_an_error_within_lets_go(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), run_lock(tmp_path, (1, 2)):
        raise KeyboardInterrupt
    with run_lock(tmp_path):
        pass


def test_runs_and_merges_do_not_hinder_each_other(tmp_path: Path) -> None:
    with run_lock(tmp_path), merge_lock(tmp_path):
        with pytest.raises(OutputError, match="another merge of this sweep works here"), merge_lock(tmp_path):
            pass
        refusal(tmp_path)


def test_a_folder_that_takes_no_files(tiny_disk: Path, tmp_path: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", tiny_disk], check=True)
    for output in (tiny_disk, tiny_disk / "results"):
        with pytest.raises(OutputError, match="Read-only file system") as caught, run_lock(output):
            pass
        assert str(caught.value).startswith(str(output)) and "\n" not in str(caught.value)
    (tmp_path / "file").write_bytes(b"")
    before = files(tmp_path)
    with pytest.raises(OutputError, match="file/locks: cannot be made"), run_lock(tmp_path / "file"):
        pass
    assert files(tmp_path) == before


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_gives_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.warns(UserWarning, match="has no locks"), run_lock(tmp_path):
        pass
    monkeypatch.undo()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with run_lock(tmp_path):
            pass


@pytest.mark.parametrize("name", ["run", "status", "merge"])
def test_a_system_without_these_locks_is_told_in_one_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    for module in ("results.locks", "run.loop", "run.run_sweep", "results.merge", "results.status"):
        monkeypatch.delitem(sys.modules, f"hlx.sweep.{module}", raising=False)
    path, said = tmp_path / "sweep.toml", "sweeps lock their folders by means of Linux and macOS"
    path.touch()
    assert said in refusal_by(tmp_path, "sweep", name, path)
