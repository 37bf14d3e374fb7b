"""Faithfulness of a map: how fast the game rises as its best regions are shown, and falls as they are hidden.

Insertion and deletion of Petsiuk et al. (2018, arXiv:1806.07421), in the game's own units: the players are
ordered by value, highest first, equal ones by index. A faithful map has a large area under its insertion
curve and a small one under its deletion curve. Both areas are over the fraction of regions, so that grids of
any size compare; they judge the order of the players alone.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped

from hlx.errors import InputError
from hlx.games.coalitions import MAX_TABLE_PLAYERS
from hlx.games.game import CallableGame


@dataclass(frozen=True, eq=False)
class Faithfulness:
    """Two curves of a map.

    Attributes
    ----------
    insertion
        (n + 1,); v of the first k players of the order alone, k = 0 ... n.
    deletion
        (n + 1,); v of all players but the first k.
    """

    insertion: Float64[np.ndarray, " k"]
    deletion: Float64[np.ndarray, " k"]

    @property
    def insertion_area(self) -> float:
        """Area under the insertion curve over the fraction of regions shown; higher is better."""
        return float(area(self.insertion))

    @property
    def deletion_area(self) -> float:
        """Area under the deletion curve over the fraction of regions hidden; lower is better."""
        return float(area(self.deletion))

    @property
    def difference(self) -> float:
        """Insertion area less deletion area: what the level of the game plays no part in."""
        return self.insertion_area - self.deletion_area

    def as_dict(self) -> dict[str, float | list[float]]:
        """Curves and areas as plain numbers, for JSON."""
        curves = {name: curve.tolist() for name, curve in vars(self).items()}
        areas = ("insertion_area", "deletion_area", "difference")
        return {**curves, **{name: getattr(self, name) for name in areas}}


def faithfulness_curves(
    game: Callable[[Bool[np.ndarray, "m n"]], Shaped[np.ndarray, "m"]], values: Shaped[np.ndarray, "..."]
) -> Faithfulness:
    """Insertion and deletion curves of the values (n,) of a game's players.

    Parameters
    ----------
    game
        Any function of boolean rows (m, n), a game of known values too. It is asked once, for 2n rows.
    values
        Finite numbers, one per player.

    Raises
    ------
    InputError
        `values` is not of shape (n,) or not finite, the game has another number of players, or it returned
        another shape or type.
    NonFiniteScoreError
        The game returned NaN or infinity; names the coalition.
    """
    rows = faithfulness_rows(values)
    n = rows.shape[1]
    players = getattr(game, "n_players", n)
    if players != n:
        raise InputError(f"faithfulness: the game has {players} players, the map {n} values")
    name = getattr(game, "name", None)
    return faithfulness_from_values(CallableGame(game, n, batch_size=len(rows), name=name)(rows))


def faithfulness_rows(values: Shaped[np.ndarray, "..."]) -> Bool[np.ndarray, "m n"]:
    """The 2n distinct coalitions of both curves.

    None, the first, the first two ... all; then all but the first, all but the first two ... the last alone.
    Raises InputError as `faithfulness_curves`.
    """
    if values.ndim != 1:
        raise InputError(f"faithfulness: expected one value per player, shape (n,), found {values.shape}")
    ranks = np.argsort(descending(values))
    n = len(ranks)
    shown = ranks < np.arange(n + 1)[:, None]
    return np.concatenate([shown, ~shown[1:n]])


def faithfulness_from_values(found: Shaped[np.ndarray, "..."]) -> Faithfulness:
    """The curves from the values (2n,) of the coalitions of `faithfulness_rows`, in their order.

    Raises InputError where their number is odd, or they are not one axis.
    """
    if found.ndim != 1 or found.size < 2 or found.size % 2:
        raise InputError(f"faithfulness: expected the values of 2n coalitions, found shape {found.shape}")
    n = found.size // 2
    worth = found.astype(np.float64)
    return Faithfulness(worth[: n + 1], np.concatenate([worth[n : n + 1], worth[n + 1 :], worth[:1]]))


def areas_from_tables(
    tables: Shaped[np.ndarray, "..."], values: Shaped[np.ndarray, "..."]
) -> tuple[Float64[np.ndarray, "*maps"], Float64[np.ndarray, "*maps"]]:
    """Insertion and deletion areas of many maps from the tables of their games.

    Parameters
    ----------
    tables
        (2^n,), or (g, 2^n) of g games; bit i of the last index is set when player i is shown.
    values
        (..., n) or (..., g, n) finite numbers: any number of maps of every game.

    Returns
    -------
    tuple[Float64[np.ndarray, "*maps"], Float64[np.ndarray, "*maps"]]
        Insertion areas and deletion areas, each of the shape of `values` without its last axis.

    Raises
    ------
    InputError
        Shapes that do not belong together, or values that are not finite.
    """
    n = values.shape[-1] if values.ndim else 0
    games = tables.shape[:-1]
    if len(games) > 1 or not 1 <= n <= MAX_TABLE_PLAYERS or tables.shape != (*games, 1 << n):
        raise InputError(
            f"faithfulness: tables of shape {tables.shape} are not 2^n values of {n} players; "
            "expected (2^n,) or (games, 2^n)"
        )
    if games and values.shape[-2:] != (*games, n):
        raise InputError(f"faithfulness: expected maps (..., {games[0]}, {n}), found {values.shape}")
    first = np.cumsum(1 << descending(values), axis=-1)
    shown = np.concatenate([np.zeros_like(first[..., :1]), first], axis=-1)
    game = (np.arange(*games)[:, None],) if games else ()
    curves = (tables[(*game, ids)] for ids in (shown, (1 << n) - 1 - shown))
    insertion, deletion = (area(curve.astype(np.float64)) for curve in curves)
    return insertion, deletion


def area(curve: Float64[np.ndarray, "*maps k"]) -> Float64[np.ndarray, "*maps"]:
    """Area under curves over [0, 1] by the trapezoid rule, their k points evenly spaced."""
    return np.asarray((curve[..., 1:] + curve[..., :-1]).mean(axis=-1) / 2)


def descending(values: Shaped[np.ndarray, "..."]) -> Int64[np.ndarray, "*maps n"]:
    """Players from the highest value (..., n) to the lowest, equal ones by index."""
    if values.dtype.kind not in "fiub" or values.shape[-1] < 1 or not np.isfinite(values).all():
        raise InputError(f"faithfulness: expected finite real values, found {_found(values)}")
    return np.argsort(-values.astype(np.float64), axis=-1, kind="stable")


def _found(values: np.ndarray) -> str:
    if values.dtype.kind == "f" and values.size:
        at = tuple(int(index) for index in np.argwhere(~np.isfinite(values))[0])
        return f"{values[at]} for player {at[-1]}"
    return f"{values.dtype} of shape {values.shape}"
