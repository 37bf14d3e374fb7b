"""Model maps beside human maps: the reference study's numbers, and what holds of any maps."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from hlx.alignment.compare import Comparison, compare, comparison_panels, comparison_rows, summary
from hlx.alignment.maps import (
    MAGNITUDES,
    MEASURES,
    Measure,
    auc,
    cells_of_clicks,
    leave_one_out,
    spearman_matrix,
)
from hlx.alignment.model_maps import ModelMaps, read_model_maps
from hlx.errors import InputError
from hlx.games.regions import Grid
from hlx.humans import HumanMap, HumanMaps, Response, build_human_maps, read_human_maps

GRID = Grid(3, 4)
CLICKS = ("NSS", "AUC", "shuffled AUC")


def model(n: int = 6, seed: int = 0, grid: Grid = GRID, **changes: object) -> ModelMaps:
    draw = np.random.default_rng(seed)
    values = {f"s{k}": draw.normal(size=grid.n_players) for k in range(n)}
    return replace(ModelMaps("m", grid, values, source="m.h5"), **changes)


def people(n: int = 6, seed: int = 1, grid: Grid = GRID, raters: int = 0) -> HumanMaps:
    """Published maps; with raters, built from so many people's clicks."""
    draw = np.random.default_rng(seed)
    if not raters:
        shares = draw.dirichlet(np.ones(grid.n_players), n)
        return HumanMaps(grid, {f"s{k}": HumanMap(shares[k]) for k in range(n)})
    responses = [
        Response(f"p{rater}", f"s{k}", "caption", draw.uniform(0, 399, (3, 2)))
        for k in range(n)
        for rater in range(raters)
    ]
    return build_human_maps(responses, grid, min_responses=1)


@pytest.fixture(scope="module")
def study(shared: Path) -> list[Comparison]:
    folder = shared / "thesis"
    maps = read_model_maps([folder / f"shapley_{name}.csv" for name in ("CLIP", "FLAVA")])
    humans = read_human_maps(folder / "human_maps.csv")
    return [compare(one, humans) for one in maps]


def test_the_reference_study_is_reproduced(study: list[Comparison]) -> None:
    expected = {
        "CLIP": {"RC": 0.2268, "sem": 0.0298, "EMD": 0.7584, "partial": 0.1845, "null": 0.1265},
        "FLAVA": {"RC": 0.2663, "sem": 0.0285, "EMD": 0.7363, "partial": 0.2106, "null": 0.1354},
    }
    for one in study:
        found, numbers = summary(one), expected[one.model]
        rc = found["measures"]["RC"]
        assert (found["n_stimuli"], rc["n"]) == (92, 92)
        assert round(rc["mean"], 4) == numbers["RC"] and round(rc["sem"], 4) == numbers["sem"]
        assert round(found["measures"]["EMD"]["mean"], 4) == numbers["EMD"]
        assert round(rc["baselines"]["mean human map"], 3) == 0.594
        assert round(found["partial_rc"]["mean human map"]["mean"], 4) == numbers["partial"]
        # The null of random pairings has the matched pairs among them.
        pairs = np.vstack([one.measures["RC"].matched, one.measures["RC"].shuffled])
        assert round(float(pairs.mean()), 4) == numbers["null"]
        assert "7 stimuli without a human map" in one.notes[0] and not one.ceilings
        assert not set(CLICKS) & set(one.measures)


def test_shuffled_pairs_are_all_pairs_off_the_diagonal(study: list[Comparison], shared: Path) -> None:
    folder = shared / "thesis"
    humans = read_human_maps(folder / "human_maps.csv")
    for one, maps in zip(
        study, read_model_maps([folder / f"shapley_{name}.csv" for name in ("CLIP", "FLAVA")]), strict=True
    ):
        phi = np.stack([np.abs(maps.values[name]) for name in one.stimuli])
        matrix = spearman_matrix(phi, np.stack([humans.maps[name].values for name in one.stimuli]))
        np.testing.assert_array_equal(one.measures["RC"].matched, np.diag(matrix))
        off = matrix[~np.eye(92, dtype=bool)].reshape(92, 91)
        np.testing.assert_array_equal(np.sort(one.measures["RC"].shuffled.T, axis=1), np.sort(off, axis=1))


@settings(max_examples=20)
@given(
    n=st.integers(3, 8),
    seed=st.integers(0, 99),
    magnitude=st.sampled_from(MAGNITUDES),
)
def test_the_order_of_stimuli_plays_no_part_in_means(n: int, seed: int, magnitude: str) -> None:
    maps, humans = model(n, seed), people(n, seed + 1)
    one = summary(compare(maps, humans, magnitude=magnitude))
    turned = replace(humans, maps=dict(reversed(list(humans.maps.items()))))
    other = summary(compare(maps, turned, magnitude=magnitude, seed=7))
    for name, found in one["measures"].items():
        for number in ("mean", "sem", "shuffled_mean", "difference", "shuffled_closer"):
            assert found[number] == pytest.approx(other["measures"][name][number], abs=1e-9)
    assert set(one["measures"]) == {
        name
        for name, measure in MEASURES.items()
        if not measure.needs_clicks and not (measure.needs_mass and magnitude == "signed")
    }


@settings(max_examples=20)
@given(n=st.integers(3, 7), seed=st.integers(0, 99))
def test_people_as_the_model_are_perfect(n: int, seed: int) -> None:
    humans = people(n, seed)
    maps = model(n, values={name: human.values for name, human in humans.maps.items()})
    perfect = {
        "RC": 1,
        "EMD": 0,
        "CC": 1,
        "SIM": 1,
        "KLDiv": 0,
        "cosine": 1,
        "top-k IoU": 1,
        "chi-squared": 0,
    }
    found = summary(compare(maps, humans))
    for name, value in perfect.items():
        one = found["measures"][name]
        assert one["mean"] == pytest.approx(value, abs=1e-6) and one["sem"] == pytest.approx(0, abs=1e-6)
        assert one["shuffled_closer"] < 0.5
        assert (one["difference"] > 0) == (one["better"] == "higher")


def test_numbers_are_those_of_scipy() -> None:
    maps, humans = model(), people()
    one = compare(maps, humans, measures=["rc", "cc"])
    assert list(one.measures) == ["RC", "CC"]
    phi = [np.abs(maps.values[name]) for name in one.stimuli]
    seen = [humans.maps[name].values for name in one.stimuli]
    rc = [scipy.stats.spearmanr(a, b).statistic for a, b in zip(phi, seen, strict=True)]
    cc = [scipy.stats.pearsonr(a, b).statistic for a, b in zip(phi, seen, strict=True)]
    np.testing.assert_allclose(one.measures["RC"].matched, rc, atol=1e-12)
    np.testing.assert_allclose(one.measures["CC"].matched, cc, atol=1e-12)
    others = [np.mean([s for k, s in enumerate(seen) if k != own], axis=0) for own in range(len(seen))]
    by_others = [scipy.stats.spearmanr(a, b).statistic for a, b in zip(others, seen, strict=True)]
    np.testing.assert_allclose(one.measures["RC"].baselines["mean human map"], by_others, atol=1e-12)
    found = summary(one)["measures"]["RC"]
    assert found["sem"] == pytest.approx(scipy.stats.sem(rc))
    shuffled = one.measures["RC"].shuffled
    assert found["difference"] == pytest.approx(np.mean(rc - shuffled.mean(axis=0)))
    higher, ties = shuffled > one.measures["RC"].matched, shuffled == one.measures["RC"].matched
    assert found["shuffled_closer"] == pytest.approx(np.mean(higher + ties / 2))


def test_ties_of_shuffled_and_matched_pairs_count_half() -> None:
    shares = np.random.default_rng(0).dirichlet(np.ones(12))
    humans = HumanMaps(GRID, {f"s{k}": HumanMap(shares) for k in range(4)})
    for one in summary(compare(model(4), humans))["measures"].values():
        assert one["shuffled_closer"] == 0.5 and one["difference"] == pytest.approx(0)


def test_many_stimuli_are_compared_with_some_others_each() -> None:
    few = compare(model(100), people(100), measures=["CC"]).measures["CC"].shuffled
    many = compare(model(1200), people(1200), measures=["CC"]).measures["CC"].shuffled
    assert (few.shape, many.shape) == ((99, 100), (9, 1200))
    one = compare(model(103), people(103), measures=["CC"])
    shuffled, matched = one.measures["CC"].shuffled, one.measures["CC"].matched
    assert shuffled.shape == (97, 103) and not np.isin(matched, shuffled).any()
    assert len(np.unique(shuffled)) == shuffled.size  # no pair twice
    same = compare(model(103), people(103), measures=["CC"])
    other = compare(model(103), people(103), measures=["CC"], seed=1)
    np.testing.assert_array_equal(shuffled, same.measures["CC"].shuffled)
    assert not np.array_equal(shuffled, other.measures["CC"].shuffled)


def test_clicks_bring_their_measures_and_ceilings() -> None:
    humans, maps = people(raters=4), model()
    one = compare(maps, humans)
    assert set(one.measures) == set(MEASURES)
    assert set(one.ceilings) == {
        *(f"leave-one-out {name}" for name in MEASURES),
        "split-half RC",
        "split-half CC",
    }
    counts = np.stack(
        [cells_of_clicks(np.concatenate(h.clicks or ()), GRID, 400) for h in humans.maps.values()]
    )
    phi = np.abs(np.stack([maps.values[name] for name in one.stimuli]))
    others = counts.sum(axis=0) - counts
    for name in CLICKS:
        expected = MEASURES[name](phi, clicks=counts, others=others, grid=GRID, side=400)
        np.testing.assert_allclose(one.measures[name].matched, expected, atol=1e-12)
    assert np.isnan(one.measures["NSS"].baselines["uniform"]).all()
    assert (one.measures["AUC"].baselines["uniform"] == 0.5).all()
    for place, human in enumerate(humans.maps.values()):
        assert human.rater_values is not None and human.clicks is not None
        for name in ("RC", "EMD"):
            expected = leave_one_out(human.rater_values, name, GRID)
            assert one.ceilings[f"leave-one-out {name}"][place] == expected
        by_hand = [
            float(
                auc(
                    np.delete(human.rater_values, rater, axis=0).mean(axis=0)[None],
                    cells_of_clicks(human.clicks[rater], GRID, 400)[None],
                    GRID,
                    400,
                )[0]
            )
            for rater in range(4)
        ]
        assert one.ceilings["leave-one-out AUC"][place] == pytest.approx(np.mean(by_hand))


def test_ceilings_do_not_depend_on_what_else_is_asked() -> None:
    humans = people(raters=9)
    everything, some = compare(model(), humans, splits=5), compare(model(), humans, measures=["CC"], splits=5)
    np.testing.assert_array_equal(everything.ceilings["split-half CC"], some.ceilings["split-half CC"])
    other = compare(model(), humans, measures=["CC"], splits=5, seed=1)
    assert not np.array_equal(some.ceilings["split-half CC"], other.ceilings["split-half CC"])
    assert not np.isnan(some.ceilings["split-half CC"]).any()


def test_ceilings_need_two_raters() -> None:
    assert compare(model(), people(raters=1)).ceilings == {}
    many, few = people(raters=3), people(raters=1)
    mixed = replace(many, maps={**many.maps, "s2": few.maps["s2"]})
    for values in compare(model(), mixed).ceilings.values():
        assert np.isnan(values[2]) and np.isfinite(np.delete(values, 2)).all()


def test_one_stimulus_without_clicks_leaves_out_their_measures() -> None:
    humans = people(raters=2)
    humans = replace(humans, maps={**humans.maps, "s1": replace(humans.maps["s1"], clicks=None)})
    assert not set(CLICKS) & set(compare(model(), humans).measures)


def test_the_stimuli_in_common_are_compared_and_the_others_said() -> None:
    humans = people(8)
    humans = replace(humans, dropped={"x": 2})
    maps = model(6)
    maps = replace(maps, values={"x": maps.values["s0"], "y": maps.values["s1"], **maps.values})
    one = compare(maps, humans)
    assert one.stimuli == ("s0", "s1", "s2", "s3", "s4", "s5")
    assert one.notes == (
        "2 stimuli without a human map, 1 for too few valid responses: x, y",
        "2 stimuli with a human map but without one of the model: s6, s7",
    )
    alike = compare(model(6), people(6))
    assert alike.notes == ()


def test_constant_maps_are_undefined_counted_and_said() -> None:
    maps, humans = model(), people()
    flat = np.full(12, 0.25)
    maps = replace(maps, values={**maps.values, "s1": flat, "s3": -flat, "s4": 0 * flat})
    humans = replace(humans, maps={**humans.maps, "s5": HumanMap(np.full(12, 1 / 12))})
    one = compare(maps, humans)
    assert np.isnan(one.measures["RC"].matched).tolist() == [False, True, False, True, True, True]
    assert np.isnan(one.measures["EMD"].matched).tolist() == [False, False, False, False, True, False]
    assert [note.rpartition(": ")[2] for note in one.notes] == ["s4", "s1, s3", "s5"]
    assert "nothing is left of the map of 1 stimulus" in one.notes[0]
    assert "the map is constant of 2 stimuli" in one.notes[1] and "NaN" in one.notes[1]
    assert "the human map is constant of 1 stimulus" in one.notes[2]
    found = summary(one)
    assert found["measures"]["RC"]["n"] == 2 and found["measures"]["EMD"]["n"] == 5
    json.dumps(found, allow_nan=False)
    positive = compare(maps, humans, magnitude="positive")
    assert positive.notes[0].endswith("s3, s4")


def test_rows_hold_every_stimulus_and_measure() -> None:
    one = compare(model(), people(raters=3))
    rows = comparison_rows(one)
    assert len(rows) == len(one.measures) * 6 and len({tuple(row) for row in rows}) == 1
    for row in rows:
        place, result = one.stimuli.index(row["stimulus"]), one.measures[row["measure"]]
        assert row["matched"] == result.matched[place] and row["model"] == "m"
        assert row["shuffled"] == pytest.approx(result.shuffled[:, place].mean())
        assert row["mean_human_map"] == result.baselines["mean human map"][place]
        assert row["leave_one_out"] == one.ceilings[f"leave-one-out {row['measure']}"][place]
        assert (row["split_half"] is not None) == (row["measure"] in ("RC", "CC"))
        given = one.partial_rc["mean human map"][place] if row["measure"] == "RC" else None
        assert row["partial_given_mean_human_map"] == given
    assert {row["uniform"] for row in rows if row["measure"] == "RC"} == {None}


def test_panels_are_those_of_the_measures() -> None:
    both = [compare(model(), people(raters=3)), compare(model(name="k"), people(raters=3), measures=["RC"])]
    panels = {panel.title: panel for panel in comparison_panels(both)}
    assert set(panels) == set(MEASURES)
    assert [row.name for row in panels["RC"].rows] == ["m", "k"] and len(panels["EMD"].rows) == 1
    row = panels["RC"].rows[0]
    np.testing.assert_array_equal(row.observed, both[0].measures["RC"].matched)
    np.testing.assert_array_equal(row.null, both[0].measures["RC"].shuffled)
    marks = ["uniform", "centre bias", "mean human map", "leave-one-out ceiling", "split-half ceiling"]
    assert list(row.lines) == marks and np.isnan(row.lines["uniform"])
    assert row.lines["centre bias"] == pytest.approx(both[0].measures["RC"].baselines["centre bias"].mean())


def test_a_measure_of_ones_own_is_compared_like_any_other() -> None:
    own = Measure("distance", "mean distance", "lower", lambda maps, humans: abs(maps - humans).mean(axis=1))
    humans = people(raters=3)
    one = compare(model(), humans, measures=[own, "RC"])
    phi = np.abs(np.stack([model().values[name] for name in one.stimuli]))
    seen = np.stack([human.values for human in humans.maps.values()])
    expected = np.abs(phi / phi.sum(axis=1, keepdims=True) - seen).mean(axis=1)
    np.testing.assert_allclose(one.measures["distance"].matched, expected)
    assert list(one.ceilings) == ["leave-one-out distance", "leave-one-out RC", "split-half RC"]
    assert summary(one)["measures"]["distance"]["better"] == "lower"
    assert "two measures have this name" in refused(model(), humans, measures=[replace(own, name="RC"), "RC"])


def test_simulated_people_stay_known() -> None:
    one = compare(model(), replace(people(), simulated=True))
    assert one.simulated and summary(one)["simulated"]
    assert not compare(model(), people()).simulated


def refused(maps: ModelMaps, humans: HumanMaps, **how: object) -> str:
    with pytest.raises(InputError) as caught:
        compare(maps, humans, **how)  # type: ignore[arg-type]
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_different_grids_are_refused() -> None:
    message = refused(model(), people(grid=Grid(4, 4)))
    assert all(part in message for part in ("m.h5", "3x4", "4x4"))


@pytest.mark.parametrize("common", [0, 2])
def test_fewer_than_three_stimuli_in_common_are_refused(common: int) -> None:
    humans = people()
    renamed = {(name if int(name[1:]) < common else f"{name}.jpg"): h for name, h in humans.maps.items()}
    message = refused(model(), replace(humans, maps=renamed))
    assert f"{common} of its stimuli" in message and "at least 3" in message
    assert "s0, s1, s2 and 3 more" in message and "and 3 more" in message.rpartition("human maps")[2]


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"measures": ["RCC"]}, "'RCC': expected one of RC, EMD"),
        ({"measures": ["EMD"], "magnitude": "signed"}, "measure EMD: compares distributions"),
        ({"measures": ["NSS"]}, "measure NSS: needs clicks"),
        ({"magnitude": "squared"}, "magnitude: expected one of absolute"),
        ({"seed": -1}, "seed: expected at least 0"),
        ({"splits": 0}, "splits: expected at least 1"),
    ],
)
def test_what_does_not_apply_is_refused(how: dict[str, object], expected: str) -> None:
    assert expected in refused(model(), people(), **how)
