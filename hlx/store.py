"""Attributions in HDF5, whole or not at all: values, coalition tables, and everything that made them.

Layout (format 1)::

    /                      attrs: format, format_version, hlx_version, content_sha256
    /images/I/shown        uint8 (side, side, 3), the image at the model's size
    /images/I/hidden       uint8 (side, side, 3), what its hidden regions show
    /vectors/K             float32 (2^n, p), kept image vectors of one sweep
    /attributions/J        attrs: estimator, v_all, v_none, n_evaluations, regions and context (JSON),
                           image I, vectors K
        values             float64 (n,)
        standard_error     float64 (n,), absent where the values are exact
        table              (2^n,), index = coalition id; absent where not kept
        labels             int32 (h, w), of a label map

A bare game's attribution has no context and no image. Datasets carry Fletcher-32 checksums, and the root a
SHA-256 of all that the file says, which `load` verifies.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hlx import __version__
from hlx.attribution import CONTEXT_FIELDS, Attribution, Context
from hlx.errors import InputError, OutputError
from hlx.files import check_output, replacing
from hlx.regions import LabelMap, regions_from_spec

if TYPE_CHECKING:
    import h5py

FORMAT, FORMAT_VERSION = "hlx attributions", 1
ONE_CHUNK = 2**22


def save(
    path: str | Path, attributions: Sequence[Attribution], keep_table: bool = True, force: bool = False
) -> None:
    """Write attributions to an HDF5 file.

    Parameters
    ----------
    path : written under a temporary name in the same folder and moved into place.
    attributions : images and image vectors that several share are stored once.
    keep_table : store the tables of all 2^n values, where there are any.
    force : replace an existing file.

    Raises
    ------
    OutputError : the file exists, or cannot be written (a full disk leaves nothing behind).
    """
    import h5py

    path = check_output(path, force)
    with replacing(path) as temporary:
        try:
            with h5py.File(temporary, "w") as file:
                _write(file, attributions, keep_table)
        except (OSError, RuntimeError) as error:  # HDF5 reports a full disk as either
            raise OutputError(f"{path}: cannot be written: {_reason(error)}") from error


def load(path: str | Path) -> list[Attribution]:
    """The attributions of a file that `save` wrote.

    Raises
    ------
    InputError : missing, not such a file, damaged, or written by a later format.
    """
    import h5py

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != FORMAT:
                raise InputError(f"{path}: is an HDF5 file, but not of hlx's attributions")
            if file.attrs["format_version"] != FORMAT_VERSION:
                raise InputError(
                    f"{path}: has format {file.attrs['format_version']}; this hlx reads {FORMAT_VERSION}"
                )
            if file.attrs["content_sha256"] != _content_hash(file):
                raise InputError(f"{path}: is damaged: its content does not match its hash")
            return _read(file)
    except (OSError, KeyError, RuntimeError) as error:
        raise InputError(f"{path}: cannot be read as HDF5: {_reason(error)}") from error


def _write(file: h5py.File, attributions: Sequence[Attribution], keep_table: bool) -> None:
    file.attrs.update(format=FORMAT, format_version=FORMAT_VERSION, hlx_version=__version__)
    images: dict[bytes, int] = {}
    vectors: dict[int, int] = {}
    for j, attribution in enumerate(attributions):
        group = file.create_group(f"attributions/{j}")
        group.attrs.update(
            estimator=attribution.estimator,
            v_all=attribution.v_all,
            v_none=attribution.v_none,
            n_evaluations=attribution.n_evaluations,
            regions=json.dumps(attribution.regions.spec()),
        )
        _dataset(group, "values", attribution.values)
        if attribution.standard_error is not None:
            _dataset(group, "standard_error", attribution.standard_error)
        if keep_table and attribution.table is not None:
            _dataset(group, "table", attribution.table)
        if isinstance(attribution.regions, LabelMap):
            _dataset(group, "labels", attribution.regions.pixels)
        if attribution.vectors is not None:
            place = vectors.setdefault(id(attribution.vectors), len(vectors))
            if f"vectors/{place}" not in file:
                _dataset(file, f"vectors/{place}", attribution.vectors)
            group.attrs["vectors"] = place
        context = attribution.context
        if context is not None:
            key = context.shown.tobytes() + context.hidden.tobytes()
            place = images.setdefault(key, len(images))
            if f"images/{place}" not in file:
                _dataset(file, f"images/{place}/shown", context.shown)
                _dataset(file, f"images/{place}/hidden", context.hidden)
            group.attrs["image"] = place
            group.attrs["context"] = json.dumps({name: getattr(context, name) for name in CONTEXT_FIELDS})
    file.attrs["content_sha256"] = _content_hash(file)


def _dataset(group: h5py.Group, name: str, array: np.ndarray) -> None:
    # Checksums are per chunk: small arrays are one, large ones are cut as h5py sees fit.
    chunks = array.shape if array.nbytes < ONE_CHUNK else True
    group.create_dataset(name, data=array, chunks=chunks, fletcher32=True)


def _read(file: h5py.File) -> list[Attribution]:
    vectors = {int(k): data[...] for k, data in file.get("vectors", {}).items()}
    images = {int(i): (g["shown"][...], g["hidden"][...]) for i, g in file.get("images", {}).items()}
    groups = file.get("attributions", {})
    return [_attribution(groups[str(j)], images, vectors) for j in range(len(groups))]


def _attribution(
    group: h5py.Group, images: dict[int, tuple[np.ndarray, np.ndarray]], vectors: dict[int, np.ndarray]
) -> Attribution:
    def optional(name: str) -> np.ndarray | None:
        return group[name][...] if name in group else None

    attrs = group.attrs
    context = None
    if "context" in attrs:
        shown, hidden = images[int(attrs["image"])]
        context = Context(**json.loads(attrs["context"]), shown=shown, hidden=hidden)
    return Attribution(
        values=group["values"][...],
        v_all=float(attrs["v_all"]),
        v_none=float(attrs["v_none"]),
        n_evaluations=int(attrs["n_evaluations"]),
        regions=regions_from_spec(json.loads(attrs["regions"]), optional("labels")),
        estimator=str(attrs["estimator"]),
        standard_error=optional("standard_error"),
        table=optional("table"),
        vectors=vectors[int(attrs["vectors"])] if "vectors" in attrs else None,
        context=context,
    )


def _content_hash(file: h5py.File) -> str:
    """SHA-256 over names, attributes, types, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()

    def add(*parts: Any) -> None:
        for part in parts:
            digest.update(part if isinstance(part, bytes) else repr(part).encode())
            digest.update(b"\0")

    for name, item in _items(file):
        add(name, *(_plain(item.attrs, key) for key in sorted(item.attrs) if key != "content_sha256"))
        if not hasattr(item, "keys"):
            array = item[...]
            add(array.dtype.str, array.shape, array.tobytes())
    return digest.hexdigest()


def _items(group: h5py.Group, name: str = "/") -> Iterable[tuple[str, Any]]:
    yield name, group
    if hasattr(group, "keys"):
        for key in sorted(group):
            yield from _items(group[key], f"{name}{key}/")


def _plain(attrs: Any, key: str) -> tuple[str, Any]:
    value = attrs[key]
    return key, value.item() if isinstance(value, np.generic) else value


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
