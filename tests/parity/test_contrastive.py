"""Two-tower models in PyTorch score as transformers' own classes do, on composited images too."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hlx.errors import ModelError
from hlx.games.backgrounds import hidden_view
from hlx.games.coalitions import all_rows
from hlx.games.regions import Grid
from hlx.games.stimuli import Stimulus
from hlx.models import load_model
from hlx.models.loading.processors import PROCESSORS, LongTextWarning
from tests.conftest import MakeCheckpoint

pytest.importorskip("torch", reason="these models run in torch")

import torch

from hlx.models.torch.pixels import Normalised
from tests.parity.reference import TEXTS, Reference, squares
from tests.support.torch_checkpoints import MakeTorchCheckpoint, cached_maker

LOGITS_WITHIN = 1e-4
PORTED = ("clip", "siglip", "flava")
FAMILIES = (*PORTED, "chinese_clip", "metaclip_2")
SAFE = "model.safetensors"
CAPTION, FOIL = "a red circle on a grey ground", "two green triangles"


@pytest.fixture(scope="module")
def make_torch(tmp_path_factory: pytest.TempPathFactory) -> MakeTorchCheckpoint:
    return cached_maker(tmp_path_factory.mktemp("torch"))


@pytest.fixture
def make(make_checkpoint: MakeCheckpoint, make_torch: MakeTorchCheckpoint) -> Callable[..., Path]:
    """A small random checkpoint of any family."""

    def of(family: str, **options: object) -> Path:
        if family == "siglip":
            options = {"version": 2} | options  # whose tokenizer needs no sentencepiece
        return (make_checkpoint if family in PORTED else make_torch)(family, **options)

    return of


@pytest.fixture(autouse=True)
def clips_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """MetaCLIP 2 takes CLIP's image processor."""
    monkeypatch.setitem(PROCESSORS, "metaclip_2", PROCESSORS["clip"])


def scored(folder: Path, images: list[np.ndarray], texts: list[str], **options: str) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LongTextWarning)
        return load_model(folder, engine="torch", **options).scores(images, texts)


CONFIGURATIONS = {
    **{family: (family, {}) for family in FAMILIES},
    "clip, end of text named, large epsilon": ("clip", {"eos": "explicit", "layer_norm_eps": 1e-2}),
    "clip, half precision in shards": ("clip", {"dtype": "float16", "shards": 3, "patch_size": 8}),
    "clip, pickle with position buffers": ("clip", {"pickle_only": True, "buffers": True}),
    "siglip, large epsilon": ("siglip", {"layer_norm_eps": 1e-2, "patch_size": 8}),
    "flava, towers alone, epsilons that differ": (
        "flava",
        {"whole": False, "layer_norm_eps": 1e-2, "text_eps": 3e-2},
    ),
    "flava, no biases of attention, larger scale than in training": (
        "flava",
        {"qkv_bias": False, "scale": 150.0},
    ),
    "flava, sparse config, position buffers": ("flava", {"sparse_config": True, "buffers": True}),
}


@pytest.mark.parametrize("case", CONFIGURATIONS)
def test_scores_are_those_of_the_whole_model(make: Callable[..., Path], case: str) -> None:
    family, options = CONFIGURATIONS[case]
    folder = make(family, **options)
    reference = Reference(folder)
    images, texts = list(squares(32)), list(TEXTS)
    expected = reference.logits(images, texts)
    assert min(np.ptp(expected, axis=axis).min() for axis in (0, 1)) > 0.5  # images and texts both matter
    np.testing.assert_allclose(scored(folder, images, texts), expected, rtol=0, atol=LOGITS_WITHIN)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_game_is_of_images_composited_one_at_a_time(make: Callable[..., Path], family: str) -> None:
    folder = make(family)
    image = squares(32)[0]
    model = load_model(folder, engine="torch")
    assert (model.family, model.side, model.packages) == (family, 32, ("torch", "transformers"))
    game = model.game(Stimulus(image, CAPTION, FOIL), Grid(2, 2), "mean", batch_size=5)
    reference, hidden = Reference(folder), hidden_view(image, "mean")
    shown = all_rows(4)[:, Grid(2, 2).labels(32)][..., None]
    expected = [
        float(np.subtract(*reference.logits([composite], [CAPTION, FOIL])[0]))
        for composite in np.where(shown, image, hidden)
    ]
    table = game.table()
    assert np.ptp(expected) > 0.5
    np.testing.assert_allclose(table, expected, rtol=0, atol=LOGITS_WITHIN)
    again = load_model(folder, engine="torch").game(Stimulus(image, CAPTION, FOIL), Grid(2, 2), "mean", 5)
    np.testing.assert_array_equal(again.table(), table)
    alone = model.game(Stimulus(image, CAPTION, FOIL), Grid(2, 2), "mean", batch_size=1)
    np.testing.assert_allclose(alone.table(), table, rtol=0, atol=LOGITS_WITHIN)


@pytest.mark.parametrize("family", FAMILIES)
def test_blank_images_and_texts_of_other_lengths(make: Callable[..., Path], family: str) -> None:
    folder = make(family)
    blanks = [np.full((32, 32, 3), level, np.uint8) for level in (0, 128, 255)]
    texts = ["x", CAPTION, " ".join(["no"] * 8)]
    model = load_model(folder, engine="torch")
    together = model.scores(blanks, texts)
    np.testing.assert_allclose(together, Reference(folder).logits(blanks, texts), rtol=0, atol=LOGITS_WITHIN)
    alone = np.concatenate([model.scores(blanks, [text]) for text in texts], axis=1)
    np.testing.assert_allclose(alone, together, rtol=0, atol=LOGITS_WITHIN)


@pytest.mark.parametrize("family", FAMILIES)
def test_images_that_are_no_squares_are_the_processor_s(make: Callable[..., Path], family: str) -> None:
    """CLIP's crops them, FLAVA's and SigLIP's squeeze them."""
    folder = make(family)
    images = [np.random.default_rng(i).integers(0, 256, (50, 90 - 60 * i, 3), np.uint8) for i in range(2)]
    expected = Reference(folder).logits(images, list(TEXTS))
    np.testing.assert_allclose(scored(folder, images, list(TEXTS)), expected, rtol=0, atol=LOGITS_WITHIN)
    if family in PORTED:
        found = load_model(folder).scores(images, list(TEXTS))
        np.testing.assert_allclose(found, expected, rtol=0, atol=LOGITS_WITHIN)


@pytest.mark.parametrize("family", PORTED)
def test_both_engines_agree(make: Callable[..., Path], family: str) -> None:
    folder = make(family)
    images, texts = list(squares(32)), [CAPTION, FOIL, "x"]
    port = load_model(folder)
    np.testing.assert_allclose(
        scored(folder, images, texts), port.scores(images, texts), rtol=0, atol=LOGITS_WITHIN
    )
    stimulus, regions = Stimulus(images[0], CAPTION, FOIL), Grid(2, 3)
    tables = [model.game(stimulus, regions).table() for model in (load_model(folder, engine="torch"), port)]
    np.testing.assert_allclose(*tables, rtol=0, atol=LOGITS_WITHIN)


@pytest.mark.parametrize("family", FAMILIES)
def test_bfloat16_is_close(make: Callable[..., Path], family: str) -> None:
    folder = make(family)
    images, texts = list(squares(32)), [CAPTION, FOIL, "x"]
    narrow, exact = scored(folder, images, texts, dtype="bfloat16"), scored(folder, images, texts)
    assert narrow.dtype == np.float32 and (narrow != exact).any()
    # cosines to some units of bfloat16's last place, 2^-8
    np.testing.assert_allclose(narrow, exact, rtol=0, atol=0.02 * 93.7)


@pytest.mark.parametrize("size", [32, {"height": 32, "width": 32}, {"shortest_edge": 32}])
@pytest.mark.parametrize("unified", [False, True])
@pytest.mark.parametrize("family", ["clip", "siglip", "flava", "chinese_clip"])
def test_pixels_are_the_processors(
    make: Callable[..., Path], tmp_path: Path, family: str, unified: bool, size: object
) -> None:
    if family == "siglip" and "shortest_edge" in str(size):
        pytest.skip("SigLIP's is always a square")
    made = json.loads((make(family) / "preprocessor_config.json").read_text())
    made |= {"size": size} | ({"crop_size": 32} if "crop_size" in made else {})
    name = "processor_config.json" if unified else "preprocessor_config.json"
    (tmp_path / name).write_text(json.dumps({"image_processor": made} if unified else made))
    import transformers

    processor = getattr(transformers, PROCESSORS[family])(
        **made | ({"return_codebook_pixels": False, "return_image_mask": False} if family == "flava" else {})
    )
    images = squares(32)
    expected = processor(list(images), return_tensors="pt")["pixel_values"]
    found = Normalised(tmp_path, family, 32)(torch.from_numpy(images).permute(0, 3, 1, 2))
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=0, atol=1e-5)


def test_an_image_processor_that_belongs_to_another_model_is_refused(
    make: Callable[..., Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(make("clip"), tmp_path / "changed")
    file = folder / "preprocessor_config.json"
    made = json.loads(file.read_text())
    file.write_text(json.dumps(made | {"size": 48, "crop_size": 48}))
    with pytest.raises(ModelError, match=r"images of \(48, 48\) pixels, config.json takes 32x32"):
        load_model(folder, engine="torch")
    file.write_text(json.dumps(made | {"size": 48}))  # enlarges, then cuts the margin off
    with pytest.raises(ModelError, match="does more to images of 32x32"):
        load_model(folder, engine="torch")
    file.unlink()
    with pytest.raises(ModelError, match=r"preprocessor_config\.json"):
        load_model(folder, engine="torch")


@pytest.mark.parametrize(
    ("family", "key"),
    [
        ("clip", "visual_projection.weight"),
        ("siglip", "logit_bias"),
        ("flava", "flava.image_projection.bias"),
        ("chinese_clip", "text_model.embeddings.word_embeddings.weight"),
        ("metaclip_2", "vision_model.post_layernorm.bias"),
    ],
)
def test_missing_and_unknown_keys_are_named(
    make: Callable[..., Path], tmp_path: Path, family: str, key: str
) -> None:
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(make(family), tmp_path / "changed")
    state = load_file(folder / SAFE)
    taken = state.pop(key)
    save_file(state, folder / SAFE, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=f"key {key} is missing"):
        load_model(folder, engine="torch")
    save_file(state | {key: taken, "extra.weight": taken.clone()}, folder / SAFE, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"unexpected key extra\.weight .*: not this architecture$"):
        load_model(folder, engine="torch")


def test_sizes_that_do_not_go_together_are_named(make: Callable[..., Path], tmp_path: Path) -> None:
    folder = shutil.copytree(make("chinese_clip"), tmp_path / "changed")
    file = folder / "config.json"
    config = json.loads(file.read_text())
    for part, change, message in [
        ("vision_config", {"image_size": [32, 48]}, r"image_size is \[32, 48\]"),
        ("vision_config", {"num_attention_heads": 5}, "config.json"),
        (
            "text_config",
            {"hidden_act": "unheard_of"},
            r"text_config\.hidden_act is 'unheard_of', expected",
        ),
        ("vision_config", {"num_hidden_layers": -1}, r"vision_config\.num_hidden_layers is -1, expected 1"),
        ("text_config", {"num_hidden_layers": 2}, r"layer\.2\..*, or config\.json asks for fewer layers"),
        ("text_config", {"vocab_size": 30}, "asks for"),
    ]:
        file.write_text(json.dumps(config | {part: config[part] | change}))
        with pytest.raises(ModelError, match=message):
            load_model(folder, engine="torch")


def test_a_tokenizer_of_another_model_is_refused(make: Callable[..., Path]) -> None:
    model = load_model(make("flava", vocab_size=40, whole=False), engine="torch")
    with pytest.raises(ModelError, match="text tower knows 40: tokenizer and weights"):
        model.scores([squares(32)[0]], [CAPTION])
