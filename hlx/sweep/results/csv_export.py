"""A sweep's maps as CSV files in the layout of the reference study, which `hlx analyze` and others read.

Everything that made a set of maps is the same within one folder: regions, background, estimator, budget,
tolerance and seed. A sweep of several gives a folder for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hlx.errors import InputError
from hlx.estimators import draws_at_random
from hlx.humans import read_human_maps
from hlx.io.files import make_folder
from hlx.sweep.results.export_folder import Conditions, ExportedFolder, ExportFolder, grid_of, unlike
from hlx.sweep.results.merged_file import SweepResults
from hlx.sweep.results.rows import Row
from hlx.sweep.results.sweep_maps import BEST, SweepMap, grouped, read_maps, settings


@dataclass(frozen=True)
class MapFilter:
    """Which of a sweep's maps are wanted; None where any.

    Attributes
    ----------
    regions, background, estimator
        As the sweep file calls them.
    budget, seed
        Numbers.
    """

    regions: str | None = None
    background: str | None = None
    estimator: str | None = None
    budget: int | None = None
    seed: int | None = None

    def rows(self, rows: Sequence[Row]) -> list[Row]:
        """Those of the rows that are wanted.

        Raises
        ------
        InputError
            There are none; says what there is.
        """
        chosen = list(rows)
        for name, wanted in vars(self).items():
            there = dict.fromkeys(str(getattr(row, name)) for row in chosen)
            chosen = [row for row in chosen if wanted is None or getattr(row, name) == wanted]
            if not chosen:
                raise InputError(
                    f"{name} {wanted}: no results of the sweep have it; there are {', '.join(there)}"
                )
        return chosen


def export(
    results: SweepResults,
    folder: Path,
    choice: MapFilter | None = None,
    humans: Path | None = None,
    force: bool = False,
) -> list[ExportedFolder]:
    """Write a sweep's maps: into `folder` where one set has them all, else into folders in it.

    A folder holds stimuli.csv, maps.csv and made_by.json; for a grid also shapley_LABEL.csv and, of stimuli
    with a foil, scores_stimuli_LABEL.csv of each model.

    Parameters
    ----------
    choice
        Which maps; all by default.
    humans
        Human maps (.h5, .csv, .jsonl), which are copied into the folders of maps on their grid.

    Raises
    ------
    InputError
        No such maps, two stimuli of one id, human maps that cannot be read or are of another grid.
    OutputError
        A file exists (unless `force`) or cannot be written; or a folder has maps of other models.
    """
    choice = MapFilter() if choice is None else choice
    sets = _sets(read_maps(results, choice.rows(results.rows)))
    people = None if humans is None else (humans, read_human_maps(humans).grid)
    if people is not None and not any(grid_of(them) == people[1] for them in sets.values()):
        grids = ", ".join(dict.fromkeys(key.regions for key in sets))
        raise InputError(f"{humans}: human maps of a {people[1]} grid, but the sweep's regions are {grids}")
    folders = [folder] if len(sets) == 1 else [folder / name for name in unlike([k.name for k in sets])]
    planned = [
        ExportFolder(path, key, them, results, people)
        for path, (key, them) in zip(folders, sets.items(), strict=True)
    ]
    for one in planned:
        one.check(force)
    make_folder(folder if len(sets) > 1 else folder.parent)
    return [one.write() for one in planned]


def _sets(maps: Sequence[SweepMap]) -> dict[Conditions, list[SweepMap]]:
    found = {}
    for regions, of_regions in grouped(maps, lambda m: (m.row.regions, m.row.background)).items():
        for setting, own in settings(of_regions).items():
            random = draws_at_random(own[0].row.estimator)
            if setting != BEST:
                for seed, them in grouped(own, lambda m: m.row.seed).items():
                    found[Conditions(*regions, setting, seed if random else None)] = them
    return found
