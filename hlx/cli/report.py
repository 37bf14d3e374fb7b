"""``hlx report``: a study as one page."""

from __future__ import annotations

import json
from pathlib import Path

import click

from hlx.cli.options import analysis_options
from hlx.cli.outputs import check_outputs, tell_written

_FILE = click.Path(path_type=Path)


@click.command()
@click.argument("study", type=_FILE)
@click.option("--out", type=_FILE, required=True, metavar="FILE.html", help="The page.")
@click.option(
    "--images",
    type=_FILE,
    metavar="FOLDER",
    help="Where the stimuli's images are, also below it; beside stimuli.csv and in result files they are "
    "found without it.",
)
@analysis_options
@click.option("--title", metavar="TEXT", help="Of the page.  [default: names the models]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: what the page holds and says.")
@click.option("--force", is_flag=True, help="Replace a file that exists.")
def report(
    study: Path,
    out: Path,
    images: Path | None,
    magnitude: str,
    shuffles: int,
    seed: int,
    alpha: float,
    title: str | None,
    as_json: bool,
    force: bool,
) -> None:
    """Show the study of the folder STUDY as one page: the tables of `hlx analyze`, what similarities are
    worth beside chance, centre bias and the mean human map, and a gallery of every stimulus's maps, to be
    sorted.

    STUDY is laid out as for `hlx analyze`. The page is a single file that loads nothing; the same study and
    options make the same bytes. Prints what was found in a few sentences.

    \b
    Example:
      hlx report study/ --images photos/ --out report.html
    """
    inputs = study.iterdir() if study.is_dir() else []
    check_outputs({"--out": (out, (".html",))}, inputs, force)
    from hlx.alignment.analysis import analyze, read_study
    from hlx.alignment.analysis.formats import wrapped
    from hlx.report import write_report

    found = analyze(
        read_study(study, images=images), magnitude=magnitude, shuffles=shuffles, seed=seed, alpha=alpha
    )
    page = write_report(out, found, title=title, force=force)
    if as_json:
        record = {
            "report": str(out),
            "bytes": out.stat().st_size,
            "title": page.title,
            "simulated": found.study.humans.simulated,
            "n_stimuli": page.stimuli,
            "images": page.images,
            "image_side": page.image_side,
            "findings": list(page.findings),
        }
        click.echo(json.dumps(record))
    else:
        click.echo("\n\n".join(wrapped(said, "") for said in page.findings))
    for note in found.notes:
        click.echo(f"note: {note}", err=True)
    tell_written(out)
