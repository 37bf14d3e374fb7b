"""One stimulus: an image, the caption that is right for it and a foil that is wrong."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hlx.errors import InputError
from hlx.io.images import content_hash, read_image


@dataclass(frozen=True, eq=False)
class Stimulus:
    """An image with its caption and, where the question is a choice, its foil.

    Two stimuli are equal when all their fields are; arrays are compared by their values.

    Parameters
    ----------
    image
        Path or array A file, or pixels as :func:`hlx.io.images.read_image` takes them. It is not opened here.
    caption
        The text that is right for the image.
    foil
        The text that is wrong. Without one a game's worth is the caption's score alone.
    id
        A name of its own: one image may carry several stimuli.
    phenomenon
        The linguistic phenomenon that sets caption and foil apart.

    Raises
    ------
    InputError
        A field has another type, is empty or only whitespace, is no valid Unicode, or the foil equals the
        caption (runs of whitespace count as one space). The message starts with the field's name.
    """

    image: str | Path | np.ndarray
    caption: str
    foil: str | None = None
    id: str | None = None
    phenomenon: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.image, np.ndarray):
            if not isinstance(self.image, str | Path):
                raise InputError(f"image: expected a path or an array, found {type(self.image).__name__}")
            check_text("image", str(self.image))
        check_text("caption", self.caption)
        for field in ("foil", "id", "phenomenon"):
            if getattr(self, field) is not None:
                check_text(field, getattr(self, field))
        if self.foil is not None and same_text(self.caption, self.foil):
            raise InputError(
                f"foil: equals the caption {self.caption!r}; give a text that is wrong for the image"
            )

    @property
    def name(self) -> str:
        """What messages call this stimulus: its id, else its image and caption."""
        if self.id is not None:
            return self.id
        return f"{self.image_name}: {self.caption!r}"

    @property
    def image_name(self) -> str:
        """The image's path as given, or ``array`` for pixels."""
        return "array" if isinstance(self.image, np.ndarray) else str(self.image)

    @property
    def content_hash(self) -> str:
        """SHA-256, in hexadecimal, of caption, foil and the image's pixels; the image is read for it.

        Neither id, phenomenon nor the file's name or format take part.

        Raises
        ------
        InputError
            The image cannot be read.
        """
        return stimulus_hash(self.caption, self.foil, content_hash(read_image(self.image)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stimulus) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[str | None, ...]:
        image = self.image
        pixels = f"array {content_hash(image)}" if isinstance(image, np.ndarray) else str(image)
        return pixels, self.caption, self.foil, self.id, self.phenomenon


def stimulus_hash(caption: str, foil: str | None, image_hash: str) -> str:
    """SHA-256, in hexadecimal, of a stimulus whose image has the content hash `image_hash`."""
    return hashlib.sha256(json.dumps([caption, foil, image_hash]).encode()).hexdigest()


def same_text(first: str, second: str) -> bool:
    """Whether two texts differ in nothing but whitespace, which tokenizers collapse."""
    return first.split() == second.split()


def check_text(field: str, value: object) -> None:
    """Raise InputError, starting with the field's name, unless `value` is a text with something in it."""
    if not isinstance(value, str):
        raise InputError(f"{field}: expected text, found {type(value).__name__}")
    if not value.strip():
        raise InputError(f"{field}: empty or only whitespace")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        # JSON can spell half a surrogate pair; no tokenizer and no UTF-8 file takes it.
        raise InputError(f"{field}: not valid Unicode at character {error.start + 1}: {value!r}") from None
