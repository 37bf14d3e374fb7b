"""Hugging Face checkpoint files to the arrays of a port, checked key by key; safetensors need no torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np
from flax import nnx

from hlx.errors import ModelError
from hlx.io.messages import first_line
from hlx.models.jax.transformer import BLOCK_ARRAYS, Block, BlockShape
from hlx.models.loading.weight_map import WeightMap, WeightTarget, why_unexpected

if TYPE_CHECKING:
    from transformers import PretrainedConfig


SAFETENSORS = "model.safetensors"
PICKLED = "pytorch_model.bin"

_TRANSFORMS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "keep": lambda a: a,
    "transpose": lambda a: a.T,
    "scalar": lambda a: a.reshape(()),
    "row": lambda a: a.reshape(-1),
    "rows": lambda a: a.reshape(-1, a.shape[-1]),
    # A convolution kernel (out, channel, y, x) as the matrix that multiplies a flat (y, x, channel) patch.
    "patch": lambda a: a.transpose(2, 3, 1, 0).reshape(-1, a.shape[0]),
}


class Arrays:
    """The port's arrays by name, in host memory: whoever has the tower puts it on its devices.

    Taking one removes it, so that a large model is not held twice.
    """

    def __init__(self, arrays: dict[str, np.ndarray], matmul_dtype: Mapping[str, str]) -> None:
        self._arrays = arrays
        self._matmul_dtype = dict(matmul_dtype)

    def __getitem__(self, name: str) -> np.ndarray:
        return self._arrays.pop(name)

    def _typed(self, tower: str, name: str, array: np.ndarray) -> np.ndarray:
        dtype = self._matmul_dtype.get(tower, "float32") if name.endswith("_weight") else "float32"
        return array.astype(jnp.dtype(dtype), copy=False)

    def layer(self, tower: str, index: int) -> dict[str, np.ndarray]:
        """Arrays of one block; its matrices in the tower's dtype, biases that it does not have zero."""
        place = f"{tower}/{index}/"
        if place + "qkv_bias" not in self._arrays:
            width = self._arrays[place + "qkv_weight"].shape[1]
            self._arrays[place + "qkv_bias"] = np.zeros(width, np.float32)
        return {name: self._typed(tower, name, self._arrays.pop(place + name)) for name in BLOCK_ARRAYS}

    def blocks(self, tower: str, layers: range, shape: BlockShape) -> nnx.List[Block]:
        """Consecutive blocks."""
        return nnx.List(Block(self.layer(tower, i), shape) for i in layers)


def read_config(folder: Path) -> dict:
    """The checkpoint's config.json."""
    return read_json(folder / "config.json")


def read_json(path: Path) -> dict:
    """A JSON object from a checkpoint's folder; ModelError when missing or corrupt."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{path.parent}: {path.name} is missing") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} holds a {type(content).__name__} where an object was expected")
    return content


def weight_files(folder: Path) -> tuple[list[Path], bool]:
    """The files that hold the weights, and whether they are safetensors."""
    for name, safe in ((SAFETENSORS, True), (PICKLED, False)):
        if (folder / name).is_file():
            return [folder / name], safe
        index = folder / f"{name}.index.json"
        if index.is_file():
            shards = read_json(index).get("weight_map")
            if (
                not isinstance(shards, dict)
                or not all(isinstance(s, str) for s in shards.values())
                or not shards
            ):
                raise ModelError(f"{index}: weight_map is missing, empty or does not name files")
            files = [folder / shard for shard in sorted(set(shards.values()))]
            for file in files:
                if not file.is_file():
                    raise ModelError(f"{folder}: shard {file.name}, named in {index.name}, is missing")
            return files, safe
    raise ModelError(f"{folder}: no weights: neither {SAFETENSORS} (or its shards) nor {PICKLED} is there")


def tensors(folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Every tensor of a checkpoint by key, one at a time, in the file's dtype or float32."""
    files, safe = weight_files(folder)
    for file in files:
        yield from _safetensors(file) if safe else _pickled(file)


def _safetensors(file: Path) -> Iterator[tuple[str, np.ndarray]]:
    import ml_dtypes  # noqa: F401  (teaches NumPy the name "bfloat16")
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="numpy") as handle:
            for key in handle.keys():  # noqa: SIM118  (not a dict)
                yield key, handle.get_tensor(key)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{file} is not a whole safetensors file: {error}") from error


def _pickled(file: Path) -> Iterator[tuple[str, np.ndarray]]:
    try:
        import torch
    except ImportError:
        raise ModelError(
            f"{file.parent} ships its weights only as {file.name}, which takes the torch extra to read: "
            "install hlx[torch], then use it as it is or write safetensors once with `hlx convert`"
        ) from None
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises pickle, zip, runtime and EOF errors alike for a corrupt file
        raise ModelError(f"{file} cannot be read with weights_only: {first_line(error)}") from error
    if not isinstance(state, dict):
        raise ModelError(f"{file} holds a {type(state).__name__} where a state dict was expected")
    for key, value in state.items():
        if not isinstance(value, torch.Tensor):
            raise ModelError(f"{file}: {key} is a {type(value).__name__}, not a tensor")
        yield key, value.float().numpy() if value.is_floating_point() else value.numpy()


def read_arrays(
    folder: Path,
    weight_map: WeightMap,
    matmul_dtype: Mapping[str, str],
    towers: tuple[str, ...] | None = None,
    prefix: str = "",
    ignored: tuple[str, ...] = (),
) -> Arrays:
    """Fill the port's arrays from a checkpoint.

    Parameters
    ----------
    folder
        Directory of a Hugging Face checkpoint.
    weight_map
        Every key the port needs, with its place and shape.
    matmul_dtype
        Tower name -> dtype of its blocks' matrices; float32 where not named.
    towers
        Keep only arrays of these towers, and those of none; all by default.
    prefix
        May stand before the keys: that of the model inside a model with further heads.
    ignored
        Beginnings, after the prefix, of keys that the architecture has and the port does not need.

    Raises
    ------
    ModelError
        A file is missing or corrupt, a key is missing, unknown, of another shape, or holds integers; names
        the key.
    """
    filled: dict[str, np.ndarray] = {}
    seen: dict[str, str] = {}
    for key, tensor in tensors(folder):
        name = key.removeprefix(prefix)
        if name.endswith(".position_ids"):  # a constant buffer of old checkpoints
            continue
        if name.startswith(ignored):
            continue
        slot = weight_map.get(name)
        if slot is None:
            raise ModelError(
                f"{folder}: unexpected key {key} of shape {tensor.shape}: {why_unexpected(name, weight_map)}"
            )
        shape = (1,) if slot.transform == "scalar" and tensor.shape == (1,) else slot.shape
        if tensor.shape != shape:
            raise ModelError(
                f"{folder}: key {key} has shape {tensor.shape}; config.json asks for {slot.shape}"
            )
        if name in seen:
            raise ModelError(f"{folder}: keys {seen[name]} and {key} are the same one: keep one of them")
        check_floats(folder, key, tensor)
        seen[name] = key
        tower, inside, _ = slot.target.partition("/")
        if towers is not None and inside and tower not in towers:
            continue
        _place(filled, slot, _TRANSFORMS[slot.transform](np.asarray(tensor, np.float32)))
    missing = [key for key in weight_map if key not in seen]
    if missing:
        prefixed = any(name != key for name, key in seen.items())
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise ModelError(
            f"{folder}: key {prefix if prefixed else ''}{missing[0]}{more} is missing from the weights"
        )
    return Arrays(filled, matmul_dtype)


def check_floats(folder: Path, key: str, tensor: np.ndarray) -> None:
    """Raise ModelError where a checkpoint's tensor holds integers or booleans, of quantised weights say."""
    if tensor.dtype.kind in "biu":
        raise ModelError(f"{folder}: key {key} holds {tensor.dtype} numbers: weights must be floats")


def _place(filled: dict[str, np.ndarray], slot: WeightTarget, array: np.ndarray) -> None:
    if slot.part is None:
        filled[slot.target] = np.asarray(array, order="C")
        return
    width = array.shape[-1]
    packed = filled.setdefault(slot.target, np.empty((*array.shape[:-1], 3 * width), np.float32))
    packed[..., slot.part * width : (slot.part + 1) * width] = array


def configuration(folder: Path, raw: dict[str, Any], family: str, name: str) -> PretrainedConfig:
    """transformers' configuration of a checkpoint, its class looked for in the architecture's own module.

    Raises
    ------
    ModelError
        Its values are no configuration of that architecture.
    """
    module = import_module(f"transformers.models.{family}.configuration_{family}")
    try:
        config = getattr(module, name).from_dict(raw)
    except Exception as error:  # the configuration classes raise whatever their fields' checks raise
        raise ModelError(
            f"{folder}: config.json is not a valid {family} configuration: {first_line(error)}"
        ) from error
    for part in (config, *(getattr(config, own) for own in config.sub_configs)):
        part.return_dict = True  # outputs are read by their names, whatever the checkpoint's training did
    return config
