"""What the embedded models know of held-out scenes, read from their checkpoints like any others."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from _embedded_forward import TOWERS, grid_boxes, grid_features
from _embedded_models import make_processor
from torch import Tensor
from torch.nn.functional import normalize
from transformers import AutoModel, AutoTokenizer, LxmertForPreTraining

from hlx.games.scenes import PHENOMENA, STATEMENTS, make_stimuli

Scorer = Callable[[list[np.ndarray]], Callable[[list[int]], Tensor]]
"""Images to a function from a statement each (indices of `STATEMENTS`) to scores."""


def size(module: torch.nn.Module) -> int:
    """Number of weights."""
    return sum(p.numel() for p in module.parameters())


def seeing(name: str, model: torch.nn.Module) -> int:
    """Number of weights that see the image and no text."""
    if name == "lxmert":
        return size(model.lxmert.encoder.visn_fc) + size(model.lxmert.encoder.r_layers)
    return size(getattr(model, TOWERS[name].eyes))


def load(name: str, folder: Path) -> torch.nn.Module:
    """The model of a checkpoint, by transformers."""
    kind = LxmertForPreTraining if name == "lxmert" else AutoModel
    return kind.from_pretrained(folder, local_files_only=True).eval()


def evaluate(name: str, folder: Path, n_per_kind: int, seed: int) -> dict[str, float]:
    """Share of held-out items of each phenomenon whose caption scores above its foil.

    The checkpoint is read like any other, with its own tokenizer and image processor.
    """
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    tokens = tokenizer(list(STATEMENTS), padding="max_length", return_tensors="pt")
    index = {text: i for i, text in enumerate(STATEMENTS)}
    items = make_stimuli(n_per_kind * len(PHENOMENA), seed)
    correct: list[bool] = []
    with torch.no_grad():
        scorer = (match_scorer if name == "lxmert" else tower_scorer)(name, folder, tokens)
        for start in range(0, len(items), 300):
            part = items[start : start + 300]
            score = scorer([item.image for item in part])
            captions, foils = [index[item.caption] for item in part], [index[item.foil] for item in part]
            correct += (score(captions) > score(foils)).tolist()
    # The phenomena come in turn.
    return {p: round(float(np.mean(correct[i :: len(PHENOMENA)])), 4) for i, p in enumerate(PHENOMENA)}


def tower_scorer(name: str, folder: Path, tokens: dict[str, Tensor]) -> Scorer:
    """Cosines of embeddings."""
    model = load(name, folder)
    processor = type(make_processor(name)).from_pretrained(folder, local_files_only=True)

    def embed(features: Tensor) -> Tensor:
        # FLAVA projects every token, and scores by the first.
        return normalize(features if features.ndim == 2 else features[:, 0], dim=-1)

    texts = embed(model.get_text_features(**tokens).pooler_output)

    def see(images: list[np.ndarray]) -> Callable[[list[int]], Tensor]:
        pixels = processor(images, return_tensors="pt")["pixel_values"]
        seen = embed(model.get_image_features(pixel_values=pixels).pooler_output)
        return lambda statements: (seen * texts[statements]).sum(1)

    return see


def match_scorer(name: str, folder: Path, tokens: dict[str, Tensor]) -> Scorer:
    """Probabilities of a match."""
    model, boxes = load(name, folder), grid_boxes()

    def see(images: list[np.ndarray]) -> Callable[[list[int]], Tensor]:
        features = grid_features(torch.tensor(np.array(images)).permute(0, 3, 1, 2) / 255)
        seen = dict(visual_feats=features, visual_pos=boxes.expand(len(features), -1, -1))

        def score(statements: list[int]) -> Tensor:
            asked = {key: value[statements] for key, value in tokens.items()}
            return model(**asked, **seen).cross_relationship_score.softmax(1)[:, 1]

        return score

    return see
