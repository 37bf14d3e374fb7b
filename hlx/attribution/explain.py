"""`explain`: the one-call road through the engine, from a stimulus to Shapley values."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, UInt8

from hlx.attribution.attribution import Attribution, Context
from hlx.attribution.estimate import (
    EstimatorSpec,
    GameEstimate,
    MakePlan,
    attribution_of,
    estimate_from_tables,
    estimator_specs,
    run_estimator,
)
from hlx.errors import InputError
from hlx.estimators import EXACT, Estimator, make_plan
from hlx.games.backgrounds import BACKGROUNDS
from hlx.games.cached import Evaluations
from hlx.games.coalitions import ids_from_rows
from hlx.games.faithfulness import faithfulness_curves
from hlx.games.game import TabulatedGame
from hlx.games.regions import Grid, LabelMap, Regions
from hlx.games.stimuli import Stimulus, stimulus_hash
from hlx.io.images import content_hash, read_image
from hlx.kernels import shapley

if TYPE_CHECKING:
    from hlx.models.batches import Progress
    from hlx.models.image_text_game import MaskedImage
    from hlx.models.jax.text_side import TextSide
    from hlx.models.model import Model

VERSIONED = ("hlx", "jax", "jaxlib", "flax", "numpy", "transformers")
"""Packages whose versions every result records; models add their own."""


def explain(
    model: Model,
    stimulus: Stimulus,
    regions: Regions | None = None,
    estimator: str | Estimator = "exact",
    *,
    background: str = "blur",
    budget: int | None = None,
    tolerance: float | None = None,
    seed: int = 0,
    faithfulness: bool = False,
    batch_size: int | str | None = None,
    progress: Progress | None = None,
) -> Attribution:
    """Shapley values of the regions of a stimulus's image.

    Parameters
    ----------
    model
        From `load_model`.
    stimulus
        Image, caption and foil; f = score(caption) - score(foil), or score(caption) without a foil.
    regions
        The players; `Grid(4, 4)` by default.
    estimator
        "exact" evaluates all 2^n coalitions; the others of `hlx.estimators.ESTIMATORS` sample.
    background
        What hidden regions show: "blur", "mean" or "black".
    budget, tolerance, seed
        As in `hlx.estimate`.
    faithfulness
        Add insertion and deletion curves, for up to 2n further evaluations.
    batch_size
        Coalitions per batch; None or "auto" chooses what suits the device.
    progress
        Called with (coalitions done, coalitions in all).

    Raises
    ------
    InputError
        Image, regions, texts, budget or names that cannot be used.
    NonFiniteScoreError
        The model returns NaN or infinity; names stimulus and coalition.
    """
    return explain_pairs(
        model,
        [stimulus],
        regions,
        estimator,
        background=background,
        budget=budget,
        tolerance=tolerance,
        seed=seed,
        faithfulness=faithfulness,
        batch_size=batch_size,
        progress=progress,
    )[0]


def explain_pairs(
    model: Model,
    stimuli: Sequence[Stimulus],
    regions: Regions | None = None,
    estimator: str | Estimator | Sequence[str | Estimator] = "exact",
    *,
    background: str = "blur",
    budget: int | None = None,
    tolerance: float | None = None,
    seed: int = 0,
    faithfulness: bool = False,
    batch_size: int | str | None = None,
    progress: Progress | None = None,
    keep_vectors: bool = False,
    pixels: UInt8[np.ndarray, "h w 3"] | None = None,
) -> list[Attribution]:
    """Attributions of many caption/foil pairs of one image, from shared evaluations of image vectors.

    Takes what `explain` takes; all stimuli show the same image. Several estimators give one attribution per
    pair and estimator (the pairs in order, for each its estimators), and no coalition is evaluated twice for
    them. `keep_vectors` keeps the image vector of every coalition (exact only), from which `explain_kept`
    maps any further pair. `pixels` are the image's, where it has been read already.
    """
    if not stimuli:
        raise InputError("no pairs of caption and foil to explain")
    regions = Grid(4, 4) if regions is None else regions
    if not isinstance(regions, Grid | LabelMap):
        raise InputError(f"regions: expected a Grid or a LabelMap, found {type(regions).__name__}")
    asked = estimator_specs(estimator, budget, seed, tolerance)
    n = regions.n_players
    for spec in asked:
        spec.check(n)
    if background not in BACKGROUNDS:
        raise InputError(f"background {background!r}: expected {', '.join(BACKGROUNDS)}")
    if keep_vectors and not any(spec.estimator.exhaustive for spec in asked):
        raise InputError("image vectors are kept of all coalitions: that takes the exact estimator")
    first = stimuli[0]
    if any(_another_image(first.image, other.image) for other in stimuli[1:]):
        raise InputError("all pairs of a sweep belong to one image; explain different images one by one")
    pixels = read_image(first.image) if pixels is None else pixels
    name = first.name if len(stimuli) == 1 else first.image_name
    masked = model.mask(pixels, regions, background, batch_size, name)
    text_queries = model.text_queries([(s.caption, s.foil) for s in stimuli])
    start = time.perf_counter()
    answers = answer(masked, text_queries, asked, regions, progress=progress, keep_vectors=keep_vectors)
    tables, evaluations = answers.tables, answers.evaluations
    results = [
        [attribution_of(game, spec, regions) for game in found]
        for spec, found in zip(asked, answers.found, strict=True)
    ]
    if faithfulness:
        results = [_with_curves(attributions, evaluations) for attributions in results]
    seconds = time.perf_counter() - start
    image_hash, versions = content_hash(pixels), made_with(model)
    attributions = []
    for i, stimulus in enumerate(stimuli):
        context = Context(
            image=stimulus.image_name,
            caption=stimulus.caption,
            foil=stimulus.foil,
            stimulus_id=stimulus.id,
            phenomenon=stimulus.phenomenon,
            stimulus_hash=stimulus_hash(stimulus.caption, stimulus.foil, image_hash),
            image_hash=image_hash,
            model=model.name,
            fingerprint=model.fingerprint,
            revision=model.revision,
            engine=model.engine,
            dtype=model.dtype,
            background=background,
            unit=model.unit,
            batch_size=masked.batch_size,
            seconds=seconds,
            table_seconds=answers.table_seconds,
            versions=versions,
            shown=masked.shown,
            hidden=masked.hidden,
        )
        for of_one in results:
            # A sweep belongs to every estimator of it: any of the results can be replayed.
            table = of_one[i].coalition_values if tables is None else tables[i]
            attributions.append(
                replace(of_one[i], coalition_values=table, vectors=answers.vectors, context=context)
            )
    return attributions


@dataclass(frozen=True, eq=False)
class Answers:
    """What estimators found in the games of one image.

    Attributes
    ----------
    found
        For every spec, of every game.
    evaluations
        The values of all coalitions asked for, a column for each text query.
    tables
        (k, 2^n) of k text queries, where all coalitions were evaluated; `table_seconds` says how long.
    vectors
        The image vectors, where kept.
    """

    found: list[list[GameEstimate]]
    evaluations: Evaluations
    tables: Float[np.ndarray, "k coalitions"] | None
    table_seconds: float | None
    vectors: Float[np.ndarray, "coalitions p"] | None


def answer(
    masked: MaskedImage,
    text_queries: Any,
    asked: Sequence[EstimatorSpec],
    regions: Regions,
    games: int | None = None,
    *,
    planned: MakePlan = make_plan,
    progress: Progress | None = None,
    keep_vectors: bool = False,
) -> Answers:
    """Run several specs on the games of one image; no coalition is evaluated twice for them.

    Parameters
    ----------
    masked, text_queries
        Of the same model.
    games
        The first so many text queries are games to solve, the others are only evaluated; all by default.
    planned
        As `hlx.attribution.estimate.run_estimator` takes it.

    Raises
    ------
    InputError, NonFiniteScoreError
        As `explain`.
    """
    n, start = masked.n_players, time.perf_counter()
    tables, vectors, table_seconds = None, None, None
    if any(spec.takes_table(n) for spec in asked):
        sweep = masked.sweep(text_queries, progress, keep_vectors)
        tables, vectors = np.ascontiguousarray(sweep.values.T), sweep.vectors
        table_seconds = time.perf_counter() - start
    evaluations = Evaluations(
        (lambda rows: masked.values(rows, text_queries, progress))
        if tables is None
        else (lambda rows: tables[:, ids_from_rows(rows)].T)
    )
    found = []
    for spec in asked:
        if tables is not None and spec.takes_table(n):
            found.append(estimate_from_tables(tables[:games]))
        else:
            found.append(run_estimator(spec, lambda rows: evaluations(rows)[:, :games], n, regions, planned))
    return Answers(found, evaluations, tables, table_seconds, vectors)


def explain_from_table(
    attribution: Attribution,
    estimator: str | Estimator | Sequence[str | Estimator] | None = None,
    *,
    budget: int | None = None,
    tolerance: float | None = None,
    seed: int = 0,
    faithfulness: bool = False,
) -> list[Attribution]:
    """Attributions by any estimators from a kept table of all coalitions; nothing is evaluated.

    Takes what `explain` takes. Without an estimator the one that made the attribution: exact values are
    computed afresh from the table.

    Raises
    ------
    InputError
        No table was kept, or as `explain`.
    """
    table, regions = attribution.coalition_values, attribution.regions
    if table is None:
        if estimator is None and not faithfulness:
            return [attribution]
        raise InputError(
            "there is no table of all coalitions to replay: explain once more with the exact estimator, "
            "and keep its table"
        )
    n = len(table).bit_length() - 1
    evaluations = Evaluations(TabulatedGame(table))
    results = []
    if estimator is None:
        # A sampled result may lie beside the table of its sweep; it stays what was sampled.
        again = replace(attribution, values=shapley(table)) if attribution.is_exact else attribution
        results = [again]
    else:
        for spec in estimator_specs(estimator, budget, seed, tolerance):
            spec.check(n, regions)
            start = time.perf_counter()
            if spec.takes_table(n):
                [found] = estimate_from_tables(table[None])
            else:
                [found] = run_estimator(spec, evaluations, n, regions)
            made = replace(
                attribution_of(found, spec, regions), coalition_values=table, vectors=attribution.vectors
            )
            context = attribution.context
            if context is not None:
                context = replace(context, seconds=time.perf_counter() - start)
            results.append(replace(made, context=context))
    return [_with_curves([made], evaluations)[0] for made in results] if faithfulness else results


def explain_kept(
    attribution: Attribution, pairs: Sequence[tuple[str, str | None]], texts: TextSide, fingerprint: str
) -> list[Attribution]:
    """Exact attributions of new (caption, foil) pairs from kept image vectors, with the text tower alone.

    Parameters
    ----------
    attribution
        Of the same image, made with `keep_vectors`.
    pairs
        Captions and foils.
    texts, fingerprint
        Text side and fingerprint of the model that made the vectors (`load_text_side`).

    Raises
    ------
    InputError
        No vectors were kept, or another model made them.
    """
    kept, context = attribution.vectors, attribution.context
    if kept is None or context is None:
        raise InputError("no image vectors were kept: explain once more with keep_vectors=True")
    if fingerprint != context.fingerprint:
        raise InputError(
            f"the kept image vectors come from other weights of {context.model} than the ones here"
        )
    stimuli = [Stimulus(context.image, caption, foil) for caption, foil in pairs]  # checks the texts
    start = time.perf_counter()
    heads, offsets = texts.directions(pairs)
    tables = np.ascontiguousarray((kept @ heads + offsets.astype(np.float32)).T)
    results = []
    for stimulus, found in zip(stimuli, estimate_from_tables(tables), strict=True):
        own = replace(
            context,
            caption=stimulus.caption,
            foil=stimulus.foil,
            stimulus_id=None,
            phenomenon=None,
            stimulus_hash=stimulus_hash(stimulus.caption, stimulus.foil, context.image_hash),
            seconds=time.perf_counter() - start,
        )
        made = attribution_of(found, EstimatorSpec(EXACT, seed=attribution.seed), attribution.regions)
        results.append(replace(made, vectors=kept, context=own))
    return results


def made_with(model: Model) -> dict[str, str]:
    """Versions of the packages that take part, and the devices."""
    return {**{name: _version(name) for name in (*VERSIONED, *model.packages)}, "device": model.device}


# Reading a package's metadata takes milliseconds, as long as a small map.
_version = cache(version)


def _with_curves(attributions: Sequence[Attribution], evaluations: Evaluations) -> list[Attribution]:
    """The attributions, one per column of the values, with their insertion and deletion curves."""

    def column(i: int) -> Callable[[Bool[np.ndarray, "m n"]], Float[np.ndarray, " m"]]:
        return lambda rows: evaluations(rows).reshape(len(rows), -1)[:, i]

    return [
        replace(attribution, faithfulness=faithfulness_curves(column(i), attribution.values))
        for i, attribution in enumerate(attributions)
    ]


def _another_image(first: object, other: object) -> bool:
    if isinstance(first, np.ndarray) or isinstance(other, np.ndarray):
        return first is not other
    return str(first) != str(other)
