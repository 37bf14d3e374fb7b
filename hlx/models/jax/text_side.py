"""The text side of a dual encoder: captions to vectors, pairs of caption and foil to directions."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import numpy as np
from flax import nnx
from jaxtyping import Float, Float32

from hlx.errors import ModelError
from hlx.models.loading.processors import Tokenizer

TEXT_BATCH = 64


class TextSide:
    """Tokenizer and text tower, with the scale and bias that turn cosines into scores.

    score = scale * cosine(image vector, text vector) + bias

    Parameters
    ----------
    device
        Of the tower; JAX's default one where None.
    """

    def __init__(
        self,
        texts: Tokenizer,
        tower: nnx.Module,
        vocabulary: int,
        scale: float,
        bias: float,
        device: jax.Device | None = None,
    ) -> None:
        self._texts, self.scale, self.bias = texts, scale, bias
        self._vocabulary = vocabulary
        graph, state = nnx.split(tower)
        self._state = jax.device_put(state, device)
        self._encode_ids = jax.jit(lambda state, ids: nnx.merge(graph, state)(ids))

    def ids(self, texts: Sequence[str]) -> np.ndarray:
        """Token ids as the tower reads them; ModelError for one that it has no row for."""
        ids = self._texts.ids(texts)
        if ids.max() >= self._vocabulary:  # indexing would take the last row without a word
            raise ModelError(
                f"the tokenizer makes token {ids.max()}, the text tower knows {self._vocabulary}: "
                "tokenizer and weights do not belong together"
            )
        return ids

    def encode(self, texts: Sequence[str]) -> Float32[np.ndarray, "t p"]:
        """Unit text vectors."""
        parts = []
        for start in range(0, len(texts), TEXT_BATCH):
            ids = self.ids(texts[start : start + TEXT_BATCH])
            rows = min(TEXT_BATCH, 1 << (len(ids) - 1).bit_length())
            padded = np.concatenate([ids, np.repeat(ids[-1:], rows - len(ids), axis=0)])
            parts.append(np.asarray(self._encode_ids(self._state, padded))[: len(ids)])
        return np.concatenate(parts)

    def directions(
        self, pairs: Sequence[tuple[str, str | None]]
    ) -> tuple[Float32[np.ndarray, "p k"], Float[np.ndarray, " k"]]:
        """Directions and offsets that turn an image vector into f of each (caption, foil) pair.

        f = score(caption) - score(foil), or score(caption) where the foil is None.
        """
        texts = list(dict.fromkeys(text for pair in pairs for text in pair if text is not None))
        place = {text: i for i, text in enumerate(texts)}
        vectors = self.encode(texts)
        directions = np.stack(
            [vectors[place[a]] - (0 if b is None else vectors[place[b]]) for a, b in pairs], axis=1
        )
        offsets = np.array([self.bias if foil is None else 0.0 for _, foil in pairs])
        return (self.scale * directions).astype(np.float32), offsets
