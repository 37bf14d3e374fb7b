"""A executor of no devices at all, and what a run over it keeps."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hlx.sweep.plan.jobs import ImageGroup
from hlx.sweep.results.failures import Failure
from hlx.sweep.results.job_results import JobResult
from hlx.sweep.results.shards import SHARDS, read_shard
from hlx.sweep.run.executor import Done
from hlx.sweep.run.loop import run_plan
from tests.support.job_results import SmallPlan


class FakeExecutor:
    """Computes nothing, takes the results that it is given, backwards where it can."""

    def __init__(
        self,
        results: Sequence[JobResult],
        failing: dict[str, str] | None = None,
        capacity: int = 3,
        meanwhile: Callable[[int], None] = lambda count: None,
    ) -> None:
        self._results = {result.job: result for result in results}
        self._failing, self.capacity, self.devices = failing or {}, capacity, 2
        self._meanwhile = meanwhile
        self._groups: deque[ImageGroup] = deque()
        self.computed: list[ImageGroup] = []
        self.most = 0
        self.stopped = self.closed = False

    def submit(self, group: ImageGroup) -> None:
        assert not self.stopped
        self._groups.append(group)
        self.most = max(self.most, len(self._groups))

    def next(self, timeout: float) -> Done | None:
        if len(self.computed) % 3 == 2 and not getattr(self, "_paused", False):
            self._paused = True
            return None
        self._paused = False
        group = self._groups.pop()
        self.computed.append(group)
        self._meanwhile(len(self.computed))
        ids = dict.fromkeys(job.id for job in group.jobs)
        found = [self._results[job] for job in ids if job in self._results and job not in self._failing]
        failures = [Failure((job,), self._failing[job]) for job in ids if job in self._failing]
        return Done(group, found, failures, 0.01, 0.001)

    def stop(self) -> int:
        self.stopped = True
        while len(self._groups) > 1:
            self._groups.pop()
        return len(self._groups)

    def close(self) -> None:
        self.closed = True


def run(plan: SmallPlan, executor: FakeExecutor, **options: Any) -> Any:
    return run_plan(plan, lambda: executor, **options)  # type: ignore[arg-type]


def shards(plan: SmallPlan) -> list[Path]:
    return sorted((plan.sweep.output / SHARDS).glob("*.h5"))


def kept(plan: SmallPlan) -> dict[str, bytes]:
    return {result.job: result.content() for path in shards(plan) for result in read_shard(path)}
