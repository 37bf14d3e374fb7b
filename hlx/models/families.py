"""The architectures that `load_model` reads."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """An architecture.

    Attributes
    ----------
    model_type : as config.json says it.
    title : its usual name.
    example : a checkpoint on the hub.
    engines : what runs it, the default first.
    kind : "contrastive", "matching" or "lxmert".
    score : what a score is, of which f is the difference.
    extras : extras of hlx that its default engine takes.
    """

    model_type: str
    title: str
    example: str
    engines: tuple[str, ...]
    kind: str
    score: str
    extras: tuple[str, ...] = ()


_LOGIT = "logit: scaled cosine of image and text vector"

FAMILIES = {
    family.model_type: family
    for family in (
        Family("clip", "CLIP", "openai/clip-vit-base-patch32", ("jax", "torch"), "contrastive", _LOGIT),
        Family(
            "siglip",
            "SigLIP",
            "google/siglip-base-patch16-224",
            ("jax", "torch"),
            "contrastive",
            _LOGIT,
            ("siglip",),
        ),
        Family("flava", "FLAVA", "facebook/flava-full", ("jax", "torch"), "contrastive", _LOGIT),
        Family(
            "lxmert",
            "LXMERT",
            "unc-nlp/lxmert-base-uncased",
            ("torch",),
            "lxmert",
            "probability that text and image match",
            ("torch",),
        ),
        Family(
            "blip",
            "BLIP",
            "Salesforce/blip-itm-base-coco",
            ("torch",),
            "matching",
            "probability that text and image match",
            ("torch",),
        ),
    )
}
