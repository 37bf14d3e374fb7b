"""``hlx humans``: human maps from recorded clicks, and images as participants saw them."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hlx.cli.outputs import check_outputs, tell_written
from hlx.errors import InputError

if TYPE_CHECKING:
    from hlx.humans import ClickMask, Normalisation, Response

_FILE = click.Path(path_type=Path)
NORMALISATIONS: dict[str, Normalisation] = {"mask-1": "mask - 1", "mask": "mask"}
NAMES_SHOWN = 5
"""So many stimuli without responses are named."""


_MASK_OPTIONS = (
    ("--canvas", int, 400, "Its side in pixels."),
    ("--radius", float, 100.0, "Pixels beyond which a click adds nothing."),
    ("--gain", float, 100.0, "What a click adds at its centre."),
    ("--sigma", float, None, "Of a click's Gaussian, in pixels.  [default: sqrt(0.2) radius, which is 44.7]"),
    ("--cap", float, 255.0, "Masks, which start at 1, end here."),
)


_OPTIONS = {"side": "--canvas", "min_responses": "--min-responses"} | {
    name.removeprefix("--"): name for name, *_ in _MASK_OPTIONS
}
"""What the library's arguments are called on the command line."""


def _mask_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say how clicks become a mask; `_click_mask` takes what they give."""
    for name, kind, default, words in reversed(_MASK_OPTIONS):
        shown = default is not None
        command = click.option(name, type=kind, default=default, show_default=shown, help=words)(command)
    return command


def _click_mask(
    canvas: int, sigma: float | None, radius: float, normalisation: Normalisation = "mask - 1", **rest: float
) -> ClickMask:
    from hlx.humans import ClickMask

    sigma = 0.2**0.5 * radius if sigma is None else sigma
    with _options_named():
        return ClickMask(side=canvas, radius=radius, sigma=sigma, normalisation=normalisation, **rest)


@contextmanager
def _options_named() -> Iterator[None]:
    """Let errors that name an argument of the library name the option it comes from."""
    try:
        yield
    except InputError as error:
        name, _, said = str(error).partition(": ")
        raise (InputError(f"{_OPTIONS[name]}: {said}") if name in _OPTIONS else error) from None


@click.group(invoke_without_command=True)
@click.pass_context
def humans(ctx: click.Context) -> None:
    """Make human maps from recorded clicks, and show images as participants saw them.

    \b
    Example:
      hlx humans build responses.jsonl --out humans.h5 --grid 4x4
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@humans.command()
@click.argument("responses", nargs=-1, required=True, type=_FILE)
@click.option("--out", required=True, type=_FILE, metavar="FILE.h5", help="The maps and all that made them.")
@click.option(
    "--grid", default="4x4", show_default=True, metavar="RxC", help="Cells that maps are summed over."
)
@click.option(
    "--stimuli",
    type=_FILE,
    metavar="FILE",
    help="Known stimuli (.csv, .jsonl, VALSE's .json): others are errors.",
)
@_mask_options
@click.option(
    "--normalisation",
    type=click.Choice(list(NORMALISATIONS)),
    default="mask-1",
    show_default=True,
    help="What is divided by its sum: the mask less the 1 it starts at, or the mask.",
)
@click.option(
    "--min-responses",
    type=int,
    default=3,
    show_default=True,
    help="That count, or a stimulus is dropped.",
)
@click.option("--csv", "table", type=_FILE, metavar="FILE.csv", help="The mean maps, one line per stimulus.")
@click.option("--simulated", is_flag=True, help="Mark the maps as of no people; every later text says so.")
@click.option("--force", is_flag=True, help="Replace files that exist.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with the maps.")
def build(
    responses: tuple[Path, ...],
    out: Path,
    grid: str,
    stimuli: Path | None,
    normalisation: str,
    min_responses: int,
    table: Path | None,
    simulated: bool,
    force: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Turn the clicks of RESPONSES (.jsonl or .csv) into a map of where people looked, for every stimulus.

    Each row or object is one participant's response to one stimulus: participant, stimulus, answer (caption,
    foil or undecided) and clicks, a JSON list [[x, y], ...] in pixels of the canvas, x the column, the centre
    of the top left pixel at [0, 0]. The whole image fills the square canvas: x = 400 column / width, y = 400
    row / height. Optional: times (a JSON list of seconds, one per click), seconds,
    answered_without_deblurring, problem_reported, simulated (true or false).

    A response counts with at least one click, the caption chosen and no problem reported. Prints what is left
    after each filter, and the stimuli dropped for having too few responses that count.

    \b
    Example:
      hlx humans build responses.jsonl --out humans.h5 --grid 4x4 --stimuli stimuli.csv --csv humans.csv
    """
    check_outputs(
        {"--out": (out, (".h5", ".hdf5")), "--csv": (table, (".csv",))}, (*responses, stimuli), force
    )
    from hlx.games.regions import Grid
    from hlx.humans import build_human_maps, read_responses, summary, summary_text, write_human_maps

    regions, mask = Grid.parse(grid), _click_mask(**given, normalisation=NORMALISATIONS[normalisation])
    known = None if stimuli is None else _known(stimuli)
    read = read_responses(responses, known)
    if stimuli is not None and known is not None:
        _warn_unseen(stimuli, known, read)
    with _options_named():
        maps = build_human_maps(read, regions, mask, min_responses=min_responses, simulated=simulated)
    write_human_maps(out, maps, force)
    if table is not None:
        from hlx.attribution.map_tables import map_table_text

        map_table_text(regions, {name: human.values for name, human in maps.maps.items()}, table, force)
    click.echo(
        json.dumps({"min_responses": min_responses, **summary(maps)}) if as_json else summary_text(maps)
    )
    tell_written(out, table)


@humans.command()
@click.argument("image", type=_FILE)
@click.option("--clicks", metavar="JSON", help="[[x, y], ...] in pixels of the canvas; [] for none yet.")
@click.option(
    "--responses", type=_FILE, metavar="FILE", help="Take a response's clicks instead (.jsonl, .csv)."
)
@click.option("--participant", metavar="ID", help="Whose response.")
@click.option("--stimulus", metavar="ID", help="To what.")
@_mask_options
@click.option(
    "--out", required=True, type=_FILE, metavar="FILE.png", help="The picture, as large as the canvas."
)
@click.option("--force", is_flag=True, help="Replace a file that exists.")
def render(
    image: Path,
    clicks: str | None,
    responses: Path | None,
    participant: str | None,
    stimulus: str | None,
    out: Path,
    force: bool,
    **given: Any,
) -> None:
    """Show IMAGE as a participant saw it after their clicks: sharp around them, blurred elsewhere.

    The image fills the square canvas, on which clicks are counted, whatever its shape.

    \b
    Examples:
      hlx humans render photo.jpg --clicks "[[120.5, 200], [260, 310]]" --out seen.png
      hlx humans render photo.jpg --responses responses.jsonl --participant p7 --stimulus photo-1 \\
          --out seen.png
    """
    check_outputs({"--out": (out, (".png",))}, (image, responses), force)
    from hlx.humans import seen_image
    from hlx.humans.build import warn_off_canvas
    from hlx.io.files import write_bytes
    from hlx.io.images import png_bytes, read_image

    mask = _click_mask(**given)
    response = _response(clicks, responses, participant, stimulus)
    pixels = read_image(image)
    warn_off_canvas([response], mask)
    write_bytes(out, png_bytes(seen_image(pixels, response.clicks, mask)))
    tell_written(out)


def _known(stimuli: Path) -> list[str]:
    from hlx.games.stimuli import read_stimuli

    return [stimulus.name for stimulus in read_stimuli(stimuli, resolve=False)]


def _warn_unseen(stimuli: Path, known: Sequence[str], responses: Sequence[Response]) -> None:
    seen = {response.stimulus for response in responses}
    unseen = [name for name in known if name not in seen]
    if unseen:
        names = ", ".join(map(repr, unseen[:NAMES_SHOWN])) + ", ..." * (len(unseen) > NAMES_SHOWN)
        warnings.warn(
            f"{len(unseen)} of {len(known)} stimuli in {stimuli} have no response: {names}", stacklevel=2
        )


def _response(
    clicks: str | None, responses: Path | None, participant: str | None, stimulus: str | None
) -> Response:
    from hlx.humans import Response, read_responses
    from hlx.humans.responses import parse_clicks
    from hlx.io.csv_jsonl import parse_json

    if (clicks is None) == (responses is None):
        raise InputError(
            "which clicks? give either --clicks or --responses with --participant and --stimulus"
        )
    if clicks is not None:
        for option, value in (("--participant", participant), ("--stimulus", stimulus)):
            if value is not None:
                raise InputError(f"{option} chooses from --responses: leave it out with --clicks")
        try:
            points = parse_clicks(parse_json("--clicks", clicks))
        except InputError as error:
            raise InputError(
                f"--clicks{str(error).removeprefix('--clicks').removeprefix('clicks')}"
            ) from None
        return Response("nobody", "image", "undecided", points, place="--clicks")
    assert responses is not None
    if participant is None or stimulus is None:
        raise InputError("which response? give both --participant and --stimulus")
    for response in read_responses(responses):
        if (response.participant, response.stimulus) == (participant, stimulus):
            return response
    raise InputError(f"{responses}: has no response of participant {participant!r} to stimulus {stimulus!r}")
