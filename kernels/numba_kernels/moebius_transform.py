"""From tables to the Moebius transform: the interaction that each coalition adds to those inside it."""

import numpy as np
from jaxtyping import Float, Shaped

from .compiled import in_parallel, inner, kernel
from .tables import as_tables

BLOCK = 15  # players per block: 256 KiB of float64, for the second-level cache
LANES = 64  # neighbouring coalitions that go through the high players together


@inner
def _transform(values, stride):  # type: ignore[no-untyped-def]
    """Transform along every player from that of `stride` on, two at a time."""
    size = len(values)
    while stride * 4 <= size:
        for start in range(0, size, stride * 4):
            neither = values[start : start + stride]
            lower = values[start + stride : start + 2 * stride]
            upper = values[start + 2 * stride : start + 3 * stride]
            both = values[start + 3 * stride : start + 4 * stride]
            for i in range(stride):
                lower[i] -= neither[i]
                both[i] = (both[i] - upper[i]) - lower[i]
                upper[i] -= neither[i]
        stride *= 4
    if stride < size:
        without, shown = values[:stride], values[stride:]
        for i in range(stride):
            shown[i] -= without[i]


@kernel
def _transform_low(tables, start, stop, out):  # type: ignore[no-untyped-def]
    _, blocks, width = out.shape
    for item in range(start, stop):
        game, block = item // blocks, item % blocks
        origin = np.float64(tables[game, 0])
        v, m = tables[game, block * width : (block + 1) * width], out[game, block]
        if width < 8:
            for i in range(width):
                m[i] = v[i] - origin
            _transform(m, 1)
            continue
        for i in range(0, width, 8):  # three players while eight values are in registers
            a, b, c, d = v[i] - origin, v[i + 1] - origin, v[i + 2] - origin, v[i + 3] - origin
            e, f, g, h = v[i + 4] - origin, v[i + 5] - origin, v[i + 6] - origin, v[i + 7] - origin
            b, d, f, h = b - a, d - c, f - e, h - g
            c, d, g, h = c - a, d - b, g - e, h - f
            m[i], m[i + 1], m[i + 2], m[i + 3] = a, b, c, d
            m[i + 4], m[i + 5], m[i + 6], m[i + 7] = e - a, f - b, g - c, h - d
        _transform(m, 8)


@kernel
def _transform_high(start, stop, out):  # type: ignore[no-untyped-def]
    _, blocks, width = out.shape
    strip = np.empty(blocks * LANES)
    for item in range(start, stop):
        game, first = item // (width // LANES), item % (width // LANES) * LANES
        for block in range(blocks):
            for lane in range(LANES):
                strip[block * LANES + lane] = out[game, block, first + lane]
        _transform(strip, LANES)
        for block in range(blocks):
            for lane in range(LANES):
                out[game, block, first + lane] = strip[block * LANES + lane]


@np.errstate(invalid="ignore", over="ignore")  # the result says it
def moebius(
    tables: Shaped[np.ndarray, "*games coalitions"], threads: int | None = None
) -> Float[np.ndarray, "*games coalitions"]:
    """Moebius transform (Harsanyi dividends): m(S) = sum over subsets T of S of (-1)^(|S| - |T|) v(T).

    The table is read and written once for the low players and once for the high ones. The value of the
    empty coalition is taken off first, since it cancels in every m(S) but m(none) = v(none).

    Parameters, shapes and errors as in `shapley`; the result is a new array of the table's shape, float64.
    """
    values, n, single = as_tables(tables)
    width = 1 << min(n, BLOCK)
    games, blocks = len(values), (1 << n) // width
    out = np.empty((games, blocks, width))
    in_parallel(lambda a, b: _transform_low(values, a, b, out), games * blocks, 16 * width, threads)
    if blocks > 1:
        strips = width // LANES
        in_parallel(lambda a, b: _transform_high(a, b, out), games * strips, 16 * blocks * LANES, threads)
    result = out.reshape(games, 1 << n)
    result[:, 0] = values[:, 0]
    return result[0] if single else result
