"""A worker of a Ray cluster and what it has in hand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hlx.sweep.plan.jobs import ImageGroup, PlannedModel
from hlx.sweep.results.failures import reason_of
from hlx.sweep.run.ray_actor import ActorInfo, RayActor, numeric_environment, versions_here
from hlx.sweep.run.ray_slots import Slot
from hlx.sweep.run.work_items import WorkItem

GROUPS_PER_WORKER = 2
"""Image groups that each worker has: one to compute, one to prepare."""

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_DETAILS = ("Worker exit detail: ", "error_message: ")


@dataclass(eq=False)
class Assignment:
    """An image group, and how many workers died while they had it."""

    group: ImageGroup
    attempts: int = 0


@dataclass(frozen=True)
class ActorSetup:
    """What all workers are started with: as `RayActor` takes it."""

    models: Sequence[PlannedModel]
    device: str | None
    cache: str | None


@dataclass(eq=False)
class RayWorker:
    """A worker on its slot.

    Attributes
    ----------
    ray
        The module.
    ready
        Ray's reference to what the worker says of itself; None once it has.
    assignments
        By Ray's references to their outcomes.
    refused
        Models that it cannot load, and why.
    starts
        That failed, one after the other.
    """

    ray: Any
    slot: Slot
    setup: ActorSetup
    host: str = ""
    actor: Any = None
    ready: Any = None
    assignments: dict[Any, Assignment] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)
    starts: int = 0

    def start(self) -> None:
        """Have a new worker on the slot."""
        slot, setup, environment = self.slot, self.setup, numeric_environment()
        options: dict[str, Any] = {
            "num_cpus": slot.cpus,
            "num_gpus": slot.gpus,
            "max_concurrency": GROUPS_PER_WORKER,
            "max_restarts": 0,
            "max_task_retries": 0,
            # Before Python starts: some libraries look once, when they are imported.
            "runtime_env": {"env_vars": environment},
        }
        if slot.tpus:
            options["resources"] = {"TPU": slot.tpus}
        if slot.node is not None:
            from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

            options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(slot.node, soft=False)
        made = self.ray.remote(RayActor).options(**options)
        self.actor = made.remote(setup.models, setup.device, environment, str(Path.cwd()), setup.cache)
        self.ready, self.refused = self.actor.ready.remote(), {}

    def kill(self) -> None:
        """End the worker."""
        try:
            self.ray.kill(self.actor)
        except Exception:  # the cluster may be gone already
            return

    def give(self, assignment: Assignment) -> None:
        """Hand an image group to the worker.

        Raises
        ------
        InputError
            Its image or label map cannot be read.
        """
        self.assignments[self.actor.compute.remote(WorkItem.of(assignment.group))] = assignment

    def ended(self, ref: Any) -> bool:
        """Whether a call has come to its end."""
        return bool(self.ray.wait([ref], timeout=0)[0])

    def brought(self, ref: Any) -> Any:
        """What a call returned, or in one line why it did not."""
        try:
            return self.ray.get(ref)
        except Exception as error:
            return _cause(error)

    def difference(self, about: ActorInfo) -> str:
        """In what the worker differs from here, such that its results might; "" if in nothing."""
        for name, wanted in versions_here(self.setup.models).items():
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
