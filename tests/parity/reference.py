"""The checkpoint's own classes in transformers and PyTorch, in float32: what a port must agree with."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import torch

from hlx.models.loading.processors import PROCESSORS, LongTextWarning, Tokenizer

TEXTS = (
    "a red circle on a grey ground",
    "There is NO blue square!",
    "x",
    "the dog doesn't chase the cat; é 漢字 12",
    "two green triangles are left of the yellow star and so on until the text tower's positions run out",
)


def photographs(seed: int = 0) -> list[np.ndarray]:
    """Images of odd sizes, portrait, landscape, square, smaller and larger than the model's input.

    Smooth with some noise, so that resizing them is neither trivial nor all aliasing.
    """
    draw = np.random.default_rng(seed)
    images = []
    for height, width in ((53, 91), (301, 97), (32, 32), (20, 17), (224, 331)):
        y, x = np.mgrid[:height, :width]
        waves = draw.uniform(0.02, 0.3, (3, 2))
        shift = draw.uniform(0, 6, 3)
        smooth = np.stack([np.sin(waves[c, 0] * y + waves[c, 1] * x + shift[c]) for c in range(3)], axis=-1)
        noisy = 127 + 90 * smooth + draw.normal(0, 12, (height, width, 3))
        images.append(noisy.clip(0, 255).astype(np.uint8))
    return images


def squares(side: int, seed: int = 1) -> np.ndarray:
    """As many images of the model's input size as photographs, (5, side, side, 3) uint8."""
    return np.random.default_rng(seed).integers(0, 256, (5, side, side, 3), dtype=np.uint8)


class Reference:
    """Image processor, tokenizer and model of one folder, each loaded by transformers."""

    def __init__(self, folder: Path) -> None:
        import transformers

        with open(folder / "config.json", encoding="utf-8") as file:
            self.family = json.load(file)["model_type"]
        # Only FLAVA's whole model for pretraining computes the contrastive score.
        kind = transformers.FlavaForPreTraining if self.family == "flava" else transformers.AutoModel
        self.whole = kind.from_pretrained(folder, dtype=torch.float32).eval()
        self.model = self.whole.flava if self.family == "flava" else self.whole
        if self.family == "flava":  # called as in the other models
            self.model.config.vision_config = self.model.config.image_config
        self.processor = getattr(transformers, PROCESSORS[self.family]).from_pretrained(folder)
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)

    def tokens(self, texts: list[str]) -> dict[str, torch.Tensor]:
        """Ids (t, length) padded to the text tower's length with the tokenizer's own padding id."""
        length = self.model.config.text_config.max_position_embeddings
        tokens = self.tokenizer(
            texts, padding="max_length", truncation=True, max_length=length, return_tensors="pt"
        )
        # SigLIP was trained without a mask: it attends to its padding.
        return {name: each for name, each in tokens.items() if name == "input_ids" or self.family != "siglip"}

    def pixels(self, images: list[np.ndarray]) -> torch.Tensor:
        """(m, 3, side, side) float32, resized, cropped and normalised as the folder's file says."""
        return self.processor(images, return_tensors="pt")["pixel_values"]

    def image_embeddings(self, images: list[np.ndarray]) -> np.ndarray:
        """(m, p), of length one."""
        with torch.inference_mode():
            out = self.model.get_image_features(pixel_values=self.pixels(images)).pooler_output
        return self._unit(out)

    def text_embeddings(self, texts: list[str]) -> np.ndarray:
        """(t, p), of length one."""
        with torch.inference_mode():
            out = self.model.get_text_features(**self.tokens(texts)).pooler_output
        return self._unit(out)

    def _unit(self, out: torch.Tensor) -> np.ndarray:
        # FLAVA projects every token; the score is of the first.
        return torch.nn.functional.normalize(out[:, 0] if self.family == "flava" else out, dim=-1).numpy()

    def logits(self, images: list[np.ndarray], texts: list[str]) -> np.ndarray:
        """`logits_per_image`, (m, t)."""
        pixels, tokens = self.pixels(images), self.tokens(texts)
        with torch.inference_mode():
            if self.family != "flava":
                return self.whole(pixel_values=pixels, **tokens).logits_per_image.numpy()
            # Its multimodal encoder takes as many images as texts.
            rows = torch.arange(max(len(images), len(texts)))
            out = self.whole(
                pixel_values=pixels[rows % len(images)],
                **{name: each[rows % len(texts)] for name, each in tokens.items()},
                return_loss=False,
            )
            return out.contrastive_logits_per_image[: len(images), : len(texts)].numpy()


def assert_parity(folder: Path, logits_within: float = 2e-3) -> None:
    """Compare hlx's port with the reference stage by stage, so that a failure names the stage.

    Token ids are equal; normalised embeddings of images and texts agree within 2e-5, logits as asked.
    """
    from hlx.models import load_model

    port, reference = load_model(folder), Reference(folder)
    texts, images = list(TEXTS), photographs()
    with warnings.catch_warnings():  # the over-long text is announced as cut
        warnings.simplefilter("ignore", LongTextWarning)
        assert_same_tokens(folder, texts, reference)
        text = port.encode_texts(texts)
        scores = port.scores(images, texts)
    np.testing.assert_allclose(text, reference.text_embeddings(texts), rtol=0, atol=2e-5)
    inputs = squares(port.side)
    np.testing.assert_allclose(
        port.encode_squares(inputs), reference.image_embeddings(list(inputs)), rtol=0, atol=2e-5
    )
    expected = reference.logits(images, texts)
    assert np.ptp(expected) > 1  # otherwise agreement would say little
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, rtol=0, atol=logits_within)


def assert_same_tokens(folder: Path, texts: list[str], reference: Reference) -> None:
    """hlx's ids equal the tokenizer's, padded with its padding id, but for SigLIP's perhaps less far."""
    expected = reference.tokens(texts)["input_ids"].numpy()
    ids = Tokenizer(folder, expected.shape[1], to_limit=reference.family == "siglip").ids(texts)
    length = ids.shape[1]
    np.testing.assert_array_equal(ids, expected[:, :length])
    assert (expected[:, length:] == reference.tokenizer.pad_token_id).all()
