"""What a run did: jobs done, failed and left, and where its time went."""

from __future__ import annotations

from dataclasses import dataclass, field

from hlx.sweep.results.failures import FailedJobs
from hlx.sweep.results.shards import BadShard


@dataclass
class RunSummary:
    """What a run did.

    Attributes
    ----------
    before
        Jobs that were done already.
    done, left
        Jobs that this run computed; jobs that it was to compute and did not come to.
    failed
        Those that gave no result.
    bad
        Shards that could not be trusted.
    seconds
        Of wall time, from the first group on.
    evaluating, waiting
        seconds of all devices together: of computing, of waiting for images to be prepared.
    devices
        That worked at once.
    signal
        That ended the run early, None where none did.
    """

    before: int
    bad: tuple[BadShard, ...] = ()
    done: int = 0
    left: int = 0
    failed: list[FailedJobs] = field(default_factory=list)
    seconds: float = 0.0
    evaluating: float = 0.0
    waiting: float = 0.0
    devices: int = 1
    signal: int | None = None

    @property
    def failures(self) -> int:
        """Jobs that failed."""
        return sum(failed.jobs for failed in self.failed)

    @property
    def rate(self) -> float:
        """Jobs per second."""
        return self.done / self.seconds if self.seconds else 0.0

    @property
    def waiting_share(self) -> float:
        """The share of the devices' wall time in which they waited for images to be prepared."""
        return self._share(self.waiting)

    @property
    def overhead_share(self) -> float:
        """The share of the devices' wall time in which they did anything but compute."""
        return max(0.0, 1 - self._share(self.evaluating)) if self.seconds else 0.0

    @property
    def exit_status(self) -> int:
        """0 all done, 1 some failed, 128 + the signal's number where one ended the run early."""
        if self.signal is not None and self.left:
            return 128 + self.signal
        return 1 if self.failed else 0

    def _share(self, seconds: float) -> float:
        return seconds / (self.seconds * self.devices) if self.seconds else 0.0
