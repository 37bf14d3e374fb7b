"""Coalitions as ids and as boolean rows.

Bit i of an id, and column i of a row, is set when player i is shown; players of a grid are row-major,
player 0 top left. Ids index tables; rows have no limit on the number of players.
"""

import numpy as np
from jaxtyping import Bool, Int, Int64, Shaped

from hlx.errors import InputError

MAX_ID_PLAYERS = 63  # an id is a signed 64-bit integer
MAX_TABLE_PLAYERS = 24  # 2^24 values: 128 MiB in double precision


def rows_from_ids(ids: Shaped[np.ndarray, "..."], n: int) -> Bool[np.ndarray, "m n"]:
    """Boolean rows of coalition ids.

    Parameters
    ----------
    ids
        (m,) integers in [0, 2^n).
    n
        Number of players, 1 to 63.

    Raises
    ------
    InputError
        `ids` is not one axis of integers, or one is out of range, or `n` is.
    """
    _check_players(n, MAX_ID_PLAYERS, "an id")
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise InputError(f"expected ids as (m,) integers, found {ids.dtype} of shape {ids.shape}")
    if ids.size and (ids.min() < 0 or int(ids.max()) >> n):
        wrong = ids[(ids < 0) | (ids > (1 << n) - 1)][0]
        raise InputError(f"coalition ids of {n} players lie in 0 ... {(1 << n) - 1}, found {wrong}")
    octets = ids.astype("<u8", order="C").view(np.uint8).reshape(-1, 8)
    return np.unpackbits(octets, axis=1, count=n, bitorder="little").view(np.bool_)


def ids_from_rows(rows: Shaped[np.ndarray, "..."]) -> Int64[np.ndarray, "m"]:
    """Coalition ids of boolean rows (m, n) with n at most 63; the inverse of `rows_from_ids`.

    Raises
    ------
    InputError
        `rows` is not two axes of booleans, or has no column or more than 63.
    """
    check_rows(rows)
    _check_players(rows.shape[1], MAX_ID_PLAYERS, "an id")
    packed = np.packbits(rows, axis=1, bitorder="little")
    octets = np.zeros((len(rows), 8), np.uint8)
    octets[:, : packed.shape[1]] = packed
    return octets.reshape(-1).view("<i8").astype(np.int64, copy=False)


def all_rows(n: int) -> Bool[np.ndarray, "coalitions n"]:
    """The rows of all 2^n coalitions in the order of their ids; n at most 24, where they take 384 MiB.

    Raises
    ------
    InputError
        `n` is not in 1 ... 24.
    """
    _check_players(n, MAX_TABLE_PLAYERS, "a table")
    return rows_from_ids(np.arange(1 << n), n)


def none_and_all(n: int) -> Bool[np.ndarray, "2 n"]:
    """The coalition that shows nobody and the one that shows all n players."""
    return np.repeat([[False], [True]], n, axis=1)


def random_subsets(rng: np.random.Generator, n: int, sizes: Int[np.ndarray, "m"]) -> Bool[np.ndarray, "m n"]:
    """One random coalition of each of these sizes, all of a size equally likely."""
    ranks = rng.random((len(sizes), n)).argsort(axis=1).argsort(axis=1)
    return ranks < sizes[:, None]


def row_keys(rows: Bool[np.ndarray, "m n"]) -> Shaped[np.ndarray, "m"]:
    """One sortable key a row, equal for equal rows: its id, or its bytes where it is too wide for one."""
    if rows.shape[1] <= MAX_ID_PLAYERS:
        return ids_from_rows(rows)
    packed = np.packbits(rows, axis=1)
    return packed.view(f"V{packed.shape[1]}")[:, 0]


def coalition_sizes(rows: Shaped[np.ndarray, "..."]) -> Int[np.ndarray, "m"]:
    """The number of players shown in each of the boolean rows (m, n). Raises InputError as `check_rows`."""
    check_rows(rows)
    return np.count_nonzero(rows, axis=1)


def complement(rows: Shaped[np.ndarray, "..."]) -> Bool[np.ndarray, "m n"]:
    """Rows that show exactly the players the given rows (m, n) hide. Raises InputError as `check_rows`."""
    check_rows(rows)
    return np.logical_not(rows)


def check_rows(rows: Shaped[np.ndarray, "..."], n: int | None = None) -> None:
    """Raise InputError unless `rows` is boolean of shape (m, n), any m, and any n >= 1 where n is None."""
    columns = "n" if n is None else n
    expected = f"expected rows as (m, {columns}) booleans"
    if rows.dtype != np.bool_:
        raise InputError(f"{expected}, found {rows.dtype}: use rows.astype(bool)")
    if rows.ndim != 2 or rows.shape[1] < 1 or (n is not None and rows.shape[1] != n):
        raise InputError(f"{expected}, found shape {rows.shape}")


def describe(row: Bool[np.ndarray, "n"]) -> str:
    """A coalition in words for messages, such as "players 0, 2 of 4 shown"; long lists are cut."""
    shown = np.flatnonzero(row)
    if len(shown) == 0:
        return f"none of {len(row)} players shown"
    if len(shown) == len(row):
        return f"all {len(row)} players shown"
    names = ", ".join(str(player) for player in shown[:16])
    rest = f", ... ({len(shown)} in all)" if len(shown) > 16 else ""
    return f"player{'s' if len(shown) > 1 else ''} {names}{rest} of {len(row)} shown"


def _check_players(n: int, most: int, what: str) -> None:
    if not 1 <= n <= most:
        raise InputError(f"{what} is of 1 to {most} players, found {n}")
