"""Where PyTorch models run."""

from __future__ import annotations

import threading
from operator import attrgetter
from typing import Any

import torch

from hlx.errors import ModelError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
"""Of large products, by name."""


def torch_device(name: str | None = None) -> torch.device:
    """The device of a name: "cpu", "cuda", "cuda:1", ...; None or "auto" takes CUDA where it is.

    Raises
    ------
    ModelError
        No such device here.
    """
    if name is None or name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda") or name.startswith("cpu:"):
        raise ModelError(f"device {name!r}: PyTorch models run on cpu, cuda or cuda:N")
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if count == 0:
            built = (
                "this PyTorch is built without CUDA" if torch.version.cuda is None else "no GPU is visible"
            )
            raise ModelError(f'device {name!r}: {built}; use device="cpu"')
        if device.index is not None and device.index >= count:
            raise ModelError(f"device {name!r}: there are {count} GPUs, cuda:0 to cuda:{count - 1}")
    return device


def device_text(device: torch.device) -> str:
    """A device in words, for the record."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)} (cuda)"
    return f"cpu ({torch.get_num_threads()} threads)"


class TrueFloat32:
    """Products and convolutions in float32 are float32 while any thread is inside; algorithms are fixed.

    Neither TensorFloat-32 nor bfloat16 stands in for it, whatever the program has allowed, on CPUs as on
    GPUs. PyTorch's settings are the process's, so that they change with the first thread that enters and come
    back with the last that leaves.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before: list[tuple[Any, str, Any]] = []

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside > 1:
                return
            self._before = [(place, name, getattr(place, name)) for place, name, _ in _SETTINGS]
            for place, name, value in _SETTINGS:
                setattr(place, name, value)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                for place, name, value in self._before:
                    setattr(place, name, value)


_SETTINGS: tuple[tuple[Any, str, Any], ...] = (
    *(
        (attrgetter(place)(torch), "fp32_precision", "ieee")
        for place in (
            # The general ones first: setting them sets those below.
            *("backends", "backends.cudnn", "backends.mkldnn", "backends.cuda.matmul"),
            *("backends.cudnn.conv", "backends.cudnn.rnn"),
            *("backends.mkldnn.matmul", "backends.mkldnn.conv", "backends.mkldnn.rnn"),
        )
    ),
    (torch.backends.cudnn, "enabled", True),
    (torch.backends.cudnn, "benchmark", False),
    (torch.backends.cudnn, "deterministic", True),
)
_TRUE_FLOAT32 = TrueFloat32()


def true_float32() -> TrueFloat32:
    """The process's own `TrueFloat32`, a context manager."""
    return _TRUE_FLOAT32
