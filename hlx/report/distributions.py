"""How similarities spread: over stimuli, over random pairings, and beside what needs no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from markupsafe import Markup, escape

from hlx.report.colours import model_class
from hlx.report.numbers import coefficient
from hlx.report.svg import Limits, Plot, around, shape

BINS = np.linspace(-1, 1, 21)

LINE, LETTER = 15.0, 6.8
"""Of a drawing's text: from line to line, and a letter's width at most on average."""


def rc_histogram(
    name: str, place: int, rc: Float64[np.ndarray, " n"], shuffled: Float64[np.ndarray, "s m"] | None
) -> Markup:
    """RC of every stimulus as bars, and of all mismatched pairs as steps, as shares of either.

    `place` is the model's among the models; it decides colour and marks.
    """
    known = rc[np.isfinite(rc)]
    own = _shares(known)
    other = None if shuffled is None else _shares(shuffled[np.isfinite(shuffled)])
    tallest = max(float(own.max()), 0.0 if other is None else float(other.max())) or 1.0
    mean = float(known.mean()) if len(known) else float("nan")
    plot = Plot(
        f"Histogram of the rank correlations of {name}: {len(known)} stimuli, mean {coefficient(mean)}.",
        (-1.0, 1.0),
        (0.0, 1.22 * tallest),
        left=16,
    )
    for low, high, share in zip(BINS[:-1].tolist(), BINS[1:].tolist(), own.tolist(), strict=True):
        if share:
            plot.bar(low, high, share, f"fill {model_class(place)}")
    if other is not None:
        plot.curve(np.repeat(BINS, 2)[1:-1], np.repeat(other, 2), "chance line")
    plot.upright(0.0, "zero")
    if len(known):
        plot.upright(mean, f"mean {model_class(place)}", high=1.08 * tallest)
        plot.write(mean, 1.08 * tallest, f"mean {coefficient(mean)}", "strong middle", dy=-5)
    plot.axis_x("RC of a stimulus")
    return plot.svg()


def null_histogram(name: str, place: int, null: Float64[np.ndarray, " shuffles"], observed: float) -> Markup:
    """Mean RC of the random pairings as bars, and the mean of the true pairing as a line."""
    limits = around([*null.tolist(), observed], 0.08)
    bins = np.linspace(float(null.min()), float(null.max()), 41) if np.ptp(null) else np.array(around(null))
    heights = np.histogram(null, bins)[0] / len(null)
    tallest = float(heights.max())
    plot = Plot(
        f"Histogram of the mean rank correlations of {name} in {len(null):,} random pairings, from "
        f"{coefficient(float(null.min()))} to {coefficient(float(null.max()))}; the true pairing has "
        f"{coefficient(observed)}.",
        limits,
        (0.0, 1.22 * tallest),
        left=16,
    )
    for low, high, share in zip(bins[:-1].tolist(), bins[1:].tolist(), heights.tolist(), strict=True):
        if share:
            plot.bar(low, high, share, "chance fill")
    centre = float(null.mean())
    plot.write(centre, tallest, f"random {coefficient(centre)}", "faint middle", dy=-6)
    plot.upright(observed, f"mean {model_class(place)}", high=1.08 * tallest)
    side = "end" if observed > sum(limits) / 2 else ""
    plot.write(observed, 1.08 * tallest, f"true {coefficient(observed)}", f"strong {side}".strip(), dy=-5)
    plot.axis_x("mean RC of a pairing")
    return plot.svg()


@dataclass(frozen=True)
class Rung:
    """A model in `rc_ladder`: its mean RC with the interval's ends, and the mean of random pairings."""

    name: str
    mean: float | None
    low: float | None
    high: float | None
    shuffled: float | None


def rc_ladder(rungs: Sequence[Rung], landmarks: Mapping[str, float]) -> Markup:
    """Every model's mean RC with its interval on one axis, among the landmarks, which are upright lines."""
    values = [rung.mean for rung in rungs] + [rung.low for rung in rungs] + [rung.high for rung in rungs]
    values += [rung.shuffled for rung in rungs] + [*landmarks.values(), 0.0]
    low, high = around([value for value in values if value is not None])
    left, right, width, row = 120.0, 24.0, 760.0, 40.0
    lines = _staggered(landmarks, (low, high), width - left - right)
    top = 10.0 + LINE * (1 + max(lines.values(), default=0))
    said = "; ".join(f"{rung.name} {coefficient(rung.mean)}" for rung in rungs)
    marked = "; ".join(f"{name} {coefficient(value)}" for name, value in landmarks.items())
    plot = Plot(
        f"Mean rank correlations: {said}. Beside them: {marked or 'nothing'}.",
        (low, high),
        (0.0, float(len(rungs))),
        width=width,
        height=top + row * len(rungs) + 46,
        left=left,
        right=right,
        top=top,
    )
    plot.upright(0.0, "zero")
    for name, value in landmarks.items():
        across, base = plot.across(value), top - 6 - LINE * lines[name]
        plot.add("path", d=f"M{across:.1f} {plot.box[3]:.1f}V{base - 10:.1f}", class_="landmark")
        said = f"{name} {coefficient(value)}"
        plot.add("text", str(escape(said)), x=across - 5, y=base, class_="tick end")
    for place, rung in enumerate(rungs):
        y = len(rungs) - place - 0.5
        plot.add("text", str(escape(rung.name)), x=left - 12, y=plot.down(y) + 4, class_="strong end")
        if rung.shuffled is not None:
            plot.add(
                "path", d=shape(0, plot.across(rung.shuffled), plot.down(y), 4.5), class_="chance hollow"
            )
        if rung.low is not None and rung.high is not None:
            plot.level(y, f"interval {model_class(place)}", rung.low, rung.high)
        if rung.mean is not None:
            drawn = shape(place, plot.across(rung.mean), plot.down(y), 5.5)
            plot.add("path", d=drawn, class_=f"mark {model_class(place)}")
    plot.axis_x("mean RC over stimuli")
    return plot.svg()


def _shares(values: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " bins"]:
    counts = np.histogram(values, BINS)[0].astype(float)
    return counts / max(len(values), 1)


def _staggered(landmarks: Mapping[str, float], limits: Limits, width: float) -> dict[str, int]:
    """How many lines up each landmark's name stands, left of its upright, so that none crosses another."""
    scale = width / (limits[1] - limits[0])
    placed: list[tuple[float, int]] = []
    lines = {}
    for name, value in sorted(landmarks.items(), key=lambda item: item[1]):
        at = value * scale
        starts = at - LETTER * (len(name) + 5) - 5
        lines[name] = max((line + 1 for other, line in placed if other > starts), default=0)
        placed.append((at, lines[name]))
    return lines
