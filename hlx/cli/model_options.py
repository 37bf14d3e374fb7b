"""The options that say which model, and where and how it runs; shared by all commands that take one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from hlx.models.load import Loaded

Command = TypeVar("Command", bound=Callable[..., Any])

MODEL_OPTIONS = ("model", "engine", "device", "detector", "dtype")

_OPTIONS = (
    click.option(
        "--model",
        default="clip-scenes",
        show_default=True,
        metavar="NAME|DIR|HUB-ID|MODULE:FUNCTION",
        help="Embedded model, checkpoint directory, hub id, or your own function (`hlx models` says more).",
    ),
    click.option(
        "--engine",
        type=click.Choice(["auto", "jax", "torch"]),
        default="auto",
        show_default=True,
        help="The JAX port where there is one, or transformers' model in PyTorch.",
    ),
    click.option(
        "--device",
        default="auto",
        show_default=True,
        metavar="auto|cpu|cuda[:N]|tpu",
        help="What the model runs on.",
    ),
    click.option(
        "--detector",
        metavar="DIR|HUB-ID",
        help="LXMERT's; by default its directory's own, or the released one.",
    ),
    click.option("--dtype", type=click.Choice(["float32", "bfloat16"]), default="float32", show_default=True),
)


def model_options(command: Command) -> Command:
    """Add --model, --engine, --device, --detector and --dtype, under these names."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def model_of(options: dict[str, Any]) -> Loaded:
    """The model that the options ask for."""
    from hlx.models import load_model

    given = {"devices": options["device"], "engine": options["engine"], "detector": options["detector"]}
    wanted = {name: value for name, value in given.items() if value not in (None, "auto")}
    return load_model(str(options["model"]), dtype=str(options["dtype"]), **wanted)
