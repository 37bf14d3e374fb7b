"""Results to the disk, behind the back of the run that gathers them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from pathlib import Path

from hlx.errors import HlxError, OutputError
from hlx.sweep.results.failures import record_failures
from hlx.sweep.results.job_results import JobResult
from hlx.sweep.results.shards import write_shard
from hlx.sweep.run.executor import Done

SECONDS = 5.0
"""Results wait so long for others to share their shard: what a killed run loses at most."""

BYTES = 2**26
"""So many bytes of results wait for no others; the next ones wait once twice as many are gathered."""

RECORD_BYTES = 4096
"""What a result takes besides its numbers, about, for each of its arrays."""


class ShardWriter:
    """Writes what groups gave, results into shards and failures into their records, in a thread of its own.

    Parameters
    ----------
    output
        The sweep's output folder.
    """

    def __init__(self, output: Path) -> None:
        self._output = output
        self._changed = threading.Condition()
        self._gathered: list[Done] = []
        self._size = 0
        self._first = 0.0
        self._closing = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="shard writer", daemon=True)
        self._thread.start()

    def put(self, done: Done) -> None:
        """Take what an image group gave; waits while the disk is far behind.

        Raises
        ------
        OutputError
            Something could not be written, now or before.
        """
        with self._changed:
            while self._error is None and self._size >= 2 * BYTES:
                self._changed.wait(1.0)
            self.check()
            if not self._gathered:
                self._first = time.monotonic()
            self._gathered.append(done)
            self._size += _size(done.results)
            self._changed.notify_all()

    def check(self) -> None:
        """Raise the error that ended the writing, if one did."""
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Write what is left, and end.

        Raises
        ------
        OutputError
            As `put`.
        """
        self.abandon()
        while self._thread.is_alive():
            # In turns: a join without an end would not let a second Ctrl-C through everywhere.
            self._thread.join(0.5)
        self.check()

    def abandon(self) -> None:
        """As `close`, without waiting: what is left is written if the process lives long enough."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def _work(self) -> None:
        try:
            while True:
                with self._changed:
                    while not self._due():
                        left = self._first + SECONDS - time.monotonic()
                        self._changed.wait(left if self._gathered else None)
                    batch, ending = self._gathered, self._closing
                    self._gathered, self._size = [], 0
                    self._changed.notify_all()
                if batch:
                    self._write(batch)
                elif ending:
                    return
        except Exception as error:
            told = error if isinstance(error, HlxError) else OutputError(f"{self._output}: {error!r}")
            with self._changed:
                self._error = told
                self._changed.notify_all()

    def _due(self) -> bool:
        if self._closing or self._size >= BYTES:
            return True
        return bool(self._gathered) and time.monotonic() >= self._first + SECONDS

    def _write(self, batch: list[Done]) -> None:
        results = {result.job: result for done in batch for result in done.results}
        if results:
            write_shard(self._output, list(results.values()))
        # Only now: an image group's failures are forgotten once its results are safe.
        for done in batch:
            record_failures(self._output, done.group, done.failures)


def _size(results: Iterable[JobResult]) -> int:
    arrays = [array for r in results for array in (r.values, r.standard_error, r.coalition_values)]
    return sum(RECORD_BYTES + array.nbytes for array in arrays if array is not None)
