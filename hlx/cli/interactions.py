"""``hlx interactions``: which regions act together, from the tables that ``hlx explain --out`` keeps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from hlx.cli.outputs import PICTURES, check_outputs, tell_written
from hlx.errors import InputError

if TYPE_CHECKING:
    from hlx.attribution.attribution import Attribution
    from hlx.attribution.interactions import InteractionValues

MAX_DRAWN = 100
"""Rows of one --plot; no picture is taller than 65,535 pixels."""

_FILE = click.Path(path_type=Path)


@dataclass(frozen=True, eq=False)
class Kept:
    """A table of a file: its number there, and the first attribution that has it, if any."""

    number: int
    table: np.ndarray
    attribution: Attribution | None = None


@click.command()
@click.argument("file", type=_FILE)
@click.option(
    "--index",
    default="k-SII",
    show_default=True,
    metavar="NAME",
    help="SII, k-SII, STII, FSII, BII, FBII, Moebius or WBII (weighted Banzhaf).",
)
@click.option("--order", type=int, default=2, show_default=True, help="Largest number of players together.")
@click.option(
    "--key", "keys", multiple=True, metavar="NAME", help="Array of an .npz that holds the tables; repeatable."
)
@click.option("-p", "p", type=float, metavar="P", help="Probability of WBII.  [default: 0.5]")
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Sets to print and pairs to draw.",
)
@click.option("--select", type=click.IntRange(min=0), metavar="K", help="Only FILE's table K, from 0.")
@click.option("--plot", type=_FILE, metavar="FILE.png", help="Draw the strongest pairs over the image.")
@click.option(
    "--csv", "table", type=_FILE, metavar="FILE.csv", help="All values: one line per set of players."
)
@click.option("--json", "as_json", is_flag=True, help="Print all values, one JSON object per table.")
@click.option("--force", is_flag=True, help="Replace files that exist.")
def interactions(
    file: Path,
    index: str,
    order: int,
    keys: tuple[str, ...],
    p: float | None,
    top: int,
    select: int | None,
    plot: Path | None,
    table: Path | None,
    as_json: bool,
    force: bool,
) -> None:
    """Print which regions act together in the results of FILE, exactly.

    FILE is what `hlx explain --out` wrote, with its tables, or a .npy or .npz of bare tables of 2^n values. A
    positive value says that the regions do more together than apart, a negative one that they stand in for
    each other. Cells of a grid are (row, column), from (0, 0) at the top left.

    \b
    Example:
      hlx interactions map.h5 --index k-SII --order 2 --plot pairs.png
    """
    from hlx.attribution.interactions import interactions as computed
    from hlx.attribution.interactions import known_index

    index = known_index(index, p)
    check_outputs({"--plot": (plot, PICTURES), "--csv": (table, (".csv",))}, [file], force)
    tables = _tables(file, keys)
    if select is not None:
        if select >= len(tables):
            raise InputError(f"--select {select}: {file} holds tables 0 to {len(tables) - 1}")
        tables = [tables[select]]
    if plot is not None:
        _check_drawable(tables, order)
    results = []
    for kept in tables:
        try:
            results.append(computed(kept.table, index, order, p=p))
        except InputError as error:
            raise InputError(f"{file}, table {kept.number}: {error}") from error
    if plot is not None:
        _draw(plot, tables, results, top)
    if table is not None:
        from hlx.io.files import write_csv

        records = [
            {"table": kept.number, "index": result.index, **row}
            for kept, result in zip(tables, results, strict=True)
            for row in result.rows()
        ]
        write_csv(records, table, force)
    for kept, result in zip(tables, results, strict=True):
        click.echo(json.dumps(_as_dict(kept, result)) if as_json else _text(kept, result, top))
    tell_written(plot, table)


def _tables(file: Path, keys: Sequence[str]) -> list[Kept]:
    from hlx.io.value_tables import ARRAY_ENDINGS, read_tables, single_tables

    ending = file.suffix.lower()
    if keys and ending != ".npz":
        raise InputError(f"--key {keys[0]}: names an array of an .npz, found {file}")
    if ending in ARRAY_ENDINGS:
        arrays = read_tables(file, keys).values()
        tables = [table for array in arrays for table in single_tables(array, str(file)).values()]
        return [Kept(number, table) for number, table in enumerate(tables)]
    from hlx.attribution.attribution import holding_tables
    from hlx.attribution.result_file import load

    attributions = load(file)
    if not attributions:
        raise InputError(f"{file}: holds no attributions")
    holding = holding_tables(attributions)
    if not holding:
        raise InputError(
            f"{file}: was kept without tables: explain with --out and without --no-table, and with "
            "--estimator exact"
        )
    return [
        Kept(number, found.coalition_values, found)
        for number, found in enumerate(holding)
        if found.coalition_values is not None
    ]


def _check_drawable(tables: Sequence[Kept], order: int) -> None:
    if order < 2:
        raise InputError("--plot draws pairs: give --order 2 or more")
    if len(tables) > MAX_DRAWN:
        raise InputError(
            f"--plot draws at most {MAX_DRAWN} images, these are {len(tables)}: take one with --select"
        )
    for kept in tables:
        if kept.attribution is None or kept.attribution.context is None or kept.attribution.regions is None:
            raise InputError(f"--plot draws over an image, and table {kept.number} comes without one")


def _draw(path: Path, tables: Sequence[Kept], results: Sequence[InteractionValues], top: int) -> None:
    from hlx.plot import save_figure
    from hlx.plot.pairs import PairPanel, pairs_sheet

    panels = []
    for kept, result in zip(tables, results, strict=True):
        assert kept.attribution is not None and kept.attribution.context is not None
        panel = kept.attribution.panel(kept.attribution.context.model)
        own = replace(panel, values=result.of_order(1))
        pairs = [((i, j), value) for (i, j), value in result.strongest(top)]
        panels.append(PairPanel(own, pairs, _name(result)))
    save_figure(path, pairs_sheet(panels))


def _name(result: InteractionValues) -> str:
    return result.index if result.p is None else f"{result.index} (p = {result.p:g})"


def _as_dict(kept: Kept, result: InteractionValues) -> dict[str, Any]:
    from hlx.attribution.attribution import ROW_FIELDS

    attribution = kept.attribution
    made: dict[str, Any] = {"table": kept.number}
    if attribution is not None:
        made |= {name: getattr(attribution.context, name, None) for name in ROW_FIELDS}
        made["regions"] = None if attribution.regions is None else attribution.regions.spec()
    return {**made, **result.as_dict()}


def _text(kept: Kept, result: InteractionValues, top: int) -> str:
    from hlx.games.regions import region_name
    from hlx.plot.pairs import signed_number

    context = None if kept.attribution is None else kept.attribution.context
    regions = None if kept.attribution is None else kept.attribution.regions
    players = f"{result.n_players} player{'s' * (result.n_players > 1)}"
    lines = [f"table {kept.number} of {players}" if context is None else context.image]
    if context is not None:
        lines.append(f"  caption  {context.caption}")
        if context.foil is not None:
            lines.append(f"  foil     {context.foil}")
        lines.append(f"  model    {context.model}")
    for size in range(min(2, result.order), result.order + 1):
        sets, strongest = len(result.of_order(size)), result.strongest(top, size)
        one = {1: "player" if regions is None else "region", 2: "pair"}.get(size, f"set of {size}")
        what = one if sets == 1 else one.replace("set", "sets") if size > 2 else f"{one}s"
        name = f"{_name(result)} of order {result.order}"
        lines.append(f"  {name}, strongest {len(strongest)} of {sets:,} {what}:")
        limit = max(abs(value) for _, value in strongest)
        names = [" \N{EN DASH} ".join(region_name(i, regions) for i in found) for found, _ in strongest]
        widest = max(map(len, names))
        for name, (_, value) in zip(names, strongest, strict=True):
            lines.append(f"    {name:<{widest}}  {signed_number(value, limit)}")
    return "\n".join(lines)
