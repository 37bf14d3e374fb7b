"""What hidden regions show. A coalition's image is the image where shown and one of these where hidden."""

import numpy as np
from jaxtyping import UInt8

from hlx.errors import InputError

BACKGROUNDS = ("blur", "mean", "black")

# The reference study blurs with OpenCV's 99-pixel kernel at 224 pixels and leaves sigma to OpenCV, which
# takes 0.3 ((99 - 1) / 2 - 1) + 0.8 = 15.2 (documentation of cv::getGaussianKernel).
BLUR_SIDE = 224
BLUR_SIGMA = 15.2
BLUR_RADIUS = 49


def hidden_view(image: UInt8[np.ndarray, "side side 3"], background: str) -> UInt8[np.ndarray, "side side 3"]:
    """The image as it looks with every region hidden.

    Parameters
    ----------
    image
        (side, side, 3) uint8. At the size of the model's input.
    background
        {"blur", "mean", "black"} ``blur``: a Gaussian of sigma 15.2 and radius 49 pixels at 224, both scaled
        with the side, mirrored at the border without repeating the edge pixel; equal to
        ``cv2.GaussianBlur(image, (99, 99), 0)`` at 224 up to that function's rounding. ``mean``: the image's
        mean colour. ``black``: zeros, the darkest colour, not the zero of a model's normalised input.

    Returns
    -------
    UInt8[np.ndarray, "side side 3"]
        (side, side, 3) uint8

    Raises
    ------
    InputError
        Another background, or an image that is not square RGB.
    """
    if background not in BACKGROUNDS:
        raise InputError(f"background {background!r}: expected one of {', '.join(BACKGROUNDS)}")
    if image.ndim != 3 or image.shape[2] != 3 or image.shape[0] != image.shape[1] or image.size == 0:
        raise InputError(f"background: expected a square image (side, side, 3), found shape {image.shape}")
    if background == "black":
        return np.zeros_like(image)
    if background == "mean":
        return np.broadcast_to(_to_uint8(image.mean(axis=(0, 1))), image.shape).copy()
    return _blurred(image)


def _blurred(image: UInt8[np.ndarray, "side side 3"]) -> UInt8[np.ndarray, "side side 3"]:
    from scipy.ndimage import gaussian_filter

    scale = image.shape[0] / BLUR_SIDE
    sigma, radius = BLUR_SIGMA * scale, round(BLUR_RADIUS * scale)
    blurred = gaussian_filter(
        image.astype(np.float32), sigma=(sigma, sigma, 0), radius=(radius, radius, 0), mode="mirror"
    )
    return _to_uint8(blurred)


def _to_uint8(values: np.ndarray) -> UInt8[np.ndarray, "..."]:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
