"""LXMERT's streams: what is computed once changes nothing, regions are right, errors say what to do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch", reason="LXMERT runs in torch")

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from hlx.errors import ModelError
from hlx.games.regions import Grid
from hlx.games.stimuli import Stimulus
from hlx.models import load_model
from hlx.models.composited import Scorer
from hlx.models.torch.lxmert import scorer as lxmert
from hlx.models.torch.lxmert.region_features import (
    DetectedRegions,
    GridFeatures,
    RegionFeatures,
    region_features,
)
from tests.support.detector_checkpoints import make_detector
from tests.support.lxmert_checkpoints import MakeLxmert, cached_maker, make_lxmert
from tests.support.slow_way import CAPTION, FOIL, photograph

if TYPE_CHECKING:
    from hlx.models.torch.lxmert.scorer import LxmertScorer

CPU = torch.device("cpu")
TEXTS = [CAPTION, FOIL, "x", "the dog chases the cat, the cat doesn't chase the dog"]
SIDE = 24


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> MakeLxmert:
    """Make a checkpoint, or hand out the one made before with the same options."""
    return cached_maker(tmp_path_factory.mktemp("lxmert"))


@pytest.fixture(scope="module")
def scorer(make: MakeLxmert) -> LxmertScorer:
    """A small one with grid features."""
    return loaded(make())


def loaded(folder: Path, dtype: str = "float32", detector: Path | None = None) -> LxmertScorer:
    return lxmert.load_lxmert(folder, json.loads((folder / "config.json").read_text()), dtype, CPU, detector)


def images(m: int = 5, side: int = SIDE) -> np.ndarray:
    return np.random.default_rng(m).integers(0, 256, (m, side, side, 3), dtype=np.uint8)


def all_rows(m: int) -> tuple[np.ndarray, np.ndarray]:
    return np.repeat(np.arange(m), len(TEXTS)), np.tile(np.arange(len(TEXTS)), m)


def test_it_is_a_scorer(scorer: LxmertScorer) -> None:
    assert isinstance(scorer, Scorer) and isinstance(scorer._regions, RegionFeatures)
    assert (scorer.side, scorer.dtype, scorer.packages) == (SIDE, "float32", ("torch", "transformers"))
    assert scorer.device.startswith("cpu") and scorer.default_batch >= 16


def test_a_batch_is_one_at_a_time_and_two_runs_are_equal(scorer: LxmertScorer) -> None:
    batch = images()
    batch[2] = 127  # blank
    texts, seen = scorer.texts(TEXTS), scorer.see(scorer.squares(batch))
    scores = scorer.pairs(seen, texts, *all_rows(5))
    assert np.isfinite(scores).all() and np.ptp(scores) > 0.05
    alone = [
        scorer.pairs(
            scorer.see(scorer.squares(batch[i : i + 1])), scorer.texts([text]), *np.zeros((2, 1), int)
        )
        for i in range(5)
        for text in TEXTS
    ]
    np.testing.assert_allclose(np.concatenate(alone), scores, rtol=0, atol=2e-6)
    again = scorer.pairs(scorer.see(scorer.squares(batch)), scorer.texts(TEXTS), *all_rows(5))
    np.testing.assert_array_equal(again, scores)


@given(order=st.permutations(range(20)), count=st.integers(0, 20))
@settings(max_examples=10)
def test_pairs_in_any_order_and_number(scorer: LxmertScorer, order: list[int], count: int) -> None:
    texts, seen = scorer.texts(TEXTS), scorer.see(scorer.squares(images()))
    rows, chosen = all_rows(5), np.array(order[:count], np.int64)
    whole = scorer.pairs(seen, texts, *rows)
    some = scorer.pairs(seen, texts, rows[0][chosen], rows[1][chosen])
    assert some.shape == (count,) and some.dtype == np.float32
    np.testing.assert_allclose(some, whole[chosen], rtol=0, atol=2e-6)


def test_slices_of_pairs_change_nothing(scorer: LxmertScorer, monkeypatch: pytest.MonkeyPatch) -> None:
    texts, seen = scorer.texts(TEXTS), scorer.see(scorer.squares(images()))
    whole = scorer.pairs(seen, texts, *all_rows(5))
    monkeypatch.setitem(lxmert.WIDEST_BYTES, "cpu", 1)
    assert scorer._at_once(1) == 1
    np.testing.assert_allclose(scorer.pairs(seen, texts, *all_rows(5)), whole, rtol=0, atol=2e-6)


def test_all_that_is_read_of_the_last_layer_is_its_first_word(scorer: LxmertScorer) -> None:
    texts, seen = scorer.texts(TEXTS), scorer.see(scorer.squares(images(len(TEXTS))))
    rows = np.arange(len(TEXTS))
    language, visible = texts.padded(rows)
    for layer in scorer._cross:
        words, regions = layer(language, seen, visible)
        first = layer.first(language, seen, visible)
        torch.testing.assert_close(first, words[:, 0], rtol=0, atol=2e-6)
        language, seen = layer.crossing.projected(words), layer.crossing.projected(regions)
    assert visible is not None and not visible.all()


def test_a_token_that_spells_padding_is_not_read(scorer: LxmertScorer) -> None:
    """It is masked as padding is, in the middle of a text too."""
    texts = scorer.texts(["a red [PAD] circle", "a red circle on a grey ground"])
    ids = scorer._tokenizer.ids(["a red [PAD] circle"])[0]
    assert texts.lengths[0] == (ids != scorer._tokenizer.pad).sum() < np.flatnonzero(ids != 1)[-1] + 1


@pytest.mark.parametrize(("side", "rows", "cols"), [(12, 3, 2), (8, 1, 8), (6, 6, 6)])
def test_grid_features_are_pixels_of_cells(side: int, rows: int, cols: int) -> None:
    batch = images(3, side)
    pixels = torch.from_numpy(batch).permute(0, 3, 1, 2).contiguous()
    source = GridFeatures(side, rows, cols, CPU)
    features, boxes = source.features(pixels)
    assert features.shape == (3, rows * cols, source.width)
    h, w = side // rows, side // cols
    for m in range(3):
        for cell in range(rows * cols):
            y, x = h * (cell // cols), w * (cell % cols)
            expected = [
                value / 127.5 - 1 for value in batch[m, y : y + h, x : x + w].reshape(-1).astype(float)
            ]
            np.testing.assert_allclose(features[m, cell], expected, rtol=0, atol=1e-6)
            np.testing.assert_allclose(boxes[m, cell], np.array([x, y, x + w, y + h]) / side, atol=1e-6)


@pytest.mark.parametrize(("dtype", "within"), [("float32", 2e-6), ("bfloat16", 0.02)])
def test_coalitions_of_cells_need_no_composites(make: MakeLxmert, dtype: str, within: float) -> None:
    """Wherever the players are, and where one has no pixel."""
    scorer = loaded(make(), dtype)
    texts, (shown, hidden) = scorer.texts(TEXTS), images(2)
    draw = np.random.default_rng(3)
    labels = draw.integers(0, 5, (SIDE, SIDE)).astype(np.int32)
    rows = draw.random((6, 6)) < 0.5
    looks = scorer.canvas(shown, hidden, labels)(rows)
    assert isinstance(looks, lxmert.ProjectedRegions)
    composites = scorer.squares(np.where(rows[:, labels][..., None], shown, hidden))
    found, expected = (scorer.pairs(scorer.see(seen), texts, *all_rows(6)) for seen in (looks, composites))
    assert np.ptp(expected, axis=0).min() > 1e-3
    np.testing.assert_allclose(found, expected, rtol=0, atol=within)


def test_bfloat16_is_close(make: MakeLxmert) -> None:
    found, exact = (
        load_model(make(), dtype=dtype).scores([photograph(seed=i) for i in range(8)], TEXTS)
        for dtype in ("bfloat16", "float32")
    )
    assert found.dtype == np.float32 and np.ptp(exact) > 0.1
    difference = np.abs(found - exact).max()
    assert 0 < difference < 0.02


DETECTED = {"grid": None, "feature_width": 64}


def test_the_embedded_model_plays() -> None:
    model = load_model("lxmert-scenes")
    rows = np.random.default_rng(0).random((200, 16)) < 0.5
    game = model.game(Stimulus(photograph(), CAPTION, FOIL), Grid(4, 4))
    values = game(rows)
    assert np.isfinite(values).all() and np.ptp(values) > 1e-4
    np.testing.assert_array_equal(game(rows), values)


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random detector: nine regions of 64 numbers."""
    return make_detector(tmp_path_factory.mktemp("detector") / "own")


def test_a_detector_gives_the_regions(make: MakeLxmert, detector: Path, tmp_path: Path) -> None:
    given_one = loaded(make(**DETECTED), detector=detector)
    assert given_one.side == 224 and given_one.default_batch <= 4
    pixels = given_one.squares(images(2, 224))
    features, boxes = given_one._regions.features(pixels)
    assert features.shape == (2, 9, 64) and boxes.shape == (2, 9, 4)
    assert boxes.min() >= 0 and boxes.max() <= 1
    seen, texts = given_one.see(pixels), given_one.texts(TEXTS)
    scores = given_one.pairs(seen, texts, *all_rows(2))
    assert np.ptp(scores) > 1e-3
    np.testing.assert_array_equal(
        given_one.pairs(given_one.look(features, boxes), texts, *all_rows(2)), scores
    )
    own = Path(shutil.copytree(make(**DETECTED), tmp_path / "own"))
    shutil.copytree(detector, own / "detector")
    np.testing.assert_array_equal(loaded(own).pairs(loaded(own).see(pixels), texts, *all_rows(2)), scores)


def test_a_game_with_a_detector(make: MakeLxmert, detector: Path) -> None:
    model = load_model(make(**DETECTED), detector=detector)
    stimulus = Stimulus(photograph(), CAPTION, FOIL)
    table = model.game(stimulus, Grid(1, 2)).table()
    np.testing.assert_allclose(
        model.game(stimulus, Grid(1, 2), batch_size=3).table(), table, rtol=0, atol=1e-5
    )
    whole = model.scores([photograph()], [CAPTION, FOIL])
    assert table[-1] == pytest.approx(whole[0, 0] - whole[0, 1], abs=1e-5) and np.ptp(table) > 1e-4


CONFIGS: list[tuple[str, object, str]] = [
    ("hidden_size", 50, "hidden_size is 50, expected a multiple of num_attention_heads, 3"),
    ("hidden_size", "48", "hidden_size"),
    ("hidden_size", 51, "51"),
    ("num_attention_heads", 0, "num_attention_heads is 0, expected 1 or more"),
    ("intermediate_size", -4, "intermediate_size is -4, expected 1 or more"),
    ("x_layers", 0, "x_layers is 0, expected 1 or more"),
    ("l_layers", -1, "l_layers is -1, expected 0 or more"),
    ("vocab_size", 0, "vocab_size is 0"),
    ("type_vocab_size", 0, "type_vocab_size is 0"),
    ("visual_pos_dim", 5, "visual_pos_dim is 5, expected 4"),
    ("visual_feat_dim", 2048, "visual_feat_dim is 2048, expected 144"),
    ("hidden_act", "nothing", "hidden_act is 'nothing', expected one of gelu"),
    ("l_layers", 3, r"key lxmert.encoder.layer.2.attention.self.query.weight \(and 15 more\) is missing"),
    ("r_layers", 1, r"unexpected key lxmert.encoder.r_layers.1.*or config\.json asks for fewer layers"),
    ("l_layers", 0, r"unexpected key lxmert.encoder.layer.0.*or config\.json asks for fewer layers"),
    ("hidden_dropout_prob", 1.5, "no model can be made of it: ValueError: dropout probability"),
    ("hidden_size", 3_000_000_000, "no model can be made of it: "),
    ("vocab_size", 900, r"lxmert.embeddings.word_embeddings.weight has shape .* asks for \(900, 48\)"),
]


@pytest.mark.parametrize(("key", "value", "words"), CONFIGS)
def test_a_config_that_cannot_be_is_refused(
    make: MakeLxmert, tmp_path: Path, key: str, value: object, words: str
) -> None:
    folder = Path(shutil.copytree(make(), tmp_path / "copy"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {key: value}))
    with pytest.raises(ModelError, match=words) as caught:
        load_model(folder)
    assert str(folder) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", ["int8", "bool"])
def test_weights_that_are_no_floats_are_refused(make: MakeLxmert, tmp_path: Path, dtype: str) -> None:
    folder = Path(shutil.copytree(make(), tmp_path / "copy"))
    state = load_file(folder / "model.safetensors")
    key = "lxmert.pooler.dense.weight"
    save_file(state | {key: state[key].astype(dtype)}, folder / "model.safetensors")
    with pytest.raises(ModelError, match=f"key {key} holds {dtype} numbers: weights must be floats"):
        load_model(folder)


def test_weights_of_another_task_are_told_what_to_take(make: MakeLxmert, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(make(), tmp_path / "copy"))
    state = load_file(folder / "model.safetensors")
    bare = {key.removeprefix("lxmert."): array for key, array in state.items() if key.startswith("lxmert.")}
    for kept in (bare, {key: array for key, array in state.items() if "seq_relationship" not in key}):
        save_file(kept, folder / "model.safetensors")
        with pytest.raises(ModelError, match=r"cls\.seq_relationship\.weight missing .*lxmert-base-uncased"):
            load_model(folder)


GRIDS: list[tuple[str, str]] = [
    ('{"side": 24, "rows": 3}', "cols is None, expected a whole number of 1 or more"),
    ('{"side": 24, "rows": 3, "cols": "4"}', "cols is '4'"),
    ('{"side": 24, "rows": 0, "cols": 4}', "rows is 0"),
    ('{"side": 24, "rows": 5, "cols": 4}', "side is 24, expected a multiple of rows, which is 5"),
    ('{"side": 24, "rows": 3, "cols": 3}', "visual_feat_dim is 144, expected 192"),
    ("[]", "holds a list"),
    ("{", "cannot be read as JSON"),
]


@pytest.mark.parametrize(("content", "words"), GRIDS)
def test_a_grid_that_cannot_be_is_refused(make: MakeLxmert, tmp_path: Path, content: str, words: str) -> None:
    folder = Path(shutil.copytree(make(), tmp_path / "copy"))
    (folder / "grid_features.json").write_text(content)
    with pytest.raises(ModelError, match=words) as caught:
        load_model(folder)
    assert str(folder) in str(caught.value) and "\n" not in str(caught.value)


def test_no_source_of_regions(make: MakeLxmert) -> None:
    with pytest.raises(ModelError, match=r"detector/ or grid_features\.json; name one with detector="):
        loaded(make(**DETECTED))


def test_a_detector_of_other_features(make: MakeLxmert, detector: Path) -> None:
    assert isinstance(region_features(make(), "float32", CPU, detector), DetectedRegions)
    with pytest.raises(ModelError, match=r"visual_feat_dim is 144, expected 64, .*own"):
        load_model(make(), detector=detector)


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path) -> None:
    model = load_model(make_lxmert(tmp_path, vocab_size=20))
    with pytest.raises(ModelError, match="the language stream knows 20: tokenizer and weights"):
        model.scores([photograph()], [CAPTION])
