"""What the commands that analyse a study have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
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
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
