"""Random draws of several coalitions each, as many as a budget of distinct coalitions pays for."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from hlx.games.coalitions import none_and_all, row_keys

# Blocks double from here whatever the budget, so that a smaller budget sees the beginning of the same draws.
FIRST_BLOCK = 16
# Near 2^n new coalitions become rare; drawing ends once so many times the budget has been looked at.
MOST_LOOKS = 8

DrawBlock = Callable[[np.random.Generator, int], Bool[np.ndarray, "k r n"]]
"""(rng, k) -> the r coalitions of each of k draws."""


class Draws(NamedTuple):
    """Draws and what they ask for.

    Attributes
    ----------
    coalitions
        Boolean (m, n), distinct; the first row shows nothing, the last one everything.
    rows
        (k, r), the row in `coalitions` of every coalition of every draw.
    """

    coalitions: Bool[np.ndarray, "m n"]
    rows: Int[np.ndarray, "k r"]


def draw_within(n: int, budget: int, rng: np.random.Generator, draw: DrawBlock) -> Draws:
    """Draws, one after the other, until the next one would ask for more than `budget` distinct coalitions.

    A draw that repeats coalitions costs only what is new in it. The coalitions of a smaller budget are among
    those of a larger one.

    Parameters
    ----------
    budget
        The most distinct coalitions, none and all included.
    """
    drawn: list[np.ndarray] = []
    looked, size = 0, FIRST_BLOCK
    while True:
        drawn.append(draw(rng, size))
        looked, size = looked + drawn[-1].shape[0] * drawn[-1].shape[1], 2 * size
        draws = within(np.concatenate(drawn), budget)
        if len(draws.rows) < sum(map(len, drawn)) or looked >= MOST_LOOKS * budget:
            return draws


def within(drawn: Bool[np.ndarray, "k r n"], budget: int) -> Draws:
    """The first of these draws, as many as ask for at most `budget` distinct coalitions."""
    k, r, n = drawn.shape
    rows = np.concatenate([none_and_all(n), drawn.reshape(-1, n)])
    first, number = in_order_of_appearance(rows)
    is_new = np.zeros(len(rows), np.int64)
    is_new[first] = 1
    cost = 2 + np.cumsum(is_new[2:].reshape(k, r).sum(axis=1))
    kept = int(np.searchsorted(cost, budget, side="right"))
    m = int(cost[kept - 1]) if kept else 2
    order = np.r_[0, 2:m, 1]
    position = np.argsort(order)
    return Draws(rows[first[order]], position[number[2 : 2 + kept * r]].reshape(kept, r))


def in_order_of_appearance(
    rows: Bool[np.ndarray, "m n"],
) -> tuple[Int[np.ndarray, " distinct"], Int[np.ndarray, " m"]]:
    """Where each distinct row appears first, in that order, and for every row its place in this list."""
    _, first, inverse = np.unique(row_keys(rows), return_index=True, return_inverse=True)
    order = np.argsort(first)
    return first[order], np.argsort(order)[inverse]
