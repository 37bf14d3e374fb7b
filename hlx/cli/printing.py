"""What the commands share on the terminal: progress bars, and attributions as text."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from hlx.attribution.attribution import Attribution


def progress_bar(label: str) -> AbstractContextManager[Callable[[int, int], None]]:
    """A bar on a terminal, else a line for every tenth of the way; both on stderr."""
    from hlx.sweep.run.display import display_for

    return display_for().counting(label)


def colours_wanted() -> bool:
    """Whether standard output is a terminal that wants colours (NO_COLOR is honoured)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def attribution_text(attribution: Attribution) -> str:
    """An attribution for people: what was asked, f with all and with nothing shown, and the map."""
    from hlx.games.regions import Grid
    from hlx.plot import region_list, terminal_map

    lines = []
    context = attribution.context
    if context is not None:
        lines += [f"{context.image}", f"  caption  {context.caption}"]
        if context.foil is not None:
            lines.append(f"  foil     {context.foil}")
        lines.append(
            f"  model    {context.model} ({context.dtype}, {context.engine}), "
            f"hidden regions show {context.background}"
        )
    lines.append(
        f"  f        {attribution.grand_coalition_value:+.3f} with everything shown, "
        f"{attribution.baseline_value:+.3f} with nothing"
    )
    spent = f" in {context.seconds:.1f} s" if context is not None else ""
    lines.append(
        f"  {attribution.kind} ({attribution.estimator}, {attribution.n_evaluations:,} evaluations{spent}):"
    )
    regions = attribution.regions
    if isinstance(regions, Grid):
        width = shutil.get_terminal_size().columns
        lines.append(terminal_map(attribution.map, colours_wanted(), width))
    else:
        lines.append(region_list(attribution.values, attribution.standard_error))
    if attribution.standard_error is not None:
        spread = float(np.ptp(attribution.values))
        share = f", {attribution.standard_error.max() / spread:.1%} of the values' range" if spread else ""
        lines.append(f"  largest standard error {attribution.standard_error.max():.2g}{share}")
    elif not attribution.is_exact:
        lines.append("  standard errors: not known")
    curves = attribution.faithfulness
    if curves is not None:
        lines.append(
            f"  faithfulness  insertion area {curves.insertion_area:+.3f}, deletion area "
            f"{curves.deletion_area:+.3f}, difference {curves.difference:+.3f}"
        )
    return "\n".join(lines)
