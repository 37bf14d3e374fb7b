"""What the image towers share: sizes, the way from pixels to patches, and the tower of CLIP and FLAVA."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jaxtyping import Float, Float32, Int

from hlx.models.jax.transformer import Block, BlockShape, layer_norm, matmul, run_blocks
from hlx.models.loading.checkpoint import Arrays

PixelArray = TypeVar("PixelArray", Array, np.ndarray)


@dataclass(frozen=True)
class VisionShape:
    """Sizes of an image tower: square input of `side` pixels, square patches of `patch` pixels.

    `pooled_by_probe` tells a pooling head over all patches from a class token of its own.
    """

    side: int
    patch: int
    layers: int
    width: int
    mlp: int
    block: BlockShape
    pooled_by_probe: bool

    @property
    def grid(self) -> int:
        """Patches along a side; pixels beyond the last whole one are never read."""
        return self.side // self.patch

    @property
    def tokens(self) -> int:
        """Length of the token sequence."""
        return self.grid**2 + (0 if self.pooled_by_probe else 1)

    @property
    def widest(self) -> int:
        """Columns of the widest activation, of a row for each token.

        The MLP's; queries, keys and values; or attention's logits: in every head one for each token.
        """
        return max(self.mlp, 3 * self.width, self.block.heads * self.tokens)


@runtime_checkable
class VisionTower(Protocol):
    """An image tower as a game sees it: rows of tokens in, unit vectors out."""

    @property
    def shape(self) -> VisionShape: ...

    @property
    def first(self) -> Block | None: ...

    def fixed_tokens(self) -> Float32[Array, "f d"]: ...

    def patch_tokens(
        self, patches: Float32[Array, "*batch p"], position: Int[Array, "*places"]
    ) -> Float32[Array, "*batch d"]: ...

    def enter(self, tokens: Float32[Array, "*batch d"]) -> Float32[Array, "*batch d"]: ...

    def __call__(
        self, x: Float32[Array, "m t d"], qkv: Float[Array, "m t e"] | None = None
    ) -> Float32[Array, "m p"]: ...


def patches_of(pixels: PixelArray, shape: VisionShape) -> PixelArray:
    """Cut square images (m, s, s, c) into patches (m, g, p), row-major.

    The p = patch * patch * c numbers of a patch are row-major too, channels last.
    """
    m, grid, patch, channels = len(pixels), shape.grid, shape.patch, pixels.shape[-1]
    used = pixels[:, : grid * patch, : grid * patch]
    blocks = used.reshape(m, grid, patch, grid, patch, channels).swapaxes(2, 3)
    return blocks.reshape(m, grid * grid, patch * patch * channels)


def normalised(x: Float32[Array, "m p"]) -> Float32[Array, "m p"]:
    """Rows divided by their Euclidean norm, without eps, as the references do."""
    return x / jnp.linalg.norm(x, axis=-1, keepdims=True)


def encode(tower: VisionTower, pixels: Float32[Array, "m s s 3"]) -> Float32[Array, "m p"]:
    """Unit image vectors of normalised pixels."""
    patches = patches_of(pixels, tower.shape)
    tokens = tower.patch_tokens(patches, jnp.arange(patches.shape[1]))
    fixed = tower.fixed_tokens()
    fixed = jnp.broadcast_to(fixed, (len(pixels), *fixed.shape))
    return tower(tower.enter(jnp.concatenate([fixed, tokens], axis=1)))


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
