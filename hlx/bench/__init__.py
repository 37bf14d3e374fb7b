"""Benchmarks of estimators: how far from the exact values, at what price, and do their intervals hold?

Games come from results, arrays, or a model with stimuli (`games`); their values are all known, so that
estimators are replayed on tables (`replay`) and judged against the exact Shapley values (`measures`). What
comes out is a `BenchmarkResult` (`result`), which is printed (`report`) and drawn (`plot`).
"""

from hlx.bench.benchmark_games import (
    BenchmarkGame,
    games_from_attributions,
    games_from_model,
    games_from_tables,
    read_games,
    stimuli_of,
)
from hlx.bench.error_plot import benchmark_figure, save_plot
from hlx.bench.error_tables import MEASURES, TITLES, markdown, report
from hlx.bench.replay import benchmark_estimators, default_budgets
from hlx.bench.result import BenchmarkResult, Ratio, Row, Summary, joined

__all__ = [
    "MEASURES",
    "TITLES",
    "BenchmarkGame",
    "BenchmarkResult",
    "Ratio",
    "Row",
    "Summary",
    "benchmark_estimators",
    "benchmark_figure",
    "default_budgets",
    "games_from_attributions",
    "games_from_model",
    "games_from_tables",
    "joined",
    "markdown",
    "read_games",
    "report",
    "save_plot",
    "stimuli_of",
]
