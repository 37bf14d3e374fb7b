"""Human maps in files: our own HDF5 with all that made them, and tables of published maps.

Layout of the HDF5 file (format 1), whose user block holds the hash of all that follows::

    /                 attrs: format, format_version, hlx_version, simulated; as JSON grid, mask (null where
                      the maps came without clicks), steps, dropped, and stimuli: of each its id, its raters,
                      the number of rows it has in rater_values and those of its raters in clicks (or null)
    /values           float64 (stimuli, n), mean maps
    /rater_values     float64 (rows, n), stimulus by stimulus; absent without raters
    /clicks           float64 (clicks, 2), rater by rater; absent without clicks
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64

from hlx.attribution.map_tables import read_map_table
from hlx.errors import InputError
from hlx.games.regions import Grid, regions_from_spec
from hlx.humans.human_maps import ClickMask, FilterStep, HumanMap, HumanMaps
from hlx.io.csv_jsonl import ENDINGS, Record, read_records
from hlx.io.hdf5 import Kind, reading, write_dataset, writing

if TYPE_CHECKING:
    import h5py

KIND = Kind("hlx human maps", 1, "hlx humans build")
TOLERANCE = 1e-9
"""Published maps that sum to 1 within this are taken digit for digit."""


def write_human_maps(path: str | Path, humans: HumanMaps, force: bool = False) -> None:
    """Write human maps to an HDF5 file, whole or not at all.

    Parameters
    ----------
    path
        Ends in .h5 or .hdf5.
    humans
        What to write.
    force
        Replace a file that exists.

    Raises
    ------
    OutputError
        The file exists (unless `force`), or cannot be written.
    """
    maps = list(humans.maps.values())
    rows = [human.rater_values for human in maps if human.rater_values is not None]
    clicks = [points for human in maps for points in human.clicks or ()]
    with writing(path, KIND, force) as file:
        file.attrs.update(
            simulated=humans.simulated,
            grid=json.dumps(humans.grid.spec()),
            mask=json.dumps(None if humans.mask is None else asdict(humans.mask)),
            steps=json.dumps([asdict(step) for step in humans.steps]),
            dropped=json.dumps(dict(humans.dropped)),
            stimuli=json.dumps([_entry(stimulus, human) for stimulus, human in humans.maps.items()]),
        )
        values = np.reshape([human.values for human in maps], (-1, humans.grid.n_players))
        for name, array in (
            ("values", values),
            ("rater_values", np.concatenate(rows) if rows else None),
            ("clicks", np.concatenate(clicks) if clicks else None),
        ):
            if array is not None and array.size:
                write_dataset(file, name, array)


def read_human_maps(path: str | Path) -> HumanMaps:
    """The human maps of a file that `write_human_maps` wrote, or of a table of maps.

    A table is a .csv or .jsonl with the columns stimulus, r0c0, r0c1, ... as the reference study published;
    its maps are divided by their sums, those that sum to 1 up to rounding are taken as they are.

    Parameters
    ----------
    path
        Ends in .h5 or .hdf5, or .csv or .jsonl for a table.

    Raises
    ------
    InputError
        Another ending, missing, damaged, not such a file; in a table a negative value or a map without
        anything in it, with the row.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending in ENDINGS:
        return _from_table(path)
    if ending not in (".h5", ".hdf5"):
        raise InputError(
            f"{path}: expected human maps: a .h5 file of hlx humans build, or a .csv or .jsonl table"
        )
    with reading(path, KIND) as file:
        return _from_hdf5(file)


def _entry(stimulus: str, human: HumanMap) -> dict[str, Any]:
    return {
        "id": stimulus,
        "raters": list(human.raters),
        "rows": None if human.rater_values is None else len(human.rater_values),
        "clicks": None if human.clicks is None else [len(points) for points in human.clicks],
    }


def _from_hdf5(file: h5py.File) -> HumanMaps:
    attrs = file.attrs
    grid = regions_from_spec(json.loads(attrs["grid"]))
    assert isinstance(grid, Grid)
    # Datasets with nothing in them are not written.
    no_maps, no_clicks = np.empty((0, grid.n_players)), np.empty((0, 2))
    values, rows = (file[name][...] if name in file else no_maps for name in ("values", "rater_values"))
    clicks = file["clicks"][...] if "clicks" in file else no_clicks
    maps, row, click = {}, 0, 0
    for entry, mean in zip(json.loads(attrs["stimuli"]), values, strict=True):
        own_rows = own_clicks = None
        if entry["rows"] is not None:
            own_rows = rows[row : row + entry["rows"]].copy()
            row += entry["rows"]
        if entry["clicks"] is not None:
            ends = click + np.cumsum([0, *entry["clicks"]])
            own_clicks = tuple(clicks[start:end].copy() for start, end in pairwise(ends))
            click = int(ends[-1])
        maps[entry["id"]] = HumanMap(mean.copy(), tuple(entry["raters"]), own_rows, own_clicks)
    mask = json.loads(attrs["mask"])
    return HumanMaps(
        grid=grid,
        maps=maps,
        mask=None if mask is None else ClickMask(**mask),
        steps=tuple(FilterStep(**step) for step in json.loads(attrs["steps"])),
        dropped=json.loads(attrs["dropped"]),
        simulated=bool(attrs["simulated"]),
    )


def _from_table(path: Path) -> HumanMaps:
    grid, maps = read_map_table(path)
    return HumanMaps(
        grid,
        {stimulus: HumanMap(_normalised(path, grid, stimulus, values)) for stimulus, values in maps.items()},
    )


def _normalised(
    path: Path, grid: Grid, stimulus: str, values: Float64[np.ndarray, " n"]
) -> Float64[np.ndarray, " n"]:
    negative = np.flatnonzero(values < 0)
    if negative.size:
        row, column = divmod(int(negative[0]), grid.cols)
        message = f"{values[negative[0]]:g} is negative, but human maps are shares of looking"
        raise _record(path, stimulus).error(f"r{row}c{column}", message)
    with np.errstate(over="ignore"):  # said below, with the row
        total = float(values.sum())
    if not 0 < total < math.inf:
        message = f"the map of {stimulus!r} sums to {total:g}, expected a finite sum above 0"
        raise _record(path, stimulus).error("stimulus", message)
    return values if abs(total - 1) <= TOLERANCE else values / total


def _record(path: Path, stimulus: str) -> Record:
    """The row of a stimulus; a file is read again for it only where there is something to complain of."""
    return next(record for record in read_records(path, ["stimulus"]) if record.text("stimulus") == stimulus)
