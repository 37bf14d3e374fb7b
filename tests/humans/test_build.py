"""From clicks to human maps: the equations, both normalisations, the filters and what they leave out."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlx.errors import InputError
from hlx.games.regions import Grid
from hlx.humans import ClickMask, Response, build_human_maps, summary, summary_text
from hlx.humans.masks import draw_masks, response_maps

SMALL = ClickMask(side=24, radius=6.0, gain=100.0, sigma=0.2**0.5 * 6)
NORMALISATIONS = ("mask - 1", "mask")

places = st.floats(-12, 36)
clicks_of_one = st.lists(st.tuples(places, places), min_size=1, max_size=5).map(np.array)
grids = st.tuples(st.integers(1, 7), st.integers(1, 7)).filter(lambda shape: shape != (1, 1))


def reference_mask(clicks: np.ndarray, mask: ClickMask) -> np.ndarray:
    """The equations as they are written, over the whole canvas."""
    y, x = np.mgrid[: mask.side, : mask.side].astype(np.float64)
    total = np.ones((mask.side, mask.side))
    for cx, cy in clicks:
        squared = (x - cx) ** 2 + (y - cy) ** 2
        total += np.where(squared <= mask.radius**2, mask.gain * np.exp(-squared / (2 * mask.sigma**2)), 0.0)
    return np.minimum(total, mask.cap)


def reference_map(clicks: np.ndarray, grid: Grid, mask: ClickMask) -> np.ndarray:
    drawn = reference_mask(clicks, mask) - (mask.normalisation == "mask - 1")
    drawn = drawn / drawn.sum()
    labels = grid.labels(mask.side)
    return np.array([drawn[labels == player].sum() for player in range(grid.n_players)])


def people(*clicks: np.ndarray, stimulus: str = "s") -> list[Response]:
    return [Response(f"p{i}", stimulus, "caption", points) for i, points in enumerate(clicks)]


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_a_map_small_enough_to_do_by_hand(normalisation: str) -> None:
    """Two pixels a side to a cell; a click that reaches one pixel adds 100 there, 3 clicks reach the cap."""
    mask = ClickMask(side=4, radius=0.5, gain=100.0, sigma=1.0, normalisation=normalisation)
    once, often = np.array([[0.0, 0.0]]), np.array([[3.0, 3.0]] * 3 + [[0.0, 3.0]])
    humans = build_human_maps(people(once, often), Grid(2, 2), mask, min_responses=2)
    if normalisation == "mask - 1":
        first, second = [1.0, 0, 0, 0], [0, 0, 100 / 354, 254 / 354]
    else:
        first, second = [104 / 116, 4 / 116, 4 / 116, 4 / 116], [4 / 370, 4 / 370, 104 / 370, 258 / 370]
    human = humans.maps["s"]
    np.testing.assert_allclose(human.rater_values, [first, second], rtol=1e-14)
    np.testing.assert_allclose(human.values, np.mean([first, second], axis=0), rtol=1e-14)
    assert human.raters == ("p0", "p1")


def test_the_studys_click_is_a_hundred_at_its_centre_and_eight_at_its_rim() -> None:
    drawn = draw_masks([np.array([[200.0, 100.0]])], ClickMask())[0]
    assert drawn[100, 200] == 101 and drawn[100, 300] == pytest.approx(1 + 100 * np.exp(-2.5))
    assert drawn[100, 301] == drawn[0, 0] == 1


@given(st.lists(clicks_of_one, min_size=1, max_size=4), grids, st.sampled_from(NORMALISATIONS))
def test_maps_are_the_equations(clicks: list[np.ndarray], shape: tuple[int, int], normalisation: str) -> None:
    """Also of grids that do not divide the canvas, and of clicks off it."""
    grid, mask = Grid(*shape), replace(SMALL, normalisation=normalisation)
    values, in_reach = response_maps(clicks, grid, mask)
    for points, row, reaches in zip(clicks, values, in_reach, strict=True):
        assert reaches == (reference_mask(points, mask) > 1).any()
        if reaches:
            np.testing.assert_allclose(row, reference_map(points, grid, mask), rtol=1e-9, atol=1e-12)
            assert row.sum() == pytest.approx(1, abs=1e-12) and (row >= 0).all()
        else:
            assert not row.any()


@given(clicks_of_one, st.sampled_from(NORMALISATIONS), st.sampled_from([(2, 2), (4, 2), (6, 3)]))
def test_a_coarser_grid_is_the_sum_of_a_finer_ones_cells(
    points: np.ndarray, normalisation: str, coarse: tuple[int, int]
) -> None:
    mask = replace(SMALL, normalisation=normalisation)
    rows, cols = coarse
    fine, _ = response_maps([points], Grid(12, 12), mask)
    expected, _ = response_maps([points], Grid(rows, cols), mask)
    summed = fine.reshape(rows, 12 // rows, cols, 12 // cols).sum(axis=(1, 3))
    np.testing.assert_allclose(summed.ravel(), expected[0], atol=1e-13)


@given(clicks_of_one, clicks_of_one)
def test_masks_add_up_to_the_cap(one: np.ndarray, other: np.ndarray) -> None:
    both = draw_masks([np.concatenate([one, other])], SMALL)[0]
    first, second = draw_masks([one, other], SMALL)
    free_first, free_second = draw_masks([one, other], replace(SMALL, cap=1e9))
    np.testing.assert_allclose(both, np.minimum(free_first + free_second - 1, SMALL.cap), rtol=1e-12)
    assert (both >= np.maximum(first, second) - 1e-9).all() and both.max() <= SMALL.cap


@given(st.permutations(range(6)), st.sampled_from(NORMALISATIONS))
def test_the_order_of_responses_does_not_matter(order: list[int], normalisation: str) -> None:
    rng = np.random.default_rng(3)
    responses = people(*(rng.uniform(0, 23, (3, 2)) for _ in range(6)))
    mask = replace(SMALL, normalisation=normalisation)
    human = build_human_maps(responses, Grid(3, 3), mask).maps["s"]
    other = build_human_maps([responses[i] for i in order], Grid(3, 3), mask).maps["s"]
    np.testing.assert_allclose(other.values, human.values, rtol=1e-13)
    assert other.raters == tuple(f"p{i}" for i in order)
    assert human.rater_values is not None and other.rater_values is not None
    np.testing.assert_allclose(other.rater_values, human.rater_values[order], rtol=1e-13)


def test_many_responses_are_drawn_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    from hlx.humans import masks

    clicks = list(np.random.default_rng(0).uniform(0, 23, (7, 2, 2)))
    whole, _ = response_maps(clicks, Grid(4, 4), SMALL)
    drawn = []

    def counted(part: list[np.ndarray], mask: ClickMask) -> np.ndarray:
        drawn.append(len(part))
        return draw_masks(part, mask)

    monkeypatch.setattr(masks, "draw_masks", counted)
    monkeypatch.setattr(masks, "CHUNK_BYTES", 2 * 8 * SMALL.side**2)
    parts, _ = response_maps(clicks, Grid(4, 4), SMALL)
    np.testing.assert_array_equal(parts, whole)
    assert drawn == [2, 2, 2, 1]


def test_every_filter_is_counted_in_its_order() -> None:
    middle, far = np.array([[12.0, 12.0]]), np.array([[500.0, 12.0]])

    def response(participant: str, stimulus: str, **changes: object) -> Response:
        return replace(Response(participant, stimulus, "caption", middle), **changes)

    responses = [
        *(response(f"p{i}", "kept") for i in range(3)),
        response("p3", "kept", problem_reported=True, answer="foil"),
        response("p4", "kept", answered_without_deblurring=True),
        response("p5", "kept", clicks=np.empty((0, 2)), answer="undecided"),
        response("p6", "kept", answer="foil"),
        response("p7", "kept", answer="undecided"),
        response("p8", "kept", clicks=far),
        *(response(f"p{i}", "few") for i in range(2)),
        response("p0", "none", answer="foil"),
    ]
    with pytest.warns(UserWarning) as caught:
        humans = build_human_maps(responses, Grid(2, 2), SMALL)
    assert [(step.name, step.responses, step.stimuli) for step in humans.steps] == [
        ("all responses", 12, 3),
        ("no problem reported", 11, 3),
        ("deblurred before answering", 9, 3),
        ("caption chosen", 6, 2),
        ("a click in reach of the canvas", 5, 2),
        ("stimuli with at least 3 of these", 3, 1),
    ]
    assert dict(humans.dropped) == {"few": 2, "none": 0} and list(humans.maps) == ["kept"]
    assert humans.maps["kept"].raters == ("p0", "p1", "p2")
    messages = [str(warning.message) for warning in caught]
    assert messages[0].startswith("1 click lies off the canvas of 24 x 24 (the first: participant 'p8', stim")
    assert messages[1].startswith("1 response does not count, because no click is in reach of the canvas")
    fallen = [step["responses_fallen"] for step in summary(humans)["steps"]]
    assert fallen == [0, 1, 2, 3, 1, 2]
    text = summary_text(humans)
    assert re.search(r"^caption chosen +6 +3 +2 +1$", text, re.M)
    assert text.endswith("few  2\n  none  0\n1 human map on a 2x2 grid, of 3 participants")


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_a_response_that_reaches_nothing_leaves_no_nan(normalisation: str) -> None:
    mask = replace(SMALL, normalisation=normalisation)
    near, far = np.array([[3.0, 3.0]]), np.array([[1e300, -1e300]])
    with pytest.warns(UserWarning, match="off the canvas"), pytest.warns(UserWarning, match="not count"):
        humans = build_human_maps(people(near, far, near), Grid(2, 2), mask, min_responses=2)
    assert humans.maps["s"].raters == ("p0", "p2") and np.isfinite(humans.maps["s"].values).all()


def test_clicks_off_the_canvas_count_for_what_reaches_it() -> None:
    rim = np.array([[-0.5, 23.49]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        build_human_maps(people(rim), Grid(2, 2), SMALL, min_responses=1)
    off = np.array([[-3.0, 4.0], [5.0, 5.0], [4.0, 23.5]])
    with pytest.warns(UserWarning, match=r"^2 clicks lie off .* \[-3\.0, 4\.0\]\)") as caught:
        humans = build_human_maps(people(off), Grid(2, 2), SMALL, min_responses=1)
    assert len(caught) == 1
    np.testing.assert_allclose(humans.maps["s"].values, reference_map(off, Grid(2, 2), SMALL), rtol=1e-9)


def test_raters_clicks_and_marks_are_kept() -> None:
    one, other = np.array([[3.0, 3.25]]), np.array([[8.0, 9.5], [1.0, 2.0]])
    responses = [*people(one, other), *people(other, stimulus="t")]
    humans = build_human_maps(responses, Grid(2, 2), SMALL, min_responses=1)
    assert [clicks.tolist() for clicks in humans.maps["s"].clicks or ()] == [one.tolist(), other.tolist()]
    assert list(humans.maps) == ["s", "t"] and humans.mask == SMALL and not humans.simulated
    assert build_human_maps(responses, Grid(2, 2), SMALL, min_responses=1, simulated=True).simulated
    responses[2] = replace(responses[2], simulated=True)
    marked = build_human_maps(responses, Grid(2, 2), SMALL, min_responses=1)
    assert marked.simulated and "simulated" in summary_text(marked)


def test_builds_that_cannot_be() -> None:
    click = np.array([[3.0, 3.0]])
    with pytest.raises(InputError, match="no stimulus has 3 responses that count: all responses 2, no probl"):
        build_human_maps(people(click, click), Grid(2, 2), SMALL)
    with pytest.raises(InputError, match="responds to stimulus 's' a second time"):
        build_human_maps(people(click) * 2, Grid(2, 2), SMALL, min_responses=1)
    with pytest.raises(InputError, match="canvas 24: the grid 25x2 has more rows or columns than pixels"):
        build_human_maps(people(click), Grid(25, 2), SMALL, min_responses=1)
    with pytest.raises(InputError, match="min_responses: expected at least 1, found 0"):
        build_human_maps(people(click), Grid(2, 2), SMALL, min_responses=0)
    with pytest.raises(InputError, match="no stimulus has 3 responses that count: all responses 0"):
        build_human_maps([], Grid(2, 2), SMALL)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("side", 0, "side: expected at least 1, found 0"),
        ("side", 4097, "side: expected at most 4096 pixels, found 4097"),
        ("radius", 0.0, "radius: expected a finite number above 0, found 0.0"),
        ("radius", float("inf"), "radius: expected a finite number above 0, found inf"),
        ("gain", -1.0, "gain: expected a finite number above 0"),
        ("sigma", float("nan"), "sigma: expected a finite number above 0, found nan"),
        ("cap", 1.0, "cap: expected a finite number above 1, found 1.0"),
    ],
)
def test_masks_that_cannot_be(name: str, value: object, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        replace(SMALL, **{name: value})


@settings(max_examples=20)
@given(st.floats(1e-300, 1e300), st.floats(1e-300, 1e300), st.floats(1e-300, 1e300))
def test_odd_masks_leave_no_nan(radius: float, gain: float, sigma: float) -> None:
    mask = ClickMask(side=8, radius=radius, gain=gain, sigma=sigma)
    values, in_reach = response_maps([np.array([[2.3, 4.5], [3.0, 3.0]])], Grid(2, 2), mask)
    assert np.isfinite(values).all()
    assert values.sum() == pytest.approx(1.0 if in_reach[0] else 0.0)
