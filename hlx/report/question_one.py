"""RQ1: are the maps of models like those of people, and like what else?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float64

from hlx.alignment.compare import Comparison
from hlx.alignment.maps import MEASURES
from hlx.report.distributions import Rung, null_histogram, rc_histogram, rc_ladder
from hlx.report.numbers import UNDEFINED, coefficient, interval, number, probability, share_of_shuffles
from hlx.report.parts import (
    Figure,
    Part,
    Section,
    chance_line,
    figure_part,
    figures_part,
    heading,
    paragraph,
    table_part,
)
from hlx.report.tables import (
    Cell,
    Column,
    Summary,
    Table,
    digits,
    mean_of,
    model_cell,
    plain,
    pointer,
    text,
    whole,
)
from hlx.study import Analysis

RC_DIGITS = 4
"""As many as the reference study prints."""

BASELINES = ("uniform", "centre bias", "mean human map")

CEILINGS = {
    "leave-one-out": "the mean map of the other participants as a model of each",
    "split-half": "correlation of halves of the people, stepped up to all (Spearman and Brown)",
}
"""Kinds of noise ceilings, and what they are."""


def question_one(analysis: Analysis, summary: Summary, comparisons: Mapping[str, Comparison]) -> Section:
    """Rank correlations, their tests and distributions."""
    names = [model.name for model in analysis.study.models]
    histograms, nulls = [], []
    for place, name in enumerate(names):
        own = analysis.models[name]
        shuffled = comparisons[name].measures["RC"].shuffled if name in comparisons else None
        histograms.append(Figure(rc_histogram(name, place, own.rc, shuffled), name, place=place))
        observed = summary.value("models", name, "rc_mean")
        if observed is not None and len(own.null):
            nulls.append(Figure(null_histogram(name, place, own.null, observed), name, place=place))
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
            table_part(_tests(names, summary)),
            heading("RC of the stimuli"),
            paragraph(
                "Bars: stimuli, as shares of all. Line: the same maps paired with the human maps of other "
                "stimuli, which is what looking at the same places in every image earns."
            ),
            Part("legend", [(chance_line(), "pairs of different stimuli")]),
            figures_part(histograms),
            heading("Mean RC under random pairing"),
            paragraph(
                "Grey: the mean RC when model maps and human maps are paired at random, once per shuffle. "
                "Coloured line: the true pairing. Where it lies outside the grey, the fit is to this image."
            ),
            figures_part(nulls),
        ],
    )


def beside(analysis: Analysis, summary: Summary, comparisons: Mapping[str, Comparison]) -> Section:
    """What the similarities are worth: every measure beside baselines that know nothing of any model."""
    names = [model.name for model in analysis.study.models if model.name in comparisons]
    found = [comparisons[name] for name in names]
    rungs = [
        Rung(
            name,
            summary.value("models", name, "rc_mean"),
            *_interval(summary, name),
            summary.value("models", name, "permutation_null_mean"),
        )
        for name in names
    ]
    parts = [
        paragraph(
            "A similarity means little by itself. Centre bias is a Gaussian in the middle of every image; "
            "the mean human map is that of all other stimuli, so it knows where people tend to look "
            "and nothing of this image; the ceiling is how well people predict each other on this image. One "
            "person's map is noisier than a mean of many, so that smooth maps may pass the ceiling of one."
        ),
        figure_part(
            Figure(
                rc_ladder(rungs, _landmarks(found[0])),
                caption="Filled: mean RC of the true pairing, 95% interval. Hollow: of random pairings.",
                broad=True,
            )
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


def _interval(summary: Summary, name: str) -> tuple[float | None, float | None]:
    ends = summary.get("models", name, "rc_ci")
    return (float(ends[0]), float(ends[1])) if ends and None not in ends else (None, None)


def _tests(names: Sequence[str], summary: Summary) -> Table:
    rc = digits(coefficient, RC_DIGITS)
    columns = [
        Column("Model", left=True),
        Column("n", "stimuli with a defined RC"),
        Column("mean RC"),
        Column("SEM", "standard error of the mean"),
        Column("95% interval", "BCa bootstrap interval of the mean"),
        Column("d", "effect size d_z: mean RC over its standard deviation"),
        Column("t"),
        Column("p", "of the two-sided one-sample t-test"),
        Column("random", "mean RC of random pairings"),
        Column(
            "b/n", "share of random pairings at least as high as the true one, as the study's code has it"
        ),
        Column("(b+1)/(n+1)", "the same, counting the true pairing among them: never zero"),
        Column("EMD", "mean earth mover's distance in grid cells; lower is better"),
    ]
    rows = []
    for place, name in enumerate(names):
        at = ("models", name)
        between = Cell(interval(summary.get(*at, "rc_ci"), RC_DIGITS))
        rows.append(
            [
                model_cell(name, place),
                summary.cell(whole, *at, "n"),
                summary.cell(rc, *at, "rc_mean"),
                summary.cell(rc, *at, "rc_sem"),
                between,
                summary.cell(digits(number, 2), *at, "cohen_d"),
                summary.cell(digits(number, 3), *at, "t"),
                summary.cell(probability, *at, "t_p"),
                summary.cell(rc, *at, "permutation_null_mean"),
                _shuffles(name, summary),
                summary.cell(probability, *at, "permutation_p_corrected"),
                summary.cell(rc, *at, "emd_mean"),
            ]
        )
    groups = [("", 6), ("t-test against zero", 2), ("permutation test", 3), ("", 1)]
    return Table("Similarity of model maps and human maps.", columns, rows, groups)


def _shuffles(name: str, summary: Summary) -> Cell:
    """b/n, with both numbers: b may be zero."""
    keys = ("models", name, "permutation_p")
    exceeding, p = summary.get("models", name, "permutation_exceeding"), summary.value(*keys)
    if exceeding is None or p is None:
        return Cell(UNDEFINED)
    return Cell(share_of_shuffles(exceeding, summary.get("shuffles")), p, pointer(keys))


def _measures(names: Sequence[str], comparisons: Sequence[Comparison]) -> Table:
    baselines = [name for name in BASELINES if name in comparisons[0].measures["RC"].baselines]
    columns = [Column("Measure", left=True), Column("better", left=True)]
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
    return plain(None if values is None else mean_of(values), coefficient)


def _partial(names: Sequence[str], comparisons: Sequence[Comparison]) -> Table:
    given = list(comparisons[0].partial_rc)
    rows = [
        [model_cell(name, place), *(plain(mean_of(comparison.partial_rc[one]), coefficient) for one in given)]
        for place, (name, comparison) in enumerate(zip(names, comparisons, strict=True))
    ]
    columns = [Column("Model", left=True), *(Column(f"given {one}") for one in given)]
    return Table("Mean partial RC: what is left once the baseline's map is held constant.", columns, rows)
