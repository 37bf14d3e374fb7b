"""The devices of this machine that a study's models can run on, one model each."""

from __future__ import annotations

from hlx.batch.units import PlannedModel
from hlx.errors import ModelError
from hlx.models.devices import jax_devices
from hlx.models.load import Devices


def devices_of(model: PlannedModel, asked: str | None = None) -> list[Devices]:
    """What `load_planned` takes for a model on each device by itself.

    Parameters
    ----------
    asked : "cpu", "cuda", "cuda:1" or "tpu"; None or "auto" for what the study file says, which by default is
        all devices of the best kind.

    Raises
    ------
    ModelError : no such device here.
    """
    name = asked if asked not in (None, "auto") else model.device
    name = None if name == "auto" else name
    if model.engine == "function":
        return [None]
    return _torch_devices(name) if model.engine == "torch" else _jax_devices(name)


def _jax_devices(name: str | None) -> list[Devices]:
    import jax

    found = jax.local_devices() if name is None else jax_devices(name)
    return [[device] for device in found]


def _torch_devices(name: str | None) -> list[Devices]:
    from hlx.models.pytorch.devices import torch_device

    device = torch_device(name)
    if device.type != "cuda" or device.index is not None:
        return [str(device)]
    found: list[Devices] = []
    while True:
        try:
            found.append(str(torch_device(f"cuda:{len(found)}")))
        except ModelError:
            return found
