"""The research questions of the reference study, as its code asks them and as a careful reviewer would."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Float64

from hlx.alignment.analysis.analysis import (
    AccuracyCorrelations,
    Analysis,
    BenchmarkScores,
    CorrectedTest,
    Correction,
    DetectableEffects,
    ModelAnalysis,
    ModelDifference,
    OverModels,
    StimulusValues,
    Test,
)
from hlx.alignment.analysis.study import Benchmark, Study, StudyModel
from hlx.alignment.inference import (
    FEWEST_STIMULI,
    Correlation,
    Friedman,
    PairingTest,
    RepeatedMeasuresAnova,
    Unavailable,
    bca_interval,
    benjamini_hochberg,
    bonferroni,
    correlation_equivalence,
    correlation_over_models,
    detectable_d,
    detectable_rho,
    friedman,
    holm,
    mixed_model,
    one_sample_t,
    one_way_anova,
    paired_differences,
    paired_equivalence,
    pairing_test,
    rm_anova,
    spearman,
)
from hlx.alignment.maps import MEASURES, spearman_matrix
from hlx.alignment.maps import magnitude as magnitude_of
from hlx.attribution.score import NO_PHENOMENON
from hlx.errors import InputError
from hlx.io.checks import whole_number
from hlx.io.messages import examples, plural, plural_stimuli

POWER = 0.8
"""At which the smallest effects that can be found are given."""

FEW_STIMULI = 20
"""Below it a note asks for caution."""

UNKNOWN = Correlation("spearman", 0, 0, None, None, None, None, None, None)
"""Of RC and f, where these are of too few stimuli."""

SINGLE = Unavailable("a study of one model has no differences between models")
SAME = Unavailable("undefined, as the models do not differ on any stimulus")
ALIKE = Unavailable("undefined, as the models differ by the same on every stimulus")

T = TypeVar("T")


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
    study
        What `read_study` found.
    magnitude
        Of phi: "absolute" (as in the study), "positive" or "signed".
    shuffles, seed
        Of the permutation tests; the seed is the bootstraps' too.
    alpha
        Of all tests together.
    threads
        At most so many; no result depends on it.

    Returns
    -------
    Analysis
        `analysis.models["CLIP"].rc.mean` is the mean rank correlation of a model.

    Raises
    ------
    InputError
        An option out of range; a model with fewer than 3 stimuli whose RC is defined.
    """
    if not 0 < alpha < 0.5:
        raise InputError(f"alpha: expected a number between 0 and 0.5, found {alpha}")
    whole_number(shuffles, "shuffles", 1)
    whole_number(seed, "seed", 0)
    matrices = {model.name: _matrix(study, model, magnitude) for model in study.models}
    values = {model.name: _values(study, model, magnitude, matrices[model.name]) for model in study.models}
    tests = {name: one_sample_t(one.rc) for name, one in values.items()}
    pairings = {name: _pairing(matrix, shuffles, seed, threads) for name, matrix in matrices.items()}
    rhos = {name: _with_f(one, seed) for name, one in values.items()}
    scores = {model.name: _scores(model.benchmark) for model in study.models}
    rc = np.stack([one.rc for one in values.values()], axis=1)
    against = _accuracy_against_rc([test.mean for test in tests.values()], list(scores.values()), seed)
    over = over_models(rc, list(values), _phenomena(study), against, alpha, seed)
    p_values: dict[tuple[Test, str | None], float | None] = {}
    for name in values:
        p_values["t-test", name] = tests[name].p
        p_values["permutation test", name] = pairings[name].p_corrected
        p_values["correlation with f", name] = _two_sided(rhos[name])
    p_values["ANOVA over models", None] = None if isinstance(over.anova, Unavailable) else over.anova.p
    corrections = _corrected({key: p for key, p in p_values.items() if p is not None}, alpha)
    alpha_corrected = alpha / max(1, len(corrections))
    models = {}
    for name, own in values.items():
        known_emd, rho = own.emd[~np.isnan(own.emd)], rhos[name]
        models[name] = ModelAnalysis(
            by_stimulus=own,
            rc=tests[name],
            rc_interval=bca_interval(own.rc, seed=seed),
            permutation=pairings[name],
            emd_n=len(known_emd),
            emd_mean=float(known_emd.mean()) if len(known_emd) else None,
            rho=rho,
            equivalence=correlation_equivalence(rho.coefficient, rho.n, alpha=alpha) if rho.n else None,
            scores=scores[name],
            detectable=DetectableEffects(
                power=POWER,
                alpha=alpha_corrected,
                d=detectable_d(tests[name].n, alpha_corrected, POWER),
                rho=detectable_rho(rho.n, alpha_corrected, POWER) if rho.n else None,
            ),
        )
    notes = (*study.notes, *_undefined(study, matrices, models), *_limits(study, shuffles, alpha_corrected))
    return Analysis(
        study, magnitude, shuffles, seed, alpha, models, over, corrections, alpha_corrected, notes
    )


def _matrix(study: Study, model: StudyModel, magnitude: str) -> Float64[np.ndarray, "n n"]:
    """RC of the model's map of stimulus i (row) and the human map of stimulus j; NaN if one is constant."""
    matrix = spearman_matrix(magnitude_of(model.phi(study.stimuli), magnitude), study.human_values())
    defined = int(np.count_nonzero(~np.isnan(np.diag(matrix))))
    if defined < FEWEST_STIMULI:
        raise InputError(
            f"{model.maps.source or model.name}: RC is defined for {plural_stimuli(defined)} of "
            f"{len(matrix):,}, the others' maps or human maps are constant; at least {FEWEST_STIMULI} are "
            "needed"
        )
    return matrix


def _values(
    study: Study, model: StudyModel, magnitude: str, matrix: Float64[np.ndarray, "n n"]
) -> StimulusValues:
    f, emd = model.f(study.stimuli), MEASURES["EMD"]
    nothing = np.full(len(f), np.nan)
    # One signed map in many may happen to have no negative value.
    has_mass = magnitude != "signed" or not emd.needs_mass
    maps = magnitude_of(model.phi(study.stimuli), magnitude)
    deviation = model.benchmark.deviation if model.benchmark is not None else 0.0
    return StimulusValues(
        rc=np.diag(matrix).copy(),
        emd=emd.function(maps, study.human_values(), study.grid) if has_mass else nothing,
        f=f,
        normalised_f=f / deviation if deviation > 0 else nothing,
    )


def _pairing(
    matrix: Float64[np.ndarray, "n n"], shuffles: int, seed: int, threads: int | None
) -> PairingTest:
    """The permutation test of the stimuli with a defined RC."""
    defined = ~np.isnan(np.diag(matrix))
    return pairing_test(matrix[np.ix_(defined, defined)], shuffles=shuffles, seed=seed, threads=threads)


def _with_f(values: StimulusValues, seed: int) -> Correlation:
    both = ~np.isnan(values.rc) & ~np.isnan(values.f)
    return spearman(values.rc, values.f, seed=seed) if both.sum() >= FEWEST_STIMULI else UNKNOWN


def _two_sided(rho: Correlation) -> float | None:
    """The exact p where there is one, of up to 8 stimuli.

    Student's t, as the study has it, gives 0 for any perfect order.
    """
    return rho.p if rho.p_exact is None else rho.p_exact


def _scores(benchmark: Benchmark | None) -> BenchmarkScores:
    if benchmark is None:
        return BenchmarkScores(0, False, None, None, None, {})
    accuracies = benchmark.accuracies
    return BenchmarkScores(
        items=len(benchmark.f),
        own_stimuli=benchmark.own_stimuli,
        deviation=benchmark.deviation,
        accuracy_pooled=accuracies.pooled.share,
        accuracy_macro=accuracies.macro,
        accuracy={name: one.share for name, one in accuracies.phenomena.items()},
    )


def _phenomena(study: Study) -> Sequence[str] | None:
    found = [study.phenomenon(stimulus) for stimulus in study.stimuli]
    return [name or NO_PHENOMENON for name in found] if any(found) else None


def over_models(
    rc: Float64[np.ndarray, "n models"],
    names: Sequence[str],
    phenomena: Sequence[str] | None,
    against: AccuracyCorrelations | Unavailable,
    alpha: float,
    seed: int,
) -> OverModels:
    """RQ2.2 of models with these names; `phenomena` of the stimuli enter the mixed model."""
    if len(names) < 2:
        return OverModels(SINGLE, SINGLE, SINGLE, SINGLE, (), against)
    return OverModels(
        anova=_made(lambda: one_way_anova(list(rc.T)) or SINGLE),
        rm_anova=_made(lambda: _defined(rm_anova(rc), rc)),
        friedman=_made(lambda: _defined(friedman(rc), rc)),
        mixed_model=_made(lambda: mixed_model(rc, names, phenomena)),
        pairwise=_made(lambda: _pairwise(rc, names, alpha, seed)),
        accuracy_vs_rc=against,
    )


def _made(test: Callable[[], T]) -> T | Unavailable:
    """A test's result; why there is none, where models share too few stimuli with a defined RC."""
    try:
        return test()
    except InputError as error:
        return Unavailable(str(error))


Repeated = TypeVar("Repeated", RepeatedMeasuresAnova, Friedman)


def _defined(found: Repeated | None, rc: Float64[np.ndarray, "n models"]) -> Repeated | Unavailable:
    """A test whose statistic is a number; otherwise why it is none."""
    if found is not None and found.p is not None:
        return found
    complete = rc[~np.isnan(rc).any(axis=1)]
    return ALIKE if np.ptp(complete, axis=1).any() else SAME


def _pairwise(
    rc: Float64[np.ndarray, "n models"], names: Sequence[str], alpha: float, seed: int
) -> tuple[ModelDifference, ...]:
    columns = dict(zip(names, rc.T, strict=True))
    return tuple(
        ModelDifference(
            one,
            bca_interval(columns[one.first] - columns[one.second], seed=seed),
            paired_equivalence(columns[one.first], columns[one.second], alpha=alpha),
        )
        for one in paired_differences(rc, names)
    )


def _accuracy_against_rc(
    rc: Sequence[float], scores: Sequence[BenchmarkScores], seed: int
) -> AccuracyCorrelations | Unavailable:
    found = []
    for shares in ([one.accuracy_pooled for one in scores], [one.accuracy_macro for one in scores]):
        result = correlation_over_models(np.array(rc), np.array(shares, dtype=np.float64), seed=seed)
        if isinstance(result, Unavailable):
            return result
        found.append(result)
    return AccuracyCorrelations(*found)


def _corrected(p_values: Mapping[tuple[Test, str | None], float], alpha: float) -> tuple[CorrectedTest, ...]:
    """The study's family, 13 tests of four models, corrected for their number.

    All are two-sided but the permutation test, whose p is (b+1)/(n+1).
    """
    given = list(p_values.values())
    columns = [
        [Correction(p, p < alpha) for p in correct(given) if p is not None]
        for correct in (bonferroni, holm, benjamini_hochberg)
    ]
    return tuple(
        CorrectedTest(test, model, p, *corrections)
        for ((test, model), p), *corrections in zip(p_values.items(), *columns, strict=True)
    )


def _limits(study: Study, shuffles: int, alpha_corrected: float) -> Iterator[str]:
    """What the numbers of shuffles and of stimuli keep the tests from showing."""
    if 1 / (shuffles + 1) >= alpha_corrected:
        needed = math.floor(1 / alpha_corrected + 1e-9)
        yield (
            f"a permutation test of {plural(shuffles, 'shuffle')} cannot fall below the corrected alpha of "
            f"{alpha_corrected:.2g}: at least {needed:,} are needed"
        )
    if len(study.stimuli) < FEW_STIMULI:
        yield (
            f"{plural_stimuli(len(study.stimuli))} are few: intervals are wide, and what is not significant "
            "is left open"
        )


def _undefined(
    study: Study, matrices: Mapping[str, Float64[np.ndarray, "n n"]], models: Mapping[str, ModelAnalysis]
) -> Iterator[str]:
    """Which maps are constant, and what is not defined for them."""

    def named(which: Bool[np.ndarray, " n"]) -> str:
        names = [name for name, so in zip(study.stimuli, which.tolist(), strict=True) if so]
        return f"RC is undefined for {plural_stimuli(len(names))} ({examples(names)})" if names else ""

    # At least 3 maps of each kind vary, so only a constant one has no correlation with any.
    if said := named(np.isnan(next(iter(matrices.values()))).all(axis=0)):
        yield f"{said} whose human map is constant; left out of all models' tests"
    for model in study.models:
        own, name = models[model.name], model.name
        if said := named(np.isnan(matrices[name]).all(axis=1)):
            yield f"{name}: {said} whose map of the model is constant; left out of its tests"
        if own.emd_n == 0:
            yield f"{name}: EMD is undefined, it compares maps without negative values"
        elif own.emd_n != own.rc.n:
            yield (
                f"{name}: mean EMD is of {plural_stimuli(own.emd_n)}, mean RC of {own.rc.n:,}; constant "
                "maps have an EMD unless they are zero"
            )
        if own.scores.deviation == 0:
            yield f"{name}: all scores of the benchmark are equal, so f cannot be normalised by them"
