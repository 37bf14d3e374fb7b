"""Images in: files, arrays and PIL images become one thing, uint8 RGB pixels of shape (h, w, 3).

Colours are read the way CLIP's and SigLIP's own image processors read them (PIL's ``convert("RGB")``), with
two deliberate differences: the EXIF orientation is applied first, so that a region lies where a viewer of the
photo sees it, and deep greys are scaled to 8 bits where PIL would clip them to white. Everything that can be
wrong with a file ends in one line of :class:`~hlx.errors.InputError` that names it.
"""

import hashlib
import io
import warnings
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from hlx.errors import InputError
from hlx.io.checks import one_line, open_file

MAX_PIXELS = 89_478_485
"""Larger images are refused before they are decoded: 256 MiB as RGB, where Pillow begins to warn."""

# A closed list: Pillow would otherwise try all its plugins, of which EPS starts an outside program.
FORMATS = ("PNG", "JPEG", "JPEG2000", "WEBP", "AVIF", "GIF", "BMP", "DIB", "TIFF", "PPM", "TGA", "ICO")

_EXIF_ORIENTATION = 0x0112
_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_image(source: str | Path | np.ndarray | Image.Image) -> UInt8[np.ndarray, "h w 3"]:
    """RGB pixels of an image file, an array or a PIL image.

    Parameters
    ----------
    source
        Path, array or PIL image A file of any mode in one of ``FORMATS``; of an animation the first frame. An
        array has shape (h, w), (h, w, 1), (h, w, 3) or (h, w, 4) and is uint8, bool, uint16 (0 to 65535) or
        floating in [0, 1].

    Returns
    -------
    (h, w, 3) uint8
        Alpha is dropped, not blended: this is what the models' own processors do, and a map must explain the
        pixels that the model is given. Colour profiles are ignored for the same reason.

    Raises
    ------
    InputError
        The file is missing, empty, truncated, not readable, no image or above ``MAX_PIXELS``; the array has
        another shape, type or range.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        name = getattr(source, "filename", "") or "image"
        refuse_bomb(source, name)
        return _from_pil(source, name)
    path = Path(source)
    return _from_pil(open_image(path), str(path))


def read_image_bytes(content: bytes, path: Path) -> UInt8[np.ndarray, "h w 3"]:
    """As `read_image`, of a file's content that was read already; errors name its path."""
    return _from_pil(open_image(path, content), str(path))


def png_bytes(pixels: UInt8[np.ndarray, "h w 3"]) -> bytes:
    """The image as the content of a PNG file."""
    drawn = io.BytesIO()
    Image.fromarray(pixels).save(drawn, "png")
    return drawn.getvalue()


def open_image(path: Path, content: bytes | None = None) -> Image.Image:
    """The first frame of an image file, or of its content read already, decoded, in the file's own mode.

    Raises
    ------
    InputError
        As in :func:`read_image`.
    """
    file = open_file(path) if content is None else io.BytesIO(content)
    with file, warnings.catch_warnings():
        # Pillow warns of large images and of odd metadata; size is judged below, the rest decides nothing.
        warnings.simplefilter("ignore")
        try:
            image = Image.open(file, formats=_formats())
        except Image.UnidentifiedImageError:
            raise InputError(
                f"{path}: not an image, or cut off in its header; hlx reads {', '.join(_formats())}"
            ) from None
        except Image.DecompressionBombError:
            raise InputError(
                f"{path}: refused, more than {MAX_PIXELS:,} pixels; scale the image down first"
            ) from None
        except Exception as error:  # decoders raise whatever broken bytes provoke
            raise InputError(f"{path}: cannot be read as an image: {one_line(error)}") from None
        with image:
            refuse_bomb(image, str(path))
            _decode(image, str(path))
    return image


def refuse_bomb(image: Image.Image, name: str) -> None:
    """Raise InputError if an image declares more than ``MAX_PIXELS`` pixels; nothing is decoded for it."""
    if image.width * image.height > MAX_PIXELS:
        raise InputError(
            f"{name}: refused, {image.width} x {image.height} is more than {MAX_PIXELS:,} pixels; "
            "scale the image down first"
        )
    if image.width == 0 or image.height == 0:
        raise InputError(f"{name}: the image has no pixels ({image.width} x {image.height})")


def square(image: UInt8[np.ndarray, "h w 3"], side: int) -> UInt8[np.ndarray, "side side 3"]:
    """An image resized to (side, side) with PIL's bicubic filter; the aspect is not kept.

    Composition happens at this size, so that a processor's own resize and crop change nothing afterwards.

    Raises
    ------
    InputError
        `side` is below 1.
    """
    if side < 1:
        raise InputError(f"side of the square image: expected at least 1 pixel, found {side}")
    resized = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
    return np.array(resized, dtype=np.uint8)


def content_hash(pixels: np.ndarray) -> str:
    """SHA-256, in hexadecimal, of an array's type, shape and values; strides and byte order play no part."""
    little = np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("<"))
    digest = hashlib.sha256(f"{pixels.dtype.name} {pixels.shape}\n".encode())
    digest.update(little.tobytes())
    return digest.hexdigest()


def _from_pil(image: Image.Image, name: str) -> UInt8[np.ndarray, "h w 3"]:
    _decode(image, name)
    if image.mode == "F" or image.mode.startswith("I"):
        rgb = Image.fromarray(_eight_bits(_deep_greys(image, name), name)).convert("RGB")
    else:
        try:
            # By way of RGBA a transparent palette gives the same colours without Pillow's warning.
            opaque = image.convert("RGBA") if image.mode == "P" and "transparency" in image.info else image
            rgb = opaque.convert("RGB")
        except ValueError as error:
            raise InputError(f"{name}: mode {image.mode} has no RGB form: {one_line(error)}") from None
    transposition = _TRANSPOSITIONS.get(_orientation(image))
    if transposition is not None:
        rgb = rgb.transpose(transposition)
    return np.array(rgb, dtype=np.uint8)


def _deep_greys(image: Image.Image, name: str) -> np.ndarray:
    values = np.asarray(image)
    if image.mode != "I":
        return values
    # Pillow hands over 16-bit greys of some formats (PGM among them) as int32.
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise InputError(f"{name}: expected greys of at most 16 bits, found values from {low} to {high}")
    return values.astype(np.uint16)


def _decode(image: Image.Image, name: str) -> None:
    try:
        image.load()
    except Exception as error:  # decoders raise whatever broken bytes provoke
        raise InputError(f"{name}: truncated or corrupt image: {one_line(error)}") from None


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_EXIF_ORIENTATION, 1))
    except Exception:  # broken metadata must not make a good picture unreadable
        return 1


def _from_array(array: np.ndarray) -> UInt8[np.ndarray, "h w 3"]:
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        first = array.ndim == 3 and array.shape[0] in (1, 3, 4)
        hint = "; move the channels last" if first else ""
        raise InputError(
            f"image array: expected shape (h, w) or (h, w, 1, 3 or 4 channels), found {array.shape}{hint}"
        )
    if array.size == 0:
        raise InputError(f"image array: has no pixels, its shape is {array.shape}")
    pixels = _eight_bits(array, "image array")
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    return np.array(np.broadcast_to(pixels[:, :, :3], (*pixels.shape[:2], 3)))


def _eight_bits(values: np.ndarray, name: str) -> UInt8[np.ndarray, "..."]:
    """Grey or colour values of any accepted type as uint8; the type's whole range maps to 0..255."""
    if values.dtype == np.uint8:
        return values
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * np.uint8(255)
    if values.dtype.newbyteorder("=") == np.uint16:
        return ((values.astype(np.int32) + 128) // 257).astype(np.uint8)
    if np.issubdtype(values.dtype, np.floating):
        low, high = float(values.min()), float(values.max())
        if not (low >= 0 and high <= 1):  # NaN fails this comparison too
            raise InputError(
                f"{name}: expected floating values in [0, 1], found {low:g} to {high:g}; "
                "divide by 255, or pass uint8"
            )
        return np.rint(values * 255.0).astype(np.uint8)
    raise InputError(f"{name}: expected uint8 (or bool, uint16, floats in [0, 1]), found {values.dtype}")


@cache
def _formats() -> tuple[str, ...]:
    Image.init()  # loads all plugins; builds of Pillow differ in AVIF
    return tuple(name for name in FORMATS if name in Image.OPEN)
