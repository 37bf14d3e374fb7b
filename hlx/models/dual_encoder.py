"""CLIP-like models whole: images and texts in, scores, image vectors and games out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import jax
import numpy as np
from flax import nnx
from jaxtyping import Float, Float32, UInt8

from hlx.backgrounds import hidden_view
from hlx.errors import InputError
from hlx.images import read_image, square
from hlx.models.batches import Progress
from hlx.models.game import ImageTextGame, MaskedImage
from hlx.models.hub import Checkpoint
from hlx.models.image_side import ImageSide
from hlx.models.preparation import Pixels, Texts
from hlx.regions import LabelMap, Regions
from hlx.stimuli import Stimulus

TEXT_BATCH = 64


class DualEncoder:
    """A model whose score is scale * cosine(image vector, text vector) + bias.

    Made by `hlx.load_model`.

    Attributes
    ----------
    name : what `load_model` was given (an absolute path for a directory).
    side : input size in pixels.
    dtype : "float32" or "bfloat16", of the image tower's large products; all else is float32.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        family: str,
        dtype: str,
        image_side: ImageSide,
        text_tower: nnx.Module,
        texts: Texts,
        pixels: Pixels,
        scale: float,
        bias: float,
    ) -> None:
        self.checkpoint, self.family, self.dtype = checkpoint, family, dtype
        self.name, self.side = checkpoint.name, image_side.shape.side
        self.image_side = image_side
        self._texts, self._pixels = texts, pixels
        self.scale, self.bias = scale, bias
        graph, self._text_state = nnx.split(text_tower)
        self._encode_ids = jax.jit(lambda state, ids: nnx.merge(graph, state)(ids))

    def __repr__(self) -> str:
        return f"<{self.family} {self.name}, {self.side} px, {self.dtype}>"

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the checkpoint's config and weights."""
        return self.checkpoint.fingerprint()

    def encode_texts(self, texts: Sequence[str]) -> Float32[np.ndarray, "t p"]:
        """Unit text vectors."""
        parts = []
        for start in range(0, len(texts), TEXT_BATCH):
            ids = self._texts.ids(texts[start : start + TEXT_BATCH])
            rows = min(TEXT_BATCH, 1 << (len(ids) - 1).bit_length())
            padded = np.concatenate([ids, np.repeat(ids[-1:], rows - len(ids), axis=0)])
            parts.append(np.asarray(self._encode_ids(self._text_state, padded))[: len(ids)])
        return np.concatenate(parts)

    def encode_squares(
        self, squares: UInt8[np.ndarray, "m s s 3"], batch_size: int | None = None
    ) -> Float32[np.ndarray, "m p"]:
        """Unit vectors of images that already have the model's input size."""
        side = self.image_side
        return side.encode(side.normalise(squares), side.runner(batch_size))

    def encode_images(
        self, images: Sequence[object], batch_size: int | None = None
    ) -> Float32[np.ndarray, "m p"]:
        """Unit vectors of images (paths or uint8 arrays) after the checkpoint's own resize and crop."""
        side = self.image_side
        return side.encode(self._pixels.of([read_image(image) for image in images]), side.runner(batch_size))

    def logits(
        self, images: Float32[np.ndarray, "m p"], texts: Float32[np.ndarray, "t p"]
    ) -> Float32[np.ndarray, "m t"]:
        """Scores of all pairs of image and text vectors."""
        return (self.scale * (images @ texts.T) + self.bias).astype(np.float32)

    def pair_logits(
        self, images: Float32[np.ndarray, "m p"], texts: Float32[np.ndarray, "m p"]
    ) -> Float32[np.ndarray, " m"]:
        """Scores of image and text vectors row by row."""
        return (self.scale * np.einsum("mp,mp->m", images, texts) + self.bias).astype(np.float32)

    def scores(self, images: Sequence[object], texts: Sequence[str]) -> Float32[np.ndarray, "m t"]:
        """The checkpoint's logits_per_image.

        Parameters
        ----------
        images : paths or uint8 arrays (h, w, 3), prepared by the checkpoint's own image processor.
        texts : captions, padded with its tokenizer's pad id.

        Returns
        -------
        float32 (images, texts)
        """
        if len(images) == 0 or len(texts) == 0:
            raise InputError("scores takes at least one image and one text")
        return self.logits(self.encode_images(images), self.encode_texts(texts))

    def heads(
        self, pairs: Sequence[tuple[str, str | None]]
    ) -> tuple[Float32[np.ndarray, "p k"], Float[np.ndarray, " k"]]:
        """Directions and offsets that turn an image vector into f of each (caption, foil) pair.

        f = score(caption) - score(foil), or score(caption) where the foil is None: linear in the image vector.
        """
        texts = list(dict.fromkeys(text for pair in pairs for text in pair if text is not None))
        place = {text: i for i, text in enumerate(texts)}
        vectors = self.encode_texts(texts)
        directions = np.stack(
            [vectors[place[a]] - (0 if b is None else vectors[place[b]]) for a, b in pairs], axis=1
        )
        offsets = np.array([self.bias if foil is None else 0.0 for _, foil in pairs])
        return (self.scale * directions).astype(np.float32), offsets

    def mask(
        self,
        image: str | Path | np.ndarray,
        regions: Regions,
        background: str = "blur",
        batch_size: int | None = None,
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
        batch_size: int | None = None,
        progress: Progress | None = None,
    ) -> ImageTextGame:
        """The game of one stimulus: v(S) = f with only the regions S shown.

        Parameters
        ----------
        stimulus : image, caption and foil.
        regions : `Grid` or `LabelMap`.
        background : what hidden regions show: "blur", "mean" or "black".
        batch_size : coalitions per batch; chosen to suit the device if None.
        progress : called with (done, total) while `table()` runs.
        """
        masked = self.mask(stimulus.image, regions, background, batch_size, stimulus.name)
        heads, offsets = self.heads([(stimulus.caption, stimulus.foil)])
        return ImageTextGame(masked, heads[:, 0], float(offsets[0]), progress)
