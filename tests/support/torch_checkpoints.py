"""Small random checkpoints of the architectures that only PyTorch runs, made with transformers' classes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

from tests.support.checkpoints import BICUBIC, CLIP_MEAN, CLIP_STD, _random, _save, _write_json
from tests.support.vocabularies import make_bert_tokenizer, make_gemma_tokenizer

MakeTorchCheckpoint = Callable[..., Path]

PEAKED = ("query.weight", "key.weight", "q_proj.weight", "k_proj.weight")


def cached_maker(root: Path) -> MakeTorchCheckpoint:
    """Makes a checkpoint of `MAKERS`, or hands out the one made before with the same options."""
    made: dict[str, Path] = {}
    numbers = itertools.count()

    def make(kind: str, **options: object) -> Path:
        key = f"{kind} {sorted(options.items())}"
        if key not in made:
            made[key] = MAKERS[kind](root / f"{kind}-{next(numbers)}", **options)
        return made[key]

    return make


def make_chinese_clip(folder: Path, *, image_size: int = 32, eps: float = 1e-3, seed: int = 0) -> Path:
    """Write a random Chinese CLIP with its tokenizer and image processor; `eps` of all layer norms."""
    from transformers import ChineseCLIPConfig, ChineseCLIPModel

    folder.mkdir(parents=True, exist_ok=True)
    words = make_bert_tokenizer(folder, length=24)
    text = _sizes(40, 2, 88, eps) | {"vocab_size": len(words), "max_position_embeddings": 24}
    vision = _sizes(48, 3, 100, eps) | {"image_size": image_size, "patch_size": 16}
    config = ChineseCLIPConfig(
        text_config=text | {"pad_token_id": words.pad_token_id, "hidden_act": "gelu"},
        vision_config=vision | {"hidden_act": "quick_gelu"},
        projection_dim=36,
    )
    model = _random(ChineseCLIPModel(config), seed, scale=93.7)
    return _finish(model, folder, "ChineseCLIP", {"size": {"shortest_edge": image_size}, "crop": image_size})


def make_metaclip_2(folder: Path, *, image_size: int = 32, eps: float = 1e-3, seed: int = 0) -> Path:
    """Write a random MetaCLIP 2 with a tokenizer of its kind and its image processor."""
    from transformers import MetaClip2Config, MetaClip2Model

    folder.mkdir(parents=True, exist_ok=True)
    words = make_gemma_tokenizer(folder, length=20)
    text = _sizes(40, 2, 88, eps) | {"vocab_size": len(words), "max_position_embeddings": 20}
    vision = _sizes(48, 3, 100, eps) | {"image_size": image_size, "patch_size": 16}
    ends = {"bos_token_id": 2, "eos_token_id": words.eos_token_id, "pad_token_id": words.pad_token_id}
    config = MetaClip2Config(
        text_config=text | ends | {"projection_dim": 36},
        vision_config=vision | {"projection_dim": 36},
        projection_dim=36,
    )
    model = _random(MetaClip2Model(config), seed, scale=93.7)
    return _finish(model, folder, "CLIP", {"size": {"shortest_edge": image_size}, "crop": image_size})


def make_blip(
    folder: Path,
    *,
    task: str = "BlipForImageTextRetrieval",
    image_size: int = 32,
    eps: float = 1e-3,
    seed: int = 0,
) -> Path:
    """Write a random BLIP of a task, the name of its class, with its tokenizer and image processor."""
    import transformers
    from transformers import BlipConfig

    folder.mkdir(parents=True, exist_ok=True)
    words = make_bert_tokenizer(folder, length=40)
    text = _sizes(40, 2, 88, eps) | {"vocab_size": len(words), "max_position_embeddings": 40}
    vision = _sizes(48, 3, 100, eps) | {"image_size": image_size, "patch_size": 16}
    ends = {"bos_token_id": 3, "sep_token_id": 4, "eos_token_id": 4, "pad_token_id": words.pad_token_id}
    config = BlipConfig(
        text_config=text | ends | {"encoder_hidden_size": 48},
        vision_config=vision,
        image_text_hidden_size=20,
    )
    model = _random(getattr(transformers, task)(config), seed, scale=1.0)
    return _finish(model, folder, "Blip", {"size": {"height": image_size, "width": image_size}})


def make_vilt(
    folder: Path,
    *,
    task: str = "ViltForImageAndTextRetrieval",
    image_size: int = 48,
    eps: float = 1e-3,
    max_image_length: int = -1,
    seed: int = 0,
) -> Path:
    """Write a random ViLT of a task, the name of its class, with its tokenizer and image processor."""
    import transformers
    from transformers import ViltConfig

    folder.mkdir(parents=True, exist_ok=True)
    words = make_bert_tokenizer(folder, length=40)
    config = ViltConfig(
        **_sizes(48, 3, 100, eps),
        vocab_size=len(words),
        max_position_embeddings=40,
        image_size=image_size,
        patch_size=16,
        max_image_length=max_image_length,
    )
    model = _random(getattr(transformers, task)(config), seed, scale=1.0)
    processor = {"size": image_size, "size_divisor": 16, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    return _finish(model, folder, "Vilt", processor)


MAKERS = {
    "blip": make_blip,
    "chinese_clip": make_chinese_clip,
    "metaclip_2": make_metaclip_2,
    "vilt": make_vilt,
}


def _sizes(width: int, heads: int, mlp: int, eps: float) -> dict[str, object]:
    return {
        "hidden_size": width,
        "num_attention_heads": heads,
        "intermediate_size": mlp,
        "num_hidden_layers": 3,
        "layer_norm_eps": eps,
    }


def _finish(model: object, folder: Path, family: str, processor: dict[str, object]) -> Path:
    import torch

    draw = torch.Generator().manual_seed(9)
    for name, parameter in model.named_parameters():
        if name.endswith(PEAKED):  # else all tokens become one
            parameter.data *= 2.5
        if name.endswith((".position_embedding", ".position_embeddings")):
            parameter.data = 0.7 * torch.randn(parameter.shape, generator=draw)
    _save(model, folder, "float32", 1, pickle_only=False, buffers=False)
    if side := processor.pop("crop", None):
        processor |= {"crop_size": {"height": side, "width": side}, "do_center_crop": True}
    common = {
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": CLIP_MEAN,
        "image_processor_type": f"{family}ImageProcessor",
        "image_std": CLIP_STD,
        "resample": BICUBIC,
        "rescale_factor": 1 / 255,
    }
    _write_json(folder / "preprocessor_config.json", common | processor)
    return folder
