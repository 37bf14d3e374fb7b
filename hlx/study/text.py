"""An analysis as text for a terminal: the study's questions in its order, a reviewer's, and the notes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hlx.study.analysis import Analysis
from hlx.study.columns import (
    block,
    bounded,
    number,
    p_is,
    percent,
    probability,
    share_of_shuffles,
    wrapped,
)
from hlx.study.review_text import review_blocks
from hlx.wording import counted, stimuli_counted

KINDS = {"absolute": "|phi|", "positive": "the positive part of phi", "signed": "phi"}
CORRECTIONS = ("bonferroni", "holm", "benjamini_hochberg")
SIGNIFICANT = "*"


def analysis_text(analysis: Analysis) -> str:
    """All tables and sentences of an analysis, no line longer than its tables."""
    found = analysis.summary
    blocks = [
        _head(found),
        _maps(found),
        _scores(found),
        _models(found),
        _corrections(found),
        "Beside the study's own tests",
        *review_blocks(found),
    ]
    if found["notes"]:
        blocks.append("\n".join(["Notes", *(wrapped(f"- {note}", "  ") for note in found["notes"])]))
    return "\n\n".join(blocks)


def _head(found: dict[str, Any]) -> str:
    names = ", ".join(found["models"])
    what = wrapped(
        f"{found['study']}: {stimuli_counted(found['n_stimuli'])} on a {found['grid']} grid, "
        f"{counted(len(found['models']), 'model')}: {names}; {KINDS[found['magnitude']]} against human maps",
        "  ",
    )
    if found["simulated"]:
        what += "\nSIMULATED PARTICIPANTS: these human maps are of simulated participants, nobody took part."
    return what


def _maps(found: dict[str, Any]) -> str:
    cells = [["model", "n", "mean RC", "SEM", "t", "p", "shuffled RC", "permutation p (b/n)", "EMD"]]
    for name, one in found["models"].items():
        cells.append(
            [
                name,
                number(one["n"], 0),
                bounded(one["rc_mean"]),
                bounded(one["rc_sem"]),
                number(one["t"]),
                probability(one["t_p"]),
                bounded(one["permutation_null_mean"]),
                share_of_shuffles(one["permutation_exceeding"], found["shuffles"]),
                number(one["emd_mean"], 4),
            ]
        )
    return block("RQ1    Do models look where people look? RC: rank correlation with the human map", cells)


def _scores(found: dict[str, Any]) -> str:
    cells = [["model", "n", "rho", "p", "score sd", "of items"]]
    for name, one in found["models"].items():
        cells.append(
            [
                name,
                number(one["rho_n"], 0),
                bounded(one["rho"]),
                probability(one["rho_p"]),
                number(one["score_sd"], 4),
                number(one["score_items"], 0),
            ]
        )
    return block("RQ2.1  Does RC go with the normalised score f of the stimuli? (Spearman)", cells)


def _models(found: dict[str, Any]) -> str:
    phenomena = list(dict.fromkeys(name for one in found["models"].values() for name in one["accuracy"]))
    cells = [["model", "mean RC", "accuracy", "macro", *phenomena]]
    for name, one in found["models"].items():
        shares = [one["accuracy_pooled"], one["accuracy_macro"], *map(one["accuracy"].get, phenomena)]
        cells.append([name, bounded(one["rc_mean"]), *map(percent, shares)])
    return "\n".join(
        [
            block("RQ2.2  Do models differ in RC, and does it go with their accuracy?", cells),
            f"  ANOVA, stimuli as independent groups: {_anova(found)}",
            *_against(found),
        ]
    )


def _anova(found: dict[str, Any]) -> str:
    one = found["anova"]
    if one is None:
        return found["unavailable"]["anova"]
    return f"F({one['df_between']}, {one['df_within']}) = {number(one['F'])}, {p_is(one['p'])}"


def _against(found: dict[str, Any]) -> Iterator[str]:
    if found["accuracy_vs_rc"] is None:
        yield wrapped(f"  mean RC against accuracy: {found['unavailable']['accuracy_vs_rc']}", "    ")
        return
    for kind, one in found["accuracy_vs_rc"].items():
        rank, linear = one["spearman"], one["pearson"]
        yield wrapped(
            f"  mean RC against {kind} accuracy over {rank['n']} models: "
            f"rho = {bounded(rank['coefficient'])}, {_exact_p_is(rank)}; "
            f"r = {bounded(linear['coefficient'])}, {_exact_p_is(linear)}",
            "    ",
        )


def _exact_p_is(found: dict[str, Any]) -> str:
    return p_is(found["p"]) if found["p_exact"] is None else f"exact {p_is(found['p_exact'])}"


def _corrections(found: dict[str, Any]) -> str:
    cells = [["test", "p", "Bonferroni", "Holm", "Benjamini-Hochberg"]]
    for name, one in found["corrections"].items():
        corrected = [
            f"{probability(one[kind])} {SIGNIFICANT if one['significant'][kind] else ' '}"
            for kind in CORRECTIONS
        ]
        cells.append([name, probability(one["p"]), *(text.rjust(9) for text in corrected)])
    title = (
        f"{counted(found['n_tests'], 'test')}, Bonferroni's alpha {bounded(found['alpha'], 2)} / "
        f"{found['n_tests']} = {bounded(found['alpha_corrected'])}; corrected p-values, "
        f"{SIGNIFICANT} below {bounded(found['alpha'], 2)}"
    )
    exact = any(one["rho_p_exact"] is not None for one in found["models"].values())
    said = f"p of permutation tests is (b+1)/(n+1){', of correlations of few stimuli exact' if exact else ''}"
    return f"{block(title, cells)}\n  {said}"
