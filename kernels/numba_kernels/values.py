"""From tables to one number per player: Shapley and Banzhaf values."""

import functools
from math import comb

import numpy as np
from jaxtyping import Float, Shaped

from .folding import sums_with_each_player
from .tables import as_tables


@np.errstate(invalid="ignore", over="ignore")  # the result says it
def shapley(
    tables: Shaped[np.ndarray, "*games coalitions"], threads: int | None = None
) -> Float[np.ndarray, "*games n"]:
    """Exact Shapley values from tables of all coalition values.

    With s = |S| and A_i = sum over proper subsets S containing i of v(S) n / (s (n - s) C(n, s)),

        phi_i = (v(all) - v(none)) / n + A_i - mean over j of A_j,

    which is Shapley's formula with the coalitions without i expressed by the other players' sums (the weights
    are those of KernelSHAP, Lundberg and Lee 2017, theorem 2, up to a factor). Efficiency holds to rounding.

    Parameters
    ----------
    tables
        (2^n,) or (g, 2^n); bit i of the index is set when player i is shown. Single precision is read as it
        is, without a copy, and summed in double precision.
    threads
        At most so many threads; None for all processors. The result does not depend on it.

    Returns
    -------
    Float[np.ndarray, "*games n"]
        (n,) or (g, n), float64. NaN for every player of a table that holds a NaN.

    Raises
    ------
    ValueError
        The last axis is not 2^n with n >= 1, or the values are not real numbers.
    """
    values, n, single = as_tables(tables)
    sums, _ = sums_with_each_player(values, _shapley_weights(n), threads)
    gain = values[:, -1].astype(np.float64) - values[:, 0]
    phi = sums + ((gain - sums.sum(axis=1)) / n)[:, None]
    return phi[0] if single else phi


@np.errstate(invalid="ignore", over="ignore")  # the result says it
def banzhaf(
    tables: Shaped[np.ndarray, "*games coalitions"], threads: int | None = None
) -> Float[np.ndarray, "*games n"]:
    """Exact Banzhaf values: the mean of v(S + i) - v(S) over all 2^(n-1) coalitions S without i.

    Parameters, shapes and errors as in `shapley`.
    """
    values, n, single = as_tables(tables)
    sums, totals = sums_with_each_player(values, np.ones(n + 1), threads)
    beta = (2 * sums - totals[:, None]) / 2 ** (n - 1)
    return beta[0] if single else beta


@functools.cache
def _shapley_weights(n: int) -> Float[np.ndarray, "sizes"]:
    return np.array([0.0, *(n / (s * (n - s) * comb(n, s)) for s in range(1, n)), 0.0])
