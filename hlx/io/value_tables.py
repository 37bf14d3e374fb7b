"""Tables of all coalitions' values in NumPy's files, as other programs leave them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from hlx.errors import InputError
from hlx.io.checks import check_file

ARRAY_ENDINGS = (".npz", ".npy")


def read_tables(path: str | Path, keys: Sequence[str] = ()) -> dict[str, Shaped[np.ndarray, "*axes"]]:
    """The arrays of tables in a .npz by key, or of a .npy under the key "".

    Parameters
    ----------
    keys
        Of the arrays of a .npz; may be left out where one array alone can be tables: floating-point numbers
        of shape (2^n,) or (g, 2^n).

    Raises
    ------
    InputError
        Missing, unreadable, an unknown key, nothing that could be tables, or several arrays.
    """
    path = Path(path)
    check_file(path)
    try:
        loaded = np.load(path, allow_pickle=False)
        held = {"": loaded} if isinstance(loaded, np.ndarray) else {key: loaded[key] for key in loaded.files}
    except Exception as error:  # whatever broken bytes provoke
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: cannot be read as an array: {reason}") from None
    if "" in held:
        if keys:
            raise InputError(f'{path}: holds a single array, which has no key: leave out key="{keys[0]}"')
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
            f'{path}: {", ".join(chosen)} could all be tables; choose with key="NAME" (it holds {shapes})'
        )
    return {key: held[key] for key in chosen}


def single_tables(
    array: Shaped[np.ndarray, "*axes"], name: str
) -> dict[str, Shaped[np.ndarray, " coalitions"]]:
    """The tables of an array of shape (2^n,) or (g, 2^n) by name; InputError for any other number of axes."""
    if array.ndim == 1:
        return {name: array}
    if array.ndim != 2 or not len(array):
        raise InputError(f"{name}: expected tables of shape (2^n,) or (games, 2^n), found {array.shape}")
    return {f"{name}[{i}]": table for i, table in enumerate(array)}


def _could_be_tables(array: np.ndarray) -> bool:
    length = array.shape[-1] if array.ndim in (1, 2) else 0
    return array.dtype.kind == "f" and length >= 2 and not length & (length - 1)
