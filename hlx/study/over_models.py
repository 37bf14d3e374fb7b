"""RQ2.2, over models: do they differ in RC, and does it go with their accuracy?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from jaxtyping import Float64

from hlx.alignment.inference import (
    Friedman,
    PairedDifference,
    RepeatedMeasuresAnova,
    Unavailable,
    bca_interval,
    correlation_over_models,
    friedman,
    mixed_model,
    one_way_anova,
    paired_differences,
    paired_equivalence,
    rm_anova,
)
from hlx.errors import InputError
from hlx.study.model_summary import ends

SINGLE = "a study of one model has no differences between models"
SAME = "undefined, as the models do not differ on any stimulus"
ALIKE = "undefined, as the models differ by the same on every stimulus"


def over_models(
    rc: Float64[np.ndarray, "n models"],
    names: Sequence[str],
    phenomena: Sequence[str] | None,
    alpha: float,
    seed: int,
) -> tuple[dict[str, Any], dict[str, str]]:
    """Tests over models by key, and the reasons of those that are null.

    anova : one-way, of stimuli as independent groups, as in the study; with Kruskal and Wallis's test.
    rm_anova, friedman : of the same stimuli met by all models; over stimuli with every RC. None where their
        statistic is undefined, since models do not differ or all stimuli have the same differences.
    mixed_model : RC ~ model + phenomenon + (1 | stimulus), or without phenomenon where `phenomena` is None.
    pairwise : for every two models the mean difference of RC, its interval, paired test, effect size d_z and
        equivalence test; empty for a single model.
    """
    tests: dict[str, Callable[[], Any]] = {
        "anova": lambda: one_way_anova(list(rc.T)),
        "rm_anova": lambda: _defined(rm_anova(rc), rc),
        "friedman": lambda: _defined(friedman(rc), rc),
        "mixed_model": lambda: mixed_model(rc, names, phenomena),
    }
    if len(names) < 2:
        return {**dict.fromkeys(tests), "pairwise": []}, dict.fromkeys(tests, SINGLE)
    found: dict[str, Any] = {}
    missing: dict[str, str] = {}
    for key, test in tests.items():
        result = _made(test)
        found[key] = None if isinstance(result, Unavailable) else asdict(result)
        if isinstance(result, Unavailable):
            missing[key] = result.reason
    pairs = _made(lambda: _pairwise(rc, names, alpha, seed))
    if isinstance(pairs, Unavailable):
        missing["pairwise"] = pairs.reason
    return {**found, "pairwise": [] if isinstance(pairs, Unavailable) else pairs}, missing


def _made(test: Callable[[], Any]) -> Any:
    """A test's result; why there is none, where models share too few stimuli with a defined RC."""
    try:
        return test()
    except InputError as error:
        return Unavailable(str(error))


def _defined(
    found: RepeatedMeasuresAnova | Friedman | None, rc: Float64[np.ndarray, "n models"]
) -> RepeatedMeasuresAnova | Friedman | Unavailable:
    """A test whose statistic is a number; otherwise why it is none."""
    if found is not None and found.p is not None:
        return found
    complete = rc[~np.isnan(rc).any(axis=1)]
    return Unavailable(ALIKE if np.ptp(complete, axis=1).any() else SAME)


def accuracy_against_rc(
    entries: Mapping[str, Mapping[str, Any]], seed: int
) -> tuple[dict[str, Any] | None, dict[str, str]]:
    """Mean RC of models against their accuracy, pooled and macro; or why there is none."""
    rc = np.array([entry["rc_mean"] for entry in entries.values()], dtype=np.float64)
    found = {}
    for kind in ("pooled", "macro"):
        shares = np.array([entry[f"accuracy_{kind}"] for entry in entries.values()], dtype=np.float64)
        result = correlation_over_models(rc, shares, seed=seed)
        if isinstance(result, Unavailable):
            return None, {"accuracy_vs_rc": result.reason}
        found[kind] = asdict(result)
    return found, {}


def _pairwise(
    rc: Float64[np.ndarray, "n models"], names: Sequence[str], alpha: float, seed: int
) -> list[dict[str, Any]]:
    columns = dict(zip(names, rc.T, strict=True))
    return [
        _difference(one, columns[one.first], columns[one.second], alpha, seed)
        for one in paired_differences(rc, names)
    ]


def _difference(
    found: PairedDifference,
    first: Float64[np.ndarray, " n"],
    second: Float64[np.ndarray, " n"],
    alpha: float,
    seed: int,
) -> dict[str, Any]:
    test, equivalence = found.test, paired_equivalence(first, second, alpha=alpha)
    return {
        "first": found.first,
        "second": found.second,
        "n": test.n,
        "mean": test.mean,
        "ci": ends(bca_interval(first - second, seed=seed)),
        "t": test.t,
        "t_df": test.df,
        "p": test.p,
        "p_holm": found.p_holm,
        "cohen_d": test.cohen_d,
        "hedges_g": test.hedges_g,
        "wilcoxon_p": None if test.wilcoxon is None else test.wilcoxon.p,
        "wilcoxon_p_holm": found.wilcoxon_p_holm,
        "equivalence": None if equivalence is None else asdict(equivalence),
    }
