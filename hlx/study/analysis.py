"""The research questions of the reference study, as its code asks them and as a careful reviewer would."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float64

from hlx.alignment.inference import FEWEST_STIMULI, Correlation, one_sample_t, spearman
from hlx.counts import whole_number
from hlx.errors import InputError
from hlx.score import NO_PHENOMENON
from hlx.study.corrections import corrected, family
from hlx.study.measuring import MeasuredModel, measure
from hlx.study.model_summary import model_entry
from hlx.study.over_models import accuracy_against_rc, over_models
from hlx.study.study import Study
from hlx.wording import counted, examples, stimuli_counted

FEW_STIMULI = 20
"""Below it a note asks for caution."""


@dataclass(frozen=True, eq=False)
class ModelAnalysis:
    """One model's numbers, all in the order of `Study.stimuli`.

    Attributes
    ----------
    rc : float64 (n,), rank correlation of the magnitude map and the human map; NaN where one is constant.
    emd : float64 (n,), earth mover's distance in grid cells; NaN where undefined.
    normalised_f : float64 (n,), f over its standard deviation on the benchmark; NaN where f is not known.
    null : float64 (shuffles,), the mean RC of every random pairing of model maps and human maps.
    """

    rc: Float64[np.ndarray, " n"]
    emd: Float64[np.ndarray, " n"]
    normalised_f: Float64[np.ndarray, " n"]
    null: Float64[np.ndarray, " shuffles"]


@dataclass(frozen=True, eq=False)
class Analysis:
    """A study's results.

    Attributes
    ----------
    study : what was analysed.
    models : by name.
    summary : everything that is printed, as JSON's types (NaN is None); see `analyze`.
    """

    study: Study
    models: Mapping[str, ModelAnalysis] = field(repr=False)
    summary: dict[str, Any] = field(repr=False)

    def rows(self) -> list[dict[str, Any]]:
        """One record per stimulus and model, for tables; None where a number is undefined."""
        return [
            {
                "stimulus": stimulus,
                "phenomenon": self.study.phenomenon(stimulus),
                "model": model.name,
                "rc": defined(self.models[model.name].rc[place]),
                "emd": defined(self.models[model.name].emd[place]),
                "f": model.maps.f.get(stimulus),
                "normalised_f": defined(self.models[model.name].normalised_f[place]),
            }
            for place, stimulus in enumerate(self.study.stimuli)
            for model in self.study.models
        ]


def analyze(
    study: Study,
    *,
    magnitude: str = "absolute",
    shuffles: int = 10_000,
    seed: int = 0,
    alpha: float = 0.05,
    threads: int | None = None,
) -> Analysis:
    """Ask a study the reference study's questions.

    Parameters
    ----------
    magnitude : of phi, "absolute" (as in the study), "positive" or "signed".
    shuffles, seed : of the permutation tests; the seed is the bootstraps' too.
    alpha : of all tests together.
    threads : at most so many; no result depends on it.

    Returns
    -------
    with the summary's keys

    study, simulated, grid, n_stimuli, magnitude, shuffles, seed, alpha : what was analysed, and how.
    n_tests, alpha_corrected : tests made of the study's family (`family`), and alpha over their number.
    models : by name, see `model_entry`.
    anova, rm_anova, friedman, mixed_model, pairwise : see `over_models`.
    accuracy_vs_rc : correlations over models of mean RC and pooled or macro accuracy; of no test's family.
    corrections : by test, see `corrected`.
    unavailable : why a key above is null.
    notes : the study's, and those on undefined numbers.

    Raises
    ------
    InputError : an option out of range; a model with fewer than 3 stimuli whose RC is defined.
    """
    if not 0 < alpha < 0.5:
        raise InputError(f"alpha: expected a number between 0 and 0.5, found {alpha}")
    whole_number(shuffles, "shuffles", 1)
    whole_number(seed, "seed", 0)
    measured = {
        model.name: measure(study, model, magnitude, shuffles, seed, threads) for model in study.models
    }
    tests = {name: one_sample_t(one.rc) for name, one in measured.items()}
    correlations = {name: _with_f(one, seed) for name, one in measured.items()}
    rc = np.stack([one.rc for one in measured.values()], axis=1)
    between, missing = over_models(rc, list(measured), _phenomena(study), alpha, seed)
    anova = between["anova"]
    p_values = family(measured, tests, correlations, None if anova is None else anova["p"])
    alpha_corrected = alpha / max(1, len(p_values))
    entries = {
        name: model_entry(one, tests[name], correlations[name], alpha, alpha_corrected, seed)
        for name, one in measured.items()
    }
    against, too_few = accuracy_against_rc(entries, seed)
    summary = {
        "study": study.name,
        "simulated": study.humans.simulated,
        "grid": str(study.grid),
        "n_stimuli": len(study.stimuli),
        "magnitude": magnitude,
        "shuffles": shuffles,
        "seed": seed,
        "alpha": alpha,
        "n_tests": len(p_values),
        "alpha_corrected": alpha_corrected,
        "models": entries,
        **between,
        "accuracy_vs_rc": against,
        "corrections": corrected(p_values, alpha),
        "unavailable": {**missing, **too_few},
        "notes": [*study.notes, *_notes(study, measured), *_limits(study, shuffles, alpha_corrected)],
    }
    models = {
        name: ModelAnalysis(one.rc, one.emd, one.normalised_f, one.pairing.null)
        for name, one in measured.items()
    }
    return Analysis(study, models, json_types(summary))


def defined(number: float) -> float | None:
    """A number as JSON has it: null where it is NaN or infinite."""
    return float(number) if math.isfinite(number) else None


def json_types(value: Any) -> Any:
    """Nested values with JSON's types alone."""
    if isinstance(value, Mapping):
        return {str(key): json_types(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [json_types(one) for one in value]
    return defined(value) if isinstance(value, float) else value


def _with_f(measured: MeasuredModel, seed: int) -> Correlation | None:
    """RQ2.1, over stimuli with both numbers; None for fewer than 3. Normalising f would move no rank."""
    both = ~np.isnan(measured.rc) & ~np.isnan(measured.f)
    return spearman(measured.rc, measured.f, seed=seed) if both.sum() >= FEWEST_STIMULI else None


def _phenomena(study: Study) -> Sequence[str] | None:
    found = [study.phenomenon(stimulus) for stimulus in study.stimuli]
    return [name or NO_PHENOMENON for name in found] if any(found) else None


def _limits(study: Study, shuffles: int, alpha_corrected: float) -> list[str]:
    """What the numbers of shuffles and of stimuli keep the tests from showing."""
    notes = []
    if 1 / (shuffles + 1) >= alpha_corrected:
        needed = math.floor(1 / alpha_corrected + 1e-9)
        notes.append(
            f"a permutation test of {counted(shuffles, 'shuffle')} cannot fall below the corrected alpha of "
            f"{alpha_corrected:.2g}: at least {needed:,} are needed"
        )
    if len(study.stimuli) < FEW_STIMULI:
        notes.append(
            f"{stimuli_counted(len(study.stimuli))} are few: intervals are wide, and what is not significant "
            "is left open"
        )
    return notes


def _notes(study: Study, measured: Mapping[str, MeasuredModel]) -> list[str]:
    notes = []
    humans = next(iter(measured.values())).constant_human
    flat = [name for name, one in zip(study.stimuli, humans, strict=True) if one]
    if flat:
        notes.append(
            f"RC is undefined for {stimuli_counted(len(flat))} ({examples(flat)}) whose human map is "
            "constant; left out of all models' tests"
        )
    for name, one in measured.items():
        constant = [stimulus for stimulus, is_so in zip(study.stimuli, one.constant, strict=True) if is_so]
        if constant:
            notes.append(
                f"{name}: RC is undefined for {stimuli_counted(len(constant))} ({examples(constant)}) whose "
                "map of the model is constant; left out of its tests"
            )
        with_rc, with_emd = (int(np.count_nonzero(~np.isnan(values))) for values in (one.rc, one.emd))
        if with_emd == 0:
            notes.append(f"{name}: EMD is undefined, it compares maps without negative values")
        elif with_emd != with_rc:
            notes.append(
                f"{name}: mean EMD is of {stimuli_counted(with_emd)}, mean RC of {with_rc:,}; constant maps "
                "have an EMD unless they are zero"
            )
        if one.model.benchmark is not None and one.model.benchmark.deviation == 0:
            notes.append(f"{name}: all scores of the benchmark are equal, so f cannot be normalised by them")
    return notes
