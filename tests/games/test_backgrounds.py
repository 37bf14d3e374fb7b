"""Hidden regions show the reference study's blur, the mean colour or black."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hlx.errors import InputError
from hlx.games.backgrounds import BACKGROUNDS, hidden_view

squares = st.integers(1, 24).flatmap(lambda side: hnp.arrays(np.uint8, (side, side, 3)))


def pictures() -> dict[str, np.ndarray]:
    """Pictures of 224 pixels that are hard in different ways: noise, a hard corner, large soft blobs."""
    rng = np.random.default_rng(0)
    corner = np.zeros((224, 224, 3), np.uint8)
    corner[:90, :40] = 255
    y, x = np.mgrid[:224, :224]
    blobs = 127.5 + 127.5 * np.sin(y / 30)[..., None] * np.cos(x / 45)[..., None] * [1, -1, 0.5]
    noise = rng.integers(0, 256, (224, 224, 3), dtype=np.uint8)
    return {"noise": noise, "corner": corner, "blobs": blobs.astype(np.uint8)}


@pytest.mark.parametrize("name", pictures())
def test_the_blur_is_opencvs_within_two_grey_levels(name: str) -> None:
    cv2 = pytest.importorskip("cv2", reason="the reference blur is OpenCV's")
    image = pictures()[name]
    expected = cv2.GaussianBlur(image, (99, 99), 0).astype(int)
    assert np.abs(hidden_view(image, "blur") - expected).max() <= 2


@pytest.mark.parametrize("side", [32, 64, 112, 256, 384])
def test_the_blur_scales_with_the_side(side: int) -> None:
    """A step edge is blurred to the same shares at every side: the Gaussian's distribution function."""
    from scipy.stats import norm

    image = np.zeros((side, side, 3), np.uint8)
    image[:, side // 2 :] = 255
    middle = hidden_view(image, "blur")[side // 2, :, 0]
    distance = np.arange(side) + 0.5 - side // 2
    near = np.abs(distance) < side / 4
    np.testing.assert_allclose(middle[near], 255 * norm.cdf(distance[near] / (15.2 * side / 224)), atol=4)


@given(squares, st.sampled_from(BACKGROUNDS))
def test_a_hidden_view_has_the_images_shape_and_stays_within_its_colours(
    image: np.ndarray, background: str
) -> None:
    before = image.copy()
    hidden = hidden_view(image, background)
    assert hidden.shape == image.shape
    assert hidden.dtype == np.uint8
    np.testing.assert_array_equal(image, before)
    assert not np.shares_memory(hidden, image)
    assert (hidden.max(axis=(0, 1)) <= image.max(axis=(0, 1))).all()
    if background != "black":
        assert (hidden.min(axis=(0, 1)) >= image.min(axis=(0, 1))).all()


@given(st.integers(1, 24), st.tuples(*[st.integers(0, 255)] * 3), st.sampled_from(["blur", "mean"]))
def test_one_colour_blurred_or_averaged_is_that_colour(
    side: int, colour: tuple[int, ...], background: str
) -> None:
    image = np.full((side, side, 3), colour, dtype=np.uint8)
    np.testing.assert_array_equal(hidden_view(image, background), image)


@given(squares, st.sampled_from(BACKGROUNDS), st.integers(1, 3))
def test_turning_the_image_turns_the_hidden_view(image: np.ndarray, background: str, quarters: int) -> None:
    turned = hidden_view(np.rot90(image, quarters), background).astype(int)
    expected = np.rot90(hidden_view(image, background), quarters)
    assert np.abs(turned - expected).max() <= 1  # float32 sums in another order may round the other way


@given(squares)
def test_the_mean_is_the_nearest_colour_to_the_average(image: np.ndarray) -> None:
    hidden = hidden_view(image, "mean")
    assert (hidden == hidden[0, 0]).all()
    assert np.abs(hidden[0, 0] - image.reshape(-1, 3).mean(axis=0)).max() <= 0.5 + 1e-9


def test_black_is_zero() -> None:
    assert not hidden_view(np.full((4, 4, 3), 200, np.uint8), "black").any()


def test_another_background_is_refused_with_the_choices() -> None:
    with pytest.raises(InputError, match="'white': expected one of blur, mean, black"):
        hidden_view(np.zeros((4, 4, 3), np.uint8), "white")


@pytest.mark.parametrize("shape", [(4, 5, 3), (4, 4), (4, 4, 4), (0, 0, 3)])
def test_an_image_that_is_not_square_rgb_is_refused(shape: tuple[int, ...]) -> None:
    # With shapes checked at the call, the annotation refuses some of these first.
    with pytest.raises((InputError, TypeError)):
        hidden_view(np.zeros(shape, np.uint8), "blur")


def test_scipy_waits_until_something_is_blurred() -> None:
    code = "import sys, hlx.games.backgrounds; sys.exit('scipy' in sys.modules or 'jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
