"""LXMERT's layers (Tan and Bansal 2019, section 2.2), made of transformers' modules, with few products.

Queries, keys and values are one product; the large products run in their own dtype, residuals and norms in
float32. Every layer norms what it has added (Vaswani et al. 2017).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor, nn
from torch.nn import functional as F

QUERIES, KEYS_VALUES, ALL = slice(0, 1), slice(1, 3), slice(0, 3)


class Product:
    """A linear layer, or several of one input as one, in a dtype of its own."""

    def __init__(self, dtype: torch.dtype, *layers: nn.Linear) -> None:
        weights, biases = (
            [layer.weight.detach() for layer in layers],
            [layer.bias.detach() for layer in layers],
        )
        self.weight = (torch.cat(weights) if len(layers) > 1 else weights[0]).to(dtype)
        self.bias = (torch.cat(biases) if len(layers) > 1 else biases[0]).to(dtype)
        self.outputs = layers[0].out_features

    def __call__(self, x: Float[Tensor, "*rows c"]) -> Float[Tensor, "*rows d"]:
        """All outputs."""
        return F.linear(x.to(self.weight.dtype), self.weight, self.bias)

    def of(self, x: Float[Tensor, "*rows c"], layers: slice) -> Float[Tensor, "*rows e"]:
        """Outputs of some of the layers, beside each other."""
        rows = slice(layers.start * self.outputs, layers.stop * self.outputs)
        return F.linear(x.to(self.weight.dtype), self.weight[rows], self.bias[rows])


class Norm:
    """Layer normalisation in float32."""

    def __init__(self, layer: nn.LayerNorm) -> None:
        self.weight, self.bias, self.eps = layer.weight.detach(), layer.bias.detach(), layer.eps

    def __call__(self, x: Float32[Tensor, "*rows d"]) -> Float32[Tensor, "*rows d"]:
        """Normalise the last axis."""
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps)


class AddedProduct:
    """norm(x + product(update)), with which every sub-layer ends."""

    def __init__(self, output: Any, dtype: torch.dtype) -> None:
        self.product, self.norm = Product(dtype, output.dense), Norm(output.LayerNorm)

    def __call__(
        self, update: Float[Tensor, "*rows c"], x: Float32[Tensor, "*rows d"]
    ) -> Float32[Tensor, "*rows d"]:
        """The sub-layer's output."""
        return self.norm(self.product(update).float().add_(x))


class Projected(NamedTuple):
    """Tokens, and beside each other what will be read of their queries, keys and values."""

    tokens: Float32[Tensor, "*rows d"]
    projections: Float[Tensor, "*rows p"]

    @property
    def queries(self) -> Float[Tensor, "*rows d"]:
        """What they ask."""
        return self.projections[..., : self.tokens.shape[-1]]

    @property
    def keys(self) -> Float[Tensor, "*rows d"]:
        """What they are found by."""
        return self.projections[..., -2 * self.tokens.shape[-1] : -self.tokens.shape[-1]]

    @property
    def values(self) -> Float[Tensor, "*rows d"]:
        """What they give."""
        return self.projections[..., -self.tokens.shape[-1] :]

    def rows(self, index: Int64[Tensor, "*place"]) -> Projected:
        """Those of some rows."""
        flat = index.flatten()
        return Projected(*(part.index_select(0, flat).unflatten(0, index.shape) for part in self))


class Words(NamedTuple):
    """Texts after the language layers: all tokens in a row, where each text starts and its length."""

    tokens: Projected
    starts: Int64[np.ndarray, " t"]
    lengths: Int64[np.ndarray, " t"]

    def padded(self, rows: Int64[np.ndarray, " p"]) -> tuple[Projected, Bool[Tensor, "p i"] | None]:
        """Some texts, each as long as the longest of them, and what is text; None where all is."""
        lengths = self.lengths[rows, None]
        place = np.arange(lengths.max())
        index = self.starts[rows, None] + np.where(place < lengths, place, 0)
        device = self.tokens.tokens.device
        visible = None if (lengths == len(place)).all() else torch.from_numpy(place < lengths).to(device)
        return self.tokens.rows(torch.from_numpy(index).to(device)), visible


class Attention:
    """Attention of tokens to themselves or others, with its residual and norm.

    Parameters
    ----------
    inside, output
        Transformers' LxmertAttention and LxmertAttentionOutput.
    dtype
        Of the products; the softmax is in float32 whatever it is.
    """

    def __init__(self, inside: Any, output: Any, dtype: torch.dtype) -> None:
        self.project = Product(dtype, inside.query, inside.key, inside.value)
        self.heads = inside.num_attention_heads
        self.end = AddedProduct(output, dtype)

    def projected(self, x: Float32[Tensor, "*rows d"], parts: slice = ALL) -> Projected:
        """Tokens with their queries, keys and values, or some of these."""
        return Projected(x, self.project.of(x, parts))

    def attend(
        self,
        x: Float32[Tensor, "m i d"],
        queries: Float[Tensor, "m i d"],
        keys: Float[Tensor, "m j d"],
        values: Float[Tensor, "m j d"],
        visible: Bool[Tensor, "m j"] | None,
    ) -> Float32[Tensor, "m i d"]:
        """Tokens x after their queries saw the keys; `visible` keys where not all are."""
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (queries, keys, values))
        mask = None if visible is None else visible[:, None, None]
        seen = F.scaled_dot_product_attention(q, k, v, mask)
        return self.end(seen.transpose(1, 2).flatten(2), x)

    def __call__(
        self, x: Float32[Tensor, "m i d"], visible: Bool[Tensor, "m i"] | None = None
    ) -> Float32[Tensor, "m i d"]:
        """Self-attention."""
        own = self.projected(x)
        return self.attend(x, own.queries, own.keys, own.values, visible)

    def first(
        self, x: Float32[Tensor, "m i d"], visible: Bool[Tensor, "m i"] | None = None
    ) -> Float32[Tensor, "m 1 d"]:
        """Token 0 of self-attention."""
        first = x[:, :1].contiguous()  # else its product is one of matrices of one row
        asking, asked = self.projected(first, QUERIES), self.projected(x, KEYS_VALUES)
        return self.attend(first, asking.queries, asked.keys, asked.values, visible)


class FeedForward:
    """Two products with the activation between, the residual and the norm."""

    def __init__(self, intermediate: Any, output: Any, dtype: torch.dtype) -> None:
        self.widen, self.activation = Product(dtype, intermediate.dense), intermediate.intermediate_act_fn
        self.end = AddedProduct(output, dtype)

    def __call__(self, x: Float32[Tensor, "m i d"]) -> Float32[Tensor, "m i d"]:
        """Token by token."""
        return self.end(self.activation(self.widen(x)), x)


class Layer:
    """A layer of one stream: transformers' LxmertLayer."""

    def __init__(self, layer: Any, dtype: torch.dtype) -> None:
        self.attention = Attention(layer.attention.self, layer.attention.output, dtype)
        self.feed_forward = FeedForward(layer.intermediate, layer.output, dtype)

    def __call__(
        self, x: Float32[Tensor, "m i d"], visible: Bool[Tensor, "m i"] | None = None
    ) -> Float32[Tensor, "m i d"]:
        """All tokens."""
        return self.feed_forward(self.attention(x, visible))


class CrossLayer:
    """A layer of both streams: transformers' LxmertXLayer.

    One set of weights crosses in both directions, and both read their inputs from before the update.
    """

    def __init__(self, layer: Any, dtype: torch.dtype) -> None:
        crossing = layer.visual_attention
        self.crossing = Attention(crossing.att, crossing.output, dtype)
        self.language = Attention(layer.lang_self_att.self, layer.lang_self_att.output, dtype)
        self.vision = Attention(layer.visn_self_att.self, layer.visn_self_att.output, dtype)
        self.language_end = FeedForward(layer.lang_inter, layer.lang_output, dtype)
        self.vision_end = FeedForward(layer.visn_inter, layer.visn_output, dtype)

    def __call__(
        self, language: Projected, vision: Projected, visible: Bool[Tensor, "m i"] | None
    ) -> tuple[Float32[Tensor, "m i d"], Float32[Tensor, "m r d"]]:
        """Both streams, from what `crossing` projected of them; `visible` are the texts' own tokens."""
        words, crossing = self.words(language, vision), self.crossing
        regions = crossing.attend(vision.tokens, vision.queries, language.keys, language.values, visible)
        return self.language_end(self.language(words, visible)), self.vision_end(self.vision(regions))

    def words(self, language: Projected, vision: Projected) -> Float32[Tensor, "m i d"]:
        """The language stream after it saw the regions."""
        return self.crossing.attend(language.tokens, language.queries, vision.keys, vision.values, None)

    def first(
        self, language: Projected, vision: Projected, visible: Bool[Tensor, "m i"] | None
    ) -> Float32[Tensor, "m d"]:
        """Token 0 of the language stream alone: all that is read of the last layer.

        Nothing reads the regions then. All words see them first, being the keys and values of token 0.
        """
        return self.language_end(self.language.first(self.words(language, vision), visible))[:, 0]
