"""The gallery of a page: image, human map and models' maps of every stimulus, small and sharp."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64
from markupsafe import Markup

from hlx.alignment.analysis import Analysis
from hlx.games.regions import Grid, region_name
from hlx.plot.overlay import MAX_NUMBERED
from hlx.report.kit.colours import LEVELS, WHITE_FROM, level_class
from hlx.report.kit.numbers import coefficient, number
from hlx.report.kit.svg import element
from hlx.report.kit.thumbnails import Thumbnails

SIDE = 160.0
"""Of a map's drawing, in units of its own."""

NUMBERED_STIMULI = 400
"""Galleries of more leave the numbers out of the maps' cells, which are most of a page's size."""


@dataclass(frozen=True)
class ModelCell:
    """A model's map of a stimulus: its RC, and the score by which it prefers the caption, where known."""

    drawing: Markup
    rc: float | None
    f: float | None

    @property
    def rc_text(self) -> str:
        return "RC undefined" if self.rc is None else f"RC {coefficient(self.rc)}"

    @property
    def f_text(self) -> str:
        if self.f is None:
            return ""
        preferred = "the caption" if self.f > 0 else "the foil" if self.f < 0 else "neither"
        return f"f {number(self.f, 2)}, prefers {preferred}"


@dataclass(frozen=True)
class Row:
    """A stimulus. `spread` is the number of regions over which people's attention is in effect shared out."""

    anchor: str
    stimulus: str
    phenomenon: str | None
    caption: str | None
    foil: str | None
    image: Markup | None
    human: Markup
    spread: float
    models: tuple[ModelCell, ...]

    @property
    def spread_text(self) -> str:
        return number(self.spread, 1)


def gallery(analysis: Analysis, images: Thumbnails) -> dict[str, Any]:
    """What the gallery's template takes."""
    study = analysis.study
    kinds = study.phenomena()
    people = "Simulated people" if study.humans.simulated else "People"
    lead = (
        "Every stimulus with its maps. A model's map is coloured by phi: red regions speak for the caption, "
        "blue ones for the foil, the strongest of each map in full colour. Numbers are each region's share "
        "of the map's magnitudes in percent. The spread of a human map is the "
        "number of regions over which attention was in effect shared out."
    )
    return {
        "lead": lead,
        "model_scale": _scale(
            [*(f"n{k}" for k in range(LEVELS, 0, -1)), *(f"p{k}" for k in range(LEVELS + 1))]
        ),
        "human_scale": _scale([f"h{k}" for k in range(LEVELS + 1)]),
        "definitions": images.definitions,
        "has_images": bool(images.names),
        "phenomena": kinds if len(kinds) > 1 else [],
        "people": people,
        "models": [model.name for model in study.models],
        "maps": len(study.models) + 1 + bool(images.names),
        "rows": _rows(analysis, images),
    }


def _scale(classes: list[str]) -> Markup:
    steps = "".join(
        element("rect", x=k, y=0, width=1.02, height=1, class_=class_) for k, class_ in enumerate(classes)
    )
    box = f"0 0 {len(classes)} 1"
    return Markup(element("svg", steps, viewBox=box, preserveAspectRatio="none", aria_hidden="true"))


def _rows(analysis: Analysis, images: Thumbnails) -> list[Row]:
    """A row for each of the study's stimuli, in its order."""
    study = analysis.study
    numbered = len(study.stimuli) <= NUMBERED_STIMULI
    rows = []
    for place, stimulus in enumerate(study.stimuli):
        about = study.about.get(stimulus)
        human, under = study.humans.maps[stimulus].values, images.names.get(stimulus)
        cells = []
        for model in study.models:
            drawing = _map(model.maps.values[stimulus], study.grid, model.name, True, under, numbered)
            rc = float(analysis.models[model.name].by_stimulus.rc[place])
            f = model.maps.f.get(stimulus)
            cells.append(ModelCell(drawing, rc if np.isfinite(rc) else None, f))
        rows.append(
            Row(
                anchor=anchor(place),
                stimulus=stimulus,
                phenomenon=about.phenomenon if about is not None else None,
                caption=about.caption if about is not None else None,
                foil=about.foil if about is not None else None,
                image=None if under is None else _photo(under, f"Image of {stimulus}"),
                human=_map(human, study.grid, "people", False, under, numbered),
                spread=_spread(human),
                models=tuple(cells),
            )
        )
    return rows


def anchor(place: int) -> str:
    """What links to a stimulus point at, by its place in the study."""
    return f"stimulus-{place + 1}"


def _spread(shares: Float64[np.ndarray, " n"]) -> float:
    """The perplexity exp(-sum p log p) of shares p: 1 for a single region, n for all alike."""
    positive = shares[shares > 0] / shares[shares > 0].sum()
    return float(np.exp(-(positive * np.log(positive)).sum()))


def _photo(name: str, label: str) -> Markup:
    """The image that `Thumbnails` holds under this name."""
    return _square(element("use", href=f"#{name}"), label, "photo")


def _map(
    values: Float64[np.ndarray, " n"],
    grid: Grid,
    whose: str,
    signed: bool,
    under: str | None = None,
    numbered: bool = True,
) -> Markup:
    """A map as coloured cells, darkened by the image below it where there is one.

    Colours say values by the map's own largest magnitude; the numbers in the cells of small grids say each
    cell's share of all magnitudes in percent.
    """
    magnitudes = np.abs(values)
    total, limit = float(magnitudes.sum()) or 1.0, float(magnitudes.max()) or 1.0
    paths: dict[str, str] = {}
    for player, value in enumerate((values / limit).tolist()):
        row, col = divmod(player, grid.cols)
        level = level_class(value, signed)
        paths[level] = paths.get(level, "") + f"M{col} {row}h1v1h-1z"
    wide, tall = SIDE / grid.cols, SIDE / grid.rows
    cells = "".join(element("path", d=path, class_=level) for level, path in sorted(paths.items()))
    drawn = element("g", cells, transform=f"scale({wide:.5g} {tall:.5g})", class_="cells")
    if under is not None:
        drawn += element("use", href=f"#{under}", class_="shade")
    if numbered and max(grid.rows, grid.cols) <= MAX_NUMBERED:
        drawn += _numbers(magnitudes / total, magnitudes / limit, grid)
    return _square(drawn, _in_words(values, grid, whose, signed), "map")


def _numbers(shares: Float64[np.ndarray, " n"], levels: Float64[np.ndarray, " n"], grid: Grid) -> str:
    written = []
    for player, (share, level) in enumerate(zip(shares.tolist(), levels.tolist(), strict=True)):
        row, col = divmod(player, grid.cols)
        x, y = (col + 0.5) * SIDE / grid.cols, (row + 0.5) * SIDE / grid.rows + 4
        dark = "w" if round(10 * level) >= WHITE_FROM else None
        if percent := f"{100 * share:.0f}".removeprefix("0"):
            written.append(element("text", percent, x=x, y=y, class_=dark))
    return "".join(written)


def _in_words(values: Float64[np.ndarray, " n"], grid: Grid, whose: str, signed: bool) -> str:
    magnitudes = np.abs(values)
    if not magnitudes.any():
        return f"Map of {whose}: zero everywhere."
    top = int(magnitudes.argmax())
    towards = "" if not signed else ", towards the caption" if values[top] > 0 else ", towards the foil"
    share = float(magnitudes[top] / magnitudes.sum())
    return (
        f"Map of {whose}: most, {100 * share:.0f}\N{NO-BREAK SPACE}%, at (row, column) "
        f"{region_name(top, grid)}{towards}."
    )


def _square(content: str, label: str, class_: str) -> Markup:
    return Markup(
        element("svg", content, viewBox=f"0 0 {SIDE:g} {SIDE:g}", role="img", aria_label=label, class_=class_)
    )
