"""RQ2: do models score higher where, and when, they look where people look?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hlx.report.gallery import anchor
from hlx.report.numbers import coefficient, number, percent, probability
from hlx.report.overview import phenomena
from hlx.report.parts import (
    Figure,
    Section,
    figures_part,
    heading,
    model_lines,
    paragraph,
    phenomenon_marks,
    table_part,
)
from hlx.report.relations import ModelPoint, Point, accuracy_plot, density_plot, score_scatter
from hlx.report.tables import Cell, Column, Summary, Table, digits, model_cell, whole
from hlx.study import Analysis


def question_two_one(analysis: Analysis, summary: Summary) -> Section:
    """RC and normalised score, over stimuli."""
    study = analysis.study
    kinds = phenomena(study)
    figures = []
    for place, model in enumerate(study.models):
        own, points = analysis.models[model.name], []
        for k, name in enumerate(study.stimuli):
            rc, score = float(own.rc[k]), float(own.normalised_f[k])
            if np.isfinite(rc) and np.isfinite(score):
                kind = study.about[name].phenomenon if name in study.about else None
                points.append(Point(rc, score, kinds.index(kind) if kind in kinds else 0, name, anchor(k)))
        if points:
            rho = summary.value("models", model.name, "rho")
            figures.append(Figure(score_scatter(model.name, place, points, rho), model.name, place=place))
    names = [model.name for model in study.models]
    parts = [
        paragraph(
            "The normalised score of a stimulus is f, the score of its caption less that of its foil, over "
            "the standard deviation of f on the benchmark. Spearman's rho says whether stimuli with more "
            "human-like maps have higher scores. A point leads to its stimulus in the gallery."
        ),
        table_part(_rhos(names, summary)),
    ]
    if len(kinds) > 1:
        parts.append(phenomenon_marks(kinds))
    if figures:
        parts.append(figures_part(figures))
    return Section("rq2-1", "RQ2.1: do models score higher where they look as people do?", parts)


def question_two_two(analysis: Analysis, summary: Summary) -> Section:
    """Mean RC and accuracy, over models; accuracies and scores by phenomenon."""
    names = [model.name for model in analysis.study.models]
    parts = [
        paragraph(
            "Accuracy is the share of items whose caption scores above their foil: pooled over all items, or "
            "the mean of the phenomena's accuracies (macro).",
            ""
            if len(names) > 2
            else "With fewer than three models no relation between mean RC and accuracy can be told.",
        ),
        table_part(_accuracies(names, summary)),
    ]
    drawn = []
    for key, what in (("accuracy_pooled", "pooled accuracy"), ("accuracy_macro", "macro accuracy")):
        points = [_model_point(name, key, summary) for name in names]
        if any(point is not None for point in points):
            drawn.append(
                Figure(accuracy_plot(points, what), caption="Lines: one standard error of the mean RC.")
            )
    if drawn:
        parts.append(figures_part(drawn))
    densities = _densities(analysis, summary)
    if densities:
        parts += [
            heading("Scores by phenomenon"),
            paragraph("Densities of the normalised score; items right of zero are answered correctly."),
            model_lines(names),
            figures_part(densities),
        ]
    return Section("rq2-2", "RQ2.2: are more human-like models more accurate?", parts)


def _model_point(name: str, key: str, summary: Summary) -> ModelPoint | None:
    accuracy, rc = summary.value("models", name, key), summary.value("models", name, "rc_mean")
    if accuracy is None or rc is None:
        return None
    return ModelPoint(name, accuracy, rc, summary.value("models", name, "rc_sem"))


def _densities(analysis: Analysis, summary: Summary) -> list[Figure]:
    models = analysis.study.models
    scores: dict[str, dict[int, np.ndarray]] = {}
    for place, model in enumerate(models):
        sd = summary.value("models", model.name, "score_sd")
        if model.benchmark is None or not sd:
            continue
        kinds = np.array(model.benchmark.phenomena)
        for kind in dict.fromkeys(model.benchmark.phenomena):
            scores.setdefault(kind, {})[place] = model.benchmark.f[kinds == kind] / sd
    return [
        Figure(density_plot(kind, found), kind, f"{max(map(len, found.values())):,} items")
        for kind, found in sorted(scores.items())
    ]


def _rhos(names: Sequence[str], summary: Summary) -> Table:
    rho = digits(coefficient, 4)
    columns = [
        Column("Model", left=True),
        Column("n", "stimuli with an RC and a score"),
        Column("rho", "Spearman's rank correlation of RC and normalised score"),
        Column("p", "two-sided"),
        Column("sd of f", "standard deviation (ddof 0) of f on the benchmark, which normalises"),
    ]
    rows = [
        [
            model_cell(name, place),
            summary.cell(whole, "models", name, "rho_n"),
            summary.cell(rho, "models", name, "rho"),
            summary.cell(probability, "models", name, "rho_p"),
            summary.cell(digits(number, 4), "models", name, "score_sd"),
        ]
        for place, name in enumerate(names)
    ]
    return Table("Rank correlation of RC and normalised score over stimuli.", columns, rows)


def _accuracies(names: Sequence[str], summary: Summary) -> Table:
    kinds = sorted({kind for name in names for kind in summary.get("models", name, "accuracy") or {}})
    columns = [
        Column("Model", left=True),
        Column("mean RC"),
        Column("pooled", "share of all items"),
        Column("macro", "mean over phenomena"),
        *(Column(kind) for kind in kinds),
    ]
    rows: list[list[Cell]] = []
    for place, name in enumerate(names):
        at = ("models", name)
        rows.append(
            [
                model_cell(name, place),
                summary.cell(digits(coefficient, 4), *at, "rc_mean"),
                summary.cell(percent, *at, "accuracy_pooled"),
                summary.cell(percent, *at, "accuracy_macro"),
                *(summary.cell(percent, *at, "accuracy", kind) for kind in kinds),
            ]
        )
    groups = [("", 2), ("accuracy", 2 + len(kinds))]
    return Table("Accuracy beside mean RC.", columns, rows, groups)
