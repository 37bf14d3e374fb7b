"""Greedy non-maximum suppression of boxes, many sets of them at once."""

import numpy as np
from jaxtyping import Bool, Float32, Int64

from .compiled import in_parallel, kernel


@kernel
def _suppress(boxes, order, threshold, most, start, stop, kept):  # type: ignore[no-untyped-def]
    zero = np.float32(0)
    corners, areas = np.empty((most, 4), np.float32), np.empty(most, np.float32)
    for group in range(start, stop):
        found = 0
        for place in range(order.shape[1]):
            index = order[group, place]
            if index < 0 or found == most:
                break
            left, top, right, bottom = boxes[group, index]
            area = (right - left) * (bottom - top)
            apart = True
            for other in range(found):
                width = min(right, corners[other, 2]) - max(left, corners[other, 0])
                height = min(bottom, corners[other, 3]) - max(top, corners[other, 1])
                shared = max(zero, width) * max(zero, height)
                if shared / (area + areas[other] - shared) > threshold:  # False for NaN, which is 0 / 0
                    apart = False
                    break
            if apart:
                corners[found, 0], corners[found, 1] = left, top
                corners[found, 2], corners[found, 3] = right, bottom
                areas[found] = area
                kept[group, found] = index
                found += 1


def suppress_overlaps(
    boxes: Float32[np.ndarray, "groups n 4"],
    scores: Float32[np.ndarray, "groups n"],
    threshold: float,
    most: int,
    candidates: Bool[np.ndarray, "groups n"] | None = None,
    *,
    threads: int | None = None,
) -> Int64[np.ndarray, "groups {most}"]:
    """Which boxes remain when each in turn, the best first, goes if it overlaps one that has remained.

    Boxes go if intersection over union, in single precision, is above the threshold, in double; those without
    area overlap nothing (0 / 0 is above no threshold). No pixel is added to widths or heights.

    Parameters
    ----------
    boxes
        x1, y1, x2, y2.
    scores
        The higher the better; ties go to the lower index.
    threshold
        In [0, 1].
    most
        A group is done when so many of its boxes are kept.
    candidates
        Boxes that take part; all by default.
    threads
        At most so many threads; None for all processors. The result does not depend on it.

    Returns
    -------
    Int64[np.ndarray, "groups {most}"]
        Indices into n, the best first; -1 where fewer than `most` are kept.

    Raises
    ------
    ValueError
        `most` is below 1 or a score of a candidate is NaN.
    """
    if most < 1:
        raise ValueError(f"most must be at least 1, found {most}")
    taking_part = np.ones(scores.shape, np.bool_) if candidates is None else candidates
    if np.isnan(scores[taking_part]).any():
        raise ValueError("a score is NaN: no order of the boxes")
    order = np.lexsort((-scores, ~taking_part))  # those that take part first, then by score; stable
    order[~np.take_along_axis(taking_part, order, axis=1)] = -1
    kept = np.full((len(boxes), most), -1, np.int64)
    given, limit = np.ascontiguousarray(boxes), float(threshold)

    def work(start: int, stop: int) -> None:
        _suppress(given, order, limit, most, start, stop, kept)

    in_parallel(work, len(kept), 16 * boxes.shape[1] * min(most, 64), threads)
    return kept
