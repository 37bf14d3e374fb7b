"""``hlx compare``: maps of models against human maps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hlx.cli.outputs import PICTURES, check_outputs, tell_written

if TYPE_CHECKING:
    from hlx.alignment.compare import Comparison

_FILE = click.Path(path_type=Path)
_NONE = "-"
_ARROWS = {"higher": "↑", "lower": "↓"}
_SHOWN = {"absolute": "|phi|", "positive": "the positive part of phi", "signed": "signed phi"}
_CEILINGS = {
    "leave-one-out": "leave-one-out: the mean map of the other participants as a model of each",
    "split-half": "split-half: correlation of halves of the participants, stepped up to all (Spearman-Brown)",
}


@click.command()
@click.argument("maps", nargs=-1, required=True, type=_FILE)
@click.argument("humans", type=_FILE)
@click.option(
    "--magnitude",
    type=click.Choice(["absolute", "positive", "signed"]),
    default="absolute",
    show_default=True,
    help="Compare |phi|, the positive part of phi, or phi as it is.",
)
@click.option(
    "--measure",
    "measures",
    multiple=True,
    metavar="NAME",
    help="Repeatable: RC, EMD, CC, SIM, KLDiv, cosine, top-k IoU, chi-squared, and with clicks NSS, AUC, "
    "shuffled AUC; or your own as FILE.py:FUNCTION.  [default: all that apply but your own]",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of mismatched pairs and halves."
)
@click.option(
    "--splits",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="Of a stimulus's participants into halves, for noise ceilings.",
)
@click.option(
    "--csv", "table", type=_FILE, metavar="FILE.csv", help="One line per model, measure and stimulus."
)
@click.option(
    "--plot", type=_FILE, metavar="FILE.png|.pdf", help="Matched and shuffled distributions of every measure."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
@click.option("--force", is_flag=True, help="Replace files that exist.")
def compare(
    maps: tuple[Path, ...],
    humans: Path,
    magnitude: str,
    measures: tuple[str, ...],
    seed: int,
    splits: int,
    table: Path | None,
    plot: Path | None,
    as_json: bool,
    force: bool,
) -> None:
    """Compare the maps of models in MAPS with where people looked, in HUMANS.

    MAPS are results of `hlx explain --out` (.h5) or tables of maps (.csv, .jsonl: stimulus, r0c0, r0c1, ...),
    HUMANS is what `hlx humans build` wrote or such a table. Prints, for every measure, the mean over stimuli
    beside that of mismatched stimuli, of maps that know no model, and of what participants reach themselves.

    \b
    Example:
      hlx compare clip.h5 flava.h5 humans.h5 --plot distributions.png --csv similarities.csv
    """
    check_outputs({"--plot": (plot, PICTURES), "--csv": (table, (".csv",))}, (*maps, humans), force)
    from hlx.alignment.compare import compare as compared
    from hlx.alignment.compare import comparison_rows, summary
    from hlx.alignment.maps import find_measure
    from hlx.alignment.model_maps import read_model_maps
    from hlx.humans import read_human_maps

    chosen = [find_measure(name) for name in measures]
    people = read_human_maps(humans)
    how: dict[str, Any] = {"magnitude": magnitude, "measures": chosen, "seed": seed, "splits": splits}
    comparisons = [compared(model, people, **how) for model in read_model_maps(maps)]
    if plot is not None:
        _draw(plot, comparisons)
    if table is not None:
        from hlx.io.files import write_csv

        write_csv([row for each in comparisons for row in comparison_rows(each)], table, force)
    found = [summary(each) for each in comparisons]
    if as_json:
        about = {"humans": str(humans), "simulated": people.simulated, "seed": seed, "splits": splits}
        models = {each["model"]: each for each in found}
        click.echo(json.dumps({**about, "magnitude": magnitude, "models": models}, allow_nan=False))
    else:
        click.echo("\n\n".join([*map(_text, found), _legend(found)]))
    tell_written(plot, table)


def _draw(path: Path, comparisons: list[Comparison]) -> None:
    from hlx.alignment.compare import comparison_panels
    from hlx.plot import distributions_figure, save_figure

    counts = sorted({len(each.stimuli) for each in comparisons})
    stimuli = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    people = "simulated human maps" if comparisons[0].simulated else "human maps"
    title = f"{_SHOWN[comparisons[0].magnitude]} against {people} of {stimuli} stimuli"
    save_figure(path, distributions_figure(comparison_panels(comparisons), title=title))


def _text(found: dict[str, Any]) -> str:
    """One model's comparison for people: a line for each measure, and what it says."""
    from hlx.io.messages import text_table

    columns = ["matched", "shuffled", "uniform", "centre bias", "mean human map"]
    columns += [
        kind for kind in _CEILINGS if any(kind in one["ceilings"] for one in found["measures"].values())
    ]
    cells = [["", *columns]]
    for name, one in found["measures"].items():
        means = {"shuffled": one["shuffled_mean"], **one["baselines"], **one["ceilings"]}
        cells.append(
            [
                f"  {name} {_ARROWS[one['better']]}",
                _with_error(one),
                *(_number(means.get(column)) for column in columns[1:]),
            ]
        )
    people = "simulated human maps" if found["simulated"] else "human maps"
    head = f"{_SHOWN[found['magnitude']]} against {people} of {found['n_stimuli']} stimuli"
    lines = [f"{found['model']}: {head}", text_table(cells)]
    partial = (f"given {name} {_with_error(one)}" for name, one in found["partial_rc"].items())
    lines.append(f"  partial RC {', '.join(partial)}")
    return "\n".join([*lines, *(f"  note: {note}" for note in found["notes"])])


def _legend(found: list[dict[str, Any]]) -> str:
    measures = [one for each in found for one in each["measures"].values()]
    shown = {kind for one in measures for kind in one["ceilings"]}
    lines = [
        f"{', '.join(f'{arrow} {better}' for better, arrow in _ARROWS.items())} is closer; "
        "means over stimuli, the matched ± their standard error",
        "shuffled: with human maps of other stimuli; mean human map: of all other stimuli",
        *(text for kind, text in _CEILINGS.items() if kind in shown),
    ]
    if any(each["simulated"] for each in found):
        lines.append("the human maps are simulated: no people took part")
    return "\n".join(lines)


def _with_error(one: dict[str, Any]) -> str:
    return _number(one["mean"]) + ("" if one["sem"] is None else f" ± {one['sem']:.3f}")


def _number(value: float | None) -> str:
    return _NONE if value is None else f"{value:z.3f}"
