"""What a careful reviewer asks for beside the study's own tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hlx.report.asked import BCA, ENDS, FOUR, Asked, asked_table, known_part
from hlx.report.numbers import coefficient, level, number, probability
from hlx.report.parts import Part, Section, heading, paragraph, table_part
from hlx.report.review_models import differences, mixed_model, pairs
from hlx.report.tables import Summary, Table, digits, model_cell, whole

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
            *differences(summary),
            *mixed_model(summary),
            *pairs(summary),
        ],
    )


def _maps(names: Sequence[str], summary: Summary) -> list[Part]:
    groups = [("", 3), ("effect size", 2), ("p against zero", 2), ("permutation test", 3)]
    said = "RQ1 again: how sure, how large, and by other tests."
    return [
        heading("RQ1: mean RC"),
        *known_part(_of_models(said, MAPS, names, summary, groups), "RC is undefined for every model."),
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
        f"shown to lie below {level(bound)}, as it is where p is below {level(alpha)}; shown below is the "
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
        f"The smallest true effects that two-sided tests at the corrected alpha of {level(alpha)} find with "
        f"{100 * power:.0f}% power, beside those of this study."
    )
    groups = [("", 1), ("t-test of RC", 3), ("correlation with score", 3)]
    return [heading("Power"), table_part(_of_models(said, POWER, names, summary, groups))]


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
    return asked_table(caption, "Model", asked, rows, groups)


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
