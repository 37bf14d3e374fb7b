"""Model maps with the human maps of the same stimuli, of other stimuli, and with what knows no model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int64

from hlx.comparing.comparison import Comparison, MeasureResult
from hlx.comparing.people import People
from hlx.counts import whole_number
from hlx.errors import InputError
from hlx.humans import HumanMaps
from hlx.inference import FEWEST_STIMULI
from hlx.model_maps import ModelMaps
from hlx.similarity import MEASURES, Measure, centre_gaussian, mean_of_others, partial_rank_correlation
from hlx.similarity import magnitude as magnitude_of
from hlx.wording import examples, stimuli_counted

MOST_PAIRS, FEWEST_OFFSETS = 10_000, 9
"""Of up to 100 stimuli all mismatched pairs are compared, of more so many, but so many for each stimulus."""


def compare(
    maps: ModelMaps,
    humans: HumanMaps,
    *,
    magnitude: str = "absolute",
    measures: Sequence[str] | None = None,
    seed: int = 0,
    splits: int = 100,
) -> Comparison:
    """A model's maps against the human maps of the stimuli that have both.

    Parameters
    ----------
    magnitude : what of phi is compared: "absolute", |phi|; "positive"; or "signed".
    measures : names in `hlx.similarity.MEASURES`, in any case; by default all that apply: those of
        distributions need a magnitude that is none of "signed", those of clicks need every stimulus's.
    seed : of the order in which stimuli are mismatched, and of the raters' halves.
    splits : of a stimulus's raters into halves, for the split-half ceilings.

    Raises
    ------
    InputError : different grids, fewer than 3 stimuli in common, an unknown magnitude or measure or one that
        does not apply, a seed or splits that are no such number.
    """
    seed, splits = whole_number(seed, "seed", 0), whole_number(splits, "splits", 1)
    stimuli, notes = _common(maps, humans)
    people = People.of(humans, stimuli)
    phi = np.stack([maps.values[name] for name in stimuli])
    of_model = magnitude_of(phi, magnitude)
    chosen = _chosen(measures, magnitude, people.clicks is not None)
    order = np.random.default_rng(seed).permutation(len(stimuli))
    others, centre = mean_of_others(people.maps), centre_gaussian(maps.grid)
    return Comparison(
        model=maps.name,
        stimuli=stimuli,
        magnitude=magnitude,
        measures={measure.name: _result(measure, of_model, people, others, order) for measure in chosen},
        partial_rc={
            "other people": partial_rank_correlation(of_model, people.maps, others),
            "centre": partial_rank_correlation(of_model, people.maps, centre),
        },
        ceilings=people.ceilings(chosen, seed, splits),
        notes=(*notes, *_undefined(stimuli, of_model, people.maps)),
        simulated=humans.simulated,
    )


def _result(
    measure: Measure,
    maps: Float64[np.ndarray, "m n"],
    people: People,
    others: Float64[np.ndarray, "m n"],
    order: Int64[np.ndarray, " m"],
) -> MeasureResult:
    places = np.arange(len(maps))
    shuffled = []
    for offset in range(1, min(len(maps) - 1, max(FEWEST_OFFSETS, MOST_PAIRS // len(maps))) + 1):
        partners = np.empty_like(places)
        partners[order] = np.roll(order, -offset)
        shuffled.append(people.measured(measure, maps, partners))
    same_for_all = {
        name: people.measured(measure, np.tile(one, (len(maps), 1)), places)
        for name, one in people.baselines(measure).items()
    }
    return MeasureResult(
        matched=people.measured(measure, maps, places),
        shuffled=np.stack(shuffled),
        baselines={**same_for_all, "other people": people.measured(measure, others, places)},
    )


def _chosen(names: Sequence[str] | None, magnitude: str, clicks: bool) -> list[Measure]:
    """The measures asked for, or all that apply; InputError for one that is unknown or does not apply."""
    signed = magnitude == "signed"
    if not names:
        return [
            measure
            for measure in MEASURES.values()
            if not (measure.needs_mass and signed) and not (measure.needs_clicks and not clicks)
        ]
    known = {name.lower(): measure for name, measure in MEASURES.items()}
    chosen = {}
    for name in names:
        if name.lower() not in known:
            raise InputError(f"measure {name!r}: expected one of {', '.join(MEASURES)}")
        measure = known[name.lower()]
        if measure.needs_mass and signed:
            raise InputError(
                f"measure {measure.name}: compares distributions, which signed values are not; take the "
                "magnitude absolute or positive"
            )
        if measure.needs_clicks and not clicks:
            raise InputError(
                f"measure {measure.name}: needs clicks, and the human maps came without; build them from "
                "responses (hlx humans build)"
            )
        chosen[measure.name] = measure
    return list(chosen.values())


def _common(maps: ModelMaps, humans: HumanMaps) -> tuple[tuple[str, ...], list[str]]:
    """Stimuli that both sides have, in the order of the human maps, and notes on the others."""
    source = maps.source or maps.name
    if maps.grid != humans.grid:
        raise InputError(
            f"{source}: the maps of {maps.name} are on a {maps.grid} grid, the human maps on {humans.grid}; "
            f"build human maps with --grid {maps.grid}, or explain with --grid {humans.grid}"
        )
    common = tuple(name for name in humans.maps if name in maps.values)
    if len(common) < FEWEST_STIMULI:
        raise InputError(
            f"{source}: {len(common)} of its stimuli by {maps.name} have a human map, at least "
            f"{FEWEST_STIMULI} are needed; the maps are of {examples(list(maps.values))}; the human maps of "
            f"{examples(list(humans.maps))}"
        )
    alone = [name for name in maps.values if name not in humans.maps]
    unmapped = [name for name in humans.maps if name not in maps.values]
    notes = []
    if alone:
        few = sum(name in humans.dropped for name in alone)
        why = f", {few} for too few valid responses" if few else ""
        notes.append(f"{stimuli_counted(len(alone))} without a human map{why}: {examples(alone)}")
    if unmapped:
        unshared = stimuli_counted(len(unmapped))
        notes.append(f"{unshared} with a human map but without one of the model: {examples(unmapped)}")
    return common, notes


def _undefined(
    stimuli: Sequence[str], maps: Float64[np.ndarray, "m n"], people: Float64[np.ndarray, "m n"]
) -> list[str]:
    """Notes on maps that measures are undefined for."""
    spread, empty = np.ptp(maps, axis=1), np.isnan(maps).any(axis=1)
    flat = np.ptp(people, axis=1) == 0
    found = (
        (empty, "nothing is left of the map of", "and nothing is defined for it"),
        (spread == 0, "the map is constant of", "and correlations are undefined"),
        (flat, "the human map is constant of", "and correlations are undefined"),
    )
    notes = []
    for which, what, therefore in found:
        names = [stimulus for stimulus, so in zip(stimuli, which.tolist(), strict=True) if so]
        if names:
            notes.append(f"{what} {stimuli_counted(len(names))}, {therefore} (NaN): {examples(names)}")
    return notes
