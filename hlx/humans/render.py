"""An image as a participant saw it: blurred where nobody clicked, sharp where the mask reaches its cap."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from hlx.errors import InputError
from hlx.humans.build import STUDY_MASK
from hlx.humans.human_maps import ClickMask
from hlx.humans.masks import draw_masks
from hlx.images import square

BLUR_SIDE = 400
KERNELS = (33, 99)
"""Widths of the Gaussian kernels of the middle and the lowest level, in pixels of a canvas of BLUR_SIDE."""


def seen_image(
    image: UInt8[np.ndarray, "h w 3"], clicks: Float64[np.ndarray, "k 2"], mask: ClickMask = STUDY_MASK
) -> UInt8[np.ndarray, "side side 3"]:
    """The image on the canvas after these clicks.

    A pixel whose mask is at the cap is sharp, one half way from 1 to the cap (128 of 255) shows the image
    blurred by OpenCV's Gaussian kernel of 33 pixels, one at 1 by that of 99 pixels; in between, levels are
    interpolated linearly. Kernels are those of a canvas of 400 pixels and scale with the canvas.

    Parameters
    ----------
    image : of any size; it is resized to the canvas, and its aspect is not kept.
    clicks : (k, 2), x and y in pixels of the canvas; none leaves everything blurred.

    Raises
    ------
    InputError : an image without pixels, or a click that is not finite.
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
