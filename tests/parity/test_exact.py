"""`hlx.estimate` by all coalitions against shap's ExactExplainer and shapiq's ExactComputer."""

from __future__ import annotations

import numpy as np
import pytest

import hlx


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 10])
def test_exact_agrees_with_shap_and_shapiq(n: int) -> None:
    table = np.random.default_rng(n).normal(size=1 << n) * 3
    powers = 1 << np.arange(n)

    def game(rows: np.ndarray) -> np.ndarray:
        return table[rows.astype(np.int64) @ powers]

    found = hlx.estimate(game, n).values
    shapiq = pytest.importorskip("shapiq")
    theirs = shapiq.ExactComputer(game, n)("SV")
    np.testing.assert_allclose(found, [theirs[(player,)] for player in range(n)], atol=1e-10)
    if n == 1:  # shap's explainer takes no single player
        return
    shap = pytest.importorskip("shap")
    # A background of zeros hides, an example of ones shows.
    explainer = shap.explainers.Exact(game, shap.maskers.Independent(np.zeros((1, n))))
    np.testing.assert_allclose(explainer(np.ones((1, n))).values[0], found, atol=1e-10)
