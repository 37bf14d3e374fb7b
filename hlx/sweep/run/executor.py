"""Who computes items: the local devices, or Ray's actors. The run that hands them out does not care."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from hlx.sweep.plan.jobs import Item
from hlx.sweep.results.failures import Failure
from hlx.sweep.results.job_results import UnitResult


@dataclass(frozen=True, eq=False)
class Done:
    """What came of one item.

    Attributes
    ----------
    seconds : of evaluating and solving.
    waited : seconds for which the device stood still until the item was prepared.
    """

    item: Item
    results: list[UnitResult]
    failures: list[Failure]
    seconds: float
    waited: float


@runtime_checkable
class Crew(Protocol):
    """Computes items, several at once, and gives each back once.

    Attributes
    ----------
    capacity : items that it likes to have in hand; more are not submitted.
    devices : that compute at once.
    """

    @property
    def capacity(self) -> int: ...

    @property
    def devices(self) -> int: ...

    def submit(self, item: Item) -> None:
        """Take an item in hand."""

    def next(self, timeout: float) -> Done | None:
        """The next item that is done, whichever; None when none was within `timeout` seconds."""

    def stop(self) -> int:
        """Drop the items that were not begun; how many are still to come."""

    def close(self) -> None:
        """Let go of devices and processes; items in hand are lost."""
