"""Checkpoints that ship only pickled weights, rewritten as safetensors."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from hlx.errors import InputError, OutputError
from hlx.io.files import filling
from hlx.io.messages import first_line
from hlx.models.loading.checkpoint import SAFETENSORS, tensors
from hlx.models.loading.hub import find

_DESCRIPTIONS = ("*.json", "*.yaml", "*.txt", "*.model")


def convert(source: str, folder: Path, revision: str | None = None, force: bool = False) -> int:
    """Write a checkpoint's weights as one model.safetensors, and copy what describes them.

    Parameters
    ----------
    source
        Directory or hub id.
    folder
        Directory to write, the source itself included; made if it does not exist.
    revision
        Of a hub id.
    force
        Replace files that exist.

    Returns
    -------
    int
        The number of tensors written: those of pickled files as float32, those of safetensors as they are.

    Raises
    ------
    InputError
        The source is the folder and holds model.safetensors already.
    ModelError
        The source cannot be read; without the torch extra if it is pickled.
    OutputError
        The folder cannot be written, or holds such a file already. It is left as it was.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    checkpoint = find(source, revision)
    in_place = checkpoint.folder.resolve() == folder.resolve()
    if in_place and (folder / SAFETENSORS).exists():
        raise InputError(f"{folder}: already holds {SAFETENSORS}; there is nothing to convert")
    described = [file for pattern in _DESCRIPTIONS for file in sorted(checkpoint.folder.glob(pattern))]
    copied = [file for file in described if not in_place and not file.name.endswith(".index.json")]
    if not folder.is_dir() and (folder.exists() or not folder.parent.is_dir()):
        problem = "is no folder" if folder.exists() else f"there is no folder {folder.parent}"
        raise OutputError(f"{folder}: cannot be written, {problem}")
    for name in (SAFETENSORS, *(file.name for file in copied)):
        if (folder / name).exists() and not force:
            raise OutputError(f"{folder / name}: exists; force=True replaces it")
    weights = {key: np.asarray(tensor, order="C") for key, tensor in tensors(checkpoint.folder)}
    with filling(folder) as temporary:
        for file in copied:
            shutil.copyfile(file, temporary / file.name)
        try:
            save_file(weights, temporary / SAFETENSORS, metadata={"format": "pt"})
        except SafetensorError as error:  # such as a full disk
            raise OutputError(f"{folder / SAFETENSORS}: cannot be written: {first_line(error)}") from error
    return len(weights)
