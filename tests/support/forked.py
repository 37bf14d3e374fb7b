"""`hlx` in real processes that start at once: a server that has imported everything forks one for each call.

The server starts no threads and touches no device, so that its children may. `ProcessServer` talks to it.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.waiting import PATIENCE

WRITE, FSYNC, REPLACE, REPLACED, APPEND = "write", "fsync", "replace", "replaced", "append"
"""Where a process can be killed: half-way through a file, before a flush, before and after a file gets its
name, between two pieces of a merged file."""


@dataclass
class Ended:
    """How a process ended: exit status, or minus the signal's number, and what it printed."""

    status: int
    out: str
    err: str

    def json(self) -> dict[str, Any]:
        """What it printed, as JSON."""
        return json.loads(self.out)


@dataclass
class Process:
    """A process that runs `hlx`."""

    server: ProcessServer
    pid: int
    folder: Path

    def wait(self, seconds: float = PATIENCE) -> Ended:
        """Its end."""
        status = self.server.ended(self.pid, seconds)
        return Ended(status, (self.folder / "out").read_text(), self.err)

    @property
    def err(self) -> str:
        """What it has printed on stderr so far."""
        path = self.folder / "err"
        return path.read_text() if path.exists() else ""

    def send(self, number: int) -> None:
        """A signal to it."""
        os.kill(self.pid, number)


@dataclass
class ProcessServer:
    """The server's end in the test."""

    folder: Path
    _started: int = 0
    _statuses: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # One device: two would compile everything twice.
        environment = os.environ | {"XLA_FLAGS": "", "XDG_CACHE_HOME": str(self.folder)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.forked"],
            cwd=Path(__file__).parents[2],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, *arguments: object, **hooks: Any) -> Process:
        """`hlx ARGUMENTS` in a process of its own; `hooks` are those of `_child`."""
        self._started += 1
        folder = self.folder / f"process-{self._started}"
        folder.mkdir()
        assert self._process.stdin is not None
        ask = {"arguments": list(map(str, arguments)), "folder": str(folder), **hooks}
        self._process.stdin.write(json.dumps(ask) + "\n")
        self._process.stdin.flush()
        return Process(self, self._heard("started"), folder)

    def run(self, *arguments: object, **hooks: Any) -> Ended:
        """`start`, and wait for the end."""
        return self.start(*arguments, **hooks).wait()

    def ended(self, pid: int, seconds: float) -> int:
        """The status of a process, once it has ended."""
        timer = threading.Timer(seconds, os.kill, (pid, signal.SIGKILL))
        timer.start()
        try:
            while pid not in self._statuses:
                self._heard("ended")
        finally:
            timer.cancel()
        return self._statuses.pop(pid)

    def close(self) -> None:
        """End the server, and what it started."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE)
        self._process.stdout.close()

    def _heard(self, event: str) -> int:
        assert self._process.stdout is not None
        while True:
            line = self._process.stdout.readline()
            assert line, "the server has died"
            heard = json.loads(line)
            if "ended" in heard:
                self._statuses[heard["ended"]] = heard["status"]
            if event in heard:
                return heard[event]


def _serve() -> None:
    import h5py  # noqa: F401

    warnings.simplefilter("ignore")
    children: set[int] = set()
    while True:
        ready, _, _ = select.select([sys.stdin], [], [], 0.02)
        for pid in list(children):
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                children.remove(pid)
                _tell(ended=pid, status=os.waitstatus_to_exitcode(status))
        if not ready:
            continue
        line = sys.stdin.readline()
        if not line:
            for pid in children:
                os.kill(pid, signal.SIGKILL)
            return
        pid = os.fork()
        if pid == 0:
            _child(**json.loads(line))
        children.add(pid)
        _tell(started=pid)


def _tell(**event: int) -> None:
    print(json.dumps(event), flush=True)


def _child(
    arguments: list[str],
    folder: str,
    kill: str | None = None,
    count: int = 1,
    after: float | None = None,
    write_every: float = 1e-3,
) -> None:
    """Be `hlx`, and be killed the `count`-th time that it is at the place `kill`, or `after` seconds."""
    from hlx.cli import main
    from hlx.sweep.run import shard_writer as writer

    for number, name in ((1, "out"), (2, "err")):
        handle = os.open(Path(folder) / name, os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(handle, number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    writer.SECONDS = write_every
    if after is not None:
        threading.Timer(after, _die).start()
    if kill is not None:
        _set_trap(kill, count)
    sys.argv = ["hlx", *arguments]
    status: Any = 70
    try:
        main()
    except SystemExit as end:
        status = end.code or 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def _set_trap(kill: str, count: int) -> None:
    from hlx.io.hdf5 import Stream

    places: dict[str, tuple[Any, str]] = {
        WRITE: (Path, "write_bytes"),
        FSYNC: (os, "fsync"),
        REPLACE: (os, "replace"),
        REPLACED: (os, "replace"),
        APPEND: (Stream, "append"),
    }
    owner, name = places[kill]
    real: Callable[..., Any] = getattr(owner, name)
    left = count

    def trapped(*what: Any) -> Any:
        nonlocal left
        left -= 1
        if left > 0:
            return real(*what)
        if kill == WRITE:
            path, content = what
            real(path, content[: len(content) // 2])
        elif kill in (REPLACED, APPEND):
            real(*what)
        _die()

    setattr(owner, name, trapped)


if __name__ == "__main__":
    _serve()
