"""Drawings of a sweep: agreement of grids as a heat map, and curves on logarithmic axes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

from hlx.report.kit.colours import LEVELS, WHITE_FROM, dash_class, level_class, model_class
from hlx.report.kit.numbers import coefficient
from hlx.report.kit.svg import Plot, log_limits, log_numbers, short
from hlx.sweep.across_settings.agreement import GridAgreement

MANY_GRIDS = 6
"""More of them need a broad figure."""


def heat_map(title: str, grids: Sequence[str], pairs: Sequence[GridAgreement]) -> Markup:
    """Agreement of every pair of grids: below the diagonal of |phi|, above it of phi with its sign."""
    n, left, top = len(grids), 52.0, 26.0
    wide, high = (50.0, 34.0) if n > MANY_GRIDS else (min(88.0, 368.0 / n), min(60.0, 300.0 / n))
    said = "; ".join(
        f"{pair.first} and {pair.second} {coefficient(pair.agreement.rank.mean, 2)}" for pair in pairs
    )
    plot = Plot(
        f"{title}: mean rank correlation of magnitudes on {said}.",
        (0.0, float(n)),
        (0.0, float(n)),
        width=left + n * wide + 2,
        height=top + n * high + 2,
        left=left,
        right=2,
        top=top,
        bottom=2,
    )
    place = {grid: k for k, grid in enumerate(grids)}
    for k, grid in enumerate(grids):
        plot.add("text", str(escape(grid)), x=left - 8, y=top + (k + 0.5) * high + 4, class_="tick end")
        plot.add("text", str(escape(grid)), x=left + (k + 0.5) * wide, y=top - 9, class_="tick middle")
    for pair in pairs:
        first, second = sorted((place[pair.first], place[pair.second]))
        for row, col, value in (
            (second, first, pair.agreement.rank.mean),
            (first, second, pair.agreement.rank_signed.mean),
        ):
            x, y = left + col * wide, top + row * high
            share = 0.0 if value is None else max(-1.0, min(1.0, value))
            # Greens where maps agree, the blue of negative values where they contradict each other.
            class_ = level_class(share, signed=share < 0)
            plot.add("rect", x=x + 1, y=y + 1, width=wide - 2, height=high - 2, class_=f"heat {class_}")
            ink = "light" if round(LEVELS * abs(share)) >= WHITE_FROM else "dark"
            told = str(escape(coefficient(value, 2)))
            plot.add("text", told, x=x + wide / 2, y=y + high / 2 + 4, class_=f"middle on-{ink}")
    return plot.svg()


@dataclass(frozen=True)
class Curve:
    """Points of a `log_plot`, from left to right: x, y and the ends of y's interval, all above 0."""

    name: str
    place: int
    points: Sequence[tuple[float, float, float | None, float | None]]


def log_plot(
    title: str,
    x: str,
    y: str,
    curves: Sequence[Curve],
    names: Mapping[float, str] | None = None,
    frame: Sequence[Curve] | None = None,
) -> Markup:
    """Curves with marks and intervals on two logarithmic axes.

    Parameters
    ----------
    x, y
        names of the axes.
    names
        What stands at places of the x axis instead of round numbers.
    frame
        curves for which there is to be room, the same for plots that are compared.
    """
    known = [point for curve in frame or curves for point in curve.points]
    heights = [number for _, *them in known for number in them if number is not None]
    said = "; ".join(
        f"{curve.name} " + ", ".join(f"{short(height)} at {short(at)}" for at, height, *_ in curve.points)
        for curve in curves
    )
    places = [at for at, *_ in known]
    plot = Plot(f"{title}, {y} by {x}: {said}.", log_limits(places), log_limits(heights), left=62, height=280)
    numbers = {math.log10(at): name for at, name in (names or {}).items()}
    plot.axis_x(x, grid=True, numbers=numbers or log_numbers(plot.x, places))
    plot.axis_y(y, grid=True, numbers=log_numbers(plot.y))
    for curve in curves:
        colour = model_class(curve.place)
        at = np.log10([across for across, *_ in curve.points])
        height = np.log10([value for _, value, *_ in curve.points])
        if len(curve.points) > 1:
            plot.curve(at, height, f"line {colour} {dash_class(curve.place)}")
        for across, _, low, high in curve.points:
            if low is not None and high is not None and low > 0:
                plot.upright(math.log10(across), f"interval {colour}", math.log10(low), math.log10(high))
        for a, b in zip(at.tolist(), height.tolist(), strict=True):
            plot.mark(curve.place, a, b, f"mark {colour}", 4.2)
    return plot.svg()
