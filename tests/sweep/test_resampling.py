"""Resampled maps: totals kept, nothing lost in refinement, and what counting pixels says."""

from __future__ import annotations

from math import lcm

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlx.games.regions import Grid
from hlx.sweep.across_settings.resampling import resample, shares

lengths = st.integers(1, 7)
grids = st.builds(lambda rows, cols: Grid(rows, cols + (rows == 1)), lengths, lengths)
seeds = st.integers(0, 2**32 - 1)


def values_of(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def by_pixels(values: np.ndarray, source: Grid, target: Grid) -> np.ndarray:
    """Each cell's value shared out among pixels so small that no line of either grid crosses one."""
    height, width = lcm(source.rows, target.rows), lcm(source.cols, target.cols)
    tall = height // source.rows, width // source.cols
    pixels = np.kron(source.to_map(values), np.ones(tall)) / np.prod(tall)
    cut = pixels.reshape(target.rows, height // target.rows, target.cols, width // target.cols)
    return cut.sum(axis=(1, 3)).ravel()


@given(grids, grids, seeds)
def test_equals_counting_pixels_and_keeps_the_total(source: Grid, target: Grid, seed: int) -> None:
    maps = values_of(seed, 2, 3, source.n_players)
    found = resample(maps, source, target)
    assert found.shape == (2, 3, target.n_players)
    np.testing.assert_allclose(found.sum(-1), maps.sum(-1), rtol=0, atol=1e-12)
    np.testing.assert_allclose(found[1, 2], by_pixels(maps[1, 2], source, target), rtol=0, atol=1e-12)


@given(grids, lengths, lengths, seeds)
def test_refining_and_coarsening_again_gives_the_map_back(
    grid: Grid, rows: int, cols: int, seed: int
) -> None:
    maps = values_of(seed, 4, grid.n_players)
    finer = Grid(grid.rows * rows, grid.cols * cols)
    back = resample(resample(maps, grid, finer), finer, grid)
    np.testing.assert_allclose(back, maps, rtol=0, atol=1e-12)


@given(grids, grids)
def test_a_constant_density_stays_constant(source: Grid, target: Grid) -> None:
    found = resample(np.full(source.n_players, 1.0 / source.n_players), source, target)
    np.testing.assert_allclose(found, 1.0 / target.n_players, rtol=1e-14)


def test_the_same_grid_gives_the_same_bits_in_an_array_of_its_own() -> None:
    maps = values_of(0, 3, 6)
    found = resample(maps, Grid(2, 3), Grid(2, 3))
    np.testing.assert_array_equal(found, maps)
    found[:] = 0
    assert maps.any()


@given(st.integers(1, 40), st.integers(1, 40))
def test_shares_of_each_length_are_all_of_it(source: int, target: int) -> None:
    found = shares(source, target)
    assert found.shape == (target, source)
    np.testing.assert_allclose(found.sum(axis=0), 1.0, rtol=1e-14)
    np.testing.assert_allclose(found.sum(axis=1), source / target, rtol=1e-13)


def test_a_wrong_number_of_values_is_refused() -> None:
    with pytest.raises(ValueError, match="6 regions"):
        resample(np.zeros(5), Grid(2, 3), Grid(2, 2))
