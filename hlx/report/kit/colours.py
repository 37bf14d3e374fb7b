"""The colours of a page: one for each model, levels for maps, all as rules of its style sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hlx.plot.overlay import diverging_colours

if TYPE_CHECKING:
    from matplotlib.colors import Colormap

LEVELS = 10
"""Steps from zero to the largest magnitude of a map."""

LIGHT = ("#6f42a6", "#b85c00", "#00758f", "#a8326e", "#5c6b00", "#1f55b5", "#8a3b2b", "#4a5560")
DARK = ("#b79bf0", "#f2a154", "#5cc4d6", "#f089bd", "#b9c95a", "#86aef7", "#e0937f", "#aab4bf")
"""Of models, for both schemes: unlike the maps' red and blue, and unlike each other to colour-blind eyes."""

DASHES = ("solid", "dashed", "dotted", "dashdot")
"""Style classes by which lines differ beside their colour."""

HUMAN = "Greens"
"""matplotlib's sequential map of human maps; models' maps have `hlx.plot`'s diverging one."""

WHITE_FROM = 7
"""From this level on, numbers in a map's cells are white."""


def model_class(place: int) -> str:
    """The style class of a model by its place among the models."""
    return f"m{place % len(LIGHT)}"


def dash_class(place: int) -> str:
    """The style class of a model's lines by its place among the models."""
    return DASHES[place % len(DASHES)]


def level_class(share: float, signed: bool) -> str:
    """The style class of a cell whose value is so much, -1 to 1, of the map's largest magnitude."""
    level = round(LEVELS * abs(share))
    sign = "h" if not signed else "p" if share > 0 else "n"
    return f"{sign}{level}"


def colour_rules() -> str:
    """Rules that give each class of `model_class` its colour `--c`, and each of `level_class` its fill."""
    from matplotlib import colormaps

    diverging, sequential = diverging_colours(), colormaps[HUMAN]
    steps = np.arange(LEVELS + 1) / LEVELS
    # Of the screen alone: print is on white paper.
    rules = [_models(LIGHT), f"@media screen and (prefers-color-scheme: dark) {{ {_models(DARK)} }}"]
    for level, step in enumerate(steps.tolist()):
        rules.append(f".p{level} {{ fill: {_hex(diverging, 0.5 + step / 2)} }}")
        rules.append(f".n{level} {{ fill: {_hex(diverging, 0.5 - step / 2)} }}")
        rules.append(f".h{level} {{ fill: {_hex(sequential, 0.92 * step)} }}")
    return "\n".join(rules)


def _models(colours: tuple[str, ...]) -> str:
    return " ".join(f".m{place} {{ --c: {colour} }}" for place, colour in enumerate(colours))


def _hex(colours: Colormap, at: float) -> str:
    from matplotlib.colors import to_hex

    return to_hex(colours(at))
