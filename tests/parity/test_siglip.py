"""hlx's SigLIP agrees with transformers' on random checkpoints of many shapes, SigLIP 2 included."""

from __future__ import annotations

import pytest

from tests.conftest import MakeCheckpoint

pytest.importorskip("torch", reason="the reference runs in torch")
pytest.importorskip("sentencepiece", reason="SigLIP's tokenizer needs the siglip extra")

from tests.parity.reference import assert_parity

CONFIGURATIONS: dict[str, dict[str, object]] = {
    "patch 16, gelu tanh": {},
    "patch 14, as so400m: MLP no multiple of 64, 16 tokens, odd input size": {
        "image_size": 46,
        "patch_size": 14,
        "width": 64,
        "heads": 16,
        "mlp": 269,
        "text_width": 64,
        "text_heads": 16,
        "text_mlp": 269,
        "text_length": 16,
    },
    "patch 32, gelu, large epsilon": {
        "image_size": 96,
        "patch_size": 32,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-2,
        "width": 60,
        "heads": 5,
        "mlp": 70,
    },
    "quick_gelu, one layer": {"hidden_act": "quick_gelu", "layers": 1, "text_layers": 1},
    "SigLIP 2, 64 tokens, input of 224 pixels": {"version": 2, "text_length": 64, "image_size": 224},
    "SigLIP 2, patch 14": {
        "version": 2,
        "image_size": 42,
        "patch_size": 14,
        "text_width": 72,
        "text_heads": 3,
    },
    "SigLIP with tokenizer.json": {"tokenizer": "fast"},
    "float16 file": {"dtype": "float16"},
    "bfloat16 file in shards": {"dtype": "bfloat16", "shards": 3, "version": 2},
    "sparse config, position buffers": {"sparse_config": True, "buffers": True},
    "pickle alone": {"pickle_only": True},
}


@pytest.mark.parametrize("options", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_stages_agree(make_checkpoint: MakeCheckpoint, options: dict[str, object]) -> None:
    assert_parity(make_checkpoint("siglip", **options))


@pytest.mark.slow
@pytest.mark.parametrize("version", [1, 2])
def test_full_size_agrees(make_checkpoint: MakeCheckpoint, version: int) -> None:
    """base/16-224 with a config that says nothing but the models' names, as published."""
    folder = make_checkpoint(
        "siglip",
        version=version,
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
        text_length=64,
        vocab_size=32000,
        sparse_config=True,
    )
    assert_parity(folder)
