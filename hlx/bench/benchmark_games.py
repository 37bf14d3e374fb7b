"""Games whose values are all known, from results, arrays, or a model with stimuli."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Shaped

from hlx.attribution.attribution import Attribution, holding_tables
from hlx.errors import InputError
from hlx.games.game import TabulatedGame
from hlx.games.regions import Regions
from hlx.io.value_tables import ARRAY_ENDINGS, read_tables, single_tables

if TYPE_CHECKING:
    from hlx.games.stimuli import Stimulus
    from hlx.models.model import Model

RESULT_ENDINGS = (".h5", ".hdf5")


@dataclass(frozen=True, eq=False)
class BenchmarkGame:
    """A game that estimators are replayed on.

    Attributes
    ----------
    name
        What reports and messages call it.
    coalition_values
        (2^n,) finite numbers; bit i of the index is set when player i is shown.
    regions
        Tells estimators that use neighbourhoods which players are neighbours, where known.
    seconds_per_evaluation
        What one coalition cost when the table was made, where known.

    Raises
    ------
    InputError
        The table is not of shape (2^n,), or the regions are of another number of players.
    NonFiniteScoreError
        A value is NaN or infinite; names game and coalition.
    """

    name: str
    coalition_values: Shaped[np.ndarray, "*axes"]
    regions: Regions | None = None
    seconds_per_evaluation: float | None = None

    def __post_init__(self) -> None:
        checked = TabulatedGame(self.coalition_values, self.name)
        if self.regions is not None and self.regions.n_players != checked.n_players:
            raise InputError(
                f"{self.name}: has {checked.n_players} player{'s' * (checked.n_players > 1)}, the regions "
                f"{self.regions} are {self.regions.n_players}"
            )
        object.__setattr__(self, "coalition_values", checked.table())

    @property
    def n_players(self) -> int:
        return self.coalition_values.size.bit_length() - 1


def read_games(
    path: str | Path, keys: Sequence[str] = (), regions: Regions | None = None
) -> list[BenchmarkGame]:
    """The games of a file: a result of `hlx explain --out`, or an array of tables.

    Parameters
    ----------
    path
        .h5 or .hdf5 with tables kept; .npy of shape (2^n,) or (g, 2^n); .npz that holds such an array.
    keys
        Names of the arrays of an .npz; may be left out where one array alone can be tables.
    regions
        Of the players of arrays; results know theirs.

    Raises
    ------
    InputError
        Missing, unreadable, nothing in it is a table, or several arrays could be.
    NonFiniteScoreError
        A value is NaN or infinite; names game and coalition.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending in RESULT_ENDINGS:
        from hlx.attribution.result_file import load

        return games_from_attributions(load(path), str(path))
    if ending not in ARRAY_ENDINGS:
        raise InputError(
            f"{path}: expected a result (.h5 of hlx explain --out) or an array of tables (.npz or .npy), "
            f"found extension {path.suffix!r}"
        )
    games = []
    for key, array in read_tables(path, keys).items():
        name = f"{path.name}:{key}" if key else path.name
        games += games_from_tables(array, name, regions)
    return games


def games_from_tables(
    tables: Shaped[np.ndarray, "*axes"], name: str = "games", regions: Regions | None = None
) -> list[BenchmarkGame]:
    """The games of an array of shape (2^n,) or (g, 2^n). Raises what `BenchmarkGame` raises."""
    return [BenchmarkGame(own, table, regions) for own, table in single_tables(tables, name).items()]


def games_from_attributions(attributions: Sequence[Attribution], name: str) -> list[BenchmarkGame]:
    """The games of the tables that attributions kept: one game where several share a table.

    Attributions without a table are left out where others have one.

    Raises
    ------
    InputError
        There is no attribution, or none kept its table.
    """
    if not attributions:
        raise InputError(f"{name}: holds no attributions")
    holding = holding_tables(attributions)
    if not holding:
        raise InputError(
            f'{name}: has no table of all coalitions; make it with estimator="exact", and keep its table'
        )
    games = []
    for i, attribution in enumerate(holding):
        table, context = attribution.coalition_values, attribution.context
        assert table is not None
        own = None if context is None else context.stimulus_id
        seconds = None if context is None else context.table_seconds
        spent = None if seconds is None else seconds / len(table)
        games.append(BenchmarkGame(own or f"{name}[{i}]", table, attribution.regions, spent))
    return games


def games_from_model(
    model: Model,
    stimuli: Sequence[Stimulus],
    regions: Regions | None = None,
    *,
    background: str = "blur",
    batch_size: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[BenchmarkGame]:
    """The games of stimuli: one sweep of all coalitions per image serves all its pairs.

    Takes and raises what `hlx.attribution.explain.explain_pairs` does. `progress` is called with (images
    done, images in all).
    """
    from hlx.attribution.explain import explain_pairs

    by_image: dict[str, list[Stimulus]] = {}
    for stimulus in stimuli:
        by_image.setdefault(str(stimulus.image), []).append(stimulus)
    games = []
    for done, own in enumerate(by_image.values(), start=1):
        found = explain_pairs(model, own, regions, background=background, batch_size=batch_size)
        games += games_from_attributions(found, own[0].image_name)
        if progress is not None:
            progress(done, len(by_image))
    return games


def stimuli_of(
    files: Sequence[str | Path], folders: Sequence[str | Path] = (), most: int | None = None
) -> list[Stimulus]:
    """The stimuli of files whose images are found, the first `most`; a warning counts the others.

    Raises
    ------
    InputError
        As `hlx.games.stimuli.gather_stimuli`; not one image was found.
    """
    from dataclasses import replace

    from hlx.games.stimuli import gather_stimuli

    gathered = gather_stimuli(files, folders)
    found = [
        replace(stimulus, image=source)
        for stimulus, source in zip(gathered.stimuli, gathered.sources, strict=True)
        if source is not None
    ]
    if not found:
        raise InputError(
            f"not one image was found of {len(gathered.missing)}; name the folders that hold them with "
            "--images"
        )
    if gathered.missing and (most is None or len(found) < most):
        count = len(gathered.missing)
        were = "images were" if count > 1 else "image was"
        warnings.warn(f"{count} {were} not found; such stimuli are left out", stacklevel=2)
    return found[:most]


def as_games(games: Sequence[BenchmarkGame | np.ndarray] | np.ndarray) -> list[BenchmarkGame]:
    """Games of tables (2^n,), (g, 2^n) or a sequence of either, next to games that are ones already."""
    if isinstance(games, np.ndarray):
        return games_from_tables(games)
    made: list[BenchmarkGame] = []
    for i, game in enumerate(games):
        made += [game] if isinstance(game, BenchmarkGame) else games_from_tables(game, f"games[{i}]")
    return made
