"""The sections of a sweep's page."""

from __future__ import annotations

from hlx.io.messages import plural
from hlx.report.kit.sections import (
    Figure,
    Part,
    Section,
    figures_part,
    heading,
    model_lines,
    paragraph,
    table_part,
)
from hlx.report.pages.sweep_figures import MANY_GRIDS, Curve, heat_map, log_plot
from hlx.report.pages.sweep_findings import pairs_of_backgrounds, pairs_of_grids
from hlx.report.pages.sweep_tables import (
    background_table,
    cost_table,
    error_table,
    missing_table,
    settings_table,
)
from hlx.sweep.across_settings.agreement import GridAgreement
from hlx.sweep.across_settings.estimator_error import EstimatorError
from hlx.sweep.across_settings.settings_comparison import SweepComparison
from hlx.sweep.results.sweep_maps import grouped

COMMON = {
    "coarser": "the coarser of the two, so that neither is asked for detail that it cannot have",
    "finest": "that of the finest rows and columns in the study, for all pairs",
}
"""What is said of where maps of two grids meet."""

MOST_FIGURES = 24
"""Of a kind on a page; the tables and the summary hold the rest."""

MOST_REASONS = 20
"""Why units failed: so many reasons are told."""


def grids_section(sweep: SweepComparison) -> Section:
    """How maps on different grids agree: a heat map of each model and background, and means by setting."""
    parts: list[Part] = []
    if sweep.across_grids:
        met = COMMON.get(sweep.common, f"{sweep.common}, for all pairs")
        parts.append(
            paragraph(
                "Each pair of maps of one stimulus is brought to a common grid, every region's value spread "
                f"evenly over its area. That grid is {met}.",
                "Below the diagonal stands the rank correlation of the magnitudes |phi|, which are what is "
                "compared with people; above it that of phi with its sign. All are means over stimuli.",
            )
        )
        parts += _heat_maps(sweep)
        parts.append(table_part(settings_table(sweep)))
    return Section("grids", "Across patch grids", parts)


def errors_section(sweep: SweepComparison) -> Section:
    """Estimators against exact values: curves by evaluations, and the table."""
    if not sweep.errors:
        return Section("errors", "Estimators", [])
    estimators = list(dict.fromkeys(error.estimator for error in sweep.errors))
    finest = max(sweep.errors, key=lambda error: error.n_players).regions
    groups = grouped(
        [error for error in sweep.errors if error.regions == finest],
        lambda error: (error.model, error.background),
    )
    drawn = {}
    for (model, background), errors in list(groups.items())[:MOST_FIGURES]:
        curves = [
            Curve(name, estimators.index(name), points)
            for name, them in grouped(errors, lambda error: error.estimator).items()
            if (points := _points(them))
        ]
        if curves:
            drawn[model, background] = curves
    every = [curve for curves in drawn.values() for curve in curves]
    axes = "evaluations", "relative squared error"
    figures = [
        Figure(log_plot(title, *axes, curves, frame=every), title, place=sweep.labels.index(model))
        for (model, background), curves in drawn.items()
        for title in [_title(sweep, model, background)]
    ]
    curved = any(len(curve.points) > 1 for curve in every)
    lead = paragraph(
        "Where exact values are known, estimates of the same stimuli are compared with them: squared errors "
        "over squared values, both summed over players and stimuli.",
        "Bars are 95% bootstrap intervals over stimuli; both axes are logarithmic." if curved else "",
    )
    parts = [lead]
    if curved:
        parts += [heading(f"On {finest}"), model_lines(estimators), figures_part(figures)]
        parts += _left_out(len(groups))
    return Section("errors", "Estimators against exact values", [*parts, table_part(error_table(sweep))])


def backgrounds_section(sweep: SweepComparison) -> Section:
    """How maps under different backgrounds agree."""
    if not sweep.across_backgrounds:
        return Section("backgrounds", "Across backgrounds", [])
    setting = pairs_of_backgrounds(sweep)[0].setting
    lead = paragraph(
        "One stimulus, explained with hidden regions showing one thing or another.",
        "Sampled maps of one seed stand on the same coalitions under both, so that part of what they have in "
        "common is their error."
        if setting != "exact"
        else "",
    )
    return Section("backgrounds", "Across backgrounds", [lead, table_part(background_table(sweep))])


def cost_section(sweep: SweepComparison) -> Section:
    """Evaluations and seconds of a map by regions."""
    if not sweep.costs:
        return Section("cost", "Cost", [])
    names = {cost.n_players: cost.regions for cost in sorted(sweep.costs, key=lambda cost: cost.n_players)}
    figures = []
    for title, unit, key in (
        ("Seconds of a map", "seconds", "seconds"),
        ("Evaluations of a map", "evaluations", "evaluations"),
    ):
        drawn = []
        for model, costs in grouped(sweep.costs, lambda cost: cost.model).items():
            at = sorted(
                (cost.n_players, value, None, None)
                for cost in costs
                if (value := getattr(cost, key)) is not None
            )
            if at and all(value > 0 for _, value, *_ in at):
                drawn.append(Curve(model, sweep.labels.index(model), at))
        if drawn and len(names) > 1:
            figures.append(Figure(log_plot(title, "regions", unit, drawn, names), title))
    parts: list[Part] = []
    if figures:
        parts += [model_lines(sweep.labels), figures_part(figures)]
    return Section("cost", "Cost", [*parts, table_part(cost_table(sweep))])


def missing_section(sweep: SweepComparison) -> Section:
    """What has no result, and why."""
    if not sweep.lacking:
        return Section("missing", "What is missing", [])
    reasons = [
        f"{model.model}: {plural(count, 'map')}: {reason}"
        for model in sweep.lacking
        for reason, count in model.failed.items()
    ]
    parts = [table_part(missing_table(sweep))]
    if reasons:
        told = reasons[:MOST_REASONS]
        if len(reasons) > MOST_REASONS:
            told.append(f"and {plural(len(reasons) - MOST_REASONS, 'other reason')}")
        parts += [heading("Why maps failed"), Part("notes", told)]
    return Section("missing", "What is missing", parts)


def _heat_maps(sweep: SweepComparison) -> list[Part]:
    main = pairs_of_grids(sweep)
    groups = grouped(main, lambda pair: (pair.model, pair.background))
    parts: list[Part] = [heading(f"Rank correlation, {main[0].setting} maps")]
    figures = []
    for (model, background), pairs in list(groups.items())[:MOST_FIGURES]:
        grids = _grids(pairs)
        title = _title(sweep, model, background)
        broad = len(grids) > MANY_GRIDS
        figures.append(
            Figure(heat_map(title, grids, pairs), title, place=sweep.labels.index(model), broad=broad)
        )
    if any(figure.broad for figure in figures):
        parts += [Part("figure", figure) for figure in figures]
    else:
        parts.append(figures_part(figures))
    return [*parts, *_left_out(len(groups))]


def _title(sweep: SweepComparison, model: str, background: str) -> str:
    """Of a figure; one background goes without saying."""
    return f"{model}, {background}" if len(sweep.backgrounds) > 1 else model


def _left_out(count: int) -> list[Part]:
    more = count - MOST_FIGURES
    return (
        [paragraph(f"{plural(more, 'figure')} more would follow; the summary has the numbers.")]
        if more > 0
        else []
    )


def _grids(pairs: list[GridAgreement]) -> list[str]:
    """From coarse to fine, as the pairs come."""
    return list(dict.fromkeys([*(pair.first for pair in pairs), *(pair.second for pair in pairs)]))


def _points(errors: list[EstimatorError]) -> list[tuple[float, float, float | None, float | None]]:
    """Of a curve; an error of exactly zero has no place on a logarithmic axis."""
    return sorted(
        (error.evaluations, them.mean, them.low, them.high)
        for error in errors
        for them in [error.relative_squared_error]
        if them.mean
    )
