"""LXMERT's regions: Faster R-CNN (Ren et al. 2015) of bottom-up attention (Anderson et al. 2018)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple, cast

import torch
from jaxtyping import Float, Float32, Int64, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from hlx.errors import ModelError
from hlx.models.torch.lxmert.detector.detections import BoxPredictor, select
from hlx.models.torch.lxmert.detector.detector_config import STRIDE, DetectorConfig, read_detector_config
from hlx.models.torch.lxmert.detector.proposals import ProposalGenerator, cell_anchors, check_finite, clipped
from hlx.models.torch.lxmert.detector.res5 import FoldedRes5
from hlx.models.torch.lxmert.detector.resnet import Backbone, FoldedBackbone, stage
from hlx.models.torch.lxmert.detector.roi_pool import roi_pool
from hlx.models.torch.state import load_state
from hlx.models.torch.torch_devices import DTYPES, true_float32

SCALE = 1 / STRIDE


class Regions(NamedTuple):
    """What LXMERT sees of m images: `features` (m, n, d), `boxes` (m, n, 4) and `found` (m,).

    Boxes are x1, y1, x2, y2 as fractions of the image. `found` rows are detections; the rest, where there
    were fewer, is filled as `detections.select` says.
    """

    features: Float32[Tensor, "m n d"]
    boxes: Float32[Tensor, "m n 4"]
    found: Int64[Tensor, " m"]


class RegionHeads(nn.Module):
    """res5 and what is predicted from its mean."""

    def __init__(self, config: DetectorConfig) -> None:
        super().__init__()
        self.res5 = stage(config, 5)
        self.box_predictor = BoxPredictor(config)


class FasterRCNN(nn.Module):
    """The network, with the names of a checkpoint's weights."""

    def __init__(self, config: DetectorConfig) -> None:
        super().__init__()
        self.backbone = Backbone(config)
        self.proposal_generator = ProposalGenerator(config)
        self.roi_heads = RegionHeads(config)


def resized(height: int, width: int, config: DetectorConfig) -> tuple[int, int]:
    """Height and width that an image comes to: shortest side, unless the longest is then too long."""
    scale = config.shortest / min(height, width)
    sides = (config.shortest, scale * width) if height < width else (scale * height, config.shortest)
    shrink = min(1.0, config.longest / max(sides))
    return max(1, int(sides[0] * shrink + 0.5)), max(1, int(sides[1] * shrink + 0.5))


class WrittenLayers:
    """The heavy layers as they are written, in float32: the reference for `FoldedLayers`, and slow."""

    def __init__(self, network: FasterRCNN, config: DetectorConfig) -> None:
        self.network, self.resolution = network, config.resolution

    def features(
        self, x: Float32[Tensor, "m 3 h w"]
    ) -> tuple[Float32[Tensor, "m y x c"], Float32[Tensor, "m e y x"]]:
        """Features of res4, channels last, and what proposals are read from."""
        features = self.network.backbone(x)
        hidden = F.relu(self.network.proposal_generator.rpn_head.conv(features))
        return features.permute(0, 2, 3, 1).contiguous(), hidden

    def pooled(
        self, features: Float32[Tensor, "y x c"], rois: Float32[Tensor, "r 4"]
    ) -> Float32[Tensor, "r d"]:
        """Features of one image's regions."""
        return self.network.roi_heads.res5(roi_pool(features, rois, self.resolution, SCALE)).mean(dim=(2, 3))


class FoldedLayers:
    """The same with fewer operations, see `FoldedBackbone` and `FoldedRes5`; it has weights of its own."""

    def __init__(self, network: FasterRCNN, config: DetectorConfig, dtype: torch.dtype) -> None:
        head = network.proposal_generator.rpn_head.conv
        winograd = dtype == torch.float32 and head.weight.device.type == "cpu"
        self.backbone = FoldedBackbone(network.backbone, dtype)
        self.res5 = FoldedRes5(network.roi_heads.res5, config.resolution, dtype, winograd)
        self.weight = head.weight.to(dtype).contiguous(memory_format=torch.channels_last)
        self.bias = cast(Tensor, head.bias).to(dtype)

    def features(
        self, x: Float32[Tensor, "m 3 h w"]
    ) -> tuple[Float[Tensor, "m y x c"], Float32[Tensor, "m e y x"]]:
        """Features of res4, channels last, and what proposals are read from."""
        features = self.backbone(x)
        hidden = F.conv2d(features.permute(0, 3, 1, 2), self.weight, self.bias, padding=1).relu_()
        return features, hidden.float()

    def pooled(
        self, features: Float[Tensor, "y x c"], rois: Float32[Tensor, "r 4"]
    ) -> Float32[Tensor, "r d"]:
        """Features of one image's regions."""
        return self.res5(features, rois, SCALE)


class Detector:
    """Images to regions, in batches.

    Parameters
    ----------
    network
        With its weights, on the device where the detector is to run.
    config
        Of the network.
    dtype
        Of the convolutions; boxes, scores and what comes out are float32.
    plain
        Compute every layer as it is written, in float32.
    """

    def __init__(
        self,
        network: FasterRCNN,
        config: DetectorConfig,
        dtype: Literal["float32", "bfloat16"] = "float32",
        plain: bool = False,
    ) -> None:
        network.eval().requires_grad_(False)
        self.config, self.generator = config, network.proposal_generator
        self.predictor = network.roi_heads.box_predictor
        self.device = self.generator.anchor_generator.cell_anchors[0].device
        self.layers = (
            WrittenLayers(network, config) if plain else FoldedLayers(network, config, DTYPES[dtype])
        )

    @torch.inference_mode()
    def regions(self, images: UInt8[Tensor, "m 3 h w"]) -> Regions:
        """The regions of RGB images on the detector's device."""
        config = self.config
        height, width = resized(images.shape[2], images.shape[3], config)
        with true_float32():
            features, hidden = self.layers.features(self.prepared(images))
            boxes, counts = self.generator(hidden, height, width)
            each = zip(features, boxes, counts.tolist(), strict=True)
            # Images share no region: one after the other takes the memory of one, and keeps a GPU as busy.
            pooled = torch.cat([self.layers.pooled(image, rois[:count]) for image, rois, count in each])
            there = torch.arange(boxes.shape[1], device=boxes.device) < counts[:, None]
            scores, moved = boxes.new_zeros(there.shape), torch.zeros_like(boxes)
            scores[there], moved[there] = self.predictor(pooled, boxes[there], config.box_weights)
            check_finite("scores and boxes of regions", scores, moved)
        moved = clipped(moved, height, width)
        rows, found = select(moved, scores, counts, config.overlaps, config.max_detections)
        starts = counts.cumsum(0) - counts
        chosen = moved.gather(1, rows[..., None].expand(-1, -1, 4))
        size = moved.new_tensor([width, height, width, height])
        return Regions(pooled[starts[:, None] + rows], chosen / size, found)

    def prepared(self, images: UInt8[Tensor, "m 3 h w"]) -> Float32[Tensor, "m 3 y x"]:
        """Pixels as the network takes them: blue first, resized, less the mean, padded."""
        config = self.config
        size = resized(images.shape[2], images.shape[3], config)
        # Whatever INPUT.FORMAT says, see `detector_config`.
        x = images.flip(1).float()
        if size != tuple(images.shape[2:]):
            x = F.interpolate(x, size, mode="bilinear", align_corners=False)
        mean, scale = (x.new_tensor(v)[:, None, None] for v in (config.mean, config.scale))
        x = (x - mean) / scale
        if config.divisor:
            x = F.pad(x, (0, -size[1] % config.divisor, 0, -size[0] % config.divisor), value=config.padding)
        return x


def load_detector(
    folder: Path,
    dtype: Literal["float32", "bfloat16"] = "float32",
    device: torch.device | None = None,
    plain: bool = False,
) -> Detector:
    """The detector of a folder: config.yaml (or config.json) and safetensors or pytorch_model.bin.

    Parameters
    ----------
    folder
        Such as that of `unc-nlp/frcnn-vg-finetuned`.
    dtype, plain
        As `Detector`.
    device
        Where it runs; the CPU by default.

    Raises
    ------
    ModelError
        A file is missing or corrupt; the config asks for what the port does not do, or contradicts the
        weights; names the key.
    """
    config, source = read_detector_config(folder)
    with torch.device("meta"):
        network = FasterRCNN(config)
    load_state(network, folder, says=source)
    _check_anchors(network, config, folder, source)
    return Detector(network.to(device or torch.device("cpu")), config, dtype, plain)


def _check_anchors(network: FasterRCNN, config: DetectorConfig, folder: Path, source: str) -> None:
    held = network.proposal_generator.anchor_generator.cell_anchors[0]
    said = cell_anchors(config)
    # Caffe's own anchors are rounded, and around a cell's middle instead of its corner.
    allowance = STRIDE + 0.05 * said.abs().amax(dim=1, keepdim=True)
    wrong = ~((held - said).abs() <= allowance).all(dim=1)  # also of NaN
    if wrong.any():
        row = int(wrong.nonzero()[0, 0])
        at_hand, asked = ([round(v, 1) for v in t[row].tolist()] for t in (held, said))
        raise ModelError(
            f"{folder}: key proposal_generator.anchor_generator.cell_anchors.0 holds {at_hand} in row {row}; "
            f"ANCHOR_GENERATOR.SIZES and ASPECT_RATIOS in {source} ask for {asked}"
        )
