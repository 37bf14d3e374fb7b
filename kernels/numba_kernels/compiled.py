"""How kernels are compiled (no interpreter lock, machine code kept on disk) and how they run in threads."""

import functools
import inspect
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba

# NumPy's division and no fast-math: NaN and infinities reach the caller, and sums keep their written order,
# so that a result does not depend on the machine's vector width.
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
THREAD_BYTES = 8 << 20  # read in about a millisecond; starting a thread takes some tenths of that


def inner(function: Callable[..., None]) -> Any:
    """Compile a function that only other kernels of its file call; it becomes a part of theirs."""
    return numba.njit(**OPTIONS)(inspect.unwrap(function))


def kernel(function: Callable[..., None]) -> Callable[..., None]:
    """Compile `function` at its first call, and keep the machine code on disk for later processes.

    numba writes next to the source or, where that is read-only, in the user's cache folder. Where neither can
    be written the kernel is compiled once per process.
    """
    bare = inspect.unwrap(function)  # without what a run-time type checker put around it
    dispatcher: Any
    try:
        dispatcher = numba.njit(cache=True, **OPTIONS)(bare)
    except RuntimeError:  # no folder can be written
        dispatcher = inner(bare)

    @functools.wraps(bare)
    def call(*arguments: Any) -> None:
        try:
            dispatcher(*arguments)
        except OSError:  # the disk filled up while the code was stored; by then it is ready in memory
            dispatcher(*arguments)

    return call


def default_threads() -> int:
    """The processors this process may use, or NUMBA_NUM_THREADS where that is set."""
    settings: Any = numba.config
    return int(settings.NUMBA_NUM_THREADS)


def in_parallel(work: Callable[[int, int], None], n_items: int, item_bytes: int, threads: int | None) -> None:
    """Call `work(start, stop)` on ranges that cover `range(n_items)`, in threads where there is enough to do.

    Plain threads around kernels that release the interpreter's lock: unlike the thread pools of
    `parallel=True` they survive a fork, and may be entered from several threads at once.

    Parameters
    ----------
    work
        Must give the same result however the range is cut.
    n_items, item_bytes
        Number of items and the memory each touches; less than THREAD_BYTES per thread is not worth one.
    threads
        At most so many threads; None for all processors.
    """
    limit = default_threads() if threads is None else threads
    if limit < 1:
        raise ValueError(f"threads must be at least 1, found {limit}")
    used = min(limit, n_items, max(1, n_items * item_bytes // THREAD_BYTES))
    if used <= 1:
        work(0, n_items)
        return
    parts = min(n_items, 4 * used)  # several per thread, since other processes may slow one of them down
    bounds = [n_items * part // parts for part in range(parts + 1)]
    with ThreadPoolExecutor(used) as pool:
        list(pool.map(work, bounds[:-1], bounds[1:]))
