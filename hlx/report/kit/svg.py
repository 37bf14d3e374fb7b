"""Drawings that a page holds as they are: inline SVG whose colours and fonts the page's style sheet sets.

Nothing here knows a colour: marks carry classes, so that one drawing serves the light and the dark scheme.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Float64
from markupsafe import Markup, escape

Number = int | float
Limits = tuple[Number, Number]
Value = str | Number | None

_TICK = 4.0  # its length, and the gap between tick and number
_BASELINE = 4.0  # a line of text is centred when it is lowered by so much
_LETTER = 7.2  # a tick's number takes so much for each letter, at most
_MOST_NUMBERS, _LOG_ROOM = 8, 1.25  # of a logarithmic axis, which reaches so many times beyond its points


def attributes(**named: Value) -> str:
    """XML attributes; an underscore stands for a hyphen, a trailing one for nothing; None is left out."""
    written = ((name.rstrip("_").replace("_", "-"), value) for name, value in named.items())
    return "".join(f' {name}="{escape(_text(value))}"' for name, value in written if value is not None)


def element(tag: str, content: str = "", **named: Value) -> str:
    """An element; `content` is markup."""
    opened = f"<{tag}{attributes(**named)}"
    return f"{opened}>{content}</{tag}>" if content else f"{opened}/>"


def ticks(limits: Limits, most: int = 6) -> list[float]:
    """Round numbers between two limits."""
    from matplotlib.ticker import MaxNLocator

    low, high = limits
    found = MaxNLocator(nbins=most, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    slack = 1e-9 * (high - low)
    return [float(tick) for tick in found if low - slack <= tick <= high + slack]


def log_numbers(limits: Limits, points: Sequence[float] = ()) -> dict[float, str]:
    """Texts of round numbers between two limits, by their decimal logarithms, in which the limits are too.

    1, 2 and 5 times powers of ten; the powers alone where these are many, `points` where they are few.
    """
    low, high = limits
    powers = range(math.floor(low), math.ceil(high) + 1)

    def between(steps: Sequence[int]) -> list[float]:
        values = [step * 10.0**power for power in powers for step in steps]
        return [value for value in values if low <= math.log10(value) <= high]

    found = between((1, 2, 5))
    if len(found) > _MOST_NUMBERS:
        found = between((1,))
    elif len(found) < 2 and points:
        found = sorted(set(points))[:_MOST_NUMBERS]
    return {math.log10(value): short(value) for value in found}


def log_limits(values: Sequence[float]) -> Limits:
    """Limits of a logarithmic axis that holds these values with some room, as decimal logarithms."""
    return math.log10(min(values) / _LOG_ROOM), math.log10(max(values) * _LOG_ROOM)


def short(value: float) -> str:
    """A number with two digits at least, thousands apart."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def tick_text(value: Number) -> str:
    """A tick's number, as short as it can be."""
    return f"{value:z.6g}".replace("-", "\N{MINUS SIGN}")


def around(values: Float64[np.ndarray, " n"] | Sequence[float], margin: Number = 0.06) -> Limits:
    """Limits that hold all finite values with some room; around a single value, one unit."""
    finite = np.asarray(values, float)
    finite = finite[np.isfinite(finite)]
    if not len(finite):
        return (0.0, 1.0)
    low, high = float(finite.min()), float(finite.max())
    room = margin * (high - low) or 0.5
    return (low - room, high + room)


@dataclass
class Plot:
    """A drawing with an x axis and a y axis.

    All marks are given in data coordinates, which are decimal logarithms on a logarithmic axis.

    Attributes
    ----------
    label
        What a reader who cannot see it is told.
    width, height
        Of the drawing, in units of its own; a page scales it.
    left, right, top, bottom
        Margins around the axes.
    """

    label: str
    x: Limits
    y: Limits
    width: Number = 420
    height: Number = 240
    left: Number = 46
    right: Number = 14
    top: Number = 14
    bottom: Number = 42
    parts: list[str] = field(default_factory=list)

    @cached_property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the axes."""
        return (
            float(self.left),
            float(self.top),
            float(self.width - self.right),
            float(self.height - self.bottom),
        )

    def across(self, x: Number) -> float:
        """The drawing's coordinate of a data coordinate."""
        left, _, right, _ = self.box
        return left + (x - self.x[0]) / (self.x[1] - self.x[0]) * (right - left)

    def down(self, y: Number) -> float:
        """The drawing's coordinate of a data coordinate."""
        _, top, _, bottom = self.box
        return bottom - (y - self.y[0]) / (self.y[1] - self.y[0]) * (bottom - top)

    def add(self, tag: str, content: str = "", **named: Value) -> None:
        """An element in the drawing's own coordinates."""
        self.parts.append(element(tag, content, **named))

    def axis_x(self, name: str, grid: bool = False, numbers: Mapping[float, str] | None = None) -> None:
        """The axis below, with its name and round numbers, or these texts at data coordinates."""
        left, top, right, bottom = self.box
        self.add("path", d=f"M{left:g} {bottom:g}H{right:g}", class_="axis")
        free = -math.inf
        for tick, text in (numbers or {tick: tick_text(tick) for tick in ticks(self.x)}).items():
            at, half = self.across(tick), _LETTER * (len(text) + 1) / 2
            self.add("path", d=f"M{_text(at)} {bottom:g}v{_TICK:g}", class_="axis")
            if grid:
                self.add("path", d=f"M{_text(at)} {top:g}V{bottom:g}", class_="grid")
            if at - half > free:  # what has no room for its number has its line
                self._write(at, bottom + 17, text, "tick middle")
                free = at + half
        self._write((left + right) / 2, self.height - 6, name, "name middle")

    def axis_y(self, name: str = "", grid: bool = False, numbers: Mapping[float, str] | None = None) -> None:
        """The axis at the left, as `axis_x`."""
        left, top, right, bottom = self.box
        for tick, text in (numbers or {tick: tick_text(tick) for tick in ticks(self.y, 5)}).items():
            at = self.down(tick)
            if grid:
                self.add("path", d=f"M{left:g} {_text(at)}H{right:g}", class_="grid")
            self._write(left - 2 * _TICK, at + _BASELINE, text, "tick end")
        if name:
            x, y = 11.0, (top + bottom) / 2
            turned = f"rotate(-90 {_text(x)} {_text(y)})"
            self.add("text", str(escape(name)), x=x, y=y, transform=turned, class_="name middle")

    def mark(self, kind: int, x: Number, y: Number, class_: str, size: Number = 5.5) -> None:
        """The mark number `kind` of `SHAPES` at a point."""
        self.add("path", d=shape(kind, self.across(x), self.down(y), size), class_=class_)

    def curve(
        self, x: Float64[np.ndarray, " n"], y: Float64[np.ndarray, " n"], class_: str, filled: bool = False
    ) -> None:
        """A line through points; `filled` closes it along y = 0."""
        points = "L".join(
            f"{_text(self.across(a))} {_text(self.down(b))}"
            for a, b in zip(x.tolist(), y.tolist(), strict=True)
        )
        if filled:
            base = _text(self.down(0))
            start, end = _text(self.across(float(x[0]))), _text(self.across(float(x[-1])))
            points = f"{start} {base}L{points}L{end} {base}z"
        self.add("path", d=f"M{points}", class_=class_)

    def upright(self, x: Number, class_: str, low: Number | None = None, high: Number | None = None) -> None:
        """A vertical line, over the whole height unless told otherwise."""
        bottom, top = (
            self.down(y) for y in (self.y[0] if low is None else low, self.y[1] if high is None else high)
        )
        self.add("path", d=f"M{_text(self.across(x))} {_text(bottom)}V{_text(top)}", class_=class_)

    def level(self, y: Number, class_: str, low: Number | None = None, high: Number | None = None) -> None:
        """A horizontal line, over the whole width unless told otherwise."""
        start, end = (
            self.across(x) for x in (self.x[0] if low is None else low, self.x[1] if high is None else high)
        )
        self.add("path", d=f"M{_text(start)} {_text(self.down(y))}H{_text(end)}", class_=class_)

    def bar(self, low: Number, high: Number, height: Number, class_: str) -> None:
        """A bar of a histogram, from y = 0."""
        left, right = self.across(low), self.across(high)
        top, bottom = self.down(height), self.down(0)
        self.add(
            "rect", x=left, y=top, width=max(right - left - 0.5, 0.5), height=bottom - top, class_=class_
        )

    def write(
        self, x: Number, y: Number, text: str, class_: str = "", dx: Number = 0, dy: Number = 0
    ) -> None:
        """A line of text; its class says how it is aligned: start (default), middle or end."""
        self._write(self.across(x) + dx, self.down(y) + dy, text, class_)

    def svg(self) -> Markup:
        """The drawing, for a page."""
        size = f"0 0 {self.width:g} {self.height:g}"
        return Markup(
            element(
                "svg", "".join(self.parts), viewBox=size, role="img", aria_label=self.label, class_="plot"
            )
        )

    def _write(self, x: Number, y: Number, text: str, class_: str) -> None:
        self.add("text", str(escape(text)), x=x, y=y, class_=class_ or None)


SHAPES = ("circle", "square", "triangle", "diamond", "cross", "plus")


def shape(kind: int, x: Number, y: Number, size: Number = 3.6) -> str:
    """The path of the mark number `kind` of `SHAPES`, which start over, in a drawing's coordinates."""
    r, d = size, 1.25 * size
    name = SHAPES[kind % len(SHAPES)]
    moves = {
        "circle": f"m{-r:g} 0a{r:g} {r:g} 0 1 0 {2 * r:g} 0a{r:g} {r:g} 0 1 0 {-2 * r:g} 0z",
        "square": f"m{-0.88 * r:g} {-0.88 * r:g}h{1.76 * r:g}v{1.76 * r:g}h{-1.76 * r:g}z",
        "triangle": f"m0 {-1.2 * r:g}l{1.15 * r:g} {2 * r:g}h{-2.3 * r:g}z",
        "diamond": f"m0 {-d:g}l{d:g} {d:g}l{-d:g} {d:g}l{-d:g} {-d:g}z",
        "cross": f"m{-r:g} {-r:g}l{2 * r:g} {2 * r:g}m{-2 * r:g} 0l{2 * r:g} {-2 * r:g}",
        "plus": f"m{-1.2 * r:g} 0h{2.4 * r:g}m{-1.2 * r:g} {-1.2 * r:g}v{2.4 * r:g}",
    }
    return f"M{_text(x)} {_text(y)}{moves[name]}"


def _text(value: str | Number) -> str:
    """A coordinate to a tenth of a unit, or a text as it is."""
    if isinstance(value, str):
        return value
    return f"{value:z.1f}".removesuffix(".0")
