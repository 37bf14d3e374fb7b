"""Weighted sums over the coalitions that contain each player, in one reading of the table.

Folding a table along player i adds its upper half (i shown) to its lower half. The upper half's total is the
sum over the coalitions with i, and the folded table, half as long, is all that the other players' sums need:
2 * 2^n additions in all instead of n 2^(n-1). A block of BLOCK low players is folded in cache; what is left
of it is one row of sums, and the rows are folded over the high players in the same way. At most
2^(BLOCK - LANES - 1) terms are added one after the other, everything else in a tree, so that rounding errors
stay small; the order is the same for any number of threads.
"""

import numpy as np
from jaxtyping import Float

from .compiled import in_parallel, inner, kernel
from .tables import coalition_sizes

BLOCK = 15  # players folded per block; half a block of partial sums, 128 KiB, stays in second-level cache
LANES = 6  # of these, the players folded last; until then whole vectors of 2^LANES are added


@inner
def _fold_lanes(sums, total, block, lanes):  # type: ignore[no-untyped-def]
    for axis in range(lanes - 1, -1, -1):
        half = 1 << axis
        for player in range(axis + 1, block):
            for lane in range(half):
                sums[player, lane] += sums[player, lane + half]
        for lane in range(half):
            sums[axis, lane] = total[lane + half]
            total[lane] += total[lane + half]


@kernel
def _fold_blocks(tables, weights, sizes, start, stop, partial):  # type: ignore[no-untyped-def]
    blocks, width = partial.shape[1], partial.shape[2]
    block = width - 1
    lanes = weights.shape[1]
    lane_players = 0
    while 1 << lane_players < lanes:
        lane_players += 1
    rows = (1 << block) // lanes
    folded = np.empty((rows >> 1, lanes))
    sums = np.empty((block, lanes))
    for item in range(start, stop):
        game, high = item // blocks, item % blocks
        origin = np.float64(tables[game, 0])
        first = high << block
        size = sizes[high]
        half = rows >> 1
        sums[:] = 0.0
        above = sums[block - 1]
        for row in range(half):
            low = tables[game, first + row * lanes : first + (row + 1) * lanes]
            up = tables[game, first + (row + half) * lanes : first + (row + half + 1) * lanes]
            w_low, w_up = weights[size + sizes[row]], weights[size + sizes[row] + 1]
            out = folded[row]
            for lane in range(lanes):
                shown = (up[lane] - origin) * w_up[lane]
                above[lane] += shown
                out[lane] = (low[lane] - origin) * w_low[lane] + shown
        for player in range(block - 2, lane_players - 1, -1):
            half >>= 1
            above = sums[player]
            for row in range(half):
                out, up = folded[row], folded[row + half]
                for lane in range(lanes):
                    above[lane] += up[lane]
                    out[lane] += up[lane]
        _fold_lanes(sums, folded[0], block, lane_players)
        partial[game, high, 0] = folded[0, 0]
        for player in range(block):
            partial[game, high, player + 1] = sums[player, 0]


def sums_with_each_player(
    tables: Float[np.ndarray, "g coalitions"], weights: Float[np.ndarray, "sizes"], threads: int | None
) -> tuple[Float[np.ndarray, "g n"], Float[np.ndarray, "g"]]:
    """Sums of weights[|S|] (v(S) - v(none)), over the coalitions S with each player, and over all.

    The value of the empty coalition is taken off before anything is summed: it keeps the digits of games
    whose values all lie near the same large number. A NaN anywhere makes every sum of its table NaN.
    """
    games, size = tables.shape
    n = size.bit_length() - 1
    block = min(n, BLOCK)
    lanes = min(block - 1, LANES)
    lane_weights = weights[np.arange(n - lanes + 1)[:, None] + coalition_sizes(1 << lanes)]
    sizes = coalition_sizes(1 << max(block - lanes, n - block))
    partial = np.empty((games, size >> block, block + 1))

    def work(start: int, stop: int) -> None:
        _fold_blocks(tables, lane_weights, sizes, start, stop, partial)

    in_parallel(work, games * (size >> block), tables.itemsize << block, threads)
    for _ in range(n - block):  # the last column to come is the lowest of the high players
        low, up = np.split(partial, 2, axis=1)
        partial = np.concatenate([low + up, up[..., :1]], axis=2)
    sums = partial[:, 0]
    return np.concatenate([sums[:, 1 : block + 1], sums[:, :block:-1]], axis=1), sums[:, 0]
