"""``hlx demo``: exact maps of embedded scenes, and a study of them from clicks to research questions."""

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

from hlx.cli.printing import colours_wanted, progress_bar
from hlx.games.scenes import HELD_OUT_SEED, TRAINING_SEEDS

if TYPE_CHECKING:
    from hlx.alignment.analysis import Analysis
    from hlx.demo.demo_scenes import DemoScene
    from hlx.demo.exact_maps import DemoMap, Pointing
    from hlx.models.loading.load import Loaded

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
@click.option("--quick", is_flag=True, help="The study alone, without the exact maps: about a minute.")
@click.option("--force", is_flag=True, help="Replace files that exist.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of maps.")
def demo(out: Path, seed: int, quick: bool, force: bool, as_json: bool) -> None:
    """From images to research questions, offline: a tiny CLIP, SigLIP, FLAVA and LXMERT on embedded scenes.

    It takes a few minutes. LXMERT runs in PyTorch: without the torch extra the other three are compared.

    First exact maps of three scenes: f = score(caption) - score(foil), and every map holds the exact Shapley
    value of each of 16 regions, from all 65,536 ways to show some and blur the others. The object that the
    caption is about is marked next to it: the scenes know where it is.

    Then a study of 28 scenes: SIMULATED participants click around those objects, their clicks become human
    maps, the models' maps take 172 evaluations each, and a report says how close the two are.

    \b
    Example:
      hlx demo --out maps
    """
    from hlx.demo import exact_maps, simulated_study
    from hlx.demo.demo_scenes import choose_scenes
    from hlx.io.files import output_folder

    started = time.perf_counter()
    mapped = [] if quick else choose_scenes(exact_maps.N_SCENES, seed)
    studied = choose_scenes(simulated_study.N_STIMULI, seed)
    folder = out / simulated_study.FOLDER
    chosen = exact_maps.models_here()
    names = [simulated_study.REPORT, *(exact_maps.map_files(mapped, chosen) if mapped else [])]
    study_names = simulated_study.study_files(studied, chosen)
    for name in exact_maps.MODELS:
        if name not in chosen:
            click.echo(f"{name} is left out: it takes the torch extra (pip install '.[torch]')", err=True)
    with output_folder(out, names, force), output_folder(folder, study_names, force):
        from hlx.models import load_model

        models = [load_model(name) for name in chosen]
        maps = _exact_maps(out, mapped, models, as_json)
        if mapped:
            exact_maps.save_maps(out, maps)
            if not as_json:
                click.echo(pointing_text(exact_maps.pointing(maps)))
        analysis = _study(out, folder, studied, models, seed)
    seconds = time.perf_counter() - started
    if as_json:
        files = [str(out / name) for name in names] + [str(folder / name) for name in study_names]
        found = _summary(maps) if mapped else {}
        summary = {"scene_seed": seed, **found, "study": analysis.to_json(), "files": files}
        click.echo(json.dumps({**summary, "seconds": round(seconds, 3)}))
        return
    click.echo(study_text(analysis))
    click.echo(_closing(out, maps, studied[0], seconds), err=True)


def _exact_maps(
    out: Path, scenes: Sequence[DemoScene], models: Sequence[Loaded], as_json: bool
) -> list[DemoMap]:
    """The exact maps of all scenes, told as they come."""
    from hlx.demo import exact_maps

    maps: list[DemoMap] = []
    if scenes:
        click.echo(
            f"{len(scenes) * len(models)} exact Shapley maps: {len(scenes)} scenes, {len(models)} models, "
            f"{2**exact_maps.REGIONS.n_players:,} coalitions of a {exact_maps.REGIONS} grid each.",
            err=True,
        )
    for scene in scenes:
        for model in models:
            label = f"{scene.number}/{len(scenes)} {scene.stimulus.phenomenon}, {model.name}"
            with progress_bar(label) as progress:
                maps.append(exact_maps.explain_scene(model, scene, out, exact_maps.REGIONS, progress))
        if not as_json:
            width = shutil.get_terminal_size().columns
            click.echo(scene_text(maps[-len(models) :], colours_wanted(), width))
    return maps


def _study(
    out: Path, folder: Path, scenes: Sequence[DemoScene], models: Sequence[Loaded], seed: int
) -> Analysis:
    """The study of all scenes, from clicks to the report."""
    from hlx.demo import simulated_study as study

    stimuli = study.save_scenes(folder, scenes)
    humans = study.simulate_people(folder, scenes, seed)
    click.echo(
        f"\nA study with {study.PARTICIPANTS} SIMULATED participants: {humans.steps[0].responses} responses, "
        f"{humans.steps[-1].responses} valid, human maps of {len(humans.maps)} of {len(stimuli)} scenes.",
        err=True,
    )
    for model in models:
        label = f"{study.ESTIMATOR}, {study.BUDGET} evaluations a scene, {model.name}"
        with progress_bar(label) as progress:
            study.explain_stimuli(folder, model, stimuli, progress)
        study.score_benchmark(folder, model, seed)
    return study.report_study(folder, out / study.REPORT)


def study_text(analysis: Analysis) -> str:
    """The research questions in short, one line for each model."""
    longest = max(map(len, analysis.models))
    lines = ["", "Do the maps agree with where the SIMULATED participants clicked? (RC: rank correlation)"]
    for name, one in analysis.models.items():
        p = one.permutation.p_corrected
        known = one.scores.accuracy_pooled
        accuracy = "" if known is None else f"; accuracy {known:.1%}"
        lines.append(
            f"{name:<{longest}}  mean RC {one.rc.mean:.3f} +- {one.rc.sem:.3f}, with people's maps shuffled "
            f"{one.permutation.null_mean:.3f}, p {f'{p:.4f}' if p >= 0.0001 else '< 0.0001'}{accuracy}"
        )
    return "\n".join(lines)


def _closing(folder: Path, maps: Sequence[DemoMap], scene: DemoScene, seconds: float) -> str:
    from hlx.demo.exact_maps import SHEET, STORE
    from hlx.demo.simulated_study import FOLDER, REPORT

    study = folder / FOLDER
    image = shlex.quote(str(study / scene.image_file))
    exact = [
        f"  {STORE:<19}exact values, and the tables of scores they come from",
        f"  {SHEET:<19}all exact maps over their images; each is also a .png of its own",
    ]
    return "\n".join(
        [
            f"\nDone in {seconds:.0f} s. In {folder}:",
            f"  {REPORT:<19}the study as one page; open it in a browser",
            f"  {FOLDER + '/':<19}the study's files: scenes, responses, human maps, maps and scores",
            *(exact if maps else []),
            "\nNext: the study's statistics, another question about a scene, one about a photo of your own:",
            f"  hlx analyze {shlex.quote(str(study))}",
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
        ("", *(f"  f {found.attribution.grand_coalition_value:+.3f}: {_preferred(found)}" for found in maps)),
        ("", *(f"  f {found.attribution.baseline_value:+.3f} with all hidden" for found in maps)),
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
    f = found.attribution.grand_coalition_value
    return "caption preferred" if f > 0 else "foil preferred" if f < 0 else "undecided"


def _padded(text: str, width: int) -> str:
    visible = len(re.sub(r"\033\[[0-9;]*m", "", text))
    return text + " " * (width - visible)


def _summary(maps: Sequence[DemoMap]) -> dict[str, Any]:
    from hlx.demo.exact_maps import pointing

    return {
        "pointing": {model: asdict(own) for model, own in pointing(maps).items()},
        "maps": [
            {
                **each.attribution.as_dict(),
                "object_regions": each.object_regions.nonzero()[0].tolist(),
                "on_object": each.on_object,
            }
            for each in maps
        ],
    }
