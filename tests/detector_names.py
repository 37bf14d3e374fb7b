"""Names and shapes in the released detector's state dict, from what is published of it.

Bottom-up attention (Anderson et al. 2018) in detectron2's names: ResNet-101 up to res4 (He et al. 2016,
table 1), 12 anchors, 512 hidden channels of the region proposal network, res5 in the region heads, 1,600
classes and the background, 400 attributes and none, class embeddings of 256.
"""

from __future__ import annotations

NORM = ("weight", "bias", "running_mean", "running_var")


def _convolution(name: str, out: int, into: int, kernel: int) -> dict[str, tuple[int, ...]]:
    norms = {f"{name}.norm.{part}": (out,) for part in NORM}
    return {f"{name}.weight": (out, into, kernel, kernel)} | norms


def _stage(name: str, blocks: int, into: int, inside: int, out: int) -> dict[str, tuple[int, ...]]:
    found = _convolution(f"{name}.0.shortcut", out, into, 1)
    for block in range(blocks):
        found |= _convolution(f"{name}.{block}.conv1", inside, out if block else into, 1)
        found |= _convolution(f"{name}.{block}.conv2", inside, inside, 3)
        found |= _convolution(f"{name}.{block}.conv3", out, inside, 1)
    return found


def released_shapes() -> dict[str, tuple[int, ...]]:
    """Every name with its shape."""
    heads = "proposal_generator.rpn_head"
    predictor = "roi_heads.box_predictor"
    return {
        **_convolution("backbone.stem.conv1", 64, 3, 7),
        **_stage("backbone.res2", 3, 64, 64, 256),
        **_stage("backbone.res3", 4, 256, 128, 512),
        **_stage("backbone.res4", 23, 512, 256, 1024),
        "proposal_generator.anchor_generator.cell_anchors.0": (12, 4),
        f"{heads}.conv.weight": (512, 1024, 3, 3),
        f"{heads}.conv.bias": (512,),
        f"{heads}.objectness_logits.weight": (12, 512, 1, 1),
        f"{heads}.objectness_logits.bias": (12,),
        f"{heads}.anchor_deltas.weight": (48, 512, 1, 1),
        f"{heads}.anchor_deltas.bias": (48,),
        **_stage("roi_heads.res5", 3, 1024, 512, 2048),
        f"{predictor}.cls_score.weight": (1601, 2048),
        f"{predictor}.cls_score.bias": (1601,),
        f"{predictor}.bbox_pred.weight": (6400, 2048),
        f"{predictor}.bbox_pred.bias": (6400,),
        f"{predictor}.cls_embedding.weight": (1601, 256),
        f"{predictor}.fc_attr.weight": (512, 2304),
        f"{predictor}.fc_attr.bias": (512,),
        f"{predictor}.attr_score.weight": (401, 512),
        f"{predictor}.attr_score.bias": (401,),
    }
