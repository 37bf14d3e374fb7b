"""The merged file of a sweep: what was asked, and the result of each of it, read as it is needed.

Layout (format 2): `hlx.sweep.results.job_results`, with jobs in order of their ids, and::

    /          attrs: format, format_version, hlx_version, content_hash
    /rows      uint8, JSON lines: what was asked, in the sweep's order, of all that has a result
    /missing   uint8, JSON lines: likewise of all that has none, with "reason" where it failed
    /models    uint8, JSON lines: label, name, revision, dtype, engine, fingerprint of each model
"""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from hlx.errors import InputError
from hlx.io.hdf5 import Kind, opened
from hlx.sweep.results.job_results import Columns, JobResult
from hlx.sweep.results.rows import Row

if TYPE_CHECKING:
    import h5py

KIND = Kind("hlx sweep", 2, "hlx sweep merge")


class SweepResults:
    """The results of a merged sweep; a context manager that closes the file.

    Attributes
    ----------
    path
        Of the file.
    rows
        What was asked and has a result, in the sweep's order.
    missing
        What was asked and has none.
    models
        Label, name, revision, dtype, engine and fingerprint of each model.
    content_hash
        Over results and what made them; independent of who computed them when.
    """

    def __init__(self, path: Path, file: h5py.File) -> None:
        self.path = path
        self._file = file
        self._columns = Columns(file, whole=False)
        self._numbers = {job: i for i, job in enumerate(self._columns.jobs)}
        self.rows = [Row(**row) for row in _lines(file, "rows")]
        self.missing = [Row(**row) for row in _lines(file, "missing")]
        self.models: list[dict[str, Any]] = _lines(file, "models")
        self.content_hash = str(file.attrs["content_hash"])
        if any(bytes.fromhex(row.job) not in self._numbers for row in self.rows):
            raise ValueError("a row has no result")

    def result(self, row: Row, table: bool = True) -> JobResult:
        """What answers a row; without its table of all coalitions where that is not wanted."""
        return self._columns.result(self._numbers[bytes.fromhex(row.job)], table)

    def contents(self) -> dict[bytes, bytes]:
        """What the result of each job hashes to, 32 bytes each."""
        return dict(zip(self._columns.jobs, self._columns.contents, strict=True))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> SweepResults:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def load_results(path: str | Path) -> SweepResults:
    """A merged sweep, its hash checked; what the rows ask for is read, results are when they are asked for.

    Raises
    ------
    InputError
        Missing, no merged sweep, or damaged.
    VersionError
        Of another format version.
    """
    path = Path(path)
    file = opened(path, KIND)
    try:
        return SweepResults(path, file)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        file.close()
        raise InputError(f"{path}: is damaged: {error}") from error


def _lines(file: h5py.File, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file[name][...].tobytes().splitlines()]
