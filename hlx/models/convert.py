"""Checkpoints that ship only pickled weights, rewritten as safetensors."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from hlx.errors import InputError, OutputError
from hlx.files import replacing
from hlx.models.checkpoint import SAFETENSORS, tensors
from hlx.models.hub import find

_DESCRIPTIONS = ("*.json", "*.txt", "*.model")


def convert(source: str, folder: Path, revision: str | None = None, force: bool = False) -> int:
    """Write a checkpoint's weights as one float32 model.safetensors and copy what describes them.

    Parameters
    ----------
    source : directory or hub id.
    folder : directory to write; made if it does not exist.
    revision : of a hub id.
    force : replace an existing model.safetensors.

    Returns
    -------
    The number of tensors written.

    Raises
    ------
    ModelError : the source cannot be read; without the torch extra if it is pickled.
    OutputError : the folder cannot be written, or holds such a file already.
    """
    from safetensors.numpy import save_file

    checkpoint = find(source, revision)
    target = folder / SAFETENSORS
    if checkpoint.folder.resolve() == folder.resolve() and target.exists():
        raise InputError(f"{folder}: already holds {SAFETENSORS}; there is nothing to convert")
    if target.exists() and not force:
        raise OutputError(f"{target}: exists; --force replaces it")
    weights = {key: np.asarray(tensor, order="C") for key, tensor in tensors(checkpoint.folder)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for pattern in _DESCRIPTIONS:
            for file in checkpoint.folder.glob(pattern):
                if not file.name.endswith(".index.json") and file.parent.resolve() != folder.resolve():
                    shutil.copyfile(file, folder / file.name)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written: {error.strerror or error}") from error
    with replacing(target) as temporary:
        save_file(weights, temporary, metadata={"format": "pt"})
    return len(weights)
