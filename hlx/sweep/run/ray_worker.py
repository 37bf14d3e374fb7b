"""A worker of a Ray cluster and what it has in hand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hlx.sweep.plan.jobs import Item, PlannedModel
from hlx.sweep.results.failures import reason_of
from hlx.sweep.run.ray_actor import About, Worker, numeric_environment, versions_here
from hlx.sweep.run.ray_slots import Seat
from hlx.sweep.run.work_items import Parcel

IN_HAND = 2
"""Items that each worker has: one to compute, one to prepare."""

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_DETAILS = ("Worker exit detail: ", "error_message: ")


@dataclass(eq=False)
class Task:
    """An item, and how many workers died while they had it."""

    item: Item
    attempts: int = 0


@dataclass(frozen=True)
class Work:
    """What all workers are started with: as `Worker` takes it."""

    models: Sequence[PlannedModel]
    device: str | None
    cache: str | None


@dataclass(eq=False)
class Hand:
    """A worker on its seat.

    Attributes
    ----------
    ray : the module.
    ready : Ray's reference to what the worker says of itself; None once it has.
    tasks : by Ray's references to their outcomes.
    refused : models that it cannot load, and why.
    starts : that failed, one after the other.
    """

    ray: Any
    seat: Seat
    work: Work
    host: str = ""
    actor: Any = None
    ready: Any = None
    tasks: dict[Any, Task] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)
    starts: int = 0

    def start(self) -> None:
        """Have a new worker on the seat."""
        seat, work, environment = self.seat, self.work, numeric_environment()
        options: dict[str, Any] = {
            "num_cpus": seat.cpus,
            "num_gpus": seat.gpus,
            "max_concurrency": IN_HAND,
            "max_restarts": 0,
            "max_task_retries": 0,
            # Before Python starts: some libraries look once, when they are imported.
            "runtime_env": {"env_vars": environment},
        }
        if seat.tpus:
            options["resources"] = {"TPU": seat.tpus}
        if seat.node is not None:
            from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

            options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(seat.node, soft=False)
        made = self.ray.remote(Worker).options(**options)
        self.actor = made.remote(work.models, work.device, environment, str(Path.cwd()), work.cache)
        self.ready, self.refused = self.actor.ready.remote(), {}

    def kill(self) -> None:
        """End the worker."""
        try:
            self.ray.kill(self.actor)
        except Exception:  # the cluster may be gone already
            return

    def give(self, task: Task) -> None:
        """Hand an item to the worker.

        Raises
        ------
        InputError : its image or label map cannot be read.
        """
        self.tasks[self.actor.work.remote(Parcel.of(task.item))] = task

    def ended(self, ref: Any) -> bool:
        """Whether a call has come to its end."""
        return bool(self.ray.wait([ref], timeout=0)[0])

    def brought(self, ref: Any) -> Any:
        """What a call returned, or in one line why it did not."""
        try:
            return self.ray.get(ref)
        except Exception as error:
            return _cause(error)

    def difference(self, about: About) -> str:
        """In what the worker differs from here, such that its results might; "" if in nothing."""
        for name, wanted in versions_here(self.work.models).items():
            found = about.versions.get(name, "")
            if found != wanted:
                return f"worker on {about.host}: has {name} {found or 'missing'}, expected {wanted} as here"
        return ""


def _cause(error: Exception) -> str:
    """Why a call came to nothing, in one line of the many that Ray tells."""
    raised = getattr(error, "cause", None)
    if isinstance(raised, BaseException):
        return reason_of(raised)
    lines = [line.strip() for line in _COLOURS.sub("", str(error)).splitlines() if line.strip()]
    told = [
        line.partition(label)[2].partition(" Some common causes")[0]
        for line in lines
        for label in _DETAILS
        if label in line
    ]
    return (told or lines or [type(error).__name__])[-1][:200]
