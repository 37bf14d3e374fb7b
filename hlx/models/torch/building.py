"""transformers' models made of a config.json, without weights, and their products in bfloat16."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int32
from torch import Tensor, nn
from transformers import PretrainedConfig
from transformers.activations import ACT2FN

from hlx.errors import ModelError
from hlx.io.messages import message_of

IMAGES_AT_ONCE = {"cpu": 16, "cuda": 256}
"""By the kind of device; fewer where its memory runs out."""


def check_tower(folder: Path, tower: PretrainedConfig, section: str = "") -> None:
    """Raise ModelError unless a tower has layers, and an activation that transformers knows.

    `section` is the tower's in config.json.
    """
    where = f"{folder}: config.json: {section and section + '.'}"
    layers = tower.num_hidden_layers
    if not isinstance(layers, int) or layers < 1:
        raise ModelError(f"{where}num_hidden_layers is {layers}, expected 1 or more")
    check_activation(where, tower.hidden_act)


def check_activation(where: str, name: object) -> None:
    """Raise ModelError unless transformers knows an activation; the message begins with `where`."""
    if not isinstance(name, str) or name not in ACT2FN:
        raise ModelError(f"{where}hidden_act is {name!r}, expected one of {', '.join(ACT2FN)}")


def side_of(folder: Path, tower: PretrainedConfig) -> int:
    """The image tower's input size in pixels.

    Raises
    ------
    ModelError
        A size is missing, of two sides, or below 1.
    """
    for name in ("image_size", "patch_size"):
        found = getattr(tower, name)
        if not isinstance(found, int) or found < 1:  # a list where the sides differ
            raise ModelError(f"{folder}: config.json: {name} is {found}, expected 1 or more")
    return tower.image_size


def without_weights(folder: Path, make: Any, config: Any) -> nn.Module:
    """A module on the meta device, its constant buffers on the CPU.

    Raises
    ------
    ModelError
        The configuration's sizes do not go together.
    """
    try:
        with torch.device("meta"):
            module = make(config)
    except Exception as error:  # whatever the layers make of sizes that they do not expect
        raise ModelError(f"{folder}: config.json: no model can be made of it: {message_of(error)}") from error
    for name, buffer in list(module.named_buffers()):
        parent, _, own = name.rpartition(".")
        setattr(module.get_submodule(parent), own, _constant(own, buffer))
    return module.eval()


def _constant(name: str, buffer: Tensor) -> Tensor:
    if name == "position_ids":
        return torch.arange(buffer.shape[-1]).expand(buffer.shape).contiguous()
    if name == "token_type_ids":
        return torch.zeros(buffer.shape, dtype=torch.long)
    raise ValueError(f"a model with the unknown buffer {name}")


def products_in_bfloat16(module: nn.Module) -> None:
    """Multiply in bfloat16; norms and the sums between layers stay in float32."""

    def rounded(_: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        return (given[0].to(torch.bfloat16), *given[1:])

    for child in module.children():
        if isinstance(child, nn.MultiheadAttention):  # reaches into its own layers past their hooks
            continue
        if isinstance(child, nn.Linear | nn.Conv2d):
            child.to(torch.bfloat16).register_forward_pre_hook(rounded)
        products_in_bfloat16(child)


def check_known(ids: Int32[np.ndarray, "t i"], known: int) -> None:
    """Raise ModelError where a token is none of the first `known`, which the token table has rows of."""
    if ids.max() >= known:
        raise ModelError(
            f"the tokenizer makes token {ids.max()}, the text tower knows {known}: "
            "tokenizer and weights do not belong together"
        )
