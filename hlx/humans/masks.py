"""Click masks: the reference study's, normalised and summed over the cells of a grid; and what they showed.

An image as a participant saw it is blurred where nobody clicked, and sharp where the mask reaches its cap.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float32, Float64, UInt8

from hlx.errors import InputError
from hlx.games.regions import Grid
from hlx.humans.human_maps import STUDY_MASK, ClickMask
from hlx.io.images import square

CHUNK_BYTES = 2**26
"""So much memory, or one mask, is rasterised at a time."""

BLUR_SIDE = 400
KERNELS = (33, 99)
"""Widths of the Gaussian kernels of the middle and the lowest level, in pixels of a canvas of BLUR_SIDE."""


def draw_masks(
    clicks: Sequence[Float64[np.ndarray, "_ 2"]], mask: ClickMask
) -> Float64[np.ndarray, "responses side side"]:
    """Each response's mask: min(cap, 1 + sum over clicks with d <= radius of gain exp(-d^2 / (2 sigma^2))).

    d is the distance in pixels from the click to a pixel's centre.
    """
    from hlx.kernels import click_masks

    starts = np.cumsum([0, *map(len, clicks)], dtype=np.int64)
    points = np.concatenate([np.empty((0, 2)), *clicks])
    return click_masks(points, starts, mask.side, mask.radius, mask.gain, mask.sigma, mask.cap)


def response_maps(
    clicks: Sequence[Float64[np.ndarray, "_ 2"]], grid: Grid, mask: ClickMask
) -> tuple[Float64[np.ndarray, "responses n"], Bool[np.ndarray, " responses"]]:
    """Each response's normalised mask, summed over the cells of the grid.

    Parameters
    ----------
    clicks
        Each response's, (k, 2) of x and y in pixels of the canvas.
    grid
        The cells.
    mask
        Canvas, shape of a click and normalisation.

    Returns
    -------
    values
        (responses, n), each row sums to 1; zero where the mask does not rise above 1 anywhere.
    in_reach
        (responses,), where it does.

    Raises
    ------
    InputError
        The grid has more rows or columns than the canvas has pixels.
    """
    if mask.side < max(grid.rows, grid.cols):
        raise InputError(f"canvas {mask.side}: the grid {grid} has more rows or columns than pixels")
    labels = grid.labels(mask.side)
    # 0/1 matrices from pixels to rows and to columns of the grid, so that cells are sums by matrix product.
    rows = (labels[:, 0] // grid.cols == np.arange(grid.rows)[:, None]).astype(np.float64)
    columns = (labels[0] % grid.cols == np.arange(grid.cols)[:, None]).astype(np.float64)
    pixels = np.outer(rows.sum(axis=1), columns.sum(axis=1)).reshape(-1)

    values = np.zeros((len(clicks), grid.n_players))
    in_reach = np.zeros(len(clicks), dtype=np.bool_)
    chunk = max(1, CHUNK_BYTES // (8 * mask.side**2))
    for start in range(0, len(clicks), chunk):
        part = slice(start, start + chunk)
        # Less 1 before the sums, so that a faint click is not lost in 160,000 ones.
        added = draw_masks(clicks[part], mask) - 1.0
        values[part] = (rows @ added @ columns.T).reshape(-1, grid.n_players)
        in_reach[part] = values[part].any(axis=1)
    if mask.normalisation == "mask":
        values[in_reach] += pixels
    values[in_reach] /= values[in_reach].sum(axis=1, keepdims=True)
    return values, in_reach


def seen_image(
    image: UInt8[np.ndarray, "h w 3"], clicks: Float64[np.ndarray, "k 2"], mask: ClickMask = STUDY_MASK
) -> UInt8[np.ndarray, "side side 3"]:
    """The image on the canvas after these clicks.

    A pixel whose mask is at the cap is sharp, one half way from 1 to the cap (128 of 255) shows the image
    blurred by OpenCV's Gaussian kernel of 33 pixels, one at 1 by that of 99 pixels; in between, levels are
    interpolated linearly. Kernels are those of a canvas of 400 pixels and scale with the canvas.

    Parameters
    ----------
    image
        Of any size; it is resized to the canvas, and its aspect is not kept.
    clicks
        (k, 2), x and y in pixels of the canvas; none leaves everything blurred.
    mask
        The canvas and the shape of a click.

    Raises
    ------
    InputError
        An image without pixels, or a click that is not finite.
    """
    if image.size == 0:
        raise InputError(f"image: has no pixels, its shape is {image.shape}")
    if not np.isfinite(clicks).all():
        raise InputError("clicks: expected finite numbers of pixels")
    sharp = square(image, mask.side).astype(np.float32)
    drawn = draw_masks([clicks], mask)[0]
    middle, lowest = (_blurred(sharp, kernel) for kernel in KERNELS)
    # 0 where nothing was clicked, 1 at the middle level, 2 at the cap.
    level = (2 * (drawn - 1) / (mask.cap - 1))[:, :, None]
    seen = np.where(level < 1, lowest + level * (middle - lowest), middle + (level - 1) * (sharp - middle))
    return np.clip(np.rint(seen), 0, 255).astype(np.uint8)


def _blurred(image: Float32[np.ndarray, "side side 3"], kernel: int) -> Float32[np.ndarray, "side side 3"]:
    """Blurred by OpenCV's kernel of this width at BLUR_SIDE, mirrored at the border (BORDER_REFLECT_101).

    OpenCV leaves sigma at 0.3 ((kernel - 1) / 2 - 1) + 0.8 (documentation of cv::getGaussianKernel).
    """
    from scipy.ndimage import gaussian_filter

    scale = image.shape[0] / BLUR_SIDE
    half = (kernel - 1) / 2
    sigma, radius = (0.3 * (half - 1) + 0.8) * scale, round(half * scale)
    return gaussian_filter(image, sigma=(sigma, sigma, 0), radius=(radius, radius, 0), mode="mirror")
