"""What a study's analysis found: dataclasses that hold the statistics' own results, and their JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64

from hlx.alignment.analysis.study import Study
from hlx.alignment.inference import (
    Correlation,
    CorrelationOverModels,
    Equivalence,
    Friedman,
    Interval,
    MixedModel,
    OneSampleTest,
    OneWayAnova,
    PairedDifference,
    PairingTest,
    RepeatedMeasuresAnova,
    Unavailable,
)

Test = Literal["t-test", "permutation test", "correlation with f", "ANOVA over models"]
"""Of the reference study's family: three of each model, and one over models."""


@dataclass(frozen=True, eq=False)
class StimulusValues:
    """A model's numbers by stimulus, in the order of `Study.stimuli`.

    Attributes
    ----------
    rc
        (n,) Rank correlation of the magnitude map and the human map, to 12 digits; NaN where one is constant.
    emd
        (n,) Earth mover's distance in grid cells; NaN where the map is no distribution.
    f, normalised_f
        (n,) score(caption) - score(foil), and that over its standard deviation on the benchmark; NaN where
        not known.
    """

    rc: Float64[np.ndarray, " n"]
    emd: Float64[np.ndarray, " n"]
    f: Float64[np.ndarray, " n"]
    normalised_f: Float64[np.ndarray, " n"]


@dataclass(frozen=True)
class BenchmarkScores:
    """A model on its benchmark, in whose place stand the study's own stimuli if there is none.

    Attributes
    ----------
    items
        How many were scored; 0, and nothing else defined, where no scores are known.
    own_stimuli
        Whether the study's own stimuli stand in for a benchmark.
    deviation
        Of f, with ddof 0; what `StimulusValues.normalised_f` is over.
    accuracy_pooled, accuracy_macro, accuracy
        Over items, mean of phenomena, of each phenomenon; fractions.
    """

    items: int
    own_stimuli: bool
    deviation: float | None
    accuracy_pooled: float | None
    accuracy_macro: float | None
    accuracy: Mapping[str, float | None]


@dataclass(frozen=True)
class DetectableEffects:
    """The smallest d of RC and rho of RC and f that two-sided tests at this alpha find with this power."""

    power: float
    alpha: float
    d: float | None
    rho: float | None


@dataclass(frozen=True, eq=False)
class ModelAnalysis:
    """One model's results.

    Attributes
    ----------
    by_stimulus
        What the results are of.
    rc
        RQ1: the t-test of RC against 0, with mean, effect sizes and the test of signed ranks.
    rc_interval
        95% BCa interval of the mean RC.
    permutation
        RQ1: the mean RC beside that of random pairings of model maps and human maps.
    emd_n, emd_mean
        Stimuli that have an earth mover's distance, and its mean in grid cells.
    rho
        RQ2.1: Spearman's correlation of RC and f over stimuli with both; of 0 for fewer than 3 of them.
        Normalising f would move no rank.
    equivalence
        Two one-sided tests of rho against a small correlation.
    scores
        On the benchmark.
    detectable
        What this study's tests could have found.
    """

    by_stimulus: StimulusValues = field(repr=False)
    rc: OneSampleTest
    rc_interval: Interval | None
    permutation: PairingTest
    emd_n: int
    emd_mean: float | None
    rho: Correlation
    equivalence: Equivalence | None
    scores: BenchmarkScores
    detectable: DetectableEffects


@dataclass(frozen=True)
class ModelDifference:
    """Two models compared on the stimuli that have an RC of both.

    Attributes
    ----------
    difference
        Of RC, first less second, with its paired tests.
    interval
        95% BCa interval of the mean difference.
    equivalence
        Two one-sided tests of the mean difference against a small effect.
    """

    difference: PairedDifference
    interval: Interval | None
    equivalence: Equivalence | None


@dataclass(frozen=True)
class AccuracyCorrelations:
    """Correlations over models of mean RC and accuracy, over items and as the mean of phenomena."""

    pooled: CorrelationOverModels
    macro: CorrelationOverModels


@dataclass(frozen=True)
class OverModels:
    """RQ2.2: do models differ in RC, and does it go with their accuracy?

    Attributes
    ----------
    anova
        One-way, of stimuli as independent groups, as in the study; with Kruskal and Wallis's test.
    rm_anova, friedman
        Of the same stimuli met by all models; over stimuli with every RC.
    mixed_model
        RC ~ model + phenomenon + (1 | stimulus), or without phenomenon where none is known.
    pairwise
        Every two models; empty for a single model.
    accuracy_vs_rc
        Of no test's family.
    """

    anova: OneWayAnova | Unavailable
    rm_anova: RepeatedMeasuresAnova | Unavailable
    friedman: Friedman | Unavailable
    mixed_model: MixedModel | Unavailable
    pairwise: tuple[ModelDifference, ...] | Unavailable
    accuracy_vs_rc: AccuracyCorrelations | Unavailable

    @property
    def unavailable(self) -> dict[str, str]:
        """Why a result is not there, by its name."""
        return {name: found.reason for name, found in vars(self).items() if isinstance(found, Unavailable)}


@dataclass(frozen=True)
class Correction:
    """A p-value corrected for the number of tests, and whether it is below alpha."""

    p: float
    significant: bool


@dataclass(frozen=True)
class CorrectedTest:
    """A test of the reference study's family, corrected in three ways; `model` is None over models."""

    test: Test
    model: str | None
    p: float
    bonferroni: Correction
    holm: Correction
    benjamini_hochberg: Correction

    @property
    def name(self) -> str:
        """Whose test it is, and which."""
        return self.test if self.model is None else f"{self.model}: {self.test}"


@dataclass(frozen=True, eq=False)
class Analysis:
    """A study's results.

    Attributes
    ----------
    study
        What was analysed.
    magnitude, shuffles, seed, alpha
        How; see `analyze`.
    models
        By name.
    over_models
        Differences between models, and their accuracy.
    corrections
        The tests of the study's family that could be made.
    alpha_corrected
        alpha over their number.
    notes
        The study's, and those on undefined numbers.
    """

    study: Study = field(repr=False)
    magnitude: str
    shuffles: int
    seed: int
    alpha: float
    models: Mapping[str, ModelAnalysis]
    over_models: OverModels
    corrections: tuple[CorrectedTest, ...]
    alpha_corrected: float
    notes: tuple[str, ...]

    def corrected(self, test: Test, model: str | None = None) -> CorrectedTest | None:
        """A test of the family; None where it could not be made."""
        return next((one for one in self.corrections if (one.test, one.model) == (test, model)), None)

    def rows(self) -> list[dict[str, Any]]:
        """One record per stimulus and model, for tables; None where a number is undefined."""
        return [
            {
                "stimulus": stimulus,
                "phenomenon": self.study.phenomenon(stimulus),
                "model": name,
                **{key: json_types(float(each[place])) for key, each in vars(model.by_stimulus).items()},
            }
            for place, stimulus in enumerate(self.study.stimuli)
            for name, model in self.models.items()
        ]

    def to_json(self) -> dict[str, Any]:
        """Everything that is printed, as JSON's types, under the attributes' names.

        What is undefined is null; why a result over models is, stands under "unavailable". The tests of the
        family are by their names.
        """
        found = json_types(self)
        return {
            "study": self.study.name,
            "simulated": self.study.humans.simulated,
            "grid": str(self.study.grid),
            "n_stimuli": len(self.study.stimuli),
            **found,
            "n_tests": len(self.corrections),
            "corrections": {one.name: json_types(one) for one in self.corrections},
            "unavailable": self.over_models.unavailable,
        }


def json_types(value: Any) -> Any:
    """Nested dataclasses and collections as JSON's types; arrays and fields without repr are left out."""
    if isinstance(value, Unavailable):
        return None
    if is_dataclass(value):
        value = {
            one.name: found
            for one in fields(value)
            if one.repr and not isinstance(found := getattr(value, one.name), np.ndarray)
        }
    if isinstance(value, Mapping):
        return {str(key): json_types(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [json_types(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
