"""What a careful reviewer asks for beside the study's own tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hlx.alignment.analysis import Analysis, ModelAnalysis
from hlx.alignment.analysis.analysis import ModelDifference, OverModels
from hlx.alignment.inference import (
    SMALL_D,
    Coefficient,
    Friedman,
    MixedModel,
    OneWayAnova,
    RepeatedMeasuresAnova,
    Unavailable,
    WaldTest,
)
from hlx.io.messages import plural, plural_stimuli
from hlx.report.kit.numbers import MINUS, UNDEFINED, coefficient, level, number, probability, whole
from hlx.report.kit.sections import Part, Section, heading, paragraph, table_part
from hlx.report.kit.tables import (
    ENDS,
    FOUR,
    Cell,
    Column,
    Table,
    model_rows,
    number_cell,
    table_of,
    text,
    to_digits,
)

BCA = "bootstrap, bias-corrected and accelerated"
CHI, ETA = "\N{GREEK SMALL LETTER CHI}\N{SUPERSCRIPT TWO}", "\N{GREEK SMALL LETTER ETA}\N{SUPERSCRIPT TWO}"
TWO_DIGITS = to_digits(number, 2)

SIMILARITY: tuple[Column[ModelAnalysis], ...] = (
    Column("mean RC", "", lambda one: one.rc.mean, FOUR),
    Column("95% interval", f"of the mean RC: {BCA}", lambda one: one.rc_interval, ENDS),
    Column("d", "Cohen's d_z: mean RC over its standard deviation", lambda one: one.rc.cohen_d),
    Column("g", "Hedges' g: d without its bias in small samples", lambda one: one.rc.hedges_g),
    Column(
        "t, one-sided",
        "p of the t-test that mean RC is above zero",
        lambda one: one.rc.p_greater,
        probability,
    ),
    Column(
        "Wilcoxon",
        "p of the two-sided test of signed ranks",
        lambda one: None if one.rc.wilcoxon is None else one.rc.wilcoxon.p,
        probability,
    ),
    Column(
        "(b+1)/(n+1)",
        "one-sided p, counting the true pairing",
        lambda one: one.permutation.p_corrected,
        probability,
    ),
    Column("two-sided", "p, counting the true pairing", lambda one: one.permutation.p_two_sided, probability),
    Column(
        "z", "standard deviations above the mean random pairing", lambda one: one.permutation.z, TWO_DIGITS
    ),
)
N_SCORES: Column[ModelAnalysis] = Column("n", "stimuli with an RC and a score", lambda one: one.rho.n, whole)
EXACT: Column[ModelAnalysis] = Column(
    "exact p", "two-sided, from all pairings of RC and score", lambda one: one.rho.p_exact, probability
)
SCORES: tuple[Column[ModelAnalysis], ...] = (
    N_SCORES,
    Column("rho", "", lambda one: one.rho.coefficient, FOUR),
    Column("BCa", f"95%: {BCA}", lambda one: one.rho.bca, ENDS),
    Column("Fisher", "95%, from Fisher's z", lambda one: one.rho.fisher, ENDS),
    Column("p, one-sided", "that rho is above zero", lambda one: one.rho.p_greater, probability),
    EXACT,
    Column(
        "p",
        "the larger of two one-sided tests' p",
        lambda one: None if one.equivalence is None else one.equivalence.p,
        probability,
    ),
    Column(
        "shown below",
        "smallest bound of |rho|",
        lambda one: None if one.equivalence is None else one.equivalence.smallest_bound,
        coefficient,
    ),
)
POWER: tuple[Column[ModelAnalysis], ...] = (
    Column("n", "stimuli", lambda one: one.rc.n, whole),
    Column("smallest d", "that is found", lambda one: one.detectable.d, TWO_DIGITS),
    Column("d", "Cohen's d_z, of this study", lambda one: one.rc.cohen_d, TWO_DIGITS),
    N_SCORES,
    Column("smallest |rho|", "that is found", lambda one: one.detectable.rho, coefficient),
    Column("rho", "of this study", lambda one: one.rho.coefficient, coefficient),
)
WALD: tuple[Column[WaldTest], ...] = (
    Column(CHI, "", lambda one: one.chi2),
    Column("df", "degrees of freedom", lambda one: one.df, whole),
    Column("p", "", lambda one: one.p, probability),
)
FIXED: tuple[Column[Coefficient], ...] = (
    Column("estimate", "in RC", lambda one: one.estimate, FOUR),
    Column("standard error", "", lambda one: one.standard_error, FOUR),
    Column("from", "lower end of the 95% interval", lambda one: one.low, FOUR),
    Column("to", "upper end of the 95% interval", lambda one: one.high, FOUR),
    Column("z", "", lambda one: one.z),
    Column("p", "two-sided", lambda one: one.p, probability),
)
PAIRS: tuple[Column[ModelDifference], ...] = (
    Column("n", "stimuli with an RC of both", lambda one: one.difference.test.n, whole),
    Column("mean", "difference of RC", lambda one: one.difference.test.mean, FOUR),
    Column("95% interval", BCA, lambda one: one.interval, ENDS),
    Column(
        "d",
        "Cohen's d_z: mean over standard deviation of the differences",
        lambda one: one.difference.test.cohen_d,
    ),
    Column("t", "", lambda one: one.difference.test.t),
    Column("p", "two-sided", lambda one: one.difference.test.p, probability),
    Column("Holm", "p, corrected for the number of pairs", lambda one: one.difference.p_holm, probability),
    Column(
        "p",
        "two-sided",
        lambda one: None if one.difference.test.wilcoxon is None else one.difference.test.wilcoxon.p,
        probability,
    ),
    Column(
        "Holm",
        "p, corrected for the number of pairs",
        lambda one: one.difference.wilcoxon_p_holm,
        probability,
    ),
    Column(
        "within",
        "bound of the difference of RC, either way",
        lambda one: None if one.equivalence is None else one.equivalence.bound,
        coefficient,
    ),
    Column(
        "p",
        "the larger of two one-sided tests' p",
        lambda one: None if one.equivalence is None else one.equivalence.p,
        probability,
    ),
    Column(
        "shown below",
        "smallest bound",
        lambda one: None if one.equivalence is None else one.equivalence.smallest_bound,
        coefficient,
    ),
)


def review_section(analysis: Analysis) -> Section:
    """Intervals, effect sizes, power and further tests, or the reasons where there are none."""
    over = analysis.over_models
    return Section(
        "review",
        "What a careful reviewer asks",
        [
            paragraph(
                "The same questions, asked in other ways. Unless a column says so, p-values of this section "
                "are not corrected for their number."
            ),
            heading("RQ1: mean RC"),
            table_part(
                table_of(
                    "RQ1 again: how sure, how large, and by other tests.",
                    "Model",
                    SIMILARITY,
                    model_rows(analysis.models),
                    [("", 3), ("effect size", 2), ("p against zero", 2), ("permutation test", 3)],
                )
            ),
            *_scores(analysis.models),
            *_power(analysis.models),
            *_differences(over),
            *_mixed_model(over),
            *_pairs(over),
        ],
    )


def _scores(models: Mapping[str, ModelAnalysis]) -> list[Part]:
    title = heading("RQ2.1: RC and score")
    rhos = [one.rho for one in models.values() if one.rho.coefficient is not None]
    if not rhos:
        return [title, paragraph("Not computed: scores of the stimuli are unknown, too few, or all equal.")]
    tests = [one.equivalence for one in models.values() if one.equivalence is not None]
    said = (
        "A correlation that is not significant is not thereby absent. Equivalence asks whether |rho| is "
        f"shown to lie below {level(tests[0].bound)}, as it is where p is below {level(tests[0].alpha)}; "
        "shown below is the smallest bound for which it would be."
        if tests
        else ""
    )
    # Of up to 8 stimuli alone; a study of more has no use for the column.
    exact = any(rho.p_exact is not None for rho in rhos)
    columns = [column for column in SCORES if exact or column is not EXACT]
    groups = [("", 3), ("95% interval", 2), ("", 2 if exact else 1), ("equivalence", 2)]
    caption = (
        "Spearman's rho of RC and score over stimuli: its intervals, and whether it is shown to be small."
    )
    table = table_part(table_of(caption, "Model", columns, model_rows(models), groups))
    return [title, *([paragraph(said)] if said else []), table]


def _power(models: Mapping[str, ModelAnalysis]) -> list[Part]:
    effects = next(iter(models.values())).detectable
    said = (
        f"The smallest true effects that two-sided tests at the corrected alpha of {level(effects.alpha)} "
        f"find with {100 * effects.power:.0f}% power, beside those of this study."
    )
    groups = [("", 1), ("t-test of RC", 3), ("correlation with score", 3)]
    return [heading("Power"), table_part(table_of(said, "Model", POWER, model_rows(models), groups))]


def _differences(over: OverModels) -> list[Part]:
    """Independent groups beside repeated measures."""
    title = heading("RQ2.2: differences between models")
    reasons = _reasons(over, "anova", "rm_anova", "friedman")
    rows = [*_anova(over.anova), *_rm_anova(over.rm_anova), *_friedman(over.friedman)]
    if not rows:
        return [title, *reasons] if reasons else []
    columns: list[Column[None]] = [
        Column("Test", left=True),
        Column("stimuli", "independent: those of each model a sample of their own; paired: the same for all"),
        Column("statistic"),
        Column("df", "degrees of freedom"),
        Column("p"),
        Column("effect size"),
    ]
    repeated = None if isinstance(over.rm_anova, Unavailable) else over.rm_anova
    dropped = 0 if repeated is None else repeated.dropped
    epsilon = None if repeated is None or repeated.df1 == 1 else repeated.epsilon
    said = paragraph(
        "The same stimuli are met by all models, yet the study's own test, a one-way analysis of variance, "
        "takes those of each model for a sample of their own. Tests that pair them set differences between "
        "stimuli apart.",
        f"They leave out {plural_stimuli(dropped)} without an RC of every model." if dropped else "",
        ""
        if epsilon is None
        else f"Greenhouse and Geisser's epsilon, by which they multiply both df, is {coefficient(epsilon)}.",
    )
    return [title, said, table_part(Table("Do models differ in RC?", columns, rows)), *reasons]


def _row(
    test: str,
    stimuli: str,
    sign: str,
    statistic: float | None,
    df: Sequence[int],
    p: float | None,
    effect_sign: str = "",
    effect: float | None = None,
) -> list[Cell]:
    return [
        text(test),
        Cell(stimuli),
        number_cell(statistic, lambda value: f"{sign} = {number(value)}"),
        Cell(", ".join(f"{one:.0f}" for one in df)),
        number_cell(p, probability),
        number_cell(effect, lambda value: f"{effect_sign} = {coefficient(value)}"),
    ]


def _anova(one: OneWayAnova | Unavailable) -> list[list[Cell]]:
    if isinstance(one, Unavailable):
        return []
    df, ranks = (one.df_between, one.df_within), "Kruskal\N{EN DASH}Wallis"
    return [
        _row("Analysis of variance", "independent", "F", one.F, df, one.p, ETA, one.eta_squared),
        _row(ranks, "independent", "H", one.kruskal_h, (one.df_between,), one.kruskal_p),
    ]


def _rm_anova(one: RepeatedMeasuresAnova | Unavailable) -> list[list[Cell]]:
    if isinstance(one, Unavailable):
        return []
    df, name, effect = (one.df1, one.df2), "Repeated-measures analysis of variance", one.partial_eta_squared
    plain = _row(name, "paired", "F", one.F, df, one.p, f"partial {ETA}", effect)
    # Two models leave Greenhouse and Geisser nothing to correct: epsilon is 1.
    if one.df1 == 1:
        return [plain]
    return [plain, _row("the same, Greenhouse\N{EN DASH}Geisser", "paired", "F", one.F, df, one.p_gg)]


def _friedman(one: Friedman | Unavailable) -> list[list[Cell]]:
    if isinstance(one, Unavailable):
        return []
    return [_row("Friedman", "paired", CHI, one.chi2, (one.df,), one.p, "Kendall's W", one.kendall_w)]


def _reasons(over: OverModels, *names: str, said: Sequence[str] = ()) -> list[Part]:
    """Why results are not there, each reason once and none that those of `said` have."""
    before = {over.unavailable.get(name) for name in said}
    found = dict.fromkeys(over.unavailable[name] for name in names if name in over.unavailable)
    return [paragraph(f"Not computed: {reason}.") for reason in found if reason not in before]


def _mixed_model(over: OverModels) -> list[Part]:
    """Effects of the mixed model, or why there is none."""
    title, fit = heading("Mixed model"), over.mixed_model
    if isinstance(fit, Unavailable):
        reasons = _reasons(over, "mixed_model", said=("anova", "rm_anova", "friedman"))
        return [title, *reasons] if reasons else []
    said = paragraph(
        f"RC ~ {' + '.join([*fit.references, '(1 | stimulus)'])}, fitted to "
        f"{plural(fit.observations, 'RC')} of {plural_stimuli(fit.n)}: each stimulus has a level "
        "of its own, which all models share.",
        f"Of the variance that is left, stimuli make up {coefficient(fit.icc)} (intraclass correlation, ICC)."
        if fit.converged and coefficient(fit.icc) != UNDEFINED
        else "",
        "The fit converged."
        if fit.converged
        else "The fit did not converge, so none of its numbers is shown.",
        *(f"statsmodels: {warning}." for warning in fit.warnings),
    )
    if not fit.converged:
        return [title, said]
    tests = [(text(test.term), test) for test in fit.tests]
    effects = [(text(_effect(one, fit)), one) for one in fit.coefficients]
    groups = [("", 3), ("95% interval", 2), ("", 2)]
    return [
        title,
        said,
        table_part(
            table_of("Wald tests: do models differ, and do phenomena?", "Term", WALD, tests),
            "No Wald test is defined.",
        ),
        table_part(
            table_of("Fixed effects, as differences of RC.", "Effect", FIXED, effects, groups),
            "No effect is defined.",
        ),
    ]


def _effect(effect: Coefficient, fit: MixedModel) -> str:
    """A coefficient's name: which levels the intercept stands for, or which two are compared."""
    if effect.level:
        return f"{effect.level} {MINUS} {fit.references[effect.term]}"
    return f"{effect.term} ({', '.join(fit.references.values())})"


def _pairs(over: OverModels) -> list[Part]:
    """Models compared two by two, or why they are not."""
    title, found = heading("Pairs of models"), over.pairwise
    if isinstance(found, Unavailable) or not found:
        reasons = _reasons(over, "pairwise", said=("anova", "rm_anova", "friedman", "mixed_model"))
        return [title, *reasons] if reasons else []
    rows = [(text(f"{one.difference.first} {MINUS} {one.difference.second}"), one) for one in found]
    groups = [("", 2), ("difference of RC", 3), ("paired t-test", 3), ("Wilcoxon", 2), ("equivalence", 3)]
    said = (
        "Differences of RC, paired by stimulus. Equivalence: is their mean shown to lie within "
        f"{SMALL_D:g} standard deviations of zero?"
    )
    return [title, table_part(table_of(said, "Models", PAIRS, rows, groups))]
