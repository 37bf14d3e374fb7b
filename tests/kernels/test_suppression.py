"""Non-maximum suppression against its definition, written as a loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hlx.kernels import suppress_overlaps

# Few distinct values: ties, equal boxes, boxes without area and reversed ones are common.
COORDINATES = st.integers(0, 6).map(float)
SCORES = st.sampled_from([0.0, 0.25, 0.5, 1.0])


def by_definition(
    boxes: np.ndarray, scores: np.ndarray, threshold: float, most: int, candidates: np.ndarray
) -> list[int]:
    """Indices that remain of one set of boxes."""
    order = sorted(np.flatnonzero(candidates), key=lambda i: (-scores[i], i))
    kept: list[int] = []
    for i in order:
        suppressed = False
        for j in kept:
            x0, y0 = np.maximum(boxes[i, :2], boxes[j, :2])
            x1, y1 = np.minimum(boxes[i, 2:], boxes[j, 2:])
            shared = max(x1 - x0, np.float32(0)) * max(y1 - y0, np.float32(0))
            areas = [np.prod(box[2:] - box[:2]) for box in (boxes[i], boxes[j])]
            with np.errstate(invalid="ignore", divide="ignore"):
                suppressed |= float(shared / (areas[0] + areas[1] - shared)) > threshold
        if not suppressed:
            kept.append(int(i))
    return kept[:most]


@given(st.data())
def test_what_is_kept_is_what_the_definition_keeps(data: st.DataObject) -> None:
    groups, n = data.draw(st.integers(1, 3)), data.draw(st.integers(0, 12))
    boxes = data.draw(hnp.arrays(np.float32, (groups, n, 4), elements=COORDINATES))
    scores = data.draw(hnp.arrays(np.float32, (groups, n), elements=SCORES))
    candidates = data.draw(hnp.arrays(np.bool_, (groups, n)))
    threshold = data.draw(st.sampled_from([0.0, 0.25, 0.5, 0.7, 1.0]))
    most = data.draw(st.integers(1, 14))
    kept = suppress_overlaps(boxes, scores, threshold, most, candidates)
    for group in range(groups):
        expected = by_definition(boxes[group], scores[group], threshold, most, candidates[group])
        assert kept[group].tolist() == expected + [-1] * (most - len(expected))


def test_dense_random_boxes() -> None:
    draw = np.random.default_rng(0)
    corners = draw.uniform(0, 60, (3, 400, 2)).astype(np.float32)
    boxes = np.concatenate([corners, corners + draw.uniform(1, 30, (3, 400, 2)).astype(np.float32)], axis=2)
    scores = draw.standard_normal((3, 400)).astype(np.float32)
    kept = suppress_overlaps(boxes, scores, 0.4, 60)
    for group in range(3):
        expected = by_definition(boxes[group], scores[group], 0.4, 60, np.ones(400, bool))
        assert kept[group].tolist() == expected + [-1] * (60 - len(expected))
    assert (kept >= 0).all(axis=1).any()  # some group stopped early


def test_the_threshold_is_in_double_precision() -> None:
    boxes = np.float32([[[0, 0, 13, 1], [7, 0, 20, 1]]])  # 6 of 20, and 0.3 in single precision is more
    assert suppress_overlaps(boxes, np.float32([[2, 1]]), 0.3, 2).tolist() == [[0, -1]]
    assert suppress_overlaps(boxes, np.float32([[2, 1]]), float(np.float32(0.3)), 2).tolist() == [[0, 1]]


def test_equal_boxes_leave_the_first_of_the_best() -> None:
    boxes = np.tile(np.float32([0, 0, 4, 4]), (1, 5, 1))
    scores = np.float32([[0.2, 0.9, 0.9, 0.1, 0.9]])
    assert suppress_overlaps(boxes, scores, 0.5, 3).tolist() == [[1, -1, -1]]
    assert suppress_overlaps(boxes, scores, 1.0, 3).tolist() == [[1, 2, 4]]  # nothing is above 1


def test_boxes_without_area_suppress_nothing() -> None:
    boxes = np.float32([[[2, 2, 2, 2], [2, 2, 2, 2], [0, 0, 4, 4]]])
    assert suppress_overlaps(boxes, np.float32([[3, 2, 1]]), 0.0, 3).tolist() == [[0, 1, 2]]


def test_threads_do_not_matter() -> None:
    draw = np.random.default_rng(1)
    boxes = np.sort(draw.uniform(0, 20, (8, 3000, 2, 2)), axis=2).reshape(8, 3000, 4).astype(np.float32)
    scores = draw.standard_normal((8, 3000)).astype(np.float32)
    one = suppress_overlaps(boxes, scores, 0.3, 100, threads=1)
    assert np.array_equal(one, suppress_overlaps(boxes, scores, 0.3, 100, threads=3))


def test_a_score_that_is_nan_is_refused() -> None:
    boxes, scores = np.zeros((1, 2, 4), np.float32), np.float32([[1, np.nan]])
    with pytest.raises(ValueError, match="NaN"):
        suppress_overlaps(boxes, scores, 0.5, 1)
    assert suppress_overlaps(boxes, scores, 0.5, 1, np.array([[True, False]])).tolist() == [[0]]
    with pytest.raises(ValueError, match="at least 1"):
        suppress_overlaps(boxes, scores, 0.5, 0)
