"""hlx's CLIP agrees with transformers' on random checkpoints of many shapes."""

from __future__ import annotations

import pytest

from tests.conftest import MakeCheckpoint

pytest.importorskip("torch", reason="the reference runs in torch")

from tests.parity.reference import assert_parity

CONFIGURATIONS: dict[str, dict[str, object]] = {
    "patch 16, quick_gelu, old end rule": {},
    "patch 14, gelu, explicit end, large epsilon": {
        "image_size": 42,
        "patch_size": 14,
        "hidden_act": "gelu",
        "eos": "explicit",
        "layer_norm_eps": 1e-2,
        "width": 60,
        "heads": 5,
        "mlp": 108,
        "projection": 20,
    },
    "patch 32, gelu tanh, one head, projection wider than the towers": {
        "image_size": 96,
        "patch_size": 32,
        "hidden_act": "gelu_pytorch_tanh",
        "width": 24,
        "heads": 1,
        "mlp": 50,
        "text_width": 56,
        "text_heads": 7,
        "text_mlp": 90,
        "projection": 72,
    },
    "input of 224 pixels, deeper text tower, three layers of images": {
        "image_size": 224,
        "patch_size": 32,
        "layers": 3,
        "text_layers": 4,
        "text_length": 77,
    },
    "one patch, one layer": {
        "image_size": 16,
        "layers": 1,
        "text_layers": 1,
        "eos": "explicit",
    },
    "float16 file": {"dtype": "float16", "eos": "explicit"},
    "bfloat16 file in shards": {"dtype": "bfloat16", "shards": 3, "hidden_act": "gelu"},
    "sparse config, position buffers": {"sparse_config": True, "buffers": True},
    "pickle alone, position buffers": {"pickle_only": True, "buffers": True, "dtype": "float16"},
}


@pytest.mark.parametrize("options", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_stages_agree(make_checkpoint: MakeCheckpoint, options: dict[str, object]) -> None:
    assert_parity(make_checkpoint("clip", **options))


@pytest.mark.slow
def test_full_size_agrees(make_checkpoint: MakeCheckpoint) -> None:
    """ViT-B/32 with a config that says little, as published."""
    folder = make_checkpoint(
        "clip",
        image_size=224,
        patch_size=32,
        width=768,
        heads=12,
        mlp=3072,
        layers=12,
        text_width=512,
        text_heads=8,
        text_mlp=2048,
        text_layers=12,
        text_length=77,
        projection=512,
        vocab_size=49408,
        sparse_config=True,
    )
    assert_parity(folder)
