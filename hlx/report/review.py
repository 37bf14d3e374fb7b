"""What the number of tests leaves of them, and what a careful reviewer asks for beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from hlx.inference import SMALL_D
from hlx.report.numbers import MINUS, UNDEFINED, coefficient, interval, number, probability
from hlx.report.parts import Part, Section, heading, paragraph, table_part
from hlx.report.tables import Cell, Column, Summary, Table, digits, model_cell, text, whole
from hlx.wording import counted, stimuli_counted

METHODS = {"bonferroni": "Bonferroni", "holm": "Holm", "benjamini_hochberg": "Benjamini\N{EN DASH}Hochberg"}

FOUR = digits(coefficient, 4)
CHI, ETA = "\N{GREEK SMALL LETTER CHI}\N{SUPERSCRIPT TWO}", "\N{GREEK SMALL LETTER ETA}\N{SUPERSCRIPT TWO}"


@dataclass(frozen=True)
class Asked:
    """A column of numbers: where in an entry of the summary they stand, and how they are printed."""

    name: str
    meaning: str
    form: Callable[[Any], str]
    keys: tuple[str, ...]

    def cell(self, summary: Summary, at: Sequence[str]) -> Cell:
        """The number, or both ends of an interval, of the entry under the keys `at`."""
        found = summary.get(*at, *self.keys)
        if isinstance(found, list | tuple):
            return Cell(self.form(found))
        return summary.cell(self.form, *at, *self.keys)


ENDS = partial(interval, digits=4)
BCA = "bootstrap, bias-corrected and accelerated"
MAPS = (
    Asked("mean RC", "", FOUR, ("rc_mean",)),
    Asked("95% interval", f"of the mean RC: {BCA}", ENDS, ("rc_ci",)),
    Asked("d", "Cohen's d_z: mean RC over its standard deviation", number, ("cohen_d",)),
    Asked("g", "Hedges' g: d without its bias in small samples", number, ("hedges_g",)),
    Asked("t, one-sided", "p of the t-test that mean RC is above zero", probability, ("t_p_greater",)),
    Asked("Wilcoxon", "p of the two-sided test of signed ranks", probability, ("wilcoxon_p",)),
    Asked("(b+1)/(n+1)", "one-sided p, counting the true pairing", probability, ("permutation_p_corrected",)),
    Asked("two-sided", "p, counting the true pairing", probability, ("permutation_p_two_sided",)),
    Asked("z", "standard deviations above the mean random pairing", digits(number, 2), ("permutation_z",)),
)
SCORES = (
    Asked("n", "stimuli with an RC and a score", whole, ("rho_n",)),
    Asked("rho", "", FOUR, ("rho",)),
    Asked("BCa", f"95%: {BCA}", ENDS, ("rho_ci",)),
    Asked("Fisher", "95%, from Fisher's z", ENDS, ("rho_ci_fisher",)),
    Asked("p, one-sided", "that rho is above zero", probability, ("rho_p_greater",)),
    Asked("exact p", "two-sided, from all pairings of RC and score", probability, ("rho_p_exact",)),
    Asked("p", "the larger of two one-sided tests' p", probability, ("rho_equivalence", "p")),
    Asked("shown below", "smallest bound of |rho|", coefficient, ("rho_equivalence", "smallest_bound")),
)
POWER = (
    Asked("n", "stimuli", whole, ("n",)),
    Asked("smallest d", "that is found", digits(number, 2), ("power", "smallest_d")),
    Asked("d", "Cohen's d_z, of this study", digits(number, 2), ("cohen_d",)),
    Asked("n", "stimuli with an RC and a score", whole, ("rho_n",)),
    Asked("smallest |rho|", "that is found", coefficient, ("power", "smallest_rho")),
    Asked("rho", "of this study", coefficient, ("rho",)),
)
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


def corrections_section(names: Sequence[str], summary: Summary) -> Section:
    """Every test of the study's family, corrected for their number in three ways; empty without tests."""
    tests = summary.get("corrections") or {}
    alpha, each = summary.value("alpha"), summary.value("alpha_corrected")
    if not tests or alpha is None or each is None:
        return Section("corrections", "Corrected for the number of tests", [])
    columns = [Column("Test", left=True), Column("p", "uncorrected")]
    for method in METHODS.values():
        columns += [
            Column("p", f"after {method}"),
            Column("significant", f"p after {method} below {_alpha(alpha)}"),
        ]
    rows = []
    for test in tests:
        row = [_test(test, names), summary.cell(probability, "corrections", test, "p")]
        for method in METHODS:
            row.append(summary.cell(probability, "corrections", test, method))
            row.append(_yes(summary.get("corrections", test, "significant", method)))
        rows.append(row)
    said = (
        f"Significant: the corrected p is below {_alpha(alpha)}. Permutation tests are one-sided, with p = "
        "(b+1)/(n+1); t-tests and correlations are two-sided."
    )
    if any(summary.value("models", name, "rho_p_exact") is not None for name in names):
        said += " Correlations of few stimuli have an exact p, from all pairings of RC and score."
    groups = [("", 2), *((method, 2) for method in METHODS.values())]
    share = f"{_alpha(alpha)} / {len(tests)} = {_alpha(each)}"
    return Section(
        "corrections",
        "Corrected for the number of tests",
        [
            paragraph(
                f"The study makes {counted(len(tests), 'test')}, so Bonferroni's correction leaves each an "
                f"alpha of {share}. Bonferroni and Holm bound the probability of even one false positive, "
                "Benjamini\N{EN DASH}Hochberg the expected share of false ones among the positives."
            ),
            table_part(Table(said, columns, rows, groups)),
        ],
    )


def review_section(names: Sequence[str], summary: Summary) -> Section:
    """Intervals, effect sizes, power and further tests, or the reasons where there are none."""
    summary = Summary(_by_place(summary.values))
    return Section(
        "review",
        "What a careful reviewer asks",
        [
            paragraph(
                "The same questions, asked in other ways. Unless a column says so, p-values of this section "
                "are not corrected for their number."
            ),
            *_maps(names, summary),
            *_scores(names, summary),
            *_power(names, summary),
            *_over_models(summary),
            *_mixed_model(summary),
            *_pairs(summary),
        ],
    )


def _maps(names: Sequence[str], summary: Summary) -> list[Part]:
    groups = [("", 3), ("effect size", 2), ("p against zero", 2), ("permutation test", 3)]
    said = "RQ1 again: how sure, how large, and by other tests."
    return [
        heading("RQ1: mean RC"),
        *_known(_of_models(said, MAPS, names, summary, groups), "RC is undefined for every model."),
    ]


def _scores(names: Sequence[str], summary: Summary) -> list[Part]:
    title = heading("RQ2.1: RC and score")
    known = [name for name in names if summary.value("models", name, "rho") is not None]
    if not known:
        return [title, paragraph("Not computed: scores of the stimuli are unknown, too few, or all equal.")]
    tests = [("models", name, "rho_equivalence") for name in known]
    bound, alpha = (_first(summary, tests, key) for key in ("bound", "alpha"))
    said = (
        ""
        if bound is None or alpha is None
        else "A correlation that is not significant is not thereby absent. Equivalence asks whether |rho| is "
        f"shown to lie below {_alpha(bound)}, as it is where p is below {_alpha(alpha)}; shown below is the "
        "smallest bound for which it would be."
    )
    # Of up to 8 stimuli alone; a study of more has no use for the column.
    exact = any(summary.value("models", name, "rho_p_exact") is not None for name in known)
    asked = [one for one in SCORES if exact or one.keys != ("rho_p_exact",)]
    groups = [("", 3), ("95% interval", 2), ("", 2 if exact else 1), ("equivalence", 2)]
    caption = (
        "Spearman's rho of RC and score over stimuli: its intervals, and whether it is shown to be small."
    )
    parts = [title, *([paragraph(said)] if said else [])]
    return [*parts, table_part(_of_models(caption, asked, names, summary, groups))]


def _power(names: Sequence[str], summary: Summary) -> list[Part]:
    at = [("models", name, "power") for name in names]
    alpha, power = (_first(summary, at, key) for key in ("alpha", "power"))
    if alpha is None or power is None:
        return []
    said = (
        f"The smallest true effects that two-sided tests at the corrected alpha of {_alpha(alpha)} find with "
        f"{100 * power:.0f}% power, beside those of this study."
    )
    groups = [("", 1), ("t-test of RC", 3), ("correlation with score", 3)]
    return [heading("Power"), table_part(_of_models(said, POWER, names, summary, groups))]


def _over_models(summary: Summary) -> list[Part]:
    """Independent groups beside repeated measures."""
    title = heading("RQ2.2: differences between models")
    reasons = _reasons(summary, "anova", "rm_anova", "friedman")
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


def _mixed_model(summary: Summary) -> list[Part]:
    title = heading("Mixed model")
    if not summary.get("mixed_model"):
        reasons = _reasons(summary, "mixed_model", said=("anova", "rm_anova", "friedman"))
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
        *_known(
            _table("Wald tests: do models differ, and do phenomena?", "Term", WALD, tests),
            "No Wald test is defined.",
        ),
        *_known(
            _table("Fixed effects, as differences of RC.", "Effect", FIXED, effects, groups),
            "No effect is defined.",
        ),
    ]


def _effect(effect: Mapping[str, Any], references: Mapping[str, str]) -> str:
    """A coefficient's name: which levels the intercept stands for, or which two are compared."""
    if effect["level"]:
        return f"{effect['level']} {MINUS} {references[effect['term']]}"
    return f"{effect['term']} ({', '.join(references.values())})"


def _pairs(summary: Summary) -> list[Part]:
    title, pairs = heading("Pairs of models"), summary.get("pairwise")
    if not pairs:
        reasons = _reasons(summary, "pairwise", said=("anova", "rm_anova", "friedman", "mixed_model"))
        return [title, *reasons] if reasons else []
    rows = [
        [
            text(f"{pair['first']} {MINUS} {pair['second']}"),
            *(asked.cell(summary, ("pairwise", place)) for asked in PAIRS),
        ]
        for place, pair in pairs.items()
    ]
    groups = [("", 2), ("difference of RC", 3), ("paired t-test", 3), ("Wilcoxon", 2), ("equivalence", 3)]
    said = (
        "Differences of RC, paired by stimulus. Equivalence: is their mean shown to lie within "
        f"{SMALL_D:g} standard deviations of zero?"
    )
    return [title, table_part(_table(said, "Models", PAIRS, rows, groups))]


def _of_models(
    caption: str,
    asked: Sequence[Asked],
    names: Sequence[str],
    summary: Summary,
    groups: Sequence[tuple[str, int]],
) -> Table:
    rows = [
        [model_cell(name, place), *(one.cell(summary, ("models", name)) for one in asked)]
        for place, name in enumerate(names)
    ]
    return _table(caption, "Model", asked, rows, groups)


def _table(
    caption: str,
    first: str,
    asked: Sequence[Asked],
    rows: Sequence[Sequence[Cell]],
    groups: Sequence[tuple[str, int]] = (),
) -> Table:
    columns = [Column(first, left=True), *(Column(one.name, one.meaning) for one in asked)]
    return Table(caption, columns, rows, groups)


def _known(table: Table, otherwise: str) -> list[Part]:
    """The table; a sentence where no number of it is defined."""
    known = any(cell.text != UNDEFINED for row in table.rows for cell in row[1:])
    return [table_part(table) if known else paragraph(otherwise)]


def _reasons(summary: Summary, *keys: str, said: Sequence[str] = ()) -> list[Part]:
    """Why entries are not there, each reason once and none that those of `said` have."""
    before = {summary.get("unavailable", key) for key in said}
    found = dict.fromkeys(summary.get("unavailable", key) for key in keys)
    return [paragraph(f"Not computed: {reason}.") for reason in found if reason and reason not in before]


def _first(summary: Summary, entries: Sequence[tuple[str, ...]], key: str) -> float | None:
    """What entries that have it have in common."""
    return next((value for at in entries if (value := summary.value(*at, key)) is not None), None)


def _by_place(value: Any) -> Any:
    """Lists of objects as objects whose keys are places, as JSON pointers spell them."""
    if isinstance(value, Mapping):
        return {key: _by_place(one) for key, one in value.items()}
    if isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
        return {str(place): _by_place(one) for place, one in enumerate(value)}
    return value


def _test(test: str, names: Sequence[str]) -> Cell:
    """A test's name, with the colour of its model."""
    model = test.rpartition(": ")[0]
    return model_cell(test, names.index(model)) if model in names else text(test)


def _yes(significant: bool | None) -> Cell:
    return Cell(UNDEFINED if significant is None else "yes" if significant else "no")


def _alpha(value: float) -> str:
    """A significance level or bound, without trailing zeros."""
    return f"{value:.2g}".removeprefix("0")
