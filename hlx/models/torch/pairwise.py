"""What models that read a text with an image before them share: texts of any length, pairs in slices.

What depends on the text alone is computed once a text, the image's tokens once an image; what layers make of
the image's tokens alone, once a slice that it has pairs in.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int64, UInt8
from torch import Tensor, nn

from hlx.models.loading.processors import Tokenizer
from hlx.models.torch.building import IMAGES_AT_ONCE, check_known, products_in_bfloat16
from hlx.models.torch.pixels import Normalised, TorchCanvas
from hlx.models.torch.torch_devices import device_text, true_float32

TEXT_BATCH = 64
PAIRS_AT_ONCE = {"cpu": 32, "cuda": 256}
"""By the kind of device."""


class Words(NamedTuple):
    """Tokens of all texts in a row, where each text starts and its length."""

    tokens: Float32[Tensor, "n d"]
    starts: Int64[np.ndarray, " t"]
    lengths: Int64[np.ndarray, " t"]

    def padded(self, rows: Int64[np.ndarray, " p"]) -> tuple[Float32[Tensor, "p i d"], Bool[Tensor, "p i"]]:
        """Some texts, each as long as the longest of them, and what of that is text."""
        lengths = self.lengths[rows, None]
        place = np.arange(lengths.max())
        index = self.starts[rows, None] + np.where(place < lengths, place, 0)
        device = self.tokens.device
        return self.tokens[torch.from_numpy(index).to(device)], torch.from_numpy(place < lengths).to(device)


class MatchingScorer(TorchCanvas):
    """What models that read a text with an image share, in the steps of `hlx.models.composited.Scorer`.

    Parameters
    ----------
    network
        With its weights, on the device.
    tokenizer
        Of the checkpoint.
    normalised
        Pixels as the model takes them, on the device.
    vocabulary
        Tokens that the model knows.
    dtype
        "float32", or "bfloat16" for the products of the encoders' layers; all else is in float32.
    """

    packages = ("torch", "transformers")

    def __init__(
        self,
        network: Any,
        tokenizer: Tokenizer,
        normalised: Normalised,
        vocabulary: int,
        dtype: str = "float32",
    ) -> None:
        self.network, self._tokenizer, self._normalised = network, tokenizer, normalised
        self._vocabulary = vocabulary
        self.torch_device = normalised.mean.device
        self.side, self.dtype, self.device = normalised.side, dtype, device_text(self.torch_device)
        self.default_batch = IMAGES_AT_ONCE[self.torch_device.type]
        if dtype == "bfloat16":
            for part in self.heavy():
                products_in_bfloat16(part)

    @abstractmethod
    def heavy(self) -> tuple[nn.Module, ...]:
        """The parts with the large products."""

    @abstractmethod
    def read(self, ids: Int64[Tensor, "t i"], visible: Bool[Tensor, "t i"]) -> Float32[Tensor, "t i d"]:
        """What depends on the texts alone."""

    @abstractmethod
    def look(self, pixels: Float32[Tensor, "m 3 s s"]) -> Float32[Tensor, "m g d"]:
        """What depends on the images alone."""

    @abstractmethod
    def match(
        self,
        words: Float32[Tensor, "p i d"],
        visible: Bool[Tensor, "p i"],
        seen: Float32[Tensor, "m g e"],
        images: Int64[Tensor, " p"],
    ) -> Float32[Tensor, " p"]:
        """Scores of texts with the images seen, pair by pair."""

    @torch.inference_mode()
    def texts(self, texts: Sequence[str]) -> Words:
        """What depends on the texts alone.

        Raises
        ------
        ModelError
            The tokenizer makes tokens that the model does not know.
        """
        parts, lengths = [], []
        for start in range(0, len(texts), TEXT_BATCH):
            ids = self._tokenizer.ids(texts[start : start + TEXT_BATCH])
            check_known(ids, self._vocabulary)
            tokens = torch.from_numpy(ids).to(self.torch_device).long()
            visible = tokens != self._tokenizer.pad
            with true_float32():
                parts.append(self.read(tokens, visible)[visible])
            lengths.append((ids != self._tokenizer.pad).sum(axis=1))
        counts = np.concatenate(lengths).astype(np.int64)
        return Words(torch.cat(parts), np.cumsum(counts) - counts, counts)

    @torch.inference_mode()
    def see(self, images: UInt8[Tensor, "m 3 s s"]) -> Float32[Tensor, "m g d"]:
        """What depends on the images alone."""
        with true_float32():
            return self.look(self._normalised(images))

    @torch.inference_mode()
    def pairs(
        self,
        seen: Float32[Tensor, "m g d"],
        texts: Words,
        image_rows: Int64[np.ndarray, " p"],
        text_rows: Int64[np.ndarray, " p"],
    ) -> Float32[np.ndarray, " p"]:
        """Scores of image `image_rows[i]` with text `text_rows[i]`."""
        scores = np.empty(len(image_rows), np.float32)
        # Pairs of one image stay together, so that few are begun again in the next slice.
        order, size = np.argsort(image_rows, kind="stable"), PAIRS_AT_ONCE[self.torch_device.type]
        for rows in (order[start : start + size] for start in range(0, len(order), size)):
            images, which = np.unique(image_rows[rows], return_inverse=True)
            with true_float32():
                found = self.match(
                    *texts.padded(text_rows[rows]),
                    seen[torch.from_numpy(images).to(self.torch_device)],
                    torch.from_numpy(which.astype(np.int64)).to(self.torch_device),
                )
            scores[rows] = found.cpu().numpy()
        return scores


def split_heads(x: Float[Tensor, "p i d"], heads: int) -> Float[Tensor, "p h i k"]:
    """Tokens cut into heads, for attention."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def joined_heads(x: Float[Tensor, "p h i k"]) -> Float[Tensor, "p i d"]:
    """Tokens put together again of what their heads have found."""
    return x.transpose(1, 2).flatten(2)
