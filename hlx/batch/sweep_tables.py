"""The tables of a sweep's page."""

from __future__ import annotations

from hlx.batch.sweep_findings import main_setting, mean_of, seconds
from hlx.estimators import EXACT
from hlx.report.numbers import coefficient, interval, number, percent
from hlx.report.tables import Cell, Column, Table, digits, model_cell, plain, text, whole
from hlx.sweep.across_settings.agreement import Mean
from hlx.sweep.across_settings.estimator_error import way_of
from hlx.sweep.across_settings.settings_comparison import SweepComparison
from hlx.sweep.results.sweep_maps import grouped

TWO = digits(coefficient, 2)


def settings_table(sweep: SweepComparison) -> Table:
    """A row for each setting, a pair of columns for each model."""
    groups = grouped(sweep.across_grids, lambda pair: pair.setting)
    columns = [
        Column("Estimator"),
        Column("pairs", "of grids"),
        *[Column("|phi|"), Column("phi")] * len(sweep.models),
    ]
    rows = []
    for setting, pairs in groups.items():
        row = [text(setting), _count(len({(pair.first, pair.second) for pair in pairs}))]
        by_model = grouped(pairs, lambda pair: pair.model)
        for label in sweep.labels:
            own = by_model.get(label, [])
            row.append(plain(mean_of(own, lambda pair: pair.agreement.rank.mean), TWO))
            row.append(plain(mean_of(own, lambda pair: pair.agreement.rank_signed.mean), TWO))
        rows.append(row)
    over = "pairs of grids and backgrounds" if len(sweep.backgrounds) > 1 else "pairs of grids"
    heads = [("", 2), *((label, 2) for label in sweep.labels)]
    return Table(f"Rank correlation of maps on two grids, on average over {over}.", columns, rows, heads)


def error_table(sweep: SweepComparison) -> Table:
    """A row for each estimator and budget on the same regions, of all models and backgrounds."""
    columns = [
        Column("Regions"),
        Column("Estimator", left=True),
        Column("budget"),
        Column("evaluations", "distinct coalitions, on average"),
        Column("squared error", "over squared values"),
        Column("rank", "Spearman's correlation with the exact values"),
        Column("precision", "share of the largest fourth of |phi| that is among as many largest estimates"),
        Column("coverage", "share of players whose 95% interval holds the exact value"),
    ]
    rows = []
    for (regions, (name, budget, tolerance)), errors in grouped(
        sweep.errors, lambda error: (error.regions, way_of(error))
    ).items():
        rows.append(
            [
                text(regions),
                text(_estimator(name, tolerance, errors[0].kind)),
                text(budget) if isinstance(budget, str) else _count(budget),
                plain(mean_of(errors, lambda error: error.evaluations), whole),
                plain(mean_of(errors, lambda error: error.relative_squared_error.mean), digits(number, 4)),
                plain(mean_of(errors, lambda error: error.rank.mean), digits(coefficient, 3)),
                plain(mean_of(errors, lambda error: error.precision.mean), TWO),
                plain(mean_of(errors, lambda error: error.coverage.mean), percent),
            ]
        )
    over = " and ".join(
        what for what, many in (("models", sweep.models), ("backgrounds", sweep.backgrounds)) if len(many) > 1
    )
    return Table(f"Estimators at each budget, on average{f' over {over}' if over else ''}.", columns, rows)


def background_table(sweep: SweepComparison) -> Table:
    """A row for each model, regions and pair of backgrounds, under the setting with the most of them."""
    setting = main_setting(sweep.across_backgrounds)
    pairs = [pair for pair in sweep.across_backgrounds if pair.setting == setting]
    columns = [
        Column("Model"),
        Column("Regions", left=True),
        Column("Backgrounds", left=True),
        *_agreement_columns(),
    ]
    rows = [
        [
            model_cell(pair.model, sweep.labels.index(pair.model)),
            text(pair.regions),
            text(f"{pair.first} and {pair.second}"),
            *_agreement_cells(pair.agreement.rank, pair.agreement.rank_signed, pair.agreement.cosine_signed),
        ]
        for pair in pairs
    ]
    caption = f"Maps of one stimulus under two backgrounds, {setting}: rank correlations and cosine."
    return Table(caption, columns, rows)


def cost_table(sweep: SweepComparison) -> Table:
    """A row for each model and regions."""
    columns = [
        Column("Model"),
        Column("Regions", left=True),
        Column("players", "regions of a map, on average"),
        Column("maps"),
        Column("evaluations", "distinct coalitions of a map, on average"),
        Column("a map", "the median; what an image's maps took together is shared out equally among them"),
        Column("in all"),
    ]
    rows = [
        [
            model_cell(cost.model, sweep.labels.index(cost.model)),
            text(cost.regions),
            plain(cost.n_players, lambda value: number(value, 0 if float(value or 0).is_integer() else 1)),
            _count(cost.jobs),
            plain(cost.evaluations, whole),
            *(
                plain(value, lambda known: seconds(known or 0.0))
                for value in (cost.seconds, cost.total_seconds)
            ),
        ]
        for cost in sweep.costs
    ]
    caption = "What maps took, of all estimators and backgrounds; maps that several stimuli share count once."
    return Table(caption, columns, rows)


def missing_table(sweep: SweepComparison) -> Table:
    """A row for each model that lacks something."""
    columns = [Column("Model"), Column("asked"), Column("missing"), Column("failed"), Column("not tried")]
    rows = []
    for model in sweep.lacking:
        failed = sum(model.failed.values())
        numbers = (model.asked, model.missing, failed, model.missing - failed)
        rows.append([model_cell(model.model, sweep.labels.index(model.model)), *map(_count, numbers)])
    return Table("Maps that the study asked for and does not have.", columns, rows)


def _estimator(name: str, tolerance: float | None, kind: str) -> str:
    """Its name, with what it estimates if that is not Shapley values."""
    named = name if kind == EXACT.estimates else f"{name} ({kind})"
    return named if tolerance is None else f"{named}, tolerance {tolerance}"


def _agreement_columns() -> list[Column]:
    return [
        Column("|phi|", "mean rank correlation of magnitudes"),
        Column("95% interval", "bootstrap over stimuli"),
        Column("phi", "mean rank correlation, signed"),
        Column("95% interval", "bootstrap over stimuli"),
        Column("cosine", "of phi with its sign"),
    ]


def _agreement_cells(rank: Mean, signed: Mean, cosine: Mean) -> list[Cell]:
    return [
        plain(rank.mean, TWO),
        _ends(rank, 2),
        plain(signed.mean, TWO),
        _ends(signed, 2),
        plain(cosine.mean, TWO),
    ]


def _ends(mean: Mean, places: int) -> Cell:
    return Cell(interval([mean.low, mean.high], places))


def _count(number: int | None) -> Cell:
    return plain(None if number is None else float(number), whole)
