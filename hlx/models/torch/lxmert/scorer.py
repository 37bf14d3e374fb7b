"""LXMERT (Tan and Bansal 2019, arXiv:1908.07490): the probability that a text and an image match.

score = softmax(seq_relationship(tanh(pool(first word's token))))[1]

The language layers see no image and run once for each text; the relational layers see no text and run once
for each image; only the cross layers run for each pair. What the first of those projects of either stream
depends on that stream alone and is part of it; of the last, only what reaches the first word's token is
computed. Where regions are the cells of a grid, what is first made of them is affine in the coalition, and
none is composited.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int32, Int64, UInt8
from torch import Tensor

from hlx.errors import ModelError
from hlx.models.composited import Canvas
from hlx.models.loading.processors import Tokenizer
from hlx.models.torch.lxmert.layers import (
    ALL,
    KEYS_VALUES,
    QUERIES,
    CrossLayer,
    Layer,
    Norm,
    Product,
    Projected,
    Words,
)
from hlx.models.torch.lxmert.network import Network, network_config, read_network
from hlx.models.torch.lxmert.region_features import GridFeatures, RegionFeatures, region_features
from hlx.models.torch.pixels import TorchCanvas
from hlx.models.torch.torch_devices import DTYPES, device_text, true_float32

TEXT_BATCH = 64
WIDEST_BYTES = {"cpu": 4 * 2**20, "cuda": 2**28}
"""Widest activation: larger ones fall out of a CPU's caches, or fill a GPU. Fixed, so that two runs agree."""

LARGEST_BATCH = 4096
FEW_REGIONS = 16
"""As many as a small grid has cells; a detector, which finds more, sets the batch itself."""


class ProjectedRegions(NamedTuple):
    """Regions as they are first projected (m, r, d), before the norm, and their boxes (1 or m, r, 4)."""

    projected: Float32[Tensor, "m r d"]
    boxes: Float32[Tensor, "k r 4"]


class LxmertScorer(TorchCanvas):
    """LXMERT in the steps of `hlx.models.composited.Scorer`.

    Parameters
    ----------
    network
        With its weights, on the device.
    tokenizer
        Of the checkpoint.
    regions
        Gives what the model sees of an image.
    dtype
        "float32" or "bfloat16", of the large products; norms, softmax and score are in float32.
    """

    packages = ("torch", "transformers")

    def __init__(
        self, network: Network, tokenizer: Tokenizer, regions: RegionFeatures, dtype: str = "float32"
    ) -> None:
        config, model, exact = network.lxmert.config, network.lxmert, torch.float32
        self.torch_device, heavy = model.pooler.dense.weight.device, DTYPES[dtype]
        self.side, self.dtype, self.device = regions.side, dtype, device_text(self.torch_device)
        self._tokenizer, self._regions, self._embeddings = tokenizer, regions, model.embeddings
        visual = model.encoder.visn_fc
        self._look, self._look_norm = Product(heavy, visual.visn_fc), Norm(visual.visn_layer_norm)
        self._place, self._place_norm = Product(exact, visual.box_fc), Norm(visual.box_layer_norm)
        self._language = [Layer(layer, heavy) for layer in model.encoder.layer]
        self._vision = [Layer(layer, heavy) for layer in model.encoder.r_layers]
        self._cross = [CrossLayer(layer, heavy) for layer in model.encoder.x_layers]
        self._pool, self._match = Product(exact, model.pooler.dense), Product(exact, network.match)
        self._widest = 4 * max(config.intermediate_size, 3 * config.hidden_size)  # bytes of a token
        self.default_batch = min(regions.images_at_once, self._at_once(FEW_REGIONS))

    def _at_once(self, tokens: int) -> int:
        fitting = max(1, WIDEST_BYTES[self.torch_device.type] // (tokens * self._widest))
        return min(LARGEST_BATCH, 1 << (fitting.bit_length() - 1))

    @torch.inference_mode()
    def texts(self, texts: Sequence[str]) -> Words:
        """Texts after the language layers.

        Raises
        ------
        ModelError
            The tokenizer makes tokens that the model does not know.
        """
        parts, lengths = [], []
        for start in range(0, len(texts), TEXT_BATCH):
            ids = self._tokenizer.ids(texts[start : start + TEXT_BATCH])
            known = self._embeddings.word_embeddings.num_embeddings
            if ids.max() >= known:
                raise ModelError(
                    f"the tokenizer makes token {ids.max()}, the language stream knows {known}: "
                    "tokenizer and weights do not belong together"
                )
            visible = ids != self._tokenizer.pad
            lengths.append(visible.sum(axis=1))
            parts.append(self._read(ids[:, : visible.any(axis=0).nonzero()[0][-1] + 1].astype(np.int64)))
        joined = Projected(*map(torch.cat, zip(*parts, strict=True)))
        ends = np.cumsum(counts := np.concatenate(lengths).astype(np.int64))
        return Words(joined, ends - counts, counts)

    def _read(self, ids: Int64[np.ndarray, "t i"]) -> Projected:
        tokens = torch.from_numpy(ids).to(self.torch_device)
        visible = tokens != self._tokenizer.pad
        with true_float32():
            x = self._embeddings(tokens, torch.zeros_like(tokens))
            for layer in self._language:
                x = layer(x, visible)
            return self._cross[0].crossing.projected(x[visible])

    @torch.inference_mode()
    def canvas(
        self,
        shown: UInt8[np.ndarray, "s s 3"],
        hidden: UInt8[np.ndarray, "s s 3"],
        labels: Int32[np.ndarray, "s s"],
    ) -> Canvas:
        """As every canvas; of the cells of a grid, coalitions come as `ProjectedRegions`."""
        composite = super().canvas(shown, hidden, labels)
        if not isinstance(self._regions, GridFeatures):
            return composite
        n = int(labels.max()) + 1
        with true_float32():
            features, boxes = self._regions.features(composite(np.eye(n + 1, n, k=-1, dtype=bool)))
            base = self._look(features[0]).float().flatten()
            # What a player changes where it is shown alone it changes in any company.
            deltas = ((features[1:] - features[0]) @ self._look.weight.float().T).flatten(1)

        @torch.inference_mode()
        def project(rows: Bool[np.ndarray, "m n"]) -> ProjectedRegions:
            visible = torch.from_numpy(rows[:, :n].astype(np.float32)).to(self.torch_device)
            with true_float32():
                flat = torch.addmm(base, visible, deltas)
            return ProjectedRegions(flat.unflatten(1, (boxes.shape[1], -1)), boxes[:1])

        return project

    @torch.inference_mode()
    def see(self, images: UInt8[Tensor, "m 3 s s"] | ProjectedRegions) -> Projected:
        """Images after the relational layers."""
        return (
            self._related(images)
            if isinstance(images, ProjectedRegions)
            else self.look(*self._regions.features(images))
        )

    @torch.inference_mode()
    def look(self, features: Float32[Tensor, "m r f"], boxes: Float32[Tensor, "m r 4"]) -> Projected:
        """Regions after the relational layers."""
        with true_float32():
            return self._related(ProjectedRegions(self._look(features).float(), boxes))

    def _related(self, regions: ProjectedRegions) -> Projected:
        with true_float32():
            x = (self._look_norm(regions.projected) + self._place_norm(self._place(regions.boxes))) / 2
            for layer in self._vision:
                x = layer(x)
            return self._cross[0].crossing.projected(x)

    @torch.inference_mode()
    def pairs(
        self,
        seen: Projected,
        texts: Words,
        image_rows: Int64[np.ndarray, " p"],
        text_rows: Int64[np.ndarray, " p"],
    ) -> Float32[np.ndarray, " p"]:
        """Probabilities that image `image_rows[i]` and text `text_rows[i]` match."""
        return self.logits(seen, texts, image_rows, text_rows).softmax(dim=1)[:, 1].cpu().numpy()

    @torch.inference_mode()
    def logits(
        self,
        seen: Projected,
        texts: Words,
        image_rows: Int64[np.ndarray, " p"],
        text_rows: Int64[np.ndarray, " p"],
    ) -> Float32[Tensor, "p 2"]:
        """Logits of no match and of a match."""
        tokens = max(seen.tokens.shape[1], int(texts.lengths[text_rows].max(initial=1)))
        size = self._at_once(tokens)
        cuts = [slice(start, start + size) for start in range(0, len(text_rows), size)]
        found = [self._pairs(seen, texts, image_rows[cut], text_rows[cut]) for cut in cuts]
        return torch.cat(found) if found else torch.empty(0, 2, device=self.torch_device)

    def _pairs(
        self,
        seen: Projected,
        texts: Words,
        image_rows: Int64[np.ndarray, " p"],
        text_rows: Int64[np.ndarray, " p"],
    ) -> Float32[Tensor, "p 2"]:
        vision = seen.rows(torch.from_numpy(image_rows).to(self.torch_device))
        language, visible = texts.padded(text_rows)
        with true_float32():
            for layer, following in zip(self._cross, self._cross[1:], strict=False):
                words, regions = layer(language, vision, visible)
                asking, asked = (QUERIES, KEYS_VALUES) if following is self._cross[-1] else (ALL, ALL)
                language = following.crossing.projected(words, asking)
                vision = following.crossing.projected(regions, asked)
            pooled = self._pool(self._cross[-1].first(language, vision, visible)).tanh()
            return self._match(pooled)


def load_lxmert(
    folder: Path,
    raw: dict[str, Any],
    dtype: str,
    device: torch.device,
    detector: Path | None = None,
) -> LxmertScorer:
    """LXMERT of a checkpoint's folder.

    Parameters
    ----------
    folder, raw
        The checkpoint, and the content of its config.json.
    dtype
        Of the large products, its detector's too.
    device
        Where all runs.
    detector
        As `region_features`.

    Raises
    ------
    ModelError
        A file is missing or corrupt; config, weights, tokenizer and regions do not go together.
    """
    config = network_config(folder, raw)
    tokenizer = Tokenizer(folder, config.max_position_embeddings, to_limit=False, masked=True)
    regions = region_features(folder, dtype, device, detector)
    if regions.width != config.visual_feat_dim:
        raise ModelError(
            f"{folder}: config.json: visual_feat_dim is {config.visual_feat_dim}, expected {regions.width}, "
            f"the features of its regions (from {detector or folder})"
        )
    return LxmertScorer(read_network(folder, config).to(device), tokenizer, regions, dtype)
