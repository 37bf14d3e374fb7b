"""Pictures of explanations as files, whole or not at all, and as HTML that a notebook shows."""

from __future__ import annotations

import base64
import html
import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from hlx.errors import OutputError
from hlx.games.regions import Grid, Regions
from hlx.io.files import write_bytes
from hlx.plot.overlay import Panel, contact_sheet, diverging_colours

if TYPE_CHECKING:
    import matplotlib.figure


# What each file format is saved with, so that the same figure gives the same bytes.
_METADATA: dict[str, dict[str, Any]] = {
    ".png": {"Software": None},
    ".pdf": {"CreationDate": None},
}


def save_overlay(path: str | Path, panel: Panel) -> None:
    """Write :func:`overlay_figure` to a .png or .pdf file, whole or not at all.

    Raises
    ------
    OutputError
        Another extension, or the file cannot be written.
    """
    save_contact_sheet(path, [panel])


def save_contact_sheet(path: str | Path, panels: Sequence[Panel]) -> None:
    """Write :func:`contact_sheet` to a .png or .pdf file, whole or not at all.

    Raises
    ------
    InputError
        There is nothing to draw.
    OutputError
        Another extension, or the file cannot be written.
    """
    check_picture(path)
    save_figure(path, contact_sheet(panels))


def save_figure(path: str | Path, figure: matplotlib.figure.Figure) -> None:
    """Write a figure to a .png or .pdf file, whole or not at all; errors as `save_contact_sheet`."""
    write_bytes(path, figure_bytes(figure, check_picture(path)))


def figure_bytes(figure: matplotlib.figure.Figure, kind: str = ".png") -> bytes:
    """A figure as the content of a file of this kind; the same figure gives the same bytes."""
    drawn = io.BytesIO()
    with warnings.catch_warnings():
        # A caption in a script that the font lacks is drawn as boxes; that is all there is to say about it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(drawn, format=kind[1:], metadata=_METADATA[kind])
    return drawn.getvalue()


def check_picture(path: str | Path) -> str:
    """The kind of picture that a path asks for; OutputError for anything but .png and .pdf."""
    kind = Path(path).suffix.lower()
    if kind not in _METADATA:
        raise OutputError(
            f"{path}: pictures are written as {' or '.join(_METADATA)}, found {kind or 'no extension'!r}"
        )
    return kind


LISTED = 64
"""Players of a bare game that are listed one by one."""


def notebook_html(
    values: Float[np.ndarray, " n"],
    standard_error: Float[np.ndarray, " n"] | None,
    regions: Regions | None,
    panel: Panel | None,
    how: str,
) -> str:
    """The drawing over the image where there is one; else the grid, or the list of players, in colour.

    Parameters
    ----------
    how
        Said below, such as what the values are, the estimator and what it spent.
    """
    if panel is not None:
        data = base64.b64encode(figure_bytes(contact_sheet([panel]))).decode()
        title = html.escape(f"{panel.kind}: {panel.caption}", quote=True)
        body = f'<img alt="{title}" style="max-width: 100%; width: 820px" src="data:image/png;base64,{data}">'
    else:
        body = _coloured_table(values, standard_error, regions)
    return f'<div>{body}<div style="color: #666">{html.escape(how)}</div></div>'


def _coloured_table(
    values: Float[np.ndarray, " n"], standard_error: Float[np.ndarray, " n"] | None, regions: Regions | None
) -> str:
    limit = float(np.abs(values).max()) or 1.0
    colours = (diverging_colours()((values / limit + 1) / 2)[:, :3] * 255).round().astype(int)
    columns = regions.cols if isinstance(regions, Grid) else 8
    cells = []
    for player, value in enumerate(values[: len(values) if isinstance(regions, Grid) else LISTED]):
        red, green, blue = colours[player]
        ink = "white" if abs(value) > 0.6 * limit else "#222"
        error = "" if standard_error is None else f" ± {standard_error[player]:.2g}"
        cells.append(
            f'<td title="player {player}: {value:.6g}{error}" style="background: rgb({red},{green},{blue}); '
            f'color: {ink}; text-align: center; padding: 0.6em">{value:+.3g}</td>'
        )
    rows = ["".join(cells[start : start + columns]) for start in range(0, len(cells), columns)]
    rest = len(values) - len(cells)
    more = f"<caption style='caption-side: bottom'>and {rest} more</caption>" if rest else ""
    return f"<table>{more}" + "".join(f"<tr>{row}</tr>" for row in rows) + "</table>"
