"""Models of two towers through transformers' classes: vectors of images and of texts, their scaled cosine.

score = exp(logit_scale) * image . text + logit_bias, of vectors of length one: CLIP (Radford et al. 2021,
arXiv:2103.00020), Chinese CLIP (Yang et al. 2022, arXiv:2211.01335), MetaCLIP 2 (Chuang et al. 2025,
arXiv:2507.22062), SigLIP (Zhai et al. 2023, arXiv:2303.15343, the one with a bias) and FLAVA (Singh et al.
2022, arXiv:2112.04482, its two towers alone).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt8
from torch import Tensor, nn
from torch.nn.functional import normalize

from hlx.errors import ModelError
from hlx.models.jax.flava import IGNORED, PREFIX
from hlx.models.loading.checkpoint import configuration
from hlx.models.loading.processors import Tokenizer
from hlx.models.torch.building import (
    IMAGES_AT_ONCE,
    check_known,
    check_tower,
    products_in_bfloat16,
    side_of,
    without_weights,
)
from hlx.models.torch.pixels import Normalised, TorchCanvas
from hlx.models.torch.state import load_state
from hlx.models.torch.torch_devices import device_text, true_float32

TEXT_BATCH = 64


@dataclass(frozen=True)
class Kind:
    """What sets an architecture apart from the others.

    Attributes
    ----------
    config, model
        Transformers' classes, in the architecture's own modules.
    processor
        Whose image processor it takes.
    masked
        No token attends to padding; else padding comes after all that counts, or counts itself.
    to_limit
        As of `Tokenizer`.
    """

    config: str
    model: str
    processor: str
    masked: bool = False
    to_limit: bool = False


KINDS = {
    "clip": Kind("CLIPConfig", "CLIPModel", "clip"),
    "siglip": Kind("SiglipConfig", "SiglipModel", "siglip", to_limit=True),
    "flava": Kind("FlavaConfig", "FlavaModel", "flava", masked=True),
    "chinese_clip": Kind("ChineseCLIPConfig", "ChineseCLIPModel", "chinese_clip", masked=True),
    "metaclip_2": Kind("MetaClip2Config", "MetaClip2Model", "clip"),
}
"""Architectures by the model_type of config.json."""


class Features(nn.Module):
    """Vectors of any length of images and texts, from a class of transformers that consists of two towers.

    `network` has the names of a checkpoint's weights.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network: Any = network

    @property
    def vision(self) -> nn.Module:
        """The image tower without its projection."""
        return self.network.vision_model

    def see(self, pixels: Float32[Tensor, "m 3 s s"]) -> Float32[Tensor, "m d"]:
        """Vectors of images."""
        seen = self.vision(pixel_values=pixels).pooler_output.float()
        project = getattr(self.network, "visual_projection", None)
        return seen if project is None else project(seen)

    def read(self, ids: Int64[Tensor, "t i"], visible: Int64[Tensor, "t i"] | None) -> Float32[Tensor, "t d"]:
        """Vectors of texts."""
        return self.network.get_text_features(input_ids=ids, attention_mask=visible).pooler_output


class FlavaFeatures(Features):
    """FLAVA's: the first token of either tower, projected."""

    @property
    def vision(self) -> nn.Module:
        """The image tower without its projection."""
        return self.network.image_model

    def see(self, pixels: Float32[Tensor, "m 3 s s"]) -> Float32[Tensor, "m d"]:
        """Vectors of images."""
        seen = self.vision(pixel_values=pixels).last_hidden_state
        return self.network.image_projection(seen[:, 0].float())

    def read(self, ids: Int64[Tensor, "t i"], visible: Int64[Tensor, "t i"] | None) -> Float32[Tensor, "t d"]:
        """Vectors of texts."""
        read = self.network.text_model(input_ids=ids, attention_mask=visible).last_hidden_state
        return self.network.text_projection(read[:, 0])


class FlavaTowers(nn.Module):
    """FLAVA's towers and projections alone, with the names of a checkpoint's weights."""

    def __init__(self, config: Any) -> None:
        from transformers.models.flava.modeling_flava import FlavaImageModel, FlavaTextModel

        super().__init__()
        image, text, out = config.image_config, config.text_config, config.projection_dim
        self.image_model = FlavaImageModel(image, add_pooling_layer=False)
        self.image_model.embeddings.mask_token = None  # stands in for patches in training
        self.text_model = FlavaTextModel(text, add_pooling_layer=False)
        self.image_projection = nn.Linear(image.hidden_size, out)
        self.text_projection = nn.Linear(text.hidden_size, out)
        self.logit_scale = nn.Parameter(torch.zeros(()))


class ContrastiveScorer(TorchCanvas):
    """Two towers in the steps of `hlx.models.composited.Scorer`.

    Parameters
    ----------
    features
        With their weights, on the device.
    tokenizer
        Of the checkpoint.
    normalised
        Pixels as the image tower takes them, on the device.
    vocabulary
        Tokens that the text tower knows.
    masked
        As of `Kind`.
    dtype
        "float32", or "bfloat16" for the image tower's products.
    """

    packages = ("torch", "transformers")

    def __init__(
        self,
        features: Features,
        tokenizer: Tokenizer,
        normalised: Normalised,
        vocabulary: int,
        masked: bool,
        dtype: str = "float32",
    ) -> None:
        self._features, self._tokenizer, self._normalised = features, tokenizer, normalised
        self._vocabulary, self._masked = vocabulary, masked
        self.torch_device = features.network.logit_scale.device
        self.side, self.dtype, self.device = normalised.side, dtype, device_text(self.torch_device)
        self.default_batch = IMAGES_AT_ONCE[self.torch_device.type]
        if dtype == "bfloat16":
            products_in_bfloat16(features.vision)
        with torch.inference_mode():
            self._scale = features.network.logit_scale.exp().reshape(())
            bias = getattr(features.network, "logit_bias", None)
            self._bias = torch.zeros_like(self._scale) if bias is None else bias.reshape(())

    @torch.inference_mode()
    def texts(self, texts: Sequence[str]) -> Float32[Tensor, "t d"]:
        """Unit text vectors.

        Raises
        ------
        ModelError
            The tokenizer makes tokens that the model does not know.
        """
        starts = range(0, len(texts), TEXT_BATCH)
        with true_float32():
            return torch.cat([self._read(texts[start : start + TEXT_BATCH]) for start in starts])

    def _read(self, texts: Sequence[str]) -> Float32[Tensor, "t d"]:
        ids = self._tokenizer.ids(texts)
        check_known(ids, self._vocabulary)
        tokens = torch.from_numpy(ids).to(self.torch_device).long()
        visible = (tokens != self._tokenizer.pad).long() if self._masked else None
        return normalize(self._features.read(tokens, visible), dim=-1)

    @torch.inference_mode()
    def see(self, images: UInt8[Tensor, "m 3 s s"]) -> Float32[Tensor, "m d"]:
        """Unit image vectors."""
        return self._seen(self._normalised(images))

    @torch.inference_mode()
    def whole(self, images: Sequence[UInt8[np.ndarray, "_h _w 3"]]) -> Float32[Tensor, "m d"]:
        """Unit vectors of images of any size, resized and cropped by the checkpoint's own processor."""
        prepared = np.ascontiguousarray(self._normalised.pixels.of(images).transpose(0, 3, 1, 2))
        return self._seen(torch.from_numpy(prepared).to(self.torch_device))

    def _seen(self, pixels: Float32[Tensor, "m 3 s s"]) -> Float32[Tensor, "m d"]:
        with true_float32():
            return normalize(self._features.see(pixels), dim=-1)

    @torch.inference_mode()
    def pairs(
        self,
        seen: Float32[Tensor, "m d"],
        texts: Float32[Tensor, "t d"],
        image_rows: Int64[np.ndarray, " p"],
        text_rows: Int64[np.ndarray, " p"],
    ) -> Float32[np.ndarray, " p"]:
        """Logits of image `image_rows[i]` with text `text_rows[i]`."""
        images, words = (torch.from_numpy(rows).to(self.torch_device) for rows in (image_rows, text_rows))
        cosines = (seen[images] * texts[words]).sum(dim=-1)
        return (self._scale * cosines + self._bias).cpu().numpy()


def load_contrastive(
    folder: Path, config: dict[str, Any], dtype: str, device: torch.device
) -> ContrastiveScorer:
    """The two towers of a checkpoint's folder.

    Parameters
    ----------
    folder, config
        The checkpoint, and the content of its config.json.
    dtype
        "float32", or "bfloat16" for the image tower's products; its norms, the text tower, projections and
        cosines are in float32.
    device
        Where all runs.

    Raises
    ------
    ModelError
        A file is missing or corrupt; config, weights, tokenizer and image processor do not go together.
    """
    family = config["model_type"]
    kind, is_flava = KINDS[family], family == "flava"
    sizes: Any = configuration(folder, config, family, kind.config)
    section = "image_config" if is_flava else "vision_config"
    vision, text = getattr(sizes, section), sizes.text_config
    check_tower(folder, vision, section)
    check_tower(folder, text, "text_config")
    if family == "siglip" and not vision.vision_use_head:
        raise ModelError(f"{folder}: a SigLIP without its pooling head has no image score")
    tokenizer = Tokenizer(folder, text.max_position_embeddings, kind.to_limit, kind.masked)
    normalised = Normalised(folder, kind.processor, side_of(folder, vision))
    module = import_module(f"transformers.models.{family}.modeling_{family}")
    network = without_weights(folder, FlavaTowers if is_flava else getattr(module, kind.model), sizes)
    load_state(network, folder, *((IGNORED, PREFIX) if is_flava else ()))
    features = (FlavaFeatures if is_flava else Features)(network.to(device))
    return ContrastiveScorer(features, tokenizer, normalised.to(device), text.vocab_size, kind.masked, dtype)
