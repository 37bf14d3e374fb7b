"""Values of coalitions, each evaluated once, whoever asks for it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Float64, Shaped

from hlx.errors import InputError
from hlx.games.coalitions import all_rows, check_rows, row_keys
from hlx.games.game import CallableGame, check_enumerable
from hlx.io.checks import whole_number

Evaluate = Callable[[Bool[np.ndarray, "m n"]], Float[np.ndarray, " m *columns"]]


class Evaluations:
    """Remembers what a function of boolean rows returned, so that no row is paid for twice.

    Parameters
    ----------
    evaluate
        Boolean rows (m, n) -> values (m,), or (m, k) of k games with the same players.
    """

    def __init__(self, evaluate: Evaluate) -> None:
        self._evaluate = evaluate
        self._places: dict[int | bytes, int] = {}
        self._values: np.ndarray | None = None

    @property
    def count(self) -> int:
        """Distinct coalitions evaluated so far."""
        return len(self._places)

    def __call__(self, rows: Bool[np.ndarray, "m n"]) -> Float[np.ndarray, " m *columns"]:
        """The values of rows (m, n); only those never seen are handed to the function, in one call."""
        keys = row_keys(rows).tolist()
        new: dict[int | bytes, int] = {}
        for place, key in enumerate(keys):
            if key not in self._places:
                new.setdefault(key, place)
        if new or self._values is None:
            found = np.asarray(self._evaluate(rows[list(new.values())]))
            old = self._values
            self._values = found if old is None else np.concatenate([old, found])
            for key in new:  # only now: a call that failed leaves nothing behind
                self._places[key] = len(self._places)
        return self._values[[self._places[key] for key in keys]]


class CachedGame:
    """A game that evaluates every coalition at most once, also across estimators.

        game = hlx.CachedGame(f, n_players=16)
        hlx.estimate(game, estimator="leverage", budget=394)
        hlx.estimate(game, estimator="odd-gp", budget=394)  # pays only for coalitions not seen before

    Parameters
    ----------
    game
        Any function of boolean rows (m, n), or a game.
    n_players
        Number of players; may be left out where the game knows it.
    name
        What messages call the game.
    """

    def __init__(
        self,
        game: Callable[[Bool[np.ndarray, "m n"]], Shaped[np.ndarray, " m"]],
        n_players: int | None = None,
        name: str | None = None,
    ) -> None:
        checked = as_game(game, n_players, name)
        self._game, self.name = checked, checked.name
        self._evaluations = Evaluations(checked)

    @property
    def n_players(self) -> int:
        """Number of players, n."""
        return self._game.n_players

    @property
    def n_evaluations(self) -> int:
        """Distinct coalitions evaluated so far."""
        return self._evaluations.count

    def __call__(self, rows: Shaped[np.ndarray, ...]) -> Float64[np.ndarray, " m"]:
        """The values of boolean rows (m, n). Raises what `CallableGame` raises."""
        check_rows(rows, self.n_players)
        return self._evaluations(rows)

    def table(self) -> Float64[np.ndarray, " coalitions"]:
        """All 2^n values, of at most 24 players; evaluates what is missing."""
        check_enumerable(self.n_players, self.name)
        return self(all_rows(self.n_players))

    def __repr__(self) -> str:
        return f"CachedGame({self.name!r}, {self.n_players} players, {self.n_evaluations} evaluated)"


def as_game(
    game: Callable[[Bool[np.ndarray, "m n"]], Shaped[np.ndarray, " m"]],
    n_players: int | None = None,
    name: str | None = None,
) -> CallableGame:
    """The game with its answers checked: their number, type and finiteness.

    Raises
    ------
    InputError
        It is no function, the number of players is not known or not whole, or the game knows another one.
    """
    if not callable(game):
        raise InputError(
            f"expected a game or a function of boolean rows, found {type(game).__name__}; "
            "a table of all 2^n values becomes a game by hlx.TabulatedGame"
        )
    own = getattr(game, "n_players", None)
    if n_players is None and own is None:
        raise InputError("how many players has the game? say so with n_players")
    count = whole_number(own if n_players is None else n_players, "n_players", least=1)
    if own is not None and count != own:
        raise InputError(f"n_players is {count}, the game has {own} players")
    return CallableGame(game, count, name=name or getattr(game, "name", None))
