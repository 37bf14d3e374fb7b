"""Distributions with the nulls they are held against: a panel for each measure, a row for each model."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64, Shaped

from hlx.errors import InputError
from hlx.plot.overlay import fraction, write_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Of models in turn, told apart by colour-blind eyes too (Okabe and Ito 2008)."""

_INK, _FAINT, _NULL = "#222222", "#666666", "#9a9a9a"
_PANEL, _ROW = 2.75, 0.72  # inches: width of a panel, height of a row
_GAP, _HEAD, _FOOT = 0.34, 0.36, 0.34  # between panels, above and below one
_FILLED = 0.66  # of a row's height is the tallest bar's; numbers stand above
_LETTER = 0.073  # inches, on average
# Of lines in turn. The unbroken one is broad and pale, so that the others show where they lie on it.
_LINES: tuple[dict[str, Any], ...] = (
    {"ls": (0, (1, 1.4)), "lw": 1.2},
    {"ls": (0, (4, 2)), "lw": 1.2},
    {"ls": "-", "lw": 3.0, "alpha": 0.4},
    {"ls": (0, (5, 1.5, 1, 1.5)), "lw": 1.2},
    {"ls": (0, (7, 1.5, 1, 1.5, 1, 1.5)), "lw": 1.2},
)


@dataclass(frozen=True, eq=False)
class Distribution:
    """One row: observed values of a model, and what they would be by chance.

    Attributes
    ----------
    name
        Of the model.
    observed
        NaN is left out. A single value, such as a mean, is drawn as a line.
    null
        Of any shape; NaN is left out. May be empty.
    lines
        Further numbers to mark, by name: what baselines and ceilings reach. NaN is left out, and so is what
        lies so far away that the distributions would shrink to nothing.
    """

    name: str
    observed: Float64[np.ndarray, " n"]
    null: Shaped[np.ndarray, "*shape"]
    lines: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class DistributionPanel:
    """A measure's distributions by model; `better` is "higher" or "lower", or empty."""

    title: str
    rows: Sequence[Distribution]
    better: str = ""


def distributions_figure(
    panels: Sequence[DistributionPanel],
    *,
    title: str = "",
    names: tuple[str, str] = ("matched pairs", "shuffled pairs"),
    columns: int = 3,
) -> Figure:
    """Histograms of observed values over those of their nulls, on one scale within each panel.

    Parameters
    ----------
    panels
        Models keep their colours from panel to panel.
    title
        One line above all.
    names
        What the observed values and the null are called.
    columns
        panels side by side, at most.

    Raises
    ------
    InputError
        There is nothing to draw.
    """
    if not any(panel.rows for panel in panels):
        raise InputError("plot: no distribution to draw")
    from matplotlib.figure import Figure

    models = list(dict.fromkeys(row.name for panel in panels for row in panel.rows))
    marked = _marked(panels)
    colours = model_colours(models)
    columns = min(columns, len(panels))
    lines = -(-len(panels) // columns)
    labels = {model: textwrap.wrap(model, 20)[:3] or [""] for model in models}
    left = 0.25 + _LETTER * max(len(line) for text in labels.values() for line in text)
    rows = max(len(panel.rows) for panel in panels)
    width = left + columns * _PANEL + (columns - 1) * _GAP + 0.2
    top, key = 0.12 + 0.3 * bool(title), 0.42
    height = top + lines * (_HEAD + rows * _ROW + _FOOT) + key
    figure = Figure(figsize=(width, height), dpi=160, facecolor="white")
    if title:
        write_text(figure, 0.12, height - 0.12, title, size=10.5, weight="bold", va="top")
    for place, panel in enumerate(panels):
        line, column = divmod(place, columns)
        tall = len(panel.rows) * _ROW
        y = height - top - line * (_HEAD + rows * _ROW + _FOOT) - _HEAD - tall
        box = (left + column * (_PANEL + _GAP), y, _PANEL, tall)
        axes = figure.add_axes(fraction(box, width, height))
        draw_distributions(axes, panel, colours, marked, names[1])
        if column == 0:
            axes.set_yticks(
                [len(panel.rows) - 1 - k + _FILLED / 2 for k in range(len(panel.rows))],
                ["\n".join(labels[row.name]) for row in panel.rows],
                parse_math=False,
            )
            for text, row in zip(axes.get_yticklabels(), panel.rows, strict=True):
                text.set(color=colours[row.name], fontsize=8.5, weight="bold")
    _draw_key(figure, names, marked, colours[models[0]])
    return figure


def model_colours(models: Sequence[str]) -> dict[str, str]:
    """A colour for each model, in turn."""
    return {model: COLOURS[place % len(COLOURS)] for place, model in enumerate(models)}


def draw_distributions(
    axes: Axes,
    panel: DistributionPanel,
    colours: Mapping[str, str],
    marked: Sequence[str] = (),
    null_name: str = "chance",
) -> None:
    """One panel: a row for each model, the first on top; data coordinates are values and rows.

    Parameters
    ----------
    colours
        By model.
    marked
        Names of the lines to draw, in the order that settles their styles.
    null_name
        Stands before the null's mean.
    """
    values = [(finite(row.observed), finite(row.null)) for row in panel.rows]
    low, high = drawn_range(values, [x for row in panel.rows for x in row.lines.values()])
    edges = [np.linspace(low, high, 1 + bars_of(observed, null)) for observed, null in values]
    bars = [
        (bar_heights(observed, own), bar_heights(null, own))
        for (observed, null), own in zip(values, edges, strict=True)
    ]
    # A lone number has no density; the nulls alone then set the scale.
    tallest = max([0.0, *(float(d.max()) for pair in bars for d in pair if d is not None)]) or 1.0
    for place, (row, (observed, null), own, heights) in enumerate(
        zip(panel.rows, values, edges, bars, strict=True)
    ):
        base, colour = len(panel.rows) - 1.0 - place, colours[row.name]
        axes.axhline(base, color=_FAINT, lw=0.6, zorder=3)
        for density, fill, alpha in ((heights[1], _NULL, 0.38), (heights[0], colour, 0.5)):
            if density is not None:
                tall = base + _FILLED * density / tallest
                axes.stairs(tall, own, baseline=base, fill=True, color=fill, alpha=alpha, lw=0)
                axes.stairs(tall, own, baseline=base, color=fill, lw=0.9)
        for name, x in row.lines.items():
            if np.isfinite(x) and name in marked:
                style = _LINES[list(marked).index(name) % len(_LINES)]
                axes.vlines(x, base, base + _FILLED + 0.04, color=_INK, zorder=4, **style)
        _draw_means(axes, base, {"": (observed, colour), f"{null_name} ": (null, _FAINT)})
    axes.set(xlim=(low, high), ylim=(0, len(panel.rows)), yticks=[])
    axes.locator_params(axis="x", nbins=5)
    axes.tick_params(axis="x", labelsize=7.5, length=2.5, width=0.6, colors=_INK)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    axes.set_title(panel.title, fontsize=9.5, color=_INK, loc="left", pad=5, weight="bold", parse_math=False)
    if panel.better:
        axes.set_title(f"{panel.better} is closer", fontsize=7.5, color=_FAINT, loc="right", pad=5)


def _draw_means(axes: Axes, base: float, samples: Mapping[str, tuple[np.ndarray, str]]) -> None:
    """Means of samples and their colours by name: short lines, and numbers in the corners of the row."""
    texts: list[tuple[str, str]] = []
    for name, (numbers, shade) in samples.items():
        if numbers.size:
            mean = float(numbers.mean())
            axes.vlines(mean, base, base + _FILLED, color="white", lw=2.6, zorder=4)
            axes.vlines(mean, base, base + _FILLED, color=shade, lw=1.4, zorder=5)
            texts.append((f"{name}{mean:z.3f}".replace("-", "\N{MINUS SIGN}"), shade))
        elif not name:
            texts.append(("undefined", shade))
    for place, (text, shade) in enumerate(texts):
        axes.text(
            (0.0, 1.0)[place],
            base + 0.9,
            text,
            transform=axes.get_yaxis_transform(),
            ha=("left", "right")[place],
            va="top",
            fontsize=7.5,
            color=shade,
        )


def _draw_key(figure: Figure, names: tuple[str, str], marked: Sequence[str], colour: str) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = [
        Patch(facecolor=colour, alpha=0.6, edgecolor=colour, label=names[0]),
        Patch(facecolor=_NULL, alpha=0.5, edgecolor=_NULL, label=names[1]),
    ]
    for place, name in enumerate(marked):
        handles.append(Line2D([], [], color=_INK, label=name, **_LINES[place % len(_LINES)]))
    figure.legend(
        handles=handles,
        loc="lower center",
        ncols=len(handles),
        frameon=False,
        fontsize=8,
        handlelength=2.4,
        columnspacing=1.6,
        labelcolor=_INK,
    )


def _marked(panels: Sequence[DistributionPanel]) -> list[str]:
    """Names of the lines that are anywhere to be seen, in the order in which they first appear."""
    lines = [line for panel in panels for row in panel.rows for line in row.lines.items()]
    seen = {name for name, x in lines if np.isfinite(x)}
    return [name for name in dict.fromkeys(name for name, _ in lines) if name in seen]


BINS = (8, 28)
"""The fewest and the most bars of a histogram."""

TAILS = 0.005
"""So much of a null at either end may lie outside the picture, where the observed values do not reach."""

REACH = 0.75
"""Lines further from the distributions than so many times their width are out of the picture."""


def finite(numbers: Shaped[np.ndarray, "*shape"]) -> Float64[np.ndarray, " n"]:
    """The numbers that are some, in one row."""
    flat = np.asarray(numbers, dtype=np.float64).ravel()
    return flat[np.isfinite(flat)]


def drawn_range(
    samples: Sequence[tuple[Float64[np.ndarray, _], Float64[np.ndarray, _]]], marked: Sequence[float]
) -> tuple[float, float]:
    """From the least to the greatest of what is drawn, but for thin tails of nulls and lines far away.

    `samples` are pairs of observed values and their null, all finite; `marked` is where lines stand, or NaN.
    """
    ends: list[float] = []
    for observed, null in samples:
        ends += observed.tolist()
        ends += np.quantile(null, [TAILS, 1 - TAILS]).tolist() if null.size else []
    if ends:
        reach = REACH * (max(ends) - min(ends)) or np.inf
        marked = [x for x in marked if min(ends) - reach <= x <= max(ends) + reach]
    ends += [x for x in marked if np.isfinite(x)]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    margin = 0.02 * (high - low) or 0.5
    return low - margin, high + margin


def bars_of(observed: Float64[np.ndarray, " n"], null: Float64[np.ndarray, " m"]) -> int:
    """How many bars, by the smaller sample that is drawn as a histogram."""
    counts = [sample.size for sample in (observed, null) if sample.size > 1]
    return int(np.clip(2.2 * np.sqrt(min(counts, default=1)), *BINS))


def bar_heights(
    numbers: Float64[np.ndarray, " n"], edges: Float64[np.ndarray, " e"]
) -> Float64[np.ndarray, " bars"] | None:
    """Densities between evenly spaced edges, all numbers counting as the whole; None for fewer than two."""
    if numbers.size < 2:
        return None
    return np.histogram(numbers, edges)[0] / (numbers.size * (edges[1] - edges[0]))
