"""A crew of no devices at all, and what a run over it keeps."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hlx.sweep.plan.jobs import Item
from hlx.sweep.results.failures import Failure
from hlx.sweep.results.job_results import UnitResult
from hlx.sweep.results.shards import SHARDS, read_shard
from hlx.sweep.run.executor import Done
from hlx.sweep.run.loop import run_study
from tests.support.job_results import SmallPlan


class FakeCrew:
    """Computes nothing, takes the results that it is given, backwards where it can."""

    def __init__(
        self,
        results: Sequence[UnitResult],
        failing: dict[str, str] | None = None,
        capacity: int = 3,
        meanwhile: Callable[[int], None] = lambda count: None,
    ) -> None:
        self._results = {result.unit: result for result in results}
        self._failing, self.capacity, self.devices = failing or {}, capacity, 2
        self._meanwhile = meanwhile
        self._items: deque[Item] = deque()
        self.computed: list[Item] = []
        self.most = 0
        self.stopped = self.closed = False

    def submit(self, item: Item) -> None:
        assert not self.stopped
        self._items.append(item)
        self.most = max(self.most, len(self._items))

    def next(self, timeout: float) -> Done | None:
        if len(self.computed) % 3 == 2 and not getattr(self, "_paused", False):
            self._paused = True
            return None
        self._paused = False
        item = self._items.pop()
        self.computed.append(item)
        self._meanwhile(len(self.computed))
        ids = dict.fromkeys(unit.id for unit in item.units)
        found = [self._results[unit] for unit in ids if unit in self._results and unit not in self._failing]
        failures = [Failure((unit,), self._failing[unit]) for unit in ids if unit in self._failing]
        return Done(item, found, failures, 0.01, 0.001)

    def stop(self) -> int:
        self.stopped = True
        while len(self._items) > 1:
            self._items.pop()
        return len(self._items)

    def close(self) -> None:
        self.closed = True


def run(plan: SmallPlan, crew: FakeCrew, **options: Any) -> Any:
    return run_study(plan, lambda: crew, **options)  # type: ignore[arg-type]


def shards(plan: SmallPlan) -> list[Path]:
    return sorted((plan.study.output / SHARDS).glob("*.h5"))


def kept(plan: SmallPlan) -> dict[str, bytes]:
    return {result.unit: result.content() for path in shards(plan) for result in read_shard(path)}
