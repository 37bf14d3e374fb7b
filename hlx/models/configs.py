"""A checkpoint's config.json as transformers' configuration of its architecture."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlx.errors import ModelError
from hlx.wording import first_line

if TYPE_CHECKING:
    from transformers import PretrainedConfig


def configuration(folder: Path, raw: dict[str, Any], family: str, name: str) -> PretrainedConfig:
    """transformers' configuration of a checkpoint, its class looked for in the architecture's own module.

    Raises
    ------
    ModelError : its values are no configuration of that architecture.
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
