"""Squares of uint8 pixels as a model takes them: normalised on the device as its image processor would."""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor, nn

from hlx.models.preparation import Pixels


class Normalised(nn.Module):
    """Pixels to (x - mean) * scale, by colour.

    Parameters
    ----------
    folder : directory with preprocessor_config.json or processor_config.json.
    processor : whose image processor, a key of `hlx.models.preparation.PROCESSORS`.
    side : the model's input size in pixels.

    Attributes
    ----------
    pixels : the image processor, for images of any size.

    Raises
    ------
    ModelError : the image processor's file is missing or cannot be used, makes images of another size, or
        does more to squares of this one than to normalise them.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, folder: Path, processor: str, side: int) -> None:
        super().__init__()
        self.side = side
        self.pixels = pixels = Pixels(folder, processor, side)
        pixels.check_pixelwise()
        for name, values in zip(("mean", "scale"), pixels.mean_and_scale(), strict=True):
            self.register_buffer(name, torch.from_numpy(values)[:, None, None], persistent=False)

    def forward(self, images: UInt8[Tensor, "m 3 s s"]) -> Float32[Tensor, "m 3 s s"]:
        """Normalised pixels."""
        return (images.float() - self.mean) * self.scale
