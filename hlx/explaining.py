"""`explain`: the one-call road through the engine, from a stimulus to Shapley values."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float, Float64

from hlx.attribution import Attribution, Context
from hlx.backgrounds import BACKGROUNDS
from hlx.errors import InputError
from hlx.estimators import Estimate, Estimator, check_affordable, get_estimator
from hlx.images import content_hash, read_image
from hlx.kernels import shapley
from hlx.regions import Grid, LabelMap, Regions
from hlx.stimuli import Stimulus, stimulus_hash

if TYPE_CHECKING:
    from hlx.models.batches import Progress
    from hlx.models.dual_encoder import DualEncoder
    from hlx.models.game import MaskedImage
    from hlx.models.text_side import TextSide

VERSIONED = ("hlx", "jax", "jaxlib", "flax", "numpy", "transformers")
"""Packages whose versions a result records."""


def explain(
    model: DualEncoder,
    stimulus: Stimulus,
    regions: Regions | None = None,
    estimator: str = "exact",
    *,
    background: str = "blur",
    budget: int | None = None,
    seed: int = 0,
    batch_size: int | str | None = None,
    progress: Progress | None = None,
) -> Attribution:
    """Shapley values of the regions of a stimulus's image.

    Parameters
    ----------
    model : from `load_model`.
    stimulus : image, caption and foil; f = score(caption) - score(foil), or score(caption) without a foil.
    regions : the players; `Grid(4, 4)` by default.
    estimator : "exact" evaluates all 2^n coalitions; "permutation" samples.
    background : what hidden regions show: "blur", "mean" or "black".
    budget : evaluations a sampled estimator may spend, empty and full included.
    seed : of the sampling; exact values do not depend on it.
    batch_size : coalitions per batch; None or "auto" chooses what suits the device.
    progress : called with (coalitions done, coalitions in all).

    Raises
    ------
    InputError : image, regions, texts, budget or names that cannot be used.
    NonFiniteScoreError : the model returns NaN or infinity; names stimulus and coalition.
    """
    return explain_pairs(
        model,
        [stimulus],
        regions,
        estimator,
        background=background,
        budget=budget,
        seed=seed,
        batch_size=batch_size,
        progress=progress,
    )[0]


def explain_pairs(
    model: DualEncoder,
    stimuli: Sequence[Stimulus],
    regions: Regions | None = None,
    estimator: str = "exact",
    *,
    background: str = "blur",
    budget: int | None = None,
    seed: int = 0,
    batch_size: int | str | None = None,
    progress: Progress | None = None,
    keep_vectors: bool = False,
) -> list[Attribution]:
    """Attributions of many caption/foil pairs of one image, from a single sweep of image vectors.

    Takes what `explain` takes; all stimuli show the same image. `keep_vectors` keeps the image vector of
    every coalition (exact only), from which `explain_kept` maps any further pair.
    """
    if not stimuli:
        raise InputError("no pairs of caption and foil to explain")
    regions = Grid(4, 4) if regions is None else regions
    if not isinstance(regions, Grid | LabelMap):
        raise InputError(f"regions: expected a Grid or a LabelMap, found {type(regions).__name__}")
    chosen = get_estimator(estimator)
    check_affordable(chosen, regions.n_players, budget)
    if background not in BACKGROUNDS:
        raise InputError(f"background {background!r}: expected {', '.join(BACKGROUNDS)}")
    if keep_vectors and not chosen.exhaustive:
        raise InputError("image vectors are kept of all coalitions: that takes the exact estimator")
    first = stimuli[0]
    if any(_another_image(first.image, other.image) for other in stimuli[1:]):
        raise InputError("all pairs of a sweep belong to one image; explain different images one by one")
    pixels = read_image(first.image)
    name = first.name if len(stimuli) == 1 else first.image_name
    masked = model.mask(pixels, regions, background, batch_size, name)
    heads, offsets = model.texts.heads([(s.caption, s.foil) for s in stimuli])
    start = time.perf_counter()
    vectors = None
    if chosen.exhaustive:
        sweep = masked.sweep(heads, offsets, progress, keep_vectors)
        tables, vectors = np.ascontiguousarray(sweep.values.T), sweep.vectors
        found = [
            _Found(Estimate(values), float(table[-1]), float(table[0]), len(table))
            for values, table in zip(shapley(tables), tables, strict=True)
        ]
    else:
        tables = None
        found = _sampled(chosen, masked, heads, offsets, budget or 0, seed, progress)
    seconds = time.perf_counter() - start
    image_hash, versions = content_hash(pixels), made_with(model)
    attributions = []
    for i, (stimulus, result) in enumerate(zip(stimuli, found, strict=True)):
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
            revision=model.checkpoint.revision,
            dtype=model.dtype,
            background=background,
            seed=seed,
            batch_size=masked.batch_size,
            seconds=seconds,
            versions=versions,
            shown=masked.shown,
            hidden=masked.hidden,
        )
        attributions.append(
            Attribution(
                values=result.estimate.values,
                v_all=result.v_all,
                v_none=result.v_none,
                n_evaluations=result.n_evaluations,
                regions=regions,
                estimator=chosen.name,
                standard_error=result.estimate.standard_error,
                table=None if tables is None else tables[i],
                vectors=vectors,
                context=context,
            )
        )
    return attributions


def explain_kept(
    attribution: Attribution, pairs: Sequence[tuple[str, str | None]], texts: TextSide, fingerprint: str
) -> list[Attribution]:
    """Exact attributions of new (caption, foil) pairs from kept image vectors, with the text tower alone.

    Parameters
    ----------
    attribution : of the same image, made with `keep_vectors`.
    pairs : captions and foils.
    texts, fingerprint : text side and fingerprint of the model that made the vectors (`load_text_side`).

    Raises
    ------
    InputError : no vectors were kept, or another model made them.
    """
    kept, context = attribution.vectors, attribution.context
    if kept is None or context is None:
        raise InputError("no image vectors were kept: explain once more with --keep-embeddings")
    if fingerprint != context.fingerprint:
        raise InputError(
            f"the kept image vectors come from other weights of {context.model} than the ones here"
        )
    stimuli = [Stimulus(context.image, caption, foil) for caption, foil in pairs]  # checks the texts
    start = time.perf_counter()
    heads, offsets = texts.heads(pairs)
    tables = np.ascontiguousarray((kept @ heads + offsets.astype(np.float32)).T)
    results = []
    for stimulus, table, values in zip(stimuli, tables, shapley(tables), strict=True):
        own = replace(
            context,
            caption=stimulus.caption,
            foil=stimulus.foil,
            stimulus_id=None,
            phenomenon=None,
            stimulus_hash=stimulus_hash(stimulus.caption, stimulus.foil, context.image_hash),
            seconds=time.perf_counter() - start,
        )
        v_none, v_all = float(table[0]), float(table[-1])
        results.append(
            replace(attribution, values=values, table=table, v_none=v_none, v_all=v_all, context=own)
        )
    return results


def rederived(attribution: Attribution) -> Attribution:
    """The attribution with its values computed afresh from its kept table."""
    if attribution.table is None:
        return attribution
    return replace(attribution, values=shapley(attribution.table))


def made_with(model: DualEncoder) -> dict[str, str]:
    """Versions of the packages that take part, and the devices."""
    devices = model.image_side.devices
    return {
        **{name: version(name) for name in VERSIONED},
        "device": f"{len(devices)} x {devices[0].device_kind} ({devices[0].platform})",
    }


class _Found(NamedTuple):
    estimate: Estimate
    v_all: float
    v_none: float
    n_evaluations: int


def _sampled(
    estimator: Estimator,
    masked: MaskedImage,
    heads: Float[np.ndarray, "p k"],
    offsets: Float64[np.ndarray, " k"],
    budget: int,
    seed: int,
    progress: Progress | None,
) -> list[_Found]:
    rows = estimator.plan(masked.n_players, budget, np.random.default_rng(seed))
    distinct, place = np.unique(rows, axis=0, return_inverse=True)
    # Rows are sorted with False before True: the empty coalition comes first and the full one last.
    values = masked.values(distinct, heads, offsets, progress)
    return [
        _Found(
            estimator.solve(rows, column[place.ravel()]), float(column[-1]), float(column[0]), len(distinct)
        )
        for column in values.T
    ]


def _another_image(first: object, other: object) -> bool:
    if isinstance(first, np.ndarray) or isinstance(other, np.ndarray):
        return first is not other
    return str(first) != str(other)
