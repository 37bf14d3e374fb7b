"""The JAX ports: from a checkpoint's config.json and arrays to towers, and to a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from flax import nnx

from hlx.errors import ModelError
from hlx.models.jax import clip, flava, siglip
from hlx.models.jax.dual_encoder import DualEncoder
from hlx.models.jax.image_side import ImageSide
from hlx.models.jax.text_side import TextSide
from hlx.models.jax.transformer import ACTIVATIONS, BlockShape
from hlx.models.jax.vision import VisionShape, VisionTower
from hlx.models.loading.checkpoint import Arrays, configuration, read_arrays
from hlx.models.loading.hub import Checkpoint
from hlx.models.loading.processors import ImageProcessor, Tokenizer
from hlx.models.loading.weight_map import WeightMap

if TYPE_CHECKING:
    from transformers import PretrainedConfig


@dataclass(frozen=True)
class Port:
    """An architecture's port.

    Attributes
    ----------
    config
        Transformers' configuration class, in the architecture's own module.
    vision_config
        What that calls the image tower's part.
    weight_map
        Every key of a checkpoint, of its configuration.
    vision, text
        Towers of arrays; the text tower also takes its configuration and the padding id.
    biased
        Whether scores have a bias.
    pooled_by_probe, to_limit, masked
        As in `VisionShape` and `Tokenizer`.
    prefix, ignored
        As in `read_arrays`.
    """

    config: str
    weight_map: Callable[[Any], WeightMap]
    vision: Callable[[Arrays, VisionShape], VisionTower]
    text: Callable[[Arrays, Any, BlockShape, int], nnx.Module]
    vision_config: str = "vision_config"
    biased: bool = False
    pooled_by_probe: bool = False
    to_limit: bool = False
    masked: bool = False
    prefix: str = ""
    ignored: tuple[str, ...] = ()


PORTS = {
    "clip": Port(
        config="CLIPConfig",
        weight_map=clip.weight_map,
        vision=clip.ClipVision,
        text=lambda arrays, text, block, pad: clip.ClipText(
            arrays, text.num_hidden_layers, block, text.eos_token_id
        ),
    ),
    "siglip": Port(
        config="SiglipConfig",
        weight_map=siglip.weight_map,
        vision=siglip.SiglipVision,
        text=lambda arrays, text, block, pad: siglip.SiglipText(arrays, text.num_hidden_layers, block),
        biased=True,
        pooled_by_probe=True,
        to_limit=True,
    ),
    "flava": Port(
        config="FlavaConfig",
        masked=True,
        weight_map=flava.weight_map,
        vision=flava.FlavaVision,
        text=lambda arrays, text, block, pad: flava.FlavaText(arrays, text.num_hidden_layers, block, pad),
        vision_config="image_config",
        prefix=flava.PREFIX,
        ignored=flava.IGNORED,
    ),
}
"""Ports by the model_type of config.json."""


def load_port(
    checkpoint: Checkpoint, raw: dict, family: str, dtype: str, devices: list[jax.Device] | None
) -> DualEncoder:
    """The JAX port of a checkpoint, both sides.

    Parameters
    ----------
    checkpoint, raw
        The folder, and the content of its config.json.
    family
        A key of `PORTS`.
    dtype
        Of the image tower's large products.
    devices
        As `ImageSide`; the text tower is on the first of them.

    Raises
    ------
    ModelError
        The checkpoint is corrupt, incomplete or contradicts its config.
    """
    port = PORTS[family]
    config = _config(checkpoint, raw, family)
    vision = getattr(config, port.vision_config)
    shape = VisionShape(
        side=vision.image_size,
        patch=vision.patch_size,
        layers=vision.num_hidden_layers,
        width=vision.hidden_size,
        mlp=vision.intermediate_size,
        block=_block(checkpoint, vision),
        pooled_by_probe=port.pooled_by_probe,
    )
    tokenizer = _tokenizer(checkpoint, config, port)
    pixels = ImageProcessor(checkpoint.folder, family, shape.side)
    arrays = _arrays(checkpoint, config, port, {"vision": dtype})
    pixels.check_pixelwise()
    image_side = ImageSide(port.vision(arrays, shape), *pixels.mean_and_scale(), devices, dtype)
    # Texts are few and short: one device is enough for them, and the memory of the others stays free.
    text_side = _text_side(checkpoint, arrays, tokenizer, config, port, image_side.devices[0])
    return DualEncoder(checkpoint, family, dtype, image_side, text_side, pixels)


def port_side(checkpoint: Checkpoint, raw: dict, family: str) -> int:
    """The side, in pixels, of the images that a port's image tower takes; raises what `load_port` does."""
    return int(getattr(_config(checkpoint, raw, family), PORTS[family].vision_config).image_size)


def load_port_texts(checkpoint: Checkpoint, raw: dict, family: str) -> TextSide:
    """The text side alone; takes and raises what `load_port` does."""
    port = PORTS[family]
    config = _config(checkpoint, raw, family)
    tokenizer = _tokenizer(checkpoint, config, port)
    arrays = _arrays(checkpoint, config, port, {}, ("text",))
    return _text_side(checkpoint, arrays, tokenizer, config, port)


def _arrays(
    checkpoint: Checkpoint,
    config: PretrainedConfig,
    port: Port,
    matmul_dtype: dict[str, str],
    towers: tuple[str, ...] | None = None,
) -> Arrays:
    weight_map = port.weight_map(config)
    return read_arrays(checkpoint.folder, weight_map, matmul_dtype, towers, port.prefix, port.ignored)


def _tokenizer(checkpoint: Checkpoint, config: PretrainedConfig, port: Port) -> Tokenizer:
    return Tokenizer(
        checkpoint.folder, config.text_config.max_position_embeddings, port.to_limit, port.masked
    )


def _text_side(
    checkpoint: Checkpoint,
    arrays: Arrays,
    tokenizer: Tokenizer,
    config: PretrainedConfig,
    port: Port,
    device: jax.Device | None = None,
) -> TextSide:
    text = config.text_config
    tower = port.text(arrays, text, _block(checkpoint, text), tokenizer.pad)
    scale = float(np.exp(np.float32(arrays["logit_scale"])))
    bias = float(arrays["logit_bias"]) if port.biased else 0.0
    return TextSide(tokenizer, tower, text.vocab_size, scale, bias, device)


def _config(checkpoint: Checkpoint, raw: dict, family: str) -> PretrainedConfig:
    port = PORTS[family]
    config: Any = configuration(checkpoint.folder, raw, family, port.config)
    for name, sizes in (
        (port.vision_config, ("image_size", "patch_size", "num_hidden_layers", "num_attention_heads")),
        ("text_config", ("num_hidden_layers", "num_attention_heads")),
    ):
        for size in sizes:
            found = getattr(getattr(config, name), size)
            if not isinstance(found, int) or found < 1:  # a list where the sides differ
                raise ModelError(
                    f"{checkpoint.folder}: config.json: {name}.{size} is {found}, expected 1 or more"
                )
    channels = getattr(config, port.vision_config).num_channels
    if channels != 3:
        raise ModelError(
            f"{checkpoint.folder}: config.json: {port.vision_config}.num_channels is {channels}, expected 3"
        )
    if family == "siglip" and not config.vision_config.vision_use_head:
        raise ModelError(f"{checkpoint.name}: a SigLIP without its pooling head has no image score")
    return config


def _block(checkpoint: Checkpoint, tower: PretrainedConfig) -> BlockShape:
    if tower.hidden_act not in ACTIVATIONS:
        raise ModelError(
            f"{checkpoint.name}: unsupported activation {tower.hidden_act!r}; known: {', '.join(ACTIVATIONS)}"
        )
    if tower.hidden_size % tower.num_attention_heads:
        raise ModelError(
            f"{checkpoint.folder}: config.json: hidden_size {tower.hidden_size} is no multiple of "
            f"num_attention_heads {tower.num_attention_heads}"
        )
    return BlockShape(tower.num_attention_heads, tower.hidden_act, tower.layer_norm_eps)
