"""What every contender of throughput.py is given: one random checkpoint, one image, one set of coalitions."""

from __future__ import annotations

import json
import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from _environment import ROOT

sys.path.insert(0, str(ROOT))  # the maker of random checkpoints is part of the tests, which are not installed
CAPTION, FOIL = "a red circle left of a blue square", "a blue square left of a red circle"
ROWS, COLS = 4, 4


@dataclass(frozen=True)
class Tower:
    """Sizes of an image tower, for building it and for counting its multiplications."""

    name: str
    kind: str
    patch_size: int
    image_size: int = 224
    width: int = 768
    heads: int = 12
    mlp: int = 3072
    layers: int = 12
    projection: int = 512
    small_text: bool = False

    @property
    def patches(self) -> int:
        return (self.image_size // self.patch_size) ** 2

    @property
    def tokens(self) -> int:
        return self.patches + (self.kind != "siglip")  # a class token

    def flops(self) -> float:
        """Floating-point operations of one image through the whole tower, as its reference does it.

        Matrix products only, two operations per multiplication and addition; norms, softmax and activations
        are left out, as is customary.
        """
        t, d, m = self.tokens, self.width, self.mlp
        embedding = self.patches * 3 * self.patch_size**2 * d
        block = 4 * t * d * d + 2 * t * t * d + 2 * t * d * m
        return 2.0 * (embedding + self.layers * block + self._head())

    def flops_of_sweep(self) -> float:
        """Operations of the matrix products that hlx runs for one coalition of an exact sweep.

        Patch embedding and the first block's queries, keys and values are looked up. A single query (CLIP's
        class token in the last block, SigLIP's probe) meets the tokens without their keys and values being
        formed: W_k is applied to the query and W_v to the mean of tokens; the probe's side of it is constant.
        """
        t, d, m = self.tokens, self.width, self.mlp
        block = 4 * t * d * d + 2 * t * t * d + 2 * t * d * m
        once = 2 * self.heads * t * d + 2 * d * d + 2 * d * m  # logits, mean, W_v, output projection, MLP
        if self.kind != "siglip":
            total = (self.layers - 1) * block + once + 2 * d * d + d * self.projection
        else:
            total = self.layers * block + once
        return 2.0 * (total - 3 * t * d * d)

    def _head(self) -> int:
        t, d, m = self.tokens, self.width, self.mlp
        if self.kind != "siglip":
            return d * self.projection
        # one probe: keys and values of all tokens, its own query, output projection and MLP
        return 2 * t * d * d + 2 * d * d + 2 * t * d + 2 * d * m

    def make_checkpoint(self, folder: Path) -> Path:
        """Write a random checkpoint of this size, text tower and vocabulary at their published sizes."""
        from tests.support.checkpoints import make_clip, make_flava, make_siglip

        size = {
            "image_size": self.image_size,
            "patch_size": self.patch_size,
            "width": self.width,
            "heads": self.heads,
            "mlp": self.mlp,
            "layers": self.layers,
        }
        if self.small_text:
            return make_clip(folder, **size, text_length=77, projection=self.projection)
        size["text_layers"] = 12
        if self.kind == "flava":
            text = {"text_width": 768, "text_heads": 12, "text_mlp": 3072, "text_length": 512}
            return make_flava(folder, **size, **text, whole=False, projection=self.projection)
        if self.kind == "clip":
            text = {
                "text_width": 512,
                "text_heads": 8,
                "text_mlp": 2048,
                "text_length": 77,
                "vocab_size": 49408,
            }
            return make_clip(folder, **size, **text, projection=self.projection)
        text = {"text_width": 768, "text_heads": 12, "text_mlp": 3072, "text_length": 64, "vocab_size": 32000}
        return make_siglip(folder, **size, **text, tokenizer="fast")


TOWERS = {
    "clip": Tower("CLIP ViT-B/32", "clip", patch_size=32),
    "siglip": Tower("SigLIP base/16-224", "siglip", patch_size=16),
    "flava": Tower("FLAVA base/16-224", "flava", patch_size=16, projection=768),
    "quick": Tower(
        "tiny CLIP",
        "clip",
        patch_size=16,
        image_size=64,
        width=64,
        heads=2,
        mlp=128,
        layers=2,
        projection=32,
        small_text=True,
    ),
}


@dataclass(frozen=True)
class Workload:
    """One stimulus on a 4x4 grid and the coalitions all contenders evaluate, in the same order.

    Attributes
    ----------
    tower, folder
        The model and its checkpoint.
    image, hidden
        (side, side, 3) uint8. All shown and all hidden.
    labels
        (side, side) The player of every pixel.
    rows
        (pool, 16) bool. Random coalitions; a batch longer than the pool repeats it.
    """

    tower: Tower
    folder: Path
    image: np.ndarray
    hidden: np.ndarray
    labels: np.ndarray
    rows: np.ndarray
    mean: np.ndarray = field(repr=False)
    std: np.ndarray = field(repr=False)

    @classmethod
    def make(cls, tower: Tower, folder: Path, pool: int, seed: int = 0) -> Workload:
        """Write the checkpoint into `folder` and draw the image and the coalitions."""
        from hlx.games.backgrounds import hidden_view
        from hlx.games.regions import Grid

        tower.make_checkpoint(folder)
        draw, side, grid = np.random.default_rng(seed), tower.image_size, Grid(ROWS, COLS)
        coarse = draw.uniform(0, 255, (8, 8, 3)).repeat(-(-side // 8), axis=0).repeat(-(-side // 8), axis=1)
        image = (coarse[:side, :side] + draw.normal(0, 12, (side, side, 3))).clip(0, 255).astype(np.uint8)
        processor = json.loads((folder / "preprocessor_config.json").read_text())
        return cls(
            tower=tower,
            folder=folder,
            image=image,
            hidden=hidden_view(image, "blur"),
            labels=grid.labels(side),
            rows=draw.random((pool, grid.n_players)) < 0.5,
            mean=np.float32(processor["image_mean"]),
            std=np.float32(processor["image_std"]),
        )

    def batch(self, size: int) -> np.ndarray:
        """(size, 16) bool, the pool repeated as often as needed."""
        return np.resize(self.rows, (size, self.rows.shape[1]))

    def composites(self, rows: np.ndarray) -> np.ndarray:
        """(m, side, side, 3) uint8: the image where shown, the hidden view elsewhere."""
        return np.where(rows[:, self.labels][..., None], self.image, self.hidden)

    def pixels(self, rows: np.ndarray) -> np.ndarray:
        """(m, 3, side, side) float32: composites as the model takes them, by a table of 256 values a channel.

        The quickest way numpy has that was found: each channel is looked up straight into its plane.
        """
        levels = (np.arange(256, dtype=np.float32)[:, None] / 255 - self.mean) / self.std
        shown = rows[:, self.labels]
        planes = np.empty((len(rows), 3, *self.labels.shape), np.float32)
        for c in range(3):
            planes[:, c] = np.where(shown, levels[self.image[..., c], c], levels[self.hidden[..., c], c])
        return planes


class Contender(ABC):
    """One way of evaluating coalitions.

    `prepare(batch)` loads, exports, compiles and runs one batch; `step()` evaluates one batch or more and
    returns how many coalitions that were, when their values have arrived. A contender that chooses its own
    batch size is not tuned.
    """

    name: str
    dtype: str
    batch: int = 0
    chooses_its_batch: bool = False

    @abstractmethod
    def prepare(self, batch: int) -> None: ...

    @abstractmethod
    def step(self) -> int: ...
