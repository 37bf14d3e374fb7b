"""The study's numbers: its published ones to the printed digits, and every test as scipy makes it."""

from __future__ import annotations

import json
from dataclasses import replace
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hlx.alignment.analysis import Analysis, Benchmark, Study, StudyModel, analysis_text, analyze, read_study
from hlx.alignment.analysis.formats import bounded, p_is
from hlx.alignment.analysis.questions import over_models
from hlx.alignment.inference import Unavailable
from hlx.alignment.model_maps import ModelMaps
from hlx.errors import InputError
from hlx.games.regions import Grid
from hlx.humans import HumanMap, HumanMaps

GRID = Grid(3, 3)
PHENOMENA = ("existence", "relations", "actions")
MODELS = ("first", "second", "third", "fourth")


def study_of(
    models: int = 4, n: int = 20, seed: int = 0, ties: bool = False, grid: Grid = GRID, benchmark: bool = True
) -> Study:
    """Models whose maps take after the human maps, each less than the one before."""
    rng = np.random.default_rng(seed)
    names = tuple(f"s{i:02}" for i in range(n))
    people = rng.gamma(0.5, size=(n, grid.n_players)) + 1e-3
    if ties:
        people = np.ceil(people)
        people[:, 0] += 9  # no map is constant
    people /= people.sum(axis=1, keepdims=True)
    humans = HumanMaps(grid, {name: HumanMap(values) for name, values in zip(names, people, strict=True)})
    made = []
    for place, model in enumerate(MODELS[:models]):
        phi = people * rng.choice([-1, 1], people.shape) + 0.1 * (place + 1) * rng.normal(size=people.shape)
        f = dict(zip(names, rng.normal(0.5, 2, n).tolist(), strict=True))
        items = rng.normal(0.3 + 0.1 * place, 2, 90)
        scores = Benchmark(items, tuple(PHENOMENA[i % 3] for i in range(90))) if benchmark else None
        maps = ModelMaps(model, grid, dict(zip(names, phi, strict=True)), f, source=f"shapley_{model}.csv")
        made.append(StudyModel(maps, scores))
    return Study("made up", Path("nowhere"), grid, names, {}, {}, humans, tuple(made))


def changed(study: Study, place: int, stimulus: str, values: np.ndarray) -> Study:
    """The study with another map of a model."""
    models = list(study.models)
    maps = models[place].maps
    models[place] = replace(models[place], maps=replace(maps, values={**maps.values, stimulus: values}))
    return replace(study, models=tuple(models))


@pytest.fixture(scope="module")
def reference(shared: Path) -> Analysis:
    return analyze(read_study(shared / "thesis", pictures=False))


@pytest.mark.parametrize(
    ("model", "numbers"),
    [
        (
            "CLIP",
            {
                "rc.n": "92",
                "rc.mean": "0.2268",
                "rc.sem": "0.0298",
                "rc.t": "7.601",
                "emd_mean": "0.7584",
                "rho.coefficient": "0.1686",
                "rho.p": "0.108",
                "scores.deviation": "1.7092",
                "scores.accuracy_pooled": "0.716",
                "scores.accuracy_macro": "0.698",
            },
        ),
        (
            "FLAVA",
            {
                "rc.n": "92",
                "rc.mean": "0.2663",
                "rc.sem": "0.0285",
                "rc.t": "9.354",
                "emd_mean": "0.7363",
                "rho.coefficient": "0.1415",
                "rho.p": "0.178",
                "scores.deviation": "2.9008",
                "scores.accuracy_pooled": "0.672",
                "scores.accuracy_macro": "0.651",
            },
        ),
    ],
)
def test_the_published_numbers_come_out(reference: Analysis, model: str, numbers: dict[str, str]) -> None:
    found = reference.models[model]
    printed = {
        name: f"{attrgetter(name)(found):.{len(text.partition('.')[2])}f}" for name, text in numbers.items()
    }
    assert printed == numbers
    assert found.rc.p < 1e-10 and found.permutation.p < 1e-4
    assert found.permutation.exceeding == 0
    assert found.permutation.p_corrected == 1 / 10_001
    published = {"CLIP": 0.1265, "FLAVA": 0.1358}[model]
    # Both this mean and the published one are of 10,000 shuffles.
    error = found.permutation.null_sd * np.sqrt(2 / 10_000)
    assert abs(found.permutation.null_mean - published) < 4 * error


def test_the_reference_study_as_a_whole(reference: Analysis) -> None:
    found = reference
    assert (len(found.corrections), len(found.study.stimuli), found.alpha) == (7, 92, 0.05)
    assert found.alpha_corrected == 0.05 / 7
    rc = [model.by_stimulus.rc for model in reference.models.values()]
    anova, paired = stats.f_oneway(*rc), stats.ttest_rel(*rc)
    one_way, repeated = found.over_models.anova, found.over_models.rm_anova
    assert (one_way.F, one_way.p) == pytest.approx((anova.statistic, anova.pvalue))
    assert (repeated.F, repeated.p) == pytest.approx((paired.statistic**2, paired.pvalue))
    assert found.over_models.pairwise[0].difference.test.p == pytest.approx(paired.pvalue)
    assert "at least 3" in found.over_models.unavailable["accuracy_vs_rc"]
    assert "7 without a human map" in found.notes[0]
    json.dumps(found.to_json(), allow_nan=False)


def test_every_number_of_a_model_is_scipys() -> None:
    study = study_of(ties=True)
    analysis = analyze(study, shuffles=2000)
    humans = np.array([study.humans.maps[name].values for name in study.stimuli])
    for model in study.models:
        own, found = analysis.models[model.name].by_stimulus, analysis.models[model.name]
        maps = abs(model.phi(study.stimuli))
        rc = np.array([stats.spearmanr(p, h).statistic for p, h in zip(maps, humans, strict=True)])
        np.testing.assert_allclose(own.rc, rc, atol=1e-11)
        test = stats.ttest_1samp(rc, 0)
        assert (found.rc.t, found.rc.p) == pytest.approx((test.statistic, test.pvalue))
        assert found.rc.p_greater == pytest.approx(stats.ttest_1samp(rc, 0, alternative="greater").pvalue)
        assert found.rc.sem == pytest.approx(stats.sem(rc))
        assert found.rc.cohen_d == pytest.approx(rc.mean() / rc.std(ddof=1))
        assert found.rc.wilcoxon.p == pytest.approx(stats.wilcoxon(own.rc).pvalue)
        f = np.array(list(model.maps.f.values()))
        rho = stats.spearmanr(rc.round(12), f)
        assert (found.rho.coefficient, found.rho.p) == pytest.approx((rho.statistic, rho.pvalue))
        assert model.benchmark is not None
        np.testing.assert_array_equal(own.normalised_f, f / model.benchmark.f.std())
        assert found.scores.accuracy_pooled == (model.benchmark.f > 0).mean()
        assert list(found.scores.accuracy) == list(PHENOMENA)
        assert found.scores.accuracy_macro == pytest.approx(np.mean(list(found.scores.accuracy.values())))
        assert found.rc_interval.low < found.rc.mean < found.rc_interval.high


def test_the_earth_movers_distance_is_pots() -> None:
    ot = pytest.importorskip("ot")
    study = study_of(1, 5)
    humans = np.array([study.humans.maps[name].values for name in study.stimuli])
    maps = abs(study.models[0].phi(study.stimuli))
    cells = np.stack(np.divmod(np.arange(9), 3), axis=1).astype(float)
    costs = np.linalg.norm(cells[:, None] - cells[None], axis=2)
    expected = [ot.emd2(p / p.sum(), h, costs) for p, h in zip(maps, humans, strict=True)]
    analysis = analyze(study, shuffles=10)
    np.testing.assert_allclose(analysis.models["first"].by_stimulus.emd, expected, atol=1e-9)
    assert analysis.models["first"].emd_mean == pytest.approx(np.mean(expected))


def test_the_permutation_test_is_scipys() -> None:
    study = study_of(1, 6, seed=3)
    found = analyze(study, shuffles=200_000).models["first"]
    humans = np.array([study.humans.maps[name].values for name in study.stimuli])
    maps = abs(study.models[0].phi(study.stimuli))
    matrix = np.array([[stats.spearmanr(p, h).statistic for h in humans] for p in maps])
    exact = stats.permutation_test(
        (np.arange(6),),
        lambda rows: matrix[rows, np.arange(6)].mean(),
        permutation_type="pairings",
        n_resamples=np.inf,
        alternative="greater",
    )
    assert found.permutation.p == pytest.approx(exact.pvalue, abs=0.005)
    assert found.permutation.null_mean == pytest.approx(matrix.mean(), abs=0.002)


def test_tests_over_models_are_scipys() -> None:
    analysis = analyze(study_of(), shuffles=500)
    found = analysis
    rc = [model.by_stimulus.rc for model in analysis.models.values()]
    anova, ranks, friedman = stats.f_oneway(*rc), stats.kruskal(*rc), stats.friedmanchisquare(*rc)
    assert (found.over_models.anova.F, found.over_models.anova.p) == pytest.approx(
        (anova.statistic, anova.pvalue)
    )
    assert found.over_models.anova.kruskal_p == pytest.approx(ranks.pvalue)
    assert found.over_models.friedman.chi2 == pytest.approx(friedman.statistic)
    assert found.over_models.friedman.p == pytest.approx(friedman.pvalue)
    assert found.over_models.rm_anova.df2 == 57
    assert [(one.difference.first, one.difference.second) for one in found.over_models.pairwise][:4] == [
        ("first", "second"),
        ("first", "third"),
        ("first", "fourth"),
        ("second", "third"),
    ]
    means = [one.rc.mean for one in found.models.values()]
    for kind in ("pooled", "macro"):
        shares = [getattr(one.scores, f"accuracy_{kind}") for one in found.models.values()]
        against = getattr(found.over_models.accuracy_vs_rc, kind)
        assert against.pearson.coefficient == pytest.approx(stats.pearsonr(means, shares).statistic)
        assert against.spearman.coefficient == pytest.approx(stats.spearmanr(means, shares).statistic)


def test_the_family_of_four_models_has_thirteen_tests() -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    found = analyze(study_of(), shuffles=500, alpha=0.01)
    assert len(found.corrections) == found.to_json()["n_tests"] == 13
    assert found.alpha_corrected == 0.01 / 13
    p = [one.p for one in found.corrections]
    assert found.corrected("permutation test", "second").p == found.models["second"].permutation.p_corrected
    for name, method in (("bonferroni", "bonferroni"), ("holm", "holm"), ("benjamini_hochberg", "fdr_bh")):
        below, corrected, *_ = multitest.multipletests(p, 0.01, method)
        assert [getattr(one, name).p for one in found.corrections] == pytest.approx(corrected)
        assert [getattr(one, name).significant for one in found.corrections] == below.tolist()
    for one in found.models.values():
        assert one.detectable.alpha == 0.01 / 13


def test_a_correlation_needs_as_much_as_the_reference_study_had() -> None:
    study = study_of(4, 92, seed=1)
    found = analyze(study, shuffles=10)
    assert round(found.alpha_corrected, 4) == 0.0038
    assert found.models["first"].detectable.rho == pytest.approx(0.39, abs=0.005)


def test_a_study_of_one_model_has_no_tests_over_models() -> None:
    analysis = analyze(study_of(1), shuffles=100)
    found = analysis
    assert len(found.corrections) == 3 and found.over_models.pairwise == ()
    printed = json.loads(json.dumps(found.to_json(), allow_nan=False))
    for key in ("anova", "rm_anova", "friedman", "mixed_model", "accuracy_vs_rc"):
        assert printed["over_models"][key] is None and printed["unavailable"][key]
    text = analysis_text(analysis)
    assert "a study of one model has no differences between models" in text


@pytest.mark.parametrize("human", [False, True])
def test_constant_maps_are_left_out_counted_and_said(human: bool) -> None:
    study = study_of(2)
    flat = np.full(9, 1 / 9)
    if human:
        maps = {**study.humans.maps, "s03": HumanMap(flat)}
        study = replace(study, humans=replace(study.humans, maps=maps))
    else:
        study = changed(study, 1, "s03", -flat)
    analysis = analyze(study, shuffles=300)
    second, found = analysis.models["second"], analysis
    assert (second.rc.n, second.rc.dropped, second.rho.n) == (19, 1, 19)
    assert np.isnan(analysis.models["second"].by_stimulus.rc).nonzero()[0].tolist() == [3]
    assert (analysis.models["first"].rc.n, found.over_models.rm_anova.n) == (19 if human else 20, 19)
    undefined = [note for note in found.notes if "RC is undefined" in note]
    assert undefined == [
        "RC is undefined for 1 stimulus (s03) whose human map is constant; left out of all models' tests"
        if human
        else "second: RC is undefined for 1 stimulus (s03) whose map of the model is constant; "
        "left out of its tests"
    ]
    assert (second.emd_n, analysis.models["first"].emd_n) == (20, 20)
    others = [note for note in found.notes if note not in undefined]
    assert [note.partition(";")[0] for note in others] == [
        f"{name}: mean EMD is of 20 stimuli, mean RC of 19"
        for name in (("first", "second") if human else ("second",))
    ]
    # As if the stimulus had never been there.
    without = replace(study, stimuli=tuple(name for name in study.stimuli if name != "s03"))
    again = analyze(without, shuffles=300).models["second"]
    for path in ("rc.mean", "rc.t", "permutation.p", "permutation.null_mean", "rho.coefficient",
                 "rc_interval.low", "rc_interval.high"):  # fmt: skip
        assert attrgetter(path)(second) == pytest.approx(attrgetter(path)(again), rel=1e-12)
    row = next(row for row in analysis.rows() if (row["stimulus"], row["model"]) == ("s03", "second"))
    assert row["rc"] is None and row["emd"] is not None


def test_a_map_of_nothing_has_no_emd_either() -> None:
    analysis = analyze(changed(study_of(1), 0, "s03", np.zeros(9)), shuffles=10)
    found = analysis.models["first"]
    assert (found.rc.n, found.emd_n) == (19, 19)
    assert not any("EMD" in note for note in analysis.notes)


@pytest.mark.parametrize("n", [3, 4])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_perfect_order_of_few_stimuli_is_not_significant(n: int, sign: int) -> None:
    study = study_of(2, n)
    models = []
    for name, model in zip(MODELS, study.models, strict=False):
        rc = analyze(study, shuffles=5).models[name].by_stimulus.rc
        f = dict(zip(study.stimuli, (sign * rc).tolist(), strict=True))
        models.append(replace(model, maps=replace(model.maps, f=f)))
    analysis = analyze(replace(study, models=tuple(models)), shuffles=50)
    for name in MODELS[:2]:
        found = analysis.models[name]
        assert found.rho.coefficient == pytest.approx(sign) and found.rho.p == pytest.approx(0, abs=1e-6)
        assert found.rho.p_exact == pytest.approx(2 / {3: 6, 4: 24}[n])
        one = analysis.corrected("correlation with f", name)
        assert one.p == found.rho.p_exact
        assert not any(each.significant for each in (one.bonferroni, one.holm, one.benjamini_hochberg))
    text = analysis_text(analysis)
    assert "exact p" in text and "correlations of few stimuli exact" in text


def test_the_exact_p_is_of_few_stimuli_alone() -> None:
    analysis = analyze(study_of(1, 9), shuffles=10)
    found = analysis.models["first"]
    assert found.rho.p_exact is None
    assert analysis.corrected("correlation with f", "first").p == found.rho.p
    assert "exact" not in analysis_text(analysis)


def test_both_correlations_over_models_have_an_exact_p() -> None:
    analysis = analyze(study_of(4), shuffles=10)
    text = " ".join(analysis_text(analysis).split())
    found = analysis.over_models.accuracy_vs_rc
    for one in (found.pooled, found.macro):
        for sign, known in (("rho", one.spearman), ("r", one.pearson)):
            assert f"{sign} = {bounded(known.coefficient)}, exact {p_is(known.p_exact)}" in text


def test_models_that_differ_by_a_constant_have_a_reason_for_it() -> None:
    rc = np.array([[0.5, 0.25], [0.75, 0.5], [1.0, 0.75]])
    found = over_models(rc, MODELS[:2], None, Unavailable("not asked"), 0.05, 0)
    assert found.friedman.p < 0.1
    missing = found.unavailable
    assert missing["rm_anova"] == "undefined, as the models differ by the same on every stimulus"
    assert "friedman" not in missing


def test_models_that_do_not_differ_have_a_reason_for_it() -> None:
    study = study_of(2)
    maps = study.models[0].maps
    twin = replace(study.models[1], maps=replace(study.models[1].maps, values=maps.values))
    analysis = analyze(replace(study, models=(study.models[0], twin)), shuffles=10)
    found = analysis
    why = "undefined, as the models do not differ on any stimulus"
    for key in ("rm_anova", "friedman"):
        assert getattr(found.over_models, key) == Unavailable(why)
    text = " ".join(analysis_text(analysis).split())
    assert f"repeated-measures ANOVA, Friedman: not computed: {why}" in text
    assert "F(1, 19) = -" not in text and "chi2(1) = -" not in text
    json.dumps(found.to_json(), allow_nan=False)


def test_a_model_of_constant_maps_is_refused() -> None:
    study = study_of(2)
    for name in study.stimuli[2:]:
        study = changed(study, 0, name, np.ones(9))
    with pytest.raises(
        InputError, match=r"shapley_first\.csv: RC is defined for 2 stimuli of 20, .*at least 3"
    ):
        analyze(study)


def test_unknown_scores_leave_the_correlation_out() -> None:
    study = study_of(2, benchmark=False)
    blind = replace(study.models[0], maps=replace(study.models[0].maps, f={}))
    half = {name: f for name, f in study.models[1].maps.f.items() if name < "s10"}
    some = replace(study.models[1], maps=replace(study.models[1].maps, f=half))
    analysis = analyze(replace(study, models=(blind, some)), shuffles=100)
    first, second = analysis.models["first"], analysis.models["second"]
    assert (first.rho.coefficient, first.rho.n, first.equivalence) == (None, 0, None)
    assert (first.scores.deviation, first.scores.accuracy_pooled, first.scores.accuracy) == (None, None, {})
    assert second.rho.n == 10
    assert len(analysis.corrections) == 6 and np.isnan(second.by_stimulus.normalised_f).all()
    assert [row["f"] is None for row in analysis.rows()[:2]] == [True, False]
    assert "-" in analysis_text(analysis)
    json.dumps(analysis.to_json(), allow_nan=False)


def test_equal_scores_cannot_normalise() -> None:
    study = study_of(1)
    flat = Benchmark(np.ones(4), ("x",) * 4)
    analysis = analyze(replace(study, models=(replace(study.models[0], benchmark=flat),)), shuffles=10)
    found = analysis.models["first"]
    assert np.isnan(found.by_stimulus.normalised_f).all() and found.scores.deviation == 0
    assert any("cannot be normalised" in note for note in analysis.notes)


@pytest.mark.parametrize("kind", ["positive", "signed"])
def test_magnitudes_are_options(kind: str) -> None:
    study = study_of(1)
    analysis = analyze(study, magnitude=kind, shuffles=50)
    phi = study.models[0].phi(study.stimuli)
    maps = np.maximum(phi, 0) if kind == "positive" else phi
    humans = [study.humans.maps[name].values for name in study.stimuli]
    rc = [stats.spearmanr(p, h).statistic for p, h in zip(maps, humans, strict=True)]
    np.testing.assert_allclose(analysis.models["first"].by_stimulus.rc, rc, atol=1e-11)
    assert (analysis.models["first"].emd_mean is None) == (kind == "signed")
    assert any("EMD is undefined" in note for note in analysis.notes) == (kind == "signed")


def test_results_depend_on_the_seed_and_on_nothing_else() -> None:
    study = study_of(2)
    once, again = (analyze(study, shuffles=3000, seed=5, threads=threads) for threads in (1, 2))
    assert once.to_json() == again.to_json()
    other = analyze(study, shuffles=3000, seed=6)
    nulls = [one.models["first"].permutation.null for one in (once, again, other)]
    np.testing.assert_array_equal(nulls[0], nulls[1])
    assert (nulls[2] != nulls[0]).any()
    assert other.models["first"].rc.t == once.models["first"].rc.t


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1))
def test_correlations_that_are_equal_tie(seed: int) -> None:
    """Stimuli whose cells are those of another in a different order have its RC, to the last bit."""
    study = study_of(1, 6, seed, ties=True)
    rng = np.random.default_rng(seed)
    humans, phi = dict(study.humans.maps), dict(study.models[0].maps.values)
    for one, other in (("s00", "s03"), ("s01", "s04"), ("s02", "s05")):
        order = rng.permutation(9)
        humans[other], phi[other] = HumanMap(humans[one].values[order]), phi[one][order]
    model = replace(study.models[0], maps=replace(study.models[0].maps, values=phi))
    shuffled = replace(study, humans=replace(study.humans, maps=humans), models=(model,))
    rc = analyze(shuffled, shuffles=5).models["first"].by_stimulus.rc
    np.testing.assert_array_equal(rc[:3], rc[3:])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"alpha": 0.0}, "alpha: expected a number between 0 and 0.5"),
        ({"alpha": 0.5}, "alpha"),
        ({"shuffles": 0}, "shuffles: expected at least 1"),
        ({"seed": -1}, "seed: expected at least 0"),
        ({"magnitude": "loud"}, "magnitude: expected one of absolute, positive, signed, found 'loud'"),
    ],
)
def test_options_out_of_range_are_refused(options: dict, said: str) -> None:
    with pytest.raises(InputError) as caught:
        analyze(study_of(1), **options)
    assert said in str(caught.value)


def test_the_text_has_every_question_and_no_p_of_zero() -> None:
    study = study_of(n=40)
    text = analysis_text(analyze(replace(study, notes=("a note",)), shuffles=400))
    for part in ("RQ1", "RQ2.1", "RQ2.2", "13 tests", "(0 of 400)", "< .0025", "- a note", "mixed model"):
        assert part in text
    assert "p = .0000" not in text and " .0000 (" not in text and "SIMULATED" not in text
    simulated = replace(study, humans=replace(study.humans, simulated=True))
    assert "simulated participants" in analysis_text(analyze(simulated, shuffles=10))


def test_rows_have_every_stimulus_and_model() -> None:
    analysis = analyze(study_of(2, 5), shuffles=10)
    rows = analysis.rows()
    assert [(row["stimulus"], row["model"]) for row in rows[:3]] == [
        ("s00", "first"),
        ("s00", "second"),
        ("s01", "first"),
    ]
    assert len(rows) == 10
    second = [row for row in rows if row["model"] == "second"]
    for column in ("rc", "emd", "normalised_f"):
        assert [row[column] for row in second] == getattr(
            analysis.models["second"].by_stimulus, column
        ).tolist()
    assert [row["f"] for row in second] == list(analysis.study.models[1].maps.f.values())


def test_too_few_shuffles_and_stimuli_are_said() -> None:
    few = analyze(study_of(), shuffles=5)
    assert len(few.corrections) > 0
    needed = round(len(few.corrections) / 0.05)
    (note,) = [note for note in few.notes if "shuffles cannot" in note]
    assert note.endswith(f"at least {needed:,} are needed")
    # The least p of so many shuffles is below the corrected alpha, of one fewer it is not.
    assert 1 / (needed + 1) < few.alpha_corrected <= 1 / needed + 1e-12
    assert not any("shuffles cannot" in note for note in analyze(study_of(), shuffles=needed).notes)
    assert any("are few" in note for note in few.notes) == (len(few.study.stimuli) < 20)
