"""Every interaction index of any order from the table of all coalitions' values."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped

from hlx.errors import InputError
from hlx.games.coalitions import describe, ids_from_rows, rows_from_ids
from hlx.io.checks import whole_number
from hlx.io.files import write_csv

INDICES = {
    "SII": "Shapley interactions: the mean derivative over sizes of coalitions, then over coalitions",
    "k-SII": "SII, aggregated so that all orders together sum to v(all)",
    "STII": "Shapley-Taylor: Moebius values below the order, the rest of v(all) shared at the order",
    "FSII": "faithful Shapley: the best fit of that order under Shapley's weights, exact for all and none",
    "BII": "Banzhaf interactions: the mean derivative over coalitions",
    "FBII": "faithful Banzhaf: the best fit of that order under equal weights",
    "Moebius": "Moebius transform (Harsanyi dividends): what each set adds to those within it",
    "WBII": "weighted Banzhaf: the mean derivative over coalitions that hold each player with probability p",
}
"""Name -> what it is."""

_SPELLINGS = {"möbius": "Moebius", "mobius": "Moebius", "weightedbanzhaf": "WBII"}

MAX_BYTES = 4 << 30
"""A table's transform may take so much memory; high orders of many players take more."""


@dataclass(frozen=True, eq=False)
class InteractionValues:
    """The interactions of all sets of up to `order` players, the empty set included.

    `result[0, 3]` is the value of players 0 and 3, `result[()]` that of the empty set; `len`, `in` and
    iteration go over the sets, as tuples of players.

    Attributes
    ----------
    index, order, n_players
        What was asked for; `index` is a key of `INDICES`.
    ids
        Int64 (k,), the sets as coalition ids (bit i for player i): by size, then by their players.
    values
        (k,), in the unit of the table.
    baseline_value, grand_coalition_value
        The table's first and last value.
    p
        The probability of WBII, else None.
    """

    index: str
    order: int
    n_players: int
    ids: Int64[np.ndarray, " k"] = field(repr=False)
    values: Float64[np.ndarray, " k"] = field(repr=False)
    baseline_value: float
    grand_coalition_value: float
    p: float | None = None

    @cached_property
    def masks(self) -> Bool[np.ndarray, "k n"]:
        """The sets as boolean rows, in the order of `values`."""
        return rows_from_ids(self.ids, self.n_players)

    @property
    def players(self) -> list[tuple[int, ...]]:
        """The sets as tuples of players, in the order of `values`."""
        return [tuple(row.nonzero()[0].tolist()) for row in self.masks]

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        return iter(self.players)

    def __contains__(self, players: object) -> bool:
        try:
            self._position(players)
        except InputError:
            return False
        return True

    def __getitem__(self, players: object) -> float:
        """The value of a tuple of players, in any order. Raises InputError for anything that is not here."""
        return float(self.values[self._position(players)])

    def of_order(self, s: int) -> Float64[np.ndarray, " sets"]:
        """The values of all sets of s players, ordered as itertools.combinations: s = 1 gives one per player.

        Raises
        ------
        InputError
            s is not in 0 ... order.
        """
        if not 0 <= s <= self.order:
            raise InputError(
                f"{self.index} of order {self.order} has sets of 0 to {self.order} players, not {s}"
            )
        start = sum(comb(self.n_players, below) for below in range(s))
        return self.values[start : start + comb(self.n_players, s)]

    def matrix(self) -> Float64[np.ndarray, "n n"]:
        """The values of pairs, symmetric, zero on the diagonal. Raises InputError below order 2."""
        square = np.zeros((self.n_players, self.n_players))
        i, j = np.triu_indices(self.n_players, 1)
        square[i, j] = square[j, i] = self.of_order(2)
        return square

    def strongest(self, k: int, order: int = 2) -> list[tuple[tuple[int, ...], float]]:
        """The k sets of `order` players with the largest magnitude, strongest first, each with its value.

        Ties are listed in the order of `values`. Raises InputError for an order that is not here.
        """
        values = self.of_order(order)
        start = sum(comb(self.n_players, below) for below in range(order))
        largest = np.argsort(-np.abs(values), kind="stable")[: max(k, 0)]
        rows = rows_from_ids(self.ids[start + largest], self.n_players)
        return [
            (tuple(row.nonzero()[0].tolist()), float(value))
            for row, value in zip(rows, values[largest], strict=True)
        ]

    def as_dict(self) -> dict[str, Any]:
        """The result as JSON's types; `players` and `values` are as long as each other."""
        return {
            **{
                name: getattr(self, name)
                for name in ("index", "order", "p", "n_players", "baseline_value", "grand_coalition_value")
            },
            "players": [list(players) for players in self.players],
            "values": self.values.tolist(),
        }

    def rows(self) -> list[dict[str, Any]]:
        """One record per set, for tables: its size, its players with spaces between them, its value."""
        return [
            {"order": len(players), "players": " ".join(map(str, players)), "value": value}
            for players, value in zip(self.players, self.values.tolist(), strict=True)
        ]

    def to_csv(self, path: str | Path | None = None, force: bool = False) -> str:
        """The records of `rows` as CSV text; written to a file where a path is given.

        Raises
        ------
        OutputError
            The file exists and `force` is not given, or it cannot be written.
        """
        return write_csv(self.rows(), path, force)

    def to_shapiq(self) -> Any:
        """The result as a `shapiq.InteractionValues`. Raises InputError where shapiq is not installed."""
        from hlx.attribution.export import shapiq_interactions

        # As shapiq has it for FBII. Of WBII it knows nothing, and would put v(none) in the empty set's place.
        baseline = self[()] if self.index in ("FBII", "WBII") else self.baseline_value
        return shapiq_interactions(self.masks, self.values, self.index, self.order, baseline)

    def _position(self, players: object) -> int:
        n = self.n_players
        wanted = f"expected a tuple of players 0 to {n - 1}, such as (0,) or (0, {n - 1}), found {players!r}"
        # True and False are ints to Python.
        if not isinstance(players, tuple) or any(
            isinstance(i, bool) or not isinstance(i, int | np.integer) for i in players
        ):
            raise InputError(wanted)
        if any(not 0 <= i < n for i in players) or len(set(players)) < len(players):
            raise InputError(wanted)
        if len(players) > self.order:
            raise InputError(
                f"these are {self.index} up to order {self.order}, found {len(players)} players {players!r}"
            )
        row = np.zeros((1, n), bool)
        row[0, list(players)] = True
        place = np.searchsorted(self.ids, ids_from_rows(row)[0], sorter=self._sorter)
        return int(self._sorter[place])

    @cached_property
    def _sorter(self) -> Int64[np.ndarray, " k"]:
        return np.argsort(self.ids)


def interactions(
    table: Shaped[np.ndarray, "..."], index: str = "k-SII", order: int = 2, *, p: float | None = None
) -> InteractionValues:
    """The interactions of all sets of up to `order` players, exactly, from one transform of a table.

    Parameters
    ----------
    table
        (2^n,) finite real numbers; bit i of the index is set when player i is shown.
    index
        A name of `INDICES`, in upper or lower case, with or without hyphens.
    order
        1 to n. For k-SII, STII, FSII and FBII the values of all orders depend on it.
    p
        The probability of WBII, 0 to 1; 1/2 (which is BII) where not given. 0 gives Moebius values.

    Returns
    -------
    InteractionValues
        The empty set's value is v(none) for Moebius, k-SII, STII and FSII; for SII, BII and WBII it is the
        mean of the table under the index's weights, and for FBII the fit's intercept.

    Raises
    ------
    InputError
        The table is not (2^n,) with n >= 1, or a value is no finite real number (the message names the first
        such coalition); the index is unknown; `order` or `p` is out of range; or the order would take more
        memory than `MAX_BYTES`.
    """
    name = known_index(index, p)
    values, n = _checked(table)
    order = whole_number(order, "order")
    if not 1 <= order <= n:
        raise InputError(
            f"interactions of {n} player{'s' * (n > 1)} have order 1 to {n}, found order {order}"
        )
    with np.errstate(invalid="ignore", over="ignore"):  # the result says it
        groups = _dividends(values, order) if name == "Moebius" else _weighted(values, name, order, p)
    # By size, then by the lowest player that two sets do not share.
    ordered = [(ids[place], found[place]) for ids, found in groups for place in [_lexicographic(ids, n)]]
    result = InteractionValues(
        name,
        order,
        n,
        np.concatenate([ids for ids, _ in ordered]),
        np.concatenate([found for _, found in ordered]),
        float(values[0]),
        float(values[-1]),
        (0.5 if p is None else float(p)) if name == "WBII" else None,
    )
    if not np.isfinite(result.values).all():
        raise InputError("the values of the table are too large: their sums overflow double precision")
    return result


def known_index(name: str, p: float | None = None) -> str:
    """The key of `INDICES` that any spelling of it means.

    Raises
    ------
    InputError
        No such index (lists all); a `p` for another index than WBII, or one that is no probability.
    """
    plain = "".join(letter for letter in str(name).lower() if letter not in "-_ ")
    spellings = {known.lower().replace("-", ""): known for known in INDICES} | _SPELLINGS
    if plain not in spellings:
        raise InputError(f"unknown interaction index {name!r}; known: {', '.join(INDICES)}")
    known = spellings[plain]
    if p is not None and known != "WBII":
        raise InputError(f"p is the probability of WBII (weighted Banzhaf); {known} has none")
    if p is not None and not (isinstance(p, int | float | np.integer | np.floating) and 0 <= p <= 1):
        raise InputError(f"p is a probability, expected 0 to 1, found {p!r}")
    return known


def _weighted(
    values: Shaped[np.ndarray, " coalitions"], index: str, order: int, p: float | None
) -> list[tuple[np.ndarray, np.ndarray]]:
    from hlx.kernels import derivative_sums, derivative_weights
    from hlx.kernels.derivatives import workspace

    n = len(values).bit_length() - 1
    if order > 1 and workspace(n, order) > MAX_BYTES:
        fitting = max([1, *(k for k in range(1, order) if workspace(n, k) <= MAX_BYTES)])
        raise InputError(
            f"order {order} of {n} players takes {workspace(n, order) / 2**30:.1f} GiB of memory; "
            f"ask for an order up to {fitting}, or for Moebius"
        )
    weights = derivative_weights(index, n, order, 0.5 if p is None else float(p))
    groups = [
        (ids, weight @ sums)
        for weight, (ids, sums) in zip(weights, derivative_sums(values, order), strict=True)
    ]
    groups[0][1][0] += values[0]  # the transform leaves v(none) out, and every index keeps a constant
    return groups


def _dividends(values: Shaped[np.ndarray, " coalitions"], order: int) -> list[tuple[np.ndarray, np.ndarray]]:
    from hlx.kernels import moebius

    dividends, sizes = moebius(values), np.bitwise_count(np.arange(len(values)))
    return [(ids, dividends[ids]) for ids in (np.flatnonzero(sizes == s) for s in range(order + 1))]


def _lexicographic(ids: Int64[np.ndarray, " sets"], n: int) -> Int64[np.ndarray, " sets"]:
    """The order in which sets of one size come when written as tuples of players."""
    reversed_bits = np.zeros_like(ids)
    for player in range(n):
        reversed_bits |= (ids >> player & 1) << (n - 1 - player)
    return np.argsort(-reversed_bits)


def _checked(table: Shaped[np.ndarray, "..."]) -> tuple[Shaped[np.ndarray, " coalitions"], int]:
    try:
        values = np.asarray(table)
    except (TypeError, ValueError) as error:  # lists of unequal lengths
        raise InputError(f"expected one table of shape (2^n,), n >= 1: {error}") from None
    if values.dtype.kind not in "fiub":
        raise InputError(f"a table holds real numbers, found values of type {values.dtype}")
    if values.ndim != 1 or values.size < 2 or values.size & (values.size - 1):
        raise InputError(f"expected one table of shape (2^n,), n >= 1, found shape {values.shape}")
    n = values.size.bit_length() - 1
    finite = np.isfinite(values)
    if not finite.all():
        first = int(np.argmin(finite))
        row = rows_from_ids(np.array([first]), n)[0]
        raise InputError(f"table: the value of coalition {first} is {values[first]} ({describe(row)})")
    return values, n
