"""The tables of a sweep's page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from hlx.estimators import EXACT
from hlx.report.kit.numbers import coefficient, interval, number, percent, whole
from hlx.report.kit.tables import TWO, Cell, Column, Table, model_cell, table_of, text, to_digits
from hlx.report.pages.sweep_findings import mean_over, pairs_of_backgrounds, seconds
from hlx.sweep.across_settings.agreement import Agreement, BackgroundAgreement, GridAgreement, Mean
from hlx.sweep.across_settings.estimator_error import Cost, EstimatorError, way_of
from hlx.sweep.across_settings.settings_comparison import SweepComparison
from hlx.sweep.results.rows import Missing
from hlx.sweep.results.sweep_maps import grouped

TWO_ENDS = to_digits(interval, 2)

OfModel = TypeVar("OfModel", BackgroundAgreement, Cost, Missing)

COSTS: tuple[Column[Cost], ...] = (
    Column("Regions", "", lambda cost: cost.regions, left=True),
    Column(
        "players",
        "regions of a map, on average",
        lambda cost: cost.n_players,
        lambda value: number(value, 0 if float(value).is_integer() else 1),
    ),
    Column("maps", "", lambda cost: cost.jobs, whole),
    Column("evaluations", "distinct coalitions of a map, on average", lambda cost: cost.evaluations, whole),
    Column(
        "a map",
        "the median; what an image's maps took together is shared out equally among them",
        lambda cost: cost.seconds,
        seconds,
    ),
    Column("in all", "", lambda cost: cost.total_seconds, seconds),
)
MISSING: tuple[Column[Missing], ...] = (
    Column("asked", "", lambda model: model.asked, whole),
    Column("missing", "", lambda model: model.missing, whole),
    Column("failed", "", lambda model: sum(model.failed.values()), whole),
    Column("not tried", "", lambda model: model.missing - sum(model.failed.values()), whole),
)
BACKGROUNDS: tuple[Column[BackgroundAgreement], ...] = (
    Column("Regions", "", lambda pair: pair.regions, left=True),
    Column("Backgrounds", "", lambda pair: f"{pair.first} and {pair.second}", left=True),
    Column("|phi|", "mean rank correlation of magnitudes", lambda pair: pair.agreement.rank.mean, TWO),
    Column("95% interval", "bootstrap over stimuli", lambda pair: pair.agreement.rank, TWO_ENDS),
    Column("phi", "mean rank correlation, signed", lambda pair: pair.agreement.rank_signed.mean, TWO),
    Column("95% interval", "bootstrap over stimuli", lambda pair: pair.agreement.rank_signed, TWO_ENDS),
    Column("cosine", "of phi with its sign", lambda pair: pair.agreement.cosine_signed.mean, TWO),
)


def settings_table(sweep: SweepComparison) -> Table:
    """A row for each setting, a pair of columns for each model."""

    def mean(label: str, which: Callable[[Agreement], Mean]) -> Callable[[list[GridAgreement]], float | None]:
        return lambda pairs: mean_over(
            [pair for pair in pairs if pair.model == label], lambda pair: which(pair.agreement).mean
        )

    columns: list[Column[list[GridAgreement]]] = [
        Column("pairs", "of grids", lambda pairs: len({(pair.first, pair.second) for pair in pairs}), whole)
    ]
    for label in sweep.labels:
        columns += [
            Column("|phi|", "", mean(label, lambda agreement: agreement.rank), TWO),
            Column("phi", "", mean(label, lambda agreement: agreement.rank_signed), TWO),
        ]
    rows = [
        (text(setting), pairs)
        for setting, pairs in grouped(sweep.across_grids, lambda pair: pair.setting).items()
    ]
    over = "pairs of grids and backgrounds" if len(sweep.backgrounds) > 1 else "pairs of grids"
    heads = [("", 2), *((label, 2) for label in sweep.labels)]
    caption = f"Rank correlation of maps on two grids, on average over {over}."
    return table_of(caption, "Estimator", columns, rows, heads)


def error_table(sweep: SweepComparison) -> Table:
    """A row for each estimator and budget on the same regions, of all models and backgrounds."""

    def mean(
        which: Callable[[EstimatorError], float | None],
    ) -> Callable[[list[EstimatorError]], float | None]:
        return lambda errors: mean_over(errors, which)

    columns: tuple[Column[list[EstimatorError]], ...] = (
        Column("Estimator", "", _estimator, left=True),
        Column("budget", "", lambda errors: errors[0].budget, whole, left=True),
        Column(
            "evaluations", "distinct coalitions, on average", mean(lambda error: error.evaluations), whole
        ),
        Column(
            "squared error",
            "over squared values",
            mean(lambda error: error.relative_squared_error.mean),
            to_digits(number, 4),
        ),
        Column(
            "rank",
            "Spearman's correlation with the exact values",
            mean(lambda error: error.rank.mean),
            coefficient,
        ),
        Column(
            "precision",
            "share of the largest fourth of |phi| that is among as many largest estimates",
            mean(lambda error: error.precision.mean),
            TWO,
        ),
        Column(
            "coverage",
            "share of players whose 95% interval holds the exact value",
            mean(lambda error: error.coverage.mean),
            percent,
        ),
    )
    rows = [
        (text(regions), errors)
        for (regions, _), errors in grouped(sweep.errors, lambda one: (one.regions, way_of(one))).items()
    ]
    over = " and ".join(
        what for what, many in (("models", sweep.models), ("backgrounds", sweep.backgrounds)) if len(many) > 1
    )
    caption = f"Estimators at each budget, on average{f' over {over}' if over else ''}."
    return table_of(caption, "Regions", columns, rows)


def background_table(sweep: SweepComparison) -> Table:
    """A row for each model, regions and pair of backgrounds, under the setting with the most of them."""
    pairs = pairs_of_backgrounds(sweep)
    caption = f"Maps of one stimulus under two backgrounds, {pairs[0].setting}: rank correlations and cosine."
    return table_of(caption, "Model", BACKGROUNDS, _by_model(sweep, pairs))


def cost_table(sweep: SweepComparison) -> Table:
    """A row for each model and regions."""
    caption = "What maps took, of all estimators and backgrounds; maps that several stimuli share count once."
    return table_of(caption, "Model", COSTS, _by_model(sweep, sweep.costs))


def missing_table(sweep: SweepComparison) -> Table:
    """A row for each model that lacks something."""
    caption = "Maps that the study asked for and does not have."
    return table_of(caption, "Model", MISSING, _by_model(sweep, sweep.lacking))


def _by_model(sweep: SweepComparison, results: Sequence[OfModel]) -> list[tuple[Cell, OfModel]]:
    return [(model_cell(one.model, sweep.labels.index(one.model)), one) for one in results]


def _estimator(errors: list[EstimatorError]) -> str:
    """Its name, with what it estimates if that is not Shapley values."""
    one = errors[0]
    named = one.estimator if one.kind == EXACT.estimates else f"{one.estimator} ({one.kind})"
    return named if one.tolerance is None else f"{named}, tolerance {one.tolerance}"
