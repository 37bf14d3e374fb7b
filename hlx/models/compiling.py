"""Compiler options that make XLA run well on a CPU."""

from __future__ import annotations

from functools import lru_cache

import jax

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
