"""The transform of derivatives: along an axis (v0, v1) becomes v1 - v0 for a player in S, else v0 + z v1.

What has gone through some axes is kept in groups: group s holds, for all sets S of s of their players, the
coefficients of 1, z, z^2 ... Sets with more than `order` players are not followed. Values are only added and
subtracted, in a tree; a detour through the Moebius transform, whose values can grow like 2^n, costs digits.
"""

import numpy as np
from jaxtyping import Float64

from .compiled import kernel


@kernel
def transform_blocks(table, start, stop, order, sets, most, out):  # type: ignore[no-untyped-def]
    """The groups of blocks `start` to `stop` after the block's players: out[block], one after the other.

    sets[k, s] is how many sets of s of k players there are; `most` numbers are the most in between.
    """
    width = sets.shape[0] - 1
    size = 1 << width
    now, then = np.empty(most), np.empty(most)
    origin = np.float64(table[0])
    for block in range(start, stop):
        for i in range(size):
            now[i] = table[block * size + i] - origin
        for done in range(width):  # the block's highest player first
            half = size >> (done + 1)
            # A group holds (sets, sizes, values) of all S with s players; groups lie one after the other.
            to, here, below = 0, 0, 0
            for s in range(min(done + 1, order) + 1):
                sizes = done - s + 1
                if s <= done:
                    for _ in range(sets[done, s]):
                        then[to : to + half] = now[here : here + half]
                        for _ in range(sizes - 1):
                            to += half
                            out_l = then[to : to + half]
                            up, low = (
                                now[here + half : here + 2 * half],
                                now[here + 2 * half : here + 3 * half],
                            )
                            for i in range(half):
                                out_l[i] = low[i] + up[i]
                            here += 2 * half
                        to += half
                        then[to : to + half] = now[here + half : here + 2 * half]
                        here += 2 * half
                        to += half
                if s > 0:
                    for _ in range(sets[done, s - 1] * (sizes + 1)):
                        out_l = then[to : to + half]
                        low, up = now[below : below + half], now[below + half : below + 2 * half]
                        for i in range(half):
                            out_l[i] = up[i] - low[i]
                        below += 2 * half
                        to += half
            now, then = then, now
        out[block] = now[: out.shape[1]]


def along_first_axis(
    groups: list[Float64[np.ndarray, "rows _ _"]], order: int
) -> list[Float64[np.ndarray, "half _ _"]]:
    """The groups, each of shape (rows, powers of z, sets), after the player who is in the upper rows."""
    half = len(groups[0]) // 2
    found = []
    for s in range(min(len(groups), order) + 1):
        kept = groups[s].shape[2] if s < len(groups) else 0
        gained = groups[s - 1].shape[2] if s else 0
        group = np.zeros((half, groups[0].shape[1] + 1 - s, kept + gained))
        if kept:
            group[:, :-1, :kept] = groups[s][:half]
            group[:, 1:, :kept] += groups[s][half:]
        if gained:
            np.subtract(groups[s - 1][half:], groups[s - 1][:half], out=group[:, :, kept:])
        found.append(group)
    return found
