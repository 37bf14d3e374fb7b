"""What a table is, and how the kernels read one."""

from typing import Any

import numpy as np
from jaxtyping import Float, Shaped


def as_tables(tables: Any) -> tuple[Float[np.ndarray, "g coalitions"], int, bool]:
    """Read one table or many as a contiguous, read-only array of float32 or float64.

    Nothing is copied where the input already is one.

    Returns
    -------
    tables
        (g, 2^n). Read-only, so that the kernels are compiled once for all inputs, memory maps included.
    n
        Number of players.
    single
        Whether the input was a single table of shape (2^n,).

    Raises
    ------
    ValueError
        The input is not of shape (2^n,) or (g, 2^n) with n >= 1, or its values are not real numbers.
    """
    values = np.asarray(tables)
    if values.dtype.kind not in "fiub":
        raise ValueError(f"a table holds real numbers, found values of type {values.dtype}")
    if values.ndim not in (1, 2):
        raise ValueError(f"expected one table (2^n,) or many (g, 2^n), found shape {values.shape}")
    size = values.shape[-1]
    if size < 2 or size & (size - 1):
        raise ValueError(f"a table of n >= 1 players has 2^n values, found {size} in shape {values.shape}")
    dtype = np.float32 if values.dtype.kind == "f" and values.dtype.itemsize == 4 else np.float64
    view = np.ascontiguousarray(values, dtype=dtype).reshape(-1, size).view()
    view.flags.writeable = False
    return view, size.bit_length() - 1, values.ndim == 1


def coalition_sizes(count: int) -> Shaped[np.ndarray, "count"]:
    """The number of players in each of the coalitions 0 ... count - 1, int64."""
    return np.bitwise_count(np.arange(count)).astype(np.int64)
