"""RQ2: do models score higher where, and when, they look where people look?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from markupsafe import Markup

from hlx.alignment.analysis import Analysis, ModelAnalysis
from hlx.report.kit.colours import dash_class, model_class
from hlx.report.kit.numbers import coefficient, number, percent, probability, whole
from hlx.report.kit.sections import (
    Figure,
    Section,
    figures_part,
    heading,
    marks,
    model_lines,
    paragraph,
    table_part,
)
from hlx.report.kit.svg import Plot, around, element, shape
from hlx.report.kit.tables import FOUR, Column, Table, model_rows, table_of, to_digits
from hlx.report.pages.gallery import anchor

POINTS = 200
"""Of a density's curve."""

RHOS: tuple[Column[ModelAnalysis], ...] = (
    Column("n", "stimuli with an RC and a score", lambda one: one.rho.n, whole),
    Column(
        "rho", "Spearman's rank correlation of RC and normalised score", lambda one: one.rho.coefficient, FOUR
    ),
    Column("p", "two-sided", lambda one: one.rho.p, probability),
    Column(
        "sd of f",
        "standard deviation (ddof 0) of f on the benchmark, which normalises",
        lambda one: one.scores.deviation,
        to_digits(number, 4),
    ),
)


def score_section(analysis: Analysis) -> Section:
    """RC and normalised score, over stimuli."""
    kinds = analysis.study.phenomena()
    figures = []
    for place, (name, own) in enumerate(analysis.models.items()):
        points = []
        for k, stimulus in enumerate(analysis.study.stimuli):
            rc, score = float(own.by_stimulus.rc[k]), float(own.by_stimulus.normalised_f[k])
            if np.isfinite(rc) and np.isfinite(score):
                kind = analysis.study.phenomenon(stimulus)
                points.append(
                    Point(rc, score, kinds.index(kind) if kind is not None else 0, stimulus, anchor(k))
                )
        if points:
            rho = own.rho.coefficient
            figures.append(Figure(score_scatter(name, place, points, rho), name, place=place))
    said = "Rank correlation of RC and normalised score over stimuli."
    parts = [
        paragraph(
            "The normalised score of a stimulus is f, the score of its caption less that of its foil, over "
            "the standard deviation of f on the benchmark. Spearman's rho says whether stimuli with more "
            "human-like maps have higher scores. A point leads to its stimulus in the gallery."
        ),
        table_part(table_of(said, "Model", RHOS, model_rows(analysis.models))),
    ]
    if len(kinds) > 1:
        parts.append(marks(kinds))
    if figures:
        parts.append(figures_part(figures))
    return Section("rq2-1", "RQ2.1: do models score higher where they look as people do?", parts)


def accuracy_section(analysis: Analysis) -> Section:
    """Mean RC and accuracy, over models; accuracies and scores by phenomenon."""
    names = list(analysis.models)
    parts = [
        paragraph(
            "Accuracy is the share of items whose caption scores above their foil: pooled over all items, or "
            "the mean of the phenomena's accuracies (macro).",
            ""
            if len(names) > 2
            else "With fewer than three models no relation between mean RC and accuracy can be told.",
        ),
        table_part(_accuracies(analysis)),
    ]
    scores = {name: one.scores for name, one in analysis.models.items()}
    pooled = {name: one.accuracy_pooled for name, one in scores.items()}
    macro = {name: one.accuracy_macro for name, one in scores.items()}
    drawn = []
    for accuracies, what in ((pooled, "pooled accuracy"), (macro, "macro accuracy")):
        known = {name: accuracy for name, accuracy in accuracies.items() if accuracy is not None}
        if known:
            drawing = accuracy_plot(analysis.models, known, what)
            drawn.append(Figure(drawing, caption="Lines: one standard error of the mean RC."))
    if drawn:
        parts.append(figures_part(drawn))
    densities = _densities(analysis)
    if densities:
        parts += [
            heading("Scores by phenomenon"),
            paragraph("Densities of the normalised score; items right of zero are answered correctly."),
            model_lines(names),
            figures_part(densities),
        ]
    return Section("rq2-2", "RQ2.2: are more human-like models more accurate?", parts)


def _densities(analysis: Analysis) -> list[Figure]:
    scores: dict[str, dict[int, np.ndarray]] = {}
    for place, model in enumerate(analysis.study.models):
        benchmark = model.benchmark
        if benchmark is None or not benchmark.deviation:
            continue
        kinds = np.array(benchmark.phenomena)
        for kind in dict.fromkeys(benchmark.phenomena):
            scores.setdefault(kind, {})[place] = benchmark.f[kinds == kind] / benchmark.deviation
    return [
        Figure(density_plot(kind, found), kind, f"{max(map(len, found.values())):,} items")
        for kind, found in sorted(scores.items())
    ]


def _accuracies(analysis: Analysis) -> Table:
    kinds = sorted({kind for one in analysis.models.values() for kind in one.scores.accuracy})
    columns: list[Column[ModelAnalysis]] = [
        Column("mean RC", "", lambda one: one.rc.mean, FOUR),
        Column("pooled", "share of all items", lambda one: one.scores.accuracy_pooled, percent),
        Column("macro", "mean over phenomena", lambda one: one.scores.accuracy_macro, percent),
        *map(_accuracy_of, kinds),
    ]
    return table_of(
        "Accuracy beside mean RC.",
        "Model",
        columns,
        model_rows(analysis.models),
        [("", 2), ("accuracy", 2 + len(kinds))],
    )


def _accuracy_of(kind: str) -> Column[ModelAnalysis]:
    return Column(kind, "", lambda one: one.scores.accuracy.get(kind), percent)


@dataclass(frozen=True)
class Point:
    """A stimulus in `score_scatter`: where it lies, the number of its phenomenon, its id and its anchor."""

    rc: float
    score: float
    kind: int
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
        path = shape(point.kind, plot.across(point.rc), plot.down(point.score))
        said = element(
            "title",
            str(Markup.escape(f"{point.name}: RC {coefficient(point.rc)}, score {number(point.score, 2)}")),
        )
        mark = element("path", said, d=path, class_=f"mark {model_class(place)}")
        # Hundreds of stops of the tab key would bury the page's other links.
        plot.add("a", mark, href=f"#{point.anchor}", tabindex="-1")
    return plot.svg()


def accuracy_plot(models: Mapping[str, ModelAnalysis], accuracies: Mapping[str, float], what: str) -> Markup:
    """Mean RC (y, with one standard error either way) against accuracy (x) of the models that have one."""
    tests = {name: models[name].rc for name in accuracies}
    said = "; ".join(
        f"{name} accuracy {percent(accuracies[name])}, RC {coefficient(one.mean)}"
        for name, one in tests.items()
    )
    plot = Plot(
        f"Mean rank correlation against {what} of {len(tests)} models: {said}.",
        around([100 * accuracy for accuracy in accuracies.values()], 0.25),
        around([one.mean + sign * one.sem for one in tests.values() for sign in (-1, 1)], 0.2),
        left=58,
        height=290,
    )
    plot.axis_x(f"{what}, %", grid=True)
    plot.axis_y("mean RC", grid=True)
    middle = sum(plot.x) / 2
    for place, name in enumerate(models):
        if name not in accuracies:
            continue
        x, rc, colour = 100 * accuracies[name], tests[name], model_class(place)
        plot.upright(x, f"interval {colour}", rc.mean - rc.sem, rc.mean + rc.sem)
        plot.mark(place, x, rc.mean, f"mark {colour}")
        side, away = ("end", -11) if x > middle else ("", 11)
        plot.write(x, rc.mean, name, f"strong {side}".strip(), dx=away, dy=4)
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
