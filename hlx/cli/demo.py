"""``hlx demo``: exact maps of embedded scenes with the embedded models."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hlx.cli.terminal import colours_wanted, progress_bar
from hlx.scenes import HELD_OUT_SEED, TRAINING_SEEDS

if TYPE_CHECKING:
    from hlx.demo import DemoMap, DemoScene, Pointing

MAP_COLUMNS = 34
"""Two coloured 4x4 maps of this width and the object left of them fill 80 columns."""


@click.command()
@click.option(
    "--out",
    default="hlx-demo",
    show_default=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Folder for results and pictures; made if missing.",
)
@click.option(
    "--seed",
    default=HELD_OUT_SEED,
    show_default=True,
    type=click.IntRange(min=TRAINING_SEEDS.stop),
    help="Of the scenes; the models were trained on smaller ones.",
)
@click.option("--force", is_flag=True, help="Replace files that exist.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of maps.")
def demo(out: Path, seed: int, force: bool, as_json: bool) -> None:
    """Map embedded scenes with the embedded CLIP and SigLIP: exact, offline, in about two minutes.

    f = score(caption) - score(foil). Every map holds the exact Shapley value of each of 16 regions, from all
    65,536 ways to show some and blur the others, and the object that the caption is about is marked next to
    it: the scenes know where it is. Of each phenomenon the first held-out scene is taken as it comes.

    \b
    Example:
      hlx demo --out maps
    """
    import hlx.demo as engine

    started = time.perf_counter()
    scenes = engine.choose_scenes(seed)
    count, coalitions = len(scenes) * len(engine.MODELS), 2**engine.REGIONS.n_players
    maps: list[DemoMap] = []
    with engine.output_folder(out, engine.output_files(scenes), force):
        click.echo(
            f"{count} exact Shapley maps: {len(scenes)} scenes, {len(engine.MODELS)} models, "
            f"{coalitions:,} coalitions of a {engine.REGIONS} grid each.",
            err=True,
        )
        from hlx.models import load_model

        models = [load_model(name) for name in engine.MODELS]
        for scene in scenes:
            for model in models:
                label = f"{scene.number}/{len(scenes)} {scene.stimulus.phenomenon}, {model.name}"
                with progress_bar(label) as progress:
                    maps.append(engine.explain_scene(model, scene, out, engine.REGIONS, progress))
            if not as_json:
                width = shutil.get_terminal_size().columns
                click.echo(scene_text(maps[-len(models) :], colours_wanted(), width))
        engine.save_maps(out, maps)
    found, seconds = engine.pointing(maps), time.perf_counter() - started
    if as_json:
        files = [str(out / name) for name in engine.output_files(scenes)]
        summary = {"scene_seed": seed, **_summary(maps, found), "files": files, "seconds": round(seconds, 3)}
        click.echo(json.dumps(summary))
        return
    click.echo(pointing_text(found))
    click.echo(_closing(out, scenes[0], count, seconds), err=True)


def _closing(folder: Path, scene: DemoScene, count: int, seconds: float) -> str:
    from hlx.demo import SHEET, STORE

    image = shlex.quote(str(folder / scene.image_file))
    return "\n".join(
        [
            f"\n{count} maps in {seconds:.0f} s. In {folder}:",
            f"  {STORE:<19}all values, and the tables of scores they come from",
            f"  {SHEET:<19}all maps over their images; each is also a .png of its own",
            f"  {'scene-*.png':<19}the scenes",
            "\nNext, another question about a scene, and one about a photo of your own:",
            f'  hlx explain {image} --caption "{scene.stimulus.foil}"',
            '  hlx explain photo.jpg --caption "a dog" --foil "a cat" --grid 3x3 \\',
            "      --model openai/clip-vit-base-patch32",
        ]
    )


def scene_text(maps: Sequence[DemoMap], colour: bool, width: int) -> str:
    """One scene's maps, side by side as far as they fit; a # left of them for each region of the object."""
    scene = maps[0].scene
    heading = f"{scene.number} {scene.stimulus.phenomenon}"
    lines = [
        "",
        click.style(heading, bold=True) if colour else heading,
        f"  caption  {scene.stimulus.caption}",
        f"  foil     {scene.stimulus.foil}",
    ]
    marks = maps[0].attribution.laid_out(maps[0].object_regions)
    left = ["  " + " ".join("#" if mark else "." for mark in row) for row in marks.tolist()]
    margin = max(len(left[0]), len("  object")) + 3
    beside = max(1, (width - margin) // MAP_COLUMNS)
    for start in range(0, len(maps), beside):
        lines += _side_by_side(maps[start : start + beside], left, margin, colour)
    return "\n".join(lines)


def _side_by_side(maps: Sequence[DemoMap], left: list[str], margin: int, colour: bool) -> list[str]:
    from hlx.plot import terminal_map

    drawn = [terminal_map(found.attribution.map, colour, MAP_COLUMNS).split("\n") for found in maps]
    # A row of regions is one line, or three with its mark on the middle one.
    tall = len(drawn[0]) // len(left)
    marked = [""] * (tall * len(left))
    marked[tall // 2 :: tall] = left
    rows = [
        ("  object", *(f"  {found.model}" for found in maps)),
        ("", *(f"  f {found.attribution.v_all:+.3f}: {_preferred(found)}" for found in maps)),
        ("", *(f"  f {found.attribution.v_none:+.3f} with all hidden" for found in maps)),
        *zip_longest(marked, *drawn, fillvalue=""),
        ("", *(f"  highest |phi| {'on' if found.on_object else 'off'} the object" for found in maps)),
    ]
    widths = [margin, *[MAP_COLUMNS] * len(maps)]
    return ["".join(map(_padded, row, widths)).rstrip() for row in rows]


def pointing_text(found: dict[str, Pointing]) -> str:
    """One line per model, and what it means."""
    longest = max(map(len, found))
    lines = [
        f"{model:<{longest}}  highest |phi| on the object in {own.hits} of {own.maps} maps, "
        f"chance {own.chance:.0%}"
        for model, own in found.items()
    ]
    note = "(on the object: the region holds a pixel of it; chance: the mean share of those)"
    return "\n".join(["", *lines, note])


def _preferred(found: DemoMap) -> str:
    f = found.attribution.v_all
    return "caption preferred" if f > 0 else "foil preferred" if f < 0 else "undecided"


def _padded(text: str, width: int) -> str:
    visible = len(re.sub(r"\033\[[0-9;]*m", "", text))
    return text + " " * (width - visible)


def _summary(maps: Sequence[DemoMap], found: dict[str, Pointing]) -> dict[str, Any]:
    return {
        "pointing": {model: asdict(own) for model, own in found.items()},
        "maps": [
            {
                **each.attribution.as_dict(),
                "object_regions": each.object_regions.nonzero()[0].tolist(),
                "on_object": each.on_object,
            }
            for each in maps
        ],
    }
