"""RQ1: are the maps of models like those of people, and like what else?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float64
from markupsafe import Markup, escape

from hlx.alignment.analysis import Analysis, ModelAnalysis
from hlx.alignment.compare import Comparison
from hlx.alignment.maps import MEASURES
from hlx.report.kit.colours import model_class
from hlx.report.kit.numbers import coefficient, number, probability, share_of_shuffles, whole
from hlx.report.kit.sections import Figure, Part, Section, figures_part, heading, line, paragraph, table_part
from hlx.report.kit.svg import Limits, Plot, around
from hlx.report.kit.tables import (
    ENDS,
    FOUR,
    Cell,
    Column,
    Table,
    model_cell,
    model_rows,
    number_cell,
    table_of,
    text,
    to_digits,
)

BASELINES = ("uniform", "centre bias", "mean human map")

CEILINGS = {
    "leave-one-out": "the mean map of the other participants as a model of each",
    "split-half": "correlation of halves of the people, stepped up to all (Spearman and Brown)",
}
"""Kinds of noise ceilings, and what they are."""

BINS = np.linspace(-1, 1, 21)

LINE, LETTER = 15.0, 6.8
"""Of a drawing's text: from line to line, and a letter's width at most on average."""

TESTS: tuple[Column[ModelAnalysis], ...] = (
    Column("n", "stimuli with a defined RC", lambda one: one.rc.n, whole),
    Column("mean RC", "", lambda one: one.rc.mean, FOUR),
    Column("SEM", "standard error of the mean", lambda one: one.rc.sem, FOUR),
    Column("95% interval", "BCa bootstrap interval of the mean", lambda one: one.rc_interval, ENDS),
    Column(
        "d",
        "effect size d_z: mean RC over its standard deviation",
        lambda one: one.rc.cohen_d,
        to_digits(number, 2),
    ),
    Column("t", "", lambda one: one.rc.t, number),
    Column("p", "of the two-sided one-sample t-test", lambda one: one.rc.p, probability),
    Column("random", "mean RC of random pairings", lambda one: one.permutation.null_mean, FOUR),
    Column(
        "b/n",
        "share of random pairings at least as high as the true one, as the study's code has it",
        lambda one: Cell(
            share_of_shuffles(one.permutation.exceeding, one.permutation.shuffles), one.permutation.p
        ),
    ),
    Column(
        "(b+1)/(n+1)",
        "the same, counting the true pairing among them: never zero",
        lambda one: one.permutation.p_corrected,
        probability,
    ),
    Column(
        "EMD", "mean earth mover's distance in grid cells; lower is better", lambda one: one.emd_mean, FOUR
    ),
)


def similarity_section(analysis: Analysis, comparisons: Mapping[str, Comparison]) -> Section:
    """Rank correlations, their tests and distributions."""
    histograms, nulls = [], []
    for place, (name, own) in enumerate(analysis.models.items()):
        shuffled = comparisons[name].measures["RC"].shuffled if name in comparisons else None
        histograms.append(Figure(rc_histogram(name, place, own.by_stimulus.rc, shuffled), name, place=place))
        nulls.append(
            Figure(null_histogram(name, place, own.permutation.null, own.rc.mean), name, place=place)
        )
    groups = [("", 6), ("t-test against zero", 2), ("permutation test", 3), ("", 1)]
    tests = table_of(
        "Similarity of model maps and human maps.", "Model", TESTS, model_rows(analysis.models), groups
    )
    return Section(
        "rq1",
        "RQ1: do models look where people look?",
        [
            paragraph(
                "RC is Spearman's rank correlation between the magnitude of a model's map and the human "
                "map of the same stimulus: 1 where they rank all regions alike, 0 where knowing one says "
                "nothing of the other. The t-test asks whether the mean RC differs from zero. The "
                "permutation test asks more: whether maps fit the people who saw the same image better than "
                "people who saw another."
            ),
            table_part(tests),
            heading("RC of the stimuli"),
            paragraph(
                "Bars: stimuli, as shares of all. Line: the same maps paired with the human maps of other "
                "stimuli, which is what looking at the same places in every image earns."
            ),
            Part("legend", [(line("chance line"), "pairs of different stimuli")]),
            figures_part(histograms),
            heading("Mean RC under random pairing"),
            paragraph(
                "Grey: the mean RC when model maps and human maps are paired at random, once per shuffle. "
                "Coloured line: the true pairing. Where it lies outside the grey, the fit is to this image."
            ),
            figures_part(nulls),
        ],
    )


def baselines_section(analysis: Analysis, comparisons: Mapping[str, Comparison]) -> Section:
    """What the similarities are worth: every measure beside baselines that know nothing of any model."""
    if not comparisons:
        return Section("baselines", "Compared with what?", [])
    names = [name for name in analysis.models if name in comparisons]
    found = [comparisons[name] for name in names]
    models = {name: analysis.models[name] for name in names}
    parts = [
        paragraph(
            "A similarity means little by itself. Centre bias is a Gaussian in the middle of every image; "
            "the mean human map is that of all other stimuli, so it knows where people tend to look "
            "and nothing of this image; the ceiling is how well people predict each other on this image. One "
            "person's map is noisier than a mean of many, so that smooth maps may pass the ceiling of one."
        ),
        Part(
            "figure",
            Figure(
                rc_ladder(models, _landmarks(found[0])),
                caption="Filled: mean RC of the true pairing, 95% interval. Hollow: of random pairings.",
                broad=True,
            ),
        ),
        table_part(_measures(names, found)),
    ]
    if any(comparison.partial_rc for comparison in found):
        parts += [heading("What is left of RC"), table_part(_partial(names, found))]
    return Section("baselines", "Compared with what?", parts)


def _landmarks(comparison: Comparison) -> dict[str, float]:
    places = {name: mean_of(values) for name, values in comparison.measures["RC"].baselines.items()}
    places |= {name: mean_of(values) for name, values in comparison.ceilings.items() if "RC" in name}
    return {name: value for name, value in places.items() if value is not None}


def _measures(names: Sequence[str], comparisons: Sequence[Comparison]) -> Table:
    baselines = [name for name in BASELINES if name in comparisons[0].measures["RC"].baselines]
    columns: list[Column[None]] = [Column("Measure", left=True), Column("better", left=True)]
    groups = [("", 2)]
    for name in names:
        columns += [
            Column("own", "with the human map of the same stimulus"),
            Column("others'", "of other stimuli"),
        ]
        groups.append((name, 2))
    columns += [Column(name) for name in baselines]
    groups.append(("without any model", len(baselines)))
    people = comparisons[0].ceilings
    kinds = {kind: said for kind, said in CEILINGS.items() if any(name.startswith(kind) for name in people)}
    if kinds:
        columns += [Column(kind, said) for kind, said in kinds.items()]
        groups.append(("people themselves", len(kinds)))
    rows = []
    for measure in comparisons[0].measures:
        row = [text(measure), text(MEASURES[measure].better)]
        for comparison in comparisons:
            result = comparison.measures[measure]
            row += [_mean(result.matched), _mean(result.shuffled)]
        own = comparisons[0].measures[measure].baselines
        row += [_mean(own.get(name)) for name in baselines]
        rows.append([*row, *(_mean(people.get(f"{kind} {measure}")) for kind in kinds)])
    said = "Means over stimuli; own: with the human map of the same stimulus, others': of other stimuli."
    return Table(said, columns, rows, groups)


def _mean(values: Float64[np.ndarray, "*shape"] | None) -> Cell:
    return number_cell(None if values is None else mean_of(values), coefficient)


def _partial(names: Sequence[str], comparisons: Sequence[Comparison]) -> Table:
    given = list(comparisons[0].partial_rc)
    rows = [
        [model_cell(name, place), *(_mean(comparison.partial_rc[one]) for one in given)]
        for place, (name, comparison) in enumerate(zip(names, comparisons, strict=True))
    ]
    columns: list[Column[None]] = [Column("Model", left=True), *(Column(f"given {one}") for one in given)]
    return Table("Mean partial RC: what is left once the baseline's map is held constant.", columns, rows)


def mean_of(values: Float64[np.ndarray, "*shape"]) -> float | None:
    """The mean of what is defined; None where nothing is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None


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


def rc_ladder(models: Mapping[str, ModelAnalysis], landmarks: Mapping[str, float]) -> Markup:
    """Every model's mean RC with its interval on one axis, among the landmarks, which are upright lines."""
    ends = [one.rc_interval for one in models.values() if one.rc_interval is not None]
    values = [one.rc.mean for one in models.values()] + [end for one in ends for end in (one.low, one.high)]
    values += [one.permutation.null_mean for one in models.values()]
    low, high = around([*values, *landmarks.values(), 0.0])
    left, right, width, row = 120.0, 24.0, 760.0, 40.0
    lines = _staggered(landmarks, (low, high), width - left - right)
    top = 10.0 + LINE * (1 + max(lines.values(), default=0))
    said = "; ".join(f"{name} {coefficient(one.rc.mean)}" for name, one in models.items())
    marked = "; ".join(f"{name} {coefficient(value)}" for name, value in landmarks.items())
    plot = Plot(
        f"Mean rank correlations: {said}. Beside them: {marked or 'nothing'}.",
        (low, high),
        (0.0, float(len(models))),
        width=width,
        height=top + row * len(models) + 46,
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
    for place, (name, one) in enumerate(models.items()):
        y = len(models) - place - 0.5
        plot.add("text", str(escape(name)), x=left - 12, y=plot.down(y) + 4, class_="strong end")
        plot.mark(0, one.permutation.null_mean, y, "chance hollow", 4.5)
        if one.rc_interval is not None:
            plot.level(y, f"interval {model_class(place)}", one.rc_interval.low, one.rc_interval.high)
        plot.mark(place, one.rc.mean, y, f"mark {model_class(place)}")
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
