"""docs/extending.md as a reader follows it: own estimator, measure and architecture on the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.command_line import hlx, refusal
from tests.support.sweep_files import write_sweep

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "extending.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.S)
ESTIMATOR, MEASURE, FAMILY_ROW, KIND_ROW = BLOCKS


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with the page's files and a photo."""
    monkeypatch.chdir(tmp_path)
    Path("halves.py").write_text(ESTIMATOR)
    Path("shared.py").write_text(MEASURE)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    Image.fromarray(pixels).save("photo.png")
    return tmp_path


def test_an_estimator_of_your_own(folder: Path) -> None:
    asked = ("explain", "photo.png", "--caption", "a red circle", "--estimator", "halves.py:halves")
    found = json.loads(hlx(*asked, "--grid", "3x3", "--budget", "40", "--json", "--out", "m.h5").out)
    assert found["estimator"] == "halves.py:halves" and found["kind"] == "mean differences"
    assert found["n_evaluations"] <= 40 and np.isfinite(found["shapley"]).all()
    again = json.loads(hlx("explain", "--from", "m.h5", "--json").out)
    assert again["shapley"] == found["shapley"]
    assert "halves.py has nothing called h" in refusal(folder, *asked[:-1], "halves.py:h", "--budget", "40")
    assert "expected an Estimator" in refusal(folder, *asked[:-1], "halves.py:plan", "--budget", "40")
    assert "there is no file none.py" in refusal(folder, *asked[:-1], "none.py:h", "--budget", "40")


def test_a_sweep_knows_an_estimator_by_the_content_of_its_file(folder: Path) -> None:
    path = write_sweep(
        folder, models=["fast.py:model"], estimators=[{"name": "halves.py:halves", "budgets": [12]}]
    )
    assert json.loads(hlx("sweep", "run", path, "--json").out)["done"] == 3
    assert json.loads(hlx("sweep", "run", path, "--json").out)["done"] == 0
    Path("halves.py").write_text(ESTIMATOR + "\n# another\n")
    assert json.loads(hlx("sweep", "run", path, "--json").out)["done"] == 3


def test_a_measure_of_your_own(folder: Path) -> None:
    maps = np.random.default_rng(1).random((2, 6, 4))
    for name, values in zip(("model", "humans"), maps, strict=True):
        rows = [f"s{i},{','.join(map(str, row))}" for i, row in enumerate(values)]
        Path(f"{name}.csv").write_text("\n".join(["stimulus,r0c0,r0c1,r1c0,r1c1", *rows]))
    asked = ("compare", "model.csv", "humans.csv", "--measure", "shared.py:shared_mass", "--json")
    said = hlx(*asked)
    assert said.status == 0, said.err
    shares = maps / maps.sum(axis=2, keepdims=True)
    assert f"{np.minimum(*shares).sum(axis=1).mean():.6f}"[:7] in said.out


def test_an_architecture_of_your_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="CLIPSeg runs in PyTorch")
    import torch
    from transformers import CLIPSegConfig, CLIPSegModel

    from hlx.models.families import FAMILIES, Family
    from hlx.models.torch.contrastive import KINDS, Kind
    from tests.support.torch_checkpoints import _finish, _random, _sizes, make_bert_tokenizer

    model = folder / "segmenter"
    model.mkdir()
    words = make_bert_tokenizer(model, length=24)
    text = _sizes(40, 2, 88, 1e-3) | {"vocab_size": len(words), "max_position_embeddings": 24}
    vision = _sizes(48, 3, 100, 1e-3) | {"image_size": 32, "patch_size": 16}
    ends = {"bos_token_id": 3, "eos_token_id": words.sep_token_id, "pad_token_id": words.pad_token_id}
    config = CLIPSegConfig(text_config=text | ends, vision_config=vision, projection_dim=36)
    network = _random(CLIPSegModel(config), 0, scale=93.7)
    _finish(network, model, "CLIP", {"size": {"shortest_edge": 32}, "crop": 32})

    asked = ("explain", "photo.png", "--caption", "a red circle", "--model", model, "--grid", "2x2", "--json")
    assert "unsupported architecture 'clipseg'" in refusal(folder, *asked)
    for table, row in ((FAMILIES, FAMILY_ROW), (KINDS, KIND_ROW)):
        monkeypatch.delitem(table, "clipseg", raising=False)
        exec(row, {"FAMILIES": FAMILIES, "Family": Family, "KINDS": KINDS, "Kind": Kind})
        assert "clipseg" in table
    ended = hlx(*asked)
    assert ended.status == 0, ended.err
    found = json.loads(ended.out)
    ids = words("a red circle", return_tensors="pt")
    square = np.asarray(Image.open("photo.png").resize((32, 32), Image.Resampling.BICUBIC), np.float32) / 255
    mean, std = (
        np.float32([0.48145466, 0.4578275, 0.40821073]),
        np.float32([0.26862954, 0.26130258, 0.27577711]),
    )
    pixels = torch.from_numpy(((square - mean) / std).transpose(2, 0, 1)[None])
    with torch.no_grad():
        score = network.eval()(**ids, pixel_values=pixels).logits_per_image.item()
    assert found["score"] == pytest.approx(score, abs=1e-3)
