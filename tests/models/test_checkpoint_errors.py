"""A checkpoint that cannot be used is refused in one line that names the file or the key."""

from __future__ import annotations

import builtins
import json
import pickle
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hlx.errors import HlxError, ModelError
from hlx.models import load_model, load_text_side
from tests.conftest import MakeCheckpoint

torch = pytest.importorskip("torch", reason="random checkpoints are made with torch")

SAFE = "model.safetensors"
PATCHES = "vision_model.embeddings.patch_embedding.weight"
Break = Callable[[Path], None]


@pytest.fixture
def folder(clip_checkpoint: Path, tmp_path: Path) -> Path:
    """A CLIP of its own to break."""
    return Path(shutil.copytree(clip_checkpoint, tmp_path / "clip"))


def refusal(folder: Path | str, load: Callable = load_model) -> str:
    """The line of the ModelError that loading raises."""
    with pytest.raises(ModelError) as caught:
        load(folder)
    message = str(caught.value)
    assert message and "\n" not in message and len(message) < 500
    return message


def without(*names: str) -> Break:
    def act(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return act


def content(name: str, data: bytes | str) -> Break:
    def act(folder: Path) -> None:
        (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)

    return act


def cut(name: str, keep: float) -> Break:
    def act(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: int(len(data) * keep)])

    return act


def config(**changes: Any) -> Break:
    """Change config.json; `tower__key` reaches into a tower's part."""

    def act(folder: Path) -> None:
        values = json.loads((folder / "config.json").read_text())
        for name, value in changes.items():
            tower, _, key = name.partition("__")
            (values[tower] if key else values)[key or tower] = value
        (folder / "config.json").write_text(json.dumps(values))

    return act


def weights(change: Callable[[dict[str, np.ndarray]], object]) -> Break:
    def act(folder: Path) -> None:
        from safetensors.numpy import load_file, save_file

        tensors = load_file(folder / SAFE)
        change(tensors)
        save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, folder / SAFE)

    return act


BROKEN: dict[str, tuple[Break, tuple[str, ...]]] = {
    "no config": (without("config.json"), ("config.json", "missing")),
    "config is no JSON": (content("config.json", "{model_type:"), ("config.json", "JSON")),
    "config is a list": (content("config.json", "[1]"), ("config.json", "list")),
    "config is not text": (content("config.json", b"\xff\xfe\x00"), ("config.json", "JSON")),
    "config names no architecture": (content("config.json", "{}"), ("model_type is missing", "clip, siglip")),
    "bert": (config(model_type="bert"), ("'bert'", "clip, siglip")),
    "NaFlex": (config(model_type="siglip2"), ("'siglip2'", "fixed resolution")),
    "activation": (config(vision_config__hidden_act="swish9"), ("'swish9'", "quick_gelu")),
    "text activation": (config(text_config__hidden_act="mish"), ("'mish'", "gelu")),
    "heads": (config(vision_config__num_attention_heads=7), ("config.json", "48", "7")),
    "no heads": (config(text_config__num_attention_heads=0), ("config.json",)),
    "no patch": (config(vision_config__patch_size=0), ("config.json", "patch_size")),
    "no layers": (config(vision_config__num_hidden_layers=0), ("config.json", "num_hidden_layers")),
    "size in words": (config(vision_config__image_size="big"), ("config.json", "image_size")),
    "tower is a list": (config(text_config=[]), ("config.json", "text_config")),
    "no weights": (without(SAFE), (SAFE, "pytorch_model.bin")),
    "weights cut short": (cut(SAFE, 0.9), (SAFE, "whole")),
    "header cut short": (cut(SAFE, 0.01), (SAFE, "whole")),
    "empty weights": (content(SAFE, ""), (SAFE, "whole")),
    "weights are garbage": (content(SAFE, b"\x80garbage" * 99), (SAFE, "whole")),
    "missing key": (weights(lambda w: w.pop("logit_scale")), ("key logit_scale is missing",)),
    "missing keys": (
        weights(lambda w: [w.pop(k) for k in list(w) if k.startswith("text_model.encoder.layers.1.")]),
        ("text_model.encoder.layers.1.self_attn.q_proj.weight (and 15 more) is missing",),
    ),
    "unknown key": (
        weights(lambda w: w.update({"text_model.adapter.weight": np.ones((2, 3), np.float32)})),
        ("text_model.adapter.weight", "(2, 3): not this architecture"),
    ),
    "config of fewer layers": (
        config(text_config__num_hidden_layers=1),
        ("key text_model.encoder.layers.1.", "not this architecture, or config.json asks for fewer layers"),
    ),
    "negative layers": (config(text_config__num_hidden_layers=-1), ("num_hidden_layers is -1",)),
    "shape": (
        weights(lambda w: w.update({PATCHES: w[PATCHES][:, :, :8]})),
        (PATCHES, "(48, 3, 8, 16)", "(48, 3, 16, 16)"),
    ),
    "config of another size": (config(vision_config__hidden_size=96), ("(48,)", "(96,)", "config.json")),
    "config of more layers": (config(text_config__num_hidden_layers=3), ("text_model.encoder.layers.2.",)),
    "no image processor": (without("preprocessor_config.json"), ("preprocessor_config.json", "missing")),
    "image processor is no JSON": (content("preprocessor_config.json", "{]"), ("preprocessor_config.json",)),
    "image processor makes no sense": (
        content("preprocessor_config.json", '{"image_mean": "red", "size": 32, "crop_size": 32}'),
        ("preprocessor_config.json", "cannot be used"),
    ),
    "division by zero": (
        content("preprocessor_config.json", '{"image_std": [0, 0, 0], "size": 32, "crop_size": 32}'),
        ("preprocessor_config.json", "image_std"),
    ),
    "no tokenizer": (without("tokenizer.json"), ("no tokenizer", "tokenizer.json")),
    "tokenizer is no JSON": (content("tokenizer.json", "{"), ("tokenizer",)),
    "tokenizer is another JSON": (content("tokenizer.json", "{}"), ("tokenizer",)),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("act", "words"), BROKEN.values(), ids=BROKEN)
def test_broken_folder(folder: Path, act: Break, words: tuple[str, ...]) -> None:
    act(folder)
    message = refusal(folder)
    assert str(folder) in message
    for word in words:
        assert word in message


def test_text_side_alone_is_as_strict(folder: Path) -> None:
    """Its weights are checked like the whole checkpoint's, those of the image tower too."""
    weights(lambda w: w.pop(PATCHES))(folder)
    assert PATCHES in refusal(folder, load_text_side)


def test_shards(make_checkpoint: MakeCheckpoint, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(make_checkpoint("clip", shards=3), tmp_path / "sharded"))
    shards = sorted(folder.glob("model-*.safetensors"))
    index = folder / "model.safetensors.index.json"
    whole = index.read_text()
    cut(shards[0].name, 0.5)(folder)
    assert shards[0].name in refusal(folder)
    shards[0].unlink()
    message = refusal(folder)
    assert shards[0].name in message and index.name in message and "missing" in message
    for wrong in ("{}", '{"weight_map": {}}', '{"weight_map": ["a"]}', '{"weight_map": {"a": 3}}'):
        index.write_text(wrong)
        assert index.name in refusal(folder) and "weight_map" in refusal(folder)
    index.write_text(whole[:-20])
    assert index.name in refusal(folder)


def test_tokenizer_of_another_checkpoint(folder: Path) -> None:
    """An id beyond the token table is no reason to take its last row."""
    config(text_config__vocab_size=300)(folder)
    words = "text_model.embeddings.token_embedding.weight"
    weights(lambda w: w.update({words: w[words][:300]}))(folder)
    model = load_model(folder)
    with pytest.raises(ModelError, match="tokenizer and weights do not belong together"):
        model.encode_texts(["a red circle"])


def test_image_processor_of_another_size(folder: Path) -> None:
    act = content("preprocessor_config.json", '{"size": {"shortest_edge": 48}, "crop_size": 48}')
    act(folder)
    assert "makes images of (48, 48) pixels, config.json takes 32x32" in refusal(folder)


def test_images_of_another_number_of_colours(folder: Path) -> None:
    file = folder / "config.json"
    config = json.loads(file.read_text())
    config["vision_config"]["num_channels"] = 1
    file.write_text(json.dumps(config))
    assert "vision_config.num_channels is 1, expected 3" in refusal(folder)


def test_processor_file_of_newer_checkpoints(folder: Path, clip_checkpoint: Path) -> None:
    """transformers 5 saves tokenizer and image processor under one roof, and no preprocessor_config.json."""
    from transformers import CLIPImageProcessorPil, CLIPProcessor, CLIPTokenizer

    without("preprocessor_config.json")(folder)
    processor = CLIPImageProcessorPil.from_pretrained(clip_checkpoint)
    tokenizer = CLIPTokenizer.from_pretrained(clip_checkpoint)
    CLIPProcessor(processor, tokenizer).save_pretrained(folder)
    assert not (folder / "preprocessor_config.json").exists()
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    made = load_model(folder)._pixels.of([image])
    np.testing.assert_array_equal(made, load_model(clip_checkpoint)._pixels.of([image]))
    content("processor_config.json", '{"processor_class": "CLIPProcessor"}')(folder)
    assert "preprocessor_config.json is missing" in refusal(folder)


class Trap:
    """Unpickling it leaves a file behind."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return builtins.open, (str(self.mark), "w")


@pytest.fixture
def pickled(make_checkpoint: MakeCheckpoint, tmp_path: Path) -> Path:
    """A CLIP that ships pytorch_model.bin alone."""
    return Path(shutil.copytree(make_checkpoint("clip", pickle_only=True), tmp_path / "pickled"))


def test_pickle_without_torch_names_the_extra(pickled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    message = refusal(pickled)
    for word in ("pytorch_model.bin", "hlx[torch]", "hlx convert"):
        assert word in message


def test_pickle_is_not_executed(pickled: Path, tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    for save in (
        lambda file: torch.save({"logit_scale": Trap(mark)}, file),
        lambda file: file.write_bytes(pickle.dumps(Trap(mark))),
    ):
        save(pickled / "pytorch_model.bin")
        assert "pytorch_model.bin" in refusal(pickled)
        assert not mark.exists()
    pickle.loads(pickle.dumps(Trap(mark)))
    assert mark.exists()  # the trap does spring where it is let


@pytest.mark.parametrize(
    ("act", "word"),
    [
        (cut("pytorch_model.bin", 0.5), "weights_only"),
        (content("pytorch_model.bin", b"garbage"), "weights_only"),
        (content("pytorch_model.bin", b""), "weights_only"),
        (lambda folder: torch.save([torch.ones(1)], folder / "pytorch_model.bin"), "list"),
        (lambda folder: torch.save({"logit_scale": 1.0}, folder / "pytorch_model.bin"), "logit_scale"),
        (lambda folder: torch.save({"extra": torch.ones(2)}, folder / "pytorch_model.bin"), "extra"),
    ],
    ids=["cut short", "garbage", "empty", "list", "number", "unknown key"],
)
def test_broken_pickle(pickled: Path, act: Break, word: str) -> None:
    act(pickled)
    assert word in refusal(pickled)


def test_names_that_lead_nowhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = folder / "config.json"
    assert "is a file" in refusal(file) and str(file) in refusal(str(file))
    message = refusal("clip-szenes")
    for word in ("'clip-szenes'", "clip-scenes", "siglip-scenes", "openai/clip-vit-base-patch32"):
        assert word in message
    assert "no such directory" in refusal(str(folder / "sub" / "nothing"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    message = refusal("nobody/no-such-model")
    assert "nobody/no-such-model" in message and "hub" in message
    with pytest.raises(HlxError):
        load_model("")


def test_empty_directory(tmp_path: Path) -> None:
    assert "config.json is missing" in refusal(tmp_path)


@pytest.mark.parametrize("lost", ["sentencepiece", "google.protobuf"])
def test_tokenizer_package_missing(
    siglip_checkpoint: Path, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    """SigLIP's own tokenizer needs the siglip extra, and the error says so."""
    from transformers import AutoTokenizer

    def fail(*_: object, **__: object) -> None:
        raise ImportError(
            f"\nSiglipTokenizer requires the {lost} library but it was not found.\nSee its page"
        )

    monkeypatch.setattr(AutoTokenizer, "from_pretrained", fail)
    message = refusal(siglip_checkpoint)
    assert "hlx[siglip]" in message and lost in message


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (without("spiece.model"), ("no tokenizer", "spiece.model")),
        (content("spiece.model", b"garbage"), ("spiece.model",)),
        (config(vision_config__vision_use_head=False), ("pooling head",)),
        (weights(lambda w: w.pop("vision_model.head.probe")), ("vision_model.head.probe", "missing")),
        (weights(lambda w: w.update(logit_bias=np.zeros(2, np.float32))), ("logit_bias", "(2,)")),
    ],
    ids=["no tokenizer", "garbage tokenizer", "headless", "missing probe", "two biases"],
)
def test_broken_siglip(siglip_checkpoint: Path, tmp_path: Path, act: Break, words: tuple[str, ...]) -> None:
    folder = Path(shutil.copytree(siglip_checkpoint, tmp_path / "siglip"))
    act(folder)
    message = refusal(folder)
    assert str(folder) in message and all(word in message for word in words)
