"""Where PyTorch models run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from hlx.errors import ModelError


def torch_device(name: str | None = None) -> torch.device:
    """The device of a name: "cpu", "cuda", "cuda:1", ...; None or "auto" takes CUDA where it is.

    Raises
    ------
    ModelError : no such device here.
    """
    if name is None or name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise ModelError(f"device {name!r}: PyTorch models run on cpu, cuda or cuda:N")
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if count == 0:
            built = (
                "this PyTorch is built without CUDA" if torch.version.cuda is None else "no GPU is visible"
            )
            raise ModelError(f"device {name!r}: {built}; use --device cpu")
        if device.index is not None and device.index >= count:
            raise ModelError(f"device {name!r}: there are {count} GPUs, cuda:0 to cuda:{count - 1}")
    return device


def device_text(device: torch.device) -> str:
    """A device in words, for the record."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)} (cuda)"
    return f"cpu ({torch.get_num_threads()} threads)"


@contextmanager
def true_float32() -> Iterator[None]:
    """Products and convolutions in float32 are float32 inside, not TensorFloat-32; algorithms are fixed."""
    matmul = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = matmul
