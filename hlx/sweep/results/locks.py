"""Locks of a sweep's output folder: no two runs compute the same, no two merges write the same.

The system's own (flock): a process that dies, however, lets go of them; no clock plays a part. What the
files say is for people, who want to know whom they wait for.
"""

from __future__ import annotations

import errno
import json
import os
import re
import socket
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from hlx.errors import OutputError
from hlx.io.files import make_folder

try:
    import fcntl
except ImportError:
    raise OutputError(
        "sweeps lock their folders by means of Linux and macOS (fcntl), which are not here: run them there"
    ) from None

LOCKS = "locks"
NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL}
"""What file systems say that have none."""

WAIT = 1.0
"""Seconds between looks at runs in another number of shares."""

TRIES = 5
"""Before a lock counts as taken: whoever asks who has one takes it himself for a moment."""

_SHARE = re.compile(r"run-(\d+)-of-(\d+)")


@contextmanager
def run_lock(
    output: Path,
    shard: tuple[int, int] | None = None,
    wait: bool = False,
    tell: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Have a sweep's output folder, made if missing, for a run; or share it, for the share i of n.

    Parameters
    ----------
    shard
        (i, n); runs of other shares of n may work beside this one, a whole run and one in another number of
        shares may not.
    wait
        Until the folder is free; `tell` is given one line first that says who has it.

    Raises
    ------
    OutputError
        Another run has the folder or this share of it (unless `wait`); the folder takes no files.
    """
    folder = make_folder(output / LOCKS)
    with ExitStack() as held:
        for name, shared in (("run", shard is not None), (None if shard is None else _name(shard), False)):
            if name is not None:
                held.enter_context(_lock(folder / f"{name}.lock", "run of this sweep", shared, wait, tell))
        if shard is not None:
            _meet_no_other_parts(folder, shard, wait, tell)
        yield


def who_runs(output: Path) -> str | None:
    """Who runs a sweep just now, in words; None if nobody does, or if that cannot be found out."""
    path = output / LOCKS / "run.lock"
    return _holder(path) if _is_held(path, fcntl.LOCK_EX) else None


@contextmanager
def merge_lock(output: Path, wait: bool = False, tell: Callable[[str], None] | None = None) -> Iterator[None]:
    """Be the only one to merge a sweep's results; runs may go on. Errors as `run_lock`."""
    path = make_folder(output / LOCKS) / "merge.lock"
    with _lock(path, "merge of this sweep", False, wait, tell):
        yield


@contextmanager
def _lock(
    path: Path, what: str, shared: bool, wait: bool, tell: Callable[[str], None] | None
) -> Iterator[None]:
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error
    try:
        if not _try(path, handle, shared):
            told = f"{path.parent.parent}: another {what} works here ({_holder(path)})"
            if not wait:
                raise OutputError(f"{told}: wait for its end, or stop it first")
            if tell is not None:
                tell(f"{told}: waiting for its end")
            fcntl.flock(handle, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        if shared:
            yield
            return
        holder = {"host": socket.gethostname(), "pid": os.getpid(), "since": time.strftime("%F %T %z")}
        try:
            os.ftruncate(handle, 0)
            os.write(handle, json.dumps(holder).encode())
        except OSError as error:
            raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error
        try:
            yield
        finally:
            # The file stays: another process may have it open already, and would lock what nobody finds.
            with suppress(OSError):
                os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def _meet_no_other_parts(
    folder: Path, shard: tuple[int, int], wait: bool, tell: Callable[[str], None] | None
) -> None:
    """Refuse, or wait, while runs are at work that have cut the sweep into another number of shares.

    Whoever comes second has its own lock before it looks, so that of two that come together none goes on
    unseen.
    """
    told = False
    while others := [
        path
        for path in folder.glob("run-*-of-*.lock")
        if _number(path) != shard[1] and _is_held(path, fcntl.LOCK_EX)
    ]:
        message = f"{folder.parent}: another run of this sweep works here ({_told_of(others)})"
        if not wait:
            raise OutputError(
                f"{message}, in another number of shards: wait for its end, or name shards of that number"
            )
        if not told and tell is not None:
            tell(f"{message}, in another number of shards: waiting for its end")
        told = True
        time.sleep(WAIT)


def _try(path: Path, handle: int, shared: bool) -> bool:
    """Whether the lock could be taken at once; also where there are none, which a warning says."""
    for attempt in range(TRIES):
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            return True
        except (BlockingIOError, PermissionError):
            if attempt + 1 < TRIES:
                time.sleep(0.02)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise OutputError(f"{path}: cannot be locked: {error.strerror or error}") from error
            warnings.warn(
                f"{path}: the file system has no locks ({error.strerror}): see to it yourself that nothing "
                "else works in this folder",
                stacklevel=2,
            )
            return True
    return False


def _holder(path: Path) -> str:
    """Who has a lock, in words; those who share it stand in the files of their shares."""
    shares = not _is_held(path, fcntl.LOCK_SH)
    files = sorted(path.parent.glob("run-*-of-*.lock")) if shares else [path]
    return _told_of([file for file in files if not shares or _is_held(file, fcntl.LOCK_EX)])


def _told_of(files: Iterable[Path]) -> str:
    """Who has these locks, as far as their files say."""
    told = []
    for file in files:
        try:
            holder = json.loads(file.read_bytes())
            share = _SHARE.fullmatch(file.stem)
            prefix = f"shard {share[1]}/{share[2]}: " if share else ""
            told.append(f"{prefix}process {holder['pid']} on {holder['host']} since {holder['since']}")
        except (OSError, ValueError, TypeError, KeyError):
            continue
    return "; ".join(told) or "which one is not known"


def _is_held(path: Path, how: int) -> bool:
    """Whether somebody's lock keeps one of this kind away."""
    try:
        # A lock needs no writing; whoever only looks may not be allowed to.
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
    return False


def _number(path: Path) -> int | None:
    """Into how many shares the run whose lock this is has cut the sweep."""
    share = _SHARE.fullmatch(path.stem)
    return None if share is None else int(share[2])


def _name(shard: tuple[int, int]) -> str:
    return f"run-{shard[0]}-of-{shard[1]}"
