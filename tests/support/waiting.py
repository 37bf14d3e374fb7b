"""Waiting for what must happen, so long that only what never happens fails: these machines are shared."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 400.0
"""Seconds that nothing takes that is not stuck."""


def patiently(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)
