"""`load_model`: from a name to a model on the local devices."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from hlx.errors import InputError, ModelError
from hlx.models import clip, siglip
from hlx.models.checkpoint import Arrays, Slots, first_line, read_arrays, read_config
from hlx.models.dual_encoder import DualEncoder
from hlx.models.hub import DEFAULT, Checkpoint, find
from hlx.models.image_side import ImageSide
from hlx.models.preparation import Pixels, Texts
from hlx.models.text_side import TextSide
from hlx.models.transformer import ACTIVATIONS, BlockShape
from hlx.models.vision import VisionShape

if TYPE_CHECKING:
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
    vision = config.vision_config
    shape = VisionShape(
        side=vision.image_size,
        patch=vision.patch_size,
        layers=vision.num_hidden_layers,
        width=vision.hidden_size,
        mlp=vision.intermediate_size,
        block=_block(checkpoint, vision),
        pooled_by_probe=family == "siglip",
    )
    tokenizer = _tokenizer(checkpoint, config, family)
    pixels = Pixels(checkpoint.folder, family, shape.side)
    arrays = read_arrays(checkpoint.folder, _slots(config, family), {"vision": dtype})
    tower: clip.ClipVision | siglip.SiglipVision
    tower = clip.ClipVision(arrays, shape) if family == "clip" else siglip.SiglipVision(arrays, shape)
    image_side = ImageSide(tower, *pixels.mean_and_scale(), devices, dtype)
    text_side = _text_side(checkpoint, arrays, tokenizer, config, family)
    return DualEncoder(checkpoint, family, dtype, image_side, text_side, pixels)


def load_text_side(name: str | Path, revision: str | None = None) -> tuple[TextSide, Checkpoint]:
    """The text side of a checkpoint alone: enough to map new captions onto kept image vectors."""
    checkpoint = find(str(name), revision)
    config, family = _config(checkpoint)
    tokenizer = _tokenizer(checkpoint, config, family)
    arrays = read_arrays(checkpoint.folder, _slots(config, family), {}, towers=("text",))
    return _text_side(checkpoint, arrays, tokenizer, config, family), checkpoint


def _slots(config: PretrainedConfig, family: str) -> Slots:
    return (clip if family == "clip" else siglip).slots(config)


def _tokenizer(checkpoint: Checkpoint, config: PretrainedConfig, family: str) -> Texts:
    return Texts(checkpoint.folder, config.text_config.max_position_embeddings, to_limit=family == "siglip")


def _text_side(
    checkpoint: Checkpoint, arrays: Arrays, tokenizer: Texts, config: PretrainedConfig, family: str
) -> TextSide:
    text = config.text_config
    block = _block(checkpoint, text)
    tower: clip.ClipText | siglip.SiglipText
    if family == "clip":
        tower = clip.ClipText(arrays, text.num_hidden_layers, block, text.eos_token_id)
    else:
        tower = siglip.SiglipText(arrays, text.num_hidden_layers, block)
    return TextSide(tokenizer, tower, text.vocab_size, *_scale_and_bias(arrays, family))


def _scale_and_bias(arrays: Arrays, family: str) -> tuple[float, float]:
    scale = float(np.exp(np.float32(arrays["logit_scale"])))
    return scale, float(arrays["logit_bias"]) if family == "siglip" else 0.0


def _config(checkpoint: Checkpoint) -> tuple[PretrainedConfig, str]:
    raw = read_config(checkpoint.folder)
    family = raw.get("model_type")
    if family not in FAMILIES:
        hint = " (NaFlex: only SigLIP 2 at fixed resolution has a port)" if family == "siglip2" else ""
        raise ModelError(
            f"{checkpoint.name}: unsupported architecture {family!r}{hint}; "
            f"there are ports of {', '.join(FAMILIES)}"
        )
    kind: Any
    if family == "clip":
        from transformers.models.clip.configuration_clip import CLIPConfig as kind
    else:
        from transformers.models.siglip.configuration_siglip import SiglipConfig as kind
    try:
        config = kind.from_dict(raw)
    except Exception as error:  # the configuration classes raise whatever their fields' checks raise
        raise ModelError(
            f"{checkpoint.folder}: config.json is not a valid {family} configuration: {first_line(error)}"
        ) from error
    for name, tower, sizes in (
        ("vision_config", config.vision_config, ("patch_size", "num_hidden_layers", "num_attention_heads")),
        ("text_config", config.text_config, ("num_hidden_layers", "num_attention_heads")),
    ):
        for size in sizes:
            found = getattr(tower, size)
            if found < 1:
                raise ModelError(
                    f"{checkpoint.folder}: config.json: {name}.{size} is {found}, expected 1 or more"
                )
    if family == "siglip" and not config.vision_config.vision_use_head:
        raise ModelError(f"{checkpoint.name}: a SigLIP without its pooling head has no image score")
    return config, family


def _block(checkpoint: Checkpoint, tower: PretrainedConfig) -> BlockShape:
    if tower.hidden_act not in ACTIVATIONS:
        raise ModelError(
            f"{checkpoint.name}: unsupported activation {tower.hidden_act!r}; known: {', '.join(ACTIVATIONS)}"
        )
    return BlockShape(tower.num_attention_heads, tower.hidden_act, tower.layer_norm_eps)
