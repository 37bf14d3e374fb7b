"""hlx's FLAVA agrees with transformers' contrastive score on random checkpoints of many shapes.

What its checkpoints hold beside the two towers is passed over, and nothing else is.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hlx.errors import ModelError
from hlx.models import load_model, load_text_side
from tests.conftest import MakeCheckpoint

pytest.importorskip("torch", reason="the reference runs in torch")

from transformers.models.flava.modeling_flava import LOGIT_SCALE_CLAMP_MAX

from tests.parity.reference import Reference, assert_parity, photographs

LOGITS_WITHIN = 1e-4
SAFE = "model.safetensors"
TEXTS = ["x", "a red circle on a grey ground", "two green triangles"]

CONFIGURATIONS: dict[str, dict[str, object]] = {
    "patch 16, whole model": {},
    "towers alone, largest logit scale": {"whole": False, "scale": math.exp(LOGIT_SCALE_CLAMP_MAX)},
    "patch 14, odd input, large epsilons that differ, no codebook": {
        "image_size": 46,
        "patch_size": 14,
        "layer_norm_eps": 1e-2,
        "text_eps": 3e-2,
        "width": 60,
        "heads": 5,
        "mlp": 108,
        "projection": 20,
        "codebook": False,
    },
    "patch 32, quick_gelu, one head, projection wider than the towers": {
        "image_size": 96,
        "patch_size": 32,
        "hidden_act": "quick_gelu",
        "width": 24,
        "heads": 1,
        "mlp": 50,
        "text_width": 56,
        "text_heads": 7,
        "text_mlp": 90,
        "projection": 72,
    },
    "no biases of queries, keys and values; tokenizer.json": {"qkv_bias": False, "tokenizer": "fast"},
    "input of 224 pixels, deeper text tower, three layers of images": {
        "image_size": 224,
        "layers": 3,
        "text_layers": 4,
        "text_length": 70,
        "scale": 14.3,
    },
    "one patch, one layer, one layer of text, gelu tanh": {
        "image_size": 16,
        "layers": 1,
        "text_layers": 1,
        "hidden_act": "gelu_pytorch_tanh",
        "whole": False,
    },
    "float16 file": {"dtype": "float16", "whole": False},
    "bfloat16 file in shards": {"dtype": "bfloat16", "shards": 3},
    "sparse config, position buffers": {"sparse_config": True, "buffers": True},
    "pickle alone, position buffers": {"pickle_only": True, "buffers": True, "dtype": "float16"},
    "pickle alone, towers alone": {"pickle_only": True, "whole": False},
    "logit scale above what training allows": {"scale": 150.0},
}


@pytest.mark.parametrize("options", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_stages_agree(make_checkpoint: MakeCheckpoint, options: dict[str, object]) -> None:
    assert_parity(make_checkpoint("flava", **options), logits_within=LOGITS_WITHIN)


def test_a_text_is_encoded_alike_in_any_company(make_checkpoint: MakeCheckpoint) -> None:
    """More padding, beside a longer text, changes nothing, nor do the texts beside it."""
    model = load_model(make_checkpoint("flava", text_length=40))
    long = "the dog chases the cat, the cat doesn't chase the dog"
    lengths = [model.texts.ids(texts).shape[1] for texts in (TEXTS[:1], [*TEXTS, long])]
    assert lengths == [16, 32]
    together = model.encode_texts([*TEXTS, long])
    alone = np.concatenate([model.encode_texts([text]) for text in [*TEXTS, long]])
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-6)


def test_the_tokenizer_says_what_pads(make_checkpoint: MakeCheckpoint, tmp_path: Path) -> None:
    """Not config.json, whose padding id transformers only trains by."""
    folder = Path(shutil.copytree(make_checkpoint("flava"), tmp_path / "flava"))
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["pad_token_id"] = 0
    (folder / "config.json").write_text(json.dumps(config))
    found, expected = load_model(folder).encode_texts(TEXTS), Reference(folder).text_embeddings(TEXTS)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5)


def test_text_side_alone(make_checkpoint: MakeCheckpoint) -> None:
    folder = make_checkpoint("flava")
    side, _ = load_text_side(folder)
    np.testing.assert_array_equal(side.encode(TEXTS), load_model(folder).encode_texts(TEXTS))
    assert side.scale == pytest.approx(93.7) and side.bias == 0.0


def test_masks_and_codebook_pixels_are_not_made(make_checkpoint: MakeCheckpoint) -> None:
    """Though the folder's file asks for both, which take torch and a random generator."""
    made = load_model(make_checkpoint("flava"))._pixels._processor(photographs(), return_tensors="np")
    assert list(made) == ["pixel_values"]


Weights = dict[str, np.ndarray]


def changed(source: Path, folder: Path, change: Callable[[Weights], object]) -> Path:
    """A copy of a checkpoint with other weights."""
    from safetensors.numpy import load_file, save_file

    shutil.copytree(source, folder)
    weights = load_file(folder / SAFE)
    change(weights)
    save_file(weights, folder / SAFE)
    return folder


TOWERS = ("logit_scale", "image_model.", "text_model.", "image_projection.", "text_projection.")


def test_the_towers_are_all_it_takes(make_checkpoint: MakeCheckpoint, tmp_path: Path) -> None:
    """Without heads, codebook, multimodal encoder, poolers and mask token the scores are the same."""

    def keep_towers(weights: Weights) -> None:
        for key in list(weights):
            inside = key.removeprefix("flava.")
            if not inside.startswith(TOWERS) or ".pooler." in key or key.endswith(".mask_token"):
                del weights[key]

    whole = make_checkpoint("flava")
    bare = changed(whole, tmp_path / "bare", keep_towers)
    assert (bare / SAFE).stat().st_size < 0.9 * (whole / SAFE).stat().st_size
    images = photographs()
    np.testing.assert_array_equal(
        load_model(bare).scores(images, TEXTS), load_model(whole).scores(images, TEXTS)
    )


ONES = np.ones((2, 3), np.float32)
QUERY = "text_model.encoder.layer.1.attention.attention.query.bias"
BROKEN: dict[str, tuple[bool, Callable[[Weights], object], tuple[str, ...]]] = {
    "missing, whole model": (
        True,
        lambda w: w.pop(f"flava.{QUERY}"),
        (f"key flava.{QUERY} is missing",),
    ),
    "missing, towers alone": (False, lambda w: w.pop(QUERY), (f"key {QUERY} is missing",)),
    "missing projection": (
        True,
        lambda w: [w.pop(f"flava.image_projection.{part}") for part in ("weight", "bias")],
        ("key flava.image_projection.weight (and 1 more) is missing",),
    ),
    "unknown, whole model": (
        True,
        lambda w: w.update({"flava.text_model.adapter.weight": ONES}),
        ("unexpected key flava.text_model.adapter.weight", "(2, 3)"),
    ),
    "unknown, towers alone": (
        False,
        lambda w: w.update({"image_model.adapter.weight": ONES}),
        ("unexpected key image_model.adapter.weight", "(2, 3)"),
    ),
    "unknown head": (True, lambda w: w.update({"vqa_head.weight": ONES}), ("vqa_head.weight",)),
    "another layer": (
        True,
        lambda w: w.update({"flava.image_model.encoder.layer.2.output.dense.weight": ONES}),
        ("unexpected key flava.image_model.encoder.layer.2.output.dense.weight",),
    ),
    "shape": (
        True,
        lambda w: w.update({"flava.text_projection.weight": ONES}),
        ("flava.text_projection.weight", "(2, 3)", "(36, 40)"),
    ),
    "with and without the prefix": (
        True,
        lambda w: w.update({QUERY: w[f"flava.{QUERY}"]}),
        (f"flava.{QUERY}", f" {QUERY}", "same"),
    ),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_broken_weights_are_refused(
    make_checkpoint: MakeCheckpoint,
    tmp_path: Path,
    broken: tuple[bool, Callable[[Weights], object], tuple[str, ...]],
) -> None:
    whole, change, words = broken
    folder = changed(make_checkpoint("flava", whole=whole), tmp_path / "broken", change)
    with pytest.raises(ModelError) as caught:
        load_model(folder)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_biases_that_the_config_denies_are_refused(make_checkpoint: MakeCheckpoint, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(make_checkpoint("flava"), tmp_path / "flava"))
    config = json.loads((folder / "config.json").read_text())
    config["image_config"]["qkv_bias"] = False
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"unexpected key flava\.image_model\..*\.key\.bias"):
        load_model(folder)


@pytest.mark.parametrize(
    ("tower", "size", "value"),
    [
        ("image_config", "image_size", [32, 48]),
        ("image_config", "patch_size", 0),
        ("image_config", "num_attention_heads", 7),
        ("text_config", "num_attention_heads", 3),
        ("text_config", "num_hidden_layers", 0),
        ("text_config", "hidden_act", "mish"),
    ],
)
def test_impossible_configs_are_refused(
    make_checkpoint: MakeCheckpoint, tmp_path: Path, tower: str, size: str, value: object
) -> None:
    folder = Path(shutil.copytree(make_checkpoint("flava"), tmp_path / "flava"))
    config = json.loads((folder / "config.json").read_text())
    config[tower][size] = value
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=str(value).replace("[", r"\[")):
        load_model(folder)


@pytest.mark.slow
def test_full_size_agrees(make_checkpoint: MakeCheckpoint) -> None:
    """base/16-224 with a config that says little, as published."""
    folder = make_checkpoint(
        "flava",
        image_size=224,
        patch_size=16,
        width=768,
        heads=12,
        mlp=3072,
        layers=12,
        text_width=768,
        text_heads=12,
        text_mlp=3072,
        text_layers=12,
        text_length=512,
        projection=768,
        vocab_size=30522,
        sparse_config=True,
    )
    assert_parity(folder)
