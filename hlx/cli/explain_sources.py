"""Where the maps of ``hlx explain`` come from: a model, or a result and its tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlx.cli.options import model_of
from hlx.cli.printing import progress_bar
from hlx.errors import InputError

if TYPE_CHECKING:
    from hlx.attribution.attribution import Attribution
    from hlx.games.regions import Regions
    from hlx.games.stimuli import Stimulus


def pairs_of(
    image: str, caption: str | None, foil: str | None, stimulus_id: str | None, pairs: Path | None
) -> list[Stimulus]:
    """The pairs of caption and foil that options ask for."""
    from hlx.games.stimuli import Stimulus, read_stimuli

    if pairs is None:
        assert caption is not None
        return [Stimulus(image, caption, foil, stimulus_id)]
    return read_stimuli(pairs, image=image)


def from_model(
    stimuli: Sequence[Stimulus],
    options: dict[str, str | Path | None],
    keep_embeddings: bool,
    estimators: Sequence[str],
    how: dict[str, Any],
) -> list[Attribution]:
    """Maps by a model; `options` are those of the model and the regions, `how` goes on to `explain_pairs`."""
    regions = _regions(options["grid"], options["regions"])

    # What can be refused without a model is refused before one is loaded.
    from hlx.attribution.estimate import estimator_specs
    from hlx.io.images import read_image
    from hlx.models.batches import parse_batch

    for spec in estimator_specs(estimators, how["budget"], how["seed"], how["tolerance"]):
        spec.check(regions.n_players)
    batch_size = parse_batch(str(options["batch_size"]))
    pixels = read_image(stimuli[0].image)

    from hlx.attribution.explain import explain_pairs

    model = model_of(options)
    with progress_bar("evaluating coalitions") as progress:
        return explain_pairs(
            model,
            stimuli,
            regions,
            estimators,
            background=str(options["background"]),
            batch_size=batch_size,
            progress=progress,
            keep_vectors=keep_embeddings,
            pixels=pixels,
            **how,
        )


def _regions(grid: str | Path | None, labels: str | Path | None) -> Regions:
    from hlx.games.regions import Grid, LabelMap

    if grid is not None and labels is not None:
        raise InputError("--grid and --regions both say what the regions are: give one of them")
    return (
        LabelMap.read(Path(str(labels)))
        if labels is not None
        else Grid.parse("4x4" if grid is None else str(grid))
    )


def from_file(
    source: Path,
    caption: str | None,
    foil: str | None,
    stimulus_id: str | None,
    pairs: Path | None,
    estimators: Sequence[str],
    how: dict[str, Any],
) -> list[Attribution]:
    """Maps from the tables of a result, or of new pairs from its image vectors."""
    from hlx.attribution.attribution import holding_tables
    from hlx.attribution.explain import explain_from_table
    from hlx.attribution.result_file import load

    attributions = _kept(source, load(source), caption, foil, stimulus_id, pairs)
    asked = estimators or (None if how["budget"] is None and how["tolerance"] is None else ("exact",))
    if asked is not None:  # the same estimators on the same table would find the same
        attributions = holding_tables(attributions) or attributions
    return [made for kept in attributions for made in explain_from_table(kept, asked, **how)]


def _kept(
    source: Path,
    kept: list[Attribution],
    caption: str | None,
    foil: str | None,
    stimulus_id: str | None,
    pairs: Path | None,
) -> list[Attribution]:
    if not kept:
        raise InputError(f"{source}: holds no attributions")
    if caption is None and pairs is None:
        return kept
    from hlx.attribution.explain import explain_kept
    from hlx.models import load_text_side

    # Of the estimators of a sweep the exact one, which the new maps are like.
    likely = sorted(kept, key=lambda attribution: attribution.is_exact)
    sweeps = {id(each.vectors): each for each in likely if each.vectors is not None}
    if not sweeps and not any(_could_keep(each) for each in kept):
        raise InputError(_cannot_keep(source, kept))
    if len(sweeps) != 1:
        raise InputError(
            f"{source}: holds the image vectors of {len(sweeps)} sweeps, expected one"
            " (explain one image with --keep-embeddings)"
        )
    attribution = next(iter(sweeps.values()))
    assert attribution.context is not None
    stimuli = pairs_of(attribution.context.image, caption, foil, stimulus_id, pairs)
    texts, checkpoint = load_text_side(attribution.context.model, attribution.context.revision)
    mapped = explain_kept(
        attribution, [(s.caption, s.foil) for s in stimuli], texts, checkpoint.fingerprint()
    )
    return [_named(attribution, stimulus) for attribution, stimulus in zip(mapped, stimuli, strict=True)]


def _could_keep(attribution: Attribution) -> bool:
    context = attribution.context
    return context is None or context.engine == "jax"


def _cannot_keep(source: Path, kept: list[Attribution]) -> str:
    engines = {each.context.model: each.context.engine for each in kept if each.context is not None}
    models = " and ".join(
        f"{model}, a function of your own" if engine == "function" else f"{model}, run by {engine}"
        for model, engine in engines.items()
    )
    return (
        f"{source}: holds no image vectors to map a new pair from, and of {models}, none can be kept: that "
        "takes the jax engine; explain the image again with the new caption"
    )


def _named(attribution: Attribution, stimulus: Stimulus) -> Attribution:
    assert attribution.context is not None
    context = replace(attribution.context, stimulus_id=stimulus.id, phenomenon=stimulus.phenomenon)
    return replace(attribution, context=context)
