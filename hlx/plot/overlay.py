"""Pictures of explanations: image | what hidden regions show | signed map over the greyed image.

matplotlib is used through its objects alone (no pyplot): nothing global is changed, no display is needed, and
figures may be made in several threads.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int, Shaped, UInt8

from hlx.errors import InputError
from hlx.games.regions import Grid, Regions

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.colors
    import matplotlib.figure

COLOURS = "RdBu_r"
"""matplotlib's diverging map: red towards the caption, blue towards the foil, white at zero."""

_DARKEST = 0.1  # of either end of the map is left out: image and numbers would drown there

MAX_NUMBERED = 6
"""Grids of up to so many rows and columns have their values printed in the cells."""

_SHADE = 0.3  # how much the image's darkest grey darkens the map's colours
_PANEL = 2.45  # inches
_INK = "#222222"
_FAINT = "#666666"
_RED, _BLUE = "#b2182b", "#2166ac"  # the ends of the map, for the texts they stand for


@dataclass(frozen=True)
class Panel:
    """One explanation, ready to be drawn.

    Parameters
    ----------
    image, hidden
        (side, side, 3) uint8. The square the model sees, and the same with every region hidden.
    values
        (n,) float. Signed.
    regions
        The n players.
    caption
        Str
    foil
        Str, optional
    title
        Printed above the panels, such as the model's name.
    unit
        Of the values.
    kind
        What the values are.

    Raises
    ------
    InputError
        Image and hidden view differ in shape, or values are not finite or not one per region.
    """

    image: UInt8[np.ndarray, "side side 3"]
    hidden: UInt8[np.ndarray, "side side 3"]
    values: Float[np.ndarray, " n"]
    regions: Regions
    caption: str
    foil: str | None = None
    title: str | None = None
    unit: str = "logits"
    kind: str = "Shapley values"

    def __post_init__(self) -> None:
        if self.image.shape != self.hidden.shape or self.image.shape[0] != self.image.shape[1]:
            raise InputError(
                f"plot: image and hidden view must be square and alike, found {self.image.shape} "
                f"and {self.hidden.shape}"
            )
        if self.values.shape != (self.regions.n_players,):
            raise InputError(
                f"plot: expected {self.regions.n_players} values, one per region, found {self.values.shape}"
            )
        if not np.isfinite(self.values).all():
            worst = int(np.argmin(np.isfinite(self.values)))
            raise InputError(f"plot: the value of region {worst} is {self.values[worst]}, expected a number")


def overlay_figure(panel: Panel) -> "matplotlib.figure.Figure":
    """Image | what hidden regions show | signed map over the greyed image, with caption and foil below."""
    return contact_sheet([panel])


def contact_sheet(panels: Sequence[Panel]) -> "matplotlib.figure.Figure":
    """Several explanations, one per row, each with its own symmetric colour scale.

    Raises
    ------
    InputError
        There is nothing to draw.
    """
    if not panels:
        raise InputError("plot: no explanation to draw")
    from matplotlib.figure import Figure

    texts = [panel_text(panel) for panel in panels]
    titles = [wrapped(panel.title or "", 76, most=1) for panel in panels]
    heads = [0.26 * len(lines) for lines in titles]
    feet = [captions_height(lines) for lines in texts]
    top, gap, left, bar = 0.34, 0.10, 0.12, 0.94
    width = left + 3 * _PANEL + 2 * gap + bar
    height = top + sum(heads) + sum(feet) + _PANEL * len(panels)
    figure = Figure(figsize=(width, height), dpi=150, facecolor="white")

    y = height - top
    for row, (panel, lines, head, foot) in enumerate(zip(panels, texts, heads, feet, strict=True)):
        for title in titles[row]:
            above = y if row else y + top - 0.12  # the first row's column names lie below its title
            write_text(figure, left, above, title, size=10.5, weight="bold", va="top")
        y -= head + _PANEL
        boxes = [(left + k * (_PANEL + gap), y, _PANEL, _PANEL) for k in range(3)]
        axes = [figure.add_axes(fraction(box, width, height)) for box in boxes]
        bar_box = (left + 3 * _PANEL + 2 * gap + 0.1, y, 0.11, _PANEL)
        _draw_row(figure, axes, fraction(bar_box, width, height), panel)
        if row == 0:
            kinds = {one.kind for one in panels}  # the colour bars tell several apart
            names = ("image", "hidden regions show", kinds.pop() if len(kinds) == 1 else "values")
            for axis, name in zip(axes, names, strict=True):
                axis.set_title(name, fontsize=9, color=_FAINT, pad=4)
        write_captions(figure, left, y, lines)
        y -= foot
    return figure


def panel_text(panel: Panel) -> list[tuple[str, str]]:
    """Caption and foil in lines that fit below a panel, each with its colour."""
    written = [(_RED, f"caption: {panel.caption}")]
    if panel.foil is not None:
        written.append((_BLUE, f"foil: {panel.foil}"))
    return [(colour, line) for colour, text in written for line in wrapped(text)]


def wrapped(text: str, columns: int = 92, most: int = 4) -> list[str]:
    """A text in lines of so many columns, at most `most` of them; what is cut off ends in an ellipsis."""
    lines = textwrap.wrap(" ".join(text.split()), columns, subsequent_indent="    ")
    return [*lines[: most - 1], lines[most - 1][: columns - 1] + "…"] if len(lines) > most else lines


def captions_height(lines: Sequence[tuple[str, str]]) -> float:
    """Inches that `write_captions` takes, with the space around them."""
    return 0.14 + 0.185 * len(lines) + 0.16


def write_captions(
    figure: "matplotlib.figure.Figure", x: float, y: float, lines: Sequence[tuple[str, str]]
) -> None:
    """The lines of `panel_text`, below y; in inches from the lower left corner of the figure."""
    for k, (colour, text) in enumerate(lines):
        write_text(figure, x, y - 0.12 - 0.185 * k, text, size=9.5, color=colour, va="top")


def write_text(figure: "matplotlib.figure.Figure", x: float, y: float, text: str, **style: Any) -> None:
    """One line of plain text at (x, y), in inches from the lower left corner of the figure."""
    width, height = figure.get_size_inches()
    size = style.pop("size")
    style.setdefault("color", _INK)
    # Captions are plain text: a pair of dollar signs is no formula.
    figure.text(x / width, y / height, text, fontsize=size, parse_math=False, **style)


def fraction(box: tuple[float, float, float, float], width: float, height: float) -> Any:
    """A box (x, y, width, height) in inches as parts of a figure of this width and height."""
    x, y, w, h = box
    return (x / width, y / height, w / width, h / height)


def diverging_colours(left_out: float = _DARKEST) -> "matplotlib.colors.Colormap":
    """The diverging map for values scaled to 0 ... 1, so much of either of its dark ends left out."""
    import matplotlib
    from matplotlib.colors import ListedColormap

    return ListedColormap(matplotlib.colormaps[COLOURS](np.linspace(left_out, 1 - left_out, 256)))


def _draw_row(
    figure: "matplotlib.figure.Figure", axes: Sequence["matplotlib.axes.Axes"], bar: Any, panel: Panel
) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    side = panel.image.shape[0]
    limit = float(np.abs(panel.values).max()) or 1.0
    scale = ScalarMappable(Normalize(-limit, limit), diverging_colours())
    labels = panel.regions.labels(side)
    for axis, shown in zip(axes, (panel.image, panel.hidden, overlaid(panel, labels, scale)), strict=True):
        show_square(axis, shown)
    draw_borders(axes[2], labels)
    regions = panel.regions
    if isinstance(regions, Grid) and max(regions.rows, regions.cols) <= MAX_NUMBERED:
        _draw_numbers(axes[2], panel.values, regions, side, limit)
    draw_colour_bar(figure, bar, scale, f"{panel.kind} ({panel.unit})", panel.foil is not None)


def show_square(axis: "matplotlib.axes.Axes", pixels: Shaped[np.ndarray, "side side 3"]) -> None:
    """A square picture in a thin frame, without ticks; data coordinates are pixels from the top left."""
    side = len(pixels)
    axis.imshow(pixels, interpolation="nearest", extent=(0, side, side, 0))
    axis.set(xticks=[], yticks=[])
    for spine in axis.spines.values():
        spine.set(linewidth=0.6, color=_FAINT)


def draw_colour_bar(
    figure: "matplotlib.figure.Figure", box: Any, scale: Any, label: str, with_foil: bool
) -> None:
    """The colour bar of a map, at a box from `fraction`; its ends are named by the texts they favour."""
    colour_bar = figure.colorbar(scale, cax=figure.add_axes(box))
    colour_bar.outline.set_linewidth(0.6)
    colour_bar.ax.tick_params(labelsize=7.5, width=0.6, length=2.5, colors=_INK)
    colour_bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:z.3g}".replace("-", "\N{MINUS SIGN}"))
    colour_bar.set_label(label, fontsize=8.5, color=_INK)
    colour_bar.ax.set_title("caption", fontsize=7.5, color=_RED, pad=4)
    if with_foil:
        colour_bar.ax.set_xlabel("foil", fontsize=7.5, color=_BLUE, labelpad=3)


def overlaid(
    panel: Panel, labels: Int[np.ndarray, "side side"], scale: Any
) -> Float[np.ndarray, "side side 3"]:
    """The map's colours darkened by the image's greys; the brightest pixels show the colour bar's colours."""
    grey = panel.image @ np.array([0.299, 0.587, 0.114])  # ITU-R BT.601 luma
    contrast = max(float(np.ptp(grey)), 1.0)
    shade = (grey - grey.min()) / contrast if contrast > 1 else np.ones_like(grey)
    colours = scale.to_rgba(panel.values)[:, :3]
    return colours[labels] * (1 - _SHADE + _SHADE * shade[..., None])


def draw_borders(axis: "matplotlib.axes.Axes", labels: Int[np.ndarray, "side side"]) -> None:
    """White lines between regions, in data coordinates of pixels."""
    from matplotlib.collections import LineCollection

    # A segment lies between two pixels whose labels differ.
    y, x = np.nonzero(labels[:, 1:] != labels[:, :-1])
    upright = np.stack([np.stack([x + 1, y], -1), np.stack([x + 1, y + 1], -1)], 1)
    y, x = np.nonzero(labels[1:] != labels[:-1])
    level = np.stack([np.stack([x, y + 1], -1), np.stack([x + 1, y + 1], -1)], 1)
    segments = list(np.concatenate([upright, level]).astype(float))
    axis.add_collection(LineCollection(segments, colors="white", linewidths=0.8, capstyle="projecting"))


def _draw_numbers(
    axis: "matplotlib.axes.Axes", values: Float[np.ndarray, " n"], grid: Grid, side: int, limit: float
) -> None:
    from matplotlib.patheffects import withStroke

    # The middle of each cell as Grid.labels cuts them, which is not always side / rows.
    top = np.ceil(np.arange(grid.rows + 1) * side / grid.rows)
    left = np.ceil(np.arange(grid.cols + 1) * side / grid.cols)
    size = 9.5 - 0.7 * max(0, max(grid.rows, grid.cols) - 3)
    for player, value in enumerate(values):
        row, col = divmod(player, grid.cols)
        dark = abs(value) > 0.6 * limit
        text = axis.text(
            (left[col] + left[col + 1]) / 2,
            (top[row] + top[row + 1]) / 2,
            value_text(value, limit),
            ha="center",
            va="center",
            fontsize=size,
            color="white" if dark else _INK,
        )
        if not dark:
            text.set_path_effects([withStroke(linewidth=1.6, foreground="white", alpha=0.6)])


def value_text(value: float, limit: float) -> str:
    """A value as it stands in a cell, in digits that suit `limit`, the largest magnitude of the map."""
    if limit < 1e-3:
        return f"{value:+z.0e}".replace("-", "\N{MINUS SIGN}")
    decimals = 3 if limit < 0.1 else 2 if limit < 10 else 1 if limit < 100 else 0
    return f"{value:+z.{decimals}f}".replace("-", "\N{MINUS SIGN}")
