"""What is measured of each model in a study: similarities to human maps, and the null of random pairings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from hlx.alignment.inference import FEWEST_STIMULI, PairingTest, pairing_test
from hlx.alignment.maps import MEASURES, magnitude, spearman_matrix
from hlx.errors import InputError
from hlx.study.study import Study, StudyModel
from hlx.wording import stimuli_counted


@dataclass(frozen=True, eq=False)
class MeasuredModel:
    """A model's maps beside the human maps, all in the order of `Study.stimuli`.

    Attributes
    ----------
    model : the model.
    rc : float64 (n,), rank correlation with the human map, to 12 digits; NaN where one is constant.
    emd : float64 (n,), earth mover's distance in grid cells; NaN where the map is no distribution.
    f : float64 (n,), score(caption) - score(foil); NaN where not known.
    normalised_f : float64 (n,), f over its standard deviation on the benchmark.
    pairing : the permutation test of the stimuli with a defined RC.
    constant, constant_human : bool (n,), stimuli whose map of the model, or human map, is constant: those
        without an RC.
    """

    model: StudyModel
    rc: Float64[np.ndarray, " n"]
    emd: Float64[np.ndarray, " n"]
    f: Float64[np.ndarray, " n"]
    normalised_f: Float64[np.ndarray, " n"]
    pairing: PairingTest
    constant: Bool[np.ndarray, " n"]
    constant_human: Bool[np.ndarray, " n"]


def human_values(study: Study) -> Float64[np.ndarray, "n k"]:
    """The human maps of a study's stimuli."""
    return np.array([study.humans.maps[stimulus].values for stimulus in study.stimuli], dtype=np.float64)


def measure(
    study: Study, model: StudyModel, kind: str, shuffles: int, seed: int, threads: int | None
) -> MeasuredModel:
    """One model's maps, of magnitude `kind`, beside the human maps; shuffles as `pairing_test` takes them.

    Raises
    ------
    InputError : an unknown magnitude; fewer than 3 stimuli with a defined RC.
    """
    humans = human_values(study)
    maps = magnitude(model.phi(study.stimuli), kind)
    matrix = spearman_matrix(maps, humans)
    rc = np.diag(matrix).copy()
    defined = ~np.isnan(rc)
    if defined.sum() < FEWEST_STIMULI:
        raise InputError(
            f"{model.maps.source or model.name}: RC is defined for {stimuli_counted(int(defined.sum()))} of "
            f"{len(rc):,}, the others' maps or human maps are constant; at least {FEWEST_STIMULI} are needed"
        )
    undefined = np.isnan(matrix)
    emd = MEASURES["EMD"]
    # One signed map in many may happen to have no negative value.
    has_mass = kind != "signed" or not emd.needs_mass
    f = model.f(study.stimuli)
    deviation = model.benchmark.deviation if model.benchmark is not None else 0.0
    return MeasuredModel(
        model=model,
        rc=rc,
        emd=emd.function(maps, humans, study.grid) if has_mass else np.full(len(f), np.nan),
        f=f,
        normalised_f=f / deviation if deviation > 0 else np.full(len(f), np.nan),
        pairing=pairing_test(matrix[np.ix_(defined, defined)], shuffles=shuffles, seed=seed, threads=threads),
        # At least 3 maps of each kind vary, so only a constant one has no correlation with any.
        constant=undefined.all(axis=1),
        constant_human=undefined.all(axis=0),
    )
