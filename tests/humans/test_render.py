"""An image as a participant saw it: OpenCV's two blurs and the sharp image, interpolated by the mask."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlx.errors import InputError
from hlx.humans import ClickMask, seen_image
from hlx.humans.masks import draw_masks
from hlx.io.images import square

NO_CLICKS = np.empty((0, 2))


def picture(side: int = 400) -> np.ndarray:
    """Noise beside hard edges: hard to blur and to keep."""
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    image[: side // 2, : side // 3] = (250, 10, 120)
    return image


def test_the_levels_are_opencvs_blurs_interpolated() -> None:
    cv2 = pytest.importorskip("cv2", reason="the reference blur is OpenCV's")
    image = picture()
    clicks = np.array([[60.5, 80.0], [62.0, 81.0], [250.0, 300.25], [390.0, 10.0], [420.0, 5.0]])
    drawn = draw_masks([clicks], ClickMask())[0][:, :, None]
    seen = seen_image(image, clicks)
    # On whole greys OpenCV computes in 16 bits, and is itself almost two levels off its own single precision.
    for pixels, tolerance in ((image.astype(np.float32), 0.51), (image, 2.3)):
        low, middle = (cv2.GaussianBlur(pixels, (k, k), 0).astype(np.float64) for k in (99, 33))
        below = low + (drawn - 1) / 127 * (middle - low)
        above = middle + (drawn - 128) / 127 * (image - middle)
        assert np.abs(seen - np.where(drawn < 128, below, above)).max() <= tolerance


def test_without_clicks_all_is_blurred_and_at_the_cap_nothing() -> None:
    cv2 = pytest.importorskip("cv2", reason="the reference blur is OpenCV's")
    image = picture()
    blurred = cv2.GaussianBlur(image.astype(np.float32), (99, 99), 0)
    assert np.abs(seen_image(image, NO_CLICKS) - blurred).max() <= 0.51
    seen = seen_image(image, np.array([[200.0, 200.0]] * 40))
    sharp = draw_masks([np.array([[200.0, 200.0]] * 40)], ClickMask())[0] == 255
    assert sharp.sum() > 30_000
    np.testing.assert_array_equal(seen[sharp], image[sharp])


def test_the_blur_scales_with_the_canvas_and_the_levels_with_the_cap() -> None:
    image = np.zeros((200, 200, 3), np.uint8)
    image[:, 100:] = 240
    half = seen_image(image, NO_CLICKS, ClickMask(side=200))
    whole = seen_image(image.repeat(2, axis=0).repeat(2, axis=1), NO_CLICKS)
    assert (
        np.abs(half[::10, ::10].astype(int) - whole[::20, ::20]).max() <= 6
    )  # half a pixel's step of the slope
    clicks = np.array([[100.0, 100.0]])
    low, high = (ClickMask(side=200, gain=gain, cap=1 + 2 * gain) for gain in (10.0, 500.0))
    np.testing.assert_array_equal(seen_image(image, clicks, low), seen_image(image, clicks, high))


def test_an_image_of_another_size_is_resized_to_the_canvas() -> None:
    image = picture(90)[:, :60]
    mask = ClickMask(side=120)
    clicks = np.array([[30.0, 40.0]])
    seen = seen_image(image, clicks, mask)
    assert seen.shape == (120, 120, 3)
    np.testing.assert_array_equal(seen, seen_image(square(image, 120), clicks, mask))


@settings(max_examples=20)
@given(st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_colours_stay_within_the_images(side: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
    mask = ClickMask(side=side, radius=max(1.0, side / 4))
    seen = seen_image(image, rng.uniform(0, side, (3, 2)), mask)
    assert (seen >= image.min(axis=(0, 1))).all() and (seen <= image.max(axis=(0, 1))).all()


def test_what_cannot_be_shown() -> None:
    with pytest.raises(InputError, match="image: has no pixels"):
        seen_image(np.empty((0, 3, 3), np.uint8), NO_CLICKS)
    with pytest.raises(InputError, match="clicks: expected finite"):
        seen_image(picture(8), np.array([[1.0, np.nan]]))
