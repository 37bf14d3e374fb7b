"""From clicks to masks: a Gaussian bump around each click, drawn in no more than the box it falls in."""

from math import isfinite, isnan

import numpy as np
from jaxtyping import Float64, Shaped

from .clicks import as_clicks
from .compiled import in_parallel, kernel


@kernel
def _draw_masks(clicks, starts, radius, gain, sigma, cap, first, last, masks):  # type: ignore[no-untyped-def]
    side, limit = masks.shape[1], radius * radius
    reach = radius * (1 + 1e-12) + 1  # pixels past it are past the radius, however distances are rounded
    across, bump = np.empty((2, side))
    for response in range(first, last):
        mask = masks[response]
        mask[:] = 1.0
        for click in range(starts[response], starts[response + 1]):
            x, y = clicks[click]
            if not (x - reach <= side - 1 and y - reach <= side - 1 and x + reach >= 0 and y + reach >= 0):
                continue  # also what is too far away to be an integer
            low, high = int(max(0.0, np.ceil(x - reach))), int(min(side - 1.0, np.floor(x + reach)))
            top, bottom = int(max(0.0, np.ceil(y - reach))), int(min(side - 1.0, np.floor(y + reach)))
            for column in range(low, high + 1):
                across[column] = (column - x) * (column - x)
                bump[column] = np.exp(-0.5 * ((column - x) / sigma) ** 2)
            nearest = int(min(max(np.rint(x), low), high))
            left, right = nearest, nearest  # the row's first and last column within the radius
            for row in range(top, bottom + 1):
                down = (row - y) * (row - y)
                if across[nearest] + down > limit:
                    continue
                while across[left] + down > limit:
                    left += 1
                while left > low and across[left - 1] + down <= limit:
                    left -= 1
                while across[right] + down > limit:
                    right -= 1
                while right < high and across[right + 1] + down <= limit:
                    right += 1
                height = gain * np.exp(-0.5 * ((row - y) / sigma) ** 2)
                line, profile = mask[row, left : right + 1], bump[left : right + 1]
                for column in range(len(line)):
                    line[column] += height * profile[column]
        np.minimum(mask, cap, mask)


def click_masks(
    clicks: Shaped[np.ndarray, "..."],
    starts: Shaped[np.ndarray, "..."],
    side: int,
    radius: float,
    gain: float,
    sigma: float,
    cap: float,
    *,
    threads: int | None = None,
) -> Float64[np.ndarray, "r {side} {side}"]:
    """Masks min(cap, 1 + sum over the response's clicks with d <= radius of gain exp(-d^2 / (2 sigma^2))).

    d is a click's distance from a pixel's centre; d <= radius is (column - x)^2 + (row - y)^2 <= radius^2 in
    double precision. The bump is a product of a row's and a column's factor: no exponential per pixel.

    Parameters
    ----------
    clicks
        (m, 2), x (column) and y (row) in pixels; pixel centres are at integers. A click off the canvas adds
        what reaches it.
    starts
        (r + 1,): response i has the clicks starts[i] ... starts[i + 1] - 1.
    side, radius, sigma
        In pixels.
    threads
        At most so many threads; None for all processors. The result does not depend on it.

    Returns
    -------
    Float64[np.ndarray, "r {side} {side}"]
        (r, side, side), by row (y) and column (x): 8 side^2 bytes per response.

    Raises
    ------
    ValueError
        Clicks or starts as `as_clicks` refuses them, or no such canvas or bump.
    """
    points, bounds = as_clicks(clicks, starts)
    if side < 1 or radius < 0 or sigma <= 0 or not all(map(isfinite, (radius, gain, sigma))) or isnan(cap):
        raise ValueError(f"no such canvas or bump: {side=}, {radius=}, {gain=}, {sigma=}, {cap=}")
    masks = np.empty((len(bounds) - 1, side, side))
    shape = (float(radius), float(gain), float(sigma), float(cap))

    def work(first: int, last: int) -> None:
        _draw_masks(points, bounds, *shape, first, last, masks)

    box = min(side, 2 * radius + 1) ** 2
    item_bytes = 8 * (side**2 + int(box * len(points)) // max(1, len(masks)))
    in_parallel(work, len(masks), item_bytes, threads)
    return masks
