"""Raters' maps: whatever the grid, the canvas or the company, a rater's clicks give one map."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlx.games.regions import Grid
from hlx.humans import ClickMask
from hlx.humans.masks import response_maps
from tests.humans.test_build import NORMALISATIONS, SMALL, clicks_of_one, reference_map

STUDY = ClickMask()


@given(
    clicks_of_one,
    st.integers(12, 31),
    st.sampled_from(NORMALISATIONS),
    st.sampled_from([((12, 10), (4, 5)), ((9, 4), (3, 4)), ((10, 12), (5, 1))]),
)
def test_a_finer_grid_sums_to_a_coarser_one_on_any_canvas(
    points: np.ndarray, side: int, normalisation: str, shapes: tuple[tuple[int, int], tuple[int, int]]
) -> None:
    """Also where cells differ by a pixel in size: borders of coarse cells are borders of fine ones."""
    (rows, cols), (coarse_rows, coarse_cols) = shapes
    mask = replace(SMALL, side=side, normalisation=normalisation)
    fine, reaches = response_maps([points], Grid(rows, cols), mask)
    coarse, _ = response_maps([points], Grid(coarse_rows, coarse_cols), mask)
    summed = fine.reshape(coarse_rows, rows // coarse_rows, coarse_cols, cols // coarse_cols).sum(axis=(1, 3))
    np.testing.assert_allclose(summed.ravel(), coarse[0], rtol=0, atol=1e-13)
    assert coarse.sum() == pytest.approx(float(reaches[0]), abs=1e-12)


@given(st.lists(clicks_of_one, min_size=2, max_size=6), st.randoms(use_true_random=False))
def test_a_raters_map_does_not_depend_on_the_others(clicks: list[np.ndarray], random: Random) -> None:
    """To the last digit: neither on who else responded nor on the order."""
    together, reach = response_maps(clicks, Grid(3, 5), SMALL)
    assert together.dtype == np.float64
    order = list(range(len(clicks)))
    random.shuffle(order)
    shuffled, reach_shuffled = response_maps([clicks[place] for place in order], Grid(3, 5), SMALL)
    np.testing.assert_array_equal(shuffled, together[order])
    np.testing.assert_array_equal(reach_shuffled, reach[order])
    for place, points in enumerate(clicks):
        np.testing.assert_array_equal(response_maps([points], Grid(3, 5), SMALL)[0][0], together[place])


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@pytest.mark.parametrize("shape", [(4, 4), (7, 3), (16, 16)])
def test_the_reference_canvas(normalisation: str, shape: tuple[int, int]) -> None:
    """The study's own mask on sub-pixel clicks, off the canvas and at the cap; 7 x 3 does not divide it."""
    rng = np.random.default_rng(5)
    clicks = [rng.uniform(-80, 480, (6, 2)), np.full((5, 2), 201.75), np.array([[-60.5, 430.25]])]
    mask = replace(STUDY, normalisation=normalisation)
    values, in_reach = response_maps(clicks, Grid(*shape), mask)
    assert in_reach.all()
    for points, row in zip(clicks, values, strict=True):
        np.testing.assert_allclose(row, reference_map(points, Grid(*shape), mask), rtol=0, atol=1e-9)


def test_x_is_the_column_and_y_the_row() -> None:
    values, _ = response_maps([np.array([[350.0, 50.0]])], Grid(4, 4), STUDY)
    assert values[0].argmax() == 3  # top right


def test_a_faint_click_keeps_its_shape() -> None:
    """A click that adds little to the mask has the map of one that adds much, as far as doubles tell."""
    faint, plain = (
        response_maps([np.array([[120.0, 210.0]])], Grid(4, 4), replace(STUDY, gain=gain))[0]
        for gain in (1e-6, 100.0)
    )
    np.testing.assert_allclose(faint, plain, rtol=0, atol=1e-8)


def test_no_responses_are_no_rows() -> None:
    values, in_reach = response_maps([], Grid(2, 3), SMALL)
    assert values.shape == (0, 6) and in_reach.shape == (0,)
