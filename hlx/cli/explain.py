"""``hlx explain``: Shapley maps of one image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from hlx.cli.options import MODEL_OPTIONS, model_options
from hlx.cli.outputs import PICTURES, check_outputs, tell_written
from hlx.cli.printing import attribution_text
from hlx.errors import InputError

MAX_DRAWN = 100
"""Rows of one --plot; no picture is taller than 65,535 pixels."""

_FILE = click.Path(path_type=Path)
_MODEL_OPTIONS = (*MODEL_OPTIONS, "grid", "regions", "background", "batch_size", "keep_embeddings")


@click.command()
@click.argument("image", required=False)
@click.option("--caption", metavar="TEXT", help="The text that is right for the image.")
@click.option("--foil", metavar="TEXT", help="A text that is wrong; without one, f is the caption's score.")
@click.option("--id", "stimulus_id", metavar="TEXT", help="The stimulus's; human maps are found by it.")
@click.option(
    "--pairs",
    type=_FILE,
    metavar="FILE",
    help="Many pairs of this image from one sweep: a .csv or .jsonl with columns caption, foil, id.",
)
@model_options
@click.option("--grid", metavar="RxC", help="Grid of regions.  [default: 4x4]")
@click.option(
    "--regions", type=_FILE, metavar="FILE", help="Label map instead of a grid: .png or .npy, labels 0..n-1."
)
@click.option(
    "--background",
    type=click.Choice(["blur", "mean", "black"]),
    default="blur",
    show_default=True,
    help="What hidden regions show.",
)
@click.option(
    "--estimator",
    "estimators",
    multiple=True,
    metavar="NAME",
    help="Exact, or one that samples (`hlx estimators` lists them); repeat it for several, which share "
    "their evaluations.  [default: exact]",
)
@click.option("--budget", type=int, metavar="N", help="Coalitions that a sampled estimator may evaluate.")
@click.option(
    "--tolerance",
    type=float,
    metavar="X",
    help="Evaluate in rounds until the largest standard error is below X times the range of the values, or "
    "the --budget (65,536 without one) is spent.",
)
@click.option("--faithfulness", is_flag=True, help="Add insertion and deletion curves and their areas.")
@click.option(
    "--batch-size", default="auto", show_default=True, metavar="auto|N", help="Coalitions per batch."
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of sampled estimators."
)
@click.option("--out", type=_FILE, metavar="FILE.h5", help="Keep values, table and all that made them.")
@click.option("--no-table", is_flag=True, help="Leave the table of all 2^n values out of --out.")
@click.option(
    "--keep-embeddings",
    is_flag=True,
    help="Put the image vector of every coalition into --out: --from FILE.h5 then maps new pairs in seconds.",
)
@click.option("--plot", type=_FILE, metavar="FILE.png", help="Image | what hidden regions show | signed map.")
@click.option("--csv", "table", type=_FILE, metavar="FILE.csv", help="One line per region.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object (one per line with --pairs).")
@click.option(
    "--from", "source", type=_FILE, metavar="FILE.h5", help="Redraw and re-derive a result instead."
)
@click.option("--force", is_flag=True, help="Replace files that exist.")
@click.pass_context
def explain(
    ctx: click.Context,
    image: str | None,
    caption: str | None,
    foil: str | None,
    stimulus_id: str | None,
    pairs: Path | None,
    source: Path | None,
    out: Path | None,
    plot: Path | None,
    table: Path | None,
    as_json: bool,
    force: bool,
    no_table: bool,
    keep_embeddings: bool,
    estimators: tuple[str, ...],
    budget: int | None,
    tolerance: float | None,
    seed: int,
    faithfulness: bool,
    **options: str | Path | None,
) -> None:
    """Explain which regions of IMAGE make the model prefer the caption over the foil.

    f = score(caption) - score(foil), and the map holds the exact Shapley value of every region: their sum is
    f of the whole image minus f of the image with everything hidden.

    \b
    Examples:
      hlx explain scene.png --caption "there is a red circle" --plot map.png
      hlx explain photo.jpg --caption "a dog on a sofa" --foil "a cat on a sofa" \\
          --model openai/clip-vit-base-patch32 --plot map.png
      hlx explain photo.jpg --pairs pairs.csv --model openai/clip-vit-base-patch32 --out maps.h5
      hlx explain photo.jpg --caption "a dog on a sofa" --grid 7x7 --estimator odd-gp --budget 800
      hlx explain --from maps.h5 --plot again.png
    """
    _check_options(image, caption, foil, pairs, source, out, no_table, keep_embeddings)
    if stimulus_id is not None and caption is None:
        raise InputError("--id names the stimulus of a --caption; the pairs of --pairs have a column id")
    outputs = {"--out": (out, (".h5", ".hdf5")), "--plot": (plot, PICTURES), "--csv": (table, (".csv",))}
    check_outputs(outputs, (image, pairs, options["regions"], source), force)
    how: dict[str, Any] = {
        "budget": budget,
        "tolerance": tolerance,
        "seed": seed,
        "faithfulness": faithfulness,
    }
    from hlx.cli.explain_sources import from_file, from_model, pairs_of

    if source is not None:
        _refuse_model_options(ctx)
        attributions = from_file(source, caption, foil, stimulus_id, pairs, estimators, how)
    else:
        assert image is not None
        stimuli = pairs_of(image, caption, foil, stimulus_id, pairs)
        _check_drawable(plot, len(stimuli) * max(1, len(estimators)))
        attributions = from_model(stimuli, options, keep_embeddings, estimators or ("exact",), how)
    _check_drawable(plot, len(attributions))
    panels = [attribution.panel() for attribution in attributions] if plot is not None else []
    if out is not None:
        from hlx.attribution.result_file import save

        save(out, attributions, keep_table=not no_table, force=force)
    if plot is not None:
        from hlx.plot import save_contact_sheet

        save_contact_sheet(plot, panels)
    if table is not None:
        from hlx.io.files import write_csv

        write_csv([record for attribution in attributions for record in attribution.rows()], table, force)
    for attribution in attributions:
        click.echo(json.dumps(attribution.as_dict()) if as_json else attribution_text(attribution))
    tell_written(out, plot, table)


def _check_options(
    image: str | None,
    caption: str | None,
    foil: str | None,
    pairs: Path | None,
    source: Path | None,
    out: Path | None,
    no_table: bool,
    keep_embeddings: bool,
) -> None:
    if source is not None and image is not None:
        raise InputError("--from takes the image from the file: leave IMAGE out")
    if source is None and image is None:
        raise InputError("which image? give IMAGE, or a result with --from FILE.h5")
    if pairs is not None and (caption is not None or foil is not None):
        raise InputError("--pairs holds the captions and foils: leave --caption and --foil out")
    if caption is None and foil is not None:
        raise InputError("--foil needs a --caption to be compared with")
    if source is None and caption is None and pairs is None:
        raise InputError("which caption? give --caption, or many with --pairs FILE")
    if out is None and (no_table or keep_embeddings):
        name = "--no-table" if no_table else "--keep-embeddings"
        raise InputError(f"{name} says what --out keeps: give --out FILE.h5")


def _check_drawable(plot: Path | None, rows: int) -> None:
    if plot is not None and rows > MAX_DRAWN:
        raise InputError(
            f"--plot draws at most {MAX_DRAWN} maps, these are {rows}: leave it out, or split them"
        )


def _refuse_model_options(ctx: click.Context) -> None:
    given = [
        name
        for name in _MODEL_OPTIONS
        if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    ]
    if given:
        raise InputError(f"--{given[0].replace('_', '-')} was settled when the file of --from was made")
