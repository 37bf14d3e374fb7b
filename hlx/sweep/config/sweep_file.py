"""The sweep file: TOML that says what to compute, read and checked whole before anything runs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hlx.backgrounds import BACKGROUNDS
from hlx.models.load import DTYPES
from hlx.sweep.config.compilation_cache import own_folder
from hlx.sweep.config.entries import EstimatorEntry, ModelEntry, RegionsEntry
from hlx.sweep.config.entry_lists import Absolute, read_estimator, read_model, read_regions
from hlx.sweep.config.problems import Problems, Table, nearest, read_toml

KEYS = (
    "output",
    "stimuli",
    "images",
    "validated",
    "models",
    "dtype",
    "regions",
    "backgrounds",
    "estimators",
    "keep_tables",
    "compilation_cache",
)


@dataclass(frozen=True)
class SweepFile:
    """What a sweep file asks for; its paths are absolute.

    Attributes
    ----------
    path : of the file.
    output : folder of all that the sweep writes.
    stimuli : files that list them.
    images : folders to find their images in.
    validated : only the stimuli of VALSE that annotators validated.
    models, regions, backgrounds, estimators : to be combined.
    keep_tables : keep the values of all coalitions where they are evaluated.
    compilation_cache : folder of compiled functions, None for none.
    """

    path: Path
    output: Path
    stimuli: tuple[Path, ...]
    images: tuple[Path, ...]
    validated: bool
    models: tuple[ModelEntry, ...]
    regions: tuple[RegionsEntry, ...]
    backgrounds: tuple[str, ...]
    estimators: tuple[EstimatorEntry, ...]
    keep_tables: bool
    compilation_cache: Path | None


def read_sweep_file(path: str | Path) -> SweepFile:
    """What a sweep file asks for. Whether images and models are there is for `make_plan` to find out.

    Raises
    ------
    InputError : the file is missing, a folder, empty or not TOML; or keys that are unknown, missing or wrong,
        all of them in one line.
    """
    path = Path(path)
    found, problems = read_toml(path), Problems(path)
    table = Table(found, "", KEYS, problems)
    folder = path.resolve().parent

    def absolute(text: str) -> Path:
        return folder / os.path.expanduser(text)

    output = absolute(table.text("output", "a folder's path") or path.stem)
    there = next(place for place in (output, *output.parents) if os.path.lexists(place))
    if not os.path.isdir(there):
        problems.add(f"output {str(output)!r}: {there} is a file, expected a folder's path")
    dtype = table.choice("dtype", DTYPES) or "float32"
    sweep = SweepFile(
        path=path,
        output=output,
        stimuli=tuple(
            dict.fromkeys(
                absolute(text)
                for _, text in table.texts("stimuli", 'a list of files, such as ["stimuli.csv"]', needed=True)
            )
        ),
        images=tuple(absolute(text) for _, text in table.texts("images", "a list of folders")),
        validated=table.truth("validated"),
        models=_models(table, problems, dtype, absolute),
        regions=_regions(table, problems, absolute),
        backgrounds=_backgrounds(table, problems),
        estimators=tuple(
            entry
            for place, value in table.values("estimators", "a list of names or tables")
            or [("estimators", "exact")]
            if (entry := read_estimator(value, place, problems)) is not None
        ),
        keep_tables=table.truth("keep_tables"),
        compilation_cache=_cache(table, found, absolute),
    )
    problems.tell()
    return sweep


def _models(table: Table, problems: Problems, dtype: str, absolute: Absolute) -> tuple[ModelEntry, ...]:
    entries: dict[str, tuple[str, ModelEntry]] = {}
    expected = 'a list of names or tables, such as ["clip-scenes"]'
    for place, value in table.values("models", expected, needed=True) or []:
        entry = read_model(value, place, problems, dtype, absolute)
        if entry is None:
            continue
        # Labels become names of files, whose case not every file system keeps apart.
        other, _ = entries.setdefault(entry.label.casefold(), (place, entry))
        if other != place:
            problems.add(f"{place}: the label {entry.label!r} is also that of {other}; set label to another")
    return tuple(entry for _, entry in entries.values())


def _regions(table: Table, problems: Problems, absolute: Absolute) -> tuple[RegionsEntry, ...]:
    entries: dict[str, tuple[str, RegionsEntry]] = {}
    expected = 'a list of grids or label maps, such as ["4x4", "2x2..14x14"]'
    for place, value in table.values("regions", expected, needed=True) or []:
        for entry in read_regions(value, place, problems, absolute):
            # A grid may be named by itself and lie in a range, too.
            other, known = entries.setdefault(entry.label.casefold(), (place, entry))
            if known != entry:
                problems.add(
                    f"{place}: the label {entry.label!r} is also that of {other}; set label to another"
                )
    return tuple(entry for _, entry in entries.values())


def _backgrounds(table: Table, problems: Problems) -> tuple[str, ...]:
    named = table.texts("backgrounds", "a list of words")
    for place, text in named:
        if text not in BACKGROUNDS:
            problems.add(f"{place} {text!r}: unknown background; {nearest(text, BACKGROUNDS)}")
    return tuple(dict.fromkeys(text for _, text in named)) or BACKGROUNDS[:1]


def _cache(table: Table, found: dict[str, Any], absolute: Absolute) -> Path | None:
    value = found.get("compilation_cache", False)
    if value is True:
        return own_folder()
    if value is False:
        return None
    text = table.text("compilation_cache", "true, false or a folder's path")
    return None if text is None else absolute(text)
