"""Where the games of a benchmark come from, and what tables and pictures say of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlx.attribution.attribution import Attribution
from hlx.attribution.result_file import save
from hlx.bench import (
    BenchmarkGame,
    benchmark_estimators,
    benchmark_figure,
    games_from_attributions,
    markdown,
    read_games,
    report,
)
from hlx.bench.error_plot import spread
from hlx.bench.error_tables import uncertain
from hlx.bench.result import Summary, summarise
from hlx.errors import InputError, NonFiniteScoreError
from hlx.games.regions import Grid
from hlx.io.messages import text_table
from hlx.kernels import shapley
from tests.bench.test_replay import fake, tables

# --- games


def test_games_come_from_results(tmp_path: Path) -> None:
    [table] = tables(1, 4)
    kept = Attribution(shapley(table), 0.0, 0.0, 16, Grid(2, 2), "exact", coalition_values=table)
    save(tmp_path / "kept.h5", [kept])
    [game] = read_games(tmp_path / "kept.h5")
    np.testing.assert_array_equal(game.coalition_values, table)
    assert game.regions == Grid(2, 2)
    bare = replace(kept, coalition_values=None)
    [game] = games_from_attributions([bare, kept, replace(kept, estimator="leverage")], "a.h5")
    np.testing.assert_array_equal(game.coalition_values, table)
    assert game.seconds_per_evaluation is None
    with pytest.raises(InputError, match=r"a\.h5: has no table of all coalitions"):
        games_from_attributions([bare, bare], "a.h5")


def test_games_come_from_arrays(tmp_path: Path) -> None:
    many = tables(2, 4)
    np.save(tmp_path / "one.npy", many[0])
    np.savez(tmp_path / "many.npz", values=many, game=np.arange(2), other=np.zeros(3))
    np.savez(tmp_path / "two.npz", values=many, phi=np.zeros((2, 4)))
    [game] = read_games(tmp_path / "one.npy", regions=Grid(2, 2))
    assert game.regions == Grid(2, 2)
    assert [g.name for g in read_games(tmp_path / "many.npz")] == ["many.npz:values[0]", "many.npz:values[1]"]
    with pytest.raises(InputError, match="values, phi could all be tables"):
        read_games(tmp_path / "two.npz")
    chosen = read_games(tmp_path / "two.npz", ["values"])
    np.testing.assert_array_equal([g.coalition_values for g in chosen], many)


def test_bad_tables_are_refused() -> None:
    table = tables(1, 3)[0]
    with pytest.raises(InputError, match="9 players"):
        BenchmarkGame("a", np.zeros(512), Grid(4, 4))
    with pytest.raises(InputError, match=r"\(2\^n,\)"):
        BenchmarkGame("a", table[:7])
    table[5] = np.nan
    with pytest.raises(NonFiniteScoreError, match=r"a: .*players 0, 2 of 3"):
        BenchmarkGame("a", table)


# --- what is said of them


def test_summaries_leave_out_what_is_undefined() -> None:
    found = summarise(np.array([[1.0, np.nan], [2.0, 6.0]]))
    assert found is not None
    assert (found.mean, found.quartiles, found.count) == (3.0, (1.5, 2.0, 4.0), 3)
    assert found.sem == pytest.approx(np.sqrt(7 / 3))
    assert summarise(np.full((2, 2), np.nan)) is None
    alone = summarise(np.ones((1, 1)))
    assert alone is not None and alone.sem is None


def test_uncertain_numbers_are_short() -> None:
    def text(mean: float, sem: float | None) -> str:
        return uncertain(Summary(mean, sem, (0.0, 0.0, 0.0), 2))

    assert text(0.00134, 0.0002) == "1.3(2)e-3"
    assert text(0.000998, 0.00001) == "1.0(1)e-3"
    assert text(0.0, 0.0) == "0"
    assert text(2.0, None) == "2.0e0"


def test_the_report_fits_and_says_what_was_left_out() -> None:
    made = tables()
    names = [fake(made, "leverage"), fake(made, "an-estimator-named-at-length", expensive=True)]
    late = fake(made, "late", min_budget=lambda n: 20)
    result = benchmark_estimators(made, [*names, late], range(8, 24), repeats=4, expensive_repeats=3)
    text = report(result)
    assert max(map(len, text.splitlines())) <= 100
    assert "an-estimator-named-at-length*" in text and "* 3 repeats: an-estimator-named-at-length" in text
    assert "below the least budget: late 20" in text
    table = markdown(result, "ratio").splitlines()
    assert {line.count("|") for line in table} == {18} and table[2].count("1.00") == 16


def test_a_wide_table_is_cut_into_blocks_that_hold_every_column() -> None:
    head = ["", *(f"{i:05}" for i in range(13))]
    text = text_table([head, ["row", *["1"] * 13]], 40)
    assert max(map(len, text.splitlines())) <= 40
    assert all(text.count(name) == 1 for name in head[1:])


@given(st.lists(st.floats(-2.0, 3.0), min_size=1, max_size=20))
def test_labels_stay_in_the_picture(wanted: list[float]) -> None:
    heights = spread(np.sort(np.array(wanted)), 0.05)
    assert (np.diff(heights) >= 0.05 - 1e-12).all()
    assert heights.min() >= 0 and heights.max() <= 1 + 1e-12


def test_an_error_beyond_measure_does_not_squash_the_picture() -> None:
    made = tables()
    run = [fake(made), fake(made, "wide", 0.3), fake(made, "singular", 1e15)]
    [axes] = benchmark_figure(benchmark_estimators(made, run, [8, 16], repeats=2)).axes
    low, high = axes.get_ylim()
    assert low < 0.01 and high < 1e3


def test_bands_are_whole_below() -> None:
    made = tables()
    steady, rare = fake(made), fake(made, "rare", 0.3)
    result = benchmark_estimators(made, [steady, rare], [8, 16], repeats=8)
    for row in result.rows:  # means that are mostly their own standard error
        row.samples["mse"][:] = 0
        row.samples["mse"][0] = 1
    [axes] = benchmark_figure(result).axes
    lowest = min(path.vertices[:, 1].min() for band in axes.collections for path in band.get_paths())
    assert lowest > axes.get_ylim()[0]


def test_labels_are_spread_apart_and_stay_near() -> None:
    wanted = np.array([0.1, 0.11, 0.12, 0.5, 0.9])
    heights = spread(wanted, 0.05)
    assert (np.diff(heights) >= 0.05 - 1e-12).all()
    np.testing.assert_allclose(heights[3:], wanted[3:])
    np.testing.assert_allclose(heights[:3].mean(), wanted[:3].mean())


def test_the_figure_draws_every_estimator() -> None:
    made = tables()
    result = benchmark_estimators(made, [fake(made), fake(made, "wide", 0.3)], [8, 12, 16], repeats=3)
    [axes] = benchmark_figure(result).axes
    assert axes.get_yscale() == axes.get_xscale() == "log"
    assert [text.get_text() for text in axes.texts] == ["fake", "wide"]
    for line, name in zip(axes.lines, result.estimators, strict=True):
        means = [result.row(name, budget).samples["mse"].mean() for budget in (8, 12, 16)]  # type: ignore[union-attr]
        np.testing.assert_allclose(line.get_ydata(), means)
    assert len(axes.collections) == 2
