"""What a careful reviewer asks of the differences between models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hlx.alignment.inference import SMALL_D
from hlx.report.asked import BCA, ENDS, FOUR, Asked, asked_table, known_part, not_computed
from hlx.report.numbers import MINUS, UNDEFINED, coefficient, number, probability
from hlx.report.parts import Part, heading, paragraph, table_part
from hlx.report.tables import Cell, Column, Summary, Table, text, whole
from hlx.wording import counted, stimuli_counted

CHI, ETA = "\N{GREEK SMALL LETTER CHI}\N{SUPERSCRIPT TWO}", "\N{GREEK SMALL LETTER ETA}\N{SUPERSCRIPT TWO}"
WALD = (
    Asked(CHI, "", number, ("chi2",)),
    Asked("df", "degrees of freedom", whole, ("df",)),
    Asked("p", "", probability, ("p",)),
)
FIXED = (
    Asked("estimate", "in RC", FOUR, ("estimate",)),
    Asked("standard error", "", FOUR, ("standard_error",)),
    Asked("from", "lower end of the 95% interval", FOUR, ("low",)),
    Asked("to", "upper end of the 95% interval", FOUR, ("high",)),
    Asked("z", "", number, ("z",)),
    Asked("p", "two-sided", probability, ("p",)),
)
PAIRS = (
    Asked("n", "stimuli with an RC of both", whole, ("n",)),
    Asked("mean", "difference of RC", FOUR, ("mean",)),
    Asked("95% interval", BCA, ENDS, ("ci",)),
    Asked("d", "Cohen's d_z: mean over standard deviation of the differences", number, ("cohen_d",)),
    Asked("t", "", number, ("t",)),
    Asked("p", "two-sided", probability, ("p",)),
    Asked("Holm", "p, corrected for the number of pairs", probability, ("p_holm",)),
    Asked("p", "two-sided", probability, ("wilcoxon_p",)),
    Asked("Holm", "p, corrected for the number of pairs", probability, ("wilcoxon_p_holm",)),
    Asked("within", "bound of the difference of RC, either way", coefficient, ("equivalence", "bound")),
    Asked("p", "the larger of two one-sided tests' p", probability, ("equivalence", "p")),
    Asked("shown below", "smallest bound", coefficient, ("equivalence", "smallest_bound")),
)


@dataclass(frozen=True)
class Compared:
    """A test over models: its entry in the summary, where in it the numbers stand, and their signs."""

    test: str
    entry: str
    repeated: bool
    sign: str
    statistic: str
    df: tuple[str, ...]
    p: str
    effect_sign: str = ""
    effect: str = ""


OVER_MODELS = (
    Compared("Analysis of variance", "anova", False, "F", "F", ("df_between", "df_within"), "p",
             ETA, "eta_squared"),
    Compared("Kruskal\N{EN DASH}Wallis", "anova", False, "H", "kruskal_h", ("df_between",), "kruskal_p"),
    Compared("Repeated-measures analysis of variance", "rm_anova", True, "F", "F", ("df1", "df2"), "p",
             f"partial {ETA}", "partial_eta_squared"),
    Compared("the same, Greenhouse\N{EN DASH}Geisser", "rm_anova", True, "F", "F", ("df1", "df2"), "p_gg"),
    Compared("Friedman", "friedman", True, CHI, "chi2", ("df",), "p", "Kendall's W", "kendall_w"),
)  # fmt: skip


def differences(summary: Summary) -> list[Part]:
    """Independent groups beside repeated measures."""
    title = heading("RQ2.2: differences between models")
    reasons = not_computed(summary, "anova", "rm_anova", "friedman")
    # Two models leave Greenhouse and Geisser nothing to correct: epsilon is 1.
    spherical, epsilon = summary.value("rm_anova", "df1") == 1, summary.value("rm_anova", "epsilon")
    made = [test for test in OVER_MODELS if summary.get(test.entry) and not (spherical and test.p == "p_gg")]
    if not made:
        return [title, *reasons] if reasons else []
    columns = [
        Column("Test", left=True),
        Column("stimuli", "independent: those of each model a sample of their own; paired: the same for all"),
        Column("statistic"),
        Column("df", "degrees of freedom"),
        Column("p"),
        Column("effect size"),
    ]
    dropped = int(summary.value("rm_anova", "dropped") or 0)
    said = paragraph(
        "The same stimuli are met by all models, yet the study's own test, a one-way analysis of variance, "
        "takes those of each model for a sample of their own. Tests that pair them set differences between "
        "stimuli apart.",
        f"They leave out {stimuli_counted(dropped)} without an RC of every model." if dropped else "",
        ""
        if spherical or epsilon is None
        else f"Greenhouse and Geisser's epsilon, by which they multiply both df, is {coefficient(epsilon)}.",
    )
    rows = [_compared(test, summary) for test in made]
    return [title, said, table_part(Table("Do models differ in RC?", columns, rows)), *reasons]


def _compared(test: Compared, summary: Summary) -> list[Cell]:
    df = [summary.value(test.entry, key) for key in test.df]
    return [
        text(test.test),
        Cell("paired" if test.repeated else "independent"),
        summary.cell(lambda value: f"{test.sign} = {number(value)}", test.entry, test.statistic),
        Cell(UNDEFINED if None in df else ", ".join(f"{value:.0f}" for value in df)),
        summary.cell(probability, test.entry, test.p),
        summary.cell(lambda value: f"{test.effect_sign} = {coefficient(value)}", test.entry, test.effect),
    ]


def mixed_model(summary: Summary) -> list[Part]:
    """Effects of the mixed model, or why there is none."""
    title = heading("Mixed model")
    if not summary.get("mixed_model"):
        reasons = not_computed(summary, "mixed_model", said=("anova", "rm_anova", "friedman"))
        return [title, *reasons] if reasons else []
    references = summary.get("mixed_model", "references") or {}
    values, stimuli = (int(summary.value("mixed_model", key) or 0) for key in ("observations", "n"))
    icc, converged = summary.value("mixed_model", "icc"), summary.get("mixed_model", "converged")
    said = paragraph(
        f"RC ~ {' + '.join([*references, '(1 | stimulus)'])}, fitted to {counted(values, 'RC')} of "
        f"{stimuli_counted(stimuli)}: each stimulus has a level of its own, which all models share.",
        f"Of the variance that is left, stimuli make up {coefficient(icc)} (intraclass correlation, ICC)."
        if converged and icc is not None
        else "",
        "The fit converged." if converged else "The fit did not converge, so none of its numbers is shown.",
        *(f"statsmodels: {warning}." for warning in summary.get("mixed_model", "warnings") or []),
    )
    if not converged:
        return [title, said]
    tests = [
        [text(test["term"]), *(asked.cell(summary, ("mixed_model", "tests", place)) for asked in WALD)]
        for place, test in summary.get("mixed_model", "tests").items()
    ]
    effects = [
        [
            text(_effect(one, references)),
            *(asked.cell(summary, ("mixed_model", "coefficients", place)) for asked in FIXED),
        ]
        for place, one in summary.get("mixed_model", "coefficients").items()
    ]
    groups = [("", 3), ("95% interval", 2), ("", 2)]
    return [
        title,
        said,
        *known_part(
            asked_table("Wald tests: do models differ, and do phenomena?", "Term", WALD, tests),
            "No Wald test is defined.",
        ),
        *known_part(
            asked_table("Fixed effects, as differences of RC.", "Effect", FIXED, effects, groups),
            "No effect is defined.",
        ),
    ]


def _effect(effect: Mapping[str, Any], references: Mapping[str, str]) -> str:
    """A coefficient's name: which levels the intercept stands for, or which two are compared."""
    if effect["level"]:
        return f"{effect['level']} {MINUS} {references[effect['term']]}"
    return f"{effect['term']} ({', '.join(references.values())})"


def pairs(summary: Summary) -> list[Part]:
    """Models compared two by two, or why they are not."""
    title, found = heading("Pairs of models"), summary.get("pairwise")
    if not found:
        reasons = not_computed(summary, "pairwise", said=("anova", "rm_anova", "friedman", "mixed_model"))
        return [title, *reasons] if reasons else []
    rows = [
        [
            text(f"{pair['first']} {MINUS} {pair['second']}"),
            *(asked.cell(summary, ("pairwise", place)) for asked in PAIRS),
        ]
        for place, pair in found.items()
    ]
    groups = [("", 2), ("difference of RC", 3), ("paired t-test", 3), ("Wilcoxon", 2), ("equivalence", 3)]
    said = (
        "Differences of RC, paired by stimulus. Equivalence: is their mean shown to lie within "
        f"{SMALL_D:g} standard deviations of zero?"
    )
    return [title, table_part(asked_table(said, "Models", PAIRS, rows, groups))]
