"""Attributions in HDF5, whole or not at all: values, coalition tables, and everything that made them.

Layout (format 2)::

    user block             512 bytes: "hlx attributions 2 sha256 " and the SHA-256 of all that follows
    /                      attrs: format, format_version, hlx_version
    /images/I/shown        uint8 (side, side, 3), the image at the model's size
    /images/I/hidden       uint8 (side, side, 3), what its hidden regions show
    /labels/L              int32 (h, w), a label map
    /vectors/K             float32 (2^n, p), kept image vectors of one sweep
    /tables/T              (2^n,), index = coalition id
    /attributions/J        attrs: estimator, v_all, v_none, n_evaluations, image I, labels L, vectors K and
                           table T where kept; regions, request and context as JSON
        values             float64 (n,)
        standard_error     float64 (n,), absent where the values are exact or their error is not known
        insertion          float64 (n + 1,), absent without faithfulness; likewise deletion

What several attributions share is there once, and is one object again when loaded. A bare game's attribution
has no context and no image. Datasets carry Fletcher-32 checksums for other readers.
`load` trusts the SHA-256 alone, before HDF5 sees the file: its library can crash on damaged bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Hashable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hlx.attribution import CONTEXT_FIELDS, Attribution, Context, memory_of
from hlx.errors import InputError
from hlx.faithfulness import Faithfulness
from hlx.files import check_output, write_bytes
from hlx.images import check_file
from hlx.regions import LabelMap, regions_from_spec

if TYPE_CHECKING:
    import h5py

FORMAT, FORMAT_VERSION = "hlx attributions", 2
ONE_CHUNK = 2**22
REQUEST_FIELDS = ("budget", "seed", "tolerance", "degrees_of_freedom", "kind")
"""Fields of `Attribution` that are single values or null."""

USER_BLOCK = 512
"""Bytes before an HDF5 file proper that its format leaves to the application; the fewest there may be."""


def save(
    path: str | Path, attributions: Sequence[Attribution], keep_table: bool = True, force: bool = False
) -> None:
    """Write attributions to an HDF5 file.

    Parameters
    ----------
    path : written under a temporary name in the same folder and moved into place.
    attributions : images, label maps, tables and image vectors that several share are stored once.
    keep_table : store the tables of all 2^n values, where there are any.
    force : replace an existing file.

    Raises
    ------
    OutputError : the file exists, or cannot be written (a full disk leaves nothing behind).
    """
    import h5py

    path = check_output(path, force)
    # In memory first: HDF5's library can crash when the disk fills up under a file that it has open.
    content = io.BytesIO()
    # Attributes above 64 KiB (a very long caption) take the format of HDF5 1.8.
    with h5py.File(content, "w", userblock_size=USER_BLOCK, libver=("earliest", "v108")) as file:
        _write(file, attributions, keep_table)
    whole = content.getbuffer()
    head = f"{FORMAT} {FORMAT_VERSION} sha256 {hashlib.sha256(whole[USER_BLOCK:]).hexdigest()}\n"
    whole[: len(head)] = head.encode()
    write_bytes(path, whole)


def load(path: str | Path) -> list[Attribution]:
    """The attributions of a file that `save` wrote.

    Raises
    ------
    InputError : missing, not such a file, damaged, or written by a later format.
    """
    import h5py

    path = Path(path)
    check_file(path)
    try:
        _verify(path)
        with h5py.File(path, "r") as file:
            return _read(file)
    except (OSError, KeyError, RuntimeError) as error:
        raise InputError(f"{path}: cannot be read: {_reason(error)}") from error


def _verify(path: Path) -> None:
    """Raise InputError unless the user block names this format and the hash of what follows it."""
    with open(path, "rb") as file:
        block = file.read(USER_BLOCK)
        head = re.match(rb"%b (\d+) " % FORMAT.encode(), block)
        if head is None:
            raise InputError(f"{path}: is not a file of hlx's attributions (hlx explain --out writes them)")
        if int(head[1]) != FORMAT_VERSION:
            raise InputError(
                f"{path}: has format {int(head[1])}, this hlx reads {FORMAT_VERSION}; "
                "load it with the hlx that wrote it"
            )
        rest = hashlib.file_digest(file, "sha256").hexdigest()
    expected = f"{FORMAT} {FORMAT_VERSION} sha256 {rest}\n".encode()
    if block != expected.ljust(USER_BLOCK, b"\0"):
        raise InputError(f"{path}: is damaged or cut off: its content does not match its hash")


def _write(file: h5py.File, attributions: Sequence[Attribution], keep_table: bool) -> None:
    file.attrs.update(format=FORMAT, format_version=FORMAT_VERSION, hlx_version=version("hlx"))
    places: dict[str, dict[Hashable, int]] = {}

    def place(kind: str, key: Hashable, **arrays: np.ndarray) -> int:
        """Where the arrays that go by `key` are, which are written the first time."""
        known = places.setdefault(kind, {})
        if key not in known:
            known[key] = len(known)
            for name, array in arrays.items():
                _dataset(file, f"{kind}/{known[key]}/{name}".removesuffix("/all"), array)
        return known[key]

    for j, attribution in enumerate(attributions):
        group = file.create_group(f"attributions/{j}")
        group.attrs.update(
            estimator=attribution.estimator,
            v_all=attribution.v_all,
            v_none=attribution.v_none,
            n_evaluations=attribution.n_evaluations,
            regions=json.dumps(None if attribution.regions is None else attribution.regions.spec()),
            request=json.dumps({name: getattr(attribution, name) for name in REQUEST_FIELDS}),
        )
        _dataset(group, "values", attribution.values)
        if attribution.standard_error is not None:
            _dataset(group, "standard_error", attribution.standard_error)
        if attribution.faithfulness is not None:
            _dataset(group, "insertion", attribution.faithfulness.insertion)
            _dataset(group, "deletion", attribution.faithfulness.deletion)
        table, vectors, regions = attribution.table, attribution.vectors, attribution.regions
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


def _dataset(group: h5py.Group, name: str, array: np.ndarray) -> None:
    # Checksums are per chunk: small arrays are one, large ones are cut as h5py sees fit.
    chunks = array.shape if array.nbytes < ONE_CHUNK else True
    group.create_dataset(name, data=array, chunks=chunks, fletcher32=True)


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
        v_all=float(attrs["v_all"]),
        v_none=float(attrs["v_none"]),
        n_evaluations=int(attrs["n_evaluations"]),
        regions=None if spec is None else regions_from_spec(spec, shared("labels", labels)),
        estimator=str(attrs["estimator"]),
        **json.loads(attrs["request"]),
        standard_error=own("standard_error"),
        table=shared("table", tables),
        vectors=shared("vectors", vectors),
        faithfulness=None if insertion is None or deletion is None else Faithfulness(insertion, deletion),
        context=context,
    )


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
