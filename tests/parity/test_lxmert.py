"""hlx's LXMERT agrees with transformers' matching score on random checkpoints of many shapes."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch", reason="LXMERT runs in torch")

import torch

from hlx.games.regions import Grid, LabelMap, Regions
from hlx.games.stimuli import Stimulus
from hlx.io.images import square
from hlx.models import load_model
from tests.support.lxmert_checkpoints import MakeLxmert, cached_maker
from tests.support.slow_way import CAPTION, FOIL, blobs, composites, photograph, some_rows

if TYPE_CHECKING:
    from hlx.models.torch.lxmert.scorer import LxmertScorer

WITHIN = 1e-4
TEXTS = ["x", "a red circle on a grey ground", "the dog doesn't chase the cat", "There is NO blue square!"]

CONFIGURATIONS: dict[str, dict[str, object]] = {
    "two, two and three layers": {},
    "one layer each, one head": {"language": 1, "relational": 1, "cross": 1, "heads": 1, "width": 20},
    "no layers of one stream alone": {"language": 0, "relational": 0, "cross": 2},
    "as deep as the published one, narrow": {
        **{"language": 9, "relational": 5, "cross": 5, "width": 24, "heads": 12, "mlp": 96},
        **{"feature_width": 2048, "grid": None},
    },
    "relu, wide": {"hidden_act": "relu", "width": 72, "heads": 9, "mlp": 60},
    "gelu tanh, regions of one number": {"hidden_act": "gelu_new", "feature_width": 1, "grid": None},
    "float16 file, swish": {"dtype": "float16", "hidden_act": "silu"},
    "bfloat16 file in shards": {"dtype": "bfloat16", "shards": 3},
    "sparse config, no heads for training": {"sparse_config": True, "heads_for_training": False},
    "pickle alone": {"pickle_only": True},
    "more tokens than the tokenizer makes": {"vocab_size": 500},
}


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> MakeLxmert:
    """Make a checkpoint, or hand out the one made before with the same options."""
    return cached_maker(tmp_path_factory.mktemp("lxmert"))


class Reference:
    """Tokenizer and model of one folder, each loaded by transformers."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoTokenizer, LxmertForPreTraining

        self.model = LxmertForPreTraining.from_pretrained(folder, dtype=torch.float32).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)

    def logits(
        self, features: torch.Tensor, boxes: torch.Tensor, texts: list[str], length: int | None = None
    ) -> np.ndarray:
        """`cross_relationship_score` of regions i with text i, (m, 2); padded to the longest or further."""
        padding = "longest" if length is None else "max_length"
        tokens = self.tokenizer(texts, padding=padding, max_length=length, return_tensors="pt")
        with torch.inference_mode():
            out = self.model(visual_feats=features, visual_pos=boxes, **tokens)
        return out.cross_relationship_score.numpy()


@cache
def reference(folder: Path) -> Reference:
    """Loaded once."""
    return Reference(folder)


class Given:
    """Stands for a detector, for checkpoints whose regions the test draws."""

    side, images_at_once = 8, 3

    def __init__(self, width: int) -> None:
        self.width = width

    def features(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        raise AssertionError("the test gives the regions itself")


def scorer_of(folder: Path, dtype: str = "float32") -> LxmertScorer:
    """The scorer alone; where the folder names no source of regions, one that is never asked."""
    import json

    from hlx.models.torch.lxmert import scorer as lxmert

    raw = json.loads((folder / "config.json").read_text())
    with pytest.MonkeyPatch.context() as patch:
        if not (folder / "grid_features.json").exists():
            patch.setattr(lxmert, "region_features", lambda *_: Given(raw.get("visual_feat_dim", 2048)))
        return lxmert.load_lxmert(folder, raw, dtype, torch.device("cpu"))


def drawn(width: int, m: int = 5, r: int = 7, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Features that are not small, and boxes."""
    draw = torch.Generator().manual_seed(seed)
    features = 3 * torch.randn(m, r, width, generator=draw).abs() - 1
    return features, torch.rand(m, r, 4, generator=draw)


@pytest.mark.parametrize("options", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_logits_agree(make: MakeLxmert, options: dict[str, object]) -> None:
    folder = make(**options)
    scorer, slow = scorer_of(folder), reference(folder)
    features, boxes = drawn(slow.model.config.visual_feat_dim)
    seen, texts = scorer.look(features, boxes), scorer.texts(TEXTS)
    image_rows, text_rows = np.repeat(np.arange(5), len(TEXTS)), np.tile(np.arange(len(TEXTS)), 5)
    found = scorer.logits(seen, texts, image_rows, text_rows).numpy()
    expected = slow.logits(features[image_rows], boxes[image_rows], [TEXTS[i] for i in text_rows])
    # Otherwise agreement would say little: of images, and of texts.
    grid = np.diff(expected, axis=1).reshape(5, len(TEXTS))
    assert min(np.ptp(grid, axis=0).min(), np.ptp(grid, axis=1).min()) > 50 * WITHIN
    np.testing.assert_allclose(found, expected, rtol=0, atol=WITHIN)
    scores = scorer.pairs(seen, texts, image_rows, text_rows)
    assert scores.dtype == np.float32
    odds = np.exp(expected - expected.max(axis=1, keepdims=True))
    np.testing.assert_allclose(scores, odds[:, 1] / odds.sum(axis=1), rtol=0, atol=WITHIN)


def test_padding_changes_nothing(make: MakeLxmert) -> None:
    """Neither the reference's, nor that beside longer texts here."""
    folder = make()
    scorer, slow = scorer_of(folder), reference(folder)
    features, boxes = drawn(slow.model.config.visual_feat_dim, m=len(TEXTS))
    rows, seen = np.arange(len(TEXTS)), scorer.look(features, boxes)
    texts = scorer.texts(TEXTS)
    assert len(set(texts.lengths)) == len(TEXTS)
    together = scorer.logits(seen, texts, rows, rows).numpy()
    alone = [scorer.logits(seen, scorer.texts([TEXTS[i]]), rows[i : i + 1], rows[:1]).numpy() for i in rows]
    np.testing.assert_allclose(np.concatenate(alone), together, rtol=0, atol=2e-6)
    np.testing.assert_allclose(slow.logits(features, boxes, TEXTS, 40), together, rtol=0, atol=WITHIN)


def test_many_texts_are_read_in_batches(make: MakeLxmert, monkeypatch: pytest.MonkeyPatch) -> None:
    from hlx.models.torch.lxmert import scorer as lxmert

    folder = make()
    scorer = scorer_of(folder)
    whole = scorer.texts(TEXTS)
    monkeypatch.setattr(lxmert, "TEXT_BATCH", 3)
    parts = scorer.texts(TEXTS)
    np.testing.assert_array_equal(parts.lengths, whole.lengths)
    for part, expected in zip(parts.tokens, whole.tokens, strict=True):
        torch.testing.assert_close(part, expected, rtol=0, atol=2e-6)


def slow_values(folder: Path, regions: Regions, rows: np.ndarray, background: str) -> np.ndarray:
    """f of coalitions, one composited image at a time; cells are cut by loops."""
    slow, values = reference(folder), []
    for image in composites(24, photograph(), regions, rows, background):
        cells, boxes = [], []
        for y in range(0, 24, 8):
            for x in range(0, 24, 6):
                pixels = [float(v) / 127.5 - 1 for v in image[y : y + 8, x : x + 6].reshape(-1)]
                cells.append(pixels)
                boxes.append([x / 24, y / 24, (x + 6) / 24, (y + 8) / 24])
        logits = [
            slow.logits(torch.tensor([cells]), torch.tensor([boxes]), [text])[0] for text in (CAPTION, FOIL)
        ]
        caption, foil = (np.exp(pair[1]) / np.exp(pair).sum() for pair in logits)
        values.append(caption - foil)
    return np.array(values)


@pytest.mark.parametrize("background", ["blur", "black"])
def test_a_game_is_composited_images_one_at_a_time(make: MakeLxmert, background: str) -> None:
    folder, regions = make(), Grid(2, 2)
    game = load_model(folder).game(Stimulus(photograph(), CAPTION, FOIL), regions, background)
    table = game.table()
    rows = (np.arange(16)[:, None] >> np.arange(4) & 1).astype(bool)
    assert np.ptp(table) > 0.01
    np.testing.assert_allclose(table, slow_values(folder, regions, rows, background), rtol=0, atol=WITHIN)


def test_regions_need_not_follow_the_cells(make: MakeLxmert) -> None:
    folder, regions = make(), LabelMap(blobs((24, 24), 6))
    image = square(photograph(), 24)
    rows = some_rows(6, count=8)
    found = load_model(folder).game(Stimulus(image, CAPTION, FOIL), regions)(rows)
    slow, values = reference(folder), []
    features = load_model(folder).scorer._regions
    pixels = torch.from_numpy(composites(24, image, regions, rows, "blur")).permute(0, 3, 1, 2).contiguous()
    seen = features.features(pixels)
    for text in (CAPTION, FOIL):
        odds = np.exp(slow.logits(*seen, [text] * len(rows)).astype(np.float64))
        values.append(odds[:, 1] / odds.sum(axis=1))
    np.testing.assert_allclose(found, values[0] - values[1], rtol=0, atol=WITHIN)


@pytest.mark.slow
def test_full_size_agrees(make: MakeLxmert) -> None:
    """The published sizes, with 36 regions and a config that says little."""
    folder = make(
        **{"width": 768, "heads": 12, "mlp": 3072, "language": 9, "relational": 5, "cross": 5},
        **{"feature_width": 2048, "grid": None, "vocab_size": 30522, "text_length": 512},
        sparse_config=True,
    )
    scorer, slow = scorer_of(folder), reference(folder)
    features, boxes = drawn(2048, m=2, r=36)
    rows = np.arange(2)
    found = scorer.logits(scorer.look(features, boxes), scorer.texts(TEXTS[1:3]), rows, rows).numpy()
    np.testing.assert_allclose(found, slow.logits(features, boxes, TEXTS[1:3]), rtol=0, atol=WITHIN)
