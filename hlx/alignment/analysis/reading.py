"""A study from the files in its folder: what they hold comes together, and what does not fit is noted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from hlx.alignment.analysis.layout import StudyFiles, study_files
from hlx.alignment.analysis.scores import own_benchmark, read_benchmarks, stimulus_scores
from hlx.alignment.analysis.stimulus_images import stimulus_images
from hlx.alignment.analysis.study import Benchmark, Study, StudyModel
from hlx.alignment.inference import FEWEST_STIMULI
from hlx.alignment.model_maps import ModelMaps, read_model_maps
from hlx.errors import InputError
from hlx.games.stimuli import Stimulus, beside, read_stimuli
from hlx.humans import HumanMaps, read_human_maps
from hlx.io.messages import examples, plural, plural_stimuli


def read_study(folder: str | Path, *, images: str | Path | None = None, pictures: bool = True) -> Study:
    """The study in a folder: the reference study's files, hlx's own results, or both.

    Parameters
    ----------
    folder
        human_maps.csv or humans.h5; shapley_NAME.csv or the .h5 files of `hlx explain --out`, also one folder
        down; optionally stimuli.csv, scores_stimuli_NAME.csv (which go before the scores in result files),
        scores_valse_NAME.csv and the scores_NAME.csv of `hlx score --out`.
    images
        A folder to look for the stimuli's images in, by name; beside stimuli.csv and in result files they are
        found without it.
    pictures
        False leaves images alone.

    Raises
    ------
    InputError
        See `study_files`; also a file that cannot be used, maps of different grids, two files with maps of
        one model, fewer than 3 stimuli with all maps.
    """
    folder = Path(folder)
    files = study_files(folder)
    notes = [f"{path.name} is no file of hlx's and was passed over" for path in files.passed_over]
    humans = read_human_maps(files.humans)
    maps = _model_maps(files)
    for model in maps:
        if model.grid != humans.grid:
            raise InputError(
                f"{model.source}: the maps are of a {model.grid} grid, those of {files.humans} of a "
                f"{humans.grid} one; make human maps of the models' grid, or explain with the people's"
            )
    stimuli = _common(folder, humans, maps, notes)
    about, image_files = _about(files, humans, maps, notes)
    f = {model.name: _f(model, files, stimuli, notes) for model in maps}
    _note_unknown(files.stimulus_scores, maps, notes)
    benchmarks = _benchmarks(files, maps, f, stimuli, about, notes)
    shown = {stimulus: pixels for model in maps for stimulus, pixels in model.images.items()}
    found, missing = stimulus_images(stimuli, about, image_files, shown, images) if pictures else ({}, [])
    return Study(
        name=folder.resolve().name,
        folder=folder,
        grid=humans.grid,
        stimuli=stimuli,
        about={stimulus: about[stimulus] for stimulus in stimuli if stimulus in about},
        images=found,
        humans=humans,
        models=tuple(
            StudyModel(replace(model, f=f[model.name]), benchmarks.get(model.name)) for model in maps
        ),
        notes=(*notes, *missing),
    )


def _model_maps(files: StudyFiles) -> list[ModelMaps]:
    """All models' maps: tables first, each named by its file, then those of result files."""
    maps = [replace(*read_model_maps(path), name=name) for name, path in files.map_tables.items()]
    if files.results:
        maps += read_model_maps(list(files.results))
    seen: dict[str, ModelMaps] = {}
    for model in maps:
        if model.name in seen:
            raise InputError(
                f"{model.source}: {seen[model.name].source} also holds maps of {model.name}; leave one out"
            )
        seen[model.name] = model
    return maps


def _common(folder: Path, humans: HumanMaps, maps: Sequence[ModelMaps], notes: list[str]) -> tuple[str, ...]:
    """The stimuli with a human map and a map of every model; what others lack is noted."""
    everything = dict.fromkeys([*humans.maps, *(name for model in maps for name in model.values)])
    common = tuple(name for name in humans.maps if all(name in model.values for model in maps))
    lacking = {"a human map": [name for name in everything if name not in humans.maps]}
    for model in maps:
        lacking[f"a map of {model.name}"] = [name for name in everything if name not in model.values]
    causes = "; ".join(
        f"{len(names):,} without {what} ({examples(names)})" for what, names in lacking.items() if names
    )
    if len(common) < FEWEST_STIMULI:
        found = f"{folder}: {plural_stimuli(len(common))} with a human map and a map of every model"
        why = f" of {len(everything):,}: {causes}" if causes else ""
        raise InputError(f"{found}{why}; at least {FEWEST_STIMULI} are needed")
    if causes:
        notes.append(
            f"{len(common):,} of {plural_stimuli(len(everything))} analysed, those with a human map and a "
            f"map of every model; left out: {causes}"
        )
    return common


def _about(
    files: StudyFiles, humans: HumanMaps, maps: Sequence[ModelMaps], notes: list[str]
) -> tuple[dict[str, Stimulus], dict[str, Path]]:
    """What is known of stimuli by id, and the images found beside the file that lists them."""
    about: dict[str, Stimulus] = {}
    for model in maps:
        about = {**model.stimuli, **about}
    if files.stimuli is None:
        return about, {}
    listed: dict[str, Stimulus] = {}
    for stimulus in read_stimuli(files.stimuli, resolve=False):
        # The reference study names stimuli by their images.
        by_image = stimulus.name not in humans.maps and stimulus.image_name in humans.maps
        name = stimulus.image_name if by_image else stimulus.name
        if name in listed:
            raise InputError(
                f"{files.stimuli}: lists {name!r} twice, as id or image; give each stimulus an id of its own"
            )
        listed[name] = stimulus
    unlisted = [name for name in humans.maps if name not in listed]
    if unlisted:
        notes.append(
            f"{files.stimuli.name} does not list {plural_stimuli(len(unlisted))} with a human map: "
            f"{examples(unlisted)}"
        )
    near = {name: beside(one.image_name, files.stimuli.parent) for name, one in listed.items()}
    return {**about, **listed}, {name: path for name, path in near.items() if path is not None}


def _f(model: ModelMaps, files: StudyFiles, stimuli: Sequence[str], notes: list[str]) -> Mapping[str, float]:
    """A model's f by stimulus; the scores file goes before result files."""
    f = dict(model.f)
    for name, path in files.stimulus_scores.items():
        if _is_of(model, name):
            f |= stimulus_scores(path)
    unknown = [name for name in stimuli if name not in f]
    if not f:
        notes.append(
            f"{model.name}: f of the stimuli is not known, so RC is not compared with it; looked for "
            f"scores_stimuli_{model.name}.csv"
        )
    elif unknown:
        notes.append(
            f"{model.name}: f of {plural_stimuli(len(unknown))} is not known ({examples(unknown)}); these "
            "are left out where RC is compared with it"
        )
    return f


def _benchmarks(
    files: StudyFiles,
    maps: Sequence[ModelMaps],
    f: Mapping[str, Mapping[str, float]],
    stimuli: Sequence[str],
    about: Mapping[str, Stimulus],
    notes: list[str],
) -> dict[str, Benchmark]:
    """Each model's benchmark, where it has none its own stimuli; none where f is not known either."""
    found, unscored = read_benchmarks(files.benchmark_scores)
    notes += unscored
    _note_unknown({name: path for name, (_, path) in found.items()}, maps, notes)
    phenomena = {name: stimulus.phenomenon for name, stimulus in about.items()}
    benchmarks = {
        model.name: benchmark
        for model in maps
        for name, (benchmark, _) in found.items()
        if _is_of(model, name)
    }
    own = [model.name for model in maps if model.name not in benchmarks and f[model.name]]
    if own:
        benchmarks |= {name: own_benchmark(f[name], phenomena) for name in own}
        notes += _own_scores(own, f, stimuli)
    sizes = {len(benchmark.f) for benchmark in benchmarks.values()}
    if len(sizes) > 1:
        each = ", ".join(f"{name} {len(benchmark.f):,}" for name, benchmark in benchmarks.items())
        notes.append(f"accuracies are of different numbers of items: {each}")
    return benchmarks


def _own_scores(
    names: Sequence[str], f: Mapping[str, Mapping[str, float]], stimuli: Sequence[str]
) -> list[str]:
    """Notes on models without a benchmark: of how many stimuli the scores in its place are."""
    models: dict[str, list[str]] = {}
    for name in names:
        whose = f"all {plural(len(f[name]), 'scored stimulus', 'scored stimuli')}"
        lacking = len(f[name].keys() - set(stimuli))
        also = f", also the {lacking:,} that lack a human map or a model's" if lacking else ""
        models.setdefault(whose + also, []).append(name)
    return [
        f"{', '.join(those)}: no scores on a benchmark (scores_valse_NAME.csv or scores_NAME.csv), so the "
        f"stimuli's own scores normalise f and count for accuracy: {whose}"
        for whose, those in models.items()
    ]


def _is_of(model: ModelMaps, name: str) -> bool:
    """Whether scores of this name are the model's, whose maps may go by more, such as "NAME (exact)"."""
    return model.name == name or model.name.startswith(f"{name} (")


def _note_unknown(files: Mapping[str, Path], maps: Sequence[ModelMaps], notes: list[str]) -> None:
    for name, path in files.items():
        if not any(_is_of(model, name) for model in maps):
            notes.append(f"{path.name}: scores of {name}, of which there are no maps, were passed over")
