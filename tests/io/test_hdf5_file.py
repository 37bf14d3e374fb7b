"""A lenient file reads as what was written to it, whatever the disk took; signals wait for their turn."""

from __future__ import annotations

import errno
import io
import os
import signal
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlx.io._hdf5_file import LenientFile, interrupts_held


class FullDisk(io.FileIO):
    """A file on a disk that takes so many bytes more, and short writes before it is full."""

    room = 0

    def write(self, content: Any) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = super().write(bytes(content)[: self.room])
        self.room -= taken
        return taken


WRITES = st.lists(st.tuples(st.integers(0, 300), st.binary(min_size=1, max_size=100)), max_size=20)


@given(writes=WRITES, room=st.integers(0, 1000), cut=st.none() | st.integers(0, 300))
def test_it_reads_as_what_was_written(writes: list[tuple[int, bytes]], room: int, cut: int | None) -> None:
    with tempfile.TemporaryDirectory() as folder, FullDisk(Path(folder) / "a", "w+b") as raw:
        raw.room = room
        lenient, expected = LenientFile(raw), io.BytesIO()
        for place, content in writes:
            for file in (lenient, expected):
                file.seek(place)
                assert file.write(content) == len(content)
        if cut is not None and cut <= len(expected.getvalue()):
            assert lenient.truncate(cut) == expected.truncate(cut)
        whole = expected.getvalue()
        assert lenient.seek(0, os.SEEK_END) == len(whole)
        for start in (0, 7, 150, 500):
            lenient.seek(start)
            assert lenient.read(120) == whole[start : start + 120]
            assert lenient.tell() == max(start, min(start + 120, len(whole)))
        if sum(len(content) for _, content in writes) > room:
            with pytest.raises(OSError, match="No space left"):
                lenient.check()
        else:
            lenient.check()
            assert (Path(folder) / "a").read_bytes() == whole


def test_an_interrupt_waits() -> None:
    reached = []
    with pytest.raises(KeyboardInterrupt), interrupts_held() as let_through:
        os.kill(os.getpid(), signal.SIGINT)
        reached.append("held")
        let_through()
        reached.append("not reached")
    assert reached == ["held"]
    with pytest.raises(KeyboardInterrupt), interrupts_held():
        os.kill(os.getpid(), signal.SIGINT)
        reached.append("until the end")
    assert reached == ["held", "until the end"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_have_no_signals_to_hold() -> None:
    handlers = []

    def look() -> None:
        with interrupts_held() as let_through:
            handlers.append(signal.getsignal(signal.SIGINT))
            let_through()

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert handlers == [signal.default_int_handler]
