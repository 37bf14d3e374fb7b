"""Which file of a study's folder is what: by the reference study's names, hlx's own results by content."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hlx.attribution import result_file
from hlx.errors import InputError
from hlx.humans import human_map_files
from hlx.io.csv_jsonl import ENDINGS
from hlx.io.hdf5 import is_of_kind

HDF5 = (".h5", ".hdf5")

LAYOUT = (
    "human_maps.csv or humans.h5; shapley_NAME.csv or the .h5 files of `hlx explain --out`, also one folder "
    "down; and, where there are any, stimuli.csv, scores_stimuli_NAME.csv, scores_valse_NAME.csv and the "
    "scores_NAME.csv of `hlx score --out`"
)
"""What a study's folder may hold, for messages."""


@dataclass(frozen=True)
class StudyFiles:
    """The files of a study by what they hold.

    Attributes
    ----------
    humans
        The human maps.
    map_tables
        Of one model each, by the NAME in shapley_NAME.csv.
    results
        Of `hlx explain --out`, of any models.
    stimuli
        Texts, phenomena and images of the stimuli.
    stimulus_scores
        By the NAME in scores_stimuli_NAME.csv.
    benchmark_scores
        By the NAME in scores_valse_NAME.csv and scores_NAME.csv; None for a plain scores.csv.
    passed_over
        HDF5 files of other kinds.
    """

    humans: Path
    map_tables: Mapping[str, Path]
    results: tuple[Path, ...]
    stimuli: Path | None
    stimulus_scores: Mapping[str, Path]
    benchmark_scores: tuple[tuple[str | None, Path], ...]
    passed_over: tuple[Path, ...]


def study_files(folder: Path) -> StudyFiles:
    """What the files of a folder are; nothing is read but the first bytes of its HDF5 files.

    Raises
    ------
    InputError
        No folder, unreadable or empty, no human maps or no models' maps in it, or two files for the same
        thing. The message says what was looked for.
    """
    files = _files(folder)
    if not files:
        raise InputError(f"{folder}: no files in this folder; a study has {LAYOUT}")
    tables = [path for path in files if path.suffix.lower() in ENDINGS]
    sealed = [path for path in files if path.suffix.lower() in HDF5]
    people = [path for path in tables if path.stem == "human_maps"]
    people += [path for path in sealed if is_of_kind(path, human_map_files.KIND)]
    results = [path for path in sealed if is_of_kind(path, result_file.KIND)] + below(folder)
    maps = dict(_named(r"shapley_(.+)", tables))
    if not people:
        raise InputError(
            f"{folder}: holds no human maps; looked for human_maps.csv and for the .h5 file of "
            "`hlx humans build --out`"
        )
    _only_one(people, "human maps")
    if not maps and not results:
        raise InputError(
            f"{folder}: holds no model's maps; looked for shapley_NAME.csv and for the .h5 files "
            "of `hlx explain --out`, also one folder down"
        )
    stimuli = [path for path in tables if path.stem == "stimuli"]
    _only_one(stimuli, "stimuli")
    named = [*_named(r"scores_valse_(.+)", tables), *_named(r"scores_(?!stimuli_|valse_)(.+)", tables)]
    plain = [(None, path) for path in tables if path.stem == "scores"]
    return StudyFiles(
        humans=people[0],
        map_tables=maps,
        results=tuple(results),
        stimuli=stimuli[0] if stimuli else None,
        stimulus_scores=dict(_named(r"scores_stimuli_(.+)", tables)),
        benchmark_scores=(*named, *plain),
        passed_over=tuple(path for path in sealed if path not in (*people, *results)),
    )


def is_part(path: Path) -> bool:
    """Whether a study whose folder holds this file would read it."""
    if path.suffix.lower() in ENDINGS:
        return re.fullmatch(r"human_maps|stimuli|scores|(shapley|scores)_.+", path.stem) is not None
    return path.suffix.lower() in HDF5 and any(
        is_of_kind(path, kind) for kind in (result_file.KIND, human_map_files.KIND)
    )


def below(folder: Path) -> list[Path]:
    """The results of `hlx explain` one folder down, which a study reads too.

    Nothing else is looked for there: whose human maps these would be is not certain.
    """
    inner = sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")
    found = [path for one in inner for path in _files(one) if path.suffix.lower() in HDF5]
    return [path for path in found if is_of_kind(path, result_file.KIND)]


def _files(folder: Path) -> list[Path]:
    """The folder's files in the order of their names; hidden ones are other programs' business."""
    try:
        found = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except FileNotFoundError:
        raise InputError(f"{folder}: no such folder; a study is a folder with {LAYOUT}") from None
    except NotADirectoryError:
        raise InputError(f"{folder}: is no folder; a study is a folder with {LAYOUT}") from None
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror or error}") from None
    return [path for path in found if path.is_file()]


def _named(pattern: str, paths: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    """The NAME in each file's name, and the file; no two files have the same."""
    seen: dict[str, Path] = {}
    for path in paths:
        match = re.fullmatch(pattern, path.stem)
        if match is None:
            continue
        if match[1] in seen:
            raise InputError(f"{path}: {seen[match[1]]} is also of {match[1]}; leave one of them out")
        seen[match[1]] = path
        yield match[1], path


def _only_one(paths: list[Path], what: str) -> None:
    if len(paths) > 1:
        raise InputError(f"{paths[1]}: {paths[0]} holds {what} too; leave one of them out")
