"""What a checkpoint calls its tensors, and where each goes in a port."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class WeightTarget:
    """Where one checkpoint tensor goes: the port's array, the shape it must have in the file, the transform.

    `part` is its place (0, 1, 2) among the packed queries, keys and values.
    """

    target: str
    shape: tuple[int, ...]
    transform: str = "keep"
    part: int | None = None


WeightMap = dict[str, WeightTarget]


def linear(key: str, target: str, inputs: int, outputs: int, bias: bool = True) -> WeightMap:
    """WeightMap of a torch.nn.Linear."""
    weight_map = {f"{key}.weight": WeightTarget(f"{target}_weight", (outputs, inputs), "transpose")}
    if bias:
        weight_map[f"{key}.bias"] = WeightTarget(f"{target}_bias", (outputs,))
    return weight_map


def norm(key: str, target: str, width: int) -> WeightMap:
    """WeightMap of a torch.nn.LayerNorm."""
    return {
        f"{key}.weight": WeightTarget(f"{target}_scale", (width,)),
        f"{key}.bias": WeightTarget(f"{target}_bias", (width,)),
    }


@dataclass(frozen=True)
class BlockNames:
    """What a checkpoint calls the parts of a block, below the block's own key; CLIP's and SigLIP's names."""

    block: str = "encoder.layers"
    query: str = "self_attn.q_proj"
    key: str = "self_attn.k_proj"
    value: str = "self_attn.v_proj"
    out: str = "self_attn.out_proj"
    norm1: str = "layer_norm1"
    norm2: str = "layer_norm2"
    fc1: str = "mlp.fc1"
    fc2: str = "mlp.fc2"


CLIP_NAMES = BlockNames()


def block_weights(
    key: str,
    target: str,
    layers: int,
    width: int,
    mlp: int,
    names: BlockNames = CLIP_NAMES,
    qkv_bias: bool = True,
) -> WeightMap:
    """WeightMap of an encoder's blocks."""
    weight_map: WeightMap = {}
    for i in range(layers):
        source, place = f"{key}.{names.block}.{i}", f"{target}/{i}/"
        for part, name in enumerate((names.query, names.key, names.value)):
            for found, slot in linear(f"{source}.{name}", place + "qkv", width, width, qkv_bias).items():
                weight_map[found] = WeightTarget(slot.target, slot.shape, slot.transform, part)
        weight_map |= linear(f"{source}.{names.out}", place + "out", width, width)
        weight_map |= norm(f"{source}.{names.norm1}", place + "norm1", width)
        weight_map |= norm(f"{source}.{names.norm2}", place + "norm2", width)
        weight_map |= linear(f"{source}.{names.fc1}", place + "fc1", width, mlp)
        weight_map |= linear(f"{source}.{names.fc2}", place + "fc2", mlp, width)
    return weight_map


def why_unexpected(name: str, known: Iterable[str], says: str = "config.json") -> str:
    """What a key can mean that is none of those known; `says` is the file that the known ones come from."""
    for found in re.finditer(r"(?<=\.)\d+(?=\.)", name):
        start = name[: found.start()]
        layers = [key[len(start) :].partition(".")[0] for key in known if key.startswith(start)]
        parent = start[:-1].rpartition(".")[0] + "."
        above = layers or any(key.startswith(parent) for key in known)  # none is a number of layers too
        if above and all(layer.isdigit() and int(layer) < int(found.group()) for layer in layers):
            return f"not this architecture, or {says} asks for fewer layers"
    return "not this architecture"
