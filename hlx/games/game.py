"""Games: what is asked for the values of coalitions, and the exact Shapley values of a table of them all."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Float64, Shaped

from hlx.errors import InputError, NonFiniteScoreError
from hlx.games.coalitions import MAX_TABLE_PLAYERS, check_rows, describe, ids_from_rows, rows_from_ids
from hlx.io.checks import whole_number


@runtime_checkable
class Game(Protocol):
    """A cooperative game: v(S) for any coalitions S of `n_players` players."""

    @property
    def n_players(self) -> int:
        """Number of players, n."""

    def __call__(self, rows: Bool[np.ndarray, "m n"]) -> Float[np.ndarray, "m"]:
        """The values of the coalitions in which the players with True are shown."""

    def table(self) -> Float[np.ndarray, "coalitions"]:
        """The values of all 2^n coalitions; bit i of the index is set when player i is shown."""


class TabulatedGame:
    """A game whose values are all known.

    Parameters
    ----------
    table
        (2^n,) finite real numbers; bit i of the index is set when player i is shown. Single and double
        precision are kept as they are, and not copied: the array must not change afterwards.
    name
        What messages call the game.

    Raises
    ------
    InputError
        The table is not of shape (2^n,) with n >= 1, or does not hold real numbers.
    NonFiniteScoreError
        A value is NaN or infinite; the message names the first such coalition.
    """

    def __init__(self, table: Shaped[np.ndarray, "..."], name: str | None = None) -> None:
        self.name = name or "game"
        values = _as_array(table, f"{self.name}: expected a table of real numbers")
        if values.dtype.kind not in "fiub":
            raise InputError(f"{self.name}: a table holds real numbers, found values of type {values.dtype}")
        if values.ndim != 1 or values.size < 2 or values.size & (values.size - 1):
            raise InputError(f"{self.name}: expected a table of shape (2^n,), n >= 1, found {values.shape}")
        if values.dtype not in (np.float32, np.float64):
            values = values.astype(np.float64)
        self._n_players = values.size.bit_length() - 1
        finite = np.isfinite(values)
        if not finite.all():
            row = rows_from_ids(np.array([np.argmin(finite)]), self._n_players)[0]
            raise _not_finite(self.name, values[~finite][0], row)
        self._table = values.view()
        self._table.flags.writeable = False

    @property
    def n_players(self) -> int:
        """Number of players, n."""
        return self._n_players

    def __call__(self, rows: Shaped[np.ndarray, "..."]) -> Float64[np.ndarray, "m"]:
        """Look up the values of boolean rows (m, n). Raises InputError for rows of another type or width."""
        check_rows(rows, self.n_players)
        return self._table[ids_from_rows(rows)].astype(np.float64)

    def table(self) -> Float[np.ndarray, "coalitions"]:
        """The table itself, read-only, in its own precision."""
        return self._table

    def __repr__(self) -> str:
        return f"TabulatedGame({self.name!r}, {self.n_players} players)"


class CallableGame:
    """A game computed by any function of boolean rows.

    Parameters
    ----------
    function
        Takes boolean rows (m, n) and returns m finite real numbers.
    n_players
        Number of players, n >= 1; `table` is limited to 24.
    batch_size
        The most rows that the function is given at once.
    name
        What messages call the game.

    Raises
    ------
    InputError
        `n_players` or `batch_size` is no whole number, or below 1.
    """

    def __init__(
        self,
        function: Callable[[Bool[np.ndarray, "m n"]], Shaped[np.ndarray, "m"]],
        n_players: int,
        batch_size: int = 4096,
        name: str | None = None,
    ) -> None:
        self.function = function
        self.batch_size = whole_number(batch_size, "batch_size", least=1)
        self.name = name or str(getattr(function, "__name__", "game"))
        self._n_players = whole_number(n_players, "n_players", least=1)

    @property
    def n_players(self) -> int:
        """Number of players, n."""
        return self._n_players

    def __call__(self, rows: Shaped[np.ndarray, "..."]) -> Float64[np.ndarray, "m"]:
        """Evaluate boolean rows (m, n), at most `batch_size` of them per call of the function.

        Raises
        ------
        InputError
            The rows are of another type or width, or the function returned another shape or type.
        NonFiniteScoreError
            The function returned NaN or infinity; the message names the first such coalition.
        """
        check_rows(rows, self.n_players)
        if len(rows) <= self.batch_size:
            return self._batch(rows)
        starts = range(0, len(rows), self.batch_size)
        return np.concatenate([self._batch(rows[start : start + self.batch_size]) for start in starts])

    def _batch(self, rows: Bool[np.ndarray, "m n"]) -> Float64[np.ndarray, "m"]:
        expected = f"{self.name}: expected ({len(rows)},) real numbers for {len(rows)} coalitions"
        values = _as_array(self.function(rows), expected)
        if values.shape != (len(rows),) or values.dtype.kind not in "fiub":
            raise InputError(f"{expected}, found {values.dtype} of shape {values.shape}")
        finite = np.isfinite(values)
        if not finite.all():
            raise _not_finite(self.name, values[~finite][0], rows[np.argmin(finite)])
        return values.astype(np.float64)

    def table(self) -> Float64[np.ndarray, "coalitions"]:
        """Evaluate all 2^n coalitions, in batches. Raises InputError above 24 players, and as a call does."""
        n = self.n_players
        check_enumerable(n, self.name)
        values = np.empty(1 << n)
        for start in range(0, 1 << n, self.batch_size):
            ids = np.arange(start, min(start + self.batch_size, 1 << n))
            values[ids] = self(rows_from_ids(ids, n))
        return values

    def __repr__(self) -> str:
        return f"CallableGame({self.name!r}, {self.n_players} players)"


def shapley_from_table(table: Shaped[np.ndarray, "..."]) -> Float64[np.ndarray, "... n"]:
    """Exact Shapley values of one game or many from the values of all their coalitions.

    Parameters
    ----------
    table
        (2^n,) or (g, 2^n) real numbers; bit i of the last index is set when player i is shown.

    Returns
    -------
    Float64[np.ndarray, "... n"]
        (n,) or (g, n), float64; they add up to v(all) - v(none).

    Raises
    ------
    InputError
        The last axis is not 2^n with n >= 1, or a value is no finite real number.
    """
    from hlx.kernels import shapley  # numba: only when a table is there

    values = np.asarray(table)
    try:
        phi: Float64[np.ndarray, "... n"] = shapley(values)
    except ValueError as error:
        raise InputError(str(error)) from error
    # Every value has a share in every phi, so finite results spare a second reading of the table.
    if not np.isfinite(phi).all():
        wrong = np.argwhere(~np.isfinite(values))
        if len(wrong) == 0:
            raise InputError("the values of the table are too large: their sums overflow double precision")
        *game, coalition = (int(index) for index in wrong[0])
        row = rows_from_ids(np.array([coalition]), phi.shape[-1])[0]
        where = f"table {game[0]}" if game else "table"
        found = values[tuple(wrong[0])]
        raise InputError(f"{where}: the value of coalition {coalition} is {found} ({describe(row)})")
    return phi


def _as_array(answer: Any, expected: str) -> Shaped[np.ndarray, "..."]:
    try:
        return np.asarray(answer)
    except (TypeError, ValueError, RuntimeError) as error:  # ragged lists, tensors of other devices
        reason = " ".join(str(error).split())
        raise InputError(f"{expected}, found {type(answer).__name__} that is no array: {reason}") from None


def check_enumerable(n: int, name: str) -> None:
    """Raise InputError if a game of n players has too many coalitions to evaluate them all."""
    if n > MAX_TABLE_PLAYERS:
        raise InputError(
            f"{name}: a table of {n} players takes 2^{n} evaluations; at most {MAX_TABLE_PLAYERS} "
            "players are enumerated, so use fewer, larger regions"
        )


def _not_finite(name: str, value: float, row: Bool[np.ndarray, "n"]) -> NonFiniteScoreError:
    return NonFiniteScoreError(f"{name}: the value of a coalition is {value} ({describe(row)})")
