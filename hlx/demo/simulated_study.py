"""A study from clicks to research questions on embedded scenes; its participants are simulated.

The scenes know where the objects are that a caption is about: simulated participants click around them. The
rest is as in a study with people: the same files, read by the same functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from hlx.alignment.analysis import Analysis, analyze, read_study
from hlx.attribution.explain import explain
from hlx.attribution.result_file import save
from hlx.attribution.score import score_stimuli
from hlx.demo.demo_scenes import PHENOMENA, DemoScene
from hlx.games.regions import Grid
from hlx.games.scenes import iterate_stimuli
from hlx.games.stimuli import Stimulus
from hlx.humans import (
    HumanMaps,
    build_human_maps,
    read_responses,
    simulate_responses,
    write_human_maps,
    write_responses,
)
from hlx.io.files import write_csv
from hlx.report import write_report

if TYPE_CHECKING:
    from hlx.models.batches import Progress
    from hlx.models.loading.load import Loaded

N_STIMULI, PARTICIPANTS = 28, 17
ESTIMATOR, BUDGET = "odd-gp", 172  # as many evaluations as the reference study's explainer makes
BENCHMARK_ITEMS = 200
REGIONS = Grid(4, 4)

FOLDER, REPORT = "study", "report.html"
STIMULI, RESPONSES, HUMANS = "stimuli.csv", "responses.jsonl", "humans.h5"


def study_files(scenes: Sequence[DemoScene], models: Sequence[str]) -> list[str]:
    """Names of all files in the study's folder."""
    made = [name for model in models for name in (_maps_file(model), _scores_file(model))]
    return [STIMULI, RESPONSES, HUMANS, *made, *(scene.image_file for scene in scenes)]


def save_scenes(folder: Path, scenes: Sequence[DemoScene]) -> list[Stimulus]:
    """The stimuli, their images and the file that lists them written into the folder.

    Raises
    ------
    OutputError
        A file cannot be written.
    """
    stimuli = [scene.saved(folder) for scene in scenes]
    rows = [
        {
            "id": stimulus.id,
            "image": Path(stimulus.image_name).name,
            **{name: getattr(stimulus, name) for name in ("caption", "foil", "phenomenon")},
        }
        for stimulus in stimuli
    ]
    write_csv(rows, folder / STIMULI, force=True)
    return stimuli


def simulate_people(folder: Path, scenes: Sequence[DemoScene], seed: int) -> HumanMaps:
    """Human maps of simulated clicks around what each caption is about; writes responses and maps.

    Raises
    ------
    OutputError
        A file cannot be written.
    """
    targets = {scene.name: scene.stimulus.target for scene in scenes if scene.stimulus.target is not None}
    simulated = simulate_responses(targets, participants=PARTICIPANTS, seed=seed)
    write_responses(folder / RESPONSES, simulated, force=True)
    responses = read_responses(folder / RESPONSES, list(targets))
    humans = build_human_maps(responses, REGIONS, simulated=True)
    write_human_maps(folder / HUMANS, humans, force=True)
    return humans


def explain_stimuli(
    folder: Path, model: Loaded, stimuli: Sequence[Stimulus], progress: Progress | None = None
) -> None:
    """A model's sampled maps of all stimuli, in one file.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    attributions = []
    for done, stimulus in enumerate(stimuli, 1):
        attributions.append(explain(model, stimulus, REGIONS, ESTIMATOR, budget=BUDGET))
        if progress is not None:
            progress(done, len(stimuli))
    save(folder / _maps_file(model.name), attributions, keep_table=False, force=True)


def score_benchmark(folder: Path, model: Loaded, seed: int) -> None:
    """A model's scores of statements about further scenes of the seed, which no map is made of.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    further = islice(iterate_stimuli(seed, PHENOMENA), N_STIMULI, N_STIMULI + BENCHMARK_ITEMS)
    stimuli = [
        Stimulus(item.image, item.caption, item.foil, f"benchmark/{number}", item.phenomenon)
        for number, item in enumerate(further, 1)
    ]
    rows = [{**record.as_row(), "model": model.name} for record in score_stimuli(model, stimuli)]
    write_csv(rows, folder / _scores_file(model.name), force=True)


def report_study(folder: Path, report: Path, seed: int = 0) -> Analysis:
    """Everything asked of the study in the folder, and the page that shows it.

    Raises
    ------
    OutputError
        The page cannot be written.
    """
    analysis = analyze(read_study(folder), seed=seed)
    write_report(report, analysis, force=True)
    return analysis


def _maps_file(model: str) -> str:
    return f"{model}.h5"


def _scores_file(model: str) -> str:
    return f"scores_{model}.csv"
