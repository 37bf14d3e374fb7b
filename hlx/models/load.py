"""`load_model`: from a name to a model on the local devices."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from hlx.errors import InputError, ModelError
from hlx.models import clip, siglip
from hlx.models.checkpoint import Arrays, read_arrays, read_config
from hlx.models.dual_encoder import DualEncoder
from hlx.models.hub import DEFAULT, Checkpoint, find
from hlx.models.image_side import ImageSide
from hlx.models.preparation import Pixels, Texts
from hlx.models.transformer import ACTIVATIONS, BlockShape
from hlx.models.vision import VisionShape

if TYPE_CHECKING:
    from flax import nnx
    from transformers import PretrainedConfig

DTYPES = ("float32", "bfloat16")
FAMILIES = ("clip", "siglip")


def load_model(
    name: str | Path = DEFAULT,
    dtype: str = "float32",
    revision: str | None = None,
    devices: list[jax.Device] | None = None,
) -> DualEncoder:
    """Load a CLIP or SigLIP checkpoint.

    Parameters
    ----------
    name : embedded name ("clip-scenes", "siglip-scenes"), directory of a Hugging Face checkpoint, or hub id.
    dtype : "float32", or "bfloat16" for the image tower's large products.
    revision : branch, tag or commit of a hub id.
    devices : JAX devices to spread batches over; all local ones by default.

    Raises
    ------
    ModelError : unknown, unreachable, corrupt, incomplete or of another architecture; says which key or file.
    """
    if dtype not in DTYPES:
        raise InputError(f"dtype {dtype!r}: expected {' or '.join(DTYPES)}")
    checkpoint = find(str(name), revision)
    config, family = _config(checkpoint)
    vision, text = config.vision_config, config.text_config
    block, text_block = _block(checkpoint, vision), _block(checkpoint, text)
    shape = VisionShape(
        side=vision.image_size,
        patch=vision.patch_size,
        layers=vision.num_hidden_layers,
        width=vision.hidden_size,
        mlp=vision.intermediate_size,
        block=block,
        pooled_by_probe=family == "siglip",
    )
    texts = Texts(checkpoint.folder, text.max_position_embeddings, to_limit=family == "siglip")
    pixels = Pixels(checkpoint.folder, family, shape.side)
    slots = (clip if family == "clip" else siglip).slots(config)
    arrays = read_arrays(checkpoint.folder, slots, {"vision": dtype})
    scale, bias = _scale_and_bias(arrays, family)
    tower: clip.ClipVision | siglip.SiglipVision
    words: nnx.Module
    if family == "clip":
        tower = clip.ClipVision(arrays, shape)
        words = clip.ClipText(arrays, text.num_hidden_layers, text_block, text.eos_token_id)
    else:
        tower = siglip.SiglipVision(arrays, shape)
        words = siglip.SiglipText(arrays, text.num_hidden_layers, text_block)
    image_side = ImageSide(tower, *pixels.mean_and_scale(), devices)
    return DualEncoder(checkpoint, family, dtype, image_side, words, texts, pixels, scale, bias)


def _scale_and_bias(arrays: Arrays, family: str) -> tuple[float, float]:
    scale = float(np.exp(np.float32(arrays["logit_scale"])))
    return scale, float(arrays["logit_bias"]) if family == "siglip" else 0.0


def _config(checkpoint: Checkpoint) -> tuple[PretrainedConfig, str]:
    raw = read_config(checkpoint.folder)
    family = raw.get("model_type")
    if family not in FAMILIES:
        hint = " (NaFlex: only SigLIP 2 at fixed resolution has a port)" if family == "siglip2" else ""
        raise ModelError(
            f"{checkpoint.name}: unsupported architecture {family!r}{hint}; there are ports of {', '.join(FAMILIES)}"
        )
    kind: Any
    if family == "clip":
        from transformers.models.clip.configuration_clip import CLIPConfig as kind
    else:
        from transformers.models.siglip.configuration_siglip import SiglipConfig as kind
    try:
        config = kind.from_dict(raw)
    except Exception as error:  # the configuration classes raise whatever their fields' checks raise
        text = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(f"{checkpoint.folder}: config.json is not a valid {family} configuration: {text}") from error
    if family == "siglip" and not config.vision_config.vision_use_head:
        raise ModelError(f"{checkpoint.name}: a SigLIP without its pooling head has no image score")
    return config, family


def _block(checkpoint: Checkpoint, tower: PretrainedConfig) -> BlockShape:
    if tower.hidden_act not in ACTIVATIONS:
        raise ModelError(
            f"{checkpoint.name}: unsupported activation {tower.hidden_act!r}; known: {', '.join(ACTIVATIONS)}"
        )
    return BlockShape(tower.num_attention_heads, tower.hidden_act, tower.layer_norm_eps)
