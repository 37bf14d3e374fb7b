"""What a careful reviewer asks for beside the study's own tests, as text for a terminal."""

from __future__ import annotations

from typing import Any

from hlx.study.columns import block, bounded, interval, number, p_is, probability, wrapped

TESTS = {"rm_anova": "repeated-measures ANOVA", "friedman": "Friedman", "mixed_model": "mixed model"}
"""Tests that know the same stimuli again, by their keys in the summary."""


def review_blocks(found: dict[str, Any]) -> list[str]:
    """Intervals, effect sizes and further tests of an analysis's summary, question by question."""
    blocks = [_reviewed_maps(found), _reviewed_scores(found), _reviewed_models(found)]
    return [*blocks, _pairs(found)] if found["pairwise"] else blocks


def _reviewed_maps(found: dict[str, Any]) -> str:
    head = ["model", "95% interval", "d_z", "t: p one-sided", "Wilcoxon p", "(b+1)/(n+1)", "two-sided", "z"]
    cells = [head]
    for name, one in found["models"].items():
        cells.append(
            [
                name,
                interval(one["rc_ci"]),
                number(one["cohen_d"]),
                probability(one["t_p_greater"]),
                probability(one["wilcoxon_p"]),
                probability(one["permutation_p_corrected"]),
                probability(one["permutation_p_two_sided"]),
                number(one["permutation_z"], 2),
            ]
        )
    return block("RQ1    mean RC with its BCa interval; the permutation test again", cells)


def _reviewed_scores(found: dict[str, Any]) -> str:
    exact = any(one["rho_p_exact"] is not None for one in found["models"].values())
    head = ["model", "95% interval", "p one-sided", *(["exact p"] if exact else [])]
    cells = [[*head, "equivalence p", "shown below", "detectable"]]
    for name, one in found["models"].items():
        test = one["rho_equivalence"] or {}
        cells.append(
            [
                name,
                interval(one["rho_ci"]),
                probability(one["rho_p_greater"]),
                *([probability(one["rho_p_exact"])] if exact else []),
                probability(test.get("p")),
                bounded(test.get("smallest_bound"), 3),
                bounded(one["power"]["smallest_rho"], 3),
            ]
        )
    bounds = {
        test["bound"] for one in found["models"].values() if (test := one["rho_equivalence"]) is not None
    }
    power = next(iter(found["models"].values()))["power"]
    bound = bounded(bounds.pop(), 2) if bounds else "a small one"
    said = (
        f"  equivalence p: of two one-sided tests that |rho| is below {bound}; shown below: the smallest "
        "bound that these data show |rho| to be below; detectable: the |rho| that a test at alpha "
        f"{bounded(power['alpha'])} finds with {100 * power['power']:.0f}% power"
    )
    if exact:
        said += "; exact p: two-sided, of all pairings of the stimuli's RC and f"
    return "\n".join([block("RQ2.1  rho with its BCa interval", cells), wrapped(said, "    ")])


def _reviewed_models(found: dict[str, Any]) -> str:
    lines = ["RQ2.2  the same stimuli met by all models"]
    one = found["rm_anova"]
    if one is not None:
        ratio = f"F({one['df1']}, {one['df2']}) = {number(one['F'])}, {p_is(one['p'])}"
        lines.append(f"  repeated-measures ANOVA: {ratio}; Greenhouse-Geisser {p_is(one['p_gg'])}")
    one = found["friedman"]
    if one is not None:
        lines.append(
            f"  Friedman: chi2({one['df']}) = {number(one['chi2'])}, {p_is(one['p'])}; "
            f"Kendall's W = {bounded(one['kendall_w'], 3)}"
        )
    one = found["mixed_model"]
    if one is not None:
        terms = "; ".join(
            f"{test['term']} chi2({test['df']}) = {number(test['chi2'])}, {p_is(test['p'])}"
            for test in one["tests"]
        )
        doubt = "" if one["converged"] else "; NOT CONVERGED, trust none of it"
        lines.append(wrapped(f"  mixed model: {terms}; ICC = {bounded(one['icc'], 3)}{doubt}", "    "))
    reasons: dict[str, list[str]] = {}
    for key, test in TESTS.items():
        if key in found["unavailable"]:
            reasons.setdefault(found["unavailable"][key], []).append(test)
    for reason, tests in reasons.items():
        lines.append(wrapped(f"  {', '.join(tests)}: not computed: {reason}", "    "))
    return "\n".join(lines)


def _pairs(found: dict[str, Any]) -> str:
    head = ["first - second", "difference", "95% interval", "d_z", "t", "p", "Holm", "equivalence p"]
    cells = [head]
    for one in found["pairwise"]:
        test = one["equivalence"] or {}
        cells.append(
            [
                f"{one['first']} - {one['second']}",
                bounded(one["mean"]),
                interval(one["ci"]),
                number(one["cohen_d"]),
                number(one["t"]),
                probability(one["p"]),
                probability(one["p_holm"]),
                probability(test.get("p")),
            ]
        )
    return block("Differences of RC, paired by stimulus; equivalence within a d_z of 0.2", cells)
