"""Images as a page holds them: each once, and all together within a limit."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from markupsafe import Markup
from PIL import Image

from hlx.alignment.analysis.stimulus_images import LONG_SIDE, thumbnail
from hlx.io.images import content_hash
from hlx.report.kit.svg import element

SIDES = (LONG_SIDE, 192, 128, 96, 64)
"""Pixels that images may have on their long side; the first at which all images fit is taken."""

LARGEST = 8_000_000
"""Bytes that all images together may take, unless even the smallest side takes more."""

TRIED = 24
"""So many images tell what all will take."""

QUALITY = 78


@dataclass(frozen=True)
class Thumbnails:
    """Images to be shown by name, any number of times.

    Attributes
    ----------
    names
        By stimulus id; stimuli with the same image share one.
    definitions
        The drawing that holds all images; not shown itself.
    side
        Pixels on the long side of the largest; 0 without images.
    """

    names: Mapping[str, str]
    definitions: Markup
    side: int

    @property
    def count(self) -> int:
        """Distinct images."""
        return len(set(self.names.values()))


def make_thumbnails(images: Mapping[str, UInt8[np.ndarray, "h w 3"]], drawn: float) -> Thumbnails:
    """Every image, reduced as far as needed for all to fit in `LARGEST`; drawn square, as it was shown.

    `drawn` is the width and height in a drawing's units.
    """
    names: dict[str, str] = {}
    distinct: dict[str, UInt8[np.ndarray, "h w 3"]] = {}
    for stimulus, pixels in images.items():
        key = content_hash(pixels)
        names[stimulus] = key
        distinct.setdefault(key, pixels)
    numbers = {key: f"image-{place + 1}" for place, key in enumerate(distinct)}
    side = _side(list(distinct.values()))
    written = [
        element(
            "image",
            id=numbers[key],
            href=_data(pixels, side),
            width=drawn,
            height=drawn,
            preserveAspectRatio="none",
        )
        for key, pixels in distinct.items()
    ]
    holder = element("svg", element("defs", "".join(written)), width=0, height=0, aria_hidden="true")
    return Thumbnails(
        {stimulus: numbers[key] for stimulus, key in names.items()}, Markup(holder if written else ""), side
    )


def _side(images: list[UInt8[np.ndarray, "h w 3"]]) -> int:
    if not images:
        return 0
    tried = images[:: -(-len(images) // TRIED)]
    for side in SIDES:
        mean = sum(len(_data(pixels, side)) for pixels in tried) / len(tried)
        if mean * len(images) <= LARGEST:
            return side
    return SIDES[-1]


def _data(pixels: UInt8[np.ndarray, "h w 3"], side: int) -> str:
    """The image as a data URI: JPEG, or PNG where that is smaller, as it is for drawings."""
    small = Image.fromarray(thumbnail(pixels, side))
    jpeg, png = io.BytesIO(), io.BytesIO()
    small.save(jpeg, "JPEG", quality=QUALITY, optimize=True)
    small.save(png, "PNG", optimize=True)
    kind, content = min(("jpeg", jpeg.getvalue()), ("png", png.getvalue()), key=lambda made: len(made[1]))
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
