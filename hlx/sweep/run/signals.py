"""Ctrl-C and SIGTERM: the first asks a run to stop, the second ends it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


class EndedAtOnce(KeyboardInterrupt):
    """A second signal came; `number` says which."""

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.number = number


@dataclass
class StopAsked:
    """Whether somebody asked for an end.

    Attributes
    ----------
    number
        Of the first signal, None as long as none came.
    """

    number: int | None = None


@contextmanager
def stop_signals() -> Iterator[StopAsked]:
    """Note the first SIGINT or SIGTERM, raise EndedAtOnce at the second; handlers are restored afterwards.

    Outside the main thread nothing is changed: Python lets no other handle signals.
    """
    asked = StopAsked()

    def handle(number: int, _: object) -> None:
        if asked.number is not None:
            raise EndedAtOnce(number)
        asked.number = number

    handlers = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            handlers[number] = signal.getsignal(number)
            signal.signal(number, handle)
    try:
        yield asked
    finally:
        for number, handler in handlers.items():
            # None: not installed from Python, which thus cannot put it back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
