"""Games whose values are all known, from results, arrays, or a model with stimuli."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Shaped

from hlx.attribution import Attribution
from hlx.errors import InputError
from hlx.games import TabulatedGame
from hlx.images import check_file
from hlx.regions import Regions

if TYPE_CHECKING:
    from hlx.models.dual_encoder import DualEncoder
    from hlx.stimuli import Stimulus

RESULT_ENDINGS = (".h5", ".hdf5")
ARRAY_ENDINGS = (".npz", ".npy")


@dataclass(frozen=True, eq=False)
class BenchmarkGame:
    """A game that estimators are replayed on.

    Attributes
    ----------
    name : what reports and messages call it.
    table : (2^n,) finite numbers; bit i of the index is set when player i is shown.
    regions : tells estimators that use neighbourhoods which players are neighbours, where known.
    seconds_per_evaluation : what one coalition cost when the table was made, where known.

    Raises
    ------
    InputError : the table is not of shape (2^n,), or the regions are of another number of players.
    NonFiniteScoreError : a value is NaN or infinite; names game and coalition.
    """

    name: str
    table: Shaped[np.ndarray, "*axes"]
    regions: Regions | None = None
    seconds_per_evaluation: float | None = None

    def __post_init__(self) -> None:
        checked = TabulatedGame(self.table, self.name)
        if self.regions is not None and self.regions.n_players != checked.n_players:
            raise InputError(
                f"{self.name}: has {checked.n_players} players, the regions {self.regions} are "
                f"{self.regions.n_players}"
            )
        object.__setattr__(self, "table", checked.table())

    @property
    def n_players(self) -> int:
        return self.table.size.bit_length() - 1


def read_games(
    path: str | Path, keys: Sequence[str] = (), regions: Regions | None = None
) -> list[BenchmarkGame]:
    """The games of a file: a result of `hlx explain --out`, or an array of tables.

    Parameters
    ----------
    path : .h5 or .hdf5 with tables kept; .npy of shape (2^n,) or (g, 2^n); .npz that holds such an array.
    keys : names of the arrays of an .npz; may be left out where one array alone can be tables.
    regions : of the players of arrays; results know theirs.

    Raises
    ------
    InputError : missing, unreadable, nothing in it is a table, or several arrays could be.
    NonFiniteScoreError : a value is NaN or infinite; names game and coalition.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending in RESULT_ENDINGS:
        from hlx.store import load

        return games_from_attributions(load(path), str(path))
    if ending not in ARRAY_ENDINGS:
        raise InputError(
            f"{path}: expected a result (.h5 of hlx explain --out) or an array of tables (.npz or .npy), "
            f"found extension {path.suffix!r}"
        )
    games = []
    for key, array in _arrays(path, keys).items():
        name = f"{path.name}:{key}" if key else path.name
        games += games_from_tables(array, name, regions)
    return games


def games_from_tables(
    tables: Shaped[np.ndarray, "*axes"], name: str = "games", regions: Regions | None = None
) -> list[BenchmarkGame]:
    """The games of an array of shape (2^n,) or (g, 2^n). Raises what `BenchmarkGame` raises."""
    if tables.ndim == 1:
        return [BenchmarkGame(name, tables, regions)]
    if tables.ndim != 2 or not len(tables):
        raise InputError(f"{name}: expected tables of shape (2^n,) or (games, 2^n), found {tables.shape}")
    return [BenchmarkGame(f"{name}[{i}]", table, regions) for i, table in enumerate(tables)]


def games_from_attributions(attributions: Sequence[Attribution], name: str) -> list[BenchmarkGame]:
    """The games of attributions that kept their tables.

    Raises
    ------
    InputError : there is none; some kept no table (named).
    """
    if not attributions:
        raise InputError(f"{name}: holds no attributions")
    games = []
    for i, attribution in enumerate(attributions):
        if attribution.table is None:
            raise InputError(
                f"{name}: attribution {i} ({attribution.estimator}) has no table of all coalitions; make it "
                "with --estimator exact, and without --no-table"
            )
        context = attribution.context
        own = None if context is None else context.stimulus_id
        spent = None if context is None else context.seconds / max(attribution.n_evaluations, 1)
        games.append(BenchmarkGame(own or f"{name}[{i}]", attribution.table, attribution.regions, spent))
    return games


def games_from_model(
    model: DualEncoder,
    stimuli: Sequence[Stimulus],
    regions: Regions | None = None,
    *,
    background: str = "blur",
    batch_size: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[BenchmarkGame]:
    """The games of stimuli: one sweep of all coalitions per image serves all its pairs.

    Takes and raises what `hlx.explaining.explain_pairs` does. `progress` is called with (images
    done, images in all).
    """
    from hlx.explaining import explain_pairs

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
    InputError : as `hlx.stimuli.gather_stimuli`; not one image was found.
    """
    from dataclasses import replace

    from hlx.stimuli import gather_stimuli

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


def _arrays(path: Path, keys: Sequence[str]) -> dict[str, np.ndarray]:
    """The arrays of tables in a .npz by key, or of a .npy under the key ""."""
    check_file(path)
    try:
        loaded = np.load(path, allow_pickle=False)
        held = {"": loaded} if isinstance(loaded, np.ndarray) else {key: loaded[key] for key in loaded.files}
    except Exception as error:  # whatever broken bytes provoke
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: cannot be read as an array: {reason}") from None
    if "" in held:
        if keys:
            raise InputError(f"{path}: holds a single array, which has no key: leave out --key {keys[0]}")
        return held
    shapes = ", ".join(f"{key} {array.dtype} {array.shape}" for key, array in held.items())
    unknown = [key for key in keys if key not in held]
    if unknown:
        raise InputError(f"{path}: has no array {unknown[0]!r}; it holds {shapes or 'nothing'}")
    chosen = keys or [key for key, array in held.items() if _could_be_tables(array)]
    if not chosen:
        raise InputError(
            f"{path}: holds no floating-point array of shape (2^n,) or (games, 2^n), only "
            f"{shapes or 'nothing'}"
        )
    if len(chosen) > 1 and not keys:
        raise InputError(
            f"{path}: {', '.join(chosen)} could all be tables; choose with --key (it holds {shapes})"
        )
    return {key: held[key] for key in chosen}


def _could_be_tables(array: np.ndarray) -> bool:
    length = array.shape[-1] if array.ndim in (1, 2) else 0
    return array.dtype.kind == "f" and length >= 2 and not length & (length - 1)
