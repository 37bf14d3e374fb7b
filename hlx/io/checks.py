"""What callers give, checked: whole numbers, and files that are there."""

from __future__ import annotations

import operator
import os
import reprlib
import stat
from pathlib import Path
from typing import Any, BinaryIO

from hlx.errors import InputError


def whole_number(value: Any, name: str, least: int | None = None) -> int:
    """The number as an int, also where it is one of numpy's; nothing is rounded.

    Raises
    ------
    InputError
        No whole number (16.0 and "16" are none), or below `least`; names it `name`.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        raise InputError(f"{name}: expected a whole number, found {reprlib.repr(value)}")
    if least is not None and number < least:
        raise InputError(f"{name}: expected at least {least}, found {number}")
    return number


def check_file(path: Path) -> None:
    """Raise one clear InputError unless `path` is a regular file with something in it, and can be opened."""
    open_file(path).close()


def open_file(path: Path) -> BinaryIO:
    """A regular file with something in it, open to read its bytes; one clear InputError for anything else."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        hint = "; hlx reads local files, download it first" if "://" in str(path) or ":/" in str(path) else ""
        raise InputError(f"{path}: no such file{hint}") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise InputError(f"{path}: cannot be read: {one_line(reason)}") from None
    if stat.S_ISDIR(status.st_mode):
        raise InputError(f"{path}: is a folder, expected a file")
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{path}: is not a regular file")
    if status.st_size == 0:
        raise InputError(f"{path}: the file is empty")
    try:
        return open(path, "rb")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None


def one_line(reason: object) -> str:
    """What an error says, in one line; its type where it says nothing."""
    return " ".join(str(reason).split()) or type(reason).__name__
