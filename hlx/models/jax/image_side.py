"""The image side of a dual encoder on its devices: image vectors of coalitions, in batches."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array, lax
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import Bool, Float32, Int32, UInt8

from hlx.models.batches import BatchRunner, Fitting, Progress, auto_batch, parse_batch, workers
from hlx.models.jax.token_tables import (
    AffineTokens,
    TokenTable,
    affine_tokens,
    padded_rows,
    patch_variants,
    token_table,
)
from hlx.models.jax.vision import VisionTower, encode

Tokens = TokenTable | AffineTokens
_WHOLE, _SPLIT = PartitionSpec(), PartitionSpec("batch")


class ImageSide:
    """A vision tower, replicated over the local devices, which share the batch axis.

    Parameters
    ----------
    tower
        The image tower.
    mean, scale
        Per-channel normalisation, pixel -> (pixel - mean) * scale, pixel in 0..255.
    devices
        Devices to use; all local ones by default.
    dtype
        Of the tower's large products.
    """

    def __init__(
        self,
        tower: VisionTower,
        mean: Float32[np.ndarray, " 3"],
        scale: Float32[np.ndarray, " 3"],
        devices: list[jax.Device] | None = None,
        dtype: str = "float32",
    ) -> None:
        self.shape = tower.shape
        self.devices = jax.local_devices() if devices is None else devices
        self.mean, self.scale = mean, scale
        self._options = compiler_options(self.devices[0].platform, dtype)
        self._mesh = jax.make_mesh(
            (len(self.devices),), ("batch",), axis_types=(jax.sharding.AxisType.Auto,), devices=self.devices
        )
        self._graph, state = nnx.split(tower)
        self._state = jax.device_put(state, NamedSharding(self._mesh, _WHOLE))
        self._encode = self._compiled(self._encode_pixels, 1)
        self._table = jax.jit(lambda state, *a: token_table(nnx.merge(self._graph, state), *a))
        self._affine = jax.jit(lambda state, *a: affine_tokens(nnx.merge(self._graph, state), *a))
        self._rows = self._compiled(self._vectors_of_rows, 1)
        self._rows_heads = self._compiled(self._scores_of_rows, 1)
        self._ids: dict[tuple[int, bool], Callable] = {}
        self._fitting = Fitting()

    @property
    def device(self) -> str:
        """What it runs on, in words."""
        return f"{len(self.devices)} x {self.devices[0].device_kind} ({self.devices[0].platform})"

    def runner(self, batch_size: int | str | None = None) -> BatchRunner:
        """Batches of the asked size, or of one that suits the device (None, "auto")."""
        size = parse_batch(batch_size) or auto_batch(self.shape.tokens, self.shape.widest, self.devices)
        return BatchRunner(size, len(self.devices), workers(self.devices), fitting=self._fitting)

    def normalise(self, pixels: np.ndarray) -> Float32[np.ndarray, "*shape 3"]:
        """What the checkpoint's processor does to uint8 pixels that need no resizing."""
        return (pixels.astype(np.float32) - self.mean) * self.scale

    def encode(
        self, pixels: Float32[np.ndarray, "m s s 3"], runner: BatchRunner
    ) -> Float32[np.ndarray, "m p"]:
        """Unit vectors of whole, normalised images."""

        def evaluate(start: int, size: int) -> tuple[Array]:
            return (self._encode(self._state, _padded(pixels[start : start + size], size)),)

        return np.concatenate([part for _, (part,) in runner.run(evaluate, len(pixels))])

    def tokens(
        self,
        image: UInt8[np.ndarray, "s s 3"],
        hidden: UInt8[np.ndarray, "s s 3"],
        labels: Int32[np.ndarray, "s s"],
        n_players: int,
    ) -> Tokens:
        """Everything constant over the coalitions of one image, on the devices."""
        variants = patch_variants(image, hidden, labels, n_players, self.shape)
        if variants is None:
            single = np.stack([np.where((labels == i)[..., None], image, hidden) for i in range(n_players)])
            return self._affine(self._state, self.normalise(hidden), self.normalise(single))
        rows = padded_rows(len(variants.pixels))
        patch = self.shape.patch
        pixels = self.normalise(variants.pixels.reshape(-1, patch, patch, 3)).reshape(
            len(variants.pixels), -1
        )
        return self._table(
            self._state,
            _padded(pixels, rows),
            _padded(variants.position, rows),
            variants.start,
            variants.place,
        )

    def vectors(
        self, tokens: Tokens, rows: Bool[np.ndarray, "m n"], runner: BatchRunner
    ) -> Float32[np.ndarray, "m p"]:
        """Unit image vectors of the coalitions in `rows`."""

        def evaluate(start: int, size: int) -> tuple[Array]:
            return (self._rows(self._state, _padded(rows[start : start + size], size), tokens),)

        return np.concatenate([part for _, (part,) in runner.run(evaluate, len(rows))])

    def scores(
        self,
        tokens: Tokens,
        rows: Bool[np.ndarray, "m n"],
        directions: Float32[np.ndarray, "p k"],
        runner: BatchRunner,
        progress: Progress | None = None,
    ) -> Float32[np.ndarray, "m k"]:
        """Products of the image vectors of the coalitions in `rows` with k text directions."""

        def evaluate(start: int, size: int) -> tuple[Array]:
            return (
                self._rows_heads(self._state, _padded(rows[start : start + size], size), tokens, directions),
            )

        return np.concatenate([part for _, (part,) in runner.run(evaluate, len(rows), progress)])

    def sweep(
        self,
        tokens: Tokens,
        n_players: int,
        directions: Float32[np.ndarray, "p k"],
        runner: BatchRunner,
        progress: Progress | None = None,
        keep_vectors: bool = False,
    ) -> tuple[Float32[np.ndarray, "c k"], Float32[np.ndarray, "c p"] | None]:
        """Scores of all 2^n coalitions, and their image vectors if asked for; ids never leave the device."""
        count = 1 << n_players
        values = np.empty((count, directions.shape[1]), np.float32)
        vectors = np.empty((count, directions.shape[0]), np.float32) if keep_vectors else None

        def evaluate(start: int, size: int) -> tuple[Array, ...]:
            return self._sweep(size, keep_vectors)(self._state, np.uint32(start), tokens, directions)

        for start, parts in runner.run(evaluate, count, progress):
            stop = start + len(parts[0])
            values[start:stop] = parts[0]
            if vectors is not None:
                vectors[start:stop] = parts[1]
        return values, vectors

    def _sweep(self, size: int, keep_vectors: bool) -> Callable:
        if (size, keep_vectors) not in self._ids:
            body = partial(self._scores_of_ids, size=size // len(self.devices), keep_vectors=keep_vectors)
            self._ids[size, keep_vectors] = self._compiled(body, 0, outputs=2 if keep_vectors else 1)
        return self._ids[size, keep_vectors]

    def _compiled(self, body: Callable, split: int, outputs: int = 0) -> Callable:
        """Compile `body(state, first, ...)` over the mesh; `first` is split along the batch if `split`."""

        def call(state: nnx.State, first: Array, *rest: Tokens | Array) -> Array | tuple[Array, ...]:
            specs = (_WHOLE, _SPLIT if split else _WHOLE, *[_WHOLE] * len(rest))
            out = (_SPLIT,) * outputs if outputs else _SPLIT
            mapped = jax.shard_map(body, mesh=self._mesh, in_specs=specs, out_specs=out, check_vma=False)
            return mapped(state, first, *rest)

        return jax.jit(call, compiler_options=self._options)

    def _encode_pixels(self, state: nnx.State, pixels: Array) -> Array:
        return encode(nnx.merge(self._graph, state), pixels)

    def _vectors_of_rows(self, state: nnx.State, masks: Array, tokens: Tokens) -> Array:
        tower = nnx.merge(self._graph, state)
        return tower(*tokens.of(tower, masks))

    def _scores_of_rows(self, state: nnx.State, masks: Array, tokens: Tokens, directions: Array) -> Array:
        vectors = self._vectors_of_rows(state, masks, tokens)
        return jnp.matmul(vectors, directions, precision=lax.Precision.HIGHEST)

    def _scores_of_ids(
        self, state: nnx.State, start: Array, tokens: Tokens, directions: Array, size: int, keep_vectors: bool
    ) -> tuple[Array, ...]:
        n = (tokens.place if isinstance(tokens, TokenTable) else tokens.deltas).shape[0]
        ids = start + lax.axis_index("batch").astype(jnp.uint32) * size + jnp.arange(size, dtype=jnp.uint32)
        masks = (ids[:, None] >> jnp.arange(n, dtype=jnp.uint32)) & 1 == 1
        vectors = self._vectors_of_rows(state, masks, tokens)
        values = jnp.matmul(vectors, directions, precision=lax.Precision.HIGHEST)
        return (values, vectors) if keep_vectors else (values,)


def _padded(array: np.ndarray, size: int) -> np.ndarray:
    return (
        np.pad(array, [(0, size - len(array))] + [(0, 0)] * (array.ndim - 1)) if len(array) < size else array
    )


Options = dict[str, str | int]

WIDE_VECTORS: Options = {"xla_cpu_prefer_vector_width": 512}
"""LLVM prefers 256-bit vectors by default; CPUs without 512-bit ones are not affected."""

EIGEN_PRODUCTS: Options = {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_REDUCE"}
"""Leaves float32 products to XLA's Eigen kernels instead of YNNPACK, whose are slower with AVX-512.

bfloat16 products stay with YNNPACK, which alone uses the CPU's bfloat16 units.
"""


@lru_cache
def compiler_options(platform: str, dtype: str) -> Options:
    """Options for `jax.jit` that this jaxlib knows; none off the CPU."""
    if platform != "cpu":
        return {}
    wanted = WIDE_VECTORS | EIGEN_PRODUCTS if dtype == "float32" else WIDE_VECTORS
    return {name: value for name, value in wanted.items() if _known(name, value)}


def _known(name: str, value: str | int) -> bool:
    """Whether this jaxlib takes the option; only speed depends on it."""
    try:
        with jax.default_device(jax.local_devices(backend="cpu")[0]):
            jax.jit(lambda x: x + 1, compiler_options={name: value})(0.0)
    except (jax.errors.JaxRuntimeError, ValueError, RuntimeError):
        return False
    return True
