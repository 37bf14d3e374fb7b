"""BLIP and ViLT score as transformers' own classes do, on composited images too."""

from __future__ import annotations

import json
import shutil
import warnings
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

pytest.importorskip("torch", reason="these models run in torch")

import torch

from hlx.models.torch.pixels import Normalised
from tests.parity.reference import TEXTS, squares
from tests.support.torch_checkpoints import MakeTorchCheckpoint, cached_maker

WITHIN = 1e-4
FAMILIES = ("blip", "vilt")
CLASSES = {"blip": "BlipForImageTextRetrieval", "vilt": "ViltForImageAndTextRetrieval"}
SAFE = "model.safetensors"
CAPTION, FOIL = "a red circle on a grey ground", "two green triangles are left of the yellow star"


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> MakeTorchCheckpoint:
    return cached_maker(tmp_path_factory.mktemp("torch"))


class Reference:
    """transformers' class, image processor and tokenizer, one image and one text at a time."""

    def __init__(self, folder: Path, family: str) -> None:
        import transformers

        self.family = family
        self.whole = getattr(transformers, CLASSES[family]).from_pretrained(folder).eval()
        self.processor = getattr(transformers, PROCESSORS[family]).from_pretrained(folder)
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)

    def score(self, image: np.ndarray, text: str) -> float:
        pixels = self.processor([image], return_tensors="pt")
        tokens = self.tokenizer([text], return_tensors="pt", truncation=True, max_length=40)
        with torch.inference_mode():
            if self.family == "vilt":
                return float(self.whole(**pixels, **tokens).logits[0, 0])
            ids, mask = tokens["input_ids"], tokens["attention_mask"]
            return float(self.whole(ids, attention_mask=mask, **pixels).itm_score.softmax(dim=1)[0, 1])

    def scores(self, images: list[np.ndarray], texts: list[str]) -> np.ndarray:
        return np.array([[self.score(image, text) for text in texts] for image in images])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("options", [{}, {"eps": 3e-2, "image_size": 64, "seed": 1}], ids=["small", "odd"])
def test_scores_are_those_of_the_whole_model(
    make: MakeTorchCheckpoint, family: str, options: dict[str, float]
) -> None:
    folder = make(family, **options)
    model = load_model(folder)
    assert (model.family, model.packages) == (family, ("torch", "transformers"))
    images = [*squares(model.side), *(np.full((model.side, model.side, 3), x, np.uint8) for x in (0, 128))]
    texts = list(TEXTS)  # of one token to cut at the limit: so that padding has to be masked
    expected = Reference(folder, family).scores(images, texts)
    assert min(np.ptp(expected, axis=axis).min() for axis in (0, 1)) > 0.005
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LongTextWarning)
        scores = model.scores(images, texts)
        np.testing.assert_allclose(scores, expected, rtol=0, atol=WITHIN)
        alone = np.array([[model.scores([image], [text])[0, 0] for text in texts] for image in images])
    np.testing.assert_allclose(alone, scores, rtol=0, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_game_is_of_images_composited_one_at_a_time(make: MakeTorchCheckpoint, family: str) -> None:
    folder = make(family)
    model = load_model(folder)
    image, side = squares(model.side)[0], model.side
    game = model.game(Stimulus(image, CAPTION, FOIL), Grid(2, 2), "blur", batch_size=5)
    shown = all_rows(4)[:, Grid(2, 2).labels(side)][..., None]
    expected = Reference(folder, family).scores(
        list(np.where(shown, image, hidden_view(image, "blur"))), [CAPTION, FOIL]
    )
    table = game.table()
    assert np.ptp(expected) > 0.005
    np.testing.assert_allclose(table, expected[:, 0] - expected[:, 1], rtol=0, atol=WITHIN)
    again = load_model(folder).game(Stimulus(image, CAPTION, FOIL), Grid(2, 2), "blur", batch_size=5)
    np.testing.assert_array_equal(again.table(), table)
    one = model.game(Stimulus(image, CAPTION, FOIL), Grid(2, 2), "blur", batch_size=1)
    np.testing.assert_allclose(one.table(), table, rtol=0, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_pairs_in_any_order_and_number(make: MakeTorchCheckpoint, family: str) -> None:
    model = load_model(make(family))
    images, texts = squares(model.side), ["x", CAPTION, FOIL]
    scores = model.scores(list(images), texts)
    draw = np.random.default_rng(0)
    rows = draw.integers(0, 5, 90), draw.integers(0, 3, 90)  # more than go through at once
    np.testing.assert_allclose(model.pair_scores(images, texts, *rows), scores[rows], rtol=0, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_bfloat16_is_close(make: MakeTorchCheckpoint, family: str) -> None:
    folder = make(family)
    exact, narrow = load_model(folder), load_model(folder, dtype="bfloat16")
    images, texts = list(squares(exact.side)), [CAPTION, FOIL, "x"]
    found, expected = narrow.scores(images, texts), exact.scores(images, texts)
    assert found.dtype == np.float32 and (found != expected).any()
    np.testing.assert_allclose(found, expected, rtol=0, atol={"blip": 0.05, "vilt": 0.5}[family])


@pytest.mark.parametrize("family", FAMILIES)
def test_norms_are_of_float32_in_bfloat16(make: MakeTorchCheckpoint, family: str) -> None:
    """CUDA refuses layer norms whose weights have another type than what they norm."""
    model = load_model(make(family), dtype="bfloat16")
    given: list[torch.dtype] = []
    norms = [part for part in model.scorer.network.modules() if isinstance(part, torch.nn.LayerNorm)]
    for norm in norms:
        norm.register_forward_pre_hook(lambda norm, x: given.append(x[0].dtype))
    model.scores([squares(model.side)[0]], [CAPTION])
    assert len(given) >= len(norms) > 4 and set(given) == {torch.float32}


def test_outputs_are_read_whatever_the_file_asks_of_them(make: MakeTorchCheckpoint, tmp_path: Path) -> None:
    folder = shutil.copytree(make("blip"), tmp_path / "changed")
    config = json.loads((folder / "config.json").read_text())
    config["vision_config"]["return_dict"] = False
    (folder / "config.json").write_text(json.dumps(config))
    image = squares(32)[0]
    expected = load_model(make("blip")).scores([image], [CAPTION])
    np.testing.assert_array_equal(load_model(folder).scores([image], [CAPTION]), expected)


@pytest.mark.parametrize(
    ("family", "size"),
    [("blip", 48), ("blip", {"height": 48, "width": 48}), ("vilt", 48), ("vilt", {"shortest_edge": 48})],
)
def test_pixels_are_the_processors(
    make: MakeTorchCheckpoint, tmp_path: Path, family: str, size: object
) -> None:
    import transformers

    made = json.loads((make(family) / "preprocessor_config.json").read_text()) | {"size": size}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(made))
    images = squares(48)
    processor = getattr(transformers, PROCESSORS[family]).from_pretrained(tmp_path)
    expected = processor(list(images), return_tensors="pt")["pixel_values"]
    found = Normalised(tmp_path, family, 48)(torch.from_numpy(images).permute(0, 3, 1, 2))
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=0, atol=1e-5)


def test_an_image_processor_that_belongs_to_another_model_is_refused(
    make: MakeTorchCheckpoint, tmp_path: Path
) -> None:
    folder = shutil.copytree(make("vilt"), tmp_path / "changed")
    file = folder / "preprocessor_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"size_divisor": 32}))
    with pytest.raises(ModelError, match=r"images of \(32, 32\) pixels, config.json takes 48x48"):
        load_model(folder)


@pytest.mark.parametrize(
    ("family", "task", "message"),
    [
        ("blip", "BlipForConditionalGeneration", "itm_head.bias and itm_head.weight.*blip-itm-base-coco"),
        ("blip", "BlipForQuestionAnswering", "itm_head.bias and itm_head.weight.*blip-itm-base-coco"),
        ("vilt", "ViltForMaskedLM", "rank_output.bias and rank_output.weight.*vilt-b32-finetuned-coco"),
        ("vilt", "ViltForQuestionAnswering", "rank_output.bias and rank_output.weight.*finetuned-coco"),
    ],
)
def test_a_checkpoint_of_another_task_is_told_what_to_take(
    make: MakeTorchCheckpoint, family: str, task: str, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        load_model(make(family, task=task))


@pytest.mark.parametrize(
    ("family", "key"),
    [
        ("blip", "text_encoder.encoder.layer.1.crossattention.self.key.bias"),
        ("vilt", "vilt.embeddings.cls_token"),
    ],
)
def test_missing_keys_are_named(make: MakeTorchCheckpoint, tmp_path: Path, family: str, key: str) -> None:
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(make(family), tmp_path / "changed")
    state = load_file(folder / SAFE)
    del state[key]
    save_file(state, folder / SAFE, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=f"key {key} is missing"):
        load_model(folder)


@pytest.mark.parametrize(
    ("family", "section", "change", "message"),
    [
        (
            "blip",
            "vision_config",
            {"hidden_act": "nope"},
            r"vision_config\.hidden_act is 'nope', expected",
        ),
        ("blip", "vision_config", {"num_attention_heads": 0}, r"made of it: ZeroDivisionError: "),
        ("blip", "text_config", {"num_hidden_layers": 0}, r"text_config\.num_hidden_layers is 0, expected 1"),
        ("blip", "text_config", {"num_hidden_layers": 2}, r"layer\.2\..*config\.json asks for fewer layers"),
        (
            "vilt",
            None,
            {"num_hidden_layers": -2},
            r"config\.json: num_hidden_layers is -2, expected 1",
        ),
        ("vilt", None, {"hidden_act": "nope"}, r"config\.json: hidden_act is 'nope', expected one of gelu"),
    ],
)
def test_a_config_that_cannot_be_is_named(
    make: MakeTorchCheckpoint,
    tmp_path: Path,
    family: str,
    section: str | None,
    change: dict[str, object],
    message: str,
) -> None:
    folder = shutil.copytree(make(family), tmp_path / "changed")
    config = json.loads((folder / "config.json").read_text())
    (config if section is None else config[section]).update(change)
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=message):
        load_model(folder)


def test_patches_left_out_at_random_are_refused(make: MakeTorchCheckpoint) -> None:
    with pytest.raises(ModelError, match="max_image_length is 4: some of the 9 patches"):
        load_model(make("vilt", max_image_length=4))


def test_only_the_torch_engine_runs_them(make: MakeTorchCheckpoint) -> None:
    from hlx.errors import InputError

    with pytest.raises(InputError, match="BLIP has no JAX port"):
        load_model(make("blip"), engine="jax")
