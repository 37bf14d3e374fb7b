"""`load_model`: from a name to a model on the local devices."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import jax

from hlx.errors import InputError, ModelError
from hlx.io.own_code import is_own_name
from hlx.models.composited import CompositingModel
from hlx.models.families import FAMILIES, Family
from hlx.models.function import check_named, load_callable
from hlx.models.jax.dual_encoder import DualEncoder
from hlx.models.jax.ports import load_port, load_port_texts, port_side
from hlx.models.jax.text_side import TextSide
from hlx.models.loading.checkpoint import read_config
from hlx.models.loading.devices import check_device, jax_devices
from hlx.models.loading.hub import DEFAULT, DETECTOR, Checkpoint, find, find_detector

DTYPES = ("float32", "bfloat16")
ENGINES = ("jax", "torch")

Devices = str | list[jax.Device] | None
Loaded = DualEncoder | CompositingModel


def load_model(
    name: str | Path = DEFAULT,
    dtype: str = "float32",
    revision: str | None = None,
    devices: Devices = None,
    engine: str | None = None,
    detector: str | Path | None = None,
) -> Loaded:
    """Load a model; `hlx models` lists the architectures.

    Parameters
    ----------
    name
        Embedded name ("clip-scenes", ...), directory of a Hugging Face checkpoint, hub id, or a function of
        your own as "module:function" or "file.py:function" (see `hlx.CallableModel`).
    dtype
        "float32", or "bfloat16" for the large products.
    revision
        Branch, tag or commit of a hub id.
    devices
        "cpu", "cuda", "cuda:1" or "tpu"; a list of JAX devices, for the jax engine; by default all local ones
        of the best kind, of which PyTorch takes the first. Weights and computations are on these devices
        alone: a port's image tower on all of them, its text tower on the first.
    engine
        "jax" for the port with token-affine games, the default where there is one; "torch" for composited
        images through transformers' model.
    detector
        LXMERT's, a directory or hub id; by default detector/ in its directory, then the cells that
        grid_features.json there says, else the released one.

    Raises
    ------
    InputError
        Options that do not go together.
    ModelError
        Unknown, unreachable, corrupt, incomplete or of another architecture; says which key or file. The
        torch extra or the device is missing.
    """
    if dtype not in DTYPES:
        raise InputError(f"dtype {dtype!r}: expected {' or '.join(DTYPES)}")
    if engine is not None and engine not in ENGINES:
        raise InputError(f"engine {engine!r}: expected {' or '.join(ENGINES)}")
    if isinstance(devices, list) and not devices:
        raise InputError("devices: an empty list; name at least one, or leave it out for all local ones")
    if isinstance(devices, str):
        check_device(devices)
        devices = None if devices == "auto" else devices
    if is_own_name(str(name)):
        return _callable(str(name), dtype, engine, devices, detector)
    checkpoint, raw, family = _described(name, revision)
    if _engine(checkpoint, family, engine, detector) == "torch":
        return _torch_model(checkpoint, raw, family, dtype, devices, detector)
    local = jax_devices(devices) if isinstance(devices, str) else devices
    return load_port(checkpoint, raw, family.model_type, dtype, local)


@dataclass(frozen=True)
class Identity:
    """Which model a name stands for, known without loading it.

    Attributes
    ----------
    fingerprint
        What the loaded model's would be.
    engine
        "jax" or "torch"; "function" for a function of the user's own.
    side
        Images are shown to it as squares of so many pixels; None where only loading it would tell.
    """

    fingerprint: str
    engine: str
    side: int | None = None


def identify(
    name: str | Path,
    revision: str | None = None,
    engine: str | None = None,
    detector: str | Path | None = None,
) -> Identity:
    """The model that `load_model` would load by the same name, without its weights in memory.

    Raises
    ------
    InputError, ModelError
        As `load_model`.
    """
    if is_own_name(str(name)):
        model = _callable(str(name), "float32", engine, None, detector)
        return Identity(model.fingerprint, model.engine, model.side)
    checkpoint, raw, family = _described(name, revision)
    chosen = _engine(checkpoint, family, engine, detector)
    if chosen == "torch":
        _check_torch(checkpoint, family)
    side = port_side(checkpoint, raw, family.model_type) if chosen == "jax" else None
    return Identity(_fingerprint(checkpoint, _detector_of(checkpoint, family, detector)), chosen, side)


def load_text_side(name: str | Path, revision: str | None = None) -> tuple[TextSide, Checkpoint]:
    """The text side of a port's checkpoint alone: enough to map new captions onto kept image vectors."""
    checkpoint, raw, family = _described(name, revision)
    if "jax" not in family.engines:
        raise ModelError(f"{checkpoint.name}: {family.title} has no text side of its own")
    return load_port_texts(checkpoint, raw, family.model_type), checkpoint


def _described(name: str | Path, revision: str | None) -> tuple[Checkpoint, dict, Family]:
    """A checkpoint, the content of its config.json, and the architecture that this names."""
    check_named(str(name))
    checkpoint = find(str(name), revision)
    if _is_detector(checkpoint.folder):
        raise ModelError(
            f"{checkpoint.name}: looks like the folder of a detector, which is no model of its own: give it "
            'with detector="DIR", beside an LXMERT'
        )
    raw = read_config(checkpoint.folder)
    return checkpoint, raw, _family(checkpoint, raw)


def _is_detector(folder: Path) -> bool:
    if not (folder / "config.json").is_file():
        return (folder / "config.yaml").is_file()
    raw = read_config(folder)
    model = {key.upper(): value for key, value in raw.items()}.get("MODEL")
    sections = {key.upper() for key in (*raw, *(model if isinstance(model, dict) else ()))}
    return "model_type" not in raw and "ROI_HEADS" in sections


def _family(checkpoint: Checkpoint, raw: dict) -> Family:
    model_type = raw.get("model_type")
    family = FAMILIES.get(model_type) if isinstance(model_type, str) else None
    if family is None:
        hint = " (NaFlex: SigLIP 2 is read at fixed resolution only)" if model_type == "siglip2" else ""
        found = "config.json: model_type is missing"
        if model_type is not None:
            found = f"unsupported architecture {model_type!r}{hint}"
        raise ModelError(
            f"{checkpoint.name}: {found}; known: "
            f"{', '.join(FAMILIES)}; any other model can be given as a function: module:function"
        )
    return family


def _engine(checkpoint: Checkpoint, family: Family, engine: str | None, detector: str | Path | None) -> str:
    chosen = engine or family.engines[0]
    if chosen not in family.engines:
        raise InputError(f'{checkpoint.name}: {family.title} has no JAX port; leave engine="jax" out')
    if detector is not None and family.kind != "lxmert":
        raise InputError(f"{checkpoint.name}: {family.title} takes no detector; only LXMERT does")
    return chosen


def _callable(
    spec: str, dtype: str, engine: str | None, devices: Devices, detector: str | Path | None
) -> CompositingModel:
    given = {"dtype bfloat16": dtype != "float32", "engine": engine, "device": devices, "detector": detector}
    for option, value in given.items():
        if value:
            raise InputError(f"{spec}: {option} is for the function itself to settle; leave it out")
    return load_callable(spec)


def _torch_model(
    checkpoint: Checkpoint,
    raw: dict,
    family: Family,
    dtype: str,
    devices: Devices,
    detector: str | Path | None,
) -> CompositingModel:
    _check_torch(checkpoint, family)
    if isinstance(devices, list):
        raise InputError("devices: a list of JAX devices is for the jax engine; name one for PyTorch: cuda:1")
    from hlx.models.torch import load_scorer

    detector_found = _detector_of(checkpoint, family, detector)
    scorer = load_scorer(
        checkpoint.folder,
        raw,
        family,
        dtype,
        devices,
        None if detector_found is None else detector_found.folder,
    )
    return CompositingModel(
        checkpoint.name,
        family.model_type,
        scorer,
        lambda: _fingerprint(checkpoint, detector_found),
        checkpoint.revision,
        family.unit,
    )


def _check_torch(checkpoint: Checkpoint, family: Family) -> None:
    if find_spec("torch") is None:
        raise ModelError(
            f"{checkpoint.name}: {family.title} runs in PyTorch, which is not installed: install hlx[torch] "
            "(from a clone: pip install '.[torch]')"
        )


def _fingerprint(checkpoint: Checkpoint, detector_found: Checkpoint | None) -> str:
    return checkpoint.fingerprint(*(() if detector_found is None else (detector_found,)))


def _detector_of(checkpoint: Checkpoint, family: Family, name: str | Path | None) -> Checkpoint | None:
    """Where an LXMERT's regions come from; None for grid features, and for all other models."""
    if family.kind != "lxmert":
        return None
    if name is not None:
        return find_detector(str(name))
    own = checkpoint.folder / "detector"
    if own.is_dir():
        return Checkpoint(str(own), own)
    if (checkpoint.folder / "grid_features.json").is_file():
        return None
    try:
        return find_detector(DETECTOR)
    except ModelError as error:
        raise ModelError(f"{checkpoint.name}: LXMERT's {error}") from error
