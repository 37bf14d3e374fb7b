"""Click masks against the plain equations over the whole canvas, at the cut, far away and in threads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hlx.kernels import click_masks, compiled

RADIUS, GAIN, SIGMA, CAP = 100.0, 100.0, 100.0 * 0.2**0.5, 255.0  # the reference study's, on 400 pixels


def plain_masks(clicks, starts, side, radius, gain, sigma, cap) -> np.ndarray:
    """The equations, over the whole canvas for every click."""
    row, column = np.mgrid[:side, :side].astype(np.float64)
    masks = np.ones((len(starts) - 1, side, side))
    for mask, first, last in zip(masks, starts[:-1], starts[1:], strict=True):
        for x, y in clicks[first:last]:
            squared = (column - x) ** 2 + (row - y) ** 2
            mask += np.where(squared <= np.square(radius), gain * np.exp(-squared / (2 * sigma**2)), 0.0)
    return np.minimum(masks, cap)


@st.composite
def drawings(draw: st.DrawFn) -> tuple:
    """Up to three responses on up to 40 pixels: sub-pixel, half and whole clicks, also off the canvas."""
    side = draw(st.integers(1, 40))
    anywhere = st.floats(-60, 100, allow_subnormal=False)
    coordinate = st.one_of(
        anywhere, st.integers(-60, 100).map(float), st.integers(-80, 120).map(lambda v: v / 2)
    )
    counts = draw(st.lists(st.integers(0, 5), max_size=3))
    clicks = [[draw(coordinate), draw(coordinate)] for _ in range(sum(counts))]
    radius = draw(st.one_of(st.floats(0, 70), st.sampled_from([0.0, 1.0, 2.5, 5.0, 6.5, 13.0, 25.0])))
    gain, sigma = draw(st.floats(-50, 200)), draw(st.floats(0.1, 100))
    cap = draw(st.one_of(st.just(float("inf")), st.floats(0.5, 300)))
    return np.array(clicks).reshape(-1, 2), np.cumsum([0, *counts]), side, radius, gain, sigma, cap


@settings(max_examples=200)
@given(drawing=drawings())
@example(drawing=(np.array([[12.0, 3.0]]), np.array([0, 1]), 1, 10.5, 1.0, 1.0, 9.0))  # just out of reach
def test_agrees_with_the_plain_equations(drawing: tuple) -> None:
    np.testing.assert_allclose(click_masks(*drawing), plain_masks(*drawing), rtol=0, atol=1e-9)


def test_agrees_with_the_plain_equations_on_the_reference_canvas() -> None:
    rng = np.random.default_rng(0)
    clicks = np.concatenate([rng.uniform(-150, 550, (20, 2)), rng.integers(-100, 500, (20, 2))])
    arguments = clicks, np.array([0, 7, 7, 30, 40]), 400, RADIUS, GAIN, SIGMA, CAP
    np.testing.assert_allclose(click_masks(*arguments), plain_masks(*arguments), rtol=0, atol=1e-9)


@pytest.mark.parametrize("click", [(200, 200), (0, 399), (150, -60), (-99, 5)])
def test_pixels_at_exactly_the_radius_are_within(click: tuple[int, int]) -> None:
    """Of 60^2 + 80^2 = 100^2 and its like, all on the canvas are raised by the bump's last step, 8.2."""
    arguments = np.array([click]), np.array([0, 1]), 400, RADIUS, GAIN, SIGMA, CAP
    mask = click_masks(*arguments)[0]
    np.testing.assert_array_equal(mask > 1, plain_masks(*arguments)[0] > 1)
    row, column = np.mgrid[:400, :400]
    border = (column - click[0]) ** 2 + (row - click[1]) ** 2 == 100**2
    assert border.any()
    np.testing.assert_allclose(mask[border], 1 + 100 * np.exp(-2.5), rtol=0, atol=1e-12)


@settings(max_examples=40)
@given(data=st.data(), angle=st.floats(0, 2 * np.pi), radius=st.floats(1, 40))
def test_the_border_falls_where_rounding_puts_it(data: st.DataObject, angle: float, radius: float) -> None:
    """A click whose distance from a pixel is the radius but for the last digits."""
    column, row = data.draw(st.integers(0, 29)), data.draw(st.integers(0, 29))
    click = np.array([[column + radius * np.cos(angle), row + radius * np.sin(angle)]])
    arguments = click, np.array([0, 1]), 30, radius, 1.0, 1e3, 9.0
    np.testing.assert_array_equal(click_masks(*arguments) > 1, plain_masks(*arguments) > 1)


@pytest.mark.parametrize("far", [1e4, 1e17, 1e19, 1e300, np.finfo(np.float64).max])
@pytest.mark.parametrize("radius", [3.0, 1e17, 1e300])
def test_clicks_far_away_and_huge_radii(far: float, radius: float) -> None:
    clicks = np.array([[far, 2.0], [2.0, -far], [-far, far], [far, far], [1.3, 2.0]])
    arguments = clicks, np.array([0, 4, 5]), 6, radius, 10.0, 2.0, 100.0
    with np.errstate(over="ignore"):
        expected = plain_masks(*arguments)
    np.testing.assert_allclose(click_masks(*arguments), expected, rtol=0, atol=1e-9)
    assert expected[1].max() > 10


def test_a_flat_bump_as_far_as_the_largest_radius() -> None:
    """Where the radius decides and the Gaussian does not, clicks at great distances count."""
    clicks = np.array([[1e17, 2.0], [-1e17, 2.0]])
    arguments = clicks, np.array([0, 2]), 50, 1e17, 10.0, 1e150, 100.0
    found = click_masks(*arguments)
    np.testing.assert_array_equal(found, plain_masks(*arguments))
    assert found.min() > 1


@given(drawing=drawings())
def test_clipping_once_is_clipping_after_each_click(drawing: tuple) -> None:
    """As the reference study does, whose clicks only ever add."""
    clicks, _, side, radius, gain, sigma, cap = drawing
    cap = max(cap, 1.0)
    expected = np.ones((side, side))
    for click in clicks:
        added = click_masks(click[None], np.array([0, 1]), side, radius, abs(gain), sigma, np.inf)[0] - 1
        expected = np.minimum(expected + added, cap)
    found = click_masks(clicks, np.array([0, len(clicks)]), side, radius, abs(gain), sigma, cap)[0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_responses_without_clicks_and_no_responses() -> None:
    none, bump = np.empty((0, 2)), (2.0, 1.0, 1.0)
    np.testing.assert_array_equal(click_masks(none, np.zeros(3, int), 4, *bump, 255.0), np.ones((2, 4, 4)))
    np.testing.assert_array_equal(click_masks(none, np.zeros(2, int), 4, *bump, 0.5), np.full((1, 4, 4), 0.5))
    assert click_masks(none, np.zeros(1, int), 4, *bump, 255.0).shape == (0, 4, 4)


def test_does_not_depend_on_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "THREAD_BYTES", 1)
    rng = np.random.default_rng(1)
    starts = np.concatenate([[0], np.sort(rng.integers(0, 200, 20)), [200]])
    arguments = rng.uniform(-20, 70, (200, 2)), starts, 50, 20.0, 30.0, 8.0, 255.0
    alone = click_masks(*arguments, threads=1)
    assert alone.max() > 100
    for threads in (2, 3, None):
        np.testing.assert_array_equal(click_masks(*arguments, threads=threads), alone)


@pytest.mark.parametrize("order", ["C", "F", "reversed", "single", "integers", "read-only"])
def test_any_array_of_clicks(order: str) -> None:
    clicks = np.array([[3, 4], [10, 2], [7, 7]]).astype(float)
    given = {
        "C": clicks,
        "F": np.asfortranarray(clicks),
        "reversed": clicks[::-1].copy()[::-1],
        "single": clicks.astype(np.float32),
        "integers": clicks.astype(np.int16),
        "read-only": clicks.copy(),
    }[order]
    given.flags.writeable = order != "read-only"
    rest = 12, 5.0, 10.0, 3.0, 99.0
    found = click_masks(given, np.array([0, 1, 3], np.int32), *rest)
    np.testing.assert_allclose(found, plain_masks(clicks, [0, 1, 3], *rest), rtol=0, atol=1e-9)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_clicks_that_are_no_points_are_refused(bad: float) -> None:
    clicks = np.array([[1.0, 2.0], [3.0, bad]])
    with pytest.raises(ValueError, match="click 1 "):
        click_masks(clicks, np.array([0, 2]), 8, 2.0, 1.0, 1.0, 9.0)


@pytest.mark.parametrize(
    "clicks", [np.zeros(4), np.zeros((2, 3)), np.zeros((1, 2, 2)), np.array([["1", "2"]] * 2)]
)
def test_other_shapes_and_types_of_clicks_are_refused(clicks: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected clicks \(m, 2\)"):
        click_masks(clicks, np.array([0, 2]), 8, 2.0, 1.0, 1.0, 9.0)


@pytest.mark.parametrize(
    "starts", [[], [0], [0, 1], [0, 3], [1, 2], [0, 2, 1, 2], [0.0, 2.0], [[0, 2]], [-1, 2]]
)
def test_starts_that_do_not_split_the_clicks_are_refused(starts: list) -> None:
    with pytest.raises(ValueError, match="starts"):
        click_masks(np.zeros((2, 2)), np.array(starts), 8, 2.0, 1.0, 1.0, 9.0)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"side": 0}, {"threads": 0}, {"cap": np.nan}, {"sigma": 0.0}, {"sigma": np.inf}, {"sigma": np.nan}),
        *({"radius": -1.0}, {"radius": np.inf}, {"radius": np.nan}, {"gain": np.inf}, {"gain": np.nan}),
    ],
)
def test_no_such_canvas_or_bump(wrong: dict) -> None:
    usual = {"side": 8, "radius": 2.0, "gain": 1.0, "sigma": 1.0, "cap": 9.0}
    with pytest.raises(ValueError, match=next(iter(wrong))):
        click_masks(np.zeros((1, 2)), np.array([0, 1]), **{**usual, **wrong})
