"""The merged file of a study: what was asked, and the result of each of it, read as it is needed.

Layout (format 1): `hlx.sweep.results.job_results`, with units in order of their ids, and::

    /          attrs: format, format_version, hlx_version, content_hash
    /rows      uint8, JSON lines: what was asked, in the study's order, of all that has a result
    /missing   uint8, JSON lines: likewise of all that has none, with "reason" where it failed
    /models    uint8, JSON lines: label, name, revision, dtype, engine, fingerprint of each model
"""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from hlx.errors import InputError
from hlx.sealed import Kind, opened
from hlx.sweep.results.job_results import Columns, UnitResult
from hlx.sweep.results.rows import Row

if TYPE_CHECKING:
    import h5py

KIND = Kind("hlx study", 1, "hlx sweep merge")


class StudyResults:
    """The results of a merged study; a context manager that closes the file.

    Attributes
    ----------
    path : of the file.
    rows : what was asked and has a result, in the study's order.
    missing : what was asked and has none.
    models : label, name, revision, dtype, engine and fingerprint of each model.
    content_hash : over results and what made them; independent of who computed them when.
    """

    def __init__(self, path: Path, file: h5py.File) -> None:
        self.path = path
        self._file = file
        self._columns = Columns(file, whole=False)
        self._numbers = {unit: i for i, unit in enumerate(self._columns.units)}
        self.rows = [Row(**row) for row in _lines(file, "rows")]
        self.missing = [Row(**row) for row in _lines(file, "missing")]
        self.models: list[dict[str, Any]] = _lines(file, "models")
        self.content_hash = str(file.attrs["content_hash"])
        if any(bytes.fromhex(row.unit) not in self._numbers for row in self.rows):
            raise ValueError("a row has no result")

    def result(self, row: Row, table: bool = True) -> UnitResult:
        """What answers a row; without its table of all coalitions where that is not wanted."""
        return self._columns.result(self._numbers[bytes.fromhex(row.unit)], table)

    def contents(self) -> dict[bytes, bytes]:
        """What the result of each unit hashes to, 32 bytes each."""
        return dict(zip(self._columns.units, self._columns.contents, strict=True))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> StudyResults:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def load_results(path: str | Path) -> StudyResults:
    """A merged study, its hash checked; what the rows ask for is read, results are when they are asked for.

    Raises
    ------
    InputError : missing, no merged study, or damaged.
    VersionError : of another format version.
    """
    path = Path(path)
    file = opened(path, KIND)
    try:
        return StudyResults(path, file)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        file.close()
        raise InputError(f"{path}: is damaged: {error}") from error


def _lines(file: h5py.File, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file[name][...].tobytes().splitlines()]
