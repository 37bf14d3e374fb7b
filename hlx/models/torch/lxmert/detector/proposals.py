"""Where objects may be: anchors, the region proposal network (Ren et al. 2015), the best it finds."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor, nn

from hlx.errors import ModelError
from hlx.kernels import suppress_overlaps
from hlx.models.torch.lxmert.detector.detector_config import STRIDE, DetectorConfig

LARGEST_GROWTH = math.log(1000 / 16)  # of a side, in logarithms: exp never overflows


def cell_anchors(config: DetectorConfig) -> Float32[Tensor, "a 4"]:
    """Anchors around (0, 0) by size, then ratio of height to width; of equal area for a size."""
    boxes = []
    for size in config.anchor_sizes:
        for ratio in config.anchor_ratios:
            width = math.sqrt(size**2 / ratio)
            height = ratio * width
            boxes.append([-width / 2, -height / 2, width / 2, height / 2])
    return torch.tensor(boxes)


def grid_anchors(
    cells: Float32[Tensor, "a 4"], height: int, width: int, offset: float
) -> Float32[Tensor, "n 4"]:
    """Anchors of all cells of a feature map: row-major, each cell's one after the other."""
    y, x = (
        STRIDE * (offset + torch.arange(n, dtype=torch.float32, device=cells.device)) for n in (height, width)
    )
    y, x = torch.meshgrid(y, x, indexing="ij")
    return (torch.stack([x, y, x, y], dim=-1)[:, :, None] + cells).view(-1, 4)


def decoded(
    deltas: Float32[Tensor, "*n 4"], boxes: Float32[Tensor, "*n 4"], weights: tuple[float, ...]
) -> Float32[Tensor, "*n 4"]:
    """Boxes moved and grown by deltas (Girshick et al. 2014, appendix C); growth is clamped.

    Parameters
    ----------
    deltas
        Dx, dy in widths and heights of the box, dw, dh in logarithms, each times its weight.
    boxes
        X1, y1, x2, y2.
    """
    size = boxes[..., 2:] - boxes[..., :2]
    scaled = deltas / deltas.new_tensor(weights)
    centre = scaled[..., :2] * size + (boxes[..., :2] + 0.5 * size)
    half = 0.5 * torch.exp(scaled[..., 2:].clamp(max=LARGEST_GROWTH)) * size
    return torch.cat([centre - half, centre + half], dim=-1)


def clipped(boxes: Float32[Tensor, "*n 4"], height: int, width: int) -> Float32[Tensor, "*n 4"]:
    """Boxes cut at the image's border."""
    return boxes.clamp(min=0).minimum(boxes.new_tensor([width, height, width, height]))


def check_finite(what: str, *numbers: Tensor) -> None:
    """Raise ModelError for NaN and infinity, which suppression would put last instead of passing on."""
    if not all(bool(part.isfinite().all()) for part in numbers):
        raise ModelError(
            f"the detector's {what} are NaN or infinite: its weights are damaged, or overflow in this dtype"
        )


def kept_rows(
    boxes: Float32[Tensor, "m n 4"],
    scores: Float32[Tensor, "m n"],
    candidates: Bool[Tensor, "m n"],
    threshold: float,
    most: int,
) -> Int64[Tensor, "m {most}"]:
    """Suppression on the CPU, wherever the boxes are. -1 where none is left."""
    arrays = (np.ascontiguousarray(t.cpu().numpy()) for t in (boxes, scores, candidates))
    given, order, taking_part = arrays
    kept = suppress_overlaps(given, order, threshold, most, taking_part)
    return torch.from_numpy(kept).to(boxes.device)


class AnchorGenerator(nn.Module):
    """The anchors a checkpoint holds."""

    def __init__(self, config: DetectorConfig) -> None:
        super().__init__()
        anchors = nn.Parameter(cell_anchors(config), requires_grad=False)
        self.cell_anchors = nn.ParameterList([anchors])


class ProposalHead(nn.Module):
    """From features to how much each anchor looks like an object, and its deltas."""

    def __init__(self, config: DetectorConfig) -> None:
        super().__init__()
        width = config.res2_width * 4
        hidden = width if config.hidden == -1 else config.hidden
        self.conv = nn.Conv2d(width, hidden, 3, padding=1)
        self.objectness_logits = nn.Conv2d(hidden, config.anchors, 1)
        self.anchor_deltas = nn.Conv2d(hidden, 4 * config.anchors, 1)


class ProposalGenerator(nn.Module):
    """The region proposal network."""

    def __init__(self, config: DetectorConfig) -> None:
        super().__init__()
        self.config = config
        self.anchor_generator = AnchorGenerator(config)
        self.rpn_head = ProposalHead(config)

    def forward(
        self, hidden: Float32[Tensor, "m d y x"], height: int, width: int
    ) -> tuple[Float32[Tensor, "m p 4"], Int64[Tensor, " m"]]:
        """The best boxes of each image, and how many there are; the rest is zero.

        An image none of whose boxes has an area within it proposes the whole image.

        Parameters
        ----------
        hidden
            Of the head's 3x3 convolution, rectified.
        height, width
            Of the image, in pixels.
        """
        config, head = self.config, self.rpn_head
        m, _, rows, columns = hidden.shape
        logits = head.objectness_logits(hidden).permute(0, 2, 3, 1).reshape(m, -1)
        deltas = head.anchor_deltas(hidden).permute(0, 2, 3, 1).reshape(m, -1, 4)
        check_finite("scores and deltas of anchors", logits, deltas)
        considered = min(config.considered, logits.shape[1])
        scores, best = logits.sort(dim=1, descending=True, stable=True)
        scores, best = scores[:, :considered], best[:, :considered]
        anchors = grid_anchors(self.anchor_generator.cell_anchors[0], rows, columns, config.anchor_offset)
        moved = decoded(
            deltas.gather(1, best[..., None].expand(-1, -1, 4)), anchors[best], config.anchor_weights
        )
        boxes = clipped(moved, height, width)
        sides = boxes[..., 2:] - boxes[..., :2]
        candidates = (sides > config.min_side).all(dim=-1)
        kept = kept_rows(boxes, scores, candidates, config.proposal_overlap, config.proposals)
        counts = (kept >= 0).sum(dim=1)
        chosen = boxes.gather(1, kept.clamp(min=0)[..., None].expand(-1, -1, 4))
        chosen = chosen.masked_fill((kept < 0)[..., None], 0)
        whole = chosen.new_tensor([0, 0, width, height])
        chosen[:, 0] = torch.where((counts == 0)[:, None], whole, chosen[:, 0])
        return chosen, counts.clamp(min=1)
