"""`partition` against shap's PartitionExplainer, run on tables of random games."""

from __future__ import annotations

import numpy as np
import pytest

from hlx.estimators.partition import PARTITION
from hlx.games.coalitions import ids_from_rows
from hlx.games.regions import Grid

shap = pytest.importorskip("shap", reason="the test extra has shap")

# 1 x 1 is no grid, and shap cannot make a tree of one leaf.
GRIDS = [(4, 4), (3, 3), (2, 5), (5, 3), (1, 2), (1, 7), (1, 11), (6, 1), (3, 4), (2, 2)]


def values_of_shap(table: np.ndarray, rows: int, cols: int) -> tuple[np.ndarray, int]:
    """PartitionExplainer's values and how many coalitions it asked for, with the budget of the whole tree."""
    n = rows * cols
    asked: list[int] = []

    def worth(images: np.ndarray) -> np.ndarray:
        ids = ids_from_rows(images.reshape(-1, n).astype(bool))
        asked.extend(ids.tolist())
        return table[ids]

    masker = shap.maskers.Image(np.zeros((1, rows, cols)))
    explainer = shap.PartitionExplainer(worth, masker)
    found = explainer(np.ones((1, 1, rows, cols)), max_evals=10**6, silent=True)
    return found.values.ravel(), len(set(asked))


@pytest.mark.parametrize(("rows", "cols"), GRIDS)
def test_agrees_with_shap(rows: int, cols: int) -> None:
    n = rows * cols
    table = np.random.default_rng(n).normal(size=1 << n)
    expected, evaluations = values_of_shap(table, rows, cols)
    plan = PARTITION.plan(n, 10**6, np.random.default_rng(0), Grid(rows, cols))
    found = plan.solve(table[ids_from_rows(plan.coalitions)]).values
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)
    assert len(plan.coalitions) == evaluations
