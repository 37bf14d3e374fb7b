"""The architectures that `load_model` reads."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """An architecture.

    Attributes
    ----------
    model_type
        As config.json says it.
    title
        Its usual name.
    example
        A checkpoint on the hub.
    engines
        What runs it, the default first.
    kind
        "contrastive", "matching" or "lxmert".
    score
        What a score is, of which f is the difference.
    extras
        extras of hlx that its default engine takes.
    unit
        Of scores, in a word or two, for labels.
    """

    model_type: str
    title: str
    example: str
    engines: tuple[str, ...]
    kind: str
    score: str
    extras: tuple[str, ...] = ()
    unit: str = "logits"


_BOTH, _TORCH = ("jax", "torch"), ("torch",)
_LOGIT = "logit: scaled cosine of image and text vector"
_MATCH = "probability that text and image match"

_ALL = (
    Family("clip", "CLIP", "openai/clip-vit-base-patch32", _BOTH, "contrastive", _LOGIT),
    Family(
        "siglip",
        "SigLIP",
        "google/siglip-base-patch16-224; SigLIP 2 at fixed resolution too: google/siglip2-base-patch16-224",
        _BOTH,
        "contrastive",
        "logit: scaled cosine of image and text vector, plus a bias",
        ("siglip",),
    ),
    Family("flava", "FLAVA", "facebook/flava-full", _BOTH, "contrastive", _LOGIT),
    Family(
        "lxmert", "LXMERT", "unc-nlp/lxmert-base-uncased", _TORCH, "lxmert", _MATCH, _TORCH, "probability"
    ),
    Family(
        "blip", "BLIP", "Salesforce/blip-itm-base-coco", _TORCH, "matching", _MATCH, _TORCH, "probability"
    ),
    Family(
        "vilt",
        "ViLT",
        "dandelin/vilt-b32-finetuned-coco",
        _TORCH,
        "matching",
        "rank score of text and image, any real number",
        _TORCH,
        "rank score",
    ),
    Family(
        "chinese_clip",
        "Chinese CLIP",
        "OFA-Sys/chinese-clip-vit-base-patch16",
        _TORCH,
        "contrastive",
        _LOGIT,
        _TORCH,
    ),
    Family(
        "metaclip_2",
        "MetaCLIP 2",
        "facebook/metaclip-2-worldwide-huge-quickgelu",
        _TORCH,
        "contrastive",
        _LOGIT,
        _TORCH,
    ),
)
FAMILIES = {family.model_type: family for family in _ALL}
"""By the model_type of config.json."""
