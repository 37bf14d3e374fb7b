"""The local devices as an executor: each has its own model, and images are prepared while it computes."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from hlx.models.batches import out_of_memory
from hlx.models.loading.load import Devices, Loaded
from hlx.sweep.plan.jobs import ImageGroup
from hlx.sweep.results.failures import failure_of, reason_of
from hlx.sweep.results.job_results import JobResult
from hlx.sweep.run.computing import compute
from hlx.sweep.run.executor import Done
from hlx.sweep.run.preparing import Prepared, Preparer, devices_of, load_planned

if TYPE_CHECKING:
    from hlx.sweep.plan.expand import Plan

T = TypeVar("T")

GROUPS_PER_DEVICE = 8
"""Image groups for each device that are taken in hand: enough to choose those of the image just prepared."""

AHEAD, SOON = 4, 1.0
"""Groups prepared ahead where computing one takes less than SOON seconds; one ahead where it takes longer.

Preparing takes longer for some groups than computing others, so that one ahead is not enough when both are
short; when they are long, what is prepared here another device could have begun.
"""


class LocalExecutor:
    """Computes a plan's groups on the devices of this machine.

    Of each device a thread prepares groups ahead, while another computes. A model that cannot be loaded and
    an image group that cannot be computed, whatever the reason, become failures.

    Parameters
    ----------
    device
        "cpu", "cuda", "cuda:1" or "tpu" for all models; None or "auto" for what the sweep says of each, or
        all of the best kind.

    Attributes
    ----------
    devices
        How many work at once.

    Raises
    ------
    ModelError
        A device is not there.
    """

    def __init__(self, plan: Plan, device: str | None = None) -> None:
        places = [devices_of(model, device) for model in plan.models]
        self.devices = max(map(len, places), default=1)
        self._shared = _Shared()
        self._workers = [_Worker(self._shared, plan, places, number) for number in range(self.devices)]

    @property
    def capacity(self) -> int:
        """Image groups that it likes to have in hand."""
        return GROUPS_PER_DEVICE * self.devices

    def submit(self, group: ImageGroup) -> None:
        """Take an image group in hand."""
        with self._shared.changed:
            self._shared.waiting.append(_Submitted(group, time.monotonic()))
            self._shared.changed.notify_all()

    def next(self, timeout: float) -> Done | None:
        """The next group that is done, whichever; None when none was within `timeout` seconds."""
        with self._shared.changed:
            self._shared.changed.wait_for(lambda: bool(self._shared.done), timeout)
            return self._shared.done.popleft() if self._shared.done else None

    def stop(self) -> int:
        """Drop the groups that no device has begun to compute; how many are still to come."""
        with self._shared.changed:
            self._shared.stopped = True
            self._shared.waiting.clear()
            self._shared.changed.notify_all()
            return self._shared.begun + len(self._shared.done)

    def close(self) -> None:
        """Let go of models and devices, once what they are computing is done."""
        self.stop()
        for worker in self._workers:
            worker.join()


@dataclass(frozen=True, eq=False)
class _Submitted:
    group: ImageGroup
    since: float

    @property
    def image(self) -> tuple[int, str]:
        """What groups share that are best computed one after the other on one device."""
        return self.group.model, self.group.image.sha256


@dataclass(frozen=True, eq=False)
class _Ready:
    """An image group that was prepared, or the reason why it could not be.

    Attributes
    ----------
    loading
        From when to when its model was loaded, if it had to be.
    """

    submitted: _Submitted
    loading: tuple[float, float] | None = None
    prepared: tuple[Loaded, Prepared] | None = None
    reason: str = ""


@dataclass
class _Shared:
    """What the threads of an executor share; all of it under the lock of `changed`."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    waiting: deque[_Submitted] = field(default_factory=deque)
    done: deque[Done] = field(default_factory=deque)
    prepared_last: dict[int, tuple[int, str]] = field(default_factory=dict)
    begun: int = 0
    stopped: bool = False


class _Worker:
    """A device of an executor: a thread that prepares, and one that computes."""

    def __init__(self, shared: _Shared, plan: Plan, places: list[list[Devices]], number: int) -> None:
        self._shared, self._models, self._number = shared, plan.models, number
        self._places = {m: found[number] for m, found in enumerate(places) if number < len(found)}
        self._ready: deque[_Ready] = deque()
        self._ahead = 1
        self._computing = False
        self._loaded: tuple[int, Loaded | str] | None = None
        self._preparer = Preparer()
        self._threads = [
            threading.Thread(target=work, name=f"{name} {number}", daemon=True)
            for work, name in ((self._prepare_all, "prepare"), (self._compute_all, "compute"))
        ]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait for its threads' end."""
        for thread in self._threads:
            while thread.is_alive():
                # In turns, so that a second Ctrl-C gets through everywhere.
                thread.join(0.5)

    def _prepare_all(self) -> None:
        shared = self._shared
        while True:
            with shared.changed:
                while not shared.stopped and (len(self._ready) >= self._ahead or not self._choice()):
                    shared.changed.wait()
                if shared.stopped:
                    self._ready.clear()
                    self._loaded = None
                    return
                [chosen] = self._choice()
                shared.waiting.remove(chosen)
                shared.prepared_last[self._number] = chosen.image
            ready = self._prepare(chosen)
            with shared.changed:
                self._ready.append(ready)
                shared.changed.notify_all()
            del ready

    def _choice(self) -> list[_Submitted]:
        """The next group to prepare, if there is one: of the last image, else of one no other device has."""
        last = self._shared.prepared_last
        own = last.get(self._number)
        others = {image for number, image in last.items() if number != self._number}

        def rank(one: _Submitted) -> tuple[bool, bool, bool]:
            return one.image != own, one.image in others, own is not None and one.image[0] != own[0]

        able = [one for one in self._shared.waiting if one.group.model in self._places]
        return [min(able, key=rank)] if able else []

    def _prepare(self, chosen: _Submitted) -> _Ready:
        number, loading = chosen.group.model, None
        if self._loaded is None or self._loaded[0] != number:
            start = time.monotonic()
            self._loaded = None
            self._loaded = number, self._load(number)
            loading = start, time.monotonic()
        loaded = self._loaded[1]
        if isinstance(loaded, str):
            return _Ready(chosen, reason=loaded)
        prepared = self._tried(lambda: self._preparer.prepare(loaded, self._models[number], chosen.group))
        if isinstance(prepared, str):
            return _Ready(chosen, reason=prepared)
        return _Ready(chosen, loading, (loaded, prepared))

    def _load(self, number: int) -> Loaded | str:
        """A model, or why it cannot be loaded, which is not tried again for each of its groups."""
        return self._tried(lambda: load_planned(self._models[number], self._places[number]))

    def _tried(self, make: Callable[[], T]) -> T | str:
        """What is made, or why it cannot be; where memory runs out, tried again once nothing else is there.

        What was prepared before may still be at work, another model's say, and both too much.
        """
        shared = self._shared
        for last in (False, True):
            try:
                return make()
            except BaseException as error:  # also what a function of the user's own may raise
                reason, again = reason_of(error), isinstance(error, Exception) and out_of_memory(error)
            if last or not again:
                break
            with shared.changed:
                shared.changed.wait_for(lambda: shared.stopped or not (self._computing or self._ready))
                if shared.stopped:
                    break
        return reason

    def _compute_all(self) -> None:
        shared = self._shared
        while True:
            free = time.monotonic()
            with shared.changed:
                shared.changed.wait_for(lambda: shared.stopped or bool(self._ready))
                if shared.stopped:
                    return
                ready = self._ready.popleft()
                shared.begun += 1
                self._computing = True
                shared.changed.notify_all()
            waited = _waited(free, time.monotonic(), ready)
            done = self._compute(ready, waited)
            del ready
            with shared.changed:
                shared.begun -= 1
                self._computing = False
                self._ahead = AHEAD if done.seconds < SOON else 1
                shared.done.append(done)
                shared.changed.notify_all()
            del done

    def _compute(self, ready: _Ready, waited: float) -> Done:
        group, start = ready.submitted.group, time.monotonic()
        results: list[JobResult] = []
        if ready.prepared is None:
            return Done(group, results, [failure_of(group.jobs, ready.reason)], 0.0, waited)
        loaded, prepared = ready.prepared
        try:
            results, failures = compute(loaded, self._models[group.model], group, prepared)
        except BaseException as error:  # a mistake in one group does not stop the others
            failures = [failure_of(group.jobs, reason_of(error))]
        return Done(group, results, failures, time.monotonic() - start, waited)


def _waited(free: float, now: float, ready: _Ready) -> float:
    """Seconds for which a device that was free stood still for an image group; of loading models apart."""
    start = max(free, ready.submitted.since)
    loading = 0.0
    if ready.loading is not None:
        loading = max(0.0, min(now, ready.loading[1]) - max(start, ready.loading[0]))
    return max(0.0, now - start - loading)
