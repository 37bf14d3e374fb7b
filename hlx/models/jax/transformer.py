"""Pre-LN transformer blocks in the forms the engine needs: whole, entered halfway, for one pooled token."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array, lax
from jaxtyping import Bool, Float, Float32

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "quick_gelu": lambda x: x * jax.nn.sigmoid(1.702 * x),
    # as PyTorch computes it; jax.nn.gelu takes erfc, which costs twice as much on a CPU
    "gelu": lambda x: 0.5 * x * (1 + lax.erf(x * 0.5**0.5)),
    "gelu_pytorch_tanh": lambda x: jax.nn.gelu(x, approximate=True),
    "gelu_new": lambda x: jax.nn.gelu(x, approximate=True),
    "relu": jax.nn.relu,
}

BLOCK_ARRAYS = (
    *("norm1_scale", "norm1_bias", "qkv_weight", "qkv_bias", "out_weight", "out_bias"),
    *("norm2_scale", "norm2_bias", "fc1_weight", "fc1_bias", "fc2_weight", "fc2_bias"),
)


@dataclass(frozen=True)
class BlockShape:
    """What a block cannot tell from its arrays: head count, activation name, LayerNorm eps."""

    heads: int
    activation: str
    eps: float


def layer_norm(
    x: Float32[Array, "*batch d"], scale: Float[Array, " d"], bias: Float[Array, " d"], eps: float
) -> Float32[Array, "*batch d"]:
    """LayerNorm in float32 with the two-pass variance that PyTorch computes."""
    centred = x - jnp.mean(x, axis=-1, keepdims=True)
    variance = jnp.mean(jnp.square(centred), axis=-1, keepdims=True)
    return centred * lax.rsqrt(variance + eps) * scale + bias


def matmul(x: Float[Array, "*batch d"], weight: Float[Array, "d e"]) -> Float32[Array, "*batch e"]:
    """Product in the weight's dtype with float32 sums and a float32 result."""
    # One flat product over all leading axes; a float32 result is what makes a CPU use its bfloat16 units.
    flat = x.reshape(-1, x.shape[-1]).astype(weight.dtype)
    product = jnp.matmul(flat, weight, precision=lax.Precision.HIGHEST, preferred_element_type=jnp.float32)
    return product.reshape(*x.shape[:-1], weight.shape[-1])


def attention(
    qkv: Float[Array, "m t e"], heads: int, dtype: jnp.dtype, mask: Bool[Array, "#m #t t"] | None = None
) -> Float[Array, "m t d"]:
    """Multi-head self-attention of packed queries, keys and values (e = 3 d); softmax in float32.

    The mask tells which tokens (last axis) a token (the axis before) may attend to.
    """
    m, t, packed = qkv.shape
    width = packed // 3 // heads
    q, k, v = (part.reshape(m, t, heads, width) for part in jnp.split(qkv, 3, axis=-1))
    # The two scalings of a softmax, of t x t numbers a head as one writes it, meet t x width numbers here:
    # the queries before it, the weighted sums after it.
    q, k, v = (part.astype(dtype) for part in (q * width**-0.5, k, v))
    q, k, v = q.transpose(0, 2, 1, 3), k.transpose(0, 2, 3, 1), v.transpose(0, 2, 1, 3)
    # XLA's CPU compiler would fold the transposes into its products and read strided operands, slowly;
    # elsewhere it may fuse them as it sees fit.
    q, k, v = lax.platform_dependent(q, k, v, cpu=_laid_out, default=lambda *parts: parts)
    exact = {"precision": lax.Precision.HIGHEST, "preferred_element_type": jnp.float32}
    logits = jnp.matmul(q, k, **exact)
    if mask is not None:
        logits = jnp.where(mask[:, None], logits, jnp.finfo(jnp.float32).min)
    weights = jnp.exp(logits - jnp.max(logits, axis=-1, keepdims=True))
    seen = jnp.matmul(weights.astype(dtype), v, **exact) / jnp.sum(weights, axis=-1, keepdims=True)
    return seen.swapaxes(1, 2).reshape(m, t, packed // 3)


def _laid_out(*parts: Array) -> tuple[Array, ...]:
    return lax.optimization_barrier(parts)


def attend_once(
    query: Float32[Array, "q d"], tokens: Float32[Array, "m t d"], qkv: Array, value_bias: Array, heads: int
) -> Float32[Array, "m d"]:
    """Attention of one query per image (q = m, or 1 for all) to its tokens, without forming keys or values.

    A single query q_h meets every key as q_h W_k x, so W_k is applied to the query instead of to all t
    tokens; likewise the weighted mean of values is W_v applied to the weighted mean of tokens. The key bias
    shifts all logits of a query alike and drops out of the softmax; the value bias passes through it because
    the weights sum to one. Two products of d^2 per image remain where there were 2 t d^2.
    """
    d = tokens.shape[-1]
    exact = {"precision": lax.Precision.HIGHEST, "preferred_element_type": jnp.float32}
    _, key_weight, value_weight = (w.reshape(d, heads, d // heads) for w in jnp.split(qkv, 3, axis=-1))
    split = query.reshape(-1, heads, d // heads) * ((d // heads) ** -0.5)
    reach = jnp.einsum("qhe,dhe->qhd", split.astype(qkv.dtype), key_weight, **exact)
    reach = jnp.broadcast_to(reach, (tokens.shape[0], heads, d))
    weights = jax.nn.softmax(jnp.einsum("mhd,mtd->mht", reach, tokens, **exact), axis=-1)
    seen = jnp.einsum("mht,mtd->mhd", weights, tokens, **exact)
    values = jnp.einsum("mhd,dhe->mhe", seen.astype(qkv.dtype), value_weight, **exact)
    return values.reshape(-1, d) + value_bias


class Block(nnx.Module):
    """One pre-LN block: attention, then an MLP, each added to the residual stream."""

    norm1_scale: nnx.Param
    norm1_bias: nnx.Param
    qkv_weight: nnx.Param
    qkv_bias: nnx.Param
    out_weight: nnx.Param
    out_bias: nnx.Param
    norm2_scale: nnx.Param
    norm2_bias: nnx.Param
    fc1_weight: nnx.Param
    fc1_bias: nnx.Param
    fc2_weight: nnx.Param
    fc2_bias: nnx.Param

    def __init__(self, arrays: Mapping[str, np.ndarray | Array], shape: BlockShape) -> None:
        for name in BLOCK_ARRAYS:
            setattr(self, name, nnx.Param(arrays[name]))
        self.shape = shape

    def normed(self, x: Float32[Array, "*batch d"]) -> Float32[Array, "*batch d"]:
        """What the attention reads: the first LayerNorm of the residual stream."""
        return layer_norm(x, self.norm1_scale[...], self.norm1_bias[...], self.shape.eps)

    def qkv(self, x: Float32[Array, "*batch d"]) -> Float32[Array, "*batch e"]:
        """Queries, keys and values of residual-stream rows x, packed along the last axis (e = 3 d)."""
        return matmul(self.normed(x), self.qkv_weight[...]) + self.qkv_bias[...]

    def __call__(
        self, x: Float32[Array, "m t d"], mask: Bool[Array, "#m #t t"] | None = None
    ) -> Float32[Array, "m t d"]:
        """The whole block."""
        return self.finish(x, self.qkv(x), mask)

    def finish(
        self,
        x: Float32[Array, "m t d"],
        qkv: Float[Array, "m t e"],
        mask: Bool[Array, "#m #t t"] | None = None,
    ) -> Float32[Array, "m t d"]:
        """The block from its queries, keys and values on."""
        seen = attention(qkv, self.shape.heads, self.out_weight.dtype, mask)
        x = x + (matmul(seen, self.out_weight[...]) + self.out_bias[...])
        return x + self.mlp(x)

    def first_token(self, x: Float32[Array, "m t d"]) -> Float32[Array, "m d"]:
        """The block's output at token 0: all that a tower pooling its class token needs of the last block."""
        h = self.normed(x)
        width = x.shape[-1]
        query = matmul(h[:, 0], self.qkv_weight[:, :width]) + self.qkv_bias[:width]
        seen = attend_once(query, h, self.qkv_weight[...], self.qkv_bias[2 * width :], self.shape.heads)
        top = x[:, 0] + (matmul(seen, self.out_weight[...]) + self.out_bias[...])
        return top + self.mlp(top)

    def mlp(self, x: Float32[Array, "*batch d"]) -> Float32[Array, "*batch d"]:
        """LayerNorm, expansion, activation, contraction."""
        h = layer_norm(x, self.norm2_scale[...], self.norm2_bias[...], self.shape.eps)
        h = ACTIVATIONS[self.shape.activation](matmul(h, self.fc1_weight[...]) + self.fc1_bias[...])
        return matmul(h, self.fc2_weight[...]) + self.fc2_bias[...]


def run_blocks(
    blocks: Iterable[Block], x: Float32[Array, "m t d"], mask: Bool[Array, "#m #t t"] | None = None
) -> Float32[Array, "m t d"]:
    """Apply blocks in order.

    They are unrolled: a scan over stacked arrays copies every layer's matrices out of the stack for every
    batch, which costs more than a longer compilation.
    """
    for block in blocks:
        x = block(x, mask)
    return x
