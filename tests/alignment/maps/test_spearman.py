"""Rank correlations: scipy's numbers, of pairs, in matrices and given a third map; ties that stay ties."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import rankdata, spearmanr

from hlx.alignment.maps import partial_spearman, spearman, spearman_matrix

coarse = st.integers(-3, 3).map(float)  # few different values, so that ties are common


def maps_of(elements: st.SearchStrategy[float], rows: int) -> st.SearchStrategy[np.ndarray]:
    """Some maps of the same 2 to 9 cells."""
    return st.integers(2, 9).flatmap(lambda n: arrays(np.float64, (rows, n), elements=elements))


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        yield


@given(maps_of(coarse, 2) | maps_of(st.floats(-1e6, 1e6), 2))
def test_rank_correlation_is_scipy_s(maps: np.ndarray) -> None:
    first, second = maps
    found = float(spearman(first[None], second[None])[0])
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(spearmanr(first, second).statistic, abs=2e-12)


@given(maps_of(coarse, 6))
def test_the_matrix_holds_every_pair_to_the_last_bit(maps: np.ndarray) -> None:
    matrix = spearman_matrix(maps, maps[:4])
    for column in range(4):
        pairwise = spearman(maps, np.broadcast_to(maps[column], maps.shape))
        np.testing.assert_array_equal(matrix[:, column], pairwise)
    np.testing.assert_array_equal(matrix, np.round(matrix, 12))


def test_correlations_that_are_equal_numbers_tie() -> None:
    rng = np.random.default_rng(0)
    maps, humans = (rng.integers(0, 4, (150, 9)).astype(np.float64) for _ in range(2))
    order = rng.permutation(9)
    there, back = (spearman_matrix(maps[:, cells], humans[:, cells]) for cells in (order, order[::-1]))
    np.testing.assert_array_equal(there, back)
    np.testing.assert_array_equal(spearman_matrix(humans, maps), spearman_matrix(maps, humans).T)
    # As they are divided, 14 of these correlations differ from another in the last bit alone.
    different = np.unique(np.abs(spearman_matrix(maps, humans)))
    assert np.nanmin(np.diff(different)) > 1e-9


@given(maps_of(st.floats(-1e3, 1e3), 3))
def test_partial_correlation_is_of_what_a_regression_leaves(maps: np.ndarray) -> None:
    x, y, z = maps
    found = float(partial_spearman(x[None], y[None], z)[0])
    ranks = [rankdata(values) - (len(x) + 1) / 2 for values in maps]
    if (
        any(np.ptp(values) == 0 for values in ranks)
        or max(abs(spearmanr(x, z).statistic), abs(spearmanr(y, z).statistic)) > 1 - 1e-12
    ):
        assert np.isnan(found)
        return
    left = [r - ranks[2] * (r @ ranks[2]) / (ranks[2] @ ranks[2]) for r in ranks[:2]]
    assert found == pytest.approx(
        left[0] @ left[1] / np.sqrt((left[0] @ left[0]) * (left[1] @ left[1])), abs=1e-9
    )


def test_what_is_held_constant_may_be_one_map_or_one_for_each() -> None:
    rng = np.random.default_rng(1)
    maps, humans, centre = rng.random((5, 9)), rng.random((5, 9)), rng.random(9)
    each = np.broadcast_to(centre, maps.shape)
    found = partial_spearman(maps, humans, centre)
    np.testing.assert_array_equal(found, partial_spearman(maps, humans, each))
    assert np.isnan(partial_spearman(maps, humans, -maps)).all()
    assert np.isnan(partial_spearman(maps, humans, np.ones(9))).all()
