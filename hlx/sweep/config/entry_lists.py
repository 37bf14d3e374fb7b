"""The entries of a sweep file's lists read: texts and tables in, what they ask for out, problems gathered."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hlx.errors import InputError
from hlx.estimators import ESTIMATORS
from hlx.models.callable_model import is_callable_spec
from hlx.models.devices import check_device
from hlx.models.hub import EMBEDDED
from hlx.models.load import DTYPES, ENGINES
from hlx.regions import Grid
from hlx.sweep.config.entries import STEM, Budget, EstimatorEntry, ModelEntry, RegionsEntry
from hlx.sweep.config.problems import MOST, Problems, Table, kind_of, nearest

MOST_GRIDS = 100
"""Of one range."""

LONGEST_LABEL = 100
"""In bytes, as file systems count: a label becomes part of the names of files."""

Absolute = Callable[[str], Path]
"""A path of the sweep file, by the folder that it is relative to."""


def read_model(
    value: Any, place: str, problems: Problems, dtype: str, absolute: Absolute
) -> ModelEntry | None:
    """A model as the list has it, a name or a table; None, and problems, where that is wrong."""
    count = len(problems.found)
    table = _table(
        value, place, "name", "a model's name or a table", tuple(ModelEntry.__annotations__), problems
    )
    if table is None:
        return None
    written = table.text("name", "a model's name", needed=True)
    if written is None:
        return None
    name, label = _named(written, absolute)
    detector = table.text("detector")
    function = is_callable_spec(name)
    if function:
        for option in sorted(table.given & {"dtype", "engine", "device", "detector", "revision"}):
            problems.add(f"{table.place(option)}: is for the function {written} to settle; leave it out")
    entry = ModelEntry(
        name=name,
        label=_label(table, problems, label),
        dtype=table.choice("dtype", DTYPES) or ("float32" if function else dtype),
        engine=table.choice("engine", ENGINES),
        device=_device(table),
        detector=None if detector is None else _named(detector, absolute)[0],
        revision=table.text("revision", "a branch, tag or commit"),
        batch_size=table.whole("batch_size", least=1),
    )
    return entry if len(problems.found) == count else None


def read_regions(value: Any, place: str, problems: Problems, absolute: Absolute) -> list[RegionsEntry]:
    """Regions as the list has them: a grid, a range of grids, or a table of label maps."""
    if isinstance(value, str):
        try:
            return [RegionsEntry(str(grid), grid) for grid in _grids(value)]
        except InputError as error:
            problems.add(f"{place}: {error}")
            return []
    count = len(problems.found)
    keys = ("labels", "label")
    table = _table(value, place, "", 'a grid such as "4x4" or a table with labels', keys, problems)
    if table is None:
        return []
    written = table.text("labels", 'a path of label maps, such as "superpixels/{stem}.png"', needed=True)
    if written is None:
        return []
    if set(re.findall(r"\{.*?\}", written)) - {STEM}:
        table.wrong("labels", f"no other name in braces than {STEM}")
    if Path(written).suffix.lower() not in (".png", ".npy"):
        table.wrong("labels", "the name of .png or .npy files")
    path = Path(written)
    own = path.stem.replace(STEM, "").strip("-_. ")
    label = _label(table, problems, own or path.parent.name)
    return [RegionsEntry(label, labels=absolute(written))] if len(problems.found) == count else []


def read_estimator(value: Any, place: str, problems: Problems) -> EstimatorEntry | None:
    """An estimator as the list has it, a name or a table; None, and problems, where that is wrong."""
    count = len(problems.found)
    keys = tuple(EstimatorEntry.__annotations__)
    table = _table(value, place, "name", "an estimator's name or a table", keys, problems)
    if table is None:
        return None
    name = table.text("name", "an estimator's name", needed=True)
    if name is None:
        return None
    if name not in ESTIMATORS:
        problems.add(f"{table.place('name')} {name!r}: unknown estimator; {nearest(name, tuple(ESTIMATORS))}")
        return None
    entry = EstimatorEntry(
        name,
        _budgets(table, problems),
        _seeds(table, problems),
        table.number("tolerance", "a positive share of the values' range, such as 0.05"),
        table.whole("fewest_players", least=2),
        table.whole("most_players", least=2),
    )
    estimator, given = ESTIMATORS[name], table.given
    if estimator.exhaustive and "budgets" in given:
        problems.add(f"{table.place('budgets')}: {name} evaluates all coalitions; leave them out")
    if not estimator.random and "seeds" in given:
        problems.add(f"{table.place('seeds')}: {name} draws nothing at random; leave them out")
    if not estimator.standard_errors and "tolerance" in given:
        problems.add(f"{table.place('tolerance')}: {name} gives no standard errors; leave it out")
    if estimator.needs_budget and not {"budgets", "tolerance"} & given:
        problems.add(f'{place}: {name} samples coalitions; say how many, such as budgets = [172, "8n"]')
    if entry.most_players is not None and (entry.fewest_players or 0) > entry.most_players:
        problems.add(
            f"{place}: fewest_players {entry.fewest_players} is more than most_players {entry.most_players}"
        )
    return entry if len(problems.found) == count else None


def _device(table: Table) -> str | None:
    expected = "auto, cpu, cuda, cuda:1 or tpu"
    device = table.text("device", expected)
    try:
        if device is not None:
            check_device(device)
    except InputError:
        table.wrong("device", expected)
    return device


def _table(
    value: Any, place: str, short: str, expected: str, keys: tuple[str, ...], problems: Problems
) -> Table | None:
    """A table, where a text alone is its key `short`."""
    if isinstance(value, str) and short:
        value = {short: value}
    if isinstance(value, dict):
        return Table(value, place, keys, problems)
    problems.add(f"{place}: expected {expected}, found {kind_of(value)}")
    return None


def _named(written: str, absolute: Absolute) -> tuple[str, str]:
    """A model's name with its path, if it is one, made absolute; and the label that it has by default."""
    if written in EMBEDDED:
        return written, written
    source, _, function = written.rpartition(":")
    if source.endswith(".py") and function:
        return f"{absolute(source)}:{function}", f"{Path(source).stem}:{function}"
    path = absolute(written)
    if os.path.isdir(path):
        return str(path), os.path.basename(os.path.normpath(path))
    if is_callable_spec(written):
        return written, written
    # What neither is there nor can be a hub id is a path that `load_model` is to complain of.
    is_path = written.startswith((".", "/", "~")) or written.count("/") > 1
    return str(path) if is_path else written, Path(written).name


def _label(table: Table, problems: Problems, default: str) -> str:
    label = (table.text("label", "text") or default).strip()
    too_long = len(label.encode()) > LONGEST_LABEL
    if not label or re.search(r"[/\\]", label) or label.startswith(".") or too_long:
        problems.add(
            f"{table.place('label')} {label!r}: expected a name that files can have: at most "
            f"{LONGEST_LABEL} bytes, no slashes, no dot in front"
        )
    return label


def _grids(text: str) -> list[Grid]:
    """One grid, or all of a range, whose rows and columns grow together."""
    first, dots, last = (part.strip() for part in text.partition(".."))
    if not dots:
        return [Grid.parse(text)]
    start, end = Grid.parse(first), Grid.parse(last)
    steps = end.rows - start.rows
    if steps < 0 or steps != end.cols - start.cols:
        raise InputError(
            f"grids {text!r}: expected a range in which rows and columns grow together, such as 2x2..14x14"
        )
    if steps >= MOST_GRIDS:
        raise InputError(f"grids {text!r}: {steps + 1} grids are more than {MOST_GRIDS}; name those you need")
    return [Grid(start.rows + step, start.cols + step) for step in range(steps + 1)]


def _budgets(table: Table, problems: Problems) -> tuple[Budget, ...]:
    budgets: dict[Budget, None] = {}
    expected = 'a list of budgets, such as [172, "8n"]'
    for place, value in table.values("budgets", expected) or []:
        match = re.fullmatch(r"([1-9][0-9]{0,8}) ?n", value) if isinstance(value, str) else None
        if match is not None:
            budgets[Budget(int(match[1]), per_region=True)] = None
        elif type(value) is int and 0 < value <= MOST:
            budgets[Budget(value)] = None
        else:
            problems.add(
                f"{place}: expected a number of evaluations, such as 172, or of evaluations for each region, "
                f'such as "8n", found {kind_of(value)}'
            )
    return tuple(budgets)


def _seeds(table: Table, problems: Problems) -> tuple[int, ...]:
    seeds: dict[int, None] = {}
    for place, value in table.values("seeds", "a list of seeds, such as [0, 1]") or []:
        if type(value) is int and 0 <= value <= MOST:
            seeds[value] = None
        else:
            problems.add(f"{place}: expected a whole number from 0 to {MOST:,}, found {kind_of(value)}")
    return tuple(seeds) or (0,)
