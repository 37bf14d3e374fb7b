"""SigLIP (Zhai et al. 2023, arXiv:2303.15343) and SigLIP 2 at fixed resolution: the two towers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp
from flax import nnx
from jax import Array
from jaxtyping import Float, Float32, Int, Int32

from hlx.models.jax.transformer import (
    ACTIVATIONS,
    Block,
    BlockShape,
    attend_once,
    layer_norm,
    matmul,
    run_blocks,
)
from hlx.models.jax.vision import VisionShape, normalised
from hlx.models.loading.checkpoint import Arrays
from hlx.models.loading.weight_map import WeightMap, WeightTarget, block_weights, linear, norm

if TYPE_CHECKING:
    from transformers import PretrainedConfig


def weight_map(config: PretrainedConfig) -> WeightMap:
    """Every key of a SigLIP checkpoint, with its place in the port and its shape."""
    vision, text = config.vision_config, config.text_config
    d, patch, grid = vision.hidden_size, vision.patch_size, vision.image_size // vision.patch_size
    vision_prefix, words, head = "vision_model.embeddings", "text_model.embeddings", "vision_model.head"
    w = text.hidden_size
    return {
        "logit_scale": WeightTarget("logit_scale", (), "scalar"),
        "logit_bias": WeightTarget("logit_bias", (), "scalar"),
        f"{vision_prefix}.patch_embedding.weight": WeightTarget(
            "vision/patch_weight", (d, 3, patch, patch), "patch"
        ),
        f"{vision_prefix}.patch_embedding.bias": WeightTarget("vision/patch_bias", (d,)),
        f"{vision_prefix}.position_embedding.weight": WeightTarget("vision/positions", (grid * grid, d)),
        **norm("vision_model.post_layernorm", "vision/post", d),
        **block_weights("vision_model", "vision", vision.num_hidden_layers, d, vision.intermediate_size),
        f"{head}.probe": WeightTarget("head/probe", (1, 1, d), "row"),
        f"{head}.attention.in_proj_weight": WeightTarget("head/qkv_weight", (3 * d, d), "transpose"),
        f"{head}.attention.in_proj_bias": WeightTarget("head/qkv_bias", (3 * d,)),
        **linear(f"{head}.attention.out_proj", "head/out", d, d),
        **norm(f"{head}.layernorm", "head/norm", d),
        **linear(f"{head}.mlp.fc1", "head/fc1", d, vision.intermediate_size),
        **linear(f"{head}.mlp.fc2", "head/fc2", vision.intermediate_size, d),
        f"{words}.token_embedding.weight": WeightTarget("text/words", (text.vocab_size, w)),
        f"{words}.position_embedding.weight": WeightTarget(
            "text/positions", (text.max_position_embeddings, w)
        ),
        **norm("text_model.final_layer_norm", "text/final", w),
        **block_weights("text_model", "text", text.num_hidden_layers, w, text.intermediate_size),
        **linear("text_model.head", "text/head", w, text.projection_size),
    }


_HEAD_ARRAYS = (
    *("probe", "qkv_weight", "qkv_bias", "out_weight", "out_bias", "norm_scale", "norm_bias"),
    *("fc1_weight", "fc1_bias", "fc2_weight", "fc2_bias"),
)


class PoolingHead(nnx.Module):
    """A learned probe attends to all tokens; a residual MLP follows."""

    probe: nnx.Param
    qkv_weight: nnx.Param
    qkv_bias: nnx.Param
    out_weight: nnx.Param
    out_bias: nnx.Param
    norm_scale: nnx.Param
    norm_bias: nnx.Param
    fc1_weight: nnx.Param
    fc1_bias: nnx.Param
    fc2_weight: nnx.Param
    fc2_bias: nnx.Param

    def __init__(self, arrays: Arrays, shape: VisionShape) -> None:
        for name in _HEAD_ARRAYS:
            setattr(self, name, nnx.Param(arrays["head/" + name]))
        self.shape = shape.block

    def __call__(self, tokens: Float32[Array, "m t d"]) -> Float32[Array, "m d"]:
        """Pooled vectors. The probe's query is the same for every image."""
        d = tokens.shape[-1]
        query = matmul(self.probe[...][None], self.qkv_weight[:, :d]) + self.qkv_bias[:d]
        seen = attend_once(query, tokens, self.qkv_weight[...], self.qkv_bias[2 * d :], self.shape.heads)
        pooled = matmul(seen, self.out_weight[...]) + self.out_bias[...]
        # The residual is the attention's output, not the probe.
        h = layer_norm(pooled, self.norm_scale[...], self.norm_bias[...], self.shape.eps)
        h = ACTIVATIONS[self.shape.activation](matmul(h, self.fc1_weight[...]) + self.fc1_bias[...])
        return pooled + (matmul(h, self.fc2_weight[...]) + self.fc2_bias[...])


class SiglipVision(nnx.Module):
    """Image tower: patches without a class token, pre-LN blocks, the pooling head."""

    def __init__(self, arrays: Arrays, shape: VisionShape) -> None:
        self.shape = shape
        self.patch_weight = nnx.Param(arrays["vision/patch_weight"])
        self.patch_bias = nnx.Param(arrays["vision/patch_bias"])
        self.positions = nnx.Param(arrays["vision/positions"])
        self.post_scale = nnx.Param(arrays["vision/post_scale"])
        self.post_bias = nnx.Param(arrays["vision/post_bias"])
        self.first = Block(arrays.layer("vision", 0), shape.block)
        self.middle = arrays.blocks("vision", range(1, shape.layers), shape.block)
        self.head = PoolingHead(arrays, shape)

    def fixed_tokens(self) -> Float32[Array, "0 d"]:
        """Tokens that no pixel reaches: none."""
        return jnp.zeros((0, self.positions[...].shape[-1]), jnp.float32)

    def patch_tokens(
        self, patches: Float32[Array, "*batch p"], position: Int[Array, "*places"]
    ) -> Float32[Array, "*batch d"]:
        """Tokens of normalised patches at their places (0 .. patches-1); affine in the pixels."""
        return matmul(patches, self.patch_weight[...]) + self.patch_bias[...] + self.positions[...][position]

    def enter(self, tokens: Float32[Array, "*batch d"]) -> Float32[Array, "*batch d"]:
        """From the sum of embeddings to the residual stream: the same."""
        return tokens

    def __call__(
        self, x: Float32[Array, "m t d"], qkv: Float[Array, "m t e"] | None = None
    ) -> Float32[Array, "m p"]:
        """Unit image vectors of residual streams x; qkv are the first block's, where already known."""
        x = self.first(x) if qkv is None else self.first.finish(x, qkv)
        x = run_blocks(self.middle, x)
        x = layer_norm(x, self.post_scale[...], self.post_bias[...], self.shape.block.eps)
        return normalised(self.head(x))


class SiglipText(nnx.Module):
    """Text tower: bidirectional pre-LN blocks over the padded text, pooled at the last position."""

    def __init__(self, arrays: Arrays, layers: int, block: BlockShape) -> None:
        self.words = nnx.Param(arrays["text/words"])
        self.positions = nnx.Param(arrays["text/positions"])
        self.final_scale = nnx.Param(arrays["text/final_scale"])
        self.final_bias = nnx.Param(arrays["text/final_bias"])
        self.head_weight = nnx.Param(arrays["text/head_weight"])
        self.head_bias = nnx.Param(arrays["text/head_bias"])
        self.blocks = arrays.blocks("text", range(layers), block)
        self.eps = block.eps

    def __call__(self, ids: Int32[Array, "m t"]) -> Float32[Array, "m p"]:
        """Unit text vectors of token ids padded to the full length; padding is read like any token."""
        x = run_blocks(self.blocks, self.words[...][ids] + self.positions[...])
        pooled = layer_norm(x[:, -1], self.final_scale[...], self.final_bias[...], self.eps)
        return normalised(matmul(pooled, self.head_weight[...]) + self.head_bias[...])
