"""LXMERT of the published sizes with random weights: hlx's way, and the same modules one image at a time."""

from __future__ import annotations

import contextlib
import copy
import sys
from pathlib import Path

import numpy as np
import torch
from _environment import ROOT
from _workload import CAPTION, COLS, FOIL, ROWS, Contender

import hlx
from hlx.games.backgrounds import hidden_view
from hlx.models.torch.lxmert.detector.faster_rcnn import WrittenLayers, load_detector

sys.path.insert(
    0, str(ROOT)
)  # the makers of random checkpoints are part of the tests, which are not installed
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"

PUBLISHED = {
    "RESNETS.DEPTH": 101,
    "RESNETS.STEM_OUT_CHANNELS": 64,
    "RESNETS.RES2_OUT_CHANNELS": 256,
    "RESNETS.WIDTH_PER_GROUP": 64,
    "INPUT.MIN_SIZE_TEST": 800,
    "INPUT.MAX_SIZE_TEST": 1333,
    "ANCHOR_GENERATOR.SIZES": [[64, 128, 256, 512]],
    "PROPOSAL_GENERATOR.HIDDEN_CHANNELS": 512,
    "RPN.PRE_NMS_TOPK_TEST": 6000,
    "RPN.POST_NMS_TOPK_TEST": 300,
    "ROI_HEADS.NUM_CLASSES": 1600,
    "ROI_BOX_HEAD.NUM_ATTRS": 400,
    "MIN_DETECTIONS": 36,
    "MAX_DETECTIONS": 36,
}
"""Of the released detector, as changes to the small one of the tests."""


def make_checkpoint(folder: Path) -> Path:
    """Write LXMERT and, inside it, its detector."""
    from tests.support.detector_checkpoints import make_detector
    from tests.support.lxmert_checkpoints import make_lxmert

    make_lxmert(
        folder,
        width=768,
        heads=12,
        mlp=3072,
        language=9,
        relational=5,
        cross=5,
        text_length=512,
        feature_width=2048,
        grid=None,
        heads_for_training=False,
        vocab_size=30522,
    )
    make_detector(folder / "detector", PUBLISHED)
    return folder


def stimulus() -> hlx.Stimulus:
    """Blocks of colour with noise, and the texts of all benchmarks."""
    draw = np.random.default_rng(0)
    coarse = draw.uniform(0, 255, (8, 8, 3)).repeat(28, axis=0).repeat(28, axis=1)
    image = (coarse + draw.normal(0, 12, coarse.shape)).clip(0, 255).astype(np.uint8)
    return hlx.Stimulus(image, CAPTION, FOIL)


def some_rows(count: int) -> np.ndarray:
    """(count, 16) bool, random coalitions."""
    return np.random.default_rng(1).random((count, ROWS * COLS)) < 0.5


class Lxmert(Contender):
    """hlx: a game asked for one batch of coalitions."""

    chooses_its_batch = True

    def __init__(self, folder: Path, dtype: str, batch: int) -> None:
        self.name, self.dtype, self.folder, self.batch = f"hlx, batch {batch}", dtype, folder, batch

    def prepare(self, batch: int) -> None:
        del batch
        model = hlx.load_model(self.folder, dtype=self.dtype, devices=DEVICE)
        self.game = model.game(stimulus(), hlx.Grid(ROWS, COLS), batch_size=self.batch)
        self.step()

    def step(self) -> int:
        self.game(some_rows(self.batch))
        return self.batch

    def values(self) -> np.ndarray:
        """f of the coalitions of one step, (batch,)."""
        return np.asarray(self.game(some_rows(self.batch)))


class NarrowLayers(WrittenLayers):
    """The detector's heavy layers as they are written, by PyTorch's own autocast; boxes stay float32."""

    def features(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        with torch.autocast(DEVICE, torch.bfloat16):
            features, hidden = super().features(x)
        return features, hidden.float()

    def pooled(self, features: torch.Tensor, rois: torch.Tensor) -> torch.Tensor:
        with torch.autocast(DEVICE, torch.bfloat16):
            return super().pooled(features, rois).float()


class OneAtATime(Contender):
    """The detector's modules as they are written, then transformers' LXMERT with both texts, image by image.

    In bfloat16 by PyTorch's own autocast.
    """

    batch, chooses_its_batch = 1, True

    def __init__(self, folder: Path, dtype: str) -> None:
        self.name, self.dtype, self.folder = "PyTorch, one image at a time", dtype, folder

    def prepare(self, batch: int) -> None:
        del batch
        from transformers import AutoTokenizer, LxmertForPreTraining

        device = torch.device(DEVICE)
        self.detector = load_detector(self.folder / "detector", device=device, plain=True)
        if self.dtype == "bfloat16":
            self.detector.layers = NarrowLayers(self.detector.layers.network, self.detector.config)
        self.model = LxmertForPreTraining.from_pretrained(self.folder).eval().to(device)
        tokenizer = AutoTokenizer.from_pretrained(self.folder)
        self.tokens = tokenizer([CAPTION, FOIL], padding=True, return_tensors="pt").to(device)
        image, grid = stimulus().image, hlx.Grid(ROWS, COLS)
        hidden, labels = hidden_view(image, "blur"), grid.labels(len(image))
        self.images = [np.where(row[labels][..., None], image, hidden) for row in some_rows(8)]
        self.next = 0
        self.step()

    def step(self) -> int:
        self.value(self.images[self.next % len(self.images)])
        self.next += 1
        return 1

    def value(self, image: np.ndarray) -> float:
        """f of one composited image."""
        pixels = torch.from_numpy(image).permute(2, 0, 1)[None].to(DEVICE)
        narrow = torch.autocast(DEVICE, torch.bfloat16)
        seen = self.detector.regions(pixels)
        features, boxes = (x.repeat(2, 1, 1) for x in (seen.features, seen.boxes))
        with torch.inference_mode(), narrow if self.dtype == "bfloat16" else contextlib.nullcontext():
            made = self.model(**copy.copy(self.tokens), visual_feats=features, visual_pos=boxes)
            match = made.cross_relationship_score.float().softmax(dim=1)[:, 1].cpu().numpy()
        return float(match[0] - match[1])

    def values(self) -> np.ndarray:
        """f of the first coalition, (1,)."""
        return np.array([self.value(self.images[0])])
