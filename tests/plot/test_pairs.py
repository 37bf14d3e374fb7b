"""Pictures of pairs show which regions, which sign and how strong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from PIL import Image

from hlx.errors import InputError
from hlx.games.regions import Grid, LabelMap, Regions, region_name
from hlx.plot import Panel, save_figure
from hlx.plot.pairs import MAX_LISTED, Pair, PairPanel, badge_places, centres, pairs_sheet, signed_number

DASH = "\N{EN DASH}"
RED, BLUE = "#b2182b", "#2166ac"
PAIRS = [((0, 5), 0.5), ((1, 2), -0.25), ((3, 4), 0.125)]


def panel(
    regions: Regions | None = None, pairs: list[Pair] | None = None, side: int = 24, **options: object
) -> PairPanel:
    rng = np.random.default_rng(0)
    regions = regions or Grid(2, 3)
    image = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
    given = {"values": rng.normal(size=regions.n_players), "caption": "a red circle", **options}
    drawn = Panel(image=image, hidden=image, regions=regions, **given)  # type: ignore[arg-type]
    return PairPanel(drawn, PAIRS if pairs is None else pairs, "k-SII")


def curves(figure: Figure) -> list[PathPatch]:
    """Strongest first."""
    return [patch for patch in figure.axes[1].patches if isinstance(patch, PathPatch)][::-1]


def texts(figure: Figure) -> list[str]:
    written = [text.get_text() for text in figure.texts]
    for axis in figure.axes:
        written += [text.get_text() for text in axis.texts]
        written += [axis.get_title(), axis.get_xlabel(), axis.get_ylabel()]
    return [text for text in written if text]


def test_curves_join_the_middles_of_their_regions_in_colour_and_width() -> None:
    drawn = panel()
    labels = drawn.panel.regions.labels(24)
    found = curves(pairs_sheet([drawn]))
    assert len(found) == len(PAIRS)
    for curve, ((i, j), value) in zip(found, PAIRS, strict=True):
        start, _, end = curve.get_path().vertices
        assert [labels[int(y), int(x)] for x, y in (start, end)] == [i, j]
        assert to_hex(curve.get_edgecolor()) == (RED if value > 0 else BLUE)
    widths = [curve.get_linewidth() for curve in found]
    assert widths[0] > widths[1] > widths[2] > 0
    assert np.diff(widths)[0] / np.diff(widths)[1] == pytest.approx(2)


def test_the_list_names_cells_and_values() -> None:
    written = texts(pairs_sheet([panel(foil="a dog", title="clip")]))
    minus = "\N{MINUS SIGN}"
    for text in (
        f"(0, 0) {DASH} (1, 2)",
        f"(0, 1) {DASH} (0, 2)",
        "+0.500",
        f"{minus}0.250",
        "+0.125",
        "1",
        "2",
        "3",
    ):
        assert text in written
    assert {"caption: a red circle", "foil: a dog", "clip"} <= set(written)
    assert "k-SII of single regions (logits)" in written


def test_regions_of_a_label_map_carry_their_numbers() -> None:
    figure = pairs_sheet([panel(LabelMap(np.arange(9).reshape(3, 3)), [((7, 2), 1.0)])])
    assert f"7 {DASH} 2" in texts(figure)
    labels = LabelMap(np.arange(9).reshape(3, 3)).labels(24)
    places = {text.get_text(): text.get_position() for text in figure.axes[1].texts if text.get_text() != "1"}
    assert {name: str(labels[int(y), int(x)]) for name, (x, y) in places.items()} == {"2": "2", "7": "7"}


@given(rows=st.integers(1, 7), cols=st.integers(2, 7), data=st.data())
def test_curves_stay_inside_the_image(rows: int, cols: int, data: st.DataObject) -> None:
    from hlx.plot.pairs import _bend

    grid, side = Grid(rows, cols), 24
    i, j = data.draw(st.permutations(range(grid.n_players)))[:2]
    middles = centres(grid, side)
    assert [grid.labels(side)[int(y), int(x)] for x, y in middles] == list(range(grid.n_players))
    bend = _bend(middles[i], middles[j], side)
    at = np.linspace(0, 1, 50)[:, None]
    curve = (1 - at) ** 2 * middles[i] + 2 * at * (1 - at) * bend + at**2 * middles[j]
    assert curve.min() >= 0 and curve.max() <= side


@given(seed=st.integers(0, 1000))
def test_the_centre_of_any_region_lies_in_it(seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 4, (6, 6))
    pixels.flat[:4] = range(4)
    regions = LabelMap(pixels)
    for region, (x, y) in enumerate(centres(regions, 12)):
        assert regions.labels(12)[int(y), int(x)] == region


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000), rows=st.integers(2, 4), scale=st.sampled_from([1e-4, 0.05, 1.0, 30.0]))
def test_the_numbers_of_regions_stay_legible(seed: int, rows: int, scale: float) -> None:
    """All numbers lie above curves and badges; decimal ones, which leave room, are not touched by badges."""
    draw = np.random.default_rng(seed)
    grid = Grid(rows, 4)
    every = [(i, j) for i in range(grid.n_players) for j in range(i)]
    pairs = [(every[k], float(draw.normal())) for k in draw.permutation(len(every))[:10]]
    pairs.sort(key=lambda pair: -abs(pair[1]))
    values = scale * draw.normal(size=grid.n_players)
    figure = pairs_sheet([panel(grid, pairs, 64, values=values)])
    figure.draw_without_rendering()
    axis = figure.axes[1]
    numbers = [text for text in axis.texts if text.get_bbox_patch() is None]
    badges = [text.get_bbox_patch() for text in axis.texts if text.get_bbox_patch() is not None]
    assert len(numbers) == grid.n_players and len(badges) == 10
    for number in numbers:
        assert number.get_zorder() > max(thing.get_zorder() for thing in (*axis.patches, *axis.collections))
        assert number.get_path_effects()
        box = number.get_window_extent()
        for badge in badges if scale > 1e-3 else []:
            ring = badge.get_window_extent()
            middle = np.array([(ring.x0 + ring.x1) / 2, (ring.y0 + ring.y1) / 2])
            nearest = np.clip(middle, (box.x0, box.y0), (box.x1, box.y1))
            assert np.linalg.norm(middle - nearest) > 0.9 * ring.width / 2


def test_badges_take_the_middle_where_nothing_is_in_the_way() -> None:
    curve = (np.array([0.0, 0.0]), np.array([5.0, 4.0]), np.array([10.0, 0.0]))
    nothing, ends = np.empty((0, 4)), np.array([[0.0, 0.0], [10.0, 0.0]])
    np.testing.assert_allclose(badge_places([curve], nothing, ends, 0.5), [[5.0, 2.0]])
    [[x, y]] = badge_places([curve], np.array([[4.5, 1.0, 5.5, 3.0]]), ends, 0.5)
    assert abs(x - 5.0) >= 1.0 - 1e-9 and y == pytest.approx(2 - 2 * ((x - 5) / 5) ** 2)


def test_many_pairs_are_drawn_and_the_first_are_listed() -> None:
    pairs = [((i, j), 1.0 / (1 + i + j)) for i in range(6) for j in range(i)]
    figure = pairs_sheet([panel(pairs=pairs)])
    assert len(curves(figure)) == 15
    assert str(MAX_LISTED) in texts(figure) and str(MAX_LISTED + 1) not in texts(figure)
    assert "and 3 weaker" in texts(figure)


@pytest.mark.parametrize("pairs", [[], [((0, 1), 0.0)]])
@pytest.mark.parametrize("side", [2, 64])
def test_nothing_much_to_draw_is_drawn(tmp_path: Path, pairs: list[Pair], side: int) -> None:
    drawn = panel(Grid(2, 2), pairs, side, values=np.zeros(4))
    save_figure(tmp_path / "a.png", pairs_sheet([drawn, drawn]))
    assert min(Image.open(tmp_path / "a.png").size) > 600


def test_rows_are_stacked_and_the_same_rows_give_the_same_file(tmp_path: Path) -> None:
    rows = [panel(), panel(LabelMap(np.eye(4, dtype=int)), [((1, 0), -1.0)], caption="two")]
    figure = pairs_sheet(rows)
    assert len(figure.axes) == 6
    assert 1 > figure.axes[1].get_position().y0 > figure.axes[4].get_position().y1 > 0
    for name in ("one.png", "two.png"):
        save_figure(tmp_path / name, pairs_sheet(rows))
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


@pytest.mark.parametrize("pair", [((0, 0), 1.0), ((0, 6), 1.0), ((-1, 2), 1.0), ((0, 1), float("nan"))])
def test_pairs_that_are_none_are_refused(pair: Pair) -> None:
    with pytest.raises(InputError, match="expected pairs of 6 regions"):
        panel(pairs=[pair])


def test_no_rows_are_refused() -> None:
    with pytest.raises(InputError, match="no interactions to draw"):
        pairs_sheet([])


def test_names_and_numbers_of_lists() -> None:
    assert region_name(7, Grid(4, 4)) == "(1, 3)"
    assert region_name(7, LabelMap(np.eye(2, dtype=int))) == region_name(7, None) == "7"
    said = [signed_number(value, limit) for value, limit in ((0.5, 0.5), (-0.004, 0.0123), (12.34, 250.0))]
    assert said == ["+0.500", "-0.0040", "+12"]
    assert signed_number(0.0, 0.0) == "+0.00e+00" and signed_number(-0.0001, 5.0) == "+0.00"
