"""A folder of one set of maps, in the layout of the reference study."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hlx.alignment.analysis.layout import below, is_part
from hlx.attribution.map_tables import map_table_text
from hlx.errors import InputError, OutputError
from hlx.games.regions import Grid
from hlx.io.csv_jsonl import ENDINGS
from hlx.io.files import filling, write_csv
from hlx.io.messages import plural, plural_stimuli
from hlx.sweep.results.merged_file import SweepResults
from hlx.sweep.results.sweep_maps import SweepMap, distinct, grouped

STIMULI, MAPS, MADE_BY = "stimuli.csv", "maps.csv", "made_by.json"
"""Of every folder: the stimuli; all values with their standard errors, one to a line; and provenance."""

LONG = ("model", "stimulus", "region", "row", "col", "value", "standard_error")
HOW = ("estimator", "budget", "seed", "tolerance", "n_evaluations", "job")
"""Columns of maps.csv."""


@dataclass(frozen=True)
class Conditions:
    """What all maps of a folder have in common.

    Attributes
    ----------
    regions, background
        As the sweep file calls them.
    setting
        Estimator, budget and tolerance, see `hlx.sweep.results.sweep_maps.settings`.
    seed
        None where nothing is random.
    """

    regions: str
    background: str
    setting: str
    seed: int | None

    @property
    def name(self) -> str:
        """As a folder is called."""
        seed = "" if self.seed is None else f"-seed{self.seed}"
        return file_name(f"{self.regions}-{self.background}-{self.setting}{seed}")


@dataclass(frozen=True)
class ExportedFolder:
    """A folder that was written.

    Attributes
    ----------
    conditions
        What its maps have in common.
    files
        Names.
    notes
        What a reader should know.
    """

    folder: Path
    conditions: Conditions
    files: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Everything as JSON's types."""
        return {
            "folder": str(self.folder),
            **asdict(self.conditions),
            "files": list(self.files),
            "notes": list(self.notes),
        }


class ExportFolder:
    """A folder to write: its files are known before any is."""

    def __init__(
        self,
        path: Path,
        conditions: Conditions,
        maps: Sequence[SweepMap],
        results: SweepResults,
        people: tuple[Path, Grid] | None,
    ) -> None:
        self.path, self.conditions, self.maps, self.results = path, conditions, maps, results
        self.grid = grid_of(maps)
        self.models = grouped(maps, lambda m: m.row.model)
        self.labels = dict(zip(self.models, unlike([file_name(name) for name in self.models]), strict=True))
        self.humans = people[0] if people is not None and people[1] == self.grid else None
        self.stimuli = _stimuli(maps, results.path)
        for model, own in self.models.items():
            _check_one_each(own, results.path, model)

    @property
    def files(self) -> list[str]:
        """Names of all files."""
        names = [STIMULI, MAPS, MADE_BY]
        if self.grid is not None:
            names += [f"shapley_{label}.csv" for label in self.labels.values()]
            names += [f"scores_stimuli_{self.labels[model]}.csv" for model in self._scored()]
        if self.humans is not None:
            ending = self.humans.suffix.lower()
            names.append(f"human_maps{ending}" if ending in ENDINGS else "humans.h5")
        return names

    def check(self, force: bool) -> None:
        """Refuse to mix with what is there."""
        if os.path.lexists(self.path) and not self.path.is_dir():
            raise OutputError(f"{self.path}: is a file, expected a folder; name another one")
        there = sorted(self.path.glob("*")) if self.path.is_dir() else []
        for path in there:
            if path.name in self.files and not force:
                raise OutputError(f"{path}: exists; force=True replaces it")
        others = [path for path in there if path.name not in self.files and path.is_file() and is_part(path)]
        others += below(self.path) if there else []
        for path in others:
            if not self._is_scores(path):
                raise OutputError(
                    f"{path}: is of other maps, which would be analysed with these; remove it or name "
                    "another folder"
                )

    def _is_scores(self, path: Path) -> bool:
        """Whether a file may hold scores of the models whose maps these are, which belong beside them."""
        named = re.fullmatch(r"scores(?:_valse)?(?:_(?!stimuli_)(.+))?", path.stem)
        return named is not None and (named[1] is None or named[1] in self.labels.values())

    def write(self) -> ExportedFolder:
        """Write all files, whole or not at all."""
        with filling(self.path) as temporary:
            write_csv(self.stimuli, temporary / STIMULI)
            self._write_long(temporary / MAPS)
            (temporary / MADE_BY).write_text(json.dumps(self._made_by(), indent=1) + "\n")
            if self.grid is not None:
                self._write_tables(temporary, self.grid)
            if self.humans is not None:
                shutil.copyfile(self.humans, temporary / self.files[-1])
        return ExportedFolder(self.path, self.conditions, tuple(self.files), tuple(self._notes()))

    def _scored(self) -> list[str]:
        """Models of which f is known: without a foil there is nothing to choose."""
        return [model for model, own in self.models.items() if any(m.row.foil is not None for m in own)]

    def _write_tables(self, folder: Path, grid: Grid) -> None:
        for model, own in self.models.items():
            values = {m.row.stimulus: m.values for m in own}
            map_table_text(grid, values, folder / f"shapley_{self.labels[model]}.csv")
        for model in self._scored():
            rows = [
                {
                    "stimulus": m.row.stimulus,
                    "score_caption": m.score_caption,
                    "score_foil": m.score_caption - m.grand_coalition_value,
                }
                for m in self.models[model]
                if m.row.foil is not None
            ]
            write_csv(rows, folder / f"scores_stimuli_{self.labels[model]}.csv")

    def _write_long(self, path: Path) -> None:
        """A line for every region of every map, written as they come: there may be millions."""
        with open(path, "w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow([*LONG, *HOW])
            for m in self.maps:
                row = m.row
                made = (row.estimator, row.budget, row.seed, row.tolerance, m.n_evaluations, row.job)
                errors = [None] * m.n_players if m.standard_error is None else m.standard_error.tolist()
                for region, (value, error) in enumerate(zip(m.values.tolist(), errors, strict=True)):
                    place = (None, None) if m.grid is None else divmod(region, m.grid.cols)
                    table.writerow([row.model, row.stimulus, region, *place, value, error, *made])

    def _made_by(self) -> dict[str, Any]:
        return {
            "sweep": self.results.path.name,
            "content_hash": self.results.content_hash,
            **asdict(self.conditions),
            "kind": list(dict.fromkeys(m.kind for m in self.maps)),
            "models": [model for model in self.results.models if model["label"] in self.models],
            "files": self.labels,
            "versions": distinct([m.versions for m in self.maps]),
        }

    def _notes(self) -> list[str]:
        notes = []
        if self.grid is None:
            notes.append(
                f"{self.conditions.regions} are label maps, which have no cells: their values are in {MAPS} "
                "alone, one to a line"
            )
        lacking = {
            model: len(self.stimuli) - len(own)
            for model, own in self.models.items()
            if len(own) < len(self.stimuli)
        }
        notes += [f"{model} has no maps of {plural_stimuli(count)}" for model, count in lacking.items()]
        silent = sum(row["foil"] is None for row in self.stimuli)
        if silent:
            notes.append(f"{plural(silent, 'stimulus', 'stimuli')} without a foil have no scores to compare")
        return notes


def grid_of(maps: Sequence[SweepMap]) -> Grid | None:
    """The grid that all maps are on; None for label maps."""
    return maps[0].grid


def _stimuli(maps: Sequence[SweepMap], path: Path) -> list[dict[str, Any]]:
    """Rows of stimuli.csv; whole paths, so that images are found wherever the folder is."""
    rows: dict[str, dict[str, Any]] = {}
    for m in maps:
        about = {
            "stimulus": m.row.stimulus,
            "image": str(Path(m.row.image).absolute()),
            "caption": m.row.caption,
            "foil": m.row.foil,
            "phenomenon": m.row.phenomenon,
        }
        if rows.setdefault(m.row.stimulus, about) != about:
            raise InputError(
                f"{path}: two stimuli are called {m.row.stimulus!r}; give each an id of its own in the files "
                "of stimuli"
            )
    return list(rows.values())


def _check_one_each(maps: Sequence[SweepMap], path: Path, model: str) -> None:
    for stimulus, them in grouped(maps, lambda m: m.row.stimulus).items():
        if len(them) > 1:
            raise InputError(f"{path}: {len(them)} maps of the stimulus {stimulus!r} by {model} in one set")


def file_name(text: str) -> str:
    """A text as a file or a part of its name may be called."""
    return re.sub(r"[^\w.+-]+", "-", text).strip("-.") or "unnamed"


def unlike(names: Sequence[str]) -> list[str]:
    """The names, with numbers where some would be the same file."""
    found: dict[str, str] = {}
    for name in names:
        number, free = 1, name
        while free.casefold() in found:
            number += 1
            free = f"{name}-{number}"
        found[free.casefold()] = free
    return list(found.values())
