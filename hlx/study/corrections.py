"""The study's family of tests, and what is left of them once their number is accounted for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hlx.alignment.inference import Correlation, OneSampleTest, benjamini_hochberg, bonferroni, holm
from hlx.study.measuring import MeasuredModel


def family(
    measured: Mapping[str, MeasuredModel],
    tests: Mapping[str, OneSampleTest],
    correlations: Mapping[str, Correlation | None],
    anova_p: float | None,
) -> dict[str, float]:
    """p-values of the reference study's tests by name, as far as they could be made.

    A t-test, a permutation test and a correlation of each model, and one analysis of variance: 13 of four
    models. Two-sided but for the permutation test, whose p is (b+1)/(n+1). A correlation's p is the exact one
    where there is one, of up to 8 stimuli: the study's, from Student's t, is 0 for any perfect order.
    """
    p_values: dict[str, float | None] = {}
    for name, one in measured.items():
        correlation = correlations[name]
        p_values[f"{name}: t-test"] = tests[name].p
        p_values[f"{name}: permutation test"] = one.pairing.p_corrected
        p_values[f"{name}: correlation with f"] = None if correlation is None else _p(correlation)
    p_values["ANOVA over models"] = anova_p
    return {name: p for name, p in p_values.items() if p is not None}


def _p(found: Correlation) -> float | None:
    return found.p if found.p_exact is None else found.p_exact


def corrected(p_values: Mapping[str, float], alpha: float) -> dict[str, Any]:
    """Each test's p, its three corrected values, and whether each is below alpha."""
    given = list(p_values.values())
    columns = {
        "bonferroni": bonferroni(given),
        "holm": holm(given),
        "benjamini_hochberg": benjamini_hochberg(given),
    }
    rows = zip(*columns.values(), strict=True)
    return {
        name: {
            "p": p,
            **dict(zip(columns, row, strict=True)),
            "significant": {kind: value < alpha for kind, value in zip(columns, row, strict=True)},
        }
        for (name, p), row in zip(p_values.items(), rows, strict=True)
    }
