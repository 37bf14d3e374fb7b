"""Composited images on a PyTorch device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int32, UInt8
from torch import Tensor

from hlx.images import square


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
