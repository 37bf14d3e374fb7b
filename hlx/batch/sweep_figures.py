"""Drawings of a sweep: agreement of grids as a heat map, and curves on logarithmic axes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

from hlx.report.colours import LEVELS, WHITE_FROM, level_class, model_class
from hlx.report.numbers import coefficient
from hlx.report.relations import dash_class
from hlx.report.svg import Limits, Plot, shape
from hlx.sweep.across_settings.agreement import GridAgreement

MANY_GRIDS = 6
"""More of them need a broad figure."""

MOST_TICKS = 8
"""Of a logarithmic axis."""

ROOM = 1.25
"""A logarithmic axis reaches so many times beyond its points."""


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
    x, y : names of the axes.
    names : what stands at places of the x axis instead of round numbers.
    frame : curves for which there is to be room, the same for plots that are compared.
    """
    known = [point for curve in frame or curves for point in curve.points]
    heights = [number for _, *them in known for number in them if number is not None]
    said = "; ".join(
        f"{curve.name} " + ", ".join(f"{_short(height)} at {_short(at)}" for at, height, *_ in curve.points)
        for curve in curves
    )
    plot = Plot(
        f"{title}, {y} by {x}: {said}.",
        _limits([at for at, *_ in known]),
        _limits(heights),
        left=62,
        height=280,
    )
    _axes(plot, x, y, names or _numbers_at(plot.x, [at for at, *_ in known]))
    for curve in curves:
        colour = model_class(curve.place)
        at = np.log10([across for across, *_ in curve.points])
        height = np.log10([value for _, value, *_ in curve.points])
        if len(curve.points) > 1:
            plot.curve(at, height, f"line {colour} {dash_class(curve.place)}")
        for point in curve.points:
            across, _, low, high = point
            if low is not None and high is not None and low > 0:
                plot.upright(math.log10(across), f"interval {colour}", math.log10(low), math.log10(high))
        for a, b in zip(at.tolist(), height.tolist(), strict=True):
            drawn = shape(curve.place, plot.across(a), plot.down(b), 4.2)
            plot.add("path", d=drawn, class_=f"mark {colour}")
    return plot.svg()


def _limits(values: Sequence[float]) -> Limits:
    return math.log10(min(values) / ROOM), math.log10(max(values) * ROOM)


def _axes(plot: Plot, x: str, y: str, names: Mapping[float, str]) -> None:
    left, top, right, bottom = plot.box
    plot.add("path", d=f"M{left:g} {bottom:g}H{right:g}", class_="axis")
    last = -math.inf
    for value, text in names.items():
        at = plot.across(math.log10(value))
        plot.add("path", d=f"M{at:.1f} {top:g}V{bottom:g}", class_="grid")
        room = 3.6 * (len(text) + 1)
        if at - room > last:  # what has no room for its number has its line
            plot.add("text", str(escape(text)), x=at, y=bottom + 17, class_="tick middle")
            last = at + room
    for tick, text in _numbers_at(plot.y, []).items():
        down = plot.down(math.log10(tick))
        plot.add("path", d=f"M{left:g} {down:.1f}H{right:g}", class_="grid")
        plot.add("text", text, x=left - 8, y=down + 4, class_="tick end")
    plot.add("text", str(escape(x)), x=(left + right) / 2, y=plot.height - 6, class_="name middle")
    middle = (top + bottom) / 2
    turned = f"rotate(-90 11 {middle:g})"
    plot.add("text", str(escape(y)), x=11, y=middle, transform=turned, class_="name middle")


def _numbers_at(limits: Limits, points: Sequence[float]) -> dict[float, str]:
    """Ticks: 1, 2 and 5 times powers of ten; the powers alone where these are many, `points` where few."""
    found = _round_numbers(limits, (1, 2, 5))
    if len(found) > MOST_TICKS:
        found = _round_numbers(limits, (1,))
    elif len(found) < 2 and points:
        found = sorted(set(points))[:MOST_TICKS]
    return {value: _short(value) for value in found}


def _round_numbers(limits: Limits, steps: Sequence[int]) -> list[float]:
    low, high = limits
    powers = range(math.floor(low), math.ceil(high) + 1)
    values = [step * 10.0**power for power in powers for step in steps]
    return [value for value in values if low <= math.log10(value) <= high]


def _short(value: float) -> str:
    """A number with two digits at least, thousands apart."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"
