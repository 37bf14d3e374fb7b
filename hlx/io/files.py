"""Output files: refused before the work when they cannot be written, whole or absent afterwards."""

from __future__ import annotations

import csv
import io
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hlx.errors import OutputError

PART = ".part"
"""What the names of temporary files end in; they start with a dot."""


def check_output(path: str | Path, force: bool = False) -> Path:
    """The path, if a file can be written there.

    Raises
    ------
    OutputError
        It exists (unless `force`), is no regular file, or its folder is missing or takes no file.
    """
    path = Path(path)
    if os.path.exists(path) and not os.path.isfile(path):
        raise OutputError(f"{path}: is no regular file, expected the name of a file to write")
    if os.path.lexists(path) and not force:
        raise OutputError(f"{path}: exists; force=True replaces it")
    if not os.path.isdir(path.parent):
        raise OutputError(f"{path}: cannot be written, there is no folder {path.parent}")
    # Only an attempt tells: permissions, read-only disks, quotas and too long names all show here.
    temporary = _temporary(path)
    try:
        try:
            temporary.touch()
        finally:  # also when Ctrl-C comes in between
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written in the folder {path.parent}: {error.strerror or error}"
        ) from error
    return path


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary name beside `path` to write to; moved into place on success, removed otherwise.

    File and folder are flushed to the disk, so that a crash leaves the old file or the whole new one.

    Raises
    ------
    OutputError
        Writing failed, such as on a full disk.
    """
    path = Path(path)
    temporary = _temporary(path)
    try:
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
        _flush(path.parent)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_bytes(path: str | Path, content: bytes | memoryview) -> None:
    """The whole content under `path`, or nothing."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_csv(
    records: Sequence[Mapping[str, Any]], path: str | Path | None = None, force: bool = False
) -> str:
    """Records with the same fields as CSV text with a header line; written to `path` if one is given.

    None is an empty cell; floats keep all their digits; truths are 1 and 0, which average wherever they are
    read.

    Raises
    ------
    OutputError
        As `check_output` and `replacing`.
    """
    text = io.StringIO()
    table = csv.DictWriter(text, list(records[0]) if records else [], lineterminator="\n")
    table.writeheader()
    for record in records:
        table.writerow({name: int(v) if isinstance(v, bool) else v for name, v in record.items()})
    if path is not None:
        write_bytes(check_output(path, force), text.getvalue().encode())
    return text.getvalue()


def make_folder(folder: str | Path) -> Path:
    """The folder, made if missing, with those above it.

    Raises
    ------
    OutputError
        It cannot be made, or is a file.
    """
    folder = Path(folder)
    try:
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            _flush(folder.parent)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {error.strerror or error}") from error
    return folder


def remove_temporaries(folder: str | Path, name: str = "*") -> None:
    """Remove what interrupted writes of `name` (a pattern) left in a folder; nobody may be writing there."""
    for temporary in Path(folder).glob(f".{name}.*{PART}"):
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def filling(folder: str | Path) -> Iterator[Path]:
    """A temporary folder to write files to; on success they move into `folder`, which is made if missing.

    Raises
    ------
    OutputError
        Writing failed, such as on a full disk; `folder` is then as it was.
    """
    folder = Path(folder)
    # Inside a folder that is there already, which may be a disk of its own.
    temporary = _temporary(folder / "files" if folder.is_dir() else folder)
    try:
        temporary.mkdir()
        yield temporary
        for file in temporary.iterdir():
            _flush(file)
        if folder.is_dir():
            for file in temporary.iterdir():
                os.replace(file, folder / file.name)
            _flush(folder)
        else:
            os.rename(temporary, folder)
            _flush(folder.parent)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _temporary(path: Path) -> Path:
    # Not the process's number: in containers that share a folder, many processes have the same.
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}{PART}")


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def output_folder(folder: Path, names: Sequence[str], force: bool = False) -> Iterator[None]:
    """A folder in which these files can be written; taken away again if it was made here and stays empty.

    Raises
    ------
    OutputError
        The folder cannot be made or written to, or one of the files exists (unless `force`).
    """
    made = not folder.exists()
    try:
        folder.mkdir(exist_ok=True)
    except FileExistsError:
        raise OutputError(f"{folder}: is a file, expected a folder; name another one") from None
    except OSError as error:
        raise OutputError(f"{folder}: the folder cannot be made: {error.strerror or error}") from error
    try:
        for name in names:
            check_output(folder / name, force)
        yield
    finally:
        if made:
            with suppress(OSError):  # raised where there is something in it
                folder.rmdir()
