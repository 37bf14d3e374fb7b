"""Pictures show the signs, numbers and words of an explanation; files are written whole or not at all."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from matplotlib.figure import Figure
from PIL import Image

from hlx.errors import InputError, OutputError
from hlx.games.backgrounds import hidden_view
from hlx.games.regions import Grid, LabelMap, Regions
from hlx.io import files
from hlx.plot import (
    Panel,
    contact_sheet,
    overlay_figure,
    region_list,
    save_contact_sheet,
    save_overlay,
    terminal_map,
)

ESCAPES = re.compile(r"\033\[48;5;(\d+);38;5;(\d+)m|\033\[0m")

tables = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=14),
    elements=st.floats(-1e3, 1e3, allow_subnormal=False).map(lambda v: round(v, 4)),
)


def panel(regions: Regions | None = None, side: int = 24, **options: object) -> Panel:
    rng = np.random.default_rng(0)
    regions = regions or Grid(2, 3)
    image = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
    values = rng.normal(size=regions.n_players)
    given = {"values": values, "caption": "a red circle", **options}
    return Panel(image=image, hidden=hidden_view(image, "mean"), regions=regions, **given)  # type: ignore[arg-type]


def texts(figure: Figure) -> list[str]:
    """Everything that is written in a figure, in cells, titles and below."""
    written = [text.get_text() for text in figure.texts]
    for axis in figure.axes:
        written += [text.get_text() for text in axis.texts]
        written += [axis.get_title(), axis.get_xlabel(), axis.get_ylabel()]
    return [text for text in written if text]


def pixels(figure: Figure, panel_number: int) -> np.ndarray:
    return np.asarray(figure.axes[panel_number].images[0].get_array())


def test_the_three_panels_are_image_hidden_view_and_map() -> None:
    drawn = panel(values=np.array([1.0, -1.0]), regions=Grid(1, 2))
    figure = overlay_figure(drawn)
    np.testing.assert_array_equal(pixels(figure, 0), drawn.image)
    np.testing.assert_array_equal(pixels(figure, 1), drawn.hidden)
    overlaid = pixels(figure, 2)
    left, right = overlaid[:, :12], overlaid[:, 12:]
    assert (left[..., 0] > left[..., 2]).all(), "red towards the caption"
    assert (right[..., 2] > right[..., 0]).all(), "blue towards the foil"


def test_the_greys_of_the_image_show_through_the_map() -> None:
    drawn = panel(values=np.array([1.0, -1.0]), regions=Grid(1, 2))
    grey = np.asarray(Image.fromarray(drawn.image).convert("L")).astype(float)
    for half in (np.s_[:, :12], np.s_[:, 12:]):
        shown = pixels(overlay_figure(drawn), 2)[half].sum(axis=-1)
        assert np.corrcoef(shown.ravel(), grey[half].ravel())[0, 1] > 0.99


def test_equal_magnitudes_are_equally_strong_and_zero_is_colourless() -> None:
    image = np.full((30, 30, 3), 255, np.uint8)
    drawn = Panel(image, image, np.array([0.5, -0.5, 0.0, 2.0, -2.0]), Grid(1, 5), "a")
    shown = pixels(overlay_figure(drawn), 2)[0, 3::6]
    chroma = np.ptp(shown, axis=-1)
    assert chroma[2] < 0.02 < chroma[:2].min() < chroma[:2].max() < chroma[3:].min()
    assert np.ptp(chroma[:2]) < 0.1


@pytest.mark.parametrize(("rows", "cols", "numbered"), [(1, 2, 2), (6, 6, 36), (6, 7, 0), (7, 1, 0)])
def test_the_values_of_small_grids_are_printed_in_their_cells(rows: int, cols: int, numbered: int) -> None:
    drawn = panel(Grid(rows, cols), side=25)
    cells = overlay_figure(drawn).axes[2].texts
    assert len(cells) == numbered
    labels = drawn.regions.labels(25)
    for player, text in enumerate(cells):
        x, y = text.get_position()
        assert labels[int(y), int(x)] == player
        assert abs(float(text.get_text().replace("\N{MINUS SIGN}", "-")) - drawn.values[player]) <= 0.005


def test_the_borders_drawn_are_those_between_labels() -> None:
    labels = np.array([[0, 0, 1], [0, 1, 1], [2, 2, 1]])
    figure = overlay_figure(panel(LabelMap(labels), side=3))
    drawn = {tuple(map(tuple, s.astype(int))) for s in figure.axes[2].collections[0].get_segments()}
    upright = {((x + 1, y), (x + 1, y + 1)) for y, x in np.argwhere(labels[:, 1:] != labels[:, :-1])}
    level = {((x, y + 1), (x + 1, y + 1)) for y, x in np.argwhere(labels[1:] != labels[:-1])}
    assert drawn == upright | level
    assert not figure.axes[2].texts, "a label map has no cells to print numbers in"


def test_caption_foil_title_and_unit_are_written() -> None:
    written = texts(overlay_figure(panel(caption="a cat", foil="a dog", title="clip", unit="probability")))
    assert {"caption: a cat", "foil: a dog", "clip", "Shapley values (probability)", "Shapley values"} <= set(
        written
    )
    assert not any("foil" in text for text in texts(overlay_figure(panel())))


def test_other_values_are_not_called_shapley_values() -> None:
    other = panel(kind="losses")
    written = texts(overlay_figure(other))
    assert {"losses", "losses (logits)"} <= set(written) and not any("Shapley" in text for text in written)
    both = texts(contact_sheet([panel(), other]))
    assert {"values", "losses (logits)", "Shapley values (logits)"} <= set(both)
    assert not {"losses", "Shapley values"} & set(both)


@example("", " ")
@settings(max_examples=15)
@given(st.text(max_size=600), st.none() | st.text(max_size=200))
def test_every_caption_can_be_laid_out_in_a_few_lines(caption: str, foil: str | None) -> None:
    figure = overlay_figure(panel(caption=caption, foil=foil, title=foil))
    lines = [text for text in figure.texts if text.get_fontweight() != "bold"]
    assert 1 <= len(lines) <= 8
    assert all(len(line.get_text()) <= 92 for line in lines)
    assert all(0 < line.get_position()[1] < 1 for line in lines)


@pytest.mark.parametrize(
    "caption", ["costs $5 or $x_{ 10", "a\nb\tc\0d", "\N{CJK UNIFIED IDEOGRAPH-732B}", "x" * 900, ""]
)
@pytest.mark.filterwarnings("error")
def test_captions_that_are_hard_to_draw_are_drawn(tmp_path: Path, caption: str) -> None:
    save_overlay(tmp_path / "a.png", panel(caption=caption))
    assert np.asarray(Image.open(tmp_path / "a.png").convert("L")).min() < 100


@pytest.mark.parametrize("side", [2, 5, 64])
@pytest.mark.parametrize("value", [0.0, 1e-12, 1e9])
def test_small_images_and_extreme_values_are_drawn(tmp_path: Path, side: int, value: float) -> None:
    save_overlay(
        tmp_path / "a.png", panel(Grid(2, 2), side=side, values=np.array([value, -value, 0, value / 2]))
    )
    assert Image.open(tmp_path / "a.png").size[0] > 600


def test_a_contact_sheet_has_one_row_per_explanation() -> None:
    drawn = [panel(caption="one"), panel(LabelMap(np.eye(4, dtype=int)), caption="two", foil="three")]
    figure = contact_sheet(drawn)
    assert len(figure.axes) == 8
    assert {"caption: one", "caption: two", "foil: three"} <= set(texts(figure))
    assert figure.get_size_inches()[1] > 1.8 * overlay_figure(drawn[0]).get_size_inches()[1]
    tops = [figure.axes[4 * row].get_position().y1 for row in range(2)]
    bottoms = [figure.axes[4 * row].get_position().y0 for row in range(2)]
    assert 1 > tops[0] > bottoms[0] > tops[1] > bottoms[1] > 0


@pytest.mark.parametrize("kind", ["png", "pdf"])
def test_the_same_explanation_gives_the_same_file(tmp_path: Path, kind: str) -> None:
    for name in ("one", "two"):
        save_overlay(tmp_path / f"{name}.{kind}", panel(title="t"))
    content = (tmp_path / f"one.{kind}").read_bytes()
    assert len(content) > 1000
    assert content == (tmp_path / f"two.{kind}").read_bytes()


def test_a_picture_replaces_the_one_before_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_text("before")
    save_contact_sheet(path, [panel(), panel()])
    assert Image.open(path).format == "PNG"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.png"]


def test_a_full_disk_leaves_the_file_before_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "a.png"
    path.write_text("before")
    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OutputError, match=r"a\.png: cannot be written: No space left"):
        save_overlay(path, panel())
    assert path.read_text() == "before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.png"]


def test_places_that_cannot_be_written_are_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").touch()
    for path in ("folder.png", "missing/a.png", "file/a.png", "a.jpg", "a", "n" * 300 + ".png"):
        with pytest.raises(OutputError) as caught:
            save_overlay(tmp_path / path, panel())
        assert str(tmp_path / path) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert {entry.name for entry in tmp_path.iterdir()} == {"folder.png", "file"}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"values": np.zeros(5)}, "6 values"),
        ({"values": np.array([0, 0, np.nan, 0, np.inf, 0])}, "region 2 is nan"),
    ],
)
def test_a_panel_that_does_not_fit_together_is_refused(options: dict[str, np.ndarray], expected: str) -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(InputError, match=expected):
        Panel(
            **{
                "image": image,
                "hidden": image,
                "values": np.zeros(6),
                "regions": Grid(2, 3),
                "caption": "",
                **options,
            }
        )


def test_a_hidden_view_of_another_size_is_refused() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    # With shapes checked at the call, the annotation refuses it first.
    with pytest.raises((InputError, TypeError)):
        Panel(image, image[:3, :3], np.zeros(6), Grid(2, 3), "")


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(InputError, match="no explanation"):
        contact_sheet([])


@given(tables)
def test_plain_maps_are_aligned_ascii_with_every_sign(values: np.ndarray) -> None:
    drawn = terminal_map(values, colour=False, width=200)
    assert drawn.isascii()
    assert "\033" not in drawn
    lines = drawn.split("\n")[: values.shape[0]]
    assert len({len(line) for line in lines}) == 1
    limit = np.abs(values).max()
    numbers = np.array([[float(text) for text in line.split()] for line in lines])
    assert numbers.shape == values.shape
    if limit >= 1e-3:
        step = 1e-4 if limit < 0.1 else 1e-3 if limit < 1 else 1e-2
        np.testing.assert_allclose(numbers, values, rtol=0, atol=0.51 * step)
    assert not re.search(r"-0\.0+(\s|$)", drawn), "rounded to zero, the sign says nothing"


@given(tables, st.integers(20, 100))
def test_coloured_maps_are_the_plain_ones_on_red_and_blue(values: np.ndarray, width: int) -> None:
    drawn = terminal_map(values, colour=True, width=width)
    limit = np.abs(values).max() or 1.0
    rows = [line for line in drawn.split("\n") if "\033" in line]
    repeat = len(rows) // values.shape[0]
    assert repeat == (3 if values.shape[0] <= 8 else 1)
    for number, row in enumerate(rows):
        grounds = [int(ground) for ground, _ in ESCAPES.findall(row) if ground]
        assert row.endswith("\033[0m")
        assert len(grounds) == values.shape[1]
        for ground, value in zip(grounds, values[number // repeat], strict=True):
            if abs(value) > 0.1 * limit:
                assert ground in (
                    (224, 217, 210, 203, 160, 124) if value > 0 else (189, 153, 111, 69, 26, 19)
                )


@given(tables, st.booleans(), st.integers(10, 200))
def test_a_map_is_no_wider_than_the_terminal(values: np.ndarray, colour: bool, width: int) -> None:
    drawn = ESCAPES.sub("", terminal_map(values, colour, width)).split("\n")
    narrowest = 2 + values.shape[1] * (4 if colour else 3)  # two signs and the space around them
    tall = 3 if colour and values.shape[0] <= 8 else 1
    assert max(map(len, drawn[: values.shape[0] * tall])) <= max(width, narrowest)


def test_a_narrow_map_says_what_its_numbers_are() -> None:
    values = np.linspace(-2.5, 2.5, 36).reshape(6, 6)
    assert "+2.50" in terminal_map(values, colour=False, width=80)
    percent = terminal_map(values, colour=False, width=34)
    assert "+100" in percent and "in percent of 2.5" in percent
    signs = terminal_map(values, colour=False, width=22)
    assert signs.split("\n")[0].split() == ["--"] * 6
    assert "of 2.5" in signs


@pytest.mark.parametrize("values", [np.zeros((0, 3)), np.array([[np.nan]]), np.array([[np.inf, 0]])])
def test_a_map_of_nothing_or_of_no_numbers_is_refused(values: np.ndarray) -> None:
    with pytest.raises(InputError, match="finite"):
        terminal_map(values, colour=False)


@given(hnp.arrays(np.float64, st.integers(2, 30), elements=st.floats(-9, 9)), st.integers(1, 12))
def test_the_largest_regions_are_listed_in_order(values: np.ndarray, count: int) -> None:
    lines = region_list(values, count=count).split("\n")
    listed = [int(line.split()[1]) for line in lines if line.split()[0] == "region"]
    assert len(listed) == min(count, values.size)
    magnitude = np.abs(values)
    assert (np.diff(magnitude[listed]) <= 0).all()
    assert magnitude[listed].min() >= np.delete(magnitude, listed).max(initial=0)
    assert lines[-1].startswith("  and") == (values.size > count)


def test_the_list_gives_value_error_and_share() -> None:
    listed = region_list(np.array([1.0, -3.0]), standard_error=np.array([0.25, 0.5]))
    assert listed.split("\n") == ["  region 1  -3.00 ± 0.5   75%", "  region 0  +1.00 ± 0.25   25%"]


def test_matplotlib_waits_until_something_is_drawn_and_pyplot_for_ever() -> None:
    code = """
import sys, numpy as np, hlx.plot
from hlx.games.regions import Grid
hlx.plot.terminal_map(np.ones((2, 2)), True)
assert "matplotlib" not in sys.modules
image = np.zeros((4, 4, 3), np.uint8)
hlx.plot.overlay_figure(hlx.plot.Panel(image, image, np.ones(4), Grid(2, 2), "a"))
assert "matplotlib.pyplot" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
