"""Workers of a Ray cluster as an executor: groups go out, results come back, what died is replaced."""

from __future__ import annotations

import time
import warnings
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hlx.errors import HlxError, ModelError
from hlx.sweep.config.compilation_cache import own_folder
from hlx.sweep.plan.jobs import ImageGroup, PlannedModel
from hlx.sweep.results.failures import failure_of, reason_of
from hlx.sweep.run.executor import Done
from hlx.sweep.run.ray_actor import ActorInfo, Outcome
from hlx.sweep.run.ray_cluster import connect
from hlx.sweep.run.ray_slots import slots
from hlx.sweep.run.ray_worker import GROUPS_PER_WORKER, ActorSetup, Assignment, RayWorker

ATTEMPTS = 3
"""Workers that an image group may cost before it counts as failed, and starts that a slot may cost."""

PATIENCE = 60.0
"""Seconds without any worker after which that is said."""


class RayExecutor:
    """Computes a plan's groups on the devices of a Ray cluster.

    A worker that dies is replaced and its groups are handed out again, alone, so that one that kills its
    workers takes no other with it; after three workers it is a failure. A model that one worker cannot load,
    or has another copy of, is left to the others.

    Parameters
    ----------
    address
        "local" or None to start Ray here; "auto", "HOST:PORT" or "ray://HOST:PORT" to connect.
    device
        "cpu", "cuda" or "tpu" for all models; None or "auto" for what the sweep says of each.
    actors
        How many workers, one per device by default; see `slots`.
    compilation_cache
        The sweep's, which every worker has for itself.

    Attributes
    ----------
    devices
        How many workers there are at most.

    Raises
    ------
    InputError, ModelError
        As `connect` and `slots`.
    """

    def __init__(
        self,
        models: Sequence[PlannedModel],
        address: str | None = None,
        device: str | None = None,
        actors: int | None = None,
        compilation_cache: Path | None = None,
    ) -> None:
        self._ours = connect(address)
        import ray

        self._ray = ray
        cache = None if compilation_cache is None else str(compilation_cache)
        # The user's own is elsewhere on every host.
        setup = ActorSetup(tuple(models), device, "" if compilation_cache == own_folder() else cache)
        self._waiting: deque[Assignment] = deque()
        self._suspects: deque[Assignment] = deque()
        self._done: deque[Done] = deque()
        self._workers: list[RayWorker] = []
        self._last_ready, self._told = time.monotonic(), False
        try:
            asked = {device if device not in (None, "auto") else model.device for model in models}
            found = slots(ray.nodes(), actors, cpu=asked == {"cpu"})
            self.devices = len(found)
            self._workers += [RayWorker(ray, slot, setup) for slot in found]
            for worker in self._workers:
                worker.start()
        except BaseException:
            self.close()
            raise

    @property
    def capacity(self) -> int:
        """Image groups that it likes to have in hand."""
        return GROUPS_PER_WORKER * len(self._workers)

    def submit(self, group: ImageGroup) -> None:
        """Take an image group in hand."""
        self._waiting.append(Assignment(group))
        self._deal()

    def next(self, timeout: float) -> Done | None:
        """The next group that is done, whichever; None when none was within `timeout` seconds.

        Raises
        ------
        ModelError
            No worker is left, and none can be started.
        """
        end = time.monotonic() + timeout
        while not self._done:
            owners = {
                ref: worker
                for worker in self._workers
                for ref in (*worker.assignments, worker.ready)
                if ref is not None
            }
            left = end - time.monotonic()
            if left < 0:
                break
            if not owners:
                time.sleep(left)
                break
            settled, _ = self._ray.wait(list(owners), num_returns=1, timeout=left)
            for ref in settled:
                self._settle(owners[ref], ref)
            self._deal()
            self._tell()
        return self._done.popleft() if self._done else None

    def stop(self) -> int:
        """Drop the groups that no worker has; how many are still to come."""
        self._waiting.clear()
        self._suspects.clear()
        return len(self._done) + sum(len(worker.assignments) for worker in self._workers)

    def close(self) -> None:
        """End the workers, and Ray or the connection to it; groups in hand are lost."""
        for worker in self._workers:
            worker.kill()
        self._workers.clear()
        if self._ours:
            self._ours = False
            self._ray.shutdown()

    def _settle(self, worker: RayWorker, ref: Any) -> None:
        """Take what a reference brought."""
        if ref != worker.ready and ref not in worker.assignments:
            return
        brought = worker.brought(ref)
        if ref == worker.ready:
            self._settle_start(worker, brought)
        elif isinstance(brought, Outcome):
            self._settle_outcome(worker, worker.assignments.pop(ref), brought)
        else:
            # Of two, one may have ended well before the other took the worker with it.
            lost = []
            for other in list(worker.assignments):
                ended = worker.brought(other) if worker.ended(other) else brought
                assignment = worker.assignments.pop(other)
                if isinstance(ended, Outcome):
                    self._settle_outcome(worker, assignment, ended)
                else:
                    lost.append(assignment)
            for assignment in lost:
                self._lost(assignment, brought)
            worker.kill()
            worker.start()

    def _settle_start(self, worker: RayWorker, brought: ActorInfo | str) -> None:
        worker.ready = None
        if isinstance(brought, ActorInfo):
            worker.host, reason = brought.host, worker.difference(brought)
            if not reason:
                worker.starts, self._last_ready = 0, time.monotonic()
                if brought.warning:
                    warnings.warn(f"worker on {worker.host}: {brought.warning}", stacklevel=3)
                return
            worker.starts = ATTEMPTS
        else:
            reason = f"worker on {worker.slot.host}: cannot be started: {brought}"
            worker.starts += 1
        worker.kill()
        if worker.starts < ATTEMPTS:
            worker.start()
            return
        self._workers.remove(worker)
        if not self._workers:
            raise ModelError(f"ray: no worker is left: {reason}")
        warnings.warn(f"{reason}; {len(self._workers)} others go on", stacklevel=3)

    def _settle_outcome(self, worker: RayWorker, assignment: Assignment, outcome: Outcome) -> None:
        if outcome.refused is None:
            self._done.append(
                Done(assignment.group, outcome.results, outcome.failures, outcome.seconds, outcome.waited)
            )
            return
        number = assignment.group.model
        if number not in worker.refused and len(self._workers) > 1:
            warnings.warn(f"worker on {worker.host}: {outcome.refused}", stacklevel=3)
        worker.refused[number] = outcome.refused
        (self._suspects if assignment.attempts else self._waiting).appendleft(assignment)

    def _lost(self, assignment: Assignment, reason: str) -> None:
        assignment.attempts += 1
        if assignment.attempts < ATTEMPTS:
            self._suspects.append(assignment)
        else:
            self._fail(assignment, f"{ATTEMPTS} workers died of it: {reason}")

    def _fail(self, assignment: Assignment, reason: str) -> None:
        self._done.append(Done(assignment.group, [], [failure_of(assignment.group.jobs, reason)], 0.0, 0.0))

    def _deal(self) -> None:
        """Image groups to the workers that have room, first to those with nothing to do."""
        for queue in (self._suspects, self._waiting):
            for assignment in list(queue):
                reasons = [worker.refused.get(assignment.group.model) for worker in self._workers]
                if reasons and None not in reasons:
                    queue.remove(assignment)
                    self._fail(assignment, str(reasons[0]))
        for most in range(GROUPS_PER_WORKER):
            for worker in self._workers:
                while (
                    worker.ready is None
                    and len(worker.assignments) <= most
                    and (chosen := self._chosen(worker))
                ):
                    self._send(worker, chosen)

    def _chosen(self, worker: RayWorker) -> Assignment | None:
        """The next group for a worker: one that may have killed another goes alone, and before all others."""
        if any(assignment.attempts for assignment in worker.assignments.values()):
            return None

        def able(assignment: Assignment) -> bool:
            return assignment.group.model not in worker.refused

        suspect = next(filter(able, self._suspects), None)
        if suspect is not None:
            if worker.assignments:
                return None
            self._suspects.remove(suspect)
            return suspect
        chosen = next(filter(able, self._waiting), None)
        if chosen is not None:
            self._waiting.remove(chosen)
        return chosen

    def _send(self, worker: RayWorker, assignment: Assignment) -> None:
        try:
            worker.give(assignment)
        except HlxError as error:
            self._fail(assignment, reason_of(error))

    def _tell(self) -> None:
        """Say once that nothing can be done, rather than wait without a word."""
        if any(worker.ready is None for worker in self._workers):
            self._last_ready = time.monotonic()
        elif time.monotonic() - self._last_ready > PATIENCE and not self._told:
            self._told = True
            warnings.warn(
                "ray: no worker could be started yet: the cluster's devices seem to be taken (`ray status` "
                "says by whom); waiting for one",
                stacklevel=3,
            )
