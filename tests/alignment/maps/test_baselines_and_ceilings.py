"""Baselines and noise ceilings: what they are made of, and where there are too few people to say."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm, spearmanr

from hlx.alignment.maps import (
    MEASURES,
    cc,
    centre_bias,
    leave_one_out,
    mean_of_others,
    spearman,
    spearman_brown,
    split_half,
    uniform_map,
)
from hlx.errors import InputError
from hlx.games.regions import Grid

grids = st.builds(Grid, st.integers(1, 9), st.integers(2, 9))


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        yield


def seeded() -> np.random.Generator:
    return np.random.default_rng(7)


def people(raters: int, noise: float, cells: int = 16, seed: int = 0) -> np.ndarray:
    """Maps of raters who see one map through noise."""
    rng = np.random.default_rng(seed)
    maps = rng.random(cells) + noise * rng.random((raters, cells))
    return np.asarray(maps / maps.sum(axis=1, keepdims=True))


@given(grids, st.floats(0.05, 3.0))
def test_centre_gaussian_is_a_gaussian_s_mass_in_each_cell(grid: Grid, sigma: float) -> None:
    cells = grid.to_map(centre_bias(grid, sigma))
    inside = [norm(0.5, sigma).cdf((np.arange(count + 1)) / count) for count in (grid.rows, grid.cols)]
    rows, cols = (np.diff(mass) / (mass[-1] - mass[0]) for mass in inside)
    np.testing.assert_allclose(cells, np.outer(rows, cols), atol=1e-12)
    # what mirrors it leaves as it is, to the last bit, so that ranks tie
    np.testing.assert_array_equal(cells, cells[::-1])
    np.testing.assert_array_equal(cells, cells[:, ::-1])


@given(st.integers(1, 5), st.integers(2, 5), st.floats(0.1, 1.0))
def test_baselines_of_a_canvas_follow_its_pixels(rows: int, cols: int, sigma: float) -> None:
    grid, side = Grid(rows, cols), 60
    np.testing.assert_allclose(uniform_map(grid, side), uniform_map(grid))
    np.testing.assert_allclose(centre_bias(grid, sigma, side), centre_bias(grid, sigma), atol=1e-12)
    labels = grid.labels(61)
    np.testing.assert_allclose(uniform_map(grid, 61), np.bincount(labels.ravel()) / 61**2)
    edges = norm(0.5, sigma).cdf(np.arange(62) / 61)
    pixels = np.outer(np.diff(edges), np.diff(edges))
    expected = np.bincount(labels.ravel(), weights=pixels.ravel())
    np.testing.assert_allclose(centre_bias(grid, sigma, 61), expected / expected.sum(), atol=1e-12)


def test_a_centre_without_a_width_is_refused() -> None:
    for sigma in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match="sigma must be a finite number above 0"):
            centre_bias(Grid(4, 4), sigma)


@given(st.integers(2, 8).flatmap(lambda m: arrays(np.float64, (m, 5), elements=st.floats(0.0, 1e3))))
def test_mean_of_others_leaves_one_out(maps: np.ndarray) -> None:
    found = mean_of_others(maps)
    for i in range(len(maps)):
        np.testing.assert_allclose(found[i], np.delete(maps, i, axis=0).mean(axis=0), rtol=1e-12)


def test_nothing_cancels_in_the_mean_of_others() -> None:
    maps = np.array([[1e20, 0.3], [1.0, 0.0], [2.0, 0.0]])
    np.testing.assert_array_equal(mean_of_others(maps)[0], [1.5, 0.0])
    assert np.isnan(mean_of_others(maps[:1])).all()
    assert mean_of_others(maps[:0]).shape == (0, 2)


@pytest.mark.parametrize("raters", [2, 3, 5, 6])
def test_split_half_takes_every_split_where_there_are_few(raters: int) -> None:
    maps = people(raters, 2.0)
    found = []
    for half in combinations(range(raters), raters // 2):
        rest = [rater for rater in range(raters) if rater not in half]
        found.append(spearmanr(maps[list(half)].mean(axis=0), maps[rest].mean(axis=0)).statistic)
    r = float(np.mean(found))
    assert split_half(maps, seeded()) == pytest.approx(2 * r / (1 + r))


def test_split_half_of_many_raters_is_drawn_and_repeats_with_the_seed() -> None:
    maps = people(16, 4.0)
    first = split_half(maps, seeded(), splits=40)
    assert first == split_half(maps, seeded(), splits=40)
    assert first != split_half(maps, np.random.default_rng(8), splits=40)
    assert first == pytest.approx(split_half(maps, seeded(), splits=4000), abs=0.1)


def test_split_half_is_the_agreement_with_as_many_other_people() -> None:
    """Spearman-Brown is right where raters differ by noise alone: means of two groups correlate that much."""
    together = [people(20, 3.0, cells=400, seed=seed) for seed in range(40)]
    within = np.mean([split_half(maps[:10], seeded(), measure="CC") for maps in together])
    halves = np.array([[maps[:10].mean(axis=0), maps[10:].mean(axis=0)] for maps in together])
    between = cc(halves[:, 0], halves[:, 1]).mean()
    assert within == pytest.approx(between, abs=0.02)


@given(st.floats(-1.0, 1.0))
def test_spearman_brown_steps_up_and_keeps_sign_and_range(r: float) -> None:
    found = spearman_brown(r)
    assert abs(r) <= abs(found) <= 1.0
    assert found == -spearman_brown(-r)
    if r >= 0:
        assert found == pytest.approx(2 * r / (1 + r))


def test_opposite_people() -> None:
    maps = np.array([[1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0]])
    assert split_half(maps, seeded()) == -1.0
    assert leave_one_out(maps) == -1.0
    np.testing.assert_allclose(split_half(maps[[0, 0, 0]], seeded()), 1.0)


@pytest.mark.parametrize("name", [measure.name for measure in MEASURES.values() if not measure.needs_clicks])
def test_leave_one_out_is_the_others_as_a_model_of_one(name: str) -> None:
    maps, grid = people(5, 2.0), Grid(4, 4)
    expected = [
        MEASURES[name](np.delete(maps, i, axis=0).mean(axis=0)[None], humans=maps[[i]], grid=grid)[0]
        for i in range(5)
    ]
    assert leave_one_out(maps, name, grid) == pytest.approx(np.mean(expected))
    if name != "EMD":
        assert leave_one_out(maps, name) == leave_one_out(maps, name, grid)


def test_places_that_one_person_left_out_cost_the_others_little() -> None:
    maps = people(6, 0.2)
    maps[:, :8] *= np.arange(6)[:, None] != np.arange(8) % 6  # everyone has been everywhere but in one place
    found = leave_one_out(maps / maps.sum(axis=1, keepdims=True), "KLDiv")
    assert 0 < found < 1  # the other way round, each empty cell costs 36 times the others' share of it


def test_people_who_agree_are_a_higher_ceiling() -> None:
    for noise, more in ((0.1, 1.0), (1.0, 10.0)):
        assert leave_one_out(people(8, noise)) > leave_one_out(people(8, more))
        assert split_half(people(8, noise), seeded()) > split_half(people(8, more), seeded())


def test_too_few_people_and_constant_maps() -> None:
    maps = people(3, 1.0)
    for few in (maps[:0], maps[:1]):
        assert np.isnan(split_half(few, seeded()))
        assert np.isnan(leave_one_out(few))
    flat = np.full((3, 16), 1 / 16)
    assert np.isnan(split_half(flat, seeded()))
    assert np.isnan(leave_one_out(flat))
    # a rater with a constant map counts among the others, but has no correlation of its own
    mixed = np.concatenate([maps[:2], flat[:1]])
    expected = spearman(mixed, mean_of_others(mixed))[:2].mean()
    assert leave_one_out(mixed) == pytest.approx(expected)


def test_what_ceilings_refuse() -> None:
    maps = people(3, 1.0)
    for measure, said in (
        ("EMD", "EMD: needs the grid"),
        ("NSS", "NSS: needs clicks"),
        ("rank", "measure 'rank': expected one of RC, EMD"),
    ):
        with pytest.raises(InputError, match=said):
            leave_one_out(maps, measure)
    with pytest.raises(InputError, match="RC or CC, found 'SIM'"):
        split_half(maps, seeded(), measure="SIM")
    with pytest.raises(InputError, match="splits: expected at least 1, found 0"):
        split_half(maps, seeded(), splits=0)


@pytest.mark.parametrize("name", [measure.name for measure in MEASURES.values() if not measure.needs_clicks])
def test_one_baseline_stands_in_for_many_maps(name: str) -> None:
    humans, grid = people(4, 1.0), Grid(4, 4)
    centre = centre_bias(grid)
    found = MEASURES[name](np.broadcast_to(centre, humans.shape), humans=humans, grid=grid)
    np.testing.assert_array_equal(found, MEASURES[name](np.tile(centre, (4, 1)), humans=humans, grid=grid))
