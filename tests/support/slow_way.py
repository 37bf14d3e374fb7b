"""Values of coalitions the slow way: composited uint8 images through transformers' PyTorch model."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from flax import nnx

from hlx.games.backgrounds import hidden_view
from hlx.games.regions import Regions
from hlx.io.images import square
from hlx.models import load_model
from hlx.models.jax.vision import VisionTower
from tests.parity.reference import Reference

if TYPE_CHECKING:
    from hlx.models.jax.dual_encoder import DualEncoder

CAPTION, FOIL = "a red circle on a grey ground", "there is no blue square"


@cache
def loaded(folder: Path, dtype: str = "float32") -> DualEncoder:
    """The port of a checkpoint on all devices, loaded (and its programs compiled) once."""
    return load_model(folder, dtype=dtype)


@cache
def reference(folder: Path) -> Reference:
    """The checkpoint in transformers, loaded once."""
    return Reference(folder)


def tower_of(model: DualEncoder) -> VisionTower:
    """The image tower by itself, to be called stage by stage."""
    return nnx.merge(model.image_side._graph, model.image_side._state)


def photograph(height: int = 50, width: int = 71, seed: int = 0) -> np.ndarray:
    """Blocks of colour with noise: neither smooth, nor alike in any two places."""
    draw = np.random.default_rng(seed)
    blocks = np.kron(draw.integers(0, 256, (-(-height // 9), -(-width // 9), 3)), np.ones((9, 9, 1)))
    noisy = blocks[:height, :width] + draw.normal(0, 20, (height, width, 3))
    return noisy.clip(0, 255).astype(np.uint8)


def blobs(shape: tuple[int, int], n: int, seed: int = 0) -> np.ndarray:
    """Label map of n random blobs: every pixel belongs to the nearest of n points."""
    draw = np.random.default_rng(seed)
    height, width = shape
    places = draw.permutation(height * width)[:n]
    y, x = np.mgrid[:height, :width]
    distance = (y[..., None] - places // width) ** 2 + (x[..., None] - places % width) ** 2
    return distance.argmin(axis=-1)


def some_rows(n: int, count: int = 40, seed: int = 0) -> np.ndarray:
    """Boolean rows: empty and full, every player alone, then random ones of all sizes."""
    draw = np.random.default_rng(seed)
    random = draw.random((count, n)) < draw.random((count, 1))
    return np.concatenate([np.zeros((1, n), bool), np.ones((1, n), bool), np.eye(n, dtype=bool), random])


def composites(
    side: int, image: np.ndarray, regions: Regions, rows: np.ndarray, background: str
) -> np.ndarray:
    """Images (m, side, side, 3) uint8 of coalitions, pixel by pixel from image or background."""
    shown = square(image, side)
    seen = rows[:, regions.labels(side)][..., None]
    return np.where(seen, shown, hidden_view(shown, background))


def slow_values(
    folder: Path,
    image: np.ndarray,
    regions: Regions,
    rows: np.ndarray,
    background: str,
    caption: str = CAPTION,
    foil: str | None = FOIL,
) -> np.ndarray:
    """f of coalitions (m,) by the reference model."""
    slow = reference(folder)
    side = slow.model.config.vision_config.image_size
    logits = slow.logits(
        list(composites(side, image, regions, rows, background)), [caption] + [foil] * (foil is not None)
    ).astype(np.float64)
    return logits[:, 0] - (logits[:, 1] if foil is not None else 0)


def scale_of(folder: Path) -> float:
    """The checkpoint's logit scale."""
    return float(reference(folder).model.logit_scale.detach().exp())
