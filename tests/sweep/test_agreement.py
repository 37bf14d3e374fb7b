"""Agreement of maps: across grids, across backgrounds, with the exact values; and what maps cost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hlx.alignment.maps import cosine, spearman
from hlx.games.regions import Grid
from hlx.sweep.across_settings.agreement import across_backgrounds, across_grids, mean_over_stimuli
from hlx.sweep.across_settings.estimator_error import costs, estimator_errors
from hlx.sweep.results.merged_file import load_results
from hlx.sweep.results.rows import Row
from hlx.sweep.results.sweep_maps import BEST, SweepMap, best, pairs, read_maps, settings
from tests.support.merged_sweeps import FINE, How, additive, write_sweep

SAMPLED = (How("odd-gp", 64, 0, 0.2), How("odd-gp", 64, 1, 0.2), How("odd-gp", "8n", 0, 0.1))


def maps_of(folder: Path, **options: object) -> list[SweepMap]:
    with load_results(write_sweep(folder / "merged.h5", **options)) as results:  # type: ignore[arg-type]
        return read_maps(results)


def test_a_model_whose_pixels_act_each_for_itself_agrees_on_nested_grids(tmp_path: Path) -> None:
    found = across_grids(maps_of(tmp_path, grids=("4x4", "2x2")))
    assert [(pair.model, pair.first, pair.second, pair.common) for pair in found] == [
        ("CLIP", "2x2", "4x4", "2x2"),
        ("FLAVA", "2x2", "4x4", "2x2"),
    ]
    for pair in found:
        assert pair.setting == "exact"
        assert pair.agreement.rank_signed.mean == pytest.approx(1)
        assert pair.agreement.cosine_signed.mean == pytest.approx(1)
        # Magnitudes are taken on each grid: within a coarse cell phi of both signs cancels, |phi| does not.
        assert pair.agreement.cosine.mean is not None and pair.agreement.cosine.mean < 1


def test_maps_are_compared_by_stimulus_and_averaged_over_seeds_first(tmp_path: Path) -> None:
    maps = maps_of(tmp_path, models=("CLIP",), grids=("2x3", "4x3"), hows=SAMPLED[:2], stimuli=5)
    [pair] = across_grids(maps, Grid(2, 3))
    by_hand = []
    for stimulus in range(5):
        of = {(m.row.regions, m.row.seed): m.values for m in maps if m.row.stimulus == f"s{stimulus}"}
        each = []
        for seed in (0, 1):
            fine = of["4x3", seed].reshape(2, 2, 3).sum(axis=1).ravel()
            coarse = of["2x3", seed]
            each.append(
                (
                    float(spearman(coarse[None], fine[None])[0]),
                    float(cosine(coarse[None], fine[None])[0]),
                )
            )
        by_hand.append(np.mean(each, axis=0))
    rank, cos = np.mean(by_hand, axis=0)
    assert pair.agreement.rank_signed.mean == pytest.approx(rank)
    assert pair.agreement.cosine_signed.mean == pytest.approx(cos)
    assert pair.agreement.rank_signed.stimuli == 5
    low, high = pair.agreement.rank_signed.low, pair.agreement.rank_signed.high
    assert low is not None and high is not None and low < rank < high


def test_the_common_grid_is_as_asked(tmp_path: Path) -> None:
    maps = maps_of(tmp_path, models=("CLIP",), grids=("2x4", "3x2"))
    assert [pair.common for pair in across_grids(maps)] == ["2x2"]
    assert [pair.common for pair in across_grids(maps, "finest")] == ["3x4"]
    assert [pair.common for pair in across_grids(maps, Grid(5, 1))] == ["5x1"]
    # A single row and a single column have only the whole image in common.
    crossed = maps_of(tmp_path, models=("CLIP",), grids=("1x4", "4x1"))
    assert across_grids(crossed) == [] and len(across_grids(crossed, "finest")) == 1


def test_coarse_maps_tie_on_finer_grids(tmp_path: Path) -> None:
    """Thirds of a cell differ in their last bits; ranked as they come, equal parts would be put in order."""
    maps = maps_of(tmp_path, models=("CLIP",), grids=("2x2", "6x6"), hows=(How("odd-gp", 64),))
    [pair] = across_grids(maps, "finest")
    by_hand = []
    for stimulus in (f"s{i}" for i in range(6)):
        coarse = np.kron(additive("CLIP", stimulus, Grid(2, 2), "").reshape(2, 2), np.ones((3, 3))).ravel()
        fine = additive("CLIP", stimulus, Grid(6, 6), "")
        by_hand.append(float(spearman(coarse[None], fine[None])[0]))
    assert pair.agreement.rank_signed.mean == pytest.approx(np.mean(by_hand), abs=1e-12)


def test_backgrounds_agree_as_far_as_their_maps_do(tmp_path: Path) -> None:
    def turned(model: str, stimulus: str, grid: Grid, background: str) -> np.ndarray:
        values = additive(model, stimulus, grid, background)
        return {"blur": values, "mean": 2 * values, "black": -values}[background]

    found = across_backgrounds(
        maps_of(
            tmp_path, models=("CLIP",), grids=("3x3",), backgrounds=("blur", "mean", "black"), values=turned
        )
    )
    signed = {(pair.first, pair.second): pair.agreement.rank_signed.mean for pair in found}
    assert signed == {("blur", "mean"): 1, ("blur", "black"): -1, ("mean", "black"): -1}
    assert all(pair.agreement.rank.mean == 1 for pair in found)
    # All stimuli alike: nothing to draw an interval from.
    assert all(pair.agreement.rank.low is None for pair in found)


def test_budgets_are_the_same_as_numbers_or_as_multiples_of_the_regions(tmp_path: Path) -> None:
    found = settings(maps_of(tmp_path, models=("CLIP",), hows=(How(), *SAMPLED), grids=("3x3", "4x4", "5x5")))
    assert list(found) == ["exact", "odd-gp 64", "odd-gp 8n"]
    assert {m.row.budget for m in found["odd-gp 8n"]} == {72, 128, 200}


def test_every_budget_is_compared_where_most_regions_share_it(tmp_path: Path) -> None:
    hows = tuple(How("odd-gp", budget) for budget in ("2n", "8n", "32n"))
    found = settings(maps_of(tmp_path, models=("CLIP",), hows=hows, grids=("4x4", "8x8", "16x16")))
    regions = {name: {m.row.regions for m in them} for name, them in found.items()}
    everywhere = {"4x4", "8x8", "16x16"}
    # All three also have 512 evaluations in common.
    assert regions == dict.fromkeys(("odd-gp 512", "odd-gp 2n", "odd-gp 8n", "odd-gp 32n"), everywhere)
    two = settings(maps_of(tmp_path, models=("CLIP",), hows=hows, grids=("4x4", "8x8")))
    both = {name for name, them in two.items() if {m.row.regions for m in them} == {"4x4", "8x8"}}
    assert both == set(two) == {"odd-gp 128", "odd-gp 512", "odd-gp 2n", "odd-gp 8n", "odd-gp 32n"}
    one = settings(maps_of(tmp_path, models=("CLIP",), hows=hows, grids=("4x4",)))
    assert set(one) == {"odd-gp 32", "odd-gp 128", "odd-gp 512"}


def test_exact_maps_meet_every_seed_and_sampled_ones_their_own(tmp_path: Path) -> None:
    hows = (How(), *(How("odd-gp", 100, seed, 0.3) for seed in (0, 1, 2)))
    maps = maps_of(tmp_path, models=("CLIP",), hows=hows, grids=("3x3", "5x5"), stimuli=3)
    exact = [m for m in maps if m.row.regions == "3x3" and m.exact]
    fine, coarse = ([m for m in maps if m.row.regions == grid and not m.exact] for grid in ("5x5", "3x3"))
    for found in (pairs(exact, fine), pairs(fine, exact)):
        assert [len(them) for them in found.values()] == [3, 3, 3]
    for them in pairs(coarse, fine).values():
        assert sorted((one.row.seed, other.row.seed) for one, other in them) == [(0, 0), (1, 1), (2, 2)]


def test_the_best_maps_are_chosen_where_any_model_lacks_the_others(tmp_path: Path) -> None:
    hows = (How(), How("odd-gp", 100, 0, 0.1))

    def lost(row: Row) -> bool:
        return row.model == "FLAVA" and row.regions == "3x3" and row.estimator == "odd-gp"

    found = across_grids(maps_of(tmp_path, hows=hows, grids=("3x3", "5x5"), missing=lost))
    assert {(pair.setting, pair.model) for pair in found} == {
        (BEST, "CLIP"),
        (BEST, "FLAVA"),
        ("odd-gp 100", "CLIP"),
    }


def test_what_differs_by_rounding_alone_ties(tmp_path: Path) -> None:
    def alike(model: str, stimulus: str, grid: Grid, background: str) -> np.ndarray:
        noise = np.random.default_rng([int(stimulus[1:]), len(background)]).integers(0, 2, grid.n_players)
        return np.where(noise, 1.0, np.nextafter(1.0, 2.0))

    def cancelling(model: str, stimulus: str, grid: Grid, background: str) -> np.ndarray:
        cells = np.random.default_rng(int(stimulus[1:])).normal(size=(grid.rows // 2, grid.cols // 2))
        return np.kron(cells, [[0.1, 0.2], [0.3, -0.6]]).ravel()

    for found in (
        across_grids(maps_of(tmp_path, models=("CLIP",), values=alike)),
        across_backgrounds(
            maps_of(tmp_path, models=("CLIP",), values=alike, backgrounds=("blur", "mean"), grids=("3x3",))
        ),
    ):
        [pair] = found
        assert pair.agreement.rank.mean is None and pair.agreement.rank_signed.mean is None
    [pair] = across_grids(
        maps_of(
            tmp_path,
            models=("CLIP",),
            values=cancelling,
            grids=("6x6", "12x12"),
            hows=(How("leverage", 100),),
        )
    )
    assert pair.agreement.rank_signed.mean is None and pair.agreement.cosine_signed.mean is None
    assert pair.agreement.rank.stimuli == 6


def test_the_best_maps_are_exact_ones_then_those_of_most_evaluations(tmp_path: Path) -> None:
    hows = (How(), How("odd-gp", 64, 0, 0.2), How("odd-gp", 100, 0, 0.1), How("occlusion"))
    maps = maps_of(tmp_path, models=("CLIP",), hows=hows, grids=("3x3", "5x5"))
    chosen = {(m.row.regions, m.row.estimator, m.row.budget) for m in best(maps)}
    assert chosen == {("3x3", "exact", None), ("5x5", "odd-gp", 100)}
    only = maps_of(tmp_path, models=("CLIP",), hows=(How(),), grids=("2x2", "3x3"))
    assert list(settings(only)) == ["exact"]
    mixed = maps_of(tmp_path, models=("CLIP",), grids=("3x3", "5x5"), hows=(How(), How("odd-gp", "8n")))
    partial = [m for m in mixed if (m.row.estimator == "exact") == (m.row.regions == "3x3")]
    assert next(iter(settings(partial))) == BEST
    [pair] = [pair for pair in across_grids(partial) if pair.setting == BEST]
    assert (pair.first, pair.second) == ("3x3", "5x5")


def test_errors_are_against_the_exact_values_of_the_same_question(tmp_path: Path) -> None:
    maps = maps_of(tmp_path, models=("CLIP",), hows=(How(), *SAMPLED), grids=("3x3", "5x5"), stimuli=40)
    found = {error.budget: error for error in estimator_errors(maps)}
    assert set(found) == {64, 72} and all(error.regions == "3x3" for error in found.values())
    assert found[64].seeds == 2 and found[72].seeds == 1
    # phi of a 3x3 cell sums 16 standard normal numbers; errors have standard deviations 0.2 and 0.1.
    for budget, sigma in ((64, 0.2), (72, 0.1)):
        error = found[budget]
        assert error.relative_squared_error.mean == pytest.approx(sigma**2 / 16, rel=0.35)
        assert error.coverage.mean == pytest.approx(0.95, abs=0.04)
        assert error.rank.mean is not None and error.rank.mean > 0.9
    exact = {m.row.stimulus: m.values for m in maps if m.exact}
    own = [m for m in maps if m.row.budget == 72]
    by_hand = sum(np.sum((m.values - exact[m.row.stimulus]) ** 2) for m in own) / sum(
        np.sum(exact[m.row.stimulus] ** 2) for m in own
    )
    assert found[72].relative_squared_error.mean == pytest.approx(by_hand)


def test_numbers_undefined_for_one_seed_leave_those_of_others(tmp_path: Path) -> None:
    hows = (How(), *(How("odd-gp", 64, seed, 0.1) for seed in (0, 1)))
    maps = maps_of(tmp_path, models=("CLIP",), hows=hows, grids=("3x3",), stimuli=5)
    spoilt = [
        replace(m, values=np.zeros(9), standard_error=None)
        if m.row.seed == 1 and m.row.stimulus == "s0"
        else m
        for m in maps
    ]
    [error] = estimator_errors(spoilt)
    assert (error.rank.stimuli, error.coverage.stimuli, error.seeds) == (5, 5, 2)


def test_other_values_are_compared_but_called_what_they_are(tmp_path: Path) -> None:
    hows = (How(), How("occlusion", 11, 0, 0.1), How("odd-gp", 64, 0, 0.2))
    found = estimator_errors(maps_of(tmp_path, models=("CLIP",), hows=hows, grids=("3x3",)))
    assert {error.estimator: error.kind for error in found} == {
        "occlusion": "occlusion values",
        "odd-gp": "Shapley values",
    }


def test_multiples_on_label_maps_are_one_budget(tmp_path: Path) -> None:
    hows = (How(), How("odd-gp", "8n", 0, 0.1))
    grids = [("1x8", "s0"), ("3x3", "s1"), ("2x5", "s2"), ("3x3", "s3")]
    maps = [
        replace(m, grid=None, row=replace(m.row, regions="labels"))
        for m in maps_of(tmp_path, models=("CLIP",), hows=hows, grids=("1x8", "3x3", "2x5"))
        if (m.row.regions, m.row.stimulus) in grids
    ]
    [error] = estimator_errors(maps)
    assert (error.budget, error.n_players, error.evaluations) == ("8n", 9, 72)
    assert error.rank.stimuli == 4


def test_costs_count_what_was_computed_once(tmp_path: Path) -> None:
    maps = maps_of(tmp_path, models=("CLIP",), grids=("2x2", "3x3"), stimuli=4)
    twice = costs([*maps, *maps])
    assert twice == costs(maps)
    assert [(cost.regions, cost.jobs, cost.evaluations) for cost in twice] == [
        ("2x2", 4, 16),
        ("3x3", 4, 512),
    ]
    assert twice[1].total_seconds == pytest.approx(4 * twice[1].seconds)  # type: ignore[operator]
    partly = costs([replace(m, seconds=None) if m.row.stimulus == "s1" else m for m in maps])
    assert [cost.total_seconds for cost in partly] == [None, None]
    assert [cost.seconds for cost in partly] == pytest.approx([4e-3, 9e-3])


def test_constant_maps_have_no_agreement_and_few_stimuli_no_interval(tmp_path: Path) -> None:
    def constant(model: str, stimulus: str, grid: Grid, background: str) -> np.ndarray:
        return np.zeros(grid.n_players)

    [pair] = across_grids(maps_of(tmp_path, models=("CLIP",), values=constant))
    assert (pair.agreement.rank.mean, pair.agreement.rank.stimuli) == (None, 0)
    few = mean_over_stimuli(np.array([0.5, np.nan, 0.7]))
    assert (few.mean, few.low, few.stimuli) == (pytest.approx(0.6), None, 2)
    assert FINE.n_players == 144
