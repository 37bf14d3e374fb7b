"""Maps that know nothing of the model: what a model's maps must beat."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from hlx.errors import InputError
from hlx.regions import Grid
from hlx.similarity.canvas import borders, pixels_of_cells

CENTRE_SIGMA = 0.25
"""Standard deviation of the centre Gaussian as a share of the side: 100 of 400 pixels."""


def uniform_map(grid: Grid, side: int | None = None) -> Float64[np.ndarray, " n"]:
    """The same value in every cell, 1/n; with `side`, in every pixel of a canvas so wide and high.

    The two differ where the grid does not divide the side. Sums to 1.
    """
    if side is None:
        return np.full(grid.n_players, 1.0 / grid.n_players)
    return pixels_of_cells(grid, side) / side**2


def centre_gaussian(
    grid: Grid, sigma: float = CENTRE_SIGMA, side: int | None = None
) -> Float64[np.ndarray, " n"]:
    """A Gaussian at the centre of the image: its mass in each cell, over its mass in the image.

    Parameters
    ----------
    grid : the cells.
    sigma : standard deviation along rows and columns as a share of the image's side. Saliency benchmarks
        stretch a Gaussian over the image without agreeing on a width; on square grids up to 4x4 rank
        correlations are the same for any.
    side : the canvas in pixels, where cells are to be as unequal as its pixels make them; equal without.

    Raises
    ------
    InputError : sigma is not a finite number above 0.
    """
    from scipy.special import ndtr

    if not 0 < sigma < np.inf:
        raise InputError(f"centre Gaussian: sigma must be a finite number above 0, found {sigma}")
    masses = []
    for count in (grid.rows, grid.cols):
        edges = np.linspace(0.0, 1.0, count + 1) if side is None else borders(count, side) / side
        distance = (edges - 0.5) / sigma
        mass = np.diff(ndtr(distance))
        # Cells that mirror each other must tie in their ranks, to the last bit.
        masses.append((mass + mass[::-1]) / 2.0 if side is None else mass)
    cells = np.outer(*masses).ravel()
    return cells / cells.sum()


def mean_of_others(maps: Float64[np.ndarray, "m n"]) -> Float64[np.ndarray, "m n"]:
    """For each of m maps (stimuli, raters) the mean of all others; NaN where there is no other.

    Sums before and after each map are added, so that nothing cancels and values that are 0 in all other maps
    stay 0.
    """
    m = len(maps)
    if m < 2:
        return np.full(maps.shape, np.nan)
    nothing = np.zeros((1, maps.shape[1]))
    before = np.concatenate([nothing, np.cumsum(maps[:-1], axis=0)])
    after = np.concatenate([np.cumsum(maps[:0:-1], axis=0)[::-1], nothing])
    return (before + after) / (m - 1)
