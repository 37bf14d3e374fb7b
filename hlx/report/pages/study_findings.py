"""What a study found in a few plain sentences made of its numbers: no more than the tests allow."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from hlx.alignment.analysis import Analysis, ModelAnalysis
from hlx.alignment.analysis.analysis import Test
from hlx.alignment.compare import Comparison
from hlx.alignment.inference import Unavailable
from hlx.io.messages import plural, plural_stimuli
from hlx.report.kit.numbers import coefficient, compared_with, interval, listed
from hlx.report.pages.study_similarity import mean_of

FEW = 4
"""Of so many models every number is named, of more the lowest and the highest."""

EMPTY = np.zeros(0)


def findings(analysis: Analysis, comparisons: Mapping[str, Comparison]) -> list[str]:
    """Short paragraphs, in the order of the study's questions; the first says where people are simulated.

    "Significant" is said of what stays below alpha after Bonferroni's correction; what is not significant is
    never called absent.
    """
    paragraphs = (
        _simulated(analysis),
        [*_similarity(analysis), *_chance(analysis)],
        _baselines(analysis, comparisons),
        [*_scores(analysis), *_models(analysis)],
    )
    return [" ".join(sentences) for sentences in paragraphs if sentences]


def _simulated(analysis: Analysis) -> list[str]:
    if not analysis.study.humans.simulated:
        return []
    said = "No people took part: the human maps are of simulated participants."
    return [f"SIMULATED. {said} Nothing below says anything about people."]


def _similarity(analysis: Analysis) -> list[str]:
    if len(analysis.models) > FEW:
        means = _each(analysis, lambda one: one.rc.mean)
    else:
        means = listed([_mean(name, one) for name, one in analysis.models.items()])
    verdict = _verdict(analysis, "t-test", "significantly different from zero")
    tests = plural(len(analysis.corrections), "test")
    corrected = f": {verdict} after Bonferroni's correction for {tests}" if verdict else ""
    what = "the rank correlation of model maps and human maps"
    return [f"Over {_analysed(analysis)}, mean RC, {what}, is {means}{corrected}."]


def _analysed(analysis: Analysis) -> str:
    """The stimuli that mean RC is over: of some of them RC may be undefined."""
    every = len(analysis.study.stimuli)
    fewer = {name: one.rc.n for name, one in analysis.models.items() if one.rc.n < every}
    if not fewer:
        return plural_stimuli(every)
    least = f"{min(fewer.values()):,}"
    only = f" for {listed(list(fewer))}" if len(fewer) < len(analysis.models) else ""
    return f"{plural_stimuli(every)}, {'at least ' if len(fewer) > 1 else ''}{least} of them{only}"


def _mean(name: str, one: ModelAnalysis) -> str:
    ends = "" if one.rc_interval is None else f" (95% interval {interval(one.rc_interval)})"
    return f"{coefficient(one.rc.mean)} for {name}{ends}"


def _chance(analysis: Analysis) -> list[str]:
    nulls = _each(analysis, lambda one: one.permutation.null_mean)
    verdict = _verdict(analysis, "permutation test", "significantly higher")
    true = f"; the true pairing is {verdict}" if verdict else ""
    return [f"In random pairings of model maps and human maps it is {nulls}{true}."]


def _baselines(analysis: Analysis, comparisons: Mapping[str, Comparison]) -> list[str]:
    known = [name for name in analysis.models if name in comparisons and "RC" in comparisons[name].measures]
    if not known:
        return []
    one, said = comparisons[known[0]], []
    baselines = {name: mean_of(values) for name, values in one.measures["RC"].baselines.items()}
    whats = {
        "centre bias": "a Gaussian in the centre of every image",
        "mean human map": "the mean human map of all other stimuli",
    }
    means = {name: analysis.models[name].rc.mean for name in known}
    reached = [
        f"{what} reaches {coefficient(value)} ({_ranked(value, means)})"
        for key, what in whats.items()
        if (value := baselines.get(key)) is not None
    ]
    if reached:
        said.append(f"Without a look at the image, {listed(reached)}.")
    partial = {name: mean_of(comparisons[name].partial_rc.get("mean human map", EMPTY)) for name in known}
    left = {name: mean for name, mean in partial.items() if mean is not None}
    if left:
        said.append(f"With that mean human map held constant, mean partial RC is {_numbers(left)}.")
    ceiling = mean_of(one.ceilings.get("leave-one-out RC", EMPTY))
    if ceiling is not None:
        who = "A simulated participant" if one.simulated else "A single participant"
        said.append(f"{who} reaches {coefficient(ceiling)} with the others of the same stimulus.")
    return said


def _ranked(value: float, means: Mapping[str, float]) -> str:
    """Where a baseline stands among the models' means; no test was made of it, and none is claimed."""
    below = [name for name, mean in means.items() if mean < value]
    above = [name for name in means if name not in below]
    if not below or not above:
        every = {1: "".join(means), 2: "both models"}.get(len(means), f"all {len(means)} models")
        return f"{'less' if above else 'more'} than {every}"
    if len(means) > FEW:
        return f"more than {len(below)} of {len(means)} models"
    return f"more than {listed(below)}, less than {listed(above)}"


def _scores(analysis: Analysis) -> list[str]:
    rhos = _each(analysis, lambda one: one.rho.coefficient)
    if not rhos:
        return ["Whether RC goes with the models' scores of the stimuli is open: these are not known."]
    verdict = _verdict(analysis, "correlation with f", "significant")
    found = f", {verdict} after correction" if verdict else ""
    said = [f"RC and the normalised score of a stimulus correlate with rho = {rhos}{found}."]
    unclear = [name for name, so in _significant(analysis, "correlation with f").items() if not so]
    if unclear:
        said.append(f"This is no evidence of no relation{_bounds(analysis, unclear)}.")
    return said


def _bounds(analysis: Analysis, names: Sequence[str]) -> str:
    """What the data show |rho| to be below, where they show anything; rounded up, not to claim more."""
    bounds = {
        name: math.ceil(100 * test.smallest_bound) / 100
        for name in names
        if (test := analysis.models[name].equivalence) is not None
    }
    if not bounds:
        return ""
    if len(bounds) > FEW:
        below = " to ".join(coefficient(end, 2) for end in (min(bounds.values()), max(bounds.values())))
    else:
        below = listed([f"{coefficient(bound, 2)} for {name}" for name, bound in bounds.items()])
    return f": the data only show |rho| to be below {below}"


def _models(analysis: Analysis) -> list[str]:
    over, names = analysis.over_models, list(analysis.models)
    if len(names) < 2:
        return []
    said = []
    test = analysis.corrected("ANOVA over models")
    if test is not None:
        so, repeated = test.bonferroni.significant, over.rm_anova
        paired = None if isinstance(repeated, Unavailable) else repeated.p_gg
        beside = "" if paired is None else f"; with stimuli as repeated measures {compared_with(paired)}"
        said.append(
            f"Mean RC {'differs' if so else 'does not differ'} significantly between models after correction "
            f"(analysis of variance, uncorrected {compared_with(test.p)}{beside})."
        )
    if isinstance(over.accuracy_vs_rc, Unavailable):
        return [*said, "Two models are too few to relate it to their accuracy."] if len(names) == 2 else said
    found = over.accuracy_vs_rc.pooled.spearman
    p = found.p if found.p_exact is None else found.p_exact
    rho = f"rho = {coefficient(found.coefficient)} ({compared_with(p)}, uncorrected)"
    return [*said, f"Over {len(names)} models, mean RC and pooled accuracy correlate with {rho}."]


def _significant(analysis: Analysis, test: Test) -> dict[str, bool]:
    """Whether a test of each model stays below alpha after Bonferroni's correction, where one was made."""
    made = {name: analysis.corrected(test, name) for name in analysis.models}
    return {name: one.bonferroni.significant for name, one in made.items() if one is not None}


def _verdict(analysis: Analysis, test: Test, what: str) -> str:
    """For which models a test is significant, "" where none was made."""
    made = _significant(analysis, test)
    yes = [name for name, so in made.items() if so]
    no = [name for name, so in made.items() if not so]
    total = len(made)
    if total == 0:
        return ""
    if total == 1:
        return what if yes else f"not {what}"
    if not no:
        return f"{what} for {'both' if total == 2 else f'all {total}'} models"
    if not yes:
        return f"{what} for {'neither model' if total == 2 else f'none of the {total} models'}"
    return f"{what} for {listed(yes)}, not for {listed(no)}"


def _each(analysis: Analysis, number: Callable[[ModelAnalysis], float | None]) -> str:
    """A number of every model that has it, "" where none has."""
    known = {name: number(one) for name, one in analysis.models.items()}
    return _numbers({name: value for name, value in known.items() if value is not None})


def _numbers(values: Mapping[str, float]) -> str:
    """Coefficients with the models that they are of."""
    if len(values) <= FEW:
        return listed([f"{coefficient(value)} for {name}" for name, value in values.items()])
    low, high = min(values, key=values.__getitem__), max(values, key=values.__getitem__)
    return f"from {coefficient(values[low])} for {low} to {coefficient(values[high])} for {high}"
