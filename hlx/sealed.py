"""HDF5 files whose content is hashed: written whole or not at all, and checked before HDF5 reads them.

HDF5's library can crash on damaged bytes, so that a hash inside the file would be looked at too late. The
hash of all that follows stands in the user block, which the format leaves to the application.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hlx.errors import InputError
from hlx.files import check_output, write_bytes
from hlx.images import check_file

if TYPE_CHECKING:
    import h5py

USER_BLOCK = 512
"""Bytes before an HDF5 file proper that its format leaves to the application; the fewest there may be."""

ONE_CHUNK = 2**22


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
    OutputError : the file exists (unless `force`), or cannot be written.
    """
    import h5py

    path = check_output(path, force)
    # In memory first: HDF5's library can crash when the disk fills up under a file that it has open.
    content = io.BytesIO()
    # Attributes above 64 KiB (a very long caption) take the format of HDF5 1.8.
    with h5py.File(content, "w", userblock_size=USER_BLOCK, libver=("earliest", "v108")) as file:
        file.attrs.update(format=kind.name, format_version=kind.version, hlx_version=version("hlx"))
        yield file
    whole = content.getbuffer()
    head = _head(kind, hashlib.sha256(whole[USER_BLOCK:]).hexdigest())
    whole[: len(head)] = head
    write_bytes(path, whole)


@contextmanager
def reading(path: str | Path, kind: Kind) -> Iterator[h5py.File]:
    """A file of this kind, opened once its hash is found right.

    Raises
    ------
    InputError : missing, of another kind or format version, damaged, or lacking what the caller looks for.
    """
    import h5py

    path = Path(path)
    check_file(path)
    try:
        _verify(path, kind)
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, KeyError, RuntimeError) as error:
        raise InputError(f"{path}: cannot be read: {_reason(error)}") from error


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
            raise InputError(
                f"{path}: has format {int(head[1])}, this hlx reads {kind.version}; "
                "load it with the hlx that wrote it"
            )
        rest = hashlib.file_digest(file, "sha256").hexdigest()
    if block != _head(kind, rest).ljust(USER_BLOCK, b"\0"):
        raise InputError(f"{path}: is damaged or cut off: its content does not match its hash")


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
