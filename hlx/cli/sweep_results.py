"""``hlx sweep export`` and ``hlx sweep report``: what a sweep found, as tables and as a page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hlx.cli.outputs import check_outputs, tell_written
from hlx.cli.printing import progress_bar
from hlx.cli.sweep_run import options_named

if TYPE_CHECKING:
    from hlx.sweep.across_settings.agreement import Common
    from hlx.sweep.results.merged_file import SweepResults

_FILE = click.Path(path_type=Path)
SUFFIXES = (".h5", ".hdf5")
"""Of merged files; any other is a sweep file."""


@click.command()
@click.argument("file", type=_FILE)
@click.option("--out", type=_FILE, metavar="DIR", help="Where to.  [default: export, beside the merged file]")
@click.option("--regions", metavar="REGIONS", help="Only maps of these, such as 4x4.")
@click.option("--background", metavar="NAME", help="Only maps with this background.")
@click.option("--estimator", metavar="NAME", help="Only maps by this estimator.")
@click.option("--budget", type=int, metavar="N", help="Only maps of this budget.")
@click.option("--seed", type=int, metavar="N", help="Only maps of this seed.")
@click.option(
    "--humans",
    type=_FILE,
    metavar="HUMANS.h5",
    help="Human maps, also .csv or .jsonl: copied beside the maps of their grid, a folder that hlx analyze "
    "and hlx report then take.",
)
@click.option("--force", is_flag=True, help="Replace files that exist.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def export(
    file: Path,
    out: Path | None,
    regions: str | None,
    background: str | None,
    estimator: str | None,
    budget: int | None,
    seed: int | None,
    humans: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Write the maps of a sweep as CSV files in the layout of the reference study.

    FILE is a sweep file, or what `hlx sweep merge` wrote. One combination of regions, background, estimator,
    budget and seed goes into DIR, several into a folder each in DIR, named like 4x4-blur-odd-gp-172-seed0. A
    folder holds stimuli.csv, of each model shapley_LABEL.csv and scores_stimuli_LABEL.csv, and maps.csv: all
    values with their standard errors, one to a line.

    \b
    Example:
      hlx sweep export sweep.toml --regions 4x4 --estimator exact --humans humans.h5 --out study/
      hlx analyze study/
    """
    from hlx.sweep.results.csv_export import MapFilter
    from hlx.sweep.results.csv_export import export as write

    with options_named("force"), _results(file) as results:
        folder = results.path.parent / "export" if out is None else out
        choice = MapFilter(regions, background, estimator, budget, seed)
        written = write(results, folder, choice, humans, force)
        content_hash = results.content_hash
    notes = dict.fromkeys(f"{one.folder}: {note}" for one in written for note in one.notes)
    for note in notes:
        click.echo(f"note: {note}", err=True)
    if as_json:
        record = {"content_hash": content_hash, "folders": [one.as_dict() for one in written]}
        click.echo(json.dumps(record))
    else:
        for one in written:
            click.echo(f"{one.folder}: {', '.join(one.files)}")


@click.command()
@click.argument("file", type=_FILE)
@click.option(
    "--out", type=_FILE, metavar="FILE.html", help="The page.  [default: sweep.html, beside the merged file]"
)
@click.option(
    "--common",
    default="coarser",
    show_default=True,
    metavar="GRID",
    help="Where maps of two grids are compared: coarser (of the two), finest (of the sweep), or ROWSxCOLS.",
)
@click.option("--title", metavar="TEXT", help="Of the page.  [default: names the models]")
@click.option("--force", is_flag=True, help="Replace a file that exists.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: every number of the page.")
def report(file: Path, out: Path | None, common: str, title: str | None, force: bool, as_json: bool) -> None:
    """Show what a sweep found as one page: how maps agree across patch grids and backgrounds, how far
    estimators are from exact values, what maps cost, and what is missing.

    FILE is a sweep file, or what `hlx sweep merge` wrote. The page is a single file that loads nothing; the
    same results make the same bytes. Prints what was found in a few sentences.

    \b
    Example:
      hlx sweep report sweep.toml --out sweep.html
    """
    where = _common(common)
    if out is not None:
        check_outputs({"--out": (out, (".html",))}, [file], force)
    from hlx.alignment.analysis.formats import wrapped
    from hlx.report.pages.sweep_page import write_sweep_page
    from hlx.sweep.across_settings.settings_comparison import compare_settings

    with _results(file) as results:
        page = results.path.parent / "sweep.html" if out is None else out
        check_outputs({"--out": (page, (".html",))}, [results.path], force)
        sweep = compare_settings(results, where)
    written = write_sweep_page(page, sweep, title=title, force=force)
    if as_json:
        record = {"report": str(page), "findings": list(written.findings), **sweep.as_dict()}
        click.echo(json.dumps(record))
    else:
        click.echo("\n\n".join(wrapped(said, "") for said in written.findings))
    tell_written(page)


def _common(text: str) -> Common:
    from hlx.games.regions import Grid

    named: dict[str, Common] = {"coarser": "coarser", "finest": "finest"}
    return named[text] if text in named else Grid.parse(text)


@contextmanager
def _results(file: Path) -> Iterator[SweepResults]:
    """The results of a merged file; of a sweep file after merging what has been computed since."""
    from hlx.sweep.results.merged_file import load_results

    path = file if file.suffix.lower() in SUFFIXES else _merged(file)
    with load_results(path) as results:
        if results.missing:
            asked = len(results.rows) + len(results.missing)
            click.echo(f"note: {len(results.missing):,} of {asked:,} results are missing", err=True)
        yield results


def _merged(file: Path) -> Path:
    """The merged file of a sweep file, made anew where it is missing or not that of what is there now."""
    from hlx.sweep.plan.expand import plan_sweep
    from hlx.sweep.results.merge import MERGED, merge
    from hlx.sweep.results.shards import scan
    from hlx.sweep.results.status import merged_state

    plan = plan_sweep(file)
    if merged_state(plan, scan(plan.sweep.output, quarantine=False)) == "up to date":
        return plan.sweep.output / MERGED
    with progress_bar("merging shards") as progress:
        merged = merge(plan, progress=progress)
    for bad in merged.bad:
        click.echo(f"bad shard: {bad.path}: {bad.reason}", err=True)
    tell_written(merged.path)
    return merged.path
