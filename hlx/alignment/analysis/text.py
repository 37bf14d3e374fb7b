"""An analysis as text for a terminal: the study's questions in its order, a reviewer's, and the notes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from hlx.alignment.analysis.analysis import (
    Analysis,
    CorrectedTest,
    Correction,
    ModelAnalysis,
    ModelDifference,
)
from hlx.alignment.analysis.formats import (
    block,
    bounded,
    interval,
    number,
    p_is,
    percent,
    probability,
    share_of_shuffles,
    wrapped,
)
from hlx.alignment.inference import Correlation, Equivalence, Unavailable
from hlx.io.messages import plural, plural_stimuli

KINDS = {"absolute": "|phi|", "positive": "the positive part of phi", "signed": "phi"}
SIGNIFICANT = "*"
REPEATED = {"rm_anova": "repeated-measures ANOVA", "friedman": "Friedman", "mixed_model": "mixed model"}
"""Tests that know the same stimuli again, by the attributes of `OverModels`."""

Columns = Mapping[str, Callable[[ModelAnalysis], str]]
"""By its name, what a column says of a model."""


def analysis_text(analysis: Analysis) -> str:
    """All tables and sentences of an analysis, no line longer than its tables."""
    blocks = [
        _head(analysis),
        _similarity(analysis),
        _of_models(
            analysis,
            "RQ2.1  Does RC go with the normalised score f of the stimuli? (Spearman)",
            {
                "n": lambda one: number(one.rho.n, 0),
                "rho": lambda one: bounded(one.rho.coefficient),
                "p": lambda one: probability(one.rho.p),
                "score sd": lambda one: number(one.scores.deviation, 4),
                "of items": lambda one: number(one.scores.items, 0),
            },
        ),
        _accuracies(analysis),
        _corrections(analysis),
        "Beside the study's own tests",
        _reviewed_similarity(analysis),
        _reviewed_scores(analysis),
        "\n".join(["RQ2.2  the same stimuli met by all models", *_repeated(analysis)]),
    ]
    pairs = analysis.over_models.pairwise
    if pairs and not isinstance(pairs, Unavailable):
        blocks.append(_pairs(pairs))
    if analysis.notes:
        blocks.append("\n".join(["Notes", *(wrapped(f"- {note}", "  ") for note in analysis.notes)]))
    return "\n\n".join(blocks)


def _of_models(analysis: Analysis, title: str, columns: Columns) -> str:
    rows = [[name, *(cell(one) for cell in columns.values())] for name, one in analysis.models.items()]
    return block(title, [["model", *columns], *rows])


def _head(analysis: Analysis) -> str:
    study, names = analysis.study, ", ".join(analysis.models)
    what = wrapped(
        f"{study.name}: {plural_stimuli(len(study.stimuli))} on a {study.grid} grid, "
        f"{plural(len(analysis.models), 'model')}: {names}; {KINDS[analysis.magnitude]} against human maps",
        "  ",
    )
    if study.humans.simulated:
        what += "\nSIMULATED PARTICIPANTS: these human maps are of simulated participants, nobody took part."
    return what


def _similarity(analysis: Analysis) -> str:
    return _of_models(
        analysis,
        "RQ1    Do models look where people look? RC: rank correlation with the human map",
        {
            "n": lambda one: number(one.rc.n, 0),
            "mean RC": lambda one: bounded(one.rc.mean),
            "SEM": lambda one: bounded(one.rc.sem),
            "t": lambda one: number(one.rc.t),
            "p": lambda one: probability(one.rc.p),
            "shuffled RC": lambda one: bounded(one.permutation.null_mean),
            "permutation p (b/n)": lambda one: share_of_shuffles(
                one.permutation.exceeding, one.permutation.shuffles
            ),
            "EMD": lambda one: number(one.emd_mean, 4),
        },
    )


def _accuracies(analysis: Analysis) -> str:
    scores = {name: one.scores for name, one in analysis.models.items()}
    phenomena = list(dict.fromkeys(name for one in scores.values() for name in one.accuracy))
    cells = [["model", "mean RC", "accuracy", "macro", *phenomena]]
    for name, one in scores.items():
        shares = [one.accuracy_pooled, one.accuracy_macro, *map(one.accuracy.get, phenomena)]
        cells.append([name, bounded(analysis.models[name].rc.mean), *map(percent, shares)])
    anova = analysis.over_models.anova
    said = (
        anova.reason
        if isinstance(anova, Unavailable)
        else f"F({anova.df_between}, {anova.df_within}) = {number(anova.F)}, {p_is(anova.p)}"
    )
    return "\n".join(
        [
            block("RQ2.2  Do models differ in RC, and does it go with their accuracy?", cells),
            f"  ANOVA, stimuli as independent groups: {said}",
            *_against(analysis),
        ]
    )


def _against(analysis: Analysis) -> Iterator[str]:
    found = analysis.over_models.accuracy_vs_rc
    if isinstance(found, Unavailable):
        yield wrapped(f"  mean RC against accuracy: {found.reason}", "    ")
        return
    for kind, one in (("pooled", found.pooled), ("macro", found.macro)):
        yield wrapped(
            f"  mean RC against {kind} accuracy over {one.spearman.n} models: "
            f"rho = {_with_p(one.spearman)}; r = {_with_p(one.pearson)}",
            "    ",
        )


def _with_p(found: Correlation) -> str:
    p = p_is(found.p) if found.p_exact is None else f"exact {p_is(found.p_exact)}"
    return f"{bounded(found.coefficient)}, {p}"


def _corrections(analysis: Analysis) -> str:
    def cells(one: CorrectedTest) -> Iterator[str]:
        yield one.name
        yield probability(one.p)
        yield from (mark(each).rjust(9) for each in (one.bonferroni, one.holm, one.benjamini_hochberg))

    def mark(one: Correction) -> str:
        return f"{probability(one.p)} {SIGNIFICANT if one.significant else ' '}"

    tests, below = len(analysis.corrections), bounded(analysis.alpha, 2)
    title = (
        f"{plural(tests, 'test')}, Bonferroni's alpha {below} / {tests} = "
        f"{bounded(analysis.alpha_corrected)}; corrected p-values, {SIGNIFICANT} below {below}"
    )
    head = ["test", "p", "Bonferroni", "Holm", "Benjamini-Hochberg"]
    exact = ", of correlations of few stimuli exact" if _is_exact(analysis) else ""
    table = block(title, [head, *(list(cells(one)) for one in analysis.corrections)])
    return f"{table}\n  p of permutation tests is (b+1)/(n+1){exact}"


def _is_exact(analysis: Analysis) -> bool:
    """Whether there are exact p of correlations, as of few stimuli."""
    return any(one.rho.p_exact is not None for one in analysis.models.values())


def _reviewed_similarity(analysis: Analysis) -> str:
    return _of_models(
        analysis,
        "RQ1    mean RC with its BCa interval; the permutation test again",
        {
            "95% interval": lambda one: interval(one.rc_interval),
            "d_z": lambda one: number(one.rc.cohen_d),
            "t: p one-sided": lambda one: probability(one.rc.p_greater),
            "Wilcoxon p": lambda one: probability(None if one.rc.wilcoxon is None else one.rc.wilcoxon.p),
            "(b+1)/(n+1)": lambda one: probability(one.permutation.p_corrected),
            "two-sided": lambda one: probability(one.permutation.p_two_sided),
            "z": lambda one: number(one.permutation.z, 2),
        },
    )


def _reviewed_scores(analysis: Analysis) -> str:
    exact = _is_exact(analysis)
    columns: dict[str, Callable[[ModelAnalysis], str]] = {
        "95% interval": lambda one: interval(one.rho.bca),
        "p one-sided": lambda one: probability(one.rho.p_greater),
        "exact p": lambda one: probability(one.rho.p_exact),
        "equivalence p": lambda one: probability(_p(one.equivalence)),
        "shown below": lambda one: bounded(
            None if one.equivalence is None else one.equivalence.smallest_bound, 3
        ),
        "detectable": lambda one: bounded(one.detectable.rho, 3),
    }
    if not exact:
        del columns["exact p"]
    models = list(analysis.models.values())
    bounds = [one.equivalence.bound for one in models if one.equivalence is not None]
    bound = bounded(bounds[0], 2) if bounds else "a small one"
    effects = models[0].detectable
    said = (
        f"  equivalence p: of two one-sided tests that |rho| is below {bound}; shown below: the smallest "
        "bound that these data show |rho| to be below; detectable: the |rho| that a test at alpha "
        f"{bounded(effects.alpha)} finds with {100 * effects.power:.0f}% power"
    )
    if exact:
        said += "; exact p: two-sided, of all pairings of the stimuli's RC and f"
    return "\n".join(
        [_of_models(analysis, "RQ2.1  rho with its BCa interval", columns), wrapped(said, "    ")]
    )


def _p(found: Equivalence | None) -> float | None:
    return None if found is None else found.p


def _repeated(analysis: Analysis) -> Iterator[str]:
    over = analysis.over_models
    if not isinstance(one := over.rm_anova, Unavailable):
        ratio = f"F({one.df1}, {one.df2}) = {number(one.F)}, {p_is(one.p)}"
        yield f"  repeated-measures ANOVA: {ratio}; Greenhouse-Geisser {p_is(one.p_gg)}"
    if not isinstance(ranks := over.friedman, Unavailable):
        yield (
            f"  Friedman: chi2({ranks.df}) = {number(ranks.chi2)}, {p_is(ranks.p)}; "
            f"Kendall's W = {bounded(ranks.kendall_w, 3)}"
        )
    if not isinstance(fit := over.mixed_model, Unavailable):
        terms = "; ".join(
            f"{test.term} chi2({test.df}) = {number(test.chi2)}, {p_is(test.p)}" for test in fit.tests
        )
        doubt = "" if fit.converged else "; NOT CONVERGED, trust none of it"
        yield wrapped(f"  mixed model: {terms}; ICC = {bounded(fit.icc, 3)}{doubt}", "    ")
    reasons: dict[str, list[str]] = {}
    for name, reason in over.unavailable.items():
        if name in REPEATED:
            reasons.setdefault(reason, []).append(REPEATED[name])
    for reason, tests in reasons.items():
        yield wrapped(f"  {', '.join(tests)}: not computed: {reason}", "    ")


def _pairs(pairs: tuple[ModelDifference, ...]) -> str:
    cells = [["first - second", "difference", "95% interval", "d_z", "t", "p", "Holm", "equivalence p"]]
    for pair in pairs:
        one = pair.difference
        cells.append(
            [
                f"{one.first} - {one.second}",
                bounded(one.test.mean),
                interval(pair.interval),
                number(one.test.cohen_d),
                number(one.test.t),
                probability(one.test.p),
                probability(one.p_holm),
                probability(_p(pair.equivalence)),
            ]
        )
    return block("Differences of RC, paired by stimulus; equivalence within a d_z of 0.2", cells)
