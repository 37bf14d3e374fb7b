"""The options that say how clicks become a mask."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from hlx.humans import ClickMask, Normalisation


def mask_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say how clicks become a mask; `click_mask` takes what they give."""
    for option in reversed(
        (
            click.option("--canvas", type=int, default=400, show_default=True, help="Its side in pixels."),
            click.option(
                "--radius",
                type=float,
                default=100.0,
                show_default=True,
                help="Pixels beyond which a click adds nothing.",
            ),
            click.option(
                "--gain",
                type=float,
                default=100.0,
                show_default=True,
                help="What a click adds at its centre.",
            ),
            click.option(
                "--sigma",
                type=float,
                help="Of a click's Gaussian, in pixels.  [default: sqrt(0.2) radius, which is 44.7]",
            ),
            click.option(
                "--cap",
                type=float,
                default=255.0,
                show_default=True,
                help="Masks, which start at 1, end here.",
            ),
        )
    ):
        command = option(command)
    return command


def click_mask(
    canvas: int,
    radius: float,
    gain: float,
    sigma: float | None,
    cap: float,
    normalisation: Normalisation = "mask - 1",
) -> ClickMask:
    """The mask that the options ask for.

    Raises
    ------
    InputError : as `ClickMask`.
    """
    from hlx.humans import ClickMask

    return ClickMask(
        side=canvas,
        radius=radius,
        gain=gain,
        sigma=0.2**0.5 * radius if sigma is None else sigma,
        cap=cap,
        normalisation=normalisation,
    )
