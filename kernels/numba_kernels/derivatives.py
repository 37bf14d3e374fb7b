"""From tables to sums of discrete derivatives by size, of which every interaction index is a weighting."""

from math import comb

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from .axis_transform import along_first_axis, transform_blocks
from .compiled import in_parallel
from .tables import as_tables

BLOCK = 14  # players transformed in cache; a block and its branches of order 2 take about 300 KiB twice
WORK = 16  # additions per value at order 2, against one or two of the kernels that THREAD_BYTES is set by


def workspace(n: int, order: int) -> int:
    """The bytes that `derivative_sums` takes at its peak, about."""
    kept = [_numbers(n, done, order) for done in range(min(n, BLOCK), n + 1)]
    return 8 * max(before + after for before, after in zip([0, *kept], kept, strict=False))


def derivative_sums(
    table: Shaped[np.ndarray, "..."], order: int, threads: int | None = None
) -> list[tuple[Int64[np.ndarray, "sets"], Float64[np.ndarray, "sizes sets"]]]:
    """D(S, l) = sum over coalitions L of l players outside S of Delta_S v(L), for |S| up to `order`.

    Delta_S v(L) = sum over subsets A of S of (-1)^(|S| - |A|) v(L + A) is the discrete derivative. The value
    of the empty coalition is taken off first: it is missing from D(none, l), and cancels everywhere else.

    Parameters
    ----------
    table
        (2^n,); bit i of the index is set when player i is shown.
    order
        0 to n.
    threads
        At most so many threads; None for all processors. The result does not depend on it.

    Returns
    -------
    list[tuple[Int64[np.ndarray, "sets"], Float64[np.ndarray, "sizes sets"]]]
        For each s = 0 ... order, the ids of the sets S of s players, in no particular order, and D(S, l) as
        an array of shape (n - s + 1, C(n, s)).

    Raises
    ------
    ValueError
        The table is not (2^n,) real numbers with n >= 1, or there is no such order.
    """
    values, n, single = as_tables(table)
    if not single or not 0 <= order <= n:
        raise ValueError(f"expected one table and an order of 0 to {n}, found {values.shape} and {order}")
    width = min(n, BLOCK)
    sets = np.array([[comb(done, s) for s in range(order + 1)] for done in range(width + 1)])
    out = np.empty(((1 << n) >> width, _numbers(width, width, order)))
    most = max(_numbers(width, done, order) for done in range(width + 1))

    def work(start: int, stop: int) -> None:
        transform_blocks(values[0], start, stop, order, sets, most, out)

    in_parallel(work, len(out), WORK * values.itemsize << width, threads)
    ids = [np.zeros(1, np.int64)]
    for player in range(width - 1, -1, -1):
        ids = _with_player(ids, player, order)
    bounds = np.cumsum([0, *(len(group) * (width - s + 1) for s, group in enumerate(ids))])
    sums = [
        out[:, start:stop].reshape(len(out), len(group), -1).transpose(0, 2, 1)
        for group, start, stop in zip(ids, bounds[:-1], bounds[1:], strict=True)
    ]
    for player in range(n - 1, width - 1, -1):
        ids, sums = _with_player(ids, player, order), along_first_axis(sums, order)
    return [(group, values[0]) for group, values in zip(ids, sums, strict=True)]


def _numbers(n: int, done: int, order: int) -> int:
    """How many numbers are kept after `done` of `n` axes."""
    return sum(comb(done, s) * (done - s + 1) for s in range(min(done, order) + 1)) << (n - done)


def _with_player(ids: list[Int64[np.ndarray, "_"]], player: int, order: int) -> list[Int64[np.ndarray, "_"]]:
    """For each number of players, the sets without the player first, as in `along_first_axis`."""
    none = np.zeros(0, np.int64)
    padded = [none, *ids, none]
    return [np.concatenate([padded[s + 1], padded[s] | 1 << player]) for s in range(min(len(ids), order) + 1)]
