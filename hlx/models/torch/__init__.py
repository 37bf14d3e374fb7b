"""Models that run in PyTorch (the torch extra): scorers of composited images, made from checkpoints.

contrastive and matching are transformers' own models behind one adapter; lxmert brings its detector along
(faster_rcnn, of resnet, proposals, roi_pool and detections).
"""

from __future__ import annotations

from pathlib import Path

from hlx.models.composited import Scorer
from hlx.models.families import Family
from hlx.models.torch.torch_devices import torch_device


def load_scorer(
    folder: Path, raw: dict, family: Family, dtype: str, device: str | None, detector: Path | None
) -> Scorer:
    """The scorer of a checkpoint's folder.

    Parameters
    ----------
    folder, raw
        The checkpoint, and the content of its config.json.
    family
        Its architecture.
    dtype
        "float32" or "bfloat16".
    device
        As `torch_device`.
    detector
        The folder of LXMERT's detector, where the checkpoint brings no source of regions itself.

    Raises
    ------
    ModelError
        The checkpoint is corrupt, incomplete or contradicts its config; the device is not there.
    """
    on = torch_device(device)
    if family.kind == "lxmert":
        from hlx.models.torch.lxmert.scorer import load_lxmert

        return load_lxmert(folder, raw, dtype, on, detector)
    if family.kind == "matching":
        from hlx.models.torch.matching import load_matching

        return load_matching(folder, raw, dtype, on)
    from hlx.models.torch.contrastive import load_contrastive

    return load_contrastive(folder, raw, dtype, on)
