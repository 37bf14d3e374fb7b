"""Image groups made ready for the device: images decoded, resized and blurred, models loaded as planned."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from hlx.errors import InputError, ModelError
from hlx.games.regions import Regions
from hlx.io.checks import check_file
from hlx.io.images import content_hash, read_image_bytes
from hlx.models.loading.devices import jax_devices
from hlx.models.loading.load import Devices, Loaded, load_model
from hlx.models.model import Views, views
from hlx.sweep.plan.jobs import ImageGroup, PlannedImage, PlannedModel

if TYPE_CHECKING:
    from hlx.models.image_text_game import MaskedImage


@dataclass(frozen=True, eq=False)
class Prepared:
    """An image group's image on the device.

    Attributes
    ----------
    masked
        Its regions can be shown and hidden.
    regions
        The group's.
    image_hash
        Of the image's pixels.
    """

    masked: MaskedImage
    regions: Regions
    image_hash: str


def load_planned(model: PlannedModel, devices: Devices = None) -> Loaded:
    """A sweep's model on its devices, `devices` where the sweep does not say.

    Raises
    ------
    InputError, ModelError
        As `load_model`; the weights found are others than those planned for.
    """
    loaded = load_model(
        model.name,
        dtype=model.dtype,
        revision=model.revision,
        devices=None if model.engine == "function" else devices if devices is not None else model.device,
        engine=None if model.engine == "function" else model.engine,
        detector=model.detector,
    )
    if loaded.fingerprint != model.fingerprint:
        raise ModelError(
            f"{model.name}: has the fingerprint {loaded.fingerprint[:12]} here, the sweep was planned with "
            f"{model.fingerprint[:12]}: its files differ or have changed"
        )
    return loaded


def devices_of(model: PlannedModel, asked: str | None = None) -> list[Devices]:
    """What `load_planned` takes for a model on each device by itself.

    Parameters
    ----------
    asked
        "cpu", "cuda", "cuda:1" or "tpu"; None or "auto" for what the sweep file says, which by default is all
        devices of the best kind.

    Raises
    ------
    ModelError
        No such device here.
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
    from hlx.models.torch.torch_devices import torch_device

    device = torch_device(name)
    if device.type != "cuda" or device.index is not None:
        return [str(device)]
    found: list[Devices] = []
    while True:
        try:
            found.append(str(torch_device(f"cuda:{len(found)}")))
        except ModelError:
            return found


class Preparer:
    """Prepares groups one after the other, and keeps what consecutive groups of one image share."""

    def __init__(self) -> None:
        self._image: PlannedImage | None = None
        self._pixels: UInt8[np.ndarray, "h w 3"] = np.zeros((0, 0, 3), np.uint8)
        self._image_hash = ""
        self._views: dict[tuple[int, str], Views] = {}

    def prepare(self, loaded: Loaded, model: PlannedModel, group: ImageGroup) -> Prepared:
        """The group's image, ready on the model's device.

        Raises
        ------
        InputError
            Image or label map cannot be read, have changed since the plan was made, or do not fit.
        """
        self._read(group.image)
        key = loaded.side, group.background
        if key not in self._views:
            self._views[key] = views(self._pixels, *key)
        regions = group.regions.read()
        masked = loaded.mask_views(self._views[key], regions, model.batch_size, group.image.path.name)
        return Prepared(masked, regions, self._image_hash)

    def _read(self, image: PlannedImage) -> None:
        if image == self._image:
            return
        self._image, self._views = None, {}
        check_file(image.path)
        content = image.path.read_bytes()
        if hashlib.sha256(content).hexdigest() != image.sha256:
            raise InputError(f"{image.path}: has changed since the sweep was planned")
        # Of these bytes, whatever is under the name by now.
        self._pixels = read_image_bytes(content, image.path)
        self._image_hash = content_hash(self._pixels)
        self._image = image
