"""One model's numbers as `hlx analyze --json` prints them: RQ1, RQ2.1, scores, and what they could show."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from hlx.alignment.inference import (
    Correlation,
    Interval,
    OneSampleTest,
    bca_interval,
    correlation_equivalence,
    detectable_d,
    detectable_rho,
)
from hlx.study.measuring import MeasuredModel
from hlx.study.study import Benchmark

POWER = 0.8
"""At which the smallest effects that can be found are given."""


def model_entry(
    measured: MeasuredModel,
    test: OneSampleTest,
    correlation: Correlation | None,
    alpha: float,
    alpha_corrected: float,
    seed: int,
) -> dict[str, Any]:
    """The numbers of one model.

    n, rc_undefined : stimuli with a defined RC and without one.
    rc_mean, rc_sd, rc_sem, rc_ci : of these; ddof 1, 95% BCa interval.
    t, t_df, t_p, t_p_greater : one-sample t-test of RC against 0, two-sided and one-sided.
    cohen_d, hedges_g, wilcoxon_p : effect sizes (d_z), and the test of signed ranks.
    permutation_p, permutation_p_corrected : b/n, the study's, and (b+1)/(n+1), of the pairing test; both are
        one-sided, permutation_p_two_sided is not. permutation_exceeding is b; permutation_null_mean,
        permutation_null_sd and permutation_z are of the shuffled means.
    emd_mean, emd_n : earth mover's distance in grid cells, and stimuli that have one.
    rho, rho_n, rho_p, rho_p_greater : Spearman's correlation of RC and f over stimuli with both; p from
        Student's t, as the study has it, which is 0 for |rho| = 1.
    rho_p_exact : two-sided, from all pairings; None for more than 8 stimuli. Corrections take it for rho_p.
    rho_ci, rho_ci_fisher : 95%, BCa and Fisher's z.
    rho_equivalence : two one-sided tests of rho against a small correlation.
    score_sd, score_items, scores_of_own_stimuli : deviation (ddof 0) of f on the benchmark, its items, and
        whether the study's own stimuli stand in for one.
    accuracy_pooled, accuracy_macro, accuracy : over items, mean of phenomena, of each phenomenon; fractions.
    power : the smallest d and rho that a test at the corrected alpha finds with 80% power.

    None where undefined.
    """
    known_emd = measured.emd[~np.isnan(measured.emd)]
    pairing = measured.pairing
    return {
        "n": test.n,
        "rc_undefined": test.dropped,
        "rc_mean": test.mean,
        "rc_sd": test.sd,
        "rc_sem": test.sem,
        "rc_ci": ends(bca_interval(measured.rc, seed=seed)),
        "t": test.t,
        "t_df": test.df,
        "t_p": test.p,
        "t_p_greater": test.p_greater,
        "cohen_d": test.cohen_d,
        "hedges_g": test.hedges_g,
        "wilcoxon_p": None if test.wilcoxon is None else test.wilcoxon.p,
        "permutation_p": pairing.p,
        "permutation_p_corrected": pairing.p_corrected,
        "permutation_p_two_sided": pairing.p_two_sided,
        "permutation_exceeding": pairing.exceeding,
        "permutation_null_mean": pairing.null_mean,
        "permutation_null_sd": pairing.null_sd,
        "permutation_z": pairing.z,
        "emd_mean": float(known_emd.mean()) if len(known_emd) else None,
        "emd_n": len(known_emd),
        **_correlation(correlation, alpha),
        **_scores(measured.model.benchmark),
        "power": {
            "power": POWER,
            "alpha": alpha_corrected,
            "smallest_d": detectable_d(test.n, alpha_corrected, POWER),
            "smallest_rho": None
            if correlation is None
            else detectable_rho(correlation.n, alpha_corrected, POWER),
        },
    }


def ends(interval: Interval | None) -> list[float] | None:
    """Both ends of an interval."""
    return None if interval is None else [interval.low, interval.high]


def _correlation(found: Correlation | None, alpha: float) -> dict[str, Any]:
    equivalence = None if found is None else correlation_equivalence(found.coefficient, found.n, alpha=alpha)
    return {
        "rho": None if found is None else found.coefficient,
        "rho_n": 0 if found is None else found.n,
        "rho_p": None if found is None else found.p,
        "rho_p_greater": None if found is None else found.p_greater,
        "rho_p_exact": None if found is None else found.p_exact,
        "rho_ci": None if found is None else ends(found.bca),
        "rho_ci_fisher": None if found is None else ends(found.fisher),
        "rho_equivalence": None if equivalence is None else asdict(equivalence),
    }


def _scores(benchmark: Benchmark | None) -> dict[str, Any]:
    accuracies = None if benchmark is None else benchmark.accuracies
    each = {} if accuracies is None else accuracies.phenomena
    return {
        "score_sd": None if benchmark is None else benchmark.deviation,
        "score_items": 0 if benchmark is None else len(benchmark.f),
        "scores_of_own_stimuli": benchmark is not None and benchmark.own_stimuli,
        "accuracy_pooled": None if accuracies is None else accuracies.pooled.share,
        "accuracy_macro": None if accuracies is None else accuracies.macro,
        "accuracy": {name: accuracy.share for name, accuracy in each.items()},
    }
