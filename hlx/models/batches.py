"""Running many coalitions through a device in batches: size, order, and what to do when memory ends."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

import jax
import numpy as np

from hlx.errors import InputError, ModelError

Progress = Callable[[int, int], None]
"""Called with (coalitions done, coalitions in all)."""

CPU_ACTIVATION_BYTES = 40 * 2**20
"""Widest activation of a batch on a CPU: larger ones fall out of the caches (benchmarks/throughput.py)."""

ACCELERATOR_ACTIVATION_BYTES = 2**30
LARGEST_BATCH = 4096


def auto_batch(tokens: int, widest: int, devices: list[jax.Device]) -> int:
    """Power-of-two batch for images of `tokens` rows whose widest activation has `widest` columns."""
    target = CPU_ACTIVATION_BYTES if devices[0].platform == "cpu" else ACCELERATOR_ACTIVATION_BYTES
    stats = devices[0].memory_stats() or {}
    if "bytes_limit" in stats:
        target = min(target, (stats["bytes_limit"] - stats.get("bytes_in_use", 0)) // 16)
    fitting = max(1, int(target) // (tokens * widest * 4))
    return min(LARGEST_BATCH, 1 << (fitting.bit_length() - 1)) * len(devices)


def parse_batch(value: str | int) -> int | None:
    """A batch size from an option: None for "auto"; InputError unless that or a positive integer."""
    if value == "auto":
        return None
    try:
        size = int(value)
    except (TypeError, ValueError):
        size = 0
    if size < 1:
        raise InputError(f"batch size {value!r}: expected auto or a positive integer")
    return size


class BatchRunner:
    """Evaluates ranges in batches and keeps a size that fits the memory.

    `multiple` (the number of devices) divides every batch.
    """

    def __init__(self, size: int, multiple: int = 1) -> None:
        self.multiple = multiple
        self.size = max(multiple, size - size % multiple)

    def run(
        self,
        evaluate: Callable[[int, int], tuple[jax.Array, ...]],
        count: int,
        progress: Progress | None = None,
    ) -> Iterator[tuple[int, tuple[np.ndarray, ...]]]:
        """Yield (start, arrays) of consecutive batches of `count` items.

        `evaluate(start, size)` dispatches items start .. start+size-1 and may run past `count`, where its
        rows are dropped. One batch is always in flight while the last one is read. When the device runs out
        of memory the size is halved, for this run and all later ones, and the batch is tried again.
        """
        position = read = 0
        flight: deque[tuple[int, int, tuple[jax.Array, ...]]] = deque()
        while read < count:
            try:
                while position < count and len(flight) < 2:
                    size = min(self.size, self._padded(count - position))
                    flight.append((position, size, evaluate(position, size)))
                    position += size
                start, size, arrays = flight[0]
                host = tuple(np.asarray(array)[: count - start] for array in arrays)
            except (jax.errors.JaxRuntimeError, MemoryError) as error:
                if not _out_of_memory(error):
                    raise
                flight.clear()
                position = read
                self._halve(error)
                continue
            flight.popleft()
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
                f"the device ran out of memory at a batch of {self.size}: use a smaller "
                "model, fewer regions, or --dtype bfloat16"
            ) from error
        half = self.size // 2
        self.size = max(self.multiple, half - half % self.multiple)


def _out_of_memory(error: Exception) -> bool:
    return (
        isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error) or "out of memory" in str(error)
    )
