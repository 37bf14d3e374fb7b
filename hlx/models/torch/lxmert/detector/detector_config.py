"""The detector's config.yaml, read for what the port needs and refused for what it does not do."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from math import isfinite
from pathlib import Path
from typing import Any

import yaml

from hlx.errors import ModelError
from hlx.models.loading.checkpoint import read_json

BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}  # He et al. 2016, table 1
STRIDE = 16  # of res4

# What the released model has and the port takes for granted.
_FIXED: dict[str, tuple[Any, ...]] = {
    # What this does in LXMERT's own code tells nothing of the weights. With RGB that code turns the channels
    # by a view of negative strides, which PyTorch refuses: it cannot run. With BGR it feeds red first for
    # local files, and blue first for addresses (URLs). The weights are Caffe's, trained on blue first: so
    # pixels come here, either way, and a run of that code on local files differs.
    "INPUT.FORMAT": ("BGR", "RGB"),
    "RESNETS.NORM": ("BN", "FrozenBN"),
    "RESNETS.NUM_GROUPS": (1,),
    "RESNETS.STRIDE_IN_1X1": (True,),
    "RESNETS.RES5_DILATION": (1,),
    "RESNETS.OUT_FEATURES": (["res4"],),
    "RPN.IN_FEATURES": (["res4"],),
    "ROI_HEADS.IN_FEATURES": (["res4"],),
    "ROI_BOX_HEAD.POOLER_TYPE": ("ROIPool",),
    "ROI_BOX_HEAD.RES5HALVE": (False,),
    "ROI_BOX_HEAD.CLS_AGNOSTIC_BBOX_REG": (False,),
}


def _value(key: str, default: Any) -> Any:
    return field(default=default, metadata={"key": key})


@dataclass(frozen=True)
class DetectorConfig:
    """Sizes and thresholds; each field's key in the file is beside it. The defaults are the released model's.

    Lengths are pixels of the resized image. `min_detections` equals `max_detections`: LXMERT takes a fixed
    number of regions. `overlaps` are the thresholds of suppression that are tried one after the other.
    """

    depth: int = _value("RESNETS.DEPTH", 101)
    stem_width: int = _value("RESNETS.STEM_OUT_CHANNELS", 64)
    res2_width: int = _value("RESNETS.RES2_OUT_CHANNELS", 256)
    bottleneck: int = _value("RESNETS.WIDTH_PER_GROUP", 64)
    caffe_max_pool: bool = _value("MODEL.MAX_POOL", True)
    mean: tuple[float, ...] = _value("MODEL.PIXEL_MEAN", (102.9801, 115.9465, 122.7717))
    scale: tuple[float, ...] = _value("MODEL.PIXEL_STD", (1.0, 1.0, 1.0))
    shortest: int = _value("INPUT.MIN_SIZE_TEST", 800)
    longest: int = _value("INPUT.MAX_SIZE_TEST", 1333)
    divisor: int = _value("SIZE_DIVISIBILITY", 0)
    padding: float = _value("PAD_VALUE", 0.0)
    anchor_sizes: tuple[float, ...] = _value("ANCHOR_GENERATOR.SIZES", (64.0, 128.0, 256.0, 512.0))
    anchor_ratios: tuple[float, ...] = _value("ANCHOR_GENERATOR.ASPECT_RATIOS", (0.5, 1.0, 2.0))
    anchor_offset: float = _value("ANCHOR_GENERATOR.OFFSET", 0.0)
    hidden: int = _value("PROPOSAL_GENERATOR.HIDDEN_CHANNELS", 512)
    min_side: float = _value("PROPOSAL_GENERATOR.MIN_SIZE", 0.0)
    anchor_weights: tuple[float, ...] = _value("RPN.BBOX_REG_WEIGHTS", (1.0, 1.0, 1.0, 1.0))
    considered: int = _value("RPN.PRE_NMS_TOPK_TEST", 6000)
    proposals: int = _value("RPN.POST_NMS_TOPK_TEST", 300)
    proposal_overlap: float = _value("RPN.NMS_THRESH", 0.7)
    resolution: int = _value("ROI_BOX_HEAD.POOLER_RESOLUTION", 14)
    box_weights: tuple[float, ...] = _value("ROI_BOX_HEAD.BBOX_REG_WEIGHTS", (10.0, 10.0, 5.0, 5.0))
    has_attributes: bool = _value("ROI_BOX_HEAD.ATTR", True)
    attributes: int = _value("ROI_BOX_HEAD.NUM_ATTRS", 400)
    classes: int = _value("ROI_HEADS.NUM_CLASSES", 1600)
    overlaps: tuple[float, ...] = _value("ROI_HEADS.NMS_THRESH_TEST", (0.5, 0.6, 0.7, 0.8, 0.9))
    min_detections: int = _value("MIN_DETECTIONS", 36)
    max_detections: int = _value("MAX_DETECTIONS", 36)

    @property
    def anchors(self) -> int:
        """Anchors at each cell."""
        return len(self.anchor_sizes) * len(self.anchor_ratios)


def read_detector_config(folder: Path) -> tuple[DetectorConfig, str]:
    """The config of a detector's folder, from config.yaml or config.json, and that file's name.

    Keys are read in either case. A section may stand by itself or under `model`; what is not there has the
    released model's value.

    Raises
    ------
    ModelError
        No such file, not readable, or a value that cannot be or that the port does not do; names the key.
    """
    path = folder / "config.yaml"
    if path.is_file():
        try:
            raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError) as error:
            cause = " ".join(str(error).split())
            raise ModelError(f"{path} cannot be read as YAML: {cause[:200]}") from error
        if not isinstance(raw, dict):
            raise ModelError(f"{path} holds a {type(raw).__name__} where keys and values were expected")
    elif (folder / "config.json").is_file():
        path = folder / "config.json"
        raw = read_json(path)
    else:
        raise ModelError(f"{folder}: config.yaml is missing: not a detector's folder")
    return _checked(_uppercase(raw), path), path.name


def _uppercase(raw: dict) -> dict[str, Any]:
    return {str(k).upper(): _uppercase(v) if isinstance(v, dict) else v for k, v in raw.items()}


def _find(raw: dict[str, Any], key: str) -> Any:
    model = raw.get("MODEL")
    for start in (raw, model if isinstance(model, dict) else {}):
        value: Any = start
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            return value
    return None


def _checked(raw: dict[str, Any], path: Path) -> DetectorConfig:
    for key, allowed in _FIXED.items():
        found = _find(raw, key)
        if found is not None and found not in allowed:
            expected = " or ".join(map(repr, allowed))
            raise ModelError(f"{path}: {key} is {found!r}; this port of the detector needs {expected}")
    values: dict[str, Any] = {}
    for entry in fields(DetectorConfig):
        key = entry.metadata["key"]
        found = _find(raw, key)
        if found is not None:
            values[entry.name] = _typed(found, entry.default, f"{path}: {key}")
    if not values and all(_find(raw, key) is None for key in _FIXED):
        kind = raw.get("MODEL_TYPE")
        found = "none of its keys is there" if kind is None else f"model_type is {kind!r}"
        raise ModelError(f"{path}: no Faster R-CNN: {found}")
    config = DetectorConfig(**values)
    _refuse_impossible(config, path)
    return config


def _typed(found: Any, default: Any, place: str) -> Any:
    if isinstance(default, bool):
        if isinstance(found, bool):
            return found
        raise ModelError(f"{place} is {found!r}; expected true or false")
    if isinstance(default, tuple):
        # Anchors come as a list for each level of features; there is one.
        if isinstance(found, list) and len(found) == 1 and isinstance(found[0], list):
            found = found[0]
        if not isinstance(found, list | tuple):
            found = [found]
        if not found:
            raise ModelError(f"{place} is []; expected one or more numbers")
        if any(isinstance(v, list | tuple) for v in found):
            expected = "numbers for the one level res4" if "ANCHOR_GENERATOR" in place else "numbers"
            raise ModelError(f"{place} is {found!r}; expected {expected}")
        return tuple(float(_number(v, place)) for v in found)
    number = _number(found, place)
    if isinstance(default, float):
        return float(number)
    if number != int(number):
        raise ModelError(f"{place} is {found!r}; expected a whole number")
    return int(number)


def _number(value: Any, place: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ModelError(f"{place} is {value!r}; expected a number")
    return value


def _refuse_impossible(config: DetectorConfig, path: Path) -> None:
    keys = {entry.name: entry.metadata["key"] for entry in fields(DetectorConfig)}

    def need(name: str, holds: bool, expected: str) -> None:
        if not holds:
            value = getattr(config, name)
            raise ModelError(f"{path}: {keys[name]} is {value!r}; expected {expected}")

    need("depth", config.depth in BLOCKS, f"one of {', '.join(map(str, BLOCKS))}")
    positive = ("stem_width", "res2_width", "bottleneck", "shortest", "longest", "considered")
    for name in (*positive, "proposals", "classes", "max_detections"):
        need(name, getattr(config, name) >= 1, "at least 1")
    need("hidden", config.hidden >= 1 or config.hidden == -1, "at least 1, or -1 for the width of res4")
    need("attributes", config.attributes >= 1 or not config.has_attributes, "at least 1")
    need("divisor", config.divisor >= 0, "at least 0")
    need("resolution", config.resolution >= 2 and config.resolution % 2 == 0, "an even number")
    need("min_side", config.min_side >= 0, "at least 0")
    need("anchor_offset", 0 <= config.anchor_offset < 1, "0 <= offset < 1")
    for name, length in (("mean", 3), ("scale", 3), ("anchor_weights", 4), ("box_weights", 4)):
        need(name, len(getattr(config, name)) == length, f"{length} numbers")
    for name in ("scale", "anchor_weights", "box_weights", "anchor_sizes", "anchor_ratios"):
        need(name, all(v > 0 for v in getattr(config, name)), "numbers above 0")
    need("proposal_overlap", 0 <= config.proposal_overlap <= 1, "0 to 1")
    need("overlaps", all(0 <= v <= 1 for v in config.overlaps), "0 to 1")
    same = f"MAX_DETECTIONS, which is {config.max_detections}: LXMERT takes a fixed number of regions"
    need("min_detections", config.min_detections == config.max_detections, same)
