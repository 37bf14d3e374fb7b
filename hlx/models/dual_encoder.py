"""CLIP-like models whole: images and texts in, scores, image vectors and games out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8

from hlx.backgrounds import hidden_view
from hlx.errors import InputError
from hlx.images import read_image, square
from hlx.models.batches import Progress
from hlx.models.game import ImageTextGame, MaskedImage
from hlx.models.hub import Checkpoint
from hlx.models.image_side import ImageSide
from hlx.models.preparation import Pixels
from hlx.models.text_side import TextSide
from hlx.regions import LabelMap, Regions
from hlx.stimuli import Stimulus


class DualEncoder:
    """A model whose score is scale * cosine(image vector, text vector) + bias.

    Made by `hlx.load_model`.

    Attributes
    ----------
    name : what `load_model` was given (an absolute path for a directory).
    side : input size in pixels.
    texts : the text side, which makes directions of captions and foils.
    dtype : "float32" or "bfloat16", of the image tower's large products; all else is float32.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        family: str,
        dtype: str,
        image_side: ImageSide,
        text_side: TextSide,
        pixels: Pixels,
    ) -> None:
        self.checkpoint, self.family, self.dtype = checkpoint, family, dtype
        self.name, self.side = checkpoint.name, image_side.shape.side
        self.image_side, self.texts = image_side, text_side
        self._pixels = pixels

    def __repr__(self) -> str:
        return f"<{self.family} {self.name}, {self.side} px, {self.dtype}>"

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the checkpoint's config and weights."""
        return self.checkpoint.fingerprint()

    def encode_texts(self, texts: Sequence[str]) -> Float32[np.ndarray, "t p"]:
        """Unit text vectors."""
        return self.texts.encode(texts)

    def encode_squares(
        self, squares: UInt8[np.ndarray, "m s s 3"], batch_size: int | str | None = None
    ) -> Float32[np.ndarray, "m p"]:
        """Unit vectors of images that already have the model's input size."""
        side = self.image_side
        return side.encode(side.normalise(squares), side.runner(batch_size))

    def encode_images(
        self, images: Sequence[str | Path | np.ndarray], batch_size: int | str | None = None
    ) -> Float32[np.ndarray, "m p"]:
        """Unit vectors of images (paths or uint8 arrays) after the checkpoint's own resize and crop."""
        side = self.image_side
        return side.encode(self._pixels.of([read_image(image) for image in images]), side.runner(batch_size))

    def logits(
        self, images: Float32[np.ndarray, "m p"], texts: Float32[np.ndarray, "t p"]
    ) -> Float32[np.ndarray, "m t"]:
        """Scores of all pairs of image and text vectors."""
        return (self.texts.scale * (images @ texts.T) + self.texts.bias).astype(np.float32)

    def pair_logits(
        self, images: Float32[np.ndarray, "m p"], texts: Float32[np.ndarray, "m p"]
    ) -> Float32[np.ndarray, " m"]:
        """Scores of image and text vectors row by row."""
        return (self.texts.scale * np.einsum("mp,mp->m", images, texts) + self.texts.bias).astype(np.float32)

    def scores(
        self, images: Sequence[str | Path | np.ndarray], texts: Sequence[str]
    ) -> Float32[np.ndarray, "m t"]:
        """The checkpoint's logits_per_image.

        Parameters
        ----------
        images : paths or uint8 arrays (h, w, 3), prepared by the checkpoint's own image processor.
        texts : captions, padded with its tokenizer's pad id.

        Returns
        -------
        float32 (images, texts)
        """
        if isinstance(images, str | Path) or isinstance(texts, str):
            raise InputError("scores takes lists: of images, and of texts")
        if len(images) == 0 or len(texts) == 0:
            raise InputError("scores takes at least one image and one text")
        return self.logits(self.encode_images(images), self.encode_texts(texts))

    def mask(
        self,
        image: str | Path | np.ndarray,
        regions: Regions,
        background: str = "blur",
        batch_size: int | str | None = None,
        name: str | None = None,
    ) -> MaskedImage:
        """An image whose regions can be shown and hidden, ready on the devices."""
        pixels = read_image(image)
        shown = square(pixels, self.side)
        if isinstance(regions, LabelMap):
            regions.check_size(pixels.shape[:2], self.side)
        labels = regions.labels(self.side)
        hidden = hidden_view(shown, background)
        tokens = self.image_side.tokens(shown, hidden, labels, regions.n_players)
        runner = self.image_side.runner(batch_size)
        return MaskedImage(self.image_side, tokens, regions.n_players, runner, shown, hidden, name or "image")

    def game(
        self,
        stimulus: Stimulus,
        regions: Regions,
        background: str = "blur",
        batch_size: int | str | None = None,
        progress: Progress | None = None,
    ) -> ImageTextGame:
        """The game of one stimulus: v(S) = f with only the regions S shown.

        Parameters
        ----------
        stimulus : image, caption and foil.
        regions : `Grid` or `LabelMap`.
        background : what hidden regions show: "blur", "mean" or "black".
        batch_size : coalitions per batch; None or "auto" chooses what suits the device.
        progress : called with (done, total) while `table()` runs.
        """
        masked = self.mask(stimulus.image, regions, background, batch_size, stimulus.name)
        heads, offsets = self.texts.heads([(stimulus.caption, stimulus.foil)])
        return ImageTextGame(masked, heads[:, 0], float(offsets[0]), progress)
