"""The checkpoint's own classes in transformers and PyTorch, in float32: what a port must agree with."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch

from hlx.models.preparation import LongTextWarning, Texts

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
        from transformers import AutoModel, AutoTokenizer, CLIPImageProcessorPil, SiglipImageProcessorPil

        self.model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
        self.is_clip = self.model.config.model_type == "clip"
        processor = CLIPImageProcessorPil if self.is_clip else SiglipImageProcessorPil
        self.processor = processor.from_pretrained(folder)
        self.tokenizer = AutoTokenizer.from_pretrained(folder)

    def tokens(self, texts: list[str]) -> dict[str, torch.Tensor]:
        """Ids (t, length) padded to the text tower's length with the tokenizer's own padding id."""
        length = self.model.config.text_config.max_position_embeddings
        tokens = self.tokenizer(
            texts, padding="max_length", truncation=True, max_length=length, return_tensors="pt"
        )
        # SigLIP was trained without a mask: it attends to its padding.
        return {name: value for name, value in tokens.items() if name == "input_ids" or self.is_clip}

    def pixels(self, images: list[np.ndarray]) -> torch.Tensor:
        """(m, 3, side, side) float32, resized, cropped and normalised as the folder's file says."""
        return self.processor(images, return_tensors="pt")["pixel_values"]

    def image_embeddings(self, images: list[np.ndarray]) -> np.ndarray:
        """(m, p), of length one."""
        with torch.inference_mode():
            out = self.model.get_image_features(pixel_values=self.pixels(images)).pooler_output
        return torch.nn.functional.normalize(out, dim=-1).numpy()

    def text_embeddings(self, texts: list[str]) -> np.ndarray:
        """(t, p), of length one."""
        with torch.inference_mode():
            out = self.model.get_text_features(**self.tokens(texts)).pooler_output
        return torch.nn.functional.normalize(out, dim=-1).numpy()

    def logits(self, images: list[np.ndarray], texts: list[str]) -> np.ndarray:
        """`logits_per_image`, (m, t)."""
        with torch.inference_mode():
            return self.model(pixel_values=self.pixels(images), **self.tokens(texts)).logits_per_image.numpy()


def assert_parity(folder: Path) -> None:
    """Compare hlx's port with the reference stage by stage, so that a failure names the stage.

    Token ids are equal; normalised embeddings of images and texts agree within 2e-5, logits within 2e-3.
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
    np.testing.assert_allclose(scores, expected, rtol=0, atol=2e-3)


def assert_same_tokens(folder: Path, texts: list[str], reference: Reference) -> None:
    """hlx's ids equal the tokenizer's, padded with its padding id, CLIP's perhaps less far."""
    expected = reference.tokens(texts)["input_ids"].numpy()
    ids = Texts(folder, expected.shape[1], to_limit=not reference.is_clip).ids(texts)
    length = ids.shape[1]
    np.testing.assert_array_equal(ids, expected[:, :length])
    assert (expected[:, length:] == reference.tokenizer.pad_token_id).all()
