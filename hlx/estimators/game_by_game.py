"""Costly estimators solve game by game: one per processor, each with one thread of linear algebra."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from jaxtyping import Float64

from hlx.kernels import default_threads

Solved = TypeVar("Solved")


def solve_game_by_game(
    solve_one: Callable[[Float64[np.ndarray, " m"]], Solved], games: Sequence[Float64[np.ndarray, " m"]]
) -> list[Solved]:
    """What `solve_one` finds in each game, in their order.

    Matrices of a few hundred rows take several times as long when a product is split over threads that wait
    for each other, so that games go side by side instead.
    """
    from threadpoolctl import threadpool_limits

    threads = min(len(games), default_threads())
    with threadpool_limits(limits=1, user_api="blas"):
        if threads <= 1:
            return [solve_one(game) for game in games]
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(solve_one, games))
