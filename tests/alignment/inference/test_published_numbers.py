"""The reference study's numbers from its published maps and scores."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from hlx.alignment.inference import one_sample_t, paired_differences, pairing_test, rm_anova, spearman

EXPECTED = {
    # RC mean, SEM, t, null mean, its exact expectation, rho, p
    "CLIP": (0.2268, 0.0298, 7.601, 0.1265, 0.12649, 0.1686, 0.108),
    "FLAVA": (0.2663, 0.0285, 9.354, 0.1358, 0.13543, 0.1415, 0.178),
}


def rows_of(path: Path) -> dict[str, np.ndarray]:
    with path.open(encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file)
    return {stimulus: np.array(values, dtype=np.float64) for stimulus, *values in rows}


def rank_correlations(maps: np.ndarray, humans: np.ndarray) -> np.ndarray:
    """Of every map with every human map, to 12 digits."""
    n = len(maps)
    both = np.corrcoef(np.concatenate([stats.rankdata(np.abs(maps), axis=1), stats.rankdata(humans, axis=1)]))
    return np.round(both[:n, n:], 12)


@pytest.fixture(scope="module")
def study(shared: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """RC of every map with every human map, and f, by model."""
    humans = rows_of(shared / "thesis" / "human_maps.csv")
    found = {}
    for name in EXPECTED:
        maps = rows_of(shared / "thesis" / f"shapley_{name}.csv")
        scores = rows_of(shared / "thesis" / f"scores_stimuli_{name}.csv")
        rc = rank_correlations(np.stack([maps[s] for s in humans]), np.stack(list(humans.values())))
        found[name] = rc, np.array([scores[s][0] - scores[s][1] for s in humans])
    return found


@pytest.mark.parametrize("name", list(EXPECTED))
def test_printed_numbers(study: dict[str, tuple[np.ndarray, np.ndarray]], name: str) -> None:
    mean, sem, t, null, expectation, rho, rho_p = EXPECTED[name]
    matrix, f = study[name]
    rc = np.diag(matrix)
    test = one_sample_t(rc)
    assert test.n == 92
    assert (round(test.mean, 4), round(test.sem, 4), round(test.t, 3)) == (mean, sem, t)
    assert test.p < 0.05 / 13 and test.wilcoxon.p < 0.05 / 13
    pairing = pairing_test(matrix)
    assert pairing.p == 0 and pairing.p_corrected == 1 / 10_001
    assert pairing.observed == pytest.approx(test.mean)
    assert matrix.mean() == pytest.approx(expectation, abs=5e-6)
    # The study's own null mean and this one are each the mean of 10,000 draws about the expectation.
    error = pairing.null_sd / np.sqrt(pairing.shuffles)
    assert abs(pairing.null_mean - expectation) < 4 * error and abs(null - expectation) < 4 * error
    relation = spearman(rc, f)
    assert (round(relation.coefficient, 4), round(relation.p, 3)) == (rho, rho_p)
    assert relation.bca.low < 0 < relation.bca.high and relation.fisher.low < 0 < relation.fisher.high


def test_models_hardly_differ(study: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    rc = np.stack([np.diag(matrix) for matrix, _ in study.values()], axis=1)
    (difference,) = paired_differences(rc, list(study))
    assert round(difference.test.mean, 4) == pytest.approx(0.2268 - 0.2663, abs=1e-4)
    assert pytest.approx(difference.test.t**2) == rm_anova(rc).F
    assert difference.test.p > 0.05
