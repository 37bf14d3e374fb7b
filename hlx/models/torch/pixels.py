"""What scorers in PyTorch see: squares of uint8 pixels, composited and normalised on the device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int32, UInt8
from torch import Tensor, nn

from hlx.io.images import square
from hlx.models.loading.processors import ImageProcessor


class TorchCanvas:
    """What scorers in PyTorch share: coalitions and whole images as uint8 tensors (m, 3, side, side).

    Both looks of an image and the player of every pixel go to the device once; of a coalition only its row
    does.
    """

    torch_device: torch.device
    side: int
    see: Callable[[Tensor], Any]

    def whole(self, images: Sequence[UInt8[np.ndarray, "_h _w 3"]]) -> Any:
        """What is seen of images of any size, as squares."""
        return self.see(self.squares(np.stack([square(image, self.side) for image in images])))

    def canvas(
        self,
        shown: UInt8[np.ndarray, "s s 3"],
        hidden: UInt8[np.ndarray, "s s 3"],
        labels: Int32[np.ndarray, "s s"],
    ) -> Callable[[Bool[np.ndarray, "m n"]], UInt8[Tensor, "m 3 s s"]]:
        """Where coalitions of one image are composited: shown where a pixel's player is, else hidden."""
        looks = self.squares(np.stack([shown, hidden]))
        players = torch.from_numpy(labels).to(self.torch_device).long()

        def composite(rows: Bool[np.ndarray, "m n"]) -> UInt8[Tensor, "m 3 s s"]:
            visible = torch.from_numpy(np.ascontiguousarray(rows)).to(self.torch_device)[:, players]
            return torch.where(visible[:, None], looks[0], looks[1])

        return composite

    def squares(self, images: UInt8[np.ndarray, "m s s 3"]) -> UInt8[Tensor, "m 3 s s"]:
        """Whole images on the device."""
        tensor = torch.from_numpy(np.ascontiguousarray(images)).to(self.torch_device)
        return tensor.permute(0, 3, 1, 2).contiguous()


class Normalised(nn.Module):
    """Pixels to (x - mean) * scale, by colour.

    Parameters
    ----------
    folder
        Directory with preprocessor_config.json or processor_config.json.
    processor
        Whose image processor, a key of `hlx.models.loading.processors.PROCESSORS`.
    side
        The model's input size in pixels.

    Attributes
    ----------
    pixels
        The image processor, for images of any size.

    Raises
    ------
    ModelError
        The image processor's file is missing or cannot be used, makes images of another size, or does more to
        squares of this one than to normalise them.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, folder: Path, processor: str, side: int) -> None:
        super().__init__()
        self.side = side
        self.pixels = pixels = ImageProcessor(folder, processor, side)
        pixels.check_pixelwise()
        for name, values in zip(("mean", "scale"), pixels.mean_and_scale(), strict=True):
            self.register_buffer(name, torch.from_numpy(values)[:, None, None], persistent=False)

    def forward(self, images: UInt8[Tensor, "m 3 s s"]) -> Float32[Tensor, "m 3 s s"]:
        """Normalised pixels."""
        return (images.float() - self.mean) * self.scale
