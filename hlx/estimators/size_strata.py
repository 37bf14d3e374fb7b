"""Pairs of a coalition and its complement, stratified by size and drawn without replacement.

Of n players, stratum s <= n/2 holds the pairs of s shown and n - s shown; with n even, a pair in the last one
is the same both ways, so that it holds C(n, n/2) / 2.
"""

from __future__ import annotations

from math import comb
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int, Int64

from hlx.estimators.draws import FIRST_BLOCK, in_order_of_appearance
from hlx.games.coalitions import none_and_all, random_subsets

# Strata of at most so many pairs are shuffled as a whole, at 10 ns a pair, and can be used up; in larger
# ones, of 20 players and more, random pairs hardly ever repeat.
MOST_SHUFFLED = 1 << 18


class PairSample(NamedTuple):
    """Pairs drawn from all strata.

    Attributes
    ----------
    coalitions
        Boolean (m, n), distinct; the first row shows nothing, the last one everything.
    pairs
        (k, 2), rows of `coalitions`: the one of at most n/2 players, and its complement.
    sizes
        (k,), the stratum of every pair.
    counts, sampled
        (k,), how many pairs of this stratum were drawn, and which part of it they are.
    """

    coalitions: Bool[np.ndarray, "m n"]
    pairs: Int[np.ndarray, "k 2"]
    sizes: Int[np.ndarray, " k"]
    counts: Int[np.ndarray, " k"]
    sampled: Float64[np.ndarray, " k"]


def stratum_sizes(n: int) -> Int[np.ndarray, " sizes"]:
    """1 ... n/2."""
    return np.arange(1, n // 2 + 1)


def draw_pairs(
    n: int, pairs: int, shares: Float64[np.ndarray, " sizes"], rng: np.random.Generator
) -> PairSample:
    """At most `pairs` distinct pairs, divided among the strata in proportion to `shares`.

    A smaller sample from the same state of `rng` is part of a larger one.
    """
    sizes = stratum_sizes(n)
    populations = [stratum_population(n, int(size)) for size in sizes]
    counts = apportion(pairs, shares, populations)
    drawn = [
        draw_stratum(n, int(size), int(count), child)
        for size, count, child in zip(sizes, counts, rng.spawn(len(sizes)), strict=True)
    ]
    ends = none_and_all(n)
    shown = np.concatenate([ends[:0], *drawn])
    k = len(shown)
    return PairSample(
        np.concatenate([ends[:1], shown, ~shown, ends[1:]]),
        np.arange(1, k + 1)[:, None] + [0, k],
        np.repeat(sizes, counts),
        np.repeat(counts, counts),
        np.repeat(
            [count / population for count, population in zip(counts, populations, strict=True)], counts
        ),
    )


def stratum_population(n: int, size: int) -> int:
    """Pairs in a stratum."""
    return comb(n, size) // 2 if 2 * size == n else comb(n, size)


def apportion(
    pairs: int, shares: Float64[np.ndarray, " k"], populations: list[int]
) -> Int64[np.ndarray, " k"]:
    """Pairs for each stratum in proportion to `shares`, at most its population, by Webster's divisor method.

    No stratum loses a pair when there are more to give (Balinski and Young 1982, Fair Representation), so
    that smaller budgets are parts of larger ones.
    """
    most = [min(pairs, population) for population in populations]
    if not populations:
        return np.zeros(0, np.int64)
    turn = np.concatenate([(np.arange(k) + 0.5) / share for k, share in zip(most, shares, strict=True)])
    stratum = np.repeat(np.arange(len(most)), most)
    served = stratum[np.argsort(turn, kind="stable")[:pairs]]
    return np.bincount(served, minlength=len(most))


def draw_stratum(n: int, size: int, pairs: int, rng: np.random.Generator) -> Bool[np.ndarray, "pairs n"]:
    """Distinct random pairs of a stratum, by their coalition of `size`; fewer are the first of more."""
    population = stratum_population(n, size)
    if population <= MOST_SHUFFLED:
        return _subsets(rng.permutation(population)[:pairs], n, size)
    drawn, block = np.zeros((0, n), bool), FIRST_BLOCK
    while len(drawn) < pairs:
        rows = random_subsets(rng, n, np.full(block, size))
        if 2 * size == n:
            rows ^= ~rows[:, -1:]
        drawn = np.concatenate([drawn, rows])
        drawn = drawn[in_order_of_appearance(drawn)[0]]
        block *= 2
    return drawn[:pairs]


def _subsets(ranks: Int[np.ndarray, " k"], n: int, size: int) -> Bool[np.ndarray, "k n"]:
    """Subsets of `size` of n players by lexicographic rank; at n/2, of those with the last player."""
    rows = np.zeros((len(ranks), n), bool)
    ranks, left = ranks.copy(), np.full(len(ranks), size)
    players = n
    if 2 * size == n:
        rows[:, -1], left, players = True, left - 1, n - 1
    for player in range(players - 1, -1, -1):
        without = np.array([comb(player, k) for k in range(size + 1)])[left]
        rows[:, player] = shown = ranks >= without
        ranks -= np.where(shown, without, 0)
        left -= shown
    return rows
