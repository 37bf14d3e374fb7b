"""Maps of models over many stimuli, from hlx's result files or from tables of maps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float64, UInt8

from hlx.attribution.attribution import Attribution
from hlx.attribution.map_tables import read_map_table
from hlx.attribution.result_file import load
from hlx.errors import InputError
from hlx.games.regions import Grid
from hlx.games.stimuli import Stimulus
from hlx.io.checks import check_file

RESULT_ENDINGS = (".h5", ".hdf5")
TABLE_ENDINGS = (".csv", ".jsonl", ".ndjson")
TABLE_PREFIX = "shapley_"
"""Of the reference study's files, which the model's name follows."""


@dataclass(frozen=True, eq=False)
class ModelMaps:
    """The maps of one model by one estimator.

    Attributes
    ----------
    name
        Of the model; where a file holds several kinds of maps of it, of map and model.
    grid
        The regions.
    values
        Signed phi, float64 (n,), by stimulus id.
    f
        score(caption) - score(foil) with everything shown, by stimulus id, where known.
    kind
        What the values are, "Shapley values" say; None where the file does not tell.
    estimator
        Its name, None where unknown.
    stimuli
        Caption, foil, phenomenon and image file by stimulus id, where known.
    images
        Pixels by stimulus id, where the file holds them, as the model saw them.
    source
        The file or files, for messages.
    """

    name: str
    grid: Grid
    values: Mapping[str, Float64[np.ndarray, " n"]] = field(repr=False)
    f: Mapping[str, float] = field(default_factory=dict, repr=False)
    kind: str | None = None
    estimator: str | None = None
    stimuli: Mapping[str, Stimulus] = field(default_factory=dict, repr=False)
    images: Mapping[str, UInt8[np.ndarray, "h w 3"]] = field(default_factory=dict, repr=False)
    source: str = ""


def read_model_maps(paths: str | Path | Sequence[str | Path]) -> list[ModelMaps]:
    """The maps of files, brought together by what made them: model, weights, estimator and background.

    Parameters
    ----------
    paths
        Files of attributions (`hlx.save`; .h5, .hdf5), and tables of maps (.csv, .jsonl), which are named
        after their files: shapley_CLIP.csv holds maps of CLIP. Several files may share a model's stimuli out
        among them.

    Returns
    -------
    list[ModelMaps]
        One `ModelMaps` for each set of maps, in the order in which they first appear. Its name is the model's
        (of a checkpoint folder the last part), followed in brackets by what tells it from the model's other
        sets.

    Raises
    ------
    InputError
        A file that is neither or cannot be read, maps of a bare game, on a label map or with values that are
        no numbers, several maps of one stimulus in a set, or different grids in it.
    """
    paths = [paths] if isinstance(paths, str | Path) else paths
    for path in paths:
        if [Path(other) for other in paths].count(Path(path)) > 1:
            raise InputError(f"{path}: is given twice; name every file of maps once")
    groups: dict[_MadeBy, list[_Map]] = {}
    for path in map(Path, paths):
        for made_by, found in _read(path):
            groups.setdefault(made_by, []).append(found)
    if not groups:
        raise InputError("no files of maps are given: name .h5 results or .csv tables of maps")
    return [_merged(name, made_by, groups[made_by]) for name, made_by in _names(list(groups)).items()]


@dataclass(frozen=True)
class _MadeBy:
    """What all maps of one `ModelMaps` have in common."""

    model: str
    estimator: str | None = None
    background: str | None = None
    weights: str | None = None


@dataclass(frozen=True, eq=False)
class _Map:
    """One map as a file has it; what follows `values` where known."""

    path: Path
    stimulus: str
    grid: Grid
    values: Float64[np.ndarray, " n"]
    kind: str | None = None
    f: float | None = None
    about: Stimulus | None = None
    image: UInt8[np.ndarray, "s s 3"] | None = None


def _read(path: Path) -> Iterator[tuple[_MadeBy, _Map]]:
    ending = path.suffix.lower()
    if ending in TABLE_ENDINGS:
        grid, maps = read_map_table(path)
        made_by = _MadeBy(path.stem.removeprefix(TABLE_PREFIX) or path.stem)
        yield from ((made_by, _Map(path, stimulus, grid, values)) for stimulus, values in maps.items())
        return
    if ending not in RESULT_ENDINGS:
        check_file(path)
        raise InputError(f"{path}: expected maps: a .h5 file of attributions, or a .csv or .jsonl table")
    attributions = load(path)
    if not attributions:
        raise InputError(f"{path}: holds no attributions")
    for number, attribution in enumerate(attributions):
        yield _of_attribution(path, number, attribution)


def _of_attribution(path: Path, number: int, attribution: Attribution) -> tuple[_MadeBy, _Map]:
    context, grid = attribution.context, attribution.regions
    if context is None:
        raise InputError(
            f"{path}, attribution {number}: comes from a bare game, expected one of a model and a stimulus"
        )
    stimulus = context.stimulus_id or Path(context.image).name
    if not isinstance(grid, Grid):
        regions = "without regions" if grid is None else "on a label map"
        raise InputError(
            f"{path}, stimulus {stimulus!r}: the map is {regions}, human maps are on grids; explain it on one"
        )
    if not np.isfinite(attribution.values).all():
        raise InputError(f"{path}, stimulus {stimulus!r}: the map holds values that are no numbers")
    model = Path(context.model).name if Path(context.model).is_absolute() else context.model
    made_by = _MadeBy(model, attribution.estimator, context.background, context.fingerprint[:8])
    about = Stimulus(context.image, context.caption, context.foil, stimulus, context.phenomenon)
    # Without a foil grand_coalition_value is the caption's score, which says nothing of a choice.
    f = None if context.foil is None else attribution.grand_coalition_value
    return made_by, _Map(path, stimulus, grid, attribution.values, attribution.kind, f, about, context.shown)


def _merged(name: str, made_by: _MadeBy, maps: list[_Map]) -> ModelMaps:
    first = maps[0]
    known: dict[str, _Map] = {}
    for one in maps:
        if one.grid != first.grid:
            raise InputError(
                f"{one.path}: the map of {one.stimulus!r} by {name} is on a {one.grid} grid, that of "
                f"{first.stimulus!r} in {first.path} on {first.grid}; give files of one grid"
            )
        if one.stimulus in known:
            other = known[one.stimulus].path
            both = f"{one.path} holds two maps" if other == one.path else f"{other} and {one.path} hold maps"
            raise InputError(
                f"{both} of the stimulus {one.stimulus!r} by {name}; keep one, or give each stimulus an id "
                "of its own"
            )
        known[one.stimulus] = one
    return ModelMaps(
        name=name,
        grid=first.grid,
        values={stimulus: one.values for stimulus, one in known.items()},
        f={stimulus: one.f for stimulus, one in known.items() if one.f is not None},
        kind=first.kind if len({one.kind for one in maps}) == 1 else None,
        estimator=made_by.estimator,
        stimuli={stimulus: one.about for stimulus, one in known.items() if one.about is not None},
        images={stimulus: one.image for stimulus, one in known.items() if one.image is not None},
        source=", ".join(dict.fromkeys(str(one.path) for one in maps)),
    )


def _names(groups: Sequence[_MadeBy]) -> dict[str, _MadeBy]:
    """The model's name for each, with whatever tells several sets of one model apart."""
    named = {}
    for group in groups:
        namesakes = [other for other in groups if other.model == group.model]
        if group.estimator is None:
            told_apart = ["map table"] if len(namesakes) > 1 else []
        else:
            results = [other for other in namesakes if other.estimator is not None]
            told_apart = [
                getattr(group, part)
                for part in ("estimator", "background", "weights")
                if len({getattr(other, part) for other in results}) > 1
            ]
        named[f"{group.model} ({', '.join(told_apart)})" if told_apart else group.model] = group
    return named
