"""The command line in this process: what a call prints, how it ends, and which files it touched."""

from __future__ import annotations

import hashlib
import io
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from hlx.cli import main


@dataclass(frozen=True)
class Ended:
    """Exit status, standard output and standard error of a call."""

    status: int
    out: str
    err: str


def hlx(*arguments: object) -> Ended:
    """`hlx ARGUMENTS` through its entry point."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["hlx", *map(str, arguments)]),
        warnings.catch_warnings(),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as ended:
            return Ended(int(ended.code or 0), out.getvalue(), err.getvalue())
    raise AssertionError("main returned without an exit status")


def refusal(folder: Path, *arguments: object) -> str:
    """The one line with which a call is refused: status 2, and nothing in `folder` made or changed."""
    before = files(folder)
    ended = hlx(*arguments)
    assert (ended.status, ended.out) == (2, ""), ended
    assert ended.err.startswith("hlx: ") and ended.err.endswith("\n") and ended.err.count("\n") == 1, (
        ended.err
    )
    assert files(folder) == before
    return ended.err


def files(folder: Path) -> dict[str, str]:
    """Everything in a folder and below: relative name -> hash of the content, "" for folders."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in folder.rglob("*")
    }
