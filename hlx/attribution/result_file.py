"""Attributions in HDF5, whole or not at all: values, coalition tables, and everything that made them.

Layout (format 4)::

    user block             512 bytes: "hlx attributions 4 sha256 " and the SHA-256 of all that follows
    /                      attrs: format, format_version, hlx_version
    /images/I/shown        uint8 (side, side, 3), the image at the model's size
    /images/I/hidden       uint8 (side, side, 3), what its hidden regions show
    /labels/L              int32 (h, w), a label map
    /vectors/K             float32 (2^n, p), kept image vectors of one sweep
    /tables/T              (2^n,), index = coalition id
    /attributions/J        attrs: estimator, grand_coalition_value, baseline_value, n_evaluations, image I,
                           labels L, vectors K and table T where kept; regions, spec and context as JSON
        values             float64 (n,)
        standard_error     float64 (n,), absent where the values are exact or their error is not known
        insertion          float64 (n + 1,), absent without faithfulness; likewise deletion

What several attributions share is there once, and is one object again when loaded. A bare game's attribution
has no context and no image.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hlx.attribution.attribution import CONTEXT_FIELDS, Attribution, Context, memory_of
from hlx.games.faithfulness import Faithfulness
from hlx.games.regions import LabelMap, regions_from_spec
from hlx.io.hdf5 import Kind, reading, write_dataset, writing

if TYPE_CHECKING:
    import h5py

KIND = Kind("hlx attributions", 5, "hlx explain --out")
REQUEST_FIELDS = ("budget", "seed", "tolerance", "degrees_of_freedom", "kind")
"""Fields of `Attribution` that are single values or null."""


def save(
    path: str | Path, attributions: Sequence[Attribution], keep_table: bool = True, force: bool = False
) -> None:
    """Write attributions to an HDF5 file.

    Parameters
    ----------
    path
        Written under a temporary name in the same folder and moved into place.
    attributions
        Images, label maps, tables and image vectors that several share are stored once.
    keep_table
        Store the tables of all 2^n values, where there are any.
    force
        Replace an existing file.

    Raises
    ------
    OutputError
        The file exists, or cannot be written (a full disk leaves nothing behind).
    """
    with writing(path, KIND, force) as file:
        _write(file, attributions, keep_table)


def load(path: str | Path) -> list[Attribution]:
    """The attributions of a file that `save` wrote.

    Raises
    ------
    InputError
        Missing, not such a file, damaged, or written by a later format.
    """
    with reading(path, KIND) as file:
        return _read(file)


def _write(file: h5py.File, attributions: Sequence[Attribution], keep_table: bool) -> None:
    places: dict[str, dict[Hashable, int]] = {}

    def place(kind: str, key: Hashable, **arrays: np.ndarray) -> int:
        """Where the arrays that go by `key` are, which are written the first time."""
        known = places.setdefault(kind, {})
        if key not in known:
            known[key] = len(known)
            for name, array in arrays.items():
                write_dataset(file, f"{kind}/{known[key]}/{name}".removesuffix("/all"), array)
        return known[key]

    for j, attribution in enumerate(attributions):
        group = file.create_group(f"attributions/{j}")
        group.attrs.update(
            estimator=attribution.estimator,
            grand_coalition_value=attribution.grand_coalition_value,
            baseline_value=attribution.baseline_value,
            n_evaluations=attribution.n_evaluations,
            regions=json.dumps(None if attribution.regions is None else attribution.regions.spec()),
            spec=json.dumps({name: getattr(attribution, name) for name in REQUEST_FIELDS}),
        )
        write_dataset(group, "values", attribution.values)
        if attribution.standard_error is not None:
            write_dataset(group, "standard_error", attribution.standard_error)
        if attribution.faithfulness is not None:
            write_dataset(group, "insertion", attribution.faithfulness.insertion)
            write_dataset(group, "deletion", attribution.faithfulness.deletion)
        table, vectors, regions = attribution.coalition_values, attribution.vectors, attribution.regions
        if keep_table and table is not None:
            group.attrs["table"] = place("tables", memory_of(table), all=table)
        if isinstance(regions, LabelMap):
            group.attrs["labels"] = place("labels", regions.sha256, all=regions.pixels)
        if vectors is not None:
            group.attrs["vectors"] = place("vectors", memory_of(vectors), all=vectors)
        context = attribution.context
        if context is not None:
            key = context.shown.tobytes() + context.hidden.tobytes()
            group.attrs["image"] = place("images", key, shown=context.shown, hidden=context.hidden)
            group.attrs["context"] = json.dumps({name: getattr(context, name) for name in CONTEXT_FIELDS})


def _read(file: h5py.File) -> list[Attribution]:
    def shared(name: str) -> dict[int, np.ndarray]:
        return {int(place): data[...] for place, data in file.get(name, {}).items()}

    labels, vectors, tables = shared("labels"), shared("vectors"), shared("tables")
    images = {int(i): (g["shown"][...], g["hidden"][...]) for i, g in file.get("images", {}).items()}
    groups = file.get("attributions", {})
    return [_attribution(groups[str(j)], images, labels, vectors, tables) for j in range(len(groups))]


def _attribution(
    group: h5py.Group,
    images: dict[int, tuple[np.ndarray, np.ndarray]],
    labels: dict[int, np.ndarray],
    vectors: dict[int, np.ndarray],
    tables: dict[int, np.ndarray],
) -> Attribution:
    attrs = group.attrs

    def own(name: str) -> np.ndarray | None:
        return group[name][...] if name in group else None

    def shared(name: str, arrays: dict[int, np.ndarray]) -> np.ndarray | None:
        return arrays[int(attrs[name])] if name in attrs else None

    context = None
    if "context" in attrs:
        shown, hidden = images[int(attrs["image"])]
        context = Context(**json.loads(attrs["context"]), shown=shown, hidden=hidden)
    spec = json.loads(attrs["regions"])
    insertion, deletion = own("insertion"), own("deletion")
    return Attribution(
        values=group["values"][...],
        grand_coalition_value=float(attrs["grand_coalition_value"]),
        baseline_value=float(attrs["baseline_value"]),
        n_evaluations=int(attrs["n_evaluations"]),
        regions=None if spec is None else regions_from_spec(spec, shared("labels", labels)),
        estimator=str(attrs["estimator"]),
        **json.loads(attrs["spec"]),
        standard_error=own("standard_error"),
        coalition_values=shared("table", tables),
        vectors=shared("vectors", vectors),
        faithfulness=None if insertion is None or deletion is None else Faithfulness(insertion, deletion),
        context=context,
    )
