"""An attribution by itself: its map, its share of magnitude, its JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hlx.attribution import CONTEXT_FIELDS, Attribution, Context
from hlx.errors import InputError
from hlx.regions import Grid, LabelMap, Regions

PHI = arrays(np.float64, 6, elements=st.floats(-1e6, 1e6, allow_subnormal=False))


def attribution_of(values: np.ndarray, regions: Regions, errors: np.ndarray | None = None) -> Attribution:
    return Attribution(
        values=values,
        v_all=float(values.sum()),
        v_none=0.0,
        n_evaluations=64,
        regions=regions,
        estimator="exact" if errors is None else "permutation",
        standard_error=errors,
    )


@given(values=PHI)
def test_normalized_is_a_distribution(values: np.ndarray) -> None:
    share = attribution_of(values, Grid(2, 3)).normalized
    assert (share >= 0).all()
    assert share.sum() == pytest.approx(1)
    if values.any():
        np.testing.assert_allclose(share * np.abs(values).sum(), np.abs(values), rtol=1e-9)
    else:
        np.testing.assert_array_equal(share, np.full(6, 1 / 6))


@given(values=PHI, factor=st.floats(0.01, 100))
def test_normalized_has_neither_sign_nor_scale(values: np.ndarray, factor: float) -> None:
    one, other = attribution_of(values, Grid(2, 3)), attribution_of(-factor * values, Grid(2, 3))
    np.testing.assert_allclose(one.normalized, other.normalized, atol=1e-12)


def test_map_of_a_grid_and_of_labels() -> None:
    values = np.arange(6.0)
    np.testing.assert_array_equal(attribution_of(values, Grid(2, 3)).map, [[0, 1, 2], [3, 4, 5]])
    labels = np.array([[0, 0, 5, 4], [1, 2, 3, 3]])
    np.testing.assert_array_equal(attribution_of(values, LabelMap(labels)).map, labels)


def test_as_dict_of_a_bare_game() -> None:
    values = np.array([0.5, -1.0, 2.0, 0.0, 1e-9, 3.0])
    made = json.loads(json.dumps(attribution_of(values, Grid(2, 3), np.abs(values)).as_dict()))
    assert made["shapley"] == [[0.5, -1.0, 2.0], [0.0, 1e-9, 3.0]]
    assert made["standard_error"] == [[0.5, 1.0, 2.0], [0.0, 1e-9, 3.0]]
    assert made["grid"] == "2x3" and made["regions"] == {"kind": "grid", "rows": 2, "cols": 3}
    assert not set(made) & set(CONTEXT_FIELDS)
    flat = attribution_of(values, LabelMap(np.array([[0, 1, 2, 3, 4, 5]]))).as_dict()
    assert flat["grid"] is None and flat["shapley"] == values.tolist() and flat["standard_error"] is None


def test_bare_game_cannot_be_drawn() -> None:
    with pytest.raises(InputError, match="no image"):
        attribution_of(np.ones(6), Grid(2, 3)).plot("nowhere.png")


def test_context_fields_are_all_but_the_pixels() -> None:
    assert set(CONTEXT_FIELDS) == set(Context.__dataclass_fields__) - {"shown", "hidden"}
