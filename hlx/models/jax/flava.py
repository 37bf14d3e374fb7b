"""FLAVA (Singh et al. 2022, arXiv:2112.04482): the two towers of its contrastive score.

The multimodal encoder, the heads for training and the image codebook have no part in that score.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flax import nnx
from jax import Array
from jaxtyping import Float32, Int, Int32

from hlx.models.jax.transformer import BlockShape, layer_norm, matmul, run_blocks
from hlx.models.jax.vision import ClassTokenVision, VisionShape, normalised
from hlx.models.loading.checkpoint import Arrays
from hlx.models.loading.weight_map import BlockNames, WeightMap, WeightTarget, block_weights, linear, norm

if TYPE_CHECKING:
    from transformers import PretrainedConfig

PREFIX = "flava."
"""Stands before the keys in a checkpoint of the whole model for pretraining."""

IGNORED = (
    *("image_model.embeddings.mask_token", "image_model.pooler.", "text_model.pooler."),
    *("multimodal_model.", "image_to_mm_projection.", "text_to_mm_projection.", "image_codebook."),
    *("mlm_head.", "mim_head.", "itm_head.", "mmm_image_head.", "mmm_text_head."),
)
"""Beginnings of the keys of everything that the contrastive score does not need."""

_NAMES = BlockNames(
    block="encoder.layer",
    query="attention.attention.query",
    key="attention.attention.key",
    value="attention.attention.value",
    out="attention.output.dense",
    norm1="layernorm_before",
    norm2="layernorm_after",
    fc1="intermediate.dense",
    fc2="output.dense",
)


def weight_map(config: PretrainedConfig) -> WeightMap:
    """Every key of FLAVA's two towers, without `PREFIX`, with its place in the port and its shape."""
    vision, text, out = config.image_config, config.text_config, config.projection_dim
    d, patch, grid = vision.hidden_size, vision.patch_size, vision.image_size // vision.patch_size
    vision_prefix, words = "image_model.embeddings", "text_model.embeddings"
    w = text.hidden_size
    return {
        "logit_scale": WeightTarget("logit_scale", (), "scalar"),
        f"{vision_prefix}.cls_token": WeightTarget("vision/class_token", (1, 1, d), "row"),
        f"{vision_prefix}.patch_embeddings.projection.weight": WeightTarget(
            "vision/patch_weight", (d, 3, patch, patch), "patch"
        ),
        f"{vision_prefix}.patch_embeddings.projection.bias": WeightTarget("vision/patch_bias", (d,)),
        f"{vision_prefix}.position_embeddings": WeightTarget(
            "vision/positions", (1, grid * grid + 1, d), "rows"
        ),
        **norm("image_model.layernorm", "vision/post", d),
        **_blocks("image_model", "vision", vision),
        **linear("image_projection", "vision/projection", d, out),
        f"{words}.word_embeddings.weight": WeightTarget("text/words", (text.vocab_size, w)),
        f"{words}.position_embeddings.weight": WeightTarget(
            "text/positions", (text.max_position_embeddings, w)
        ),
        f"{words}.token_type_embeddings.weight": WeightTarget("text/types", (text.type_vocab_size, w)),
        **norm(f"{words}.LayerNorm", "text/embedded", w),
        **norm("text_model.layernorm", "text/final", w),
        **_blocks("text_model", "text", text),
        **linear("text_projection", "text/projection", w, out),
    }


def _blocks(key: str, target: str, tower: PretrainedConfig) -> WeightMap:
    layers, width, mlp = tower.num_hidden_layers, tower.hidden_size, tower.intermediate_size
    return block_weights(key, target, layers, width, mlp, _NAMES, tower.qkv_bias)


class FlavaVision(ClassTokenVision):
    """Image tower: a class token; patches and projection have a bias."""

    def __init__(self, arrays: Arrays, shape: VisionShape) -> None:
        super().__init__(arrays, shape)
        self.patch_bias = nnx.Param(arrays["vision/patch_bias"])
        self.projection_bias = nnx.Param(arrays["vision/projection_bias"])

    def patch_tokens(
        self, patches: Float32[Array, "*batch p"], position: Int[Array, "*places"]
    ) -> Float32[Array, "*batch d"]:
        """Tokens of normalised patches at their places (0 .. patches-1); affine in the pixels."""
        return super().patch_tokens(patches, position) + self.patch_bias[...]

    def project(self, pooled: Float32[Array, "m d"]) -> Float32[Array, "m p"]:
        """From the normed class token to the space that images and texts share."""
        return super().project(pooled) + self.projection_bias[...]


class FlavaText(nnx.Module):
    """Text tower: BERT's embeddings, bidirectional pre-LN blocks, pooled at token 0, projected.

    `pad` is the tokenizer's padding id: no token attends to padding.
    """

    def __init__(self, arrays: Arrays, layers: int, block: BlockShape, pad: int) -> None:
        self.words = nnx.Param(arrays["text/words"])
        self.positions = nnx.Param(arrays["text/positions"])
        self.types = nnx.Param(arrays["text/types"])
        self.embedded_scale = nnx.Param(arrays["text/embedded_scale"])
        self.embedded_bias = nnx.Param(arrays["text/embedded_bias"])
        self.final_scale = nnx.Param(arrays["text/final_scale"])
        self.final_bias = nnx.Param(arrays["text/final_bias"])
        self.projection = nnx.Param(arrays["text/projection_weight"])
        self.projection_bias = nnx.Param(arrays["text/projection_bias"])
        self.blocks = arrays.blocks("text", range(layers), block)
        self.eps = block.eps
        self.pad = pad

    def __call__(self, ids: Int32[Array, "m t"]) -> Float32[Array, "m p"]:
        """Unit text vectors of padded token ids; every token is of type 0, a first sentence's."""
        x = self.words[...][ids] + self.types[0] + self.positions[: ids.shape[1]]
        x = layer_norm(x, self.embedded_scale[...], self.embedded_bias[...], self.eps)
        x = run_blocks(self.blocks, x, (ids != self.pad)[:, None])
        pooled = layer_norm(x[:, 0], self.final_scale[...], self.final_bias[...], self.eps)
        return normalised(matmul(pooled, self.projection[...]) + self.projection_bias[...])
