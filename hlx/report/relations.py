"""RC against scores and accuracies, and the scores' own densities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from markupsafe import Markup

from hlx.report.colours import model_class
from hlx.report.numbers import coefficient, number, percent
from hlx.report.svg import Plot, around, element, shape

POINTS = 200
"""Of a density's curve."""

DASHES = ("solid", "dashed", "dotted", "dashdot")
"""Style classes by which lines differ beside their colour."""


@dataclass(frozen=True)
class Point:
    """A stimulus in `score_scatter`: where it lies, the number of its phenomenon, its name and its anchor."""

    rc: float
    score: float
    phenomenon: int
    name: str
    anchor: str


def score_scatter(name: str, place: int, points: Sequence[Point], rho: float | None) -> Markup:
    """RC (x) and normalised score (y) of every stimulus; a point leads to its stimulus in the gallery."""
    plot = Plot(
        f"{name}: rank correlation with the human map against normalised score for {len(points)} stimuli; "
        f"Spearman's rho {coefficient(rho)}.",
        around([point.rc for point in points]),
        around([point.score for point in points]),
        height=330,
    )
    plot.axis_x("RC", grid=True)
    plot.axis_y("normalised score", grid=True)
    if plot.y[0] < 0 < plot.y[1]:
        plot.level(0.0, "zero")
    for point in points:
        path = shape(point.phenomenon, plot.across(point.rc), plot.down(point.score))
        said = element(
            "title",
            str(Markup.escape(f"{point.name}: RC {coefficient(point.rc)}, score {number(point.score, 2)}")),
        )
        mark = element("path", said, d=path, class_=f"mark {model_class(place)}")
        # Hundreds of stops of the tab key would bury the page's other links.
        plot.add("a", mark, href=f"#{point.anchor}", tabindex="-1")
    return plot.svg()


@dataclass(frozen=True)
class ModelPoint:
    """A model in `accuracy_plot`."""

    name: str
    accuracy: float
    rc: float
    sem: float | None


def accuracy_plot(points: Sequence[ModelPoint | None], what: str) -> Markup:
    """Mean RC (y, with one standard error either way) against accuracy (x) over models."""
    found = [point for point in points if point is not None]
    ends = [point.rc + sign * (point.sem or 0.0) for point in found for sign in (-1, 1)]
    said = "; ".join(
        f"{point.name} accuracy {percent(point.accuracy)}, RC {coefficient(point.rc)}" for point in found
    )
    plot = Plot(
        f"Mean rank correlation against {what} of {len(found)} models: {said}.",
        around([100 * point.accuracy for point in found], 0.25),
        around(ends, 0.2),
        left=58,
        height=290,
    )
    plot.axis_x(f"{what}, %", grid=True)
    plot.axis_y("mean RC", grid=True)
    middle = sum(plot.x) / 2
    for place, point in enumerate(points):
        if point is None:
            continue
        x, colour = 100 * point.accuracy, model_class(place)
        if point.sem is not None:
            plot.upright(x, f"interval {colour}", point.rc - point.sem, point.rc + point.sem)
        plot.add("path", d=shape(place, plot.across(x), plot.down(point.rc), 5.5), class_=f"mark {colour}")
        side, away = ("end", -11) if x > middle else ("", 11)
        plot.write(x, point.rc, point.name, f"strong {side}".strip(), dx=away, dy=4)
    return plot.svg()


def density_plot(phenomenon: str, scores: Mapping[int, Float64[np.ndarray, " items"]]) -> Markup:
    """Densities of normalised scores, by the place of each model; right of zero the caption is preferred.

    Gaussian kernels with Scott's bandwidth; every curve encloses the same area. Models whose scores do not
    vary have none.
    """
    from scipy.stats import gaussian_kde

    varied = {place: values for place, values in scores.items() if len(values) > 1 and np.ptp(values) > 0}
    together = np.concatenate([*varied.values(), np.zeros(1)])
    low, high = np.quantile(together, [0.002, 0.998]).tolist()
    limits = around([low, high], 0.12)
    grid = np.linspace(*limits, POINTS)
    curves = {place: gaussian_kde(values)(grid) for place, values in varied.items()}
    tallest = max((float(curve.max()) for curve in curves.values()), default=1.0)
    plot = Plot(
        f"Densities of normalised scores on {phenomenon} for {len(varied)} models.",
        limits,
        (0.0, 1.1 * tallest),
        height=210,
        left=16,
    )
    for place, curve in curves.items():
        plot.curve(grid, curve, f"area {model_class(place)}", filled=True)
    for place, curve in curves.items():
        plot.curve(grid, curve, f"line {model_class(place)} {dash_class(place)}")
    plot.upright(0.0, "zero")
    plot.axis_x("normalised score")
    return plot.svg()


def dash_class(place: int) -> str:
    """The style class of a model's lines by its place among the models."""
    return DASHES[place % len(DASHES)]
