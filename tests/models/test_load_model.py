"""`load_model`: which engine, device and detector a name gets, and what does not go together."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import hlx
from hlx.errors import InputError, ModelError
from hlx.models.composited import CompositingModel
from hlx.models.families import FAMILIES
from hlx.models.jax.dual_encoder import DualEncoder
from hlx.models.jax.ports import PORTS
from hlx.models.loading.load import identify, load_model, load_text_side
from tests.conftest import MakeCheckpoint
from tests.support.command_line import hlx as command
from tests.support.slow_way import CAPTION, FOIL, photograph


def test_every_port_is_a_family_s_first_engine() -> None:
    assert {name for name, family in FAMILIES.items() if family.engines[0] == "jax"} == set(PORTS)
    assert all(set(family.engines) <= {"jax", "torch"} for family in FAMILIES.values())


@pytest.mark.parametrize("kind", ["clip", "flava"])
def test_both_engines_give_the_same_game(make_checkpoint: MakeCheckpoint, kind: str) -> None:
    folder = make_checkpoint(kind)
    port, composited = load_model(folder), load_model(folder, engine="torch")
    assert isinstance(port, DualEncoder) and isinstance(composited, CompositingModel)
    assert port.fingerprint == composited.fingerprint and port.side == composited.side
    assert (port.engine, composited.engine) == ("jax", "torch")
    stimulus = hlx.Stimulus(photograph(), CAPTION, FOIL)
    one, other = (model.game(stimulus, hlx.Grid(2, 2)).table() for model in (port, composited))
    assert np.ptp(one) > 0.1
    np.testing.assert_allclose(other, one, rtol=0, atol=1e-3)
    made = hlx.explain(composited, stimulus, hlx.Grid(2, 2)).context
    assert (
        made is not None
        and made.engine == "torch"
        and "torch" in made.versions
        and "threads" in made.versions["device"]
    )


def test_a_device_can_be_named(clip_checkpoint: Path) -> None:
    assert load_model(clip_checkpoint, devices="cpu").device == "2 x cpu (cpu)"
    assert load_model(clip_checkpoint, devices="cpu:1").device == "1 x cpu (cpu)"
    assert load_model(clip_checkpoint, devices=jax.devices()[:1]).device == "1 x cpu (cpu)"


@pytest.mark.parametrize("device", ["cuda", "tpu", "cpu:9"])
def test_a_device_that_is_not_there(clip_checkpoint: Path, device: str) -> None:
    if device == "cuda" and any(each.platform == "gpu" for each in jax.devices()):
        pytest.skip("there is a GPU")
    with pytest.raises(ModelError, match=f"device '{device}' is not here for JAX; there are: cpu:0"):
        load_model(clip_checkpoint, devices=device)
    if device != "cpu:9":
        with pytest.raises(ModelError, match=f"device '{device}'"):
            load_model(clip_checkpoint, devices=device, engine="torch")


@pytest.mark.parametrize("device", ["cuda:x", "gpu", "gramophone", "cuda:", "", "CPU"])
@pytest.mark.parametrize("engine", ["jax", "torch"])
def test_a_device_that_can_be_none(clip_checkpoint: Path, device: str, engine: str) -> None:
    with pytest.raises(InputError, match=f"device '{device}': expected auto, cpu, cuda, cuda:N or tpu"):
        load_model(clip_checkpoint, devices=device, engine=engine)


def test_options_that_do_not_go_together(clip_checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"engine 'onnx': expected jax or torch"):
        load_model(clip_checkpoint, engine="onnx")
    with pytest.raises(InputError, match="takes no detector"):
        load_model(clip_checkpoint, detector=tmp_path)
    with pytest.raises(InputError, match="list of JAX devices is for the jax engine"):
        load_model(clip_checkpoint, engine="torch", devices=jax.devices()[:1])
    folder = tmp_path / "lxmert"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "lxmert"}))
    with pytest.raises(InputError, match="LXMERT has no JAX port"):
        load_model(folder, engine="jax")
    with pytest.raises(ModelError, match="LXMERT has no text side"):
        load_text_side(folder)


def test_without_torch_the_error_says_what_to_install(
    clip_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hlx.models.loading.load.find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"runs in PyTorch, which is not installed.*hlx\[torch\]"):
        load_model(clip_checkpoint, engine="torch")
    assert load_model(clip_checkpoint).family == "clip"


def test_an_unknown_architecture_is_pointed_to_functions(clip_checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    shutil.copytree(clip_checkpoint, folder)
    (folder / "config.json").write_text(json.dumps({"model_type": "git"}))
    with pytest.raises(ModelError, match=r"unsupported architecture 'git'; known: clip.*module:function"):
        load_model(folder)


def test_a_config_without_architecture_says_so(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match=r"config\.json: model_type is missing; known: clip, siglip"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.yaml", "MODEL: {}"),
        ("config.json", '{"ROI_HEADS": {}}'),
        ("config.json", '{"model": {"roi_heads": {}}}'),
    ],
)
def test_a_detector_s_folder_is_no_model(tmp_path: Path, file: str, content: str) -> None:
    (tmp_path / file).write_text(content)
    with pytest.raises(ModelError, match=r"looks like the folder of a detector, .* detector="):
        load_model(tmp_path)


@pytest.fixture
def eyeless(tmp_path: Path) -> Path:
    """The folder of an LXMERT, as far as looking for its detector goes."""
    (tmp_path / "eyeless").mkdir()
    (tmp_path / "eyeless" / "config.json").write_text('{"model_type": "lxmert"}')
    return tmp_path / "eyeless"


@pytest.mark.parametrize("detector", ["/nowhere/at/all", "clip-scenes"])
def test_a_detector_that_is_not_there_is_not_told_as_a_model(eyeless: Path, detector: str) -> None:
    for look in (load_model, identify):
        with pytest.raises(ModelError) as caught:
            look(eyeless, detector=detector)
        assert str(caught.value) == (
            f"detector '{detector}': no such directory, and not a hub id like unc-nlp/frcnn-vg-finetuned"
        )


def test_a_detector_that_is_a_file(eyeless: Path) -> None:
    with pytest.raises(ModelError, match=r"detector '.*config\.json' is a file; .* its config\.yaml"):
        load_model(eyeless, detector=eyeless / "config.json")


def test_offline_it_is_the_detector_that_is_out_of_reach(
    eyeless: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError) as caught:
        load_model(eyeless)
    assert str(caught.value) == (
        f"{eyeless}: LXMERT's detector unc-nlp/frcnn-vg-finetuned: the hub is out of reach and no copy is "
        'cached; connect once, or give another with detector="DIR"'
    )
    with pytest.raises(ModelError, match=r"^detector a/b: the hub is out of reach"):
        load_model(eyeless, detector="a/b")


def test_the_command_line_takes_engines_functions_and_says_what_is_missing(
    clip_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    Image.fromarray(photograph()).save("photo.png")
    (tmp_path / "mine.py").write_text(
        "import numpy as np\n"
        "def redness(images, texts):\n"
        "    return np.outer(images[..., 0].mean((1, 2)), [len(text) for text in texts])\n"
        "def boom(images, texts):\n"
        "    raise RuntimeError('my weights are missing')\n"
    )
    asked = ("explain", "photo.png", "--caption", "red", "--foil", "r", "--grid", "2x2", "--json")
    for spec in ("mine:redness", "mine.py:redness"):
        ended = command(*asked, "--model", spec)
        assert ended.status == 0, ended.err
        found = json.loads(ended.out)
        assert found["engine"] == "function"
        assert found["score"] == pytest.approx(2 * square_red(), rel=1e-5)
    ended = command(*asked, "--model", clip_checkpoint, "--engine", "torch", "--device", "cpu")
    assert ended.status == 0 and "torch" in json.loads(ended.out)["versions"], ended.err
    for arguments, message in (
        (("--model", "mine:blueness"), "blueness"),
        (("--model", "mine:redness", "--dtype", "bfloat16"), "dtype bfloat16"),
        (("--model", clip_checkpoint, "--device", "cuda:7"), "cuda:7"),
        (("--model", "mine.py:boom"), "mine.py:boom: RuntimeError: my weights are missing (mine.py, line 5)"),
        (("--model", "mine:redness", "--device", "cpu"), "mine:redness: device is for the function itself"),
    ):
        ended = command(*asked, *arguments)
        assert ended.status == 2 and message in ended.err.splitlines()[-1], ended.err


def square_red() -> float:
    from hlx.io.images import square

    return float(square(photograph(), 224)[..., 0].mean())
