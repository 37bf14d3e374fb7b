"""CLIP (Radford et al. 2021, arXiv:2103.00020): the two towers, from a Hugging Face checkpoint's arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp
from flax import nnx
from jax import Array
from jaxtyping import Float32, Int32

from hlx.models.jax.transformer import BlockShape, layer_norm, matmul, run_blocks
from hlx.models.jax.vision import ClassTokenVision, VisionShape, normalised
from hlx.models.loading.checkpoint import Arrays
from hlx.models.loading.weight_map import WeightMap, WeightTarget, block_weights, linear, norm

if TYPE_CHECKING:
    from transformers import PretrainedConfig


def weight_map(config: PretrainedConfig) -> WeightMap:
    """Every key of a CLIP checkpoint, with its place in the port and its shape."""
    vision, text, out = config.vision_config, config.text_config, config.projection_dim
    d, patch, grid = vision.hidden_size, vision.patch_size, vision.image_size // vision.patch_size
    vision_prefix, words = "vision_model.embeddings", "text_model.embeddings"
    w = text.hidden_size
    return {
        "logit_scale": WeightTarget("logit_scale", (), "scalar"),
        f"{vision_prefix}.class_embedding": WeightTarget("vision/class_token", (d,)),
        f"{vision_prefix}.patch_embedding.weight": WeightTarget(
            "vision/patch_weight", (d, 3, patch, patch), "patch"
        ),
        f"{vision_prefix}.position_embedding.weight": WeightTarget("vision/positions", (grid * grid + 1, d)),
        # "layrnorm" is the spelling of the checkpoints.
        **norm("vision_model.pre_layrnorm", "vision/pre", d),
        **norm("vision_model.post_layernorm", "vision/post", d),
        **block_weights("vision_model", "vision", vision.num_hidden_layers, d, vision.intermediate_size),
        **linear("visual_projection", "vision/projection", d, out, bias=False),
        f"{words}.token_embedding.weight": WeightTarget("text/words", (text.vocab_size, w)),
        f"{words}.position_embedding.weight": WeightTarget(
            "text/positions", (text.max_position_embeddings, w)
        ),
        **norm("text_model.final_layer_norm", "text/final", w),
        **block_weights("text_model", "text", text.num_hidden_layers, w, text.intermediate_size),
        **linear("text_projection", "text/projection", w, out, bias=False),
    }


LEGACY_EOS = 2
"""Configurations written with this end-of-text id mean "the largest id of the text" (openai/clip-* do)."""


class ClipVision(ClassTokenVision):
    """Image tower: a class token, with a LayerNorm before the blocks."""

    def __init__(self, arrays: Arrays, shape: VisionShape) -> None:
        super().__init__(arrays, shape)
        self.pre_scale = nnx.Param(arrays["vision/pre_scale"])
        self.pre_bias = nnx.Param(arrays["vision/pre_bias"])

    def enter(self, tokens: Float32[Array, "*batch d"]) -> Float32[Array, "*batch d"]:
        """From the sum of embeddings to the residual stream."""
        return layer_norm(tokens, self.pre_scale[...], self.pre_bias[...], self.shape.block.eps)


class ClipText(nnx.Module):
    """Text tower: causal pre-LN blocks, pooled at the end-of-text token, projected."""

    def __init__(self, arrays: Arrays, layers: int, block: BlockShape, eos: int) -> None:
        self.words = nnx.Param(arrays["text/words"])
        self.positions = nnx.Param(arrays["text/positions"])
        self.final_scale = nnx.Param(arrays["text/final_scale"])
        self.final_bias = nnx.Param(arrays["text/final_bias"])
        self.projection = nnx.Param(arrays["text/projection_weight"])
        self.blocks = arrays.blocks("text", range(layers), block)
        self.eps = block.eps
        self.eos = eos

    def __call__(self, ids: Int32[Array, "m t"]) -> Float32[Array, "m p"]:
        """Unit text vectors of token ids, padded on the right.

        The causal mask keeps the padding from every token before it, so no padding mask is needed.
        """
        t = ids.shape[1]
        x = self.words[...][ids] + self.positions[:t]
        x = run_blocks(self.blocks, x, jnp.tril(jnp.ones((1, t, t), bool)))
        at = jnp.argmax(ids if self.eos == LEGACY_EOS else ids == self.eos, axis=-1)
        pooled = jnp.take_along_axis(x, at[:, None, None], axis=1)[:, 0]
        pooled = layer_norm(pooled, self.final_scale[...], self.final_bias[...], self.eps)
        return normalised(matmul(pooled, self.projection[...]))
