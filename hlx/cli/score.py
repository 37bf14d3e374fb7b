"""``hlx score``: caption and foil scores of whole stimulus files, and the accuracies they make."""

import json
import time
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hlx.cli.options import model_of, model_options
from hlx.cli.outputs import check_outputs
from hlx.cli.printing import progress_bar
from hlx.errors import InputError
from hlx.io.files import write_bytes, write_csv

if TYPE_CHECKING:
    from hlx.attribution.score import Accuracy, AccuracyTable, PairScore

NAMES_SHOWN = 20
"""So many missing images are listed on the terminal; --missing takes all."""


@click.command()
@click.argument("stimuli", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--images",
    multiple=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Folder to find images in by name, and below; may be repeated. Images beside the file come first.",
)
@model_options
@click.option(
    "--validated", is_flag=True, help="Keep VALSE items whose caption at least 2 of 3 annotators chose."
)
@click.option(
    "--out",
    default="scores.csv",
    show_default=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Scores per stimulus, .csv or .jsonl.",
)
@click.option(
    "--missing",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the names of all missing images.",
)
@click.option(
    "--batch-size", default="auto", show_default=True, metavar="auto|N", help="Images and texts at once."
)
@click.option("--force", is_flag=True, help="Replace files that exist.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def score(
    stimuli: tuple[Path, ...],
    images: tuple[Path, ...],
    validated: bool,
    out: Path,
    missing: Path | None,
    batch_size: str,
    force: bool,
    as_json: bool,
    **options: str | None,
) -> None:
    """Score caption and foil of every stimulus in STIMULI (.csv, .jsonl or VALSE's .json).

    Prints how often the caption scores higher, per phenomenon, pooled over all stimuli, and macro: the mean
    over phenomena. A tie is wrong. Stimuli whose image is missing are listed and left unscored.

    \b
    Example:
      hlx score existence.json relations.json --validated --images visual7w --images coco \\
          --model openai/clip-vit-base-patch32 --out clip.csv
    """
    from hlx import __version__
    from hlx.attribution.score import accuracy, score_stimuli
    from hlx.games.stimuli import gather_stimuli
    from hlx.models.batches import parse_batch

    check_outputs({"--out": (out, (".csv", ".jsonl")), "--missing": (missing, ())}, stimuli, force)
    at_once = parse_batch(batch_size)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        gathered = gather_stimuli(stimuli, images, validated=validated, need_foil=True)
    for warning in caught:
        click.echo(f"warning: {warning.message}", err=True)
    absent = gathered.missing
    _report_missing(absent, missing, images)
    if not any(gathered.sources):
        if missing is not None:
            _write_names(missing, absent)
        raise InputError(
            f"not one image was found of {len(absent)}; name the folders that hold them with --images"
        )

    started = time.perf_counter()
    scorer = model_of(options)
    with progress_bar("encoding images and texts") as progress:
        records = score_stimuli(
            scorer, gathered.stimuli, sources=gathered.sources, batch_size=at_once, progress=progress
        )
    seconds = time.perf_counter() - started
    made_by = {
        "model": scorer.name,
        "fingerprint": scorer.fingerprint,
        "engine": scorer.engine,
        "dtype": str(options["dtype"]),
        "hlx_version": __version__,
    }
    write_bytes(out, _table_text(records, made_by, out.suffix.lower()).encode())
    if missing is not None:
        _write_names(missing, absent)
    table = accuracy(records)
    if as_json:
        counts = {"stimuli": len(records), "missing_images": absent, "seconds": round(seconds, 3)}
        click.echo(json.dumps({**made_by, "out": str(out), **counts, **_summary(table)}))
    else:
        click.echo(_accuracy_text(table))
        scored = table.pooled.scored
        click.echo(f"{scored} of {len(records)} stimuli scored in {seconds:.1f} s, in {out}", err=True)


def _write_names(file: Path, names: list[str]) -> None:
    write_bytes(file, "".join(f"{name}\n" for name in names).encode())


def _report_missing(absent: list[str], file: Path | None, folders: tuple[Path, ...]) -> None:
    if not absent:
        return
    where = f"in {', '.join(map(str, folders))} or beside the stimuli" if folders else "beside the stimuli"
    click.echo(f"{len(absent)} {'image' if len(absent) == 1 else 'images'} not found {where}:", err=True)
    for name in absent[:NAMES_SHOWN]:
        click.echo(f"  {name}", err=True)
    if len(absent) > NAMES_SHOWN:
        rest = f"all of them in {file}" if file else "--missing FILE writes all of them"
        click.echo(f"  ... and {len(absent) - NAMES_SHOWN} more; {rest}", err=True)


def _table_text(records: list["PairScore"], made_by: dict[str, str], extension: str) -> str:
    """The result file's text: per stimulus its fields, its scores and what made them."""
    rows = [{**record.as_row(), **made_by} for record in records]
    if extension == ".jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return write_csv(rows)


def _summary(table: "AccuracyTable") -> dict[str, object]:
    def entry(accuracy: "Accuracy") -> dict[str, object]:
        return {**asdict(accuracy), "accuracy": accuracy.share}

    phenomena = {name: entry(accuracy) for name, accuracy in table.phenomena.items()}
    return {"phenomena": phenomena, "pooled": entry(table.pooled), "macro": table.macro}


def _accuracy_text(table: "AccuracyTable") -> str:
    lines = [("phenomenon", "scored", "correct", "accuracy", "unscored")]
    for name, entry in [*table.phenomena.items(), ("pooled", table.pooled)]:
        share = _percent(entry.share)
        lines.append((name, str(entry.scored), str(entry.correct), share, str(entry.unscored)))
    lines.append(("macro", "", "", _percent(table.macro), ""))
    width = max(len(line[0]) for line in lines)
    return "\n".join(
        (line[0].ljust(width) + "".join(cell.rjust(10) for cell in line[1:])).rstrip() for line in lines
    )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f}%"
