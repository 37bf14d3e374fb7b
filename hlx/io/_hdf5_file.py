"""A file that never refuses: for libraries that write through it and crash when a write fails."""

from __future__ import annotations

import io
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class LenientFile(io.RawIOBase):
    """A file on a disk that keeps, once the disk has refused a write, all further ones in memory.

    Whoever writes through it finds what was written, whatever the disk said, and can close in peace. `check`
    tells; it is to be called often, since memory is what the disk has not taken.

    Parameters
    ----------
    raw
        Open for reading and writing, unbuffered.
    """

    def __init__(self, raw: io.FileIO) -> None:
        super().__init__()
        self._raw = raw
        self._place = 0
        self._size = 0
        self._refused: Exception | None = None
        self._kept: list[tuple[int, bytes]] = []

    def check(self) -> None:
        """Raise the error with which the disk refused a write, if it did."""
        if self._refused is not None:
            raise self._refused

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        self._place = start + offset
        return self._place

    def truncate(self, size: int | None = None) -> int:
        self._size = self._place if size is None else size
        self._attempt(self._raw.truncate, self._size)
        return self._size

    def write(self, content: Any) -> int:
        whole = memoryview(content).cast("B")
        written = 0
        while self._refused is None and written < len(whole):
            written += self._attempt(self._write_at, self._place + written, whole[written:]) or 0
        if self._refused is not None:
            self._kept.append((self._place, bytes(whole)))
        self._place += len(whole)
        self._size = max(self._size, self._place)
        return len(whole)

    def readinto(self, buffer: Any) -> int:
        whole = memoryview(buffer).cast("B")
        whole = whole[: max(0, self._size - self._place)]
        whole[:] = bytes(len(whole))
        done = 0
        self._raw.seek(self._place)
        while done < len(whole) and (count := self._raw.readinto(whole[done:])):
            done += count
        for start, content in self._kept:
            first, last = max(start, self._place), min(start + len(content), self._place + len(whole))
            if first < last:
                whole[first - self._place : last - self._place] = content[first - start : last - start]
        self._place += len(whole)
        return len(whole)

    def _write_at(self, place: int, content: memoryview) -> int:
        self._raw.seek(place)
        return self._raw.write(content)

    def _attempt(self, write: Callable[..., int], *what: Any) -> int | None:
        if self._refused is not None:
            return None
        try:
            return write(*what)
        except (OSError, MemoryError) as error:
            self._refused = error
            return None


@contextmanager
def interrupts_held() -> Iterator[Callable[[], None]]:
    """Hold back Ctrl-C and SIGTERM; what it yields lets those through that came, as does the end.

    Handlers run wherever Python code does, thus also inside a file that a library is writing through.
    """
    held: list[tuple[int, FrameType | None]] = []
    handlers: dict[int, Callable[[int, FrameType | None], Any]] = {}
    # Elsewhere no handler runs; those of the system's own do not come back.
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(number)
            if callable(handler):
                handlers[number] = handler
                signal.signal(number, lambda number, frame: held.append((number, frame)))

    def let_through() -> None:
        while held:
            number, frame = held.pop(0)
            handlers[number](number, frame)

    try:
        yield let_through
    finally:
        for which, handler in handlers.items():
            signal.signal(which, handler)
        let_through()
