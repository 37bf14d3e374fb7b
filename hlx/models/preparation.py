"""A checkpoint's own tokenizer and image processor, through transformers and without torch or torchvision."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int32, UInt8

from hlx.errors import InputError, ModelError
from hlx.models.checkpoint import read_json

PROCESSORS = {"clip": "CLIPImageProcessorPil", "siglip": "SiglipImageProcessorPil"}

TEXT_STEP = 16
"""Unpadded texts are padded to multiples of this, so that few lengths are compiled."""


class LongTextWarning(UserWarning):
    """A text was cut at the model's limit."""


class Texts:
    """Texts to token ids, by the checkpoint's tokenizer.

    Parameters
    ----------
    folder : directory with the tokenizer's files.
    limit : the text tower's number of positions.
    to_limit : pad every text to the limit (SigLIP), not only to the longest (CLIP).
    """

    def __init__(self, folder: Path, limit: int, to_limit: bool) -> None:
        from transformers import AutoTokenizer

        try:
            self._tokenizer = AutoTokenizer.from_pretrained(
                str(folder), local_files_only=True, trust_remote_code=False
            )
        except ImportError as error:
            raise ModelError(
                f"{folder}: its tokenizer takes the siglip extra: install hlx[siglip] ({_first_line(error)})"
            ) from error
        except Exception as error:  # tokenizers raise bare Exception for corrupt files
            text = _first_line(error)
            if "sentencepiece" in text.lower() or "protobuf" in text.lower():
                raise ModelError(
                    f"{folder}: its tokenizer takes the siglip extra: install hlx[siglip]"
                ) from error
            raise ModelError(f"{folder}: the tokenizer cannot be loaded: {text}") from error
        self._limit, self._to_limit = limit, to_limit

    def ids(self, texts: Sequence[str]) -> Int32[np.ndarray, "m t"]:
        """Token ids padded with the tokenizer's pad id; over-long texts are cut, with a `LongTextWarning`."""
        for text in texts:
            if not text.strip():
                raise InputError("an empty caption cannot be scored")
        whole = self._tokenizer(list(texts), truncation=False, padding=False)["input_ids"]
        for text, ids in zip(texts, whole, strict=True):
            if len(ids) > self._limit:
                warnings.warn(
                    f"caption of {len(ids)} tokens cut to the model's {self._limit}: {text[:60]!r}...",
                    LongTextWarning,
                    stacklevel=3,
                )
        longest = min(max(map(len, whole)), self._limit)
        length = self._limit if self._to_limit else min(-(-longest // TEXT_STEP) * TEXT_STEP, self._limit)
        padded = self._tokenizer(
            list(texts), padding="max_length", truncation=True, max_length=length, return_tensors="np"
        )
        return padded["input_ids"].astype(np.int32)


class Pixels:
    """Images to normalised pixels, by the checkpoint's image processor.

    Parameters
    ----------
    folder : directory with preprocessor_config.json.
    family : "clip" or "siglip".
    side : the model's input size in pixels.
    """

    def __init__(self, folder: Path, family: str, side: int) -> None:
        # Imported from its own module: the package's front door asks for torchvision.
        module = import_module(f"transformers.models.{family}.image_processing_pil_{family}")
        processor = getattr(module, PROCESSORS[family])
        config = read_json(folder / "preprocessor_config.json")
        try:
            self._processor = processor(**config)
        except Exception as error:
            raise ModelError(
                f"{folder}: preprocessor_config.json cannot be used: {_first_line(error)}"
            ) from error
        self._folder, self._side = folder, side

    def mean_and_scale(self) -> tuple[Float32[np.ndarray, " 3"], Float32[np.ndarray, " 3"]]:
        """Normalisation of a uint8 pixel x as (x - mean) * scale."""
        made = self._processor
        factor = made.rescale_factor if made.do_rescale else 1.0
        mean, std = (made.image_mean, made.image_std) if made.do_normalize else ([0.0] * 3, [1.0] * 3)
        return (np.asarray(mean) / factor).astype(np.float32), (factor / np.asarray(std)).astype(np.float32)

    def of(self, images: Sequence[UInt8[np.ndarray, "_h _w 3"]]) -> Float32[np.ndarray, "m s s 3"]:
        """Normalised pixels after the processor's own resize and crop, channels last."""
        made = self._processor(list(images), return_tensors="np", input_data_format="channels_last")
        pixels = np.asarray(made["pixel_values"], np.float32).transpose(0, 2, 3, 1)
        if pixels.shape[1:3] != (self._side, self._side):
            raise ModelError(
                f"{self._folder}: preprocessor_config.json makes images of {pixels.shape[1:3]} pixels, "
                f"config.json takes {self._side}x{self._side}"
            )
        return pixels


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
