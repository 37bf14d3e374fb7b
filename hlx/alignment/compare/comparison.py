"""Model maps with the human maps of the same stimuli, of other stimuli, and with what knows no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from hlx.alignment.compare.people import People
from hlx.alignment.inference import FEWEST_STIMULI
from hlx.alignment.maps import MEASURES, Measure, centre_bias, find_measure, mean_of_others, partial_spearman
from hlx.alignment.maps import magnitude as magnitude_of
from hlx.alignment.model_maps import ModelMaps
from hlx.errors import InputError
from hlx.humans import HumanMaps
from hlx.io.checks import whole_number
from hlx.io.messages import examples, plural_stimuli

MOST_PAIRS, FEWEST_OFFSETS = 10_000, 9
"""Of up to 100 stimuli all mismatched pairs are compared, of more so many, but so many for each stimulus."""


@dataclass(frozen=True, eq=False)
class MeasureResult:
    """One measure of one model's maps against human maps.

    Attributes
    ----------
    measure
        What was measured.
    matched
        (n,), each model map with the human map of its own stimulus; NaN where undefined.
    shuffled
        (s, n), each model map with the human maps of s other stimuli; row d pairs stimulus i of a seeded
        order with its (d + 1)th successor, so that n - 1 rows are all mismatched pairs.
    baselines
        By name (n,), the measure of a baseline map in the model's place: "uniform", "centre bias", "mean
        human map" (of all other stimuli).
    """

    measure: Measure
    matched: Float64[np.ndarray, " n"]
    shuffled: Float64[np.ndarray, "s n"]
    baselines: Mapping[str, Float64[np.ndarray, " n"]]


@dataclass(frozen=True, eq=False)
class Comparison:
    """One model's maps against human maps.

    Attributes
    ----------
    model
        Its name.
    stimuli
        Ids, in the order of the human maps.
    magnitude
        "absolute", "positive" or "signed".
    measures
        By name ("RC", "EMD", "CC", ...).
    partial_rc
        (n,) by what is held constant: "mean human map", "centre bias".
    ceilings
        "leave-one-out RC" and so on for every measure, "split-half RC" and "split-half CC": (n,) by stimulus,
        NaN where a stimulus has too few raters; empty without raters' maps.
    notes
        Sentences on what was left out or undefined.
    simulated
        True where no people took part; every text and picture says so.
    """

    model: str
    stimuli: tuple[str, ...]
    magnitude: str
    measures: Mapping[str, MeasureResult]
    partial_rc: Mapping[str, Float64[np.ndarray, " n"]]
    ceilings: Mapping[str, Float64[np.ndarray, " n"]]
    notes: tuple[str, ...] = ()
    simulated: bool = False


def compare(
    maps: ModelMaps,
    humans: HumanMaps,
    *,
    magnitude: str = "absolute",
    measures: Sequence[str | Measure] | None = None,
    seed: int = 0,
    splits: int = 100,
) -> Comparison:
    """Compare a model's maps with the human maps of the stimuli that have both.

    Parameters
    ----------
    maps
        The model's.
    humans
        People's, on the same grid.
    magnitude
        What of phi is compared: "absolute", abs(phi); "positive"; or "signed".
    measures
        Measures, or their names as `hlx.alignment.maps.find_measure` takes them; by default all of hlx's that
        apply: those of distributions need a magnitude that is none of "signed", those of clicks need every
        stimulus's.
    seed
        Of the order in which stimuli are mismatched, and of the raters' halves.
    splits
        Of a stimulus's raters into halves, for the split-half ceilings.

    Raises
    ------
    InputError
        Different grids, fewer than 3 stimuli in common, an unknown magnitude or measure or one that does not
        apply, a seed or splits that are no such number.

    Examples
    --------
    >>> [maps] = hlx.read_model_maps("clip.h5")
    >>> found = hlx.compare(maps, hlx.read_human_maps("humans.h5"), measures=["RC", "EMD"])
    >>> found.measures["RC"].matched.mean()
    """
    seed, splits = whole_number(seed, "seed", 0), whole_number(splits, "splits", 1)
    stimuli, notes = _common(maps, humans)
    people = People.of(humans, stimuli)
    phi = np.stack([maps.values[name] for name in stimuli])
    of_model = magnitude_of(phi, magnitude)
    chosen = _chosen(measures, magnitude, people.clicks is not None)
    order = np.random.default_rng(seed).permutation(len(stimuli))
    others = mean_of_others(people.maps)
    return Comparison(
        model=maps.name,
        stimuli=stimuli,
        magnitude=magnitude,
        measures={measure.name: _result(measure, of_model, people, others, order) for measure in chosen},
        partial_rc={
            "mean human map": partial_spearman(of_model, people.maps, others),
            "centre bias": partial_spearman(of_model, people.maps, centre_bias(maps.grid)),
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
        measure=measure,
        matched=people.measured(measure, maps, places),
        shuffled=np.stack(shuffled),
        baselines={**same_for_all, "mean human map": people.measured(measure, others, places)},
    )


def _chosen(names: Sequence[str | Measure] | None, magnitude: str, clicks: bool) -> list[Measure]:
    """The measures asked for, or all that apply; InputError for one that is unknown or does not apply."""
    signed = magnitude == "signed"
    if not names:
        return [
            measure
            for measure in MEASURES.values()
            if not (measure.needs_mass and signed) and not (measure.needs_clicks and not clicks)
        ]
    chosen: dict[str, Measure] = {}
    for measure in map(find_measure, names):
        if measure.needs_mass and signed:
            raise InputError(
                f"measure {measure.name}: compares distributions, which signed values are not; take the "
                "magnitude absolute or positive"
            )
        if measure.needs_clicks and not clicks:
            raise InputError(
                f"measure {measure.name}: needs clicks, and the human maps came without; build them from "
                "responses"
            )
        if chosen.setdefault(measure.name, measure) != measure:
            raise InputError(f"measure {measure.name}: two measures have this name; rename yours")
    return list(chosen.values())


def _common(maps: ModelMaps, humans: HumanMaps) -> tuple[tuple[str, ...], list[str]]:
    """Stimuli that both sides have, in the order of the human maps, and notes on the others."""
    source = maps.source or maps.name
    if maps.grid != humans.grid:
        raise InputError(
            f"{source}: the maps of {maps.name} are on a {maps.grid} grid, the human maps on {humans.grid}; "
            f"build human maps on {maps.grid}, or explain on {humans.grid}"
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
        notes.append(f"{plural_stimuli(len(alone))} without a human map{why}: {examples(alone)}")
    if unmapped:
        unshared = plural_stimuli(len(unmapped))
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
            notes.append(f"{what} {plural_stimuli(len(names))}, {therefore} (NaN): {examples(names)}")
    return notes
