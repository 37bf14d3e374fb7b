"""``hlx analyze``: the research questions of a study."""

from __future__ import annotations

import json
from pathlib import Path

import click

from hlx.cli.options import analysis_options
from hlx.cli.outputs import check_outputs, tell_written

_FILE = click.Path(path_type=Path)


@click.command()
@click.argument("study", type=_FILE)
@analysis_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; its numbers are fractions.")
@click.option(
    "--csv", "table", type=_FILE, metavar="FILE.csv", help="RC, EMD and f of every stimulus and model."
)
@click.option("--force", is_flag=True, help="Replace a file that exists.")
def analyze(
    study: Path,
    magnitude: str,
    shuffles: int,
    seed: int,
    alpha: float,
    as_json: bool,
    table: Path | None,
    force: bool,
) -> None:
    """Ask the questions of a study of the folder STUDY: are the maps of models like those of people (RQ1), is
    that so where a model scores well (RQ2.1), and do models differ (RQ2.2)?

    STUDY holds human maps (human_maps.csv, or the .h5 file of `hlx humans build`) and maps of models
    (shapley_NAME.csv, or the .h5 files of `hlx explain --out`, also one folder down). Where they are there,
    these are read too: stimuli.csv, scores_stimuli_NAME.csv, scores_valse_NAME.csv, and the scores_NAME.csv
    of `hlx score --out`.

    The tests are the reference study's; beside them stand the intervals, effect sizes and stricter tests that
    a reviewer would ask for.

    \b
    Example:
      hlx analyze study/ --csv rc.csv
    """
    inputs = study.iterdir() if study.is_dir() else []
    check_outputs({"--csv": (table, (".csv",))}, inputs, force)
    from hlx.alignment.analysis import analysis_text, read_study
    from hlx.alignment.analysis import analyze as analyzed

    found = analyzed(
        read_study(study, pictures=False), magnitude=magnitude, shuffles=shuffles, seed=seed, alpha=alpha
    )
    if table is not None:
        from hlx.io.files import write_csv

        write_csv(found.rows(), table, force)
    click.echo(json.dumps(found.to_json()) if as_json else analysis_text(found))
    tell_written(table)
