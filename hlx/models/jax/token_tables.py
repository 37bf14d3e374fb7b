"""Tokens of partly hidden images without building the images.

Patch embedding is linear in the pixels and hiding a region selects pixels, so the tokens of a coalition
follow from a few precomputed rows. A patch that k regions reach can look 2^k ways: with few regions per
patch every look is embedded once, together with its first queries, keys and values, and a coalition is a
lookup. Where a label map cuts patches into many regions, tokens(S) = base + sum over shown regions of delta.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array, lax
from jaxtyping import Bool, Float, Float32, Int32, UInt8

from hlx.models.jax.vision import VisionShape, VisionTower, patches_of

TABLE_ROWS = 8192
"""Largest lookup table, in rows; beyond it the affine form takes over (100 MB at width 768)."""


@struct.dataclass
class TokenTable:
    """All variants of all patches: `rows` of the residual stream and `qkv` of the first block.

    Token j of a coalition is row start[j] + sum over shown players i of place[i, j].
    """

    rows: Float32[Array, "r d"]
    qkv: Float[Array, "r e"]
    start: Int32[Array, " t"]
    place: Int32[Array, "n t"]

    def of(self, tower: VisionTower, masks: Bool[Array, "m n"]) -> tuple[Array, Array | None]:
        """Residual streams (m, t, d) and first queries, keys, values (m, t, 3 d) of coalitions."""
        del tower
        index = self.start + jnp.sum(jnp.where(masks[:, :, None], self.place, 0), axis=1)
        return self.rows[index], self.qkv[index]


@struct.dataclass
class AffineTokens:
    """Token sums of the all-hidden image and what showing each region adds to them."""

    base: Float32[Array, "t d"]
    deltas: Float32[Array, "n t d"]

    def of(self, tower: VisionTower, masks: Bool[Array, "m n"]) -> tuple[Array, Array | None]:
        """Residual streams (m, t, d) of coalitions; the first block is left to the tower."""
        shown = jnp.einsum(
            "mn,ntd->mtd", masks.astype(jnp.float32), self.deltas, precision=lax.Precision.HIGHEST
        )
        return tower.enter(self.base + shown), None


@struct.dataclass
class PatchVariants:
    """Distinct variants of patches, before embedding: uint8 pixels, patch numbers, the lookup rule."""

    pixels: UInt8[np.ndarray, "r p"]
    position: Int32[np.ndarray, " r"]
    start: Int32[np.ndarray, " g"]
    place: Int32[np.ndarray, "n g"]


def patch_variants(
    image: UInt8[np.ndarray, "s s 3"],
    hidden: UInt8[np.ndarray, "s s 3"],
    labels: Int32[np.ndarray, "s s"],
    n_players: int,
    shape: VisionShape,
) -> PatchVariants | None:
    """Every look of every patch, or None when there are more than `TABLE_ROWS` of them."""
    cut = patches_of(labels[None, :, :, None], shape)[0]
    present = [np.unique(patch) for patch in cut]
    counts = np.array([len(regions) for regions in present])
    if counts.max() >= 31 or (2.0**counts).sum() > TABLE_ROWS:
        return None
    shown_pixels, hidden_pixels = (patches_of(side[None], shape)[0] for side in (image, hidden))
    sizes = 1 << counts
    start = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32)
    place = np.zeros((n_players, len(cut)), np.int32)
    pixels = []
    for j, regions in enumerate(present):
        place[regions, j] = 1 << np.arange(len(regions))
        subsets = (np.arange(sizes[j])[:, None] >> np.arange(len(regions))) & 1
        shown = subsets[:, np.searchsorted(regions, cut[j])].astype(bool)
        pixels.append(np.where(shown.repeat(3, axis=1), shown_pixels[j], hidden_pixels[j]))
    position = np.repeat(np.arange(len(cut), dtype=np.int32), sizes)
    return PatchVariants(np.concatenate(pixels), position, start, place)


def padded_rows(count: int) -> int:
    """Table sizes are rounded up to powers of two so that few sizes are ever compiled for."""
    return max(64, 1 << (count - 1).bit_length())


def token_table(
    tower: VisionTower,
    pixels: Float32[Array, "r p"],
    position: Int32[Array, " r"],
    start: Int32[Array, " g"],
    place: Int32[Array, "n g"],
) -> TokenTable:
    """Embed the variants (normalised pixels); rows of the tower's fixed tokens come after them."""
    tokens, fixed = tower.patch_tokens(pixels, position), tower.fixed_tokens()
    rows = tower.enter(jnp.concatenate([tokens, fixed]))
    count = fixed.shape[0]
    start = jnp.concatenate([len(tokens) + jnp.arange(count, dtype=jnp.int32), start])
    place = jnp.concatenate([jnp.zeros((len(place), count), jnp.int32), place], axis=1)
    if tower.first is None:  # a tower of one block computes it for the pooled token alone
        return TokenTable(rows, jnp.zeros((len(rows), 0)), start, place)
    return TokenTable(rows, tower.first.qkv(rows).astype(tower.first.out_weight.dtype), start, place)


def affine_tokens(
    tower: VisionTower,
    hidden: Float32[Array, "s s 3"],
    single: Float32[Array, "n s s 3"],
) -> AffineTokens:
    """Base and deltas from normalised pixels: everything hidden, and each region shown alone."""
    patches = patches_of(jnp.concatenate([hidden[None], single]), tower.shape)
    tokens = tower.patch_tokens(patches, jnp.arange(patches.shape[1]))
    fixed = tower.fixed_tokens()
    base = jnp.concatenate([fixed, tokens[0]])
    deltas = jnp.pad(tokens[1:] - tokens[0], ((0, 0), (len(fixed), 0), (0, 0)))
    return AffineTokens(base, deltas)
