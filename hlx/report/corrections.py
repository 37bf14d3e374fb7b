"""What the number of tests leaves of them."""

from __future__ import annotations

from collections.abc import Sequence

from hlx.report.numbers import UNDEFINED, level, probability
from hlx.report.parts import Section, paragraph, table_part
from hlx.report.tables import Cell, Column, Summary, Table, model_cell, text
from hlx.wording import counted

METHODS = {"bonferroni": "Bonferroni", "holm": "Holm", "benjamini_hochberg": "Benjamini\N{EN DASH}Hochberg"}


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
            Column("significant", f"p after {method} below {level(alpha)}"),
        ]
    rows = []
    for test in tests:
        row = [_test(test, names), summary.cell(probability, "corrections", test, "p")]
        for method in METHODS:
            row.append(summary.cell(probability, "corrections", test, method))
            row.append(_yes(summary.get("corrections", test, "significant", method)))
        rows.append(row)
    said = (
        f"Significant: the corrected p is below {level(alpha)}. Permutation tests are one-sided, with p = "
        "(b+1)/(n+1); t-tests and correlations are two-sided."
    )
    if any(summary.value("models", name, "rho_p_exact") is not None for name in names):
        said += " Correlations of few stimuli have an exact p, from all pairings of RC and score."
    groups = [("", 2), *((method, 2) for method in METHODS.values())]
    share = f"{level(alpha)} / {len(tests)} = {level(each)}"
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


def _test(test: str, names: Sequence[str]) -> Cell:
    """A test's name, with the colour of its model."""
    model = test.rpartition(": ")[0]
    return model_cell(test, names.index(model)) if model in names else text(test)


def _yes(significant: bool | None) -> Cell:
    return Cell(UNDEFINED if significant is None else "yes" if significant else "no")
