"""Small random detectors on disk: the released model's layout, a sixteenth of its widths or less."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import torch
import yaml

TINY: dict[str, Any] = {
    "RESNETS": {
        "DEPTH": 50,
        "STEM_OUT_CHANNELS": 4,
        "RES2_OUT_CHANNELS": 8,
        "WIDTH_PER_GROUP": 4,
        "NORM": "BN",
    },
    "INPUT": {"MIN_SIZE_TEST": 64, "MAX_SIZE_TEST": 128, "FORMAT": "BGR"},
    "ANCHOR_GENERATOR": {"SIZES": [[8, 16, 32, 64]], "ASPECT_RATIOS": [[0.5, 1.0, 2.0]], "OFFSET": 0.0},
    "PROPOSAL_GENERATOR": {"HIDDEN_CHANNELS": 16, "MIN_SIZE": 0},
    "RPN": {"PRE_NMS_TOPK_TEST": 100, "POST_NMS_TOPK_TEST": 24, "NMS_THRESH": 0.7, "IN_FEATURES": ["res4"]},
    "ROI_HEADS": {"NUM_CLASSES": 7, "NMS_THRESH_TEST": [0.5, 0.6, 0.7, 0.8, 0.9]},
    "ROI_BOX_HEAD": {"POOLER_RESOLUTION": 14, "POOLER_TYPE": "ROIPool", "RES5HALVE": False, "NUM_ATTRS": 5},
    "MODEL": {"PIXEL_MEAN": [102.9801, 115.9465, 122.7717], "PIXEL_STD": [1.0, 1.0, 1.0], "MAX_POOL": True},
    "MIN_DETECTIONS": 9,
    "MAX_DETECTIONS": 9,
}


def changed(config: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The config with other values for some keys, "SECTION.KEY"; None takes a key out."""
    new = {key: dict(value) if isinstance(value, dict) else value for key, value in config.items()}
    for key, value in changes.items():
        *section, name = key.split(".")
        place = new.setdefault(section[0], {}) if section else new
        if value is None:
            place.pop(name, None)
        else:
            place[name] = value
    return new


def lower_case(config: dict[str, Any]) -> dict[str, Any]:
    """The config with its keys in lower case."""
    return {k.lower(): lower_case(v) if isinstance(v, dict) else v for k, v in config.items()}


def random_state(module: torch.nn.Module, seed: int) -> dict[str, torch.Tensor]:
    """Random weights for every name but the anchors; features keep their size and nothing is an identity."""
    draw = torch.Generator().manual_seed(seed)
    state = {}
    for name, tensor in module.state_dict().items():
        shape, kind = tensor.shape, name.rpartition(".")[2]
        noise = torch.randn(shape, generator=draw)
        if "cell_anchors" in name:
            state[name] = tensor.clone()
        elif kind == "running_var":
            state[name] = noise.exp().clamp(0.3, 3)
        elif kind == "weight" and len(shape) == 1:
            # What a block adds is smaller than what it adds to, else features grow with depth.
            state[name] = (0.3 if ".conv3.norm" in name else 0.9) * (1 + 0.2 * noise)
        elif kind == "weight":
            state[name] = noise * (2 / shape[1:].numel()) ** 0.5
        else:
            state[name] = 0.2 * noise
    for name in ("backbone.stem.conv1.weight", "proposal_generator.rpn_head.anchor_deltas.weight"):
        if name in state:
            state[name] /= 60  # pixels less their mean are so large; boxes stay near their anchors
    return state


def make_detector(
    folder: Path,
    changes: dict[str, Any] | None = None,
    *,
    seed: int = 0,
    weights: Literal["safetensors", "pickled"] = "safetensors",
    config: Literal["yaml", "json", "lower"] = "yaml",
    counters: bool = False,
) -> Path:
    """Write a random detector.

    Parameters
    ----------
    folder
        Created if missing.
    changes
        To `TINY`, as `changed` takes them.
    weights
        `model.safetensors` or `pytorch_model.bin`.
    config
        config.yaml, config.json, or config.yaml with keys in lower case.
    counters
        With `num_batches_tracked` beside each norm, as files have that came from PyTorch's norms.
    """
    from safetensors.torch import save_file

    from hlx.models.torch.lxmert.detector.detector_config import read_detector_config
    from hlx.models.torch.lxmert.detector.faster_rcnn import FasterRCNN

    folder.mkdir(parents=True, exist_ok=True)
    content = changed(TINY, changes or {})
    if config == "json":
        (folder / "config.json").write_text(json.dumps(content))
    else:
        text = yaml.safe_dump(lower_case(content) if config == "lower" else content)
        (folder / "config.yaml").write_text(text)
    state = random_state(FasterRCNN(read_detector_config(folder)[0]), seed)
    if counters:
        norms = [name for name in state if name.endswith("running_var")]
        state |= {name.replace("running_var", "num_batches_tracked"): torch.tensor(3) for name in norms}
    if weights == "safetensors":
        save_file(state, folder / "model.safetensors")
    else:
        torch.save(state, folder / "pytorch_model.bin")
    return folder
