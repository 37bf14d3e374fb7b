"""Running many coalitions through a device in batches: size, order, and what to do when memory ends."""

from __future__ import annotations

import os
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from hlx.errors import InputError, ModelError

Progress = Callable[[int, int], None]
"""Called with (coalitions done, coalitions in all)."""

CPU_ACTIVATION_BYTES = 10 * 2**20
"""Widest activation of a batch on a CPU: larger ones fall out of the caches."""

LARGEST_CPU_BATCH = 128
ACCELERATOR_ACTIVATION_BYTES = 2**30
LARGEST_BATCH = 4096
MAX_CPU_WORKERS = 8

HINT = 'use a smaller model, fewer regions, or dtype="bfloat16"'
"""What to do where the memory does not hold even the smallest batch."""


def auto_batch(tokens: int, widest: int, devices: list[jax.Device]) -> int:
    """Power-of-two batch for images of `tokens` rows whose widest activation has `widest` columns.

    Up to 256 tokens that is the MLP's in a tower with heads of the usual width, 64: ViT-B/32 and B/16 at 224
    pixels have 50 and 197. Beyond, it is attention's logits, and batches on accelerators are smaller than the
    MLP alone would have them: of SigLIP so400m at 384 pixels (729 tokens) 16 instead of 64, of CLIP's L/14 at
    336 (577 tokens) 32 instead of 64. A CPU takes such images one by one either way.
    """
    cpu = devices[0].platform == "cpu"
    target = CPU_ACTIVATION_BYTES if cpu else ACCELERATOR_ACTIVATION_BYTES
    largest = LARGEST_CPU_BATCH if cpu else LARGEST_BATCH
    stats = devices[0].memory_stats() or {}
    if "bytes_limit" in stats:
        # Not of what is free just now: the same kind of device always takes the same batches.
        target = min(target, stats["bytes_limit"] // 20)
    fitting = max(1, int(target) // (tokens * widest * 4))
    return min(largest, 1 << (fitting.bit_length() - 1)) * len(devices)


def workers(devices: list[jax.Device]) -> int:
    """Batches to have under way at once."""
    if devices[0].platform == "cpu" and len(devices) == 1:
        return min(_usable_cpus(), MAX_CPU_WORKERS)
    return 2


def _usable_cpus() -> int:
    """Processors that this process may run on: a scheduler or `taskset` gives it few of a large machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def parse_batch(value: str | int | None) -> int | None:
    """A batch size from an option: None for "auto"; InputError unless that or a positive integer."""
    if value is None or value == "auto":
        return None
    try:
        size = int(value)
    except (TypeError, ValueError):
        size = 0
    if size < 1:
        raise InputError(f"batch size {value!r}: expected auto or a positive integer")
    return size


@dataclass
class Fitting:
    """What a model's runs have found out of its device's memory: the largest batch that fits, None as yet."""

    size: int | None = None


class BatchRunner:
    """Evaluates ranges in batches and keeps a size that fits the memory.

    `multiple` (the number of devices) divides every batch. `workers` batches are under way at once: two keep
    an accelerator busy while results are read; on a CPU one per usable core beats one batch spread over all
    of them, because small operations do not spread. `hint` is what the user can do where no batch is small
    enough. `fitting` is shared by all runs of a model, so that none tries again what did not fit before.
    """

    def __init__(
        self,
        size: int,
        multiple: int = 1,
        workers: int = 2,
        hint: str = HINT,
        fitting: Fitting | None = None,
    ) -> None:
        self.multiple, self.workers, self.hint = multiple, workers, hint
        self._fitting = Fitting() if fitting is None else fitting
        size = min(size, self._fitting.size or size)
        self.size = max(multiple, size - size % multiple)
        self._compiled: set[int] = set()

    def run(
        self,
        evaluate: Callable[[int, int], tuple[Any, ...]],
        count: int,
        progress: Progress | None = None,
    ) -> Iterator[tuple[int, tuple[np.ndarray, ...]]]:
        """Yield (start, arrays) of consecutive batches of `count` items, in order.

        `evaluate(start, size)` computes arrays of items start .. start+size-1 and may run past `count`, where
        its rows are dropped; it is called from several threads. When the device runs out of memory the size
        is halved, for this run and all later ones, and what was not read yet is tried again; a warning then
        says which size fits.

        Raises
        ------
        ModelError
            The memory does not hold even the smallest batch.
        """

        def fetch(start: int, size: int) -> tuple[np.ndarray, ...]:
            return tuple(np.asarray(array)[: count - start] for array in evaluate(start, size))

        position = read = 0
        asked = self.size
        flight: deque[tuple[int, int, Future[tuple[np.ndarray, ...]]]] = deque()
        with ThreadPoolExecutor(self.workers) as pool:
            while read < count:
                while position < count and len(flight) < self.workers:
                    size = min(self.size, self._padded(count - position))
                    if flight and size not in self._compiled:
                        break  # the first batch of a size compiles; the others need not do it again
                    flight.append((position, size, pool.submit(fetch, position, size)))
                    position += size
                start, size, future = flight.popleft()
                try:
                    host = future.result()
                except (RuntimeError, MemoryError) as error:  # JAX's and PyTorch's are RuntimeErrors
                    wait([other for _, _, other in flight])
                    flight.clear()
                    if not out_of_memory(error):
                        raise
                    position = read
                    self._halve(error)
                    continue
                self._compiled.add(size)
                if self.size < asked:
                    warnings.warn(
                        f"the device ran out of memory at a batch of {asked}; {self.size} fits: start there "
                        f"with batch_size={self.size}",
                        stacklevel=2,
                    )
                    asked = self.size
                read = min(count, start + size)
                yield start, host
                if progress is not None:
                    progress(read, count)

    def _padded(self, left: int) -> int:
        # Remainders are padded to powers of two so that few sizes are compiled.
        return -(-(1 << (left - 1).bit_length()) // self.multiple) * self.multiple

    def _halve(self, error: Exception) -> None:
        if self.size <= self.multiple:
            raise ModelError(
                f"the device ran out of memory at a batch of {self.size}: {self.hint}"
            ) from error
        half = self.size // 2
        self.size = self._fitting.size = max(self.multiple, half - half % self.multiple)


_EXHAUSTED = ("RESOURCE_EXHAUSTED", "out of memory", "can't allocate memory", "STATUS_ALLOC_FAILED")
"""What XLA, CUDA, PyTorch's allocator on a CPU, and cuBLAS and cuDNN say."""


def out_of_memory(error: Exception) -> bool:
    """Whether a library says by this error that memory ended."""
    return isinstance(error, MemoryError) or any(phrase in str(error) for phrase in _EXHAUSTED)
