"""What the commands share on the terminal: progress bars, and attributions as text."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from hlx.attribution import Attribution


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, else a line for every tenth of the way; both on stderr."""
    if not sys.stderr.isatty():
        tenths = 0

        def line(done: int, total: int) -> None:
            nonlocal tenths
            if done * 10 // total > tenths:
                tenths = done * 10 // total
                click.echo(f"{label}: {done} of {total}", err=True)

        yield line
        return
    # Width 0 fills the line and no more; a fixed width wraps on narrow terminals.
    with click.progressbar(length=1, label=label, file=sys.stderr, show_pos=True, width=0) as bar:

        def step(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        yield step


def colours_wanted() -> bool:
    """Whether standard output is a terminal that wants colours (NO_COLOR is honoured)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def attribution_text(attribution: Attribution) -> str:
    """An attribution for people: what was asked, f with all and with nothing shown, and the map."""
    from hlx.plot import region_list, terminal_map
    from hlx.regions import Grid

    lines = []
    context = attribution.context
    if context is not None:
        lines += [f"{context.image}", f"  caption  {context.caption}"]
        if context.foil is not None:
            lines.append(f"  foil     {context.foil}")
        lines.append(
            f"  model    {context.model} ({context.dtype}), hidden regions show {context.background}"
        )
    lines.append(
        f"  f        {attribution.v_all:+.3f} with everything shown, {attribution.v_none:+.3f} with nothing"
    )
    exact = attribution.standard_error is None and attribution.estimator == "exact"
    how = "exact" if exact else attribution.estimator
    spent = f" in {context.seconds:.1f} s" if context is not None else ""
    lines.append(f"  Shapley values ({how}, {attribution.n_evaluations:,} evaluations{spent}):")
    if isinstance(attribution.regions, Grid):
        width = shutil.get_terminal_size().columns
        lines.append(terminal_map(attribution.map, colours_wanted(), width))
    else:
        lines.append(region_list(attribution.values, attribution.standard_error))
    if attribution.standard_error is not None:
        lines.append(f"  largest standard error {attribution.standard_error.max():.2g}")
    return "\n".join(lines)
