"""Measures of two maps: scipy's, POT's and pysaliency's numbers, and what a measure must satisfy."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import pearsonr

from hlx.alignment.maps import MEASURES, emd, kl_divergence, magnitude, top_k_iou
from hlx.errors import InputError
from hlx.games.regions import Grid

MAP_MEASURES = [measure for measure in MEASURES.values() if not measure.needs_clicks]
names = pytest.mark.parametrize("name", [measure.name for measure in MAP_MEASURES])

grids = st.builds(Grid, st.integers(2, 4), st.integers(2, 4))
masses = st.floats(0.0, 1.0).map(lambda value: round(value, 3))
coarse = st.integers(-3, 3).map(float)  # few different values, so that ties are common


def pairs(elements: st.SearchStrategy[float]) -> st.SearchStrategy[np.ndarray]:
    """Two maps of the same 2 to 9 cells."""
    return st.integers(2, 9).flatmap(lambda n: arrays(np.float64, (2, n), elements=elements))


def of_pair(name: str, first: np.ndarray, second: np.ndarray, grid: Grid | None = None) -> float:
    grid = grid or Grid(1, len(first))
    return float(MEASURES[name](first[None], humans=second[None], grid=grid)[0])


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        yield


@given(pairs(coarse) | pairs(st.floats(-1e3, 1e3).map(lambda value: round(value, 3))))
@example(np.array([[0.1] * 9, [0.7] * 8 + [0.2]]))
@example(np.array([[1e-200, 2e-200, 4e-200], [1e-200, 2e-200, 3e-200]]))
def test_correlation_is_scipy_s_and_cosine_that_of_the_angle(maps: np.ndarray) -> None:
    first, second = maps
    found = of_pair("CC", first, second)
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(pearsonr(first, second).statistic, abs=1e-9)
        np.testing.assert_allclose(
            of_pair("cosine", first - first.mean(), second - second.mean()), found, atol=1e-9
        )


def density(values: np.ndarray) -> np.ndarray:
    """pysaliency's `convert_saliency_map_to_density` where nothing is negative and the sum is not 0."""
    return values / values.sum()


@given(pairs(masses))
def test_measures_of_distributions_are_pysaliency_s(maps: np.ndarray) -> None:
    assume((maps.sum(axis=1) > 0).all())
    model, human = maps
    p, q = density(model), density(human)
    eps = 2.2204e-16
    terms = [q[i] * np.log(eps + q[i] / (p[i] + eps)) for i in range(len(p))]
    assert of_pair("KLDiv", model, human) == pytest.approx(sum(terms), abs=1e-12)
    assert of_pair("SIM", model, human) == pytest.approx(min_sum(p, q), abs=1e-12)
    half = sum((a - b) ** 2 / (a + b) / 2 for a, b in zip(p, q, strict=True) if a + b > 0)
    assert of_pair("chi-squared", model, human) == pytest.approx(half, abs=1e-12)


def min_sum(p: np.ndarray, q: np.ndarray) -> float:
    return float(sum(min(a, b) for a, b in zip(p, q, strict=True)))


def test_divergence_weighs_what_people_looked_at() -> None:
    human, model = np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]])
    assert kl_divergence(model, human)[0] == pytest.approx(np.log(2))
    assert kl_divergence(human, model)[0] == pytest.approx(0.5 * np.log(0.5) + 0.5 * np.log(0.5 / 2.2204e-16))


@given(st.data(), grids)
def test_earth_mover_s_distance_is_pot_s(data: st.DataObject, grid: Grid) -> None:
    maps = data.draw(arrays(np.float64, (2, grid.n_players), elements=masses))
    assume((maps.sum(axis=1) > 0).all())
    assert of_pair("EMD", *maps, grid) == pytest.approx(pot(*maps, grid), abs=1e-9)


@pytest.mark.parametrize("grid", [Grid(4, 4), Grid(3, 7), Grid(10, 10)], ids=str)
def test_earth_mover_s_distance_is_pot_s_on_random_maps(grid: Grid) -> None:
    first, second = np.random.default_rng(2).dirichlet(np.full(grid.n_players, 0.5), (2, 5))
    expected = [pot(p, q, grid) for p, q in zip(first, second, strict=True)]
    np.testing.assert_allclose(emd(first, second, grid), expected, atol=1e-12)


def pot(first: np.ndarray, second: np.ndarray, grid: Grid) -> float:
    emd(np.ones((1, grid.n_players)), np.ones((1, grid.n_players)), grid)  # POT's settings
    import ot

    centres = np.array([(row, col) for row in range(grid.rows) for col in range(grid.cols)], dtype=np.float64)
    return float(ot.emd2(density(first), density(second), ot.dist(centres, centres, metric="euclidean")))


def test_a_move_costs_its_length_in_cells() -> None:
    corners = np.eye(12)[[0, 0, 0]]
    to = np.eye(12)[[1, 4, 11]]
    np.testing.assert_allclose(emd(corners, to, Grid(3, 4)), [1.0, 1.0, np.sqrt(13)])


def test_top_cells_by_hand() -> None:
    maps = np.array([[5.0, 4.0, 3.0, 0.0, 0.0], [5.0, 4.0, 3.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0, 1.0]])
    humans = np.array([[9.0, 0.0, 8.0, 0.0, 0.0], [9.0, 1.0, 1.0, 0.0, 0.0], [2.0, 1.0, 0.0, 0.0, 0.0]])
    # second pair: cells 1 and 2 of the human map share the second place by halves
    expected = [1 / 3, 1.5 / 2.5, 0.8 / 3.2]
    np.testing.assert_allclose(top_k_iou(maps, humans, 2), expected)
    np.testing.assert_array_equal(top_k_iou(maps, humans), top_k_iou(maps, humans, 1))
    np.testing.assert_array_equal(top_k_iou(maps, humans, 5), 1.0)


@given(pairs(coarse), st.integers(1, 9))
def test_top_cells_without_ties_are_sets(maps: np.ndarray, k: int) -> None:
    n = maps.shape[1]
    assume(k <= n)
    first, second = maps + np.linspace(0, 0.5, n)
    tops = [set(np.argsort(values)[-k:].tolist()) for values in (first, second)]
    expected = len(tops[0] & tops[1]) / len(tops[0] | tops[1])
    assert top_k_iou(first[None], second[None], k)[0] == pytest.approx(expected)


def test_a_fifth_of_the_cells_is_rounded() -> None:
    rng = np.random.default_rng(3)
    for n, k in ((2, 1), (7, 1), (8, 2), (16, 3), (49, 10), (196, 39)):
        maps, humans = rng.random((2, 20, n))
        np.testing.assert_array_equal(top_k_iou(maps, humans), top_k_iou(maps, humans, k))


def test_top_cells_that_cannot_be() -> None:
    for k, said in ((0, "k: expected at least 1"), (6, "k = 6 is more than the 5 cells")):
        with pytest.raises(InputError, match=said):
            top_k_iou(np.ones((1, 5)), np.ones((1, 5)), k)


@names
@given(st.data(), grids)
def test_identity_symmetry_and_ranges(name: str, data: st.DataObject, grid: Grid) -> None:
    first, second = data.draw(arrays(np.float64, (2, grid.n_players), elements=masses))
    assume(np.ptp(first) > 1e-6 and np.ptp(second) > 1e-6)
    lowest, highest = {"RC": (-1, 1), "CC": (-1, 1), "EMD": (0, np.inf), "KLDiv": (0, np.inf)}.get(
        name, (0, 1)
    )
    found = of_pair(name, first, second, grid)
    assert lowest - 1e-12 <= found <= highest + 1e-12
    best = of_pair(name, first, first, grid)
    assert best == pytest.approx(highest if MEASURES[name].better == "higher" else 0.0, abs=1e-9)
    if name != "KLDiv":
        assert of_pair(name, second, first, grid) == pytest.approx(found, abs=1e-9)


@names
@given(st.data(), st.floats(0.01, 100.0))
def test_scale_and_the_order_of_cells_play_no_role(name: str, data: st.DataObject, scale: float) -> None:
    maps = data.draw(arrays(np.float64, (2, 9), elements=st.integers(0, 4).map(float)))
    first, second = maps
    assume(first.sum() > 0 and second.sum() > 0)
    found = of_pair(name, first, second, Grid(3, 3))
    np.testing.assert_allclose(of_pair(name, scale * first, second, Grid(3, 3)), found, atol=1e-9)
    # EMD knows where cells lie: transposed, they lie as before
    order = (
        np.arange(9).reshape(3, 3).T.ravel()
        if name == "EMD"
        else np.array(data.draw(st.permutations(range(9))))
    )
    np.testing.assert_allclose(of_pair(name, first[order], second[order], Grid(3, 3)), found, atol=1e-9)


@names
def test_rows_know_nothing_of_each_other(name: str) -> None:
    rng = np.random.default_rng(4)
    maps, humans = rng.random((2, 6, 9))
    together = MEASURES[name](maps, humans=humans, grid=Grid(3, 3))
    apart = [of_pair(name, p, q, Grid(3, 3)) for p, q in zip(maps, humans, strict=True)]
    np.testing.assert_allclose(together, apart, rtol=1e-12)
    assert MEASURES[name](maps[:0], humans=humans[:0], grid=Grid(3, 3)).shape == (0,)


@names
def test_where_measures_are_undefined(name: str) -> None:
    some, zero, flat = np.array([1.0, 2.0, 3.0, 0.0]), np.zeros(4), np.full(4, 0.1)
    signed, nan = np.array([1.0, -2.0, 3.0, 0.0]), np.full(4, np.nan)
    undefined = {
        "zero": name != "top-k IoU",
        "flat": name in ("RC", "CC"),
        "signed": MEASURES[name].needs_mass,
        "nan": True,
    }
    for which, values in {"zero": zero, "flat": flat, "signed": signed, "nan": nan}.items():
        for pair in ((values, some), (some, values)):
            assert np.isnan(of_pair(name, *pair, Grid(2, 2))) == undefined[which], which


def test_magnitudes_by_hand() -> None:
    values = np.array([[3.0, -1.0, 0.0], [-1.0, -3.0, 0.0], [0.0, 0.0, 0.0]])
    nan = [np.nan] * 3
    np.testing.assert_array_equal(magnitude(values), [[0.75, 0.25, 0.0], [0.25, 0.75, 0.0], nan])
    np.testing.assert_array_equal(magnitude(values, "positive"), [[1.0, 0.0, 0.0], nan, nan])
    np.testing.assert_array_equal(magnitude(values, "signed"), values)
    np.testing.assert_array_equal(magnitude(values[0]), [0.75, 0.25, 0.0])
    with pytest.raises(InputError, match="expected one of absolute, positive, signed, found 'squared'"):
        magnitude(values, "squared")


def test_measures_of_clicks_refuse_maps() -> None:
    for name in ("NSS", "AUC", "shuffled AUC"):
        with pytest.raises(InputError, match=f"^measure {name}: needs clicks$"):
            of_pair(name, np.ones(4), np.ones(4))
