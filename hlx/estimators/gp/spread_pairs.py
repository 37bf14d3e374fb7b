"""Pairs of complements that lie far from each other: a design for models that interpolate.

Random pairs of the same size often show nearly the same players, and a second value there says little new.
Here every next pair is the one of several random candidates that lies farthest from all earlier ones, in the
sense of the least potential energy (sequential minimum-energy designs; Joseph, Dasgupta, Tuo and Wu 2015).
How many pairs there are of every size is left as in leverage sampling, which is what keeps an estimate safe
from a game that behaves differently near nothing and near everything.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64, Int, UInt64

from hlx.estimators.size_strata import draw_stratum, stratum_population, stratum_sizes
from hlx.games.coalitions import random_subsets

CANDIDATES = 128
# Later pairs are random ones: what is gained shrinks while the time for all grows with their square.
MOST_SPREAD = 2048
# Strata of at most so many pairs are listed and can be used up; beyond, random pairs seldom repeat.
MOST_LISTED = 1 << 15
# The energy of two rows of signs x and x' is cosh(STEEPNESS x'x / sqrt n): x'x / sqrt n is close to standard
# normal for random rows, so that this weighs the overlaps that occur by chance whatever n is.
STEEPNESS = 1.5
_MOST_EXPONENT = 500.0


def spread_pairs(n: int, pairs: int, rng: np.random.Generator) -> Bool[np.ndarray, "k n"]:
    """The smaller coalition of at most `pairs` distinct pairs of n players; none and all is not among them.

    Fewer pairs from the same state of `rng` are the first of more.
    """
    sizes = size_sequence(n, pairs)
    strata = {int(size): _Stratum(n, int(size), child) for size, child in _spawned(n, rng)}
    chosen = np.zeros((len(sizes), n), bool)
    keys = np.zeros((len(sizes), -(-n // 64)), np.uint64)
    energies = energy_by_distance(n)
    for turn, size in enumerate(sizes):
        candidates = strata[int(size)].candidates()
        candidate_keys = bit_keys(candidates)
        apart = np.bitwise_count(candidate_keys[:, None] ^ keys[None, :turn]).sum(axis=2, dtype=np.int64)
        if turn < MOST_SPREAD:
            best = int(energies[apart].sum(axis=1).argmin())
        else:
            best = int(np.isinf(energies[apart]).any(axis=1).argmin())
        chosen[turn], keys[turn] = candidates[best], candidate_keys[best]
        strata[int(size)].take(best)
    return chosen


def size_sequence(n: int, pairs: int) -> Int[np.ndarray, " k"]:
    """The sizes of the pairs in order: all sizes alike, n/2 half as often, each until it is used up.

    Webster's divisor method, as `apportion`; of n players there are 2^(n - 1) - 1 pairs in all.
    """
    sizes = stratum_sizes(n)
    most = [min(pairs, stratum_population(n, int(size))) for size in sizes]
    if not most:
        return np.zeros(0, np.int64)
    turns = [(np.arange(k) + 0.5) * (2 if 2 * size == n else 1) for k, size in zip(most, sizes, strict=True)]
    order = np.argsort(np.concatenate(turns), kind="stable")[:pairs]
    return np.repeat(sizes, most)[order]


def energy_by_distance(n: int) -> Float64[np.ndarray, " distances"]:
    """The energy of two pairs by the number of players in which their coalitions differ; inf for the same."""
    overlap = np.abs(n - 2.0 * np.arange(n + 1)) / np.sqrt(n)
    energies = np.cosh(np.minimum(STEEPNESS * overlap, _MOST_EXPONENT))
    energies[[0, n]] = np.inf
    return energies


def bit_keys(rows: Bool[np.ndarray, "m n"]) -> UInt64[np.ndarray, "m words"]:
    """Rows as bits, 64 a word."""
    padded = np.pad(rows, ((0, 0), (0, -rows.shape[1] % 64)))
    return np.packbits(padded, axis=1).view(np.uint64)


class _Stratum:
    """Candidates of one size, new ones at every turn."""

    def __init__(self, n: int, size: int, rng: np.random.Generator) -> None:
        self.n, self.size, self.rng = n, size, rng
        population = stratum_population(n, size)
        self.waiting = draw_stratum(n, size, population, rng) if population <= MOST_LISTED else None

    def candidates(self) -> Bool[np.ndarray, "c n"]:
        if self.waiting is not None:
            return self.waiting[:CANDIDATES]
        rows = random_subsets(self.rng, self.n, np.full(CANDIDATES, self.size))
        return rows ^ ~rows[:, -1:] if 2 * self.size == self.n else rows

    def take(self, best: int) -> None:
        """Put the candidates that were not taken at the end of the list."""
        if self.waiting is not None:
            left = np.delete(self.waiting[:CANDIDATES], best, axis=0)
            self.waiting = np.concatenate([self.waiting[CANDIDATES:], left])


def _spawned(n: int, rng: np.random.Generator) -> list[tuple[int, np.random.Generator]]:
    sizes = stratum_sizes(n)
    return list(zip(sizes.tolist(), rng.spawn(len(sizes)), strict=True))
