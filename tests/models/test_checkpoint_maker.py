"""The maker of random checkpoints makes what the parity tests think they test."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import MakeCheckpoint

torch = pytest.importorskip("torch")
TEXTS = ["A red circle", "there is NO blue square!", "é 漢字 x", "much longer than the " * 9 + "text tower"]
CASES = {
    "clip legacy": ("clip", {}),
    "clip explicit": ("clip", {"eos": "explicit"}),
    "siglip": ("siglip", {}),
    "siglip 2": ("siglip", {"version": 2}),
}


def _ids(folder: Path) -> np.ndarray:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    return np.array(tokenizer(TEXTS, padding="max_length", truncation=True)["input_ids"])


@pytest.mark.parametrize(("kind", "options"), CASES.values(), ids=CASES)
def test_tokenizer_loads_from_the_folder_and_fills_every_row(
    make_checkpoint: MakeCheckpoint, kind: str, options: dict
) -> None:
    folder = make_checkpoint(kind, **options)
    config = json.loads((folder / "config.json").read_text())["text_config"]
    ids = _ids(folder)
    assert ids.shape == (len(TEXTS), config["max_position_embeddings"])
    assert ids.min() >= 0 and ids.max() < config["vocab_size"]
    assert len({tuple(row) for row in ids}) == len(TEXTS)


def test_the_two_end_rules_pool_at_different_places(make_checkpoint: MakeCheckpoint) -> None:
    ids = _ids(make_checkpoint("clip", eos="explicit"))
    config = json.loads((make_checkpoint("clip", eos="explicit") / "config.json").read_text())
    first = (ids == config["text_config"]["eos_token_id"]).argmax(1)
    short = first < ids.shape[1] - 1
    assert short.any() and (ids.argmax(1) != first)[short].all()


@pytest.mark.parametrize(("kind", "options"), CASES.values(), ids=CASES)
def test_activations_are_neither_constant_nor_chaotic(
    make_checkpoint: MakeCheckpoint, kind: str, options: dict
) -> None:
    """Embeddings differ between inputs, and float32 keeps them to a tenth of the parity tolerance."""
    from transformers import AutoModel

    folder = make_checkpoint(kind, **options)
    pixels = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    ids = torch.tensor(_ids(folder))
    embeddings = {}
    for dtype in (torch.float32, torch.float64):
        model = AutoModel.from_pretrained(folder, dtype=dtype)
        with torch.inference_mode():
            out = model(pixel_values=pixels.to(dtype), input_ids=ids)
        embeddings[dtype] = torch.cat([out.image_embeds, out.text_embeds]).double()
    one = embeddings[torch.float64]
    assert (embeddings[torch.float32] - one).abs().max() < 2e-6
    cosine = (one @ one.T)[~np.eye(8, dtype=bool)]
    assert cosine.max() < 0.99


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_weight_files_have_the_precision_asked_for(make_checkpoint: MakeCheckpoint, dtype: str) -> None:
    from safetensors.torch import load_file

    folder = make_checkpoint("clip", dtype=dtype, shards=3)
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    files = set(index["weight_map"].values())
    assert len(files) >= 3
    weights = {name: value for file in files for name, value in load_file(folder / file).items()}
    assert set(weights) == set(index["weight_map"])
    assert {value.dtype for value in weights.values()} == {getattr(torch, dtype)}


def test_old_forms(make_checkpoint: MakeCheckpoint) -> None:
    """A pickle alone, position buffers among the weights, a config of little but widths."""
    from transformers import AutoModel

    folder = make_checkpoint("siglip", version=2, pickle_only=True, buffers=True)
    assert not list(folder.glob("*.safetensors"))
    names = set(torch.load(folder / "pytorch_model.bin", weights_only=True))
    assert {"text_model.embeddings.position_ids", "vision_model.embeddings.position_ids"} <= names

    full, sparse = make_checkpoint("clip"), make_checkpoint("clip", sparse_config=True)
    kept = json.loads((sparse / "config.json").read_text())["vision_config"]
    assert "hidden_act" not in kept and "hidden_size" in kept
    one, other = (AutoModel.from_pretrained(folder).state_dict() for folder in (full, sparse))
    assert all(torch.equal(one[name], other[name]) for name in one)
