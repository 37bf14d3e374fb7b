"""Where LXMERT's regions come from: a detector, or the cells of a grid."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Protocol, cast, runtime_checkable

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from hlx.errors import ModelError
from hlx.models.loading.checkpoint import read_json
from hlx.models.torch.lxmert.detector.faster_rcnn import Detector, load_detector

GRID_FILE = "grid_features.json"
DETECTOR_FOLDER = "detector"
DETECTOR_SIDE = 224
"""Pixels of the squares that a detector is shown, and resizes itself; as in the reference study's maps."""

DETECTOR_BATCH = {"cpu": 4, "cuda": 16}
"""Images at once, at most. On a CPU a few share the reading of weights; more would only delay progress."""

DETECTOR_BYTES = 4 * 2**30
"""Of a GPU's memory for each image of 800x800 pixels: more than one needs. Not of what is free now, so that
two runs have the same batches."""

MANY = 4096


@runtime_checkable
class RegionFeatures(Protocol):
    """Regions of images.

    Attributes
    ----------
    side
        Images come as squares of so many pixels.
    width
        Numbers that describe a region.
    images_at_once
        As many as it is wise to give together.
    """

    side: int
    width: int
    images_at_once: int

    def features(
        self, images: UInt8[Tensor, "m 3 s s"]
    ) -> tuple[Float32[Tensor, "m r f"], Float32[Tensor, "m r 4"]]:
        """What r regions look like, and their boxes x0, y0, x1, y1 in shares of the side."""


class GridFeatures:
    """The pixels of each cell of a grid: a simple substitute of a detector, for small models.

    A cell's numbers are its pixels row-major, channel last, as value / 127.5 - 1; cells are row-major too.

    Parameters
    ----------
    side, rows, cols
        The grid; the side is a multiple of both.
    device
        Where the images are.
    """

    def __init__(self, side: int, rows: int, cols: int, device: torch.device) -> None:
        self.side, self._shape = side, (rows, side // rows, cols, side // cols)
        self.width, self.images_at_once = 3 * (side // rows) * (side // cols), MANY
        y, x = torch.meshgrid(torch.arange(rows), torch.arange(cols), indexing="ij")
        corners = torch.stack([x / cols, y / rows, (x + 1) / cols, (y + 1) / rows], dim=-1)
        self._boxes = corners.reshape(1, rows * cols, 4).to(device)

    def features(
        self, images: UInt8[Tensor, "m 3 s s"]
    ) -> tuple[Float32[Tensor, "m r f"], Float32[Tensor, "m r 4"]]:
        """The cells' pixels, and the cells."""
        rows, height, cols, width = self._shape
        cells = images.view(-1, 3, rows, height, cols, width).permute(0, 2, 4, 3, 5, 1)
        values = cells.reshape(len(images), rows * cols, self.width).float().div_(127.5).sub_(1.0)
        return values, self._boxes.expand(len(images), -1, -1)


class DetectedRegions:
    """A detector's regions.

    `hlx.models.torch.lxmert.detector.faster_rcnn` says what it does where it finds too few.
    """

    def __init__(self, detector: Detector) -> None:
        self.side, self.width = DETECTOR_SIDE, 8 * detector.config.res2_width  # of res5
        self._detector, device = detector, detector.device
        self.images_at_once = DETECTOR_BATCH[device.type]
        if device.type == "cuda":
            fitting = torch.cuda.get_device_properties(device).total_memory // DETECTOR_BYTES
            self.images_at_once = max(1, min(fitting, self.images_at_once))

    def features(
        self, images: UInt8[Tensor, "m 3 s s"]
    ) -> tuple[Float32[Tensor, "m r f"], Float32[Tensor, "m r 4"]]:
        """The features and boxes of the detections."""
        regions = self._detector.regions(images)
        return regions.features, regions.boxes


def region_features(folder: Path, dtype: str, device: torch.device, detector: Path | None) -> RegionFeatures:
    """The regions of a checkpoint: of the detector given, else of its own, else the cells of its grid.

    Parameters
    ----------
    folder
        The checkpoint, with a folder detector/ or with grid_features.json: {"side", "rows", "cols"}.
    dtype
        Of the detector's large products.
    device
        Where images are.
    detector
        The folder of one.

    Raises
    ------
    ModelError
        There is neither; a file is corrupt or contradicts itself.
    """
    if detector is None and (folder / DETECTOR_FOLDER).is_dir():
        detector = folder / DETECTOR_FOLDER
    if detector is not None:
        return DetectedRegions(load_detector(detector, cast(Literal["float32", "bfloat16"], dtype), device))
    path = folder / GRID_FILE
    if not path.is_file():
        raise ModelError(
            f"{folder}: nothing says where regions come from: expected a folder {DETECTOR_FOLDER}/ or "
            f'{GRID_FILE}; name one with detector="unc-nlp/frcnn-vg-finetuned", say'
        )
    grid = read_json(path)
    for key in ("side", "rows", "cols"):
        found = grid.get(key)
        if isinstance(found, bool) or not isinstance(found, int) or found < 1:
            raise ModelError(f"{path}: {key} is {found!r}, expected a whole number of 1 or more")
    for key in ("rows", "cols"):
        if grid["side"] % grid[key]:
            raise ModelError(
                f"{path}: side is {grid['side']}, expected a multiple of {key}, which is {grid[key]}"
            )
    return GridFeatures(grid["side"], grid["rows"], grid["cols"], device)
