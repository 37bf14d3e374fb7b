"""Who computes groups: the local devices, or Ray's actors. The run that hands them out does not care."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from hlx.sweep.plan.jobs import ImageGroup
from hlx.sweep.results.failures import Failure
from hlx.sweep.results.job_results import JobResult


@dataclass(frozen=True, eq=False)
class Done:
    """What came of one group.

    Attributes
    ----------
    seconds
        Of evaluating and solving.
    waited
        seconds for which the device stood still until the group was prepared.
    """

    group: ImageGroup
    results: list[JobResult]
    failures: list[Failure]
    seconds: float
    waited: float


@runtime_checkable
class Executor(Protocol):
    """Computes groups, several at once, and gives each back once.

    Attributes
    ----------
    capacity
        Groups that it likes to have in hand; more are not submitted.
    devices
        That compute at once.
    """

    @property
    def capacity(self) -> int: ...

    @property
    def devices(self) -> int: ...

    def submit(self, group: ImageGroup) -> None:
        """Take an image group in hand."""

    def next(self, timeout: float) -> Done | None:
        """The next group that is done, whichever; None when none was within `timeout` seconds."""

    def stop(self) -> int:
        """Drop the groups that were not begun; how many are still to come."""

    def close(self) -> None:
        """Let go of devices and processes; groups in hand are lost."""
