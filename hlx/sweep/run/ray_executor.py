"""Workers of a Ray cluster as a crew: items go out to actors, results come back, what died is replaced."""

from __future__ import annotations

import time
import warnings
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hlx.errors import HlxError, ModelError
from hlx.sweep.config.compilation_cache import own_folder
from hlx.sweep.plan.jobs import Item, PlannedModel
from hlx.sweep.results.failures import failure_of, reason_of
from hlx.sweep.run.executor import Done
from hlx.sweep.run.ray_actor import About, Outcome
from hlx.sweep.run.ray_cluster import connect
from hlx.sweep.run.ray_slots import seats
from hlx.sweep.run.ray_worker import IN_HAND, Hand, Task, Work

ATTEMPTS = 3
"""Workers that an item may cost before it counts as failed, and starts that a seat may cost."""

PATIENCE = 60.0
"""Seconds without any worker after which that is said."""


class RayCrew:
    """Computes a plan's items on the devices of a Ray cluster.

    A worker that dies is replaced and its items are handed out again, alone, so that an item that kills its
    workers takes no other with it; after three workers it is a failure. A model that one worker cannot load,
    or has another copy of, is left to the others.

    Parameters
    ----------
    address : "local" or None to start Ray here; "auto", "HOST:PORT" or "ray://HOST:PORT" to connect.
    device : "cpu", "cuda" or "tpu" for all models; None or "auto" for what the study says of each.
    actors : how many workers, one per device by default; see `seats`.
    compilation_cache : the study's, which every worker has for itself.

    Attributes
    ----------
    devices : how many workers there are at most.

    Raises
    ------
    InputError, ModelError : as `connect` and `seats`.
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
        work = Work(tuple(models), device, "" if compilation_cache == own_folder() else cache)
        self._waiting: deque[Task] = deque()
        self._suspects: deque[Task] = deque()
        self._done: deque[Done] = deque()
        self._hands: list[Hand] = []
        self._last_ready, self._told = time.monotonic(), False
        try:
            asked = {device if device not in (None, "auto") else model.device for model in models}
            found = seats(ray.nodes(), actors, cpu=asked == {"cpu"})
            self.devices = len(found)
            self._hands += [Hand(ray, seat, work) for seat in found]
            for hand in self._hands:
                hand.start()
        except BaseException:
            self.close()
            raise

    @property
    def capacity(self) -> int:
        """Items that it likes to have in hand."""
        return IN_HAND * len(self._hands)

    def submit(self, item: Item) -> None:
        """Take an item in hand."""
        self._waiting.append(Task(item))
        self._deal()

    def next(self, timeout: float) -> Done | None:
        """The next item that is done, whichever; None when none was within `timeout` seconds.

        Raises
        ------
        ModelError : no worker is left, and none can be started.
        """
        end = time.monotonic() + timeout
        while not self._done:
            owners = {
                ref: hand for hand in self._hands for ref in (*hand.tasks, hand.ready) if ref is not None
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
        """Drop the items that no worker has; how many are still to come."""
        self._waiting.clear()
        self._suspects.clear()
        return len(self._done) + sum(len(hand.tasks) for hand in self._hands)

    def close(self) -> None:
        """End the workers, and Ray or the connection to it; items in hand are lost."""
        for hand in self._hands:
            hand.kill()
        self._hands.clear()
        if self._ours:
            self._ours = False
            self._ray.shutdown()

    def _settle(self, hand: Hand, ref: Any) -> None:
        """Take what a reference brought."""
        if ref != hand.ready and ref not in hand.tasks:
            return
        brought = hand.brought(ref)
        if ref == hand.ready:
            self._settle_start(hand, brought)
        elif isinstance(brought, Outcome):
            self._settle_outcome(hand, hand.tasks.pop(ref), brought)
        else:
            # Of two, one may have ended well before the other took the worker with it.
            lost = []
            for other in list(hand.tasks):
                ended = hand.brought(other) if hand.ended(other) else brought
                task = hand.tasks.pop(other)
                if isinstance(ended, Outcome):
                    self._settle_outcome(hand, task, ended)
                else:
                    lost.append(task)
            for task in lost:
                self._lost(task, brought)
            hand.kill()
            hand.start()

    def _settle_start(self, hand: Hand, brought: About | str) -> None:
        hand.ready = None
        if isinstance(brought, About):
            hand.host, reason = brought.host, hand.difference(brought)
            if not reason:
                hand.starts, self._last_ready = 0, time.monotonic()
                if brought.warning:
                    warnings.warn(f"worker on {hand.host}: {brought.warning}", stacklevel=3)
                return
            hand.starts = ATTEMPTS
        else:
            reason = f"worker on {hand.seat.host}: cannot be started: {brought}"
            hand.starts += 1
        hand.kill()
        if hand.starts < ATTEMPTS:
            hand.start()
            return
        self._hands.remove(hand)
        if not self._hands:
            raise ModelError(f"--ray: no worker is left: {reason}")
        warnings.warn(f"{reason}; {len(self._hands)} others go on", stacklevel=3)

    def _settle_outcome(self, hand: Hand, task: Task, outcome: Outcome) -> None:
        if outcome.refused is None:
            self._done.append(
                Done(task.item, outcome.results, outcome.failures, outcome.seconds, outcome.waited)
            )
            return
        number = task.item.model
        if number not in hand.refused and len(self._hands) > 1:
            warnings.warn(f"worker on {hand.host}: {outcome.refused}", stacklevel=3)
        hand.refused[number] = outcome.refused
        (self._suspects if task.attempts else self._waiting).appendleft(task)

    def _lost(self, task: Task, reason: str) -> None:
        task.attempts += 1
        if task.attempts < ATTEMPTS:
            self._suspects.append(task)
        else:
            self._fail(task, f"{ATTEMPTS} workers died of it: {reason}")

    def _fail(self, task: Task, reason: str) -> None:
        self._done.append(Done(task.item, [], [failure_of(task.item.units, reason)], 0.0, 0.0))

    def _deal(self) -> None:
        """Items to the workers that have room, first to those with nothing to do."""
        for queue in (self._suspects, self._waiting):
            for task in list(queue):
                reasons = [hand.refused.get(task.item.model) for hand in self._hands]
                if reasons and None not in reasons:
                    queue.remove(task)
                    self._fail(task, str(reasons[0]))
        for most in range(IN_HAND):
            for hand in self._hands:
                while hand.ready is None and len(hand.tasks) <= most and (chosen := self._chosen(hand)):
                    self._send(hand, chosen)

    def _chosen(self, hand: Hand) -> Task | None:
        """The next item for a worker: one that may have killed another goes alone, and before all others."""
        if any(task.attempts for task in hand.tasks.values()):
            return None

        def able(task: Task) -> bool:
            return task.item.model not in hand.refused

        suspect = next(filter(able, self._suspects), None)
        if suspect is not None:
            if hand.tasks:
                return None
            self._suspects.remove(suspect)
            return suspect
        chosen = next(filter(able, self._waiting), None)
        if chosen is not None:
            self._waiting.remove(chosen)
        return chosen

    def _send(self, hand: Hand, task: Task) -> None:
        try:
            hand.give(task)
        except HlxError as error:
            self._fail(task, reason_of(error))

    def _tell(self) -> None:
        """Say once that nothing can be done, rather than wait without a word."""
        if any(hand.ready is None for hand in self._hands):
            self._last_ready = time.monotonic()
        elif time.monotonic() - self._last_ready > PATIENCE and not self._told:
            self._told = True
            warnings.warn(
                "--ray: no worker could be started yet: the cluster's devices seem to be taken (`ray status` "
                "says by whom); waiting for one",
                stacklevel=3,
            )
