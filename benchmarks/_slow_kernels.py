"""What the kernels of pairing sums and click masks are measured against: plain loops over NumPy and SciPy."""

from __future__ import annotations

import numpy as np
from scipy import stats


def loop_null(maps: np.ndarray, humans: np.ndarray, shuffles: int, rng: np.random.Generator) -> np.ndarray:
    """The reference study's loop: permute the human maps, correlate each pair with spearmanr, average."""
    null = np.empty(shuffles)
    for shuffle in range(shuffles):
        permuted = rng.permutation(humans)
        null[shuffle] = np.mean(
            [stats.spearmanr(one, other).statistic for one, other in zip(maps, permuted, strict=True)]
        )
    return null


def permuted_sums(matrix: np.ndarray, shuffles: int, rng: np.random.Generator) -> np.ndarray:
    """All permutations at once by Generator.permuted, then the entries they pick, then their sums."""
    rows = np.arange(len(matrix))
    permutations = rng.permuted(np.tile(rows, (shuffles, 1)), axis=1)
    return matrix[rows, permutations].sum(axis=1)


def canvas_masks(
    clicks: np.ndarray, starts: np.ndarray, side: int, radius: float, gain: float, sigma: float, cap: float
) -> np.ndarray:
    """Click masks by the equations, each click over the whole canvas."""
    row, column = np.mgrid[:side, :side].astype(np.float64)
    masks = np.ones((len(starts) - 1, side, side))
    for mask, first, last in zip(masks, starts[:-1], starts[1:], strict=True):
        for x, y in clicks[first:last]:
            squared = (column - x) ** 2 + (row - y) ** 2
            mask += np.where(squared <= radius**2, gain * np.exp(-squared / (2 * sigma**2)), 0.0)
        np.minimum(mask, cap, out=mask)
    return masks
