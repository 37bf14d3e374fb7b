"""Pictures of interactions: image | the single regions' values with the strongest pairs as curves over them.

As in :mod:`hlx.plot.overlay`, matplotlib is used through its objects alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64, Int

from hlx.errors import InputError
from hlx.games.regions import Grid, Regions, region_name
from hlx.plot.overlay import (
    MAX_NUMBERED,
    Panel,
    captions_height,
    diverging_colours,
    draw_borders,
    draw_colour_bar,
    fraction,
    overlaid,
    panel_text,
    show_square,
    value_text,
    wrapped,
    write_captions,
    write_text,
)

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.colors
    import matplotlib.figure


Point = Float64[np.ndarray, "2"]
Curve = tuple[Point, Point, Point]
"""Start, control point and end of a quadratic Bezier curve."""

_ALONG = np.linspace(0.15, 0.85, 71)
_HIDING, _OVERLAP, _CROSSING = 10_000.0, 100.0, 1.0
"""What a radius over a text, over dots and badges, or over another curve costs in lengths of the curve."""


def badge_places(
    curves: Sequence[Curve],
    boxes: Float64[np.ndarray, "b 4"],
    dots: Float64[np.ndarray, "d 2"],
    radius: float,
) -> Float64[np.ndarray, "c 2"]:
    """A point on every curve for a badge of this radius: near its middle, where nothing lies in the way.

    Parameters
    ----------
    curves
        The first ones choose first.
    boxes
        (left, top, right, bottom) of texts, which badges stay off.
    dots
        The ends of curves.
    """
    drawn = [_points(curve, np.linspace(0, 1, 61)) for curve in curves]
    places = np.empty((len(curves), 2))
    for k, curve in enumerate(curves):
        at = _points(curve, _ALONG)
        inwards = np.clip(at[:, None], boxes[None, :, :2], boxes[None, :, 2:])
        hiding = _missing(at[:, None] - inwards, radius).sum(axis=1)
        overlap = _missing(at[:, None] - dots[None], 1.4 * radius).sum(axis=1)
        overlap += _missing(at[:, None] - places[None, :k], 2 * radius).sum(axis=1)
        crossing = np.zeros(len(at))
        for other in (*drawn[:k], *drawn[k + 1 :]):
            crossing += _missing(at[:, None] - other[None], radius).max(axis=1)
        cost = _HIDING * hiding + _OVERLAP * overlap + _CROSSING * crossing + np.abs(_ALONG - 0.5)
        places[k] = at[int(np.argmin(cost))]
    return places


def _points(curve: Curve, along: Float64[np.ndarray, " t"]) -> Float64[np.ndarray, "t 2"]:
    start, bend, end = curve
    t = along[:, None]
    return (1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * end


def _missing(way: Float64[np.ndarray, "t k 2"], wanted: float) -> Float64[np.ndarray, "t k"]:
    """How much of a wanted distance is missing, in units of it."""
    return np.maximum(0.0, 1 - np.linalg.norm(way, axis=2) / wanted)


Pair = tuple[tuple[int, int], float]

MAX_LISTED = 12
"""So many pairs are numbered and listed beside the map; the others are drawn alone."""

_RED, _BLUE, _INK, _FAINT = "#b2182b", "#2166ac", "#222222", "#666666"
_PANEL = 3.1  # inches
_PALEST = 0.27  # of either end of the colours is left to the curves, which would drown in the map otherwise
_WIDTHS = (1.0, 5.0)  # points, of no interaction and of the strongest
_NUMBER = 6.5  # points, the letters of corner numbers
_BADGE = 5.4  # points, the radius of a badge


@dataclass(frozen=True)
class PairPanel:
    """The interactions of one image, ready to be drawn.

    Parameters
    ----------
    panel
        Panel Its `values` are those of the single regions.
    pairs
        Sequence of ((i, j), value) Strongest first, as `InteractionValues.strongest` gives them.
    index
        What the values are, such as k-SII.

    Raises
    ------
    InputError
        A pair is not of two different regions, or its value is not finite.
    """

    panel: Panel
    pairs: Sequence[Pair]
    index: str

    def __post_init__(self) -> None:
        n = self.panel.regions.n_players
        for (i, j), value in self.pairs:
            if i == j or not (0 <= i < n and 0 <= j < n) or not np.isfinite(value):
                raise InputError(f"plot: expected pairs of {n} regions and numbers, found {(i, j)}: {value}")


def signed_number(value: float, limit: float) -> str:
    """A value as it is listed: three digits of the largest magnitude in the list, `limit`."""
    if not 1e-4 <= limit < 1e5:
        return f"{value:+z.2e}"
    return f"{value:+z.{max(0, 2 - math.floor(math.log10(limit)))}f}"


def pairs_sheet(panels: Sequence[PairPanel]) -> matplotlib.figure.Figure:
    """Several images' interactions, one per row, each with scales of its own.

    Raises
    ------
    InputError
        There is nothing to draw.
    """
    if not panels:
        raise InputError("plot: no interactions to draw")
    from matplotlib.figure import Figure

    texts = [panel_text(one.panel) for one in panels]
    titles = [wrapped(one.panel.title or "", 80, most=1) for one in panels]
    heads = [0.3 + 0.22 * len(lines) for lines in titles]
    feet = [captions_height(lines) for lines in texts]
    left, gap, bar, listed = 0.12, 0.10, 0.98, 2.2
    width = left + 2 * _PANEL + gap + bar + listed
    height = sum(heads) + sum(feet) + _PANEL * len(panels)
    figure = Figure(figsize=(width, height), dpi=150, facecolor="white")
    y = height
    for one, lines, title, head, foot in zip(panels, texts, titles, heads, feet, strict=True):
        for text in title:
            write_text(figure, left, y - 0.08, text, size=10.5, weight="bold", va="top")
        y -= head + _PANEL
        boxes = [(left + k * (_PANEL + gap), y, _PANEL, _PANEL) for k in range(2)]
        axes = [figure.add_axes(fraction(box, width, height)) for box in boxes]
        right = left + 2 * _PANEL + gap
        _draw_row(figure, axes, fraction((right + 0.1, y, 0.11, _PANEL), width, height), one)
        _write_list(figure, right + bar, y + _PANEL, one)
        write_captions(figure, left, y, lines)
        y -= foot
    return figure


def centres(regions: Regions, side: int) -> Float64[np.ndarray, "n 2"]:
    """For every region the (x, y) of the middle of its pixel that is nearest to their mean."""
    labels = regions.labels(side)
    found = np.empty((regions.n_players, 2))
    for region in range(regions.n_players):
        points = np.argwhere(labels == region)[:, ::-1]
        mean = points.mean(axis=0)
        found[region] = points[((points - mean) ** 2).sum(axis=1).argmin()] + 0.5
        if isinstance(regions, Grid):  # a rectangle's mean is its middle
            found[region] = mean + 0.5
    return found


def _draw_row(
    figure: matplotlib.figure.Figure, axes: Sequence[matplotlib.axes.Axes], bar: Any, one: PairPanel
) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    panel, side = one.panel, one.panel.image.shape[0]
    limit = float(np.abs(panel.values).max()) or 1.0
    scale = ScalarMappable(Normalize(-limit, limit), diverging_colours(_PALEST))
    labels = panel.regions.labels(side)
    names = ("image", f"{one.index} of regions (colour) and of pairs (curves)")
    for axis, name, shown in zip(axes, names, (panel.image, overlaid(panel, labels, scale)), strict=True):
        show_square(axis, shown)
        axis.set_title(name, fontsize=9, color=_FAINT, pad=4)
    draw_borders(axes[1], labels)
    corners = _draw_corner_numbers(axes[1], panel, labels, limit)
    _draw_pairs(axes[1], one.pairs, panel.regions, side, corners)
    label = f"{one.index} of single regions ({panel.unit})"
    draw_colour_bar(figure, bar, scale, label, panel.foil is not None)


def _draw_corner_numbers(
    axis: matplotlib.axes.Axes, panel: Panel, labels: Int[np.ndarray, "side side"], limit: float
) -> Float64[np.ndarray, "numbers 4"]:
    """The values of small grids, in the upper left corners: the middles are where curves end.

    Returns the (left, top, right, bottom) that each takes at most.
    """
    from matplotlib.patheffects import withStroke

    regions = panel.regions
    if not isinstance(regions, Grid) or max(regions.rows, regions.cols) > MAX_NUMBERED:
        return np.empty((0, 4))
    side = len(labels)
    letter = _NUMBER * _point(side)
    boxes = []
    for player, value in enumerate(panel.values):
        top, left = np.argwhere(labels == player)[0] + (0.014 * side, 0.012 * side)
        text = value_text(float(value), limit)
        # Above the curves: a sign that one covers would turn the value round.
        number = axis.text(left, top, text, ha="left", va="top", fontsize=_NUMBER, color=_INK, zorder=6)
        number.set_path_effects([withStroke(linewidth=2.2, foreground="white")])
        boxes.append((left, top, left + 0.66 * letter * len(text), top + 1.1 * letter))
    return np.array(boxes)


def _point(side: int) -> float:
    """A typographic point, in pixels of the image."""
    return side / (72 * _PANEL)


def _draw_pairs(
    axis: matplotlib.axes.Axes,
    pairs: Sequence[Pair],
    regions: Regions,
    side: int,
    corners: Float64[np.ndarray, "numbers 4"],
) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path
    from matplotlib.patheffects import Normal, Stroke

    middles = centres(regions, side)
    strongest = max((abs(value) for _, value in pairs), default=0.0) or 1.0
    ends = sorted({region for pair, _ in pairs for region in pair})
    curves = [(middles[i], _bend(middles[i], middles[j], side), middles[j]) for (i, j), _ in pairs]
    badges = badge_places(curves, corners, middles[ends], _BADGE * _point(side))
    for rank, (curve, (_, value)) in reversed(list(enumerate(zip(curves, pairs, strict=True), 1))):
        # The strongest lie on top.
        width = _WIDTHS[0] + (_WIDTHS[1] - _WIDTHS[0]) * abs(value) / strongest
        effects = [Stroke(linewidth=width + 1.6, foreground="white"), Normal()]
        colour = _RED if value > 0 else _BLUE
        path = Path(curve, [Path.MOVETO, Path.CURVE3, Path.CURVE3])
        drawn = PathPatch(path, fill=False, edgecolor=colour, linewidth=width, capstyle="round")
        drawn.set_path_effects(effects)
        drawn.set_zorder(3)
        axis.add_patch(drawn)
        if rank <= MAX_LISTED:
            circle = {
                "boxstyle": "circle,pad=0.18",
                "facecolor": "white",
                "edgecolor": colour,
                "linewidth": 0.8,
            }
            x, y = badges[rank - 1]
            axis.text(
                x, y, str(rank), fontsize=6, color=_INK, ha="center", va="center", bbox=circle, zorder=5
            )
    if ends:
        x, y = middles[ends].T
        if not isinstance(regions, Grid):  # its regions are listed by numbers that nothing else shows
            halo = [Stroke(linewidth=1.8, foreground="white"), Normal()]
            for end in ends:
                right, up = middles[end] + (0.02 * side, -0.02 * side)
                number = axis.text(right, up, str(end), fontsize=7.5, weight="bold", color=_INK, zorder=6)
                number.set_path_effects(halo)
        axis.scatter(x, y, s=14, color="white", edgecolors=_INK, linewidths=0.8, zorder=4)
    axis.set(xlim=(0, side), ylim=(side, 0))


def _bend(start: Float64[np.ndarray, 2], end: Float64[np.ndarray, 2], side: int) -> Float64[np.ndarray, 2]:
    """The control point of a curve, off its middle towards the middle of the image.

    So that a curve along a row leaves the regions between its ends free, and none leaves the image.
    """
    middle, along = (start + end) / 2, end - start
    across = np.array([-along[1], along[0]])
    inwards = across @ (side / 2 - middle)
    return middle + 0.28 * across * (1.0 if inwards >= 0 else -1.0)


def _write_list(figure: matplotlib.figure.Figure, x: float, top: float, one: PairPanel) -> None:
    """Rank, regions and value of the strongest pairs."""
    grid = isinstance(one.panel.regions, Grid)
    heading = "strongest pairs, as (row, column)" if grid else "strongest pairs of regions"
    write_text(figure, x, top, heading if one.pairs else "no pairs", size=8.5, color=_FAINT, va="top")
    limit = max((abs(value) for _, value in one.pairs), default=1.0)
    for rank, ((i, j), value) in enumerate(one.pairs[:MAX_LISTED], 1):
        y = top - 0.08 - 0.21 * rank
        first, second = (region_name(region, one.panel.regions) for region in (i, j))
        write_text(figure, x + 0.16, y, str(rank), size=8.5, va="top", ha="right")
        write_text(figure, x + 0.26, y, f"{first} \N{EN DASH} {second}", size=8.5, va="top")
        colour = _RED if value > 0 else _BLUE
        number = signed_number(value, limit).replace("-", "\N{MINUS SIGN}")
        write_text(figure, x + 1.95, y, number, size=8.5, color=colour, va="top", ha="right")
    hidden = len(one.pairs) - MAX_LISTED
    if hidden > 0:
        y = top - 0.08 - 0.21 * (MAX_LISTED + 1)
        write_text(figure, x + 0.26, y, f"and {hidden} weaker", size=8.5, color=_FAINT, va="top")
