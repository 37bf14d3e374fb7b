"""``hlx bench``: estimators side by side on games whose exact values are known."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hlx.cli.options import MODEL_OPTIONS, model_of, model_options
from hlx.cli.outputs import PICTURES, check_outputs, tell_written
from hlx.cli.printing import progress_bar
from hlx.errors import InputError
from hlx.io.files import write_bytes

if TYPE_CHECKING:
    from hlx.bench import BenchmarkGame
    from hlx.games.regions import Grid

_FILE = click.Path(path_type=Path)
_MODEL_OPTIONS = (*MODEL_OPTIONS, "images", "background", "batch_size")
_STDOUT = Path("-")

DEFAULT_TOP = 5
"""k of Precision@k, in games of so many players."""


@click.group(invoke_without_command=True)
@click.pass_context
def bench(ctx: click.Context) -> None:
    """Compare estimators on games whose exact values are known.

    \b
    Example:
      hlx bench estimators results.h5 --budgets 82,179,394 --plot errors.png
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@bench.command()
@click.argument("files", nargs=-1, type=_FILE)
@click.option(
    "--key", "keys", multiple=True, metavar="NAME", help="Array of an .npz that holds the tables; repeatable."
)
@click.option(
    "--stimuli", multiple=True, type=_FILE, metavar="FILE", help="Stimuli to sweep with --model, for games."
)
@click.option(
    "--images", multiple=True, type=_FILE, metavar="DIR", help="Folder to find their images in; repeatable."
)
@model_options
@click.option(
    "--grid",
    metavar="RxC",
    help="Regions of --stimuli (4x4 by default), or how the players of arrays lie (not known by default).",
)
@click.option(
    "--background",
    type=click.Choice(["blur", "mean", "black"]),
    default="blur",
    show_default=True,
    help="What hidden regions of --stimuli show.",
)
@click.option(
    "--batch-size", default="auto", show_default=True, metavar="auto|N", help="Coalitions per batch."
)
@click.option("--games", "most", type=int, metavar="N", help="Take the first N games.  [default: all]")
@click.option("--estimators", "names", metavar="A,B,...", help="Estimators.  [default: all that sample]")
@click.option(
    "--budgets",
    metavar="N,N,...",
    help="Distinct coalitions to spend.  [default: eight, from n + 1 to the lesser of 2^n and 20,000]",
)
@click.option("--repeats", type=int, default=30, show_default=True, help="Seeds per estimator and budget.")
@click.option(
    "--expensive-repeats", type=int, default=5, show_default=True, help="The most for expensive estimators."
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Repeat r uses seed + r."
)
@click.option(
    "--top", type=int, metavar="K", help="k of Precision@k of |phi|.  [default: 5, or all of fewer players]"
)
@click.option(
    "--level", type=float, default=0.95, show_default=True, help="Of the intervals whose coverage is counted."
)
@click.option("--faithfulness", is_flag=True, help="Also the areas under insertion and deletion curves.")
@click.option(
    "--measure",
    "tables",
    multiple=True,
    metavar="NAME",
    help="Table to print; repeatable: mse, ratio, coverage, seconds (the default), mae, relative_error, "
    "precision, spearman, kendall, evaluations, sampling, evaluation, solving, insertion, deletion; or all.",
)
@click.option(
    "--json",
    "json_file",
    type=_FILE,
    metavar="FILE.json|-",
    help="All measures as JSON; - prints it instead of tables.",
)
@click.option("--plot", type=_FILE, metavar="FILE.png|.pdf", help="Mean squared error against budget.")
@click.option("--force", is_flag=True, help="Replace files that exist.")
@click.pass_context
def estimators(
    ctx: click.Context,
    files: tuple[Path, ...],
    keys: tuple[str, ...],
    stimuli: tuple[Path, ...],
    images: tuple[Path, ...],
    grid: str | None,
    most: int | None,
    names: str | None,
    budgets: str | None,
    repeats: int,
    expensive_repeats: int,
    seed: int,
    top: int | None,
    level: float,
    faithfulness: bool,
    tables: tuple[str, ...],
    json_file: Path | None,
    plot: Path | None,
    force: bool,
    background: str,
    **options: str | None,
) -> None:
    """Rank estimators on games: their error, the coverage of their intervals and their time, at each budget.

    FILES are results of `hlx explain --out` with their tables, or .npz and .npy arrays of tables, shape
    (2^n,) or (games, 2^n), bit i of the last index set when player i is shown. With --stimuli the games are
    swept first. Estimators are then replayed on the tables: no coalition is evaluated twice.

    \b
    Examples:
      hlx bench estimators maps.h5
      hlx bench estimators games.npz --key values --grid 4x4 --budgets 82,394,1895 --plot errors.png
      hlx bench estimators --stimuli scenes.csv --model clip-scenes --games 10 --json errors.json
    """
    _check_options(ctx, files, stimuli)
    written = None if json_file == _STDOUT else json_file
    outputs = {"--json": (written, (".json",)), "--plot": (plot, PICTURES)}
    check_outputs(outputs, (*files, *stimuli), force)
    _check_counts(most, repeats, expensive_repeats, top)
    budget_list = None if budgets is None else _integers("--budgets", budgets)
    regions = _grid(grid)

    from hlx.bench import TITLES, benchmark_estimators, report, save_plot
    from hlx.bench.error_tables import DEFAULT_TABLES
    from hlx.estimators import get_estimator

    shown = tuple(TITLES) if "all" in tables else tables or DEFAULT_TABLES
    unknown = [name for name in shown if name not in TITLES]
    if unknown:
        raise InputError(f"--measure {unknown[0]!r}: expected all, {', '.join(TITLES)}")
    chosen = None if names is None else [name.strip() for name in names.split(",")]
    for name in chosen or []:
        get_estimator(name)

    known = _from_files(files, keys, regions, most, stimuli)
    sizes = [game.n_players for game in known]
    if stimuli and (most is None or len(known) < most):
        sizes.append(16 if regions is None else regions.n_players)
    top = _largest_top(top, sizes)
    if len(sizes) > len(known):
        wanted = None if most is None else most - len(known)
        known += _from_model(stimuli, images, regions, wanted, background, options)
    with progress_bar("running estimators") as progress:
        result = benchmark_estimators(
            known,
            chosen,
            budget_list,
            repeats=repeats,
            expensive_repeats=expensive_repeats,
            seed=seed,
            top=top,
            level=level,
            faithfulness=faithfulness,
            progress=progress,
        )
    text = json.dumps(result.as_dict(), indent=2, allow_nan=False) + "\n"
    if written is not None:
        write_bytes(written, text.encode())
    click.echo(text if json_file == _STDOUT else report(result, shown) + "\n", nl=False)
    if plot is not None:
        try:
            save_plot(plot, result)
        except InputError as error:  # the numbers are there, and a picture cannot show them
            warnings.warn(f"{plot} is left out: {error}", stacklevel=1)
            plot = None
    tell_written(written, plot)


def _check_options(ctx: click.Context, files: Sequence[Path], stimuli: Sequence[Path]) -> None:
    if not files and not stimuli:
        raise InputError("which games? give FILES (.h5, .npz, .npy), or --stimuli to sweep with --model")
    if not stimuli:
        for name in _MODEL_OPTIONS:
            if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
                raise InputError(f"--{name.replace('_', '-')} is for games of a model: give --stimuli FILE")


def _check_counts(most: int | None, repeats: int, expensive_repeats: int, top: int | None) -> None:
    counts = {"--games": most, "--repeats": repeats, "--expensive-repeats": expensive_repeats, "--top": top}
    for name, value in counts.items():
        if value is not None and value < 1:
            raise InputError(f"{name} {value}: expected at least 1")


def _largest_top(top: int | None, sizes: Sequence[int]) -> int:
    """k of Precision@k, which no game has fewer players than."""
    if top is None:
        return min(DEFAULT_TOP, *sizes)
    if top > (most := min(sizes)):
        raise InputError(f"--top {top}: a game has {most} player{'s' * (most > 1)}, take at most as many")
    return top


def _integers(option: str, text: str) -> list[int]:
    numbers = []
    for part in text.split(","):
        try:
            numbers.append(int(part))
        except ValueError:
            raise InputError(
                f"{option} {text}: expected whole numbers with commas between, found {part.strip()!r}"
            ) from None
        if numbers[-1] < 1:
            raise InputError(f"{option} {text}: expected numbers of evaluations, found {numbers[-1]}")
    return numbers


def _grid(text: str | None) -> Grid | None:
    from hlx.games.regions import Grid

    return None if text is None else Grid.parse(text)


def _from_files(
    files: Sequence[Path],
    keys: Sequence[str],
    regions: Grid | None,
    most: int | None,
    stimuli: Sequence[Path],
) -> list[BenchmarkGame]:
    from hlx.bench.benchmark_games import RESULT_ENDINGS, read_games

    endings = {file.suffix.lower() for file in files}
    if keys and ".npz" not in endings:
        raise InputError(f"--key {keys[0]}: names an array of an .npz, and there is none among the files")
    if regions is not None and endings and endings <= set(RESULT_ENDINGS) and not stimuli:
        raise InputError("--grid was settled when the results were made: leave it out")
    games: list[BenchmarkGame] = []
    for file in files:
        games += read_games(file, keys if file.suffix.lower() == ".npz" else (), regions)
    return games[:most]


def _from_model(
    stimuli: Sequence[Path],
    images: Sequence[Path],
    regions: Grid | None,
    most: int | None,
    background: str,
    options: dict[str, str | None],
) -> list[BenchmarkGame]:
    from hlx.bench.benchmark_games import games_from_model, stimuli_of
    from hlx.models.batches import parse_batch

    batch_size = parse_batch(options["batch_size"])
    chosen = stimuli_of(stimuli, images, most)
    model = model_of(options)
    with progress_bar("sweeping images") as progress:
        return games_from_model(
            model,
            chosen,
            regions,
            background=background,
            batch_size=batch_size,
            progress=progress,
        )
