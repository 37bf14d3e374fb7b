"""CLIP-like models whole: images and texts in, scores, image vectors and games out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32, Int32, Shaped, UInt8

from hlx.games.coalitions import check_rows
from hlx.io.images import read_image
from hlx.models.batches import Progress
from hlx.models.image_text_game import MaskedImage, Sweep
from hlx.models.jax.image_side import ImageSide, Tokens
from hlx.models.jax.text_side import TextSide
from hlx.models.loading.hub import Checkpoint
from hlx.models.loading.processors import ImageProcessor
from hlx.models.model import Model, check_lists, check_scores


class TextDirections(NamedTuple):
    """Directions (p, k) and offsets (k,) that turn an image vector into f of k text pairs."""

    directions: Float32[np.ndarray, "p k"]
    offsets: Float[np.ndarray, " k"]


class TokenImage(MaskedImage):
    """One image as rows of tokens on the devices: no masked image is ever built."""

    def __init__(self, side: ImageSide, tokens: Tokens, *rest: Any) -> None:
        super().__init__(*rest)
        self._side, self._tokens = side, tokens

    def vectors(self, rows: Shaped[np.ndarray, ...]) -> Float32[np.ndarray, "m p"]:
        """Unit image vectors of coalitions."""
        check_rows(rows, self.n_players)
        return self._side.vectors(self._tokens, rows, self._runner)

    def _values(
        self, rows: Bool[np.ndarray, "m n"], text_queries: TextDirections, progress: Progress | None
    ) -> Float32[np.ndarray, "m k"]:
        directions, offsets = text_queries
        if len(rows) == 0:
            return np.zeros((0, len(offsets)), np.float32)
        values = self._side.scores(self._tokens, rows, padded_columns(directions), self._runner, progress)
        return values[:, : len(offsets)] + offsets.astype(np.float32)

    def _sweep(self, text_queries: TextDirections, progress: Progress | None, keep_vectors: bool) -> Sweep:
        directions, offsets = text_queries
        values, vectors = self._side.sweep(
            self._tokens, self.n_players, padded_columns(directions), self._runner, progress, keep_vectors
        )
        return Sweep(values[:, : len(offsets)] + offsets.astype(np.float32), vectors)


class DualEncoder(Model):
    """A model whose score is scale * cosine(image vector, text vector) + bias, by its JAX port.

    Made by `hlx.load_model`; in bfloat16 only the image tower's large products are.

    Attributes
    ----------
    texts
        The text side, which makes directions of captions and foils.
    """

    engine = "jax"

    def __init__(
        self,
        checkpoint: Checkpoint,
        family: str,
        dtype: str,
        image_side: ImageSide,
        text_side: TextSide,
        pixels: ImageProcessor,
    ) -> None:
        self.checkpoint, self.family, self.dtype = checkpoint, family, dtype
        self.name, self.side = checkpoint.name, image_side.shape.side
        self.revision, self.device = checkpoint.revision, image_side.device
        self.image_side, self.texts = image_side, text_side
        self._pixels = pixels

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the checkpoint's weights, configs and tokenizer."""
        return self.checkpoint.fingerprint()

    def text_queries(self, pairs: Sequence[tuple[str, str | None]]) -> TextDirections:
        """(caption, foil) pairs as directions and offsets of image vectors."""
        return TextDirections(*self.texts.directions(pairs))

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
        images
            Paths or uint8 arrays (h, w, 3), prepared by the checkpoint's own image processor.
        texts
            Captions, padded with its tokenizer's pad id.

        Returns
        -------
        Float32[np.ndarray, "m t"]
            Float32 (images, texts)

        Raises
        ------
        NonFiniteScoreError
            A score is NaN or infinite; names image and text.
        """
        check_lists(images, texts)
        logits = self.logits(self.encode_images(images), self.encode_texts(texts))
        return check_scores(logits, texts, self.name)

    def _masked(
        self,
        shown: UInt8[np.ndarray, "s s 3"],
        hidden: UInt8[np.ndarray, "s s 3"],
        labels: Int32[np.ndarray, "s s"],
        n_players: int,
        batch_size: int | str | None,
        name: str,
    ) -> TokenImage:
        tokens = self.image_side.tokens(shown, hidden, labels, n_players)
        runner = self.image_side.runner(batch_size)
        return TokenImage(self.image_side, tokens, n_players, runner, shown, hidden, name)


def padded_columns(directions: Float32[np.ndarray, "p k"]) -> Float32[np.ndarray, "p padded"]:
    """Zero columns up to a power of two, so that few numbers of text pairs are compiled for."""
    k = directions.shape[1]
    return np.pad(directions, ((0, 0), (0, (1 << (k - 1).bit_length()) - k)))
