"""An attribution by itself: its map, its share of magnitude, its JSON."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from hlx.attribution.attribution import CONTEXT_FIELDS, Attribution, Context, holding_tables
from hlx.attribution.export import pixel_explanation
from hlx.attribution.magnitudes import magnitude
from hlx.errors import InputError, OutputError
from hlx.games.regions import Grid, LabelMap, Regions

PHI = arrays(np.float64, 6, elements=st.floats(-1e6, 1e6, allow_subnormal=False))


def attribution_of(values: np.ndarray, regions: Regions, errors: np.ndarray | None = None) -> Attribution:
    return Attribution(
        values=values,
        grand_coalition_value=float(values.sum()),
        baseline_value=0.0,
        n_evaluations=64,
        regions=regions,
        estimator="exact" if errors is None else "permutation",
        standard_error=errors,
    )


@given(values=PHI)
def test_normalized_is_the_compared_map(values: np.ndarray) -> None:
    share = attribution_of(values, Grid(2, 3)).normalized
    np.testing.assert_array_equal(share, magnitude(values))
    if values.any():
        assert (share >= 0).all()
        assert share.sum() == pytest.approx(1)
        np.testing.assert_allclose(share * np.abs(values).sum(), np.abs(values), rtol=1e-9)


def test_a_map_of_zeros_is_no_distribution() -> None:
    assert np.isnan(attribution_of(np.zeros(6), Grid(2, 3)).normalized).all()


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
    assert made["kind"] == "Shapley values"
    assert made["shapley"] == [[0.5, -1.0, 2.0], [0.0, 1e-9, 3.0]]
    assert made["standard_error"] == [[0.5, 1.0, 2.0], [0.0, 1e-9, 3.0]]
    assert made["grid"] == "2x3" and made["regions"] == {"kind": "grid", "rows": 2, "cols": 3}
    assert not set(made) & set(CONTEXT_FIELDS)
    flat = attribution_of(values, LabelMap(np.array([[0, 1, 2, 3, 4, 5]]))).as_dict()
    assert flat["grid"] is None and flat["shapley"] == values.tolist() and flat["standard_error"] is None


@given(values=PHI, level=st.floats(0.01, 0.999), degrees=st.none() | st.floats(1, 1e4))
def test_intervals_are_students(values: np.ndarray, level: float, degrees: float | None) -> None:
    errors = np.arange(1.0, 7.0)
    made = replace(attribution_of(values, Grid(2, 3), errors), degrees_of_freedom=degrees)
    ends = made.interval(level)
    law = stats.norm if degrees is None else stats.t(degrees)
    np.testing.assert_allclose((ends[:, 1] - ends[:, 0]) / (2 * errors), law.ppf((1 + level) / 2), rtol=1e-6)
    np.testing.assert_allclose(ends.mean(axis=1), values, atol=1e-6 * np.abs(ends).max())


def test_intervals_that_cannot_be_had() -> None:
    exact = attribution_of(np.ones(6), Grid(2, 3))
    np.testing.assert_array_equal(exact.interval(), np.ones((6, 2)))
    with pytest.raises(InputError, match="partition gave no standard errors here; `hlx estimators` lists"):
        replace(exact, estimator="partition").interval()
    with pytest.raises(InputError, match=r"between 0 and 1, such as 0\.95; found 95"):
        exact.interval(95.0)


def test_csv_has_a_line_per_player(tmp_path: Path) -> None:
    values, errors = np.array([0.5, -1.0, 2.0, 0.0, 1e-9, 1 / 3]), np.full(6, 0.1)
    made = attribution_of(values, Grid(2, 3), errors)
    assert made.to_csv(tmp_path / "a.csv") == (tmp_path / "a.csv").read_text() == made.to_csv()
    with pytest.raises(OutputError, match="exists"):
        made.to_csv(tmp_path / "a.csv")
    with open(tmp_path / "a.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["value"]) for row in rows] == values.tolist()
    assert {row["kind"] for row in rows} == {"Shapley values"}
    assert [(int(row["row"]), int(row["column"])) for row in rows] == [divmod(i, 3) for i in range(6)]
    assert [(float(r["low"]), float(r["high"])) for r in rows] == [tuple(e) for e in made.interval().tolist()]
    bare = replace(made, regions=None, standard_error=None, estimator="rise", kind="RISE values").rows()[0]
    assert (bare["row"], bare["low"], bare["standard_error"], bare["estimator"]) == (None, None, None, "rise")
    assert bare["kind"] == "RISE values"


def test_shap_draws_it() -> None:
    shap = pytest.importorskip("shap")
    values, errors = np.array([0.5, -1.0, 2.0, 0.0, 1e-9, 3.0]), np.full(6, 0.1)
    made = replace(attribution_of(values, Grid(2, 3), errors), baseline_value=-4.0).to_shap()
    assert isinstance(made, shap.Explanation) and made.base_values == -4.0
    np.testing.assert_array_equal(made.values, values)
    assert made.feature_names[5] == "region (1, 2)"
    with pytest.raises(InputError, match="no image"):
        attribution_of(values, Grid(2, 3)).to_shap(pixels=True)
    image = np.zeros((7, 7, 3), np.uint8)
    pixels = pixel_explanation(values, -4.0, Grid(2, 3), image)
    assert pixels.values.shape == pixels.data.shape == (1, 7, 7, 3)
    totals = np.bincount(Grid(2, 3).labels(7).ravel(), pixels.values[0].sum(axis=2).ravel())
    np.testing.assert_allclose(totals, values, atol=1e-12)


@given(values=PHI, over=st.floats(1e-3, 10) | st.floats(-10, -1e-3))
def test_shap_gets_only_what_adds_up(values: np.ndarray, over: float) -> None:
    pytest.importorskip("shap")
    kept = replace(attribution_of(values, Grid(2, 3)), kind="Owen values", baseline_value=0.0)
    assert kept.to_shap().values.tolist() == values.tolist()
    for pixels in (False, True):
        with pytest.raises(
            InputError, match="losses of exact do not add up to grand_coalition_value - baseline_value"
        ):
            off = over * (1 + np.abs(values).sum())
            replace(kept, kind="losses", grand_coalition_value=kept.grand_coalition_value + off).to_shap(
                pixels
            )


def test_without_shap_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "shap", None)
    with pytest.raises(InputError, match="pip install shap"):
        attribution_of(np.ones(6), Grid(2, 3)).to_shap()


def test_a_bare_game_is_a_coloured_table_in_a_notebook() -> None:
    values = np.array([0.5, -1.0, 2.0, 0.0, 1e-9, 3.0])
    shown = ElementTree.fromstring(attribution_of(values, Grid(2, 3))._repr_html_())
    cells = [[float(cell.text or "") for cell in row] for row in shown.iter("tr")]
    np.testing.assert_allclose(cells, values.reshape(2, 3), atol=0.01)
    assert "Shapley values: exact, 64 evaluations" in "".join(shown.itertext())
    other = replace(attribution_of(values, Grid(2, 3)), estimator="rise", kind="RISE values")._repr_html_()
    assert "RISE values: rise" in other and "Shapley" not in other
    many = replace(attribution_of(np.arange(100.0), Grid(10, 10)), regions=None)
    shown = ElementTree.fromstring(many._repr_html_())
    assert len(list(shown.iter("td"))) == 64 and "and 36 more" in "".join(shown.itertext())


def test_bare_game_cannot_be_drawn() -> None:
    with pytest.raises(InputError, match="no image"):
        attribution_of(np.ones(6), Grid(2, 3)).plot("nowhere.png")


def test_context_fields_are_all_but_the_pixels() -> None:
    assert set(CONTEXT_FIELDS) == set(Context.__dataclass_fields__) - {"shown", "hidden"}


def test_a_table_of_several_attributions_counts_once() -> None:
    tables = np.arange(128.0).reshape(2, 64)
    bare = attribution_of(np.ones(6), Grid(2, 3))
    kept = [
        replace(bare, coalition_values=tables[i], estimator=name)
        for i in (0, 1)
        for name in ("leverage", "exact")
    ]
    assert kept[0].coalition_values is not kept[1].coalition_values  # two views of one table
    assert holding_tables([bare, *kept, bare]) == [kept[0], kept[2]]
    assert holding_tables([bare]) == []
    # Equal values elsewhere are another table.
    assert len(holding_tables([kept[0], replace(kept[0], coalition_values=tables[0].copy())])) == 2
