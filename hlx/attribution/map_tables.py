"""Maps of many stimuli as a table: a column for the stimulus, then one per cell, r0c0, r0c1 and so on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from hlx.errors import InputError
from hlx.games.regions import Grid
from hlx.io.csv_jsonl import read_records
from hlx.io.files import write_csv

CELL = re.compile(r"r([0-9]{1,4})c([0-9]{1,4})")


def read_map_table(path: str | Path) -> tuple[Grid, dict[str, Float64[np.ndarray, " n"]]]:
    """The grid and, by stimulus, the values of a .csv or .jsonl file of maps, row-major whatever the order.

    Raises
    ------
    InputError
        Not such a file, a cell of the grid without a column, no number, a stimulus that appears twice, or no
        maps. The message names file, row and column.
    """
    path = Path(path)
    grid, cells = None, []
    maps: dict[str, Float64[np.ndarray, " n"]] = {}
    for record in read_records(path, ["stimulus"]):
        if grid is None:
            grid = _grid(path, list(record.fields))
            cells = [f"r{row}c{col}" for row in range(grid.rows) for col in range(grid.cols)]
        stimulus = record.text("stimulus")
        if stimulus in maps:
            raise record.error("stimulus", f"{stimulus!r} appears twice; give one map for each stimulus")
        maps[stimulus] = np.array([record.number(cell) for cell in cells])
    if grid is None:
        raise InputError(f"{path}: holds no maps")
    return grid, maps


def map_table_text(
    grid: Grid,
    maps: Mapping[str, Float64[np.ndarray, " n"]],
    path: str | Path | None = None,
    force: bool = False,
) -> str:
    """The text that `read_map_table` reads, with all digits; written to `path` if one is given.

    Raises
    ------
    OutputError
        The file exists (unless `force`), or cannot be written.
    """
    cells = [f"r{row}c{col}" for row in range(grid.rows) for col in range(grid.cols)]
    rows = [
        {"stimulus": name, **dict(zip(cells, values.tolist(), strict=True))} for name, values in maps.items()
    ]
    return write_csv(rows, path, force)


def _grid(path: Path, names: list[str]) -> Grid:
    found = [(int(cell[1]), int(cell[2])) for name in names if (cell := CELL.fullmatch(name))]
    if not found:
        raise InputError(f"{path}: has no columns r0c0, r0c1, ... of a grid's cells")
    rows, cols = (max(places) + 1 for places in zip(*found, strict=True))
    missing = sorted({(row, col) for row in range(rows) for col in range(cols)} - set(found))
    if missing:
        row, col = missing[0]
        raise InputError(f"{path}: the columns are of a {rows}x{cols} grid, but r{row}c{col} is missing")
    if rows * cols < 2:
        raise InputError(f"{path}: the columns are of a single cell, expected at least two cells")
    return Grid(rows, cols)
