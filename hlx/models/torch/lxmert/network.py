"""An LXMERT checkpoint's config.json and weights, checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from torch import nn
from transformers.models.lxmert.configuration_lxmert import LxmertConfig
from transformers.models.lxmert.modeling_lxmert import LxmertModel

from hlx.errors import ModelError
from hlx.models.loading.checkpoint import configuration
from hlx.models.torch.building import check_activation, without_weights
from hlx.models.torch.state import load_matcher

UNUSED = ("cls.predictions.", "obj_predict_head.", "answer_head.")
"""Beginnings of the keys of the heads that the score does not need."""

BOX = 4

LEAST = {
    **dict.fromkeys(("vocab_size", "hidden_size", "num_attention_heads", "intermediate_size"), 1),
    **dict.fromkeys(("max_position_embeddings", "type_vocab_size", "visual_feat_dim", "x_layers"), 1),
    **dict.fromkeys(("l_layers", "r_layers"), 0),
}
"""Smallest sizes that make a model."""


class Network(nn.Module):
    """The parts that the score needs, with the names of a checkpoint's weights."""

    def __init__(self, config: LxmertConfig) -> None:
        super().__init__()
        self.lxmert = LxmertModel(config)
        self.cls = nn.ModuleDict({"seq_relationship": nn.Linear(config.hidden_size, 2)})

    @property
    def match(self) -> nn.Linear:
        """The head of the score."""
        return cast(nn.Linear, self.cls["seq_relationship"])


def read_network(folder: Path, config: LxmertConfig) -> Network:
    """The network with a checkpoint's weights, on the CPU, as it is for use.

    Raises
    ------
    ModelError
        As `without_weights` and `load_matcher`.
    """
    network = cast(Network, without_weights(folder, Network, config))
    load_matcher(network, folder, "lxmert", "cls.seq_relationship", UNUSED)
    return network.requires_grad_(False)


def network_config(folder: Path, raw: dict[str, Any]) -> LxmertConfig:
    """The content of a config.json, checked.

    Raises
    ------
    ModelError
        Sizes that cannot be; names the key.
    """
    where, config = f"{folder}: config.json", configuration(folder, raw, "lxmert", "LxmertConfig")
    assert isinstance(config, LxmertConfig)
    for key, least in LEAST.items():
        if getattr(config, key) < least:
            raise ModelError(f"{where}: {key} is {getattr(config, key)}, expected {least} or more")
    width, heads = config.hidden_size, config.num_attention_heads
    if width % heads:
        raise ModelError(
            f"{where}: hidden_size is {width}, expected a multiple of num_attention_heads, {heads}"
        )
    if config.visual_pos_dim != BOX:
        raise ModelError(
            f"{where}: visual_pos_dim is {config.visual_pos_dim}, expected {BOX}, a box's corners"
        )
    check_activation(f"{where}: ", config.hidden_act)
    return config
