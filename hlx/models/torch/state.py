"""Weights of a checkpoint's folder into a PyTorch module, checked name by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from hlx.errors import ModelError
from hlx.models.families import FAMILIES
from hlx.models.loading.checkpoint import check_floats, tensors
from hlx.models.loading.weight_map import why_unexpected

BOOKKEEPING = (".num_batches_tracked", ".position_ids")  # constants and counters some files bring along


def load_state(
    module: nn.Module, folder: Path, ignored: Sequence[str] = (), prefix: str = "", says: str = "config.json"
) -> None:
    """Fill a module from a checkpoint: every name once, nothing else, all shapes equal.

    Parameters
    ----------
    module
        Its names and shapes are what the checkpoint must hold. It may be on the meta device: its arrays are
        replaced by the file's, in float32 (integers and booleans in the module's own type) on the CPU.
    folder
        Directory of a checkpoint, as `hlx.models.loading.checkpoint.tensors` reads it.
    ignored
        Beginnings, after the prefix, of names that a checkpoint may hold and the module does not need.
    prefix
        May stand before the names: that of the module inside a model with further heads.
    says
        The file that the module's shapes come from, for the error.

    Raises
    ------
    ModelError
        A file is missing or corrupt, a name is missing, unknown, of another shape, or holds integers for
        floats; names it.
    """
    wanted = module.state_dict()
    found: dict[str, Tensor] = {}
    seen: dict[str, str] = {}
    for key, array in tensors(folder):
        name = key.removeprefix(prefix)
        if name.startswith(tuple(ignored)) or (name not in wanted and name.endswith(BOOKKEEPING)):
            continue
        if name not in wanted:
            reason = why_unexpected(name, wanted, says)
            raise ModelError(f"{folder}: unexpected key {key} of shape {array.shape}: {reason}")
        shape = tuple(wanted[name].shape)
        if array.shape != shape:
            raise ModelError(f"{folder}: key {key} has shape {array.shape}; {says} asks for {shape}")
        if name in seen:
            raise ModelError(f"{folder}: keys {seen[name]} and {key} are the same one: keep one of them")
        seen[name] = key
        if wanted[name].dtype.is_floating_point:
            check_floats(folder, key, array)
        found[name] = _typed(array, wanted[name].dtype)
    missing = [name for name in wanted if name not in found]
    if missing:
        prefixed = any(name != key for name, key in seen.items())
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise ModelError(
            f"{folder}: key {prefix if prefixed else ''}{missing[0]}{more} is missing from the weights"
        )
    module.load_state_dict(found, assign=True)


def load_matcher(
    network: nn.Module, folder: Path, family: str, head: str, ignored: Sequence[str] = ()
) -> None:
    """As `load_state`, of a model whose `head` is what training to match texts and images leaves.

    Raises
    ------
    ModelError
        As `load_state`; where the head is missing, says so before all else that is.
    """
    try:
        load_state(network, folder, ignored)
    except ModelError as error:
        keys = [key for key in (f"{head}.weight", f"{head}.bias") if key in network.state_dict()]
        missing = sorted(set(keys) - {key for key, _ in tensors(folder)})
        if not missing:
            raise
        title = FAMILIES[family].title
        raise ModelError(
            f"{folder}: {' and '.join(missing)} missing from the weights: this {title} was not "
            f"trained to match texts and images; take one that was, such as {FAMILIES[family].example}"
        ) from error


def _typed(array: np.ndarray, dtype: torch.dtype) -> Tensor:
    if dtype.is_floating_point:
        # NumPy's own copy: of a memory map, and of types such as bfloat16 that PyTorch takes no array of.
        return torch.from_numpy(np.array(array, np.float32))
    return torch.from_numpy(np.array(array)).to(dtype)
