"""Sums over random pairings: the null distribution of a test that pairs a matrix's rows and columns anew."""

import numpy as np
from jaxtyping import Float64, Shaped

from .bounded_draws import shuffle_batches
from .compiled import in_parallel, inner, kernel

LANES = 32  # shuffles side by side, so that none waits for its own last swap to reach memory
GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@inner
def _mixed(state):  # type: ignore[no-untyped-def]
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


@kernel
def _sum_pairings(matrix, bits, batches, key, start, stop, sums):  # type: ignore[no-untyped-def]
    n, shift = len(matrix), np.uint64(bits)
    unused, mask = np.uint64(64) - shift, (np.uint64(1) << shift) - np.uint64(1)
    states, fractions, drawn = np.empty((3, LANES), np.uint64)
    columns = np.empty(n * LANES, np.uint32)
    for block in range(start, stop):
        totals = sums[block]
        for lane in range(LANES):
            states[lane] = _mixed(key + np.uint64(block * LANES + lane) * GOLDEN)
        for row in range(n):
            columns[row * LANES : (row + 1) * LANES] = row
        row = n
        for draws, product, least in batches:
            rejected = True
            while rejected:  # in all lanes if in one, which leaves them independent of each other
                rejected = False
                for lane in range(LANES):
                    states[lane] += GOLDEN
                    fractions[lane] = _mixed(states[lane]) >> unused
                    rejected |= ((fractions[lane] * product) & mask) < least
            for _ in range(draws):
                choices = np.uint64(row)
                row -= 1
                for lane in range(LANES):
                    scaled = fractions[lane] * choices
                    drawn[lane] = (scaled >> shift) * np.uint64(LANES) + np.uint64(lane)
                    fractions[lane] = scaled & mask
                values, last = matrix[row], columns[row * LANES : (row + 1) * LANES]
                for lane in range(LANES):
                    column = columns[drawn[lane]]
                    columns[drawn[lane]] = last[lane]
                    totals[lane] += values[column]


def pairing_sums(
    matrix: Shaped[np.ndarray, "..."], shuffles: int, seed: int, *, threads: int | None = None
) -> Float64[np.ndarray, " shuffles"]:
    """The sum over i of matrix[i, p(i)] for independent, uniform random permutations p.

    Each shuffle has a SplitMix64 stream of its own (Steele, Lea and Flood 2014) that starts at a hash of the
    seed, from 0 on, and its own number: the first k sums are the same for any number of shuffles from k on.

    Parameters
    ----------
    matrix
        (n, n), n >= 1. A NaN or an infinity goes into the sums that meet it.
    threads
        At most so many threads; None for all processors. The result does not depend on it.

    Raises
    ------
    ValueError
        The matrix is not (n, n) real numbers, or shuffles or the seed are negative.
    """
    given = np.asarray(matrix)
    if given.ndim != 2 or not given.shape[0] == given.shape[1] > 0 or given.dtype.kind not in "fiub":
        raise ValueError(f"expected (n, n) real numbers, n >= 1, found {given.dtype} of shape {given.shape}")
    if shuffles < 0 or seed < 0:
        raise ValueError(f"shuffles and seed must be at least 0, found {shuffles} and {seed}")
    values = given.astype(np.float64, order="C")  # a copy: the kernel is compiled once for all inputs
    bits, batches = shuffle_batches(len(values))
    key = np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]
    sums = np.zeros((-(-shuffles // LANES), LANES))

    def work(start: int, stop: int) -> None:
        _sum_pairings(values, bits, batches, key, start, stop, sums)

    in_parallel(work, len(sums), 12 * LANES * len(values), threads)  # a swap takes as long as 12 bytes
    return sums.ravel()[:shuffles]


def pairing_tolerance(matrix: Float64[np.ndarray, "n n"], entry_error: float = 0.0) -> float:
    """The most that rounding sets apart two sums over pairings that are equal in exact arithmetic.

    `entry_error` is how far the entries themselves may be off, such as 5e-13 if rounded to 12 digits. However
    its terms are added, a sum is at least the observed one where it is >= observed - tolerance.
    """
    greatest = np.abs(matrix).max(axis=1)
    return float(len(matrix) * (np.finfo(np.float64).eps * greatest.sum() + 2 * entry_error))
