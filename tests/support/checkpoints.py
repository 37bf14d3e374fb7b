"""Small random CLIP, SigLIP and FLAVA checkpoints on disk, made with transformers' PyTorch classes.

A port that reads these folders and agrees with the classes that wrote them reads the published ones too:
the maker varies what published checkpoints vary (end-of-text rule, activation, epsilon, widths, weight
precision, sharding, sparse configs, left-over buffers). Weights are drawn so that no part of the network
is close to the identity: a forgotten bias, norm or epsilon shows in the embeddings.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tests.support.vocabularies import (
    make_bert_tokenizer,
    make_clip_tokenizer,
    make_gemma_tokenizer,
    make_sentencepiece_tokenizer,
)

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel

WeightType = Literal["float32", "float16", "bfloat16"]
CLIP_MEAN, CLIP_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
LANCZOS, BILINEAR, BICUBIC = 1, 2, 3


def make_clip(
    folder: Path,
    *,
    image_size: int = 32,
    patch_size: int = 16,
    width: int = 48,
    heads: int = 3,
    mlp: int = 100,
    layers: int = 2,
    text_width: int = 40,
    text_heads: int = 2,
    text_mlp: int = 88,
    text_layers: int = 2,
    text_length: int = 20,
    projection: int = 36,
    hidden_act: str = "quick_gelu",
    layer_norm_eps: float = 1e-5,
    eos: Literal["legacy", "explicit"] = "legacy",
    vocab_size: int | None = None,
    dtype: WeightType = "float32",
    shards: int = 1,
    pickle_only: bool = False,
    buffers: bool = False,
    sparse_config: bool = False,
    seed: int = 0,
) -> Path:
    """Write a random CLIP with its tokenizer and image processor.

    Parameters
    ----------
    folder
        Created if missing.
    image_size, patch_size
        In pixels.
    width, heads, mlp, layers, text_width, text_heads, text_mlp, text_layers
        Sizes of the two towers.
    text_length
        Positions of the text tower, end of text included; longer texts are truncated.
    projection
        Width of the shared embedding.
    eos
        `"legacy"`: the config says 2, as the first published ones do, and the text is pooled at the largest
        id, which is the end-of-text token; it also pads. `"explicit"`: the config names the token, and a
        padding token has a larger id, so that the legacy rule would pool at the wrong place.
    vocab_size
        Rows of the token table; default what the tokenizer needs.
    shards
        At least so many safetensors files with an index where more than 1.
    pickle_only
        `pytorch_model.bin` in place of safetensors.
    buffers
        Add the `position_ids` buffers that checkpoints of transformers before 4.31 hold.
    sparse_config
        Leave out of config.json what equals transformers' defaults.

    Returns
    -------
    Path
        `folder`.
    """
    from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = make_clip_tokenizer(folder, length=text_length, own_pad=eos == "explicit")
    shared = {"hidden_act": hidden_act, "layer_norm_eps": layer_norm_eps, "projection_dim": projection}
    config = CLIPConfig(
        text_config=CLIPTextConfig(
            vocab_size=vocab_size or len(tokenizer),
            hidden_size=text_width,
            num_attention_heads=text_heads,
            intermediate_size=text_mlp,
            num_hidden_layers=text_layers,
            max_position_embeddings=text_length,
            bos_token_id=0 if eos == "legacy" else tokenizer.bos_token_id,
            eos_token_id=2 if eos == "legacy" else tokenizer.eos_token_id,
            pad_token_id=1 if eos == "legacy" else tokenizer.pad_token_id,
            **shared,
        ).to_dict(),
        vision_config=CLIPVisionConfig(
            image_size=image_size,
            patch_size=patch_size,
            hidden_size=width,
            num_attention_heads=heads,
            intermediate_size=mlp,
            num_hidden_layers=layers,
            **shared,
        ).to_dict(),
        projection_dim=projection,
    )
    model = _random(CLIPModel(config), seed, scale=93.7)
    _save(model, folder, dtype, shards, pickle_only, buffers)
    if sparse_config:
        _thin(folder, {"text_config": CLIPTextConfig(), "vision_config": CLIPVisionConfig()})
    processor: dict[str, object] = {
        "crop_size": image_size,
        "do_center_crop": True,
        "do_normalize": True,
        "do_resize": True,
        "feature_extractor_type": "CLIPFeatureExtractor",
        "image_mean": CLIP_MEAN,
        "image_std": CLIP_STD,
        "resample": BICUBIC,
        "size": image_size,
    }
    if eos == "explicit":  # newer files name sizes and class; the older form above must keep working too
        del processor["feature_extractor_type"]
        processor |= {
            "crop_size": {"height": image_size, "width": image_size},
            "size": {"shortest_edge": image_size},
            "image_processor_type": "CLIPImageProcessor",
        }
    _write_json(folder / "preprocessor_config.json", processor)
    return folder


def make_siglip(
    folder: Path,
    *,
    version: Literal[1, 2] = 1,
    tokenizer: Literal["sentencepiece", "fast"] | None = None,
    image_size: int = 32,
    patch_size: int = 16,
    width: int = 48,
    heads: int = 3,
    mlp: int = 100,
    layers: int = 2,
    text_width: int = 40,
    text_heads: int = 2,
    text_mlp: int = 88,
    text_layers: int = 2,
    text_length: int = 16,
    hidden_act: str = "gelu_pytorch_tanh",
    layer_norm_eps: float = 1e-6,
    vocab_size: int | None = None,
    dtype: WeightType = "float32",
    shards: int = 1,
    pickle_only: bool = False,
    buffers: bool = False,
    sparse_config: bool = False,
    seed: int = 0,
) -> Path:
    """Write a random SigLIP (or SigLIP 2 of fixed resolution) with its tokenizer and image processor.

    The text tower's `head` projects to the vision width, as in so400m where the two differ.

    Parameters
    ----------
    version
        1: sentencepiece tokenizer that lowercases and drops punctuation, bicubic resize. 2: tokenizer.json
        with a padding token of its own, bilinear resize.
    tokenizer
        Overrides the one of `version`; `"fast"` needs no sentencepiece.
    others
        As in `make_clip`.

    Returns
    -------
    Path
        `folder`.
    """
    from transformers import SiglipConfig, SiglipModel, SiglipTextConfig, SiglipVisionConfig

    folder.mkdir(parents=True, exist_ok=True)
    fast = (tokenizer or ("sentencepiece" if version == 1 else "fast")) == "fast"
    words = (make_gemma_tokenizer if fast else make_sentencepiece_tokenizer)(folder, length=text_length)
    shared = {"hidden_act": hidden_act, "layer_norm_eps": layer_norm_eps}
    config = SiglipConfig(
        text_config=SiglipTextConfig(
            vocab_size=vocab_size or len(words),
            hidden_size=text_width,
            num_attention_heads=text_heads,
            intermediate_size=text_mlp,
            num_hidden_layers=text_layers,
            max_position_embeddings=text_length,
            projection_size=width,
            **shared,
        ).to_dict(),
        vision_config=SiglipVisionConfig(
            image_size=image_size,
            patch_size=patch_size,
            hidden_size=width,
            num_attention_heads=heads,
            intermediate_size=mlp,
            num_hidden_layers=layers,
            **shared,
        ).to_dict(),
    )
    model = _random(SiglipModel(config), seed, scale=117.3)
    _save(model, folder, dtype, shards, pickle_only, buffers)
    if sparse_config:
        _thin(folder, {"text_config": SiglipTextConfig(), "vision_config": SiglipVisionConfig()})
    processor = {
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.5] * 3,
        "image_processor_type": "SiglipImageProcessor",
        "image_std": [0.5] * 3,
        "processor_class": "SiglipProcessor",
        "resample": BICUBIC if version == 1 else BILINEAR,
        "rescale_factor": 1 / 255,
        "size": {"height": image_size, "width": image_size},
    }
    _write_json(folder / "preprocessor_config.json", processor)
    return folder


def make_flava(
    folder: Path,
    *,
    whole: bool = True,
    tokenizer: Literal["vocab.txt", "fast"] = "vocab.txt",
    image_size: int = 32,
    patch_size: int = 16,
    width: int = 48,
    heads: int = 3,
    mlp: int = 100,
    layers: int = 2,
    text_width: int = 40,
    text_heads: int = 2,
    text_mlp: int = 88,
    text_layers: int = 2,
    text_length: int = 24,
    projection: int = 36,
    hidden_act: str = "gelu",
    layer_norm_eps: float = 1e-12,
    text_eps: float | None = None,
    qkv_bias: bool = True,
    codebook: bool = True,
    scale: float = 93.7,
    vocab_size: int | None = None,
    dtype: WeightType = "float32",
    shards: int = 1,
    pickle_only: bool = False,
    buffers: bool = False,
    sparse_config: bool = False,
    seed: int = 0,
) -> Path:
    """Write a random FLAVA with its tokenizer and image processor.

    The widths of the towers differ, which the heads for training do not allow: their weights in the loss are
    0, so that `FlavaForPreTraining` leaves them out; their parameters are in the file all the same.

    Parameters
    ----------
    whole
        A `FlavaForPreTraining`, its keys under `flava.` and beside them heads; else a `FlavaModel`.
    tokenizer
        `"fast"`: in tokenizer.json.
    text_eps
        LayerNorm epsilon of the text tower; default `layer_norm_eps`.
    codebook
        The image codebook is part of the whole model.
    scale
        exp(logit_scale).
    others
        As in `make_clip`.

    Returns
    -------
    Path
        `folder`.
    """
    from transformers import FlavaConfig, FlavaForPreTraining, FlavaModel
    from transformers.models.flava.configuration_flava import (
        FlavaImageCodebookConfig,
        FlavaImageConfig,
        FlavaMultimodalConfig,
        FlavaTextConfig,
    )

    folder.mkdir(parents=True, exist_ok=True)
    words = make_bert_tokenizer(folder, length=text_length, fast=tokenizer == "fast")
    shared = {"hidden_act": hidden_act, "qkv_bias": qkv_bias}
    small = {"hidden_size": 24, "num_attention_heads": 2, "intermediate_size": 30, "num_hidden_layers": 1}
    config = FlavaConfig(
        image_config=FlavaImageConfig(
            image_size=image_size,
            patch_size=patch_size,
            hidden_size=width,
            num_attention_heads=heads,
            intermediate_size=mlp,
            num_hidden_layers=layers,
            layer_norm_eps=layer_norm_eps,
            vocab_size=11,
            **shared,
        ).to_dict(),
        text_config=FlavaTextConfig(
            vocab_size=vocab_size or len(words),
            hidden_size=text_width,
            num_attention_heads=text_heads,
            intermediate_size=text_mlp,
            num_hidden_layers=text_layers,
            max_position_embeddings=text_length,
            layer_norm_eps=layer_norm_eps if text_eps is None else text_eps,
            pad_token_id=words.pad_token_id,
            **shared,
        ).to_dict(),
        multimodal_config=FlavaMultimodalConfig(**small).to_dict(),
        image_codebook_config=FlavaImageCodebookConfig(
            hidden_size=4, num_blocks_per_group=1, vocab_size=11
        ).to_dict(),
        hidden_size=24,
        projection_dim=projection,
        init_codebook=codebook,
        **dict.fromkeys(
            ("mim_weight", "mlm_weight", "itm_weight", "mmm_image_weight", "mmm_text_weight"), 0.0
        ),
    )
    model = _random((FlavaForPreTraining if whole else FlavaModel)(config), seed, scale)
    _save(model, folder, dtype, shards, pickle_only, buffers)
    if sparse_config:
        _thin(folder, {"text_config": FlavaTextConfig(), "image_config": FlavaImageConfig()})
    # As published: the codebook's part of the file, and sizes as bare numbers.
    processor = {
        "codebook_crop_size": 16,
        "codebook_do_center_crop": True,
        "codebook_do_map_pixels": True,
        "codebook_do_normalize": True,
        "codebook_do_resize": True,
        "codebook_image_mean": [0.0] * 3,
        "codebook_image_std": [1.0] * 3,
        "codebook_resample": LANCZOS,
        "codebook_size": 16,
        "crop_size": image_size,
        "do_center_crop": True,
        "do_normalize": True,
        "do_resize": True,
        "feature_extractor_type": "FlavaFeatureExtractor",
        "image_mean": CLIP_MEAN,
        "image_std": CLIP_STD,
        "input_size_patches": 14,
        "mask_group_max_aspect_ratio": None,
        "mask_group_max_patches": None,
        "mask_group_min_aspect_ratio": 0.3,
        "mask_group_min_patches": 16,
        "resample": BICUBIC,
        "return_codebook_pixels": True,
        "return_image_mask": True,
        "size": image_size,
        "total_mask_patches": 75,
    }
    _write_json(folder / "preprocessor_config.json", processor)
    return folder


def _random(model: PreTrainedModel, seed: int, scale: float) -> PreTrainedModel:
    """Draw all parameters so that activations keep unit scale and every bias, norm and position matters."""
    import torch
    from torch import nn

    draw = torch.Generator().manual_seed(seed)

    def normal(like: torch.Tensor, mean: float, spread: float) -> torch.Tensor:
        return mean + spread * torch.randn(like.shape, generator=draw)

    with torch.no_grad():
        for module in model.modules():
            for name, parameter in module.named_parameters(recurse=False):
                if isinstance(module, nn.LayerNorm):
                    mean, spread = (1.0, 0.2) if name == "weight" else (0.0, 0.2)
                elif isinstance(module, nn.Embedding):
                    mean, spread = 0.0, 0.7
                elif name == "logit_scale":
                    mean, spread = float(torch.tensor(scale).log()), 0.0
                elif name == "logit_bias":
                    mean, spread = -12.9, 0.0
                elif "bias" in name:
                    mean, spread = 0.0, 0.2
                elif name in ("class_embedding", "probe", "cls_token", "mask_token"):
                    mean, spread = 0.0, 1.0
                elif name == "position_embeddings":
                    mean, spread = 0.0, 0.7
                else:  # fan-in scaling, a little above one so that attention is peaked as in trained models
                    mean, spread = 0.0, 1.3 / parameter[0].numel() ** 0.5
                parameter.copy_(normal(parameter, mean, spread))
    return model.eval()


def _save(
    model: PreTrainedModel, folder: Path, dtype: WeightType, shards: int, pickle_only: bool, buffers: bool
) -> None:
    import torch

    model = model.to(getattr(torch, dtype))
    state = dict(model.state_dict())
    if buffers:
        state |= {f"{tower}.position_ids": torch.arange(n)[None] for tower, n in _positions(model).items()}
    if pickle_only:
        model.config.architectures = [type(model).__name__]
        model.config.save_pretrained(folder)
        torch.save(state, folder / "pytorch_model.bin")
        return
    size = sum(value.numel() * value.element_size() for value in state.values())
    model.save_pretrained(folder, max_shard_size=size if shards == 1 else size // shards)
    if buffers:
        from safetensors.torch import save_file

        if shards > 1:
            raise ValueError("buffers are added to a single file, not to shards")
        # FLAVA's heads share tensors, which safetensors refuses.
        state = {key: value.clone() for key, value in state.items()}
        save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


def _positions(model: PreTrainedModel) -> dict[str, int]:
    """Embeddings that had a buffer of position ids once, and its length."""
    config = model.config
    words = config.text_config.max_position_embeddings
    if config.model_type == "flava":
        prefix = "" if type(model).__name__ == "FlavaModel" else "flava."
        return {f"{prefix}text_model.embeddings": words}
    patches = (config.vision_config.image_size // config.vision_config.patch_size) ** 2
    return {
        "text_model.embeddings": words,
        "vision_model.embeddings": patches + (config.model_type == "clip"),
    }


def _thin(folder: Path, defaults: dict[str, PretrainedConfig]) -> None:
    """Drop from config.json what transformers would fill in by itself, as many published configs do."""
    path = folder / "config.json"
    config = json.loads(path.read_text())
    for tower, default in defaults.items():
        values = default.to_dict()
        config[tower] = {
            key: value
            for key, value in config[tower].items()
            if key == "model_type" or key not in values or values[key] != value
        }
    _write_json(path, config)


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")
