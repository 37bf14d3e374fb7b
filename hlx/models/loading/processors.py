"""A checkpoint's own tokenizer and image processor, through transformers and without torch or torchvision."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int32, UInt8

from hlx.errors import InputError, ModelError
from hlx.io.messages import first_line
from hlx.models.loading.checkpoint import read_json

PROCESSORS = {
    "clip": "CLIPImageProcessorPil",
    "siglip": "SiglipImageProcessorPil",
    "flava": "FlavaImageProcessorPil",
    "chinese_clip": "ChineseCLIPImageProcessorPil",
    "blip": "BlipImageProcessorPil",
    "vilt": "ViltImageProcessorPil",
}
"""Image processors by model_type."""

LEFT_OUT = {"flava": ("return_codebook_pixels", "return_image_mask")}
"""What a processor can make besides pixels, for training; off whatever its file says."""

TEXT_STEP = 16
"""Unpadded texts are padded to multiples of this, so that few lengths are compiled."""

TOKENIZER_FILES = (
    ("tokenizer.json",),
    ("vocab.json", "merges.txt"),
    ("spiece.model",),
    ("tokenizer.model",),
    ("vocab.txt",),
)
"""Any of these sets of files holds a whole vocabulary."""


class LongTextWarning(UserWarning):
    """A text was cut at the model's limit."""


class Tokenizer:
    """Texts to token ids, by the checkpoint's tokenizer.

    Parameters
    ----------
    folder
        Directory with the tokenizer's files.
    limit
        The text tower's number of positions.
    to_limit
        Pad every text to the limit, as the tokenizer does (SigLIP), not only to the longest, after the words
        (all others): there padding moves no word to another position.
    masked
        The model tells padding from words by its id.

    Raises
    ------
    ModelError
        Files are missing or corrupt; the tokenizer has no token for padding, or uses it for more where
        `masked`; the limit leaves no room for words.
    """

    def __init__(self, folder: Path, limit: int, to_limit: bool, masked: bool = False) -> None:
        # transformers tells everybody who has no torch that its own models are missing.
        os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
        from transformers import AutoTokenizer

        # Without its files transformers makes up a tokenizer that knows no word.
        if not any(all((folder / file).is_file() for file in files) for files in TOKENIZER_FILES):
            expected = ", ".join(" with ".join(files) for files in TOKENIZER_FILES)
            raise ModelError(f"{folder}: no tokenizer: expected one of {expected}")
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(
                str(folder), local_files_only=True, trust_remote_code=False
            )
        except ImportError as error:
            raise ModelError(
                f"{folder}: its tokenizer takes the siglip extra: install hlx[siglip] ({first_line(error)})"
            ) from error
        except Exception as error:  # tokenizers raise bare Exception for corrupt files
            text = first_line(error)
            if "sentencepiece" in text.lower() or "protobuf" in text.lower():
                raise ModelError(
                    f"{folder}: its tokenizer takes the siglip extra: install hlx[siglip]"
                ) from error
            raise ModelError(f"{folder}: the tokenizer cannot be loaded: {text}") from error
        if self._tokenizer.pad_token_id is None:
            raise ModelError(f"{folder}: the tokenizer has no padding token (pad_token)")
        if not to_limit:
            self._tokenizer.padding_side = "right"
        if masked:
            self._check_padding(folder)
        special = self._tokenizer.num_special_tokens_to_add()
        if limit <= special:
            raise ModelError(
                f"{folder}: config.json: max_position_embeddings is {limit}: "
                f"the tokenizer's {special} tokens around a text leave no room for words"
            )
        self._limit, self._to_limit = limit, to_limit

    def _check_padding(self, folder: Path) -> None:
        for kind in ("cls", "sep", "bos", "eos", "unk"):
            if getattr(self._tokenizer, f"{kind}_token_id") == self.pad:
                raise ModelError(
                    f"{folder}: the tokenizer pads with its {kind}_token, {self._tokenizer.pad_token!r}, "
                    "which texts have too: take a pad_token of its own"
                )

    @property
    def pad(self) -> int:
        """The id that pads."""
        return self._tokenizer.pad_token_id

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


class ImageProcessor:
    """Images to normalised pixels, by the checkpoint's image processor.

    Parameters
    ----------
    folder
        Directory with preprocessor_config.json.
    family
        model_type, a key of `PROCESSORS`.
    side
        The model's input size in pixels.
    """

    def __init__(self, folder: Path, family: str, side: int) -> None:
        # Imported from its own module: the package's front door asks for torchvision.
        module = import_module(f"transformers.models.{family}.image_processing_pil_{family}")
        processor = getattr(module, PROCESSORS[family])
        self._folder, self._side = folder, side
        config = self._config()
        try:
            self._processor = processor(**config | dict.fromkeys(LEFT_OUT.get(family, ()), False))
            mean, scale = self.mean_and_scale()
        except Exception as error:  # whatever a processor makes of values it does not expect
            raise ModelError(f"{folder}: {self._file} cannot be used: {first_line(error)}") from error
        if mean.shape != (3,) or scale.shape != (3,) or not np.isfinite([mean, scale]).all():
            raise ModelError(
                f"{folder}: {self._file}: image_mean and image_std are not three usable numbers each"
            )

    def _config(self) -> dict:
        unified = self._folder / "processor_config.json"  # where transformers 5 saves it
        self._file = "preprocessor_config.json"
        if (self._folder / self._file).exists() or not unified.exists():
            return read_json(self._folder / self._file)
        self._file = unified.name
        config = read_json(unified).get("image_processor")
        if not isinstance(config, dict):
            raise ModelError(f"{self._folder}: preprocessor_config.json is missing")
        return config

    def mean_and_scale(self) -> tuple[Float32[np.ndarray, " 3"], Float32[np.ndarray, " 3"]]:
        """Normalisation of a uint8 pixel x as (x - mean) * scale."""
        made = self._processor
        factor = made.rescale_factor if made.do_rescale else 1.0
        mean, std = (made.image_mean, made.image_std) if made.do_normalize else ([0.0] * 3, [1.0] * 3)
        return (np.asarray(mean) / factor).astype(np.float32), (factor / np.asarray(std)).astype(np.float32)

    def check_pixelwise(self) -> None:
        """Raise ModelError unless squares of the model's side are only normalised, pixel by pixel."""
        ramp = np.arange(self._side * self._side * 3, dtype=np.int64) % 251
        image = ramp.astype(np.uint8).reshape(self._side, self._side, 3)
        mean, scale = self.mean_and_scale()
        if not np.allclose(self.of([image])[0], (image - mean) * scale, rtol=0, atol=1e-4):
            raise ModelError(
                f"{self._folder}: {self._file} does more to images of {self._side}x{self._side} pixels, "
                "which config.json takes, than to normalise them"
            )

    def of(self, images: Sequence[UInt8[np.ndarray, "_h _w 3"]]) -> Float32[np.ndarray, "m s s 3"]:
        """Normalised pixels after the processor's own resize and crop, channels last."""
        made = self._processor(list(images), return_tensors="np", input_data_format="channels_last")
        pixels = np.asarray(made["pixel_values"], np.float32).transpose(0, 2, 3, 1)
        if pixels.shape[1:3] != (self._side, self._side):
            raise ModelError(
                f"{self._folder}: {self._file} makes images of {pixels.shape[1:3]} pixels, "
                f"config.json takes {self._side}x{self._side}"
            )
        return pixels
