"""Options that several commands share: of models, of analyses, of the masks that clicks make."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from hlx.models.loading.load import Loaded


Command = TypeVar("Command", bound=Callable[..., Any])

MODEL_OPTIONS = ("model", "engine", "device", "detector", "dtype")

_OPTIONS_OF_MODELS = (
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
    for option in reversed(_OPTIONS_OF_MODELS):
        command = option(command)
    return command


def model_of(options: dict[str, Any]) -> Loaded:
    """The model that the options ask for."""
    from hlx.models import load_model

    given = {"devices": options["device"], "engine": options["engine"], "detector": options["detector"]}
    wanted = {name: value for name, value in given.items() if value not in (None, "auto")}
    return load_model(str(options["model"]), dtype=str(options["dtype"]), **wanted)


_ANALYSIS_OPTIONS = (
    click.option(
        "--magnitude",
        type=click.Choice(["absolute", "positive", "signed"]),
        default="absolute",
        show_default=True,
        help="What of the Shapley values is compared: |phi|, their positive part, or phi.",
    ),
    click.option(
        "--shuffles",
        type=click.IntRange(min=1),
        default=10_000,
        show_default=True,
        help="Random pairings of each permutation test.",
    ),
    click.option(
        "--seed",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        help="Of shuffles and bootstraps.",
    ),
    click.option(
        "--alpha",
        type=click.FloatRange(0, 0.5, min_open=True, max_open=True),
        default=0.05,
        show_default=True,
        help="Chance of error, of all tests together.",
    ),
)


def analysis_options(command: Command) -> Command:
    """The options of `hlx.alignment.analysis.analyze`, under its names."""
    for option in reversed(_ANALYSIS_OPTIONS):
        command = option(command)
    return command
