"""Benchmarks as text: one table per measure, estimators down and budgets across."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hlx.bench.result import REFERENCE, BenchmarkResult, Row, Summary
from hlx.errors import InputError
from hlx.io.messages import WIDTH, text_table


@dataclass(frozen=True)
class Measure:
    """What reports say of a measure.

    Attributes
    ----------
    title
        With its unit or range.
    better
        "lower" or "higher"; "" where neither is.
    """

    title: str
    better: str = ""


MEASURES = {
    "mse": Measure("mean squared error over players", "lower"),
    "mae": Measure("mean absolute error over players", "lower"),
    "relative_error": Measure("relative error ||estimate - phi|| / ||phi||", "lower"),
    "precision": Measure("Precision@k: share of the k largest |phi| among the k largest estimated", "higher"),
    "spearman": Measure("Spearman's rank correlation of the signed values", "higher"),
    "kendall": Measure("Kendall's tau-b of the signed values", "higher"),
    "coverage": Measure("share of players whose interval holds the true value"),
    "insertion": Measure("area under the insertion curve", "higher"),
    "deletion": Measure("area under the deletion curve", "lower"),
    "evaluations": Measure("distinct coalitions evaluated", "lower"),
    "sampling": Measure("seconds to plan; one plan serves all games", "lower"),
    "evaluation": Measure("seconds to evaluate the coalitions of one game", "lower"),
    "solving": Measure("seconds to solve one game, all games solved together", "lower"),
}
"""Everything a benchmark records, by name."""


DEFAULT_TABLES = ("mse", "ratio", "coverage", "seconds")

TITLES = {
    **{name: measure.title for name, measure in MEASURES.items()},
    "ratio": f"mean squared error over that of {REFERENCE}",
    "seconds": "seconds to plan, evaluate and solve one game, median",
}
"""Every table there is, by the name of its measure."""

NONE = "-"


def report(result: BenchmarkResult, tables: Sequence[str] = DEFAULT_TABLES, width: int = WIDTH) -> str:
    """The tables asked for, each with a line that says what it holds, and how many repeats they rest on.

    A table too wide is cut into blocks of budgets. The ratio is left out where its reference was not run.

    Raises
    ------
    InputError
        An unknown table.
    """
    unknown = [name for name in tables if name not in TITLES]
    if unknown:
        raise InputError(f"unknown measure {unknown[0]!r}; there are {', '.join(TITLES)}")
    blocks = [_head(result)]
    for name in tables:
        if name == "ratio" and REFERENCE not in {row.estimator for row in result.rows}:
            continue
        if not any(_cell(result, row, name) != NONE for row in result.rows):
            continue
        blocks.append(f"{_title(result, name)}\n{text_table(_cells(result, name), width)}")
    if "seconds" in tables:
        budget = max(row.budget for row in result.rows)
        means = "what the sweep took, compilation included" if result.model_seconds else "look values up"
        blocks.append(
            f"milliseconds at a budget of {budget:,}: to sample one plan, which serves all games,\n"
            f"and per game to evaluate ({means}) and to solve\n"
            + text_table(_split_cells(result, budget), width)
        )
    return "\n\n".join([*blocks, "\n".join(_notes(result, tables))])


def markdown(result: BenchmarkResult, table: str) -> str:
    """One table as Markdown."""
    head, *lines = _cells(result, table)
    rows = [head, ["---", *["---:"] * (len(head) - 1)], *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def uncertain(summary: Summary) -> str:
    """Mean, and in brackets its standard error in units of the last digit: 1.3(2)e-3 is 0.0013 +- 0.0002."""
    mean, sem = summary.mean, summary.sem
    if mean == 0:
        return "0"
    if not math.isfinite(mean):
        return f"{mean}"
    # Of the mean as it is printed, which may be rounded up to the next power of ten.
    power = int(f"{mean:.1e}".partition("e")[2])
    scaled = mean / 10.0**power
    if sem is None:
        return f"{scaled:.1f}e{power}"
    return f"{scaled:.1f}({math.ceil(sem / 10.0 ** (power - 1) - 1e-9):d})e{power}"


def _plain(digits: int, factor: float = 1.0) -> Callable[[Summary], str]:
    return lambda summary: f"{factor * summary.mean:.{digits}f}"


_FORMATS: dict[str, Callable[[Summary], str]] = {
    "relative_error": _plain(3),
    "precision": _plain(3),
    "spearman": _plain(3),
    "kendall": _plain(3),
    "coverage": _plain(1, 100.0),
    "insertion": _plain(4),
    "deletion": _plain(4),
    "evaluations": lambda summary: f"{summary.mean:,.0f}",
    "sampling": lambda summary: f"{summary.quartiles[1]:.1e}",
    "evaluation": lambda summary: f"{summary.quartiles[1]:.1e}",
    "solving": lambda summary: f"{summary.quartiles[1]:.1e}",
}


def _cell(result: BenchmarkResult, row: Row | None, table: str) -> str:
    if row is None:
        return NONE
    if table == "seconds":
        return f"{row.seconds:.1e}"
    if table == "ratio":
        ratio = result.ratio(row)
        return NONE if ratio is None else f"{ratio.value:.2f}" if ratio.value < 100 else f"{ratio.value:,.0f}"
    summary = row.summary(table)
    return NONE if summary is None else _FORMATS.get(table, uncertain)(summary)


def _cells(result: BenchmarkResult, table: str) -> list[list[str]]:
    lines = [["budget", *(f"{budget:,}" for budget in result.budgets)]]
    for name in result.estimators:
        rows = [result.row(name, budget) for budget in result.budgets]
        lines.append([_marked(result, name), *(_cell(result, row, table) for row in rows)])
    return lines


def _split_cells(result: BenchmarkResult, budget: int) -> list[list[str]]:
    parts = ("sampling", "evaluation", "solving")
    lines = [["", *parts]]
    for name in result.estimators:
        row = result.row(name, budget)
        if row is None:
            lines.append([name, *[NONE] * 3])
            continue
        medians = [s.quartiles[1] if (s := row.summary(part)) else None for part in parts]
        lines.append([name, *(NONE if m is None else f"{1e3 * m:.3g}" for m in medians)])
    return lines


def _title(result: BenchmarkResult, table: str) -> str:
    title = TITLES[table]
    if any(_cell(result, row, table) == NONE for row in result.rows):
        title += f", {NONE} where not known"
    if table == "precision":
        title = title.replace("@k", f"@{result.top}").replace("k largest", f"{result.top} largest")
    if table == "coverage":
        title = f"{title}, %; nominal {100 * result.level:g}%"
    better = MEASURES[table].better if table in MEASURES else "lower" if table == "ratio" else ""
    return f"{title} ({better} is better)" if better and table not in _SECONDS else title


_SECONDS = ("sampling", "evaluation", "solving", "seconds")


def _head(result: BenchmarkResult) -> str:
    players = sorted(set(result.n_players))
    how_many = f"{players[0]}" if len(players) == 1 else f"{players[0]} to {players[-1]}"
    ending = "s" * (players[-1] > 1)
    return f"{len(result.games)} game{'s' * (len(result.games) > 1)} of {how_many} player{ending}"


def _repeats(result: BenchmarkResult, name: str) -> tuple[int, ...]:
    return tuple(dict.fromkeys(row.repeats for row in result.rows if row.estimator == name))


def _usual_repeats(result: BenchmarkResult) -> tuple[int, ...]:
    every = [_repeats(result, name) for name in result.estimators if _repeats(result, name)]
    return max(every, key=every.count)


def _marked(result: BenchmarkResult, name: str) -> str:
    """A star after estimators of other repeats than most; the notes say how many."""
    own = _repeats(result, name)
    return f"{name}*" if own and own != _usual_repeats(result) else name


def _notes(result: BenchmarkResult, tables: Sequence[str]) -> list[str]:
    usual = _usual_repeats(result)
    lines = [
        f"repeats per game and budget: {_counts(usual)}; seeds from {result.seed}",
    ]
    if any(table not in (*_FORMATS, "ratio", "seconds") for table in tables):
        lines.append(
            "in brackets: standard error of the mean in units of the last digit, with games and "
            "repeats\nfor independent draws"
        )
    others: dict[tuple[int, ...], list[str]] = {}
    for name in result.estimators:
        if _marked(result, name) != name:
            others.setdefault(_repeats(result, name), []).append(name)
    for count, names in others.items():
        fixed = [name for name in names if name in result.deterministic]
        drawn = [name for name in names if name not in fixed]
        if fixed:
            lines.append(f"* run once, for nothing in it is random: {', '.join(fixed)}")
        if drawn:
            lines.append(f"* {_counts(count)} repeat{'s' * (count != (1,))}: {', '.join(drawn)}")
    least = {s.estimator: s.min_budget for s in result.skipped}
    if least:
        needs = ", ".join(f"{name} {budget:,}" for name, budget in least.items())
        lines.append(f"{NONE} below the least budget: {needs}")
    unplaced = result.uses_adjacency
    if unplaced and None in result.regions:
        lines.append(
            f"where players lie is not known: {', '.join(unplaced)} ran without neighbours "
            '(grid="ROWSxCOLS" tells)'
        )
    return lines


def _counts(repeats: tuple[int, ...]) -> str:
    return " or ".join(str(count) for count in repeats)
