"""EMD: how far mass must move, in grid cells, to turn one map into the other."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
from jaxtyping import Float64

from hlx.magnitudes import shares
from hlx.regions import Grid


def earth_movers_distance(
    maps: Float64[np.ndarray, "m n"], humans: Float64[np.ndarray, "m n"], grid: Grid
) -> Float64[np.ndarray, " m"]:
    """Earth mover's distance of each map and the human map in the same row, both normalised to mass 1.

    Exact, by POT's network simplex (Bonneel et al. 2011, doi:10.1145/2070781.2024192), with the Euclidean
    distances between cell centres: 1 is the side of a cell. NaN where a map is no distribution.
    """
    solve = _pot()
    distances = cell_distances(grid)
    pairs = zip(shares(maps), shares(humans), strict=True)
    return np.array([_distance(solve, p, q, distances) for p, q in pairs], dtype=np.float64)


def cell_distances(grid: Grid) -> Float64[np.ndarray, "n n"]:
    """Euclidean distance between the centres of every two cells, in grid cells."""
    row, col = np.divmod(np.arange(grid.n_players), grid.cols)
    return np.hypot(np.subtract.outer(row, row), np.subtract.outer(col, col))


def _distance(
    solve: Callable[..., float],
    p: Float64[np.ndarray, " n"],
    q: Float64[np.ndarray, " n"],
    distances: Float64[np.ndarray, "n n"],
) -> float:
    # Distances obey the triangle inequality, so mass that both maps have in a cell need not move. Without it
    # a problem has n sources and targets in all instead of 2n.
    surplus = p - q
    if np.isnan(surplus).any():
        return float("nan")
    source, target = surplus > 0, surplus < 0
    if not (source.any() and target.any()):
        return 0.0
    leaving, arriving = surplus[source], -surplus[target]
    moved = leaving.sum()
    costs = distances[np.ix_(source, target)]
    # The sums are made equal here, and nothing but the distance is asked for.
    sides = leaving / moved, arriving / arriving.sum()
    return float(moved * solve(*sides, costs, center_dual=False, check_marginals=False))


def _pot() -> Callable[..., float]:
    # Otherwise POT imports every array library that it finds.
    for library in ("PYTORCH", "JAX", "CUPY", "TENSORFLOW"):
        os.environ.setdefault(f"POT_BACKEND_DISABLE_{library}", "1")
    import ot

    solve: Callable[..., float] = ot.emd2
    return solve
