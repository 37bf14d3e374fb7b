"""The picture of a benchmark: mean squared error against budget, both on log scales."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64

from hlx.bench.result import BenchmarkResult, Summary
from hlx.errors import InputError
from hlx.plot.figure_files import save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LABEL_HEIGHT = 0.17
"""Inches between the labels of two lines."""

LARGEST_SHOWN = 30
"""Times the median of the estimators' largest errors; what is larger leaves the picture."""

_PLOT = (5.6, 4.4)  # inches of the axes
_LEFT, _BOTTOM, _TOP = 0.75, 0.6, 0.4  # inches around them; on the right as much as the names take
_LETTER = 0.082  # inches, on average
_INK, _FAINT = "#222222", "#dddddd"
_MARKERS = "osD^vPX<>*hpd"


def save_plot(
    path: str | Path,
    result: BenchmarkResult,
    measure: str = "mse",
    title: str = "",
    dashed: Collection[str] = (),
) -> None:
    """Write `benchmark_figure` to a .png or .pdf file, whole or not at all.

    Raises
    ------
    InputError
        Nothing can be drawn on a log scale: all errors are zero.
    OutputError
        Another extension, or the file cannot be written.
    """
    save_figure(path, benchmark_figure(result, measure, title, dashed))


def benchmark_figure(
    result: BenchmarkResult, measure: str = "mse", title: str = "", dashed: Collection[str] = ()
) -> Figure:
    """One line per estimator with a band of one standard error of the mean, named at its right end.

    Errors of zero have no place on a log scale and are left out. `dashed` names estimators to set apart.
    """
    from matplotlib import color_sequences
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, NullLocator

    names = max((len(name) for name in result.estimators), default=0)
    wide, tall = _PLOT[0], max(_PLOT[1], LABEL_HEIGHT * len(result.estimators))
    size = (_LEFT + wide + 0.3 + _LETTER * names, _BOTTOM + tall + _TOP)
    figure = Figure(figsize=size, dpi=160)
    axes = figure.add_axes((_LEFT / size[0], _BOTTOM / size[1], wide / size[0], tall / size[1]))
    axes.set_xscale("log")
    axes.set_yscale("log")
    colours = [*color_sequences["tab10"], *color_sequences["Dark2"]]
    ends, smallest, largest = [], [], []
    for place, name in enumerate(result.estimators):
        points = _points(result, name, measure)
        if not points:
            continue
        budgets = [budget for budget, _ in points]
        mean = np.array([summary.mean for _, summary in points])
        sem = np.array([summary.sem or 0.0 for _, summary in points])
        colour = colours[place % len(colours)]
        # A band that reaches zero would leave a log scale.
        lower = np.maximum(mean - sem, mean / 10)
        axes.fill_between(budgets, lower, mean + sem, color=colour, alpha=0.2, lw=0)
        style = "--" if name in dashed else "-"
        marker = _MARKERS[place % len(_MARKERS)]
        axes.plot(budgets, mean, style, marker=marker, ms=4, lw=1.4, color=colour)
        ends.append((name, budgets[-1], float(mean[-1]), colour))
        smallest.append(float(min(mean.min() / 1.5, lower.min() / 1.1)))
        largest.append(float(mean.max()))
    if not ends:
        raise InputError(f"plot: every {measure} is zero or undefined, a log scale holds none of them")
    # A regression near singularity can be off by thirty orders of magnitude; it leaves through the top.
    highest = min(1.5 * max(largest), LARGEST_SHOWN * float(np.median(largest)))
    axes.set_ylim(min(smallest), highest)
    axes.set_xlabel("budget: distinct coalitions evaluated, empty and full included")
    axes.set_ylabel("mean squared error" if measure == "mse" else measure)
    axes.set_xticks(result.budgets)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda budget, _: f"{budget:,.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(axis="x", labelrotation=45 if len(result.budgets) > 10 else 0)
    axes.grid(True, which="major", color=_FAINT, lw=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    games = f"{len(result.games)} game{'s' * (len(result.games) > 1)}"
    axes.set_title(
        title or f"{games}; bands: one SEM over games and repeats", fontsize=10, loc="left", color=_INK
    )
    _name_lines(axes, ends, LABEL_HEIGHT / tall)
    return figure


def _points(result: BenchmarkResult, name: str, measure: str) -> list[tuple[int, Summary]]:
    rows = (result.row(name, budget) for budget in result.budgets)
    summaries = ((row.budget, row.summary(measure)) for row in rows if row is not None)
    return [(budget, summary) for budget, summary in summaries if summary is not None and summary.mean > 0]


def _name_lines(axes: Axes, ends: Sequence[tuple[str, int, float, Any]], gap: float) -> None:
    """Each line's name right of the axes, near its end's height, joined to it by a thin line."""
    low, high = (np.log10(limit) for limit in axes.get_ylim())
    ends = sorted(ends, key=lambda end: end[2])
    wanted = np.array([(np.log10(end[2]) - low) / (high - low) for end in ends])
    heights = spread(wanted, gap)
    for (name, budget, mean, colour), height in zip(ends, heights.tolist(), strict=True):
        axes.annotate(
            name,
            (budget, mean),
            (1.035, height),
            textcoords="axes fraction",
            va="center",
            color=colour,
            fontsize=9,
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "relpos": (0.0, 0.5),
                "color": colour,
                "lw": 0.5,
                "alpha": 0.6,
                "shrinkA": 1,
                "shrinkB": 3,
            },
        )


def spread(wanted: Float64[np.ndarray, " k"], gap: float) -> Float64[np.ndarray, " k"]:
    """Ascending heights moved at least `gap` apart, by as little as can be in the sense of least squares.

    All lie in 0 ... 1, where that has room for them.
    """
    # Isotonic regression of the heights less what the gaps take up, by pooling neighbours that collide.
    steps = gap * np.arange(len(wanted))
    pools: list[list[float]] = []
    for height in (wanted - steps).tolist():
        pools.append([height])
        while len(pools) > 1 and np.mean(pools[-2]) > np.mean(pools[-1]):
            last = pools.pop()
            pools[-1] += last
    heights = np.concatenate([np.full(len(pool), np.mean(pool)) for pool in pools])
    # Less the steps, keeping the order is all that is asked: cutting off both ends keeps it.
    return np.minimum(np.maximum(heights, 0.0), max(1.0 - steps[-1], 0.0)) + steps
