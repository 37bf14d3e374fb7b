"""Measures of maps and clicks: the same as on a canvas that is drawn pixel by pixel, as pysaliency does."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hlx.alignment.maps import MEASURES, cells_of_clicks, pixels_of_cells, uniform_map
from hlx.errors import InputError
from hlx.games.regions import Grid

CLICK_MEASURES = [measure.name for measure in MEASURES.values() if measure.needs_clicks]
SIDE = 13  # divided by none of the grids but 1

grids = st.builds(Grid, st.integers(1, 5), st.integers(2, 5))
clicks = st.lists(st.tuples(st.floats(-2, SIDE + 1), st.floats(-2, SIDE + 1)), max_size=12).map(
    lambda points: np.array(points, dtype=np.float64).reshape(-1, 2)
)


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        yield


def click_measure(
    name: str,
    maps: np.ndarray,
    clicks: np.ndarray,
    grid: Grid,
    side: int,
    others: np.ndarray | None = None,
) -> np.ndarray:
    return MEASURES[name](maps, clicks=clicks, grid=grid, side=side, others=others)


def drawn(values: np.ndarray, grid: Grid) -> np.ndarray:
    """The map on the canvas: the pixels of a cell share its value."""
    labels = grid.labels(SIDE)
    return values[labels] / np.array([[(labels == label).sum() for label in row] for row in labels])


def pixels_under(points: np.ndarray, canvas: np.ndarray) -> np.ndarray:
    """The canvas's values at the nearest pixel centre of each click on it."""
    found = []
    for x, y in points:
        col, row = int(np.floor(x + 0.5)), int(np.floor(y + 0.5))
        if 0 <= col < SIDE and 0 <= row < SIDE:
            found.append(canvas[row, col])
    return np.array(found)


def area(positives: np.ndarray, negatives: np.ndarray) -> float:
    """The mean of pysaliency's AUC of one positive: the share of negatives below it, ties counting half."""
    if not positives.size or not negatives.size:
        return float("nan")
    close = np.isclose(negatives, positives[:, None], rtol=1e-12, atol=1e-15)
    return float(np.where(close, 0.5, negatives < positives[:, None]).mean())


def standardised(positives: np.ndarray, canvas: np.ndarray) -> float:
    if not positives.size or np.isclose(canvas, canvas[0, 0], rtol=1e-12, atol=0).all():
        return float("nan")
    return float((positives.mean() - canvas.mean()) / canvas.std())


@given(st.data(), grids, clicks, clicks)
def test_measures_of_clicks_are_those_of_pixels(
    data: st.DataObject, grid: Grid, own: np.ndarray, other: np.ndarray
) -> None:
    values = data.draw(arrays(np.float64, grid.n_players, elements=st.integers(-3, 3).map(float)))
    canvas = drawn(values, grid)
    positives, elsewhere = pixels_under(own, canvas), pixels_under(other, canvas)
    counts, others = (cells_of_clicks(points, grid, SIDE)[None] for points in (own, other))
    expected = {
        "NSS": standardised(positives, canvas),
        "AUC": area(positives, canvas.ravel()),
        "shuffled AUC": area(positives, elsewhere),
    }
    for name, number in expected.items():
        found = click_measure(name, values[None], counts, grid, SIDE, others)[0]
        assert found == pytest.approx(number, abs=1e-9, nan_ok=True), name


@given(grids, clicks, st.integers(5, 40))
def test_clicks_fall_into_the_cells_of_the_labels(grid: Grid, points: np.ndarray, side: int) -> None:
    labels = grid.labels(side)
    nearest = np.floor(points + 0.5).astype(int)
    on = nearest[((nearest >= 0) & (nearest < side)).all(axis=1)]
    expected = np.bincount(labels[on[:, 1], on[:, 0]], minlength=grid.n_players)
    np.testing.assert_array_equal(cells_of_clicks(points, grid, side), expected)
    np.testing.assert_array_equal(pixels_of_cells(grid, side), np.bincount(labels.ravel()))


def test_clicks_at_the_border_and_off_it() -> None:
    points = np.array([[-0.5, 0.0], [-0.6, 0.0], [3.49, 1.5], [3.5, 0.0], [np.nan, 1.0], [1.49, 0.0]])
    np.testing.assert_array_equal(cells_of_clicks(points, Grid(2, 2), 4), [2, 0, 0, 1])
    np.testing.assert_array_equal(cells_of_clicks(points[:0], Grid(2, 2), 4), [0, 0, 0, 0])


def test_a_map_that_is_uniform_over_pixels_says_nothing() -> None:
    grid, side = Grid(7, 7), 400
    counts = np.random.default_rng(0).integers(0, 4, (3, 49))
    maps = np.broadcast_to(uniform_map(grid, side), (3, 49))
    assert maps[0].sum() == pytest.approx(1.0)
    assert np.ptp(maps[0]) > 0
    np.testing.assert_array_equal(click_measure("AUC", maps, counts, grid, side), 0.5)
    np.testing.assert_array_equal(click_measure("shuffled AUC", maps, counts, grid, side, counts), 0.5)
    assert np.isnan(click_measure("NSS", maps, counts, grid, side)).all()


def test_degenerate_maps_and_clicks() -> None:
    grid = Grid(2, 2)
    some, flat, zero, nan = np.array([4.0, 1.0, 2.0, 3.0]), np.full(4, 0.1), np.zeros(4), np.full(4, np.nan)
    maps = np.array([some, some, some, flat, zero, nan])
    counts = np.array([[1, 0, 0, 0], [0, 9, 0, 0], [0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0]])
    others = np.array([[0, 1, 0, 0]] * 6)
    highest = 1.5 / np.sqrt(1.25)
    expected = {
        "NSS": [highest, -highest, *[np.nan] * 4],
        "AUC": [0.875, 0.125, np.nan, 0.5, 0.5, np.nan],
        "shuffled AUC": [1.0, 0.5, np.nan, 0.5, 0.5, np.nan],
    }
    for name, numbers in expected.items():
        np.testing.assert_allclose(click_measure(name, maps, counts, grid, 8, others), numbers)
    assert np.isnan(click_measure("shuffled AUC", maps, counts, grid, 8, 0 * others)).all()


@pytest.mark.parametrize("name", CLICK_MEASURES)
@given(st.data(), st.floats(0.01, 100.0))
def test_scale_and_the_order_of_equal_cells_play_no_role(
    name: str, data: st.DataObject, scale: float
) -> None:
    grid = Grid(3, 3)
    values = data.draw(arrays(np.float64, (1, 9), elements=st.integers(-3, 3).map(float)))
    counts, others = data.draw(arrays(np.int64, (2, 1, 9), elements=st.integers(0, 3)))
    order = np.array(data.draw(st.permutations(range(9))))
    found = click_measure(name, values, counts, grid, 12, others)
    np.testing.assert_allclose(
        click_measure(name, scale * values, counts, grid, 12, others), found, atol=1e-9
    )
    moved = (rows[:, order] for rows in (values, counts))
    np.testing.assert_allclose(click_measure(name, *moved, grid, 12, others[:, order]), found, atol=1e-9)


@given(st.data())
def test_areas_are_of_the_order_alone(data: st.DataObject) -> None:
    grid = Grid(2, 4)
    values = data.draw(arrays(np.float64, (2, 8), elements=st.integers(-3, 3).map(float)))
    counts, others = data.draw(arrays(np.int64, (2, 2, 8), elements=st.integers(0, 3)))
    for name in ("AUC", "shuffled AUC"):
        found = click_measure(name, values, counts, grid, 8, others)
        np.testing.assert_array_equal(click_measure(name, np.exp(values), counts, grid, 8, others), found)
        np.testing.assert_allclose(click_measure(name, -values, counts, grid, 8, others), 1.0 - found)


def test_what_click_measures_refuse() -> None:
    maps, counts = np.ones((1, 4)), np.ones((1, 4), dtype=np.int64)
    for name, side, said in (
        ("RC", 4, "measure RC: needs humans"),
        ("shuffled AUC", 4, "measure shuffled AUC: needs others"),
        ("NSS", 1, "grid 2x2: has more rows or columns than the canvas's 1 x 1 pixels"),
    ):
        with pytest.raises(InputError, match=said):
            click_measure(name, maps, counts, Grid(2, 2), side)
