"""What a notebook shows for an attribution: HTML that stands for itself, without scripts or other files."""

from __future__ import annotations

import base64
import html

import numpy as np
from jaxtyping import Float

from hlx.plot.files import figure_bytes
from hlx.plot.overlay import Panel, contact_sheet, diverging_colours
from hlx.regions import Grid, Regions

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
    how : said below, such as what the values are, the estimator and what it spent.
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
