"""Outputs of commands: refused before the work, said once they are written."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import click

from hlx.errors import InputError
from hlx.io.files import check_output

Outputs = Mapping[str, tuple[Path | None, Sequence[str]]]
"""Option -> the file it names, if any, and the endings that it may have (none: all)."""

PICTURES = (".png", ".pdf")


def check_outputs(outputs: Outputs, inputs: Iterable[str | Path | None], force: bool) -> None:
    """Refuse files that cannot be written, have another ending, are an input, or are named twice.

    Raises
    ------
    InputError
        A wrong ending; one of `inputs`, under any of its names; a file of two options.
    OutputError
        As `check_output`.
    """
    read = [Path(given) for given in inputs if given is not None]
    named: dict[str, Path] = {}
    for option, (path, endings) in outputs.items():
        if path is None:
            continue
        if endings and path.suffix.lower() not in endings:
            raise InputError(f"{path}: expected a name that ends in {' or '.join(endings)}")
        if any(_same(path, given) for given in read):
            raise InputError(f"{path}: is an input, it will not be replaced; name another file")
        for other, taken in named.items():
            if _same(path, taken):
                raise InputError(f"{option} {path}: is also the file of {other}")
        check_output(path, force)
        named[option] = path


def tell_written(*paths: Path | None) -> None:
    """A line for every file, on stderr."""
    for path in paths:
        if path is not None:
            click.echo(f"written: {path}", err=True)


def _same(one: Path, other: Path) -> bool:
    # Hard links and folders that ignore case have several names for a file; one to be made has none yet.
    if os.path.exists(one) and os.path.exists(other):
        return os.path.samefile(one, other)
    return os.path.realpath(one) == os.path.realpath(other)
