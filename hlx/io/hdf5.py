"""HDF5 files whose content is hashed: written whole or not at all, and checked before HDF5 reads them.

HDF5's library can crash on damaged bytes, so that a hash inside the file would be looked at too late. The
hash of all that follows stands in the user block, which the format leaves to the application.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hlx.errors import InputError, VersionError
from hlx.io._hdf5_file import LenientFile, interrupts_held
from hlx.io.checks import check_file
from hlx.io.files import check_output, replacing, write_bytes

if TYPE_CHECKING:
    import h5py

USER_BLOCK = 512
"""Bytes before an HDF5 file proper that its format leaves to the application; the fewest there may be."""

ONE_CHUNK = 2**22
STREAMED_CHUNK = 2**18
"""Bytes of a chunk of an array that grows: what is read at least to get at anything in it."""


@dataclass(frozen=True)
class Kind:
    """A kind of file: `name` and `version` of its format; `made_by` says what writes it."""

    name: str
    version: int
    made_by: str


@contextmanager
def writing(path: str | Path, kind: Kind, force: bool = False) -> Iterator[h5py.File]:
    """An HDF5 file in memory to fill; on success it is under `path`, otherwise nothing is changed there.

    Raises
    ------
    OutputError
        The file exists (unless `force`), or cannot be written.
    """
    path = check_output(path, force)
    # In memory first: HDF5's library can crash when the disk fills up under a file that it has open.
    content = io.BytesIO()
    with _new_file(content, kind) as file:
        yield file
    whole = content.getbuffer()
    head = _head(kind, hashlib.sha256(whole[USER_BLOCK:]).hexdigest())
    whole[: len(head)] = head
    write_bytes(path, whole)


class Stream:
    """A file that is being written on a disk, larger than memory may be.

    Parameters
    ----------
    check
        Called after each `append`; raises what the caller is to hear of.

    Attributes
    ----------
    file
        Small things may be put into it at any time.
    """

    def __init__(self, file: h5py.File, check: Callable[[], None]) -> None:
        self.file = file
        self._check = check
        self._held: dict[str, list[np.ndarray]] = {}

    def append(self, name: str, array: np.ndarray) -> None:
        """Make the array of this name longer; the first time, make it.

        Raises
        ------
        OSError
            The disk has refused something, now or before; `streaming` tells it as an OutputError.
        """
        held = self._held.setdefault(name, [])
        held.append(array)
        if sum(part.nbytes for part in held) >= STREAMED_CHUNK:
            self._write(name)
        self._check()

    def finish(self) -> None:
        """Write what is held back: of arrays that stayed short, all."""
        for name, held in self._held.items():
            if name in self.file:
                self._write(name)
            else:
                write_dataset(self.file, name, np.concatenate(held))

    def _write(self, name: str) -> None:
        array = np.concatenate(self._held[name])
        self._held[name] = [array[:0].copy()]
        inner = array.shape[1:]
        if name not in self.file:
            row = array.dtype.itemsize * int(np.prod(inner))
            self.file.create_dataset(
                name,
                (0, *inner),
                array.dtype,
                maxshape=(None, *inner),
                chunks=(max(1, STREAMED_CHUNK // row), *inner),
                fletcher32=True,
            )
        dataset = self.file[name]
        start = len(dataset)
        dataset.resize(start + len(array), axis=0)
        dataset[start:] = array


@contextmanager
def streaming(path: str | Path, kind: Kind, force: bool = False) -> Iterator[Stream]:
    """As `writing`, for a file that need not fit into memory: it grows on the disk, under another name.

    Ctrl-C is held back while HDF5 writes, and comes through after each `append`.

    Raises
    ------
    OutputError
        The file exists (unless `force`), or cannot be written; a full disk leaves nothing behind.
    """
    path = check_output(path, force)
    with replacing(path) as temporary, open(temporary, "w+b", buffering=0) as raw:
        lenient = LenientFile(raw)
        with interrupts_held() as let_through, _new_file(lenient, kind) as file:

            def check() -> None:
                lenient.check()
                let_through()

            stream = Stream(file, check)
            yield stream
            stream.finish()
        lenient.check()
        raw.seek(USER_BLOCK)
        head = _head(kind, hashlib.file_digest(raw, "sha256").hexdigest())
        raw.seek(0)
        raw.write(head)


@contextmanager
def reading(path: str | Path, kind: Kind) -> Iterator[h5py.File]:
    """A file of this kind, opened once its hash is found right.

    Raises
    ------
    InputError
        Missing, of another kind, damaged, or lacking what the caller looks for.
    VersionError
        Of another format version.
    """
    with opened(path, kind) as file, _errors_told(path):
        yield file


def opened(path: str | Path, kind: Kind) -> h5py.File:
    """As `reading`, for the caller to close."""
    import h5py

    path = Path(path)
    check_file(path)
    with _errors_told(path):
        _verify(path, kind)
        # No locks: a file never changes under its name, and not every cluster's file system has them.
        return h5py.File(path, "r", locking=False)


def is_of_kind(path: str | Path, kind: Kind) -> bool:
    """Whether a file starts as this kind does; damage is for `reading` to find."""
    try:
        with open(path, "rb") as file:
            return file.read(USER_BLOCK).startswith(kind.name.encode() + b" ")
    except OSError:
        return False


def write_dataset(group: h5py.Group, name: str, array: np.ndarray) -> None:
    """An array with Fletcher-32 checksums, for readers that know nothing of the hash."""
    # Checksums are per chunk: small arrays are one, large ones are cut as h5py sees fit.
    chunks = array.shape if 0 < array.nbytes < ONE_CHUNK else True
    group.create_dataset(name, data=array, chunks=chunks, fletcher32=True)


@contextmanager
def _new_file(content: io.BytesIO | LenientFile, kind: Kind) -> Iterator[h5py.File]:
    import h5py

    # Attributes above 64 KiB (a very long caption) take the format of HDF5 1.8.
    with h5py.File(content, "w", userblock_size=USER_BLOCK, libver=("earliest", "v108")) as file:
        file.attrs.update(format=kind.name, format_version=kind.version, hlx_version=version("hlx"))
        yield file


def _head(kind: Kind, digest: str) -> bytes:
    return f"{kind.name} {kind.version} sha256 {digest}\n".encode()


def _verify(path: Path, kind: Kind) -> None:
    """Raise InputError unless the user block names this kind and the hash of what follows it."""
    with open(path, "rb") as file:
        block = file.read(USER_BLOCK)
        head = re.match(rb"%b (\d+) " % kind.name.encode(), block)
        if head is None:
            owner, _, what = kind.name.partition(" ")
            raise InputError(f"{path}: is not a file of {owner}'s {what} ({kind.made_by} writes them)")
        if int(head[1]) != kind.version:
            raise VersionError(
                f"{path}: has format {int(head[1])}, this hlx reads {kind.version}; "
                "load it with the hlx that wrote it",
                int(head[1]),
            )
        rest = hashlib.file_digest(file, "sha256").hexdigest()
    if block != _head(kind, rest).ljust(USER_BLOCK, b"\0"):
        raise InputError(f"{path}: is damaged or cut off: its content does not match its hash")


@contextmanager
def _errors_told(path: str | Path) -> Iterator[None]:
    try:
        yield
    except (OSError, KeyError, RuntimeError) as error:
        raise InputError(f"{path}: cannot be read: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
