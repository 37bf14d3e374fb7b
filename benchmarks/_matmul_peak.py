"""How fast XLA and PyTorch multiply matrices of a tower's shapes: what a share of the peak is a share of."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import torch
from _contenders import DEVICE
from _workload import Contender, Tower


class Products(Contender):
    """The four products of a block, queries-keys-values, output, both of the MLP, for `batch` images.

    `step` returns floating-point operations in place of coalitions.
    """

    def __init__(self, tower: Tower, dtype: str) -> None:
        self.tower, self.dtype = tower, dtype

    def shapes(self, batch: int) -> list[tuple[int, int, int]]:
        """(rows, inner, columns) of each product."""
        rows, d, m = batch * self.tower.tokens, self.tower.width, self.tower.mlp
        return [(rows, d, 3 * d), (rows, d, d), (rows, d, m), (rows, m, d)]

    def prepare(self, batch: int) -> None:
        self.batch = batch
        self.flops = sum(2 * rows * inner * columns for rows, inner, columns in self.shapes(batch))
        self.multiply = self.products(batch)
        self.step()

    def step(self) -> int:
        self.multiply()
        return self.flops

    def products(self, batch: int) -> Callable[[], object]:
        raise NotImplementedError


class XlaProducts(Products):
    """By XLA; `wide` results are float32 whatever the factors are."""

    def __init__(self, tower: Tower, dtype: str, wide: bool = False) -> None:
        super().__init__(tower, dtype)
        self.name, self.wide = "XLA, float32 result" if wide else "XLA", wide

    def products(self, batch: int) -> Callable[[], object]:
        key, dtype = jax.random.key(0), jnp.dtype(self.dtype)
        result = jnp.float32 if self.wide else dtype
        factors = [
            (jax.random.normal(key, (r, i)).astype(dtype), jax.random.normal(key, (i, c)).astype(dtype))
            for r, i, c in self.shapes(batch)
        ]
        precision = jax.lax.Precision.HIGHEST if self.dtype == "float32" else None

        @jax.jit
        def multiply(factors: list) -> list:
            return [jnp.matmul(a, b, precision=precision, preferred_element_type=result) for a, b in factors]

        return lambda: jax.block_until_ready(multiply(factors))


class TorchProducts(Products):
    """By PyTorch, as its linear layers do it."""

    name = "PyTorch"

    def products(self, batch: int) -> Callable[[], object]:
        dtype = getattr(torch, self.dtype)
        factors = [
            (torch.randn(r, i).to(DEVICE, dtype), torch.randn(c, i).to(DEVICE, dtype))
            for r, i, c in self.shapes(batch)
        ]

        def multiply() -> None:
            with torch.inference_mode():
                for a, b in factors:
                    torch.nn.functional.linear(a, b)
            if DEVICE == "cuda":
                torch.cuda.synchronize()

        return multiply
