"""Compiler options that make the large products run well on a CPU."""

from __future__ import annotations

from functools import lru_cache

import jax

EIGEN_PRODUCTS = {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_REDUCE"}
"""Leaves float32 products to XLA's Eigen kernels instead of YNNPACK.

With AVX-512, Eigen ran them 1.1 to 1.2 times faster (benchmarks/throughput.py compares both); bfloat16
products stay with YNNPACK, which alone uses the CPU's bfloat16 units.
"""


@lru_cache
def compiler_options(platform: str, dtype: str) -> dict[str, str]:
    """Options for `jax.jit` that this jaxlib knows; none where the defaults are best."""
    if platform != "cpu" or dtype != "float32":
        return {}
    try:
        with jax.default_device(jax.local_devices(backend="cpu")[0]):
            jax.jit(lambda x: x + 1, compiler_options=EIGEN_PRODUCTS)(0.0)
    except (jax.errors.JaxRuntimeError, ValueError, RuntimeError):
        return {}  # another jaxlib, other options; only speed depends on them
    return EIGEN_PRODUCTS
