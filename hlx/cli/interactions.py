"""``hlx interactions``: which regions act together, from the tables that ``hlx explain --out`` keeps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from hlx.errors import InputError
from hlx.files import check_output

if TYPE_CHECKING:
    from hlx.attribution import Attribution
    from hlx.interaction_values import InteractionValues

MAX_DRAWN = 100
"""Rows of one --plot; no picture is taller than 65,535 pixels."""

MARKED = ("model", "image", "caption", "foil", "stimulus_id", "phenomenon")
"""What --json repeats of each attribution's context."""

_FILE = click.Path(path_type=Path)


@dataclass(frozen=True, eq=False)
class Kept:
    """A table of a file: its number there, and its attribution where it has one."""

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
    from hlx.interaction_values import interactions as computed
    from hlx.interaction_values import known_index

    index = known_index(index)
    for path, endings in ((plot, (".png", ".pdf")), (table, (".csv",))):
        if path is not None:
            if path.suffix.lower() not in endings:
                raise InputError(f"{path}: expected a name that ends in {' or '.join(endings)}")
            if path.resolve() == file.resolve():
                raise InputError(f"{path}: is the input, it will not be replaced; name another file")
            check_output(path, force)
    tables = _tables(file)
    if select is not None:
        if select >= len(tables):
            raise InputError(f"--select {select}: {file} holds tables 0 to {len(tables) - 1}")
        tables = [tables[select]]
    if plot is not None:
        _check_drawable(tables, order)
    results = []
    for kept in tables:
        if kept.table.size == 0:
            hint = "explain with --out and without --no-table, and with --estimator exact"
            raise InputError(f"{file}: attribution {kept.number} was kept without its table: {hint}")
        try:
            results.append(computed(kept.table, index, order, p=p))
        except InputError as error:
            raise InputError(f"{file}, table {kept.number}: {error}") from error
    if plot is not None:
        _draw(plot, tables, results, top)
    if table is not None:
        from hlx.files import write_csv

        records = [
            {"table": kept.number, "index": result.index, **row}
            for kept, result in zip(tables, results, strict=True)
            for row in result.rows()
        ]
        write_csv(records, table, force)
    for kept, result in zip(tables, results, strict=True):
        click.echo(json.dumps(_as_dict(kept, result)) if as_json else _text(kept, result, top))
    for path in (plot, table):
        if path is not None:
            click.echo(f"written: {path}", err=True)


def _tables(file: Path) -> list[Kept]:
    if file.suffix.lower() in (".npy", ".npz"):
        return _bare_tables(file)
    from hlx.store import load

    none = np.empty(0)
    kept = [
        Kept(number, none if found.table is None else found.table, found)
        for number, found in enumerate(load(file))
    ]
    if not kept:
        raise InputError(f"{file}: holds no attributions")
    return kept


def _bare_tables(file: Path) -> list[Kept]:
    """Tables (2^n,) or (g, 2^n) of a .npy, or of a .npz's only array or the one called `values`."""
    from hlx.images import check_file

    check_file(file)
    try:
        found = np.load(file, allow_pickle=False)
        arrays = {"values": found} if isinstance(found, np.ndarray) else dict(found)
    except Exception as error:  # whatever broken bytes provoke
        raise InputError(f"{file}: cannot be read: {' '.join(str(error).split())}") from error
    if "values" not in arrays and len(arrays) != 1:
        names = ", ".join(arrays) or "none"
        raise InputError(f"{file}: expected one array, or one called 'values', found {names}")
    values = arrays["values"] if "values" in arrays else next(iter(arrays.values()))
    if values.ndim not in (1, 2) or values.size == 0:
        raise InputError(f"{file}: expected a table (2^n,) or several (g, 2^n), found shape {values.shape}")
    return [Kept(number, table) for number, table in enumerate(np.atleast_2d(values))]


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
    attribution = kept.attribution
    made: dict[str, Any] = {"table": kept.number}
    if attribution is not None:
        made |= {name: getattr(attribution.context, name, None) for name in MARKED}
        made["regions"] = None if attribution.regions is None else attribution.regions.spec()
    return {**made, **result.as_dict()}


def _text(kept: Kept, result: InteractionValues, top: int) -> str:
    from hlx.plot.pairs import region_name, signed_number

    context = None if kept.attribution is None else kept.attribution.context
    regions = None if kept.attribution is None else kept.attribution.regions
    lines = [f"table {kept.number} of {result.n_players} players" if context is None else context.image]
    if context is not None:
        lines.append(f"  caption  {context.caption}")
        if context.foil is not None:
            lines.append(f"  foil     {context.foil}")
        lines.append(f"  model    {context.model}")
    for size in range(min(2, result.order), result.order + 1):
        sets, strongest = len(result.of_order(size)), result.strongest(top, size)
        what = {1: "players" if regions is None else "regions", 2: "pairs"}.get(size, f"sets of {size}")
        name = f"{_name(result)} of order {result.order}"
        lines.append(f"  {name}, strongest {len(strongest)} of {sets:,} {what}:")
        limit = max(abs(value) for _, value in strongest)
        names = [" \N{EN DASH} ".join(region_name(i, regions) for i in players) for players, _ in strongest]
        widest = max(map(len, names))
        for name, (_, value) in zip(names, strongest, strict=True):
            lines.append(f"    {name:<{widest}}  {signed_number(value, limit)}")
    return "\n".join(lines)
