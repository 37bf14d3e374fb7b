"""What a study found in a few plain sentences made of its numbers: no more than the tests allow."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from hlx.alignment.compare import Comparison
from hlx.report.numbers import coefficient, compared_with, interval, listed
from hlx.report.tables import Summary, mean_of
from hlx.study import Analysis
from hlx.wording import counted, stimuli_counted

FEW = 4
"""Of so many models every number is named, of more the lowest and the highest."""

EMPTY = np.zeros(0)


def findings(analysis: Analysis, summary: Summary, comparisons: Mapping[str, Comparison]) -> list[str]:
    """Short paragraphs, in the order of the study's questions; the first says where people are simulated.

    "Significant" is said of what stays below alpha after Bonferroni's correction; what is not significant is
    never called absent.
    """
    names = [model.name for model in analysis.study.models]
    paragraphs = (
        _simulated(summary),
        [*_similarity(names, summary), *_chance(names, summary)],
        _beside(names, summary, comparisons),
        [*_scores(names, summary), *_models(names, summary)],
    )
    return [" ".join(sentences) for sentences in paragraphs if sentences]


def _simulated(summary: Summary) -> list[str]:
    if not summary.get("simulated"):
        return []
    said = "No people took part: the human maps are of simulated participants."
    return [f"SIMULATED. {said} Nothing below says anything about people."]


def _similarity(names: Sequence[str], summary: Summary) -> list[str]:
    known = [name for name in names if summary.value("models", name, "rc_mean") is not None]
    if not known:
        return []
    several = len(known) > FEW
    means = _each(known, "rc_mean", summary) if several else listed([_mean(name, summary) for name in known])
    verdict = _verdict(known, "t-test", "significantly different from zero", summary)
    tests = counted(int(summary.value("n_tests") or 0), "test")
    corrected = f": {verdict} after Bonferroni's correction for {tests}" if verdict else ""
    total = _analysed(known, summary)
    what = "the rank correlation of model maps and human maps"
    return [f"Over {total}, mean RC, {what}, is {means}{corrected}."]


def _analysed(names: Sequence[str], summary: Summary) -> str:
    """The stimuli that mean RC is over: of some of them RC may be undefined."""
    every = int(summary.value("n_stimuli") or 0)
    fewer = {name: int(summary.value("models", name, "n") or 0) for name in names}
    fewer = {name: n for name, n in fewer.items() if n < every}
    if not fewer:
        return stimuli_counted(every)
    least = f"{min(fewer.values()):,}"
    only = f" for {listed(list(fewer))}" if len(fewer) < len(names) else ""
    return f"{stimuli_counted(every)}, {'at least ' if len(fewer) > 1 else ''}{least} of them{only}"


def _mean(name: str, summary: Summary) -> str:
    mean = coefficient(summary.value("models", name, "rc_mean"))
    ends = summary.get("models", name, "rc_ci")
    return f"{mean} for {name}" + (f" (95% interval {interval(ends)})" if ends else "")


def _chance(names: Sequence[str], summary: Summary) -> list[str]:
    nulls = _each(names, "permutation_null_mean", summary)
    if not nulls:
        return []
    verdict = _verdict(names, "permutation test", "significantly higher", summary)
    true = f"; the true pairing is {verdict}" if verdict else ""
    return [f"In random pairings of model maps and human maps it is {nulls}{true}."]


def _beside(names: Sequence[str], summary: Summary, comparisons: Mapping[str, Comparison]) -> list[str]:
    known = [name for name in names if name in comparisons and "RC" in comparisons[name].measures]
    if not known:
        return []
    one, said = comparisons[known[0]], []
    baselines = {name: mean_of(values) for name, values in one.measures["RC"].baselines.items()}
    whats = {
        "centre bias": "a Gaussian in the centre of every image",
        "mean human map": "the mean human map of all other stimuli",
    }
    reached = [
        f"{what} reaches {coefficient(value)} ({_ranked(value, known, summary)})"
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


def _ranked(value: float, names: Sequence[str], summary: Summary) -> str:
    """Where a baseline stands among the models' means; no test was made of it, and none is claimed."""
    means = {name: mean for name in names if (mean := summary.value("models", name, "rc_mean")) is not None}
    below = [name for name, mean in means.items() if mean < value]
    above = [name for name in means if name not in below]
    if not below or not above:
        every = {1: "".join(means), 2: "both models"}.get(len(means), f"all {len(means)} models")
        return f"{'less' if above else 'more'} than {every}"
    if len(means) > FEW:
        return f"more than {len(below)} of {len(means)} models"
    return f"more than {listed(below)}, less than {listed(above)}"


def _scores(names: Sequence[str], summary: Summary) -> list[str]:
    rhos = _each(names, "rho", summary)
    if not rhos:
        return ["Whether RC goes with the models' scores of the stimuli is open: these are not known."]
    verdict = _verdict(names, "correlation with f", "significant", summary)
    found = f", {verdict} after correction" if verdict else ""
    said = [f"RC and the normalised score of a stimulus correlate with rho = {rhos}{found}."]
    unclear = [name for name in names if _is_significant(name, "correlation with f", summary) is False]
    if unclear:
        said.append(f"This is no evidence of no relation{_bounds(unclear, summary)}.")
    return said


def _bounds(names: Sequence[str], summary: Summary) -> str:
    """What the data show |rho| to be below, where they show anything; rounded up, not to claim more."""
    bounds = {
        name: math.ceil(100 * bound) / 100
        for name in names
        if (bound := summary.value("models", name, "rho_equivalence", "smallest_bound")) is not None
    }
    if not bounds:
        return ""
    if len(bounds) > FEW:
        below = " to ".join(coefficient(end, 2) for end in (min(bounds.values()), max(bounds.values())))
    else:
        below = listed([f"{coefficient(bound, 2)} for {name}" for name, bound in bounds.items()])
    return f": the data only show |rho| to be below {below}"


def _models(names: Sequence[str], summary: Summary) -> list[str]:
    if len(names) < 2:
        return []
    said = []
    p = summary.value("anova", "p")
    if p is not None:
        so = summary.get("corrections", "ANOVA over models", "significant", "bonferroni")
        paired = summary.value("rm_anova", "p_gg")
        beside = "" if paired is None else f"; with stimuli as repeated measures {compared_with(paired)}"
        said.append(
            f"Mean RC {'differs' if so else 'does not differ'} significantly between models after correction "
            f"(analysis of variance, uncorrected {compared_with(p)}{beside})."
        )
    found = summary.get("accuracy_vs_rc", "pooled", "spearman")
    if found is None:
        return [*said, "Two models are too few to relate it to their accuracy."] if len(names) == 2 else said
    p = found["p"] if found["p_exact"] is None else found["p_exact"]
    rho = f"rho = {coefficient(found['coefficient'])} ({compared_with(p)}, uncorrected)"
    return [*said, f"Over {len(names)} models, mean RC and pooled accuracy correlate with {rho}."]


def _is_significant(name: str, test: str, summary: Summary) -> bool | None:
    """Whether a test of a model stays below alpha after Bonferroni's correction; None where none was made."""
    found = summary.get("corrections", f"{name}: {test}", "significant", "bonferroni")
    return found if isinstance(found, bool) else None


def _verdict(names: Sequence[str], test: str, what: str, summary: Summary) -> str:
    """For which models a test is significant, "" where none was made."""
    made = {name: _is_significant(name, test, summary) for name in names}
    yes = [name for name, so in made.items() if so]
    no = [name for name, so in made.items() if so is False]
    total = len(yes) + len(no)
    if total == 0:
        return ""
    if total == 1:
        return what if yes else f"not {what}"
    if not no:
        return f"{what} for {'both' if total == 2 else f'all {total}'} models"
    if not yes:
        return f"{what} for {'neither model' if total == 2 else f'none of the {total} models'}"
    return f"{what} for {listed(yes)}, not for {listed(no)}"


def _each(names: Sequence[str], key: str, summary: Summary) -> str:
    """A number of every model that has it, "" where none has."""
    known = {name: summary.value("models", name, key) for name in names}
    return _numbers({name: value for name, value in known.items() if value is not None})


def _numbers(values: Mapping[str, float]) -> str:
    """Coefficients with the models that they are of."""
    if len(values) <= FEW:
        return listed([f"{coefficient(value)} for {name}" for name, value in values.items()])
    low, high = min(values, key=values.__getitem__), max(values, key=values.__getitem__)
    return f"from {coefficient(values[low])} for {low} to {coefficient(values[high])} for {high}"
