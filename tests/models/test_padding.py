"""Padding moves and hides no word, whatever a tokenizer's file says of it, or the file is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="random checkpoints are made with torch")

from hlx.errors import ModelError
from hlx.models import load_model
from tests.conftest import MakeCheckpoint
from tests.support import lxmert_checkpoints, torch_checkpoints

TEXTS = ["a red circle", "two green triangles are left of the yellow star on a grey ground"]
FAMILIES = ["clip", "flava", "blip", "chinese_clip", "metaclip_2", "vilt", "lxmert"]
Make = Callable[[str], Path]


@pytest.fixture(scope="module")
def make(make_checkpoint: MakeCheckpoint, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """A checkpoint of a family."""
    folder = tmp_path_factory.mktemp("models")
    of_torch = torch_checkpoints.cached_maker(folder)
    lxmert = lxmert_checkpoints.cached_maker(folder / "lxmert")
    makers = dict.fromkeys(("clip", "flava"), make_checkpoint) | {"lxmert": lambda family: lxmert()}
    return lambda family: makers.get(family, of_torch)(family)


def changed(folder: Path, copy: Path, **changes: object) -> Path:
    """A copy with other values in tokenizer_config.json."""
    file = Path(shutil.copytree(folder, copy)) / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    return copy


def scores(folder: Path, texts: list[str]) -> np.ndarray:
    model = load_model(folder)
    image = np.random.default_rng(0).integers(0, 256, (model.side, model.side, 3), dtype=np.uint8)
    return model.scores([image], texts)[0]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_tokenizer_that_pads_on_the_left(make: Make, tmp_path: Path, family: str) -> None:
    expected = scores(make(family), TEXTS)
    folder = changed(make(family), tmp_path / "left", padding_side="left")
    np.testing.assert_array_equal(scores(folder, TEXTS), expected)
    np.testing.assert_allclose(scores(folder, TEXTS[:1]), expected[:1], rtol=0, atol=1e-5)


@pytest.mark.parametrize("family", ["flava", "blip", "chinese_clip", "vilt", "lxmert"])
@pytest.mark.parametrize("kind", ["sep", "cls", "unk"])
def test_padding_that_texts_have_too_is_refused(make: Make, tmp_path: Path, family: str, kind: str) -> None:
    own = f"[{kind.upper()}]"
    names = {f"{kind}_token": own, "pad_token": own}
    with pytest.raises(
        ModelError, match=rf"pads with its {kind}_token, '\[{kind.upper()}\]', which texts have"
    ):
        load_model(changed(make(family), tmp_path / "shared", **names))


@pytest.mark.parametrize("family", ["clip", "flava", "blip", "chinese_clip", "vilt", "lxmert"])
def test_positions_for_no_word(make: Make, tmp_path: Path, family: str) -> None:
    file = Path(shutil.copytree(make(family), tmp_path / "short")) / "config.json"
    config = json.loads(file.read_text())
    config.get("text_config", config)["max_position_embeddings"] = 2
    file.write_text(json.dumps(config))
    with pytest.raises(
        ModelError, match="max_position_embeddings is 2: the tokenizer's 2 tokens around a text"
    ):
        load_model(file.parent)
