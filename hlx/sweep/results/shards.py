"""Shards: what a sweep has computed so far. A job is done when a valid shard holds its result.

A shard is a file of `hlx.io.hdf5` with the layout of `job_results`, named by its jobs; it is there whole or
not at all. What is found damaged is moved out of the way and computed again.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from hlx.errors import InputError, OutputError, VersionError
from hlx.io.files import make_folder, remove_temporaries
from hlx.io.hdf5 import Kind, is_of_kind, reading, write_dataset, writing
from hlx.sweep.plan.jobs import RESULTS_VERSION
from hlx.sweep.results.job_results import Columns, JobResult, columns_of

KIND = Kind("hlx sweep shard", 2, "hlx sweep run")
FIRST_KIND = Kind("hlx study shard", 1, KIND.made_by)
"""What shards were before: refused, so that nobody computes again unasked what is there."""

SHARDS, QUARANTINE, FAILED = "shards", "quarantine", "failed"
"""Folders of a sweep's output."""

NOT_ITS_FAULT = {
    errno.EACCES,
    errno.EPERM,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.ESTALE,
    errno.ETIMEDOUT,
}
"""Errors of reading that say nothing of whether a shard is whole."""


@dataclass(frozen=True)
class BadShard:
    """A shard that cannot be trusted: where it is now, and what is wrong with it."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Scan:
    """What a sweep has.

    Attributes
    ----------
    done
        The jobs that are done, and what their results hash to, 32 bytes each; of several results of one job
        that differ the one that a merge takes.
    bad
        The shards that were bad.
    """

    done: Mapping[bytes, bytes]
    bad: tuple[BadShard, ...]

    def __contains__(self, job: str) -> bool:
        """Whether the job of this id, in hexadecimal, is done."""
        return bytes.fromhex(job) in self.done


def write_shard(output: Path, results: Sequence[JobResult]) -> Path:
    """Write results, at least one, into a shard of the sweep's output folder.

    Raises
    ------
    OutputError
        It cannot be written; nothing is left behind.
    """
    folder = make_folder(output / SHARDS)
    name = hashlib.sha256("".join(result.job for result in results).encode()).hexdigest()[:32]
    path = folder / f"{name}.h5"
    with writing(path, KIND, force=True) as file:
        file.attrs["results_version"] = RESULTS_VERSION
        for column, array in columns_of(results).items():
            write_dataset(file, column, array)
    return path


def read_shard(path: Path) -> list[JobResult]:
    """The results of a shard, every one of them checked.

    Raises
    ------
    InputError
        Missing, no shard, or damaged.
    VersionError
        Of another format, or of jobs that another version of hlx computed otherwise.
    """
    if is_of_kind(path, FIRST_KIND):
        raise VersionError(f"{path}: has format 1, this hlx reads {KIND.version}", 1)
    try:
        with reading(path, KIND) as file:
            found = int(file.attrs["results_version"])
            if found == RESULTS_VERSION:
                return Columns(file, whole=True).verified()
    except VersionError as error:
        if _is_intact(path, error.version):
            raise
        raise InputError(f"{path}: is damaged: its first bytes have changed") from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: is damaged: {error}") from error
    raise VersionError(
        f"{path}: holds results of version {found}, this hlx computes {RESULTS_VERSION}", found
    )


@dataclass
class Shards:
    """The shards of a sweep's output folder, read one after the other in the order of their names.

    Parameters
    ----------
    output
        Need not be there yet.
    quarantine
        Move bad shards to the folder of that name; else leave them where they are.

    Attributes
    ----------
    bad
        Those found so far.
    """

    output: Path
    quarantine: bool = True
    bad: list[BadShard] = field(default_factory=list)

    def __post_init__(self) -> None:
        folder = self.output / SHARDS
        # Names with a dot in front are of writes that did not come to an end.
        self._paths = sorted(path for path in folder.glob("*.h5") if not path.name.startswith("."))

    def __len__(self) -> int:
        return len(self._paths)

    def __iter__(self) -> Iterator[list[JobResult]]:
        """The results of every good shard; those of another version are told once all have been read.

        Raises
        ------
        InputError
            A shard may not be read; or there are some of another version.
        OutputError
            A bad shard cannot be moved.
        """
        others = []
        for path in self._paths:
            try:
                yield read_shard(path)
            except VersionError as error:
                others.append(error)
            except InputError as error:
                if isinstance(error.__context__, OSError) and error.__context__.errno in NOT_ITS_FAULT:
                    raise
                # Another run that shares the folder may have moved it meanwhile.
                if path.exists():
                    self._set_aside(path, str(error).removeprefix(f"{path}: "))
        if others:
            raise InputError(
                f"{self.output}: {len(others)} of {len(self)} shards are of an incompatible version of hlx: "
                "go on with the hlx that wrote them, or name another output folder in the sweep file, into "
                f"which hlx sweep run computes all anew ({others[0]})"
            )

    def _set_aside(self, path: Path, reason: str) -> None:
        if not self.quarantine:
            self.bad.append(BadShard(path, reason))
            return
        folder = make_folder(self.output / QUARANTINE)
        target, number = folder / path.name, 1
        while os.path.lexists(target):
            number += 1
            target = folder / f"{path.stem}-{number}{path.suffix}"
        try:
            path.rename(target)
        except FileNotFoundError:
            return
        except OSError as error:
            raise OutputError(
                f"{path}: {reason}; it cannot be moved to {folder}: {error.strerror or error}"
            ) from error
        self.bad.append(BadShard(target, reason))


def scan(output: Path, quarantine: bool = True) -> Scan:
    """Check every shard, whole, and say which jobs are done; bad ones are moved to `output`/quarantine.

    Raises
    ------
    InputError
        Shards of another version of hlx, how many; or one that may not be read.
    OutputError
        A bad shard cannot be moved.
    """
    shards = Shards(output, quarantine)
    done: dict[bytes, bytes] = {}
    for results in shards:
        for result in results:
            job, content = bytes.fromhex(result.job), result.content()
            done[job] = min(content, done.get(job, content))
    return Scan(done, tuple(shards.bad))


def remove_leftovers(output: Path) -> None:
    """Remove what killed runs were writing; only for a run that has the folder to itself."""
    for folder in (SHARDS, FAILED):
        remove_temporaries(output / folder)


def _is_intact(path: Path, version: int) -> bool:
    """Whether a shard is of this version also by what its hash covers, its first bytes being not covered."""
    try:
        with reading(path, replace(KIND, version=version)) as file:
            return int(file.attrs["format_version"]) == version
    except InputError:
        return False
