"""The image tower that CLIP and FLAVA share: a class token goes through the blocks with the patches."""

from __future__ import annotations

from flax import nnx
from jax import Array
from jaxtyping import Float, Float32, Int

from hlx.models.checkpoint import Arrays
from hlx.models.transformer import Block, layer_norm, matmul, run_blocks
from hlx.models.vision import VisionShape, normalised


class ClassTokenVision(nnx.Module):
    """Patches and a class token, pre-LN blocks, the class token normed and projected (a `VisionTower`)."""

    def __init__(self, arrays: Arrays, shape: VisionShape) -> None:
        self.shape = shape
        self.patch_weight = nnx.Param(arrays["vision/patch_weight"])
        self.class_token = nnx.Param(arrays["vision/class_token"])
        self.positions = nnx.Param(arrays["vision/positions"])
        self.post_scale = nnx.Param(arrays["vision/post_scale"])
        self.post_bias = nnx.Param(arrays["vision/post_bias"])
        self.projection = nnx.Param(arrays["vision/projection_weight"])
        # The last block is computed for the class token alone, so it stands apart; the
        # first one too, because a game can look its queries, keys and values up.
        last = shape.layers - 1
        self.first = Block(arrays.layer("vision", 0), shape.block) if last > 0 else None
        self.middle = arrays.blocks("vision", range(1, last), shape.block)
        self.last = Block(arrays.layer("vision", last), shape.block)

    def fixed_tokens(self) -> Float32[Array, "1 d"]:
        """Tokens that no pixel reaches: the class token with its position."""
        return (self.class_token[...] + self.positions[0])[None]

    def patch_tokens(
        self, patches: Float32[Array, "*batch p"], position: Int[Array, "*places"]
    ) -> Float32[Array, "*batch d"]:
        """Tokens of normalised patches at their places, before `enter`; affine in the pixels."""
        return matmul(patches, self.patch_weight[...]) + self.positions[...][position + 1]

    def enter(self, tokens: Float32[Array, "*batch d"]) -> Float32[Array, "*batch d"]:
        """From the sum of embeddings to the residual stream: the same."""
        return tokens

    def project(self, pooled: Float32[Array, "m d"]) -> Float32[Array, "m p"]:
        """From the normed class token to the space that images and texts share."""
        return matmul(pooled, self.projection[...])

    def __call__(
        self, x: Float32[Array, "m t d"], qkv: Float[Array, "m t e"] | None = None
    ) -> Float32[Array, "m p"]:
        """Unit image vectors of residual streams x; qkv are the first block's, where already known."""
        if self.first is not None:
            x = self.first(x) if qkv is None else self.first.finish(x, qkv)
        pooled = self.last.first_token(run_blocks(self.middle, x))
        pooled = layer_norm(pooled, self.post_scale[...], self.post_bias[...], self.shape.block.eps)
        return normalised(self.project(pooled))
