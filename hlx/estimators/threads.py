"""Threads of solving: linear algebra in one; games of expensive estimators in a thread each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from hlx.kernels import default_threads

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

Game = TypeVar("Game")
Solved = TypeVar("Solved")

WORKING_MEMORY = 1 << 30
"""Bytes that the matrices of all games solved at once may take."""


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Linear algebra in one thread, for as long as anyone in the process is inside.

    A product split over threads is added up in another order, so that its bits would depend on the processors
    that a process may use, and on who else limits them. Matrices of a few hundred rows also take several
    times as long when threads wait for each other.
    """
    _LIMIT.enter()
    try:
        yield
    finally:
        _LIMIT.leave()


class _Limit:
    """The limit is of the process: the first who comes sets it, the last who goes lifts it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._limiter: Any = None

    def enter(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._limiter = self._in_control(lambda: _blas().limit(limits=1, user_api="blas"))
            self._inside += 1

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._in_control(self._limiter.restore_original_limits)

    @staticmethod
    def _in_control(change: Callable[[], Any]) -> Any:
        """threadpoolctl heeds one thread until that lets go; the last here is seldom the first."""
        from threadpoolctl import OpenBLASController

        OpenBLASController.clear_controlling_thread(force=True)
        try:
            return change()
        finally:
            OpenBLASController.clear_controlling_thread(force=True)


_LIMIT = _Limit()


@cache
def _blas() -> ThreadpoolController:
    # scipy brings a library of its own, which is seen only once it is loaded.
    import scipy.linalg.lapack  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def solve_game_by_game(
    solve_one: Callable[[Game], Solved], games: Sequence[Game], game_bytes: int = 0
) -> list[Solved]:
    """What `solve_one` finds in each game, in their order; one game per processor.

    Parameters
    ----------
    game_bytes
        Memory that one game takes while it is solved: fewer go side by side where it is much.
    """
    fitting = max(1, WORKING_MEMORY // max(1, game_bytes))
    threads = min(len(games), default_threads(), fitting)
    if threads <= 1:
        return [solve_one(game) for game in games]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(solve_one, games))
