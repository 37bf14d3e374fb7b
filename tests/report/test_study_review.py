"""What the page says of corrections and of a reviewer's questions: the analysis's numbers, and no others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import hlx
from hlx.alignment.analysis import Analysis
from hlx.alignment.inference import Unavailable
from hlx.attribution.map_tables import map_table_text
from hlx.games.regions import Grid
from hlx.io.files import write_csv
from hlx.report.kit.numbers import UNDEFINED, coefficient, interval, number, probability
from hlx.report.kit.sections import Section
from hlx.report.kit.tables import Cell, Table
from hlx.report.pages.study_overview import corrections_section
from hlx.report.pages.study_review import review_section
from tests.report.test_study_page import numbers

GRID = Grid(3, 3)


def tables(section: Section) -> list[Table]:
    return [part.it for part in section.parts if part.kind == "table"]


def words(section: Section) -> str:
    return " ".join(part.it for part in section.parts if part.kind in ("text", "heading"))


def cells(section: Section) -> Iterator[Cell]:
    return (cell for table in tables(section) for row in table.rows for cell in row)


def table_of(section: Section, column: str) -> Table:
    (found,) = (table for table in tables(section) if column in [one.name for one in table.columns])
    return found


def row_of(table: Table, first: str) -> list[str]:
    (found,) = (row for row in table.rows if row[0].text == first)
    return [cell.text for cell in found]


def both(analysis: Analysis) -> tuple[Section, Section]:
    return corrections_section(analysis), review_section(analysis)


def made_up(folder: Path, models: tuple[str, ...], scores: bool, n: int = 8) -> Analysis:
    """Of a study in `folder`, of random maps."""
    names = [f"s{place}" for place in range(n)]
    people = np.random.default_rng(0).dirichlet(np.ones(GRID.n_players), n)
    map_table_text(GRID, dict(zip(names, people, strict=True)), folder / "human_maps.csv")
    for seed, model in enumerate(models, 1):
        rng = np.random.default_rng(seed)
        phi = people + rng.normal(0, 0.1, people.shape)
        map_table_text(GRID, dict(zip(names, phi, strict=True)), folder / f"shapley_{model}.csv")
        if scores:
            columns = ("stimulus", "score_caption", "score_foil")
            rows = [(name, *rng.normal(size=2).tolist()) for name in names]
            write_csv(
                [dict(zip(columns, row, strict=True)) for row in rows], folder / f"scores_stimuli_{model}.csv"
            )
    return hlx.analyze(hlx.read_study(folder), shuffles=50)


@pytest.fixture(scope="module")
def reference(shared: Path) -> Analysis:
    return hlx.analyze(hlx.read_study(shared / "thesis"), shuffles=500)


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    return made_up(tmp_path_factory.mktemp("four"), ("A", "B", "C~1", "D"), scores=True)


def assert_true_to(analysis: Analysis, shown: list[Cell]) -> None:
    """Every number is one of the analysis; nothing undefined looks like a number."""
    known = {0, *numbers(analysis.to_json())}
    for cell in shown:
        if cell.value is not None:
            assert cell.value in known and cell.text != UNDEFINED
        assert not {"nan", "None", "inf"} & set(cell.text.split())


def test_every_number_is_the_analysis_s(reference: Analysis, four: Analysis) -> None:
    for analysis in (reference, four):
        shown = [cell for section in both(analysis) for cell in cells(section)]
        assert_true_to(analysis, shown)
        assert sum(cell.value is not None for cell in shown) > 80


def test_corrections_say_in_words_what_is_significant(reference: Analysis) -> None:
    section, _ = both(reference)
    (table,) = tables(section)
    assert [row[0].text for row in table.rows] == [test.name for test in reference.corrections]
    for test in reference.corrections:
        expected = [test.name, probability(test.p)]
        for one in (test.bonferroni, test.holm, test.benjamini_hochberg):
            expected += [probability(one.p), "yes" if one.significant else "no"]
        assert row_of(table, test.name) == expected
    assert {cell.text for row in table.rows for cell in row[3::2]} == {"yes", "no"}
    assert [row[0].place for row in table.rows] == [0, 0, 0, 1, 1, 1, None]
    assert "7 tests" in words(section) and ".05 / 7 = .0071" in words(section)
    assert "below .05" in table.caption


def test_the_reference_studys_review(reference: Analysis) -> None:
    over, (_, section) = reference.over_models, both(reference)
    clip = reference.models["CLIP"]
    assert row_of(table_of(section, "Wilcoxon"), "CLIP")[1:] == [
        coefficient(clip.rc.mean, 4),
        interval(clip.rc_interval, 4),
        number(clip.rc.cohen_d),
        number(clip.rc.hedges_g),
        probability(clip.rc.p_greater),
        probability(clip.rc.wilcoxon.p),
        probability(clip.permutation.p_corrected),
        probability(clip.permutation.p_two_sided),
        number(clip.permutation.z, 2),
    ]
    scores = row_of(table_of(section, "BCa"), "CLIP")
    assert scores[3:5] == [interval(clip.rho.bca, 4), interval(clip.rho.fisher, 4)]
    assert scores[-1] == coefficient(clip.equivalence.smallest_bound) == ".336"
    power = row_of(table_of(section, "smallest |rho|"), "CLIP")
    assert power == ["CLIP", "92", "0.38", "0.79", "92", ".367", ".169"]
    models = table_of(section, "statistic")
    assert row_of(models, "Analysis of variance")[1:4] == ["independent", "F = 0.915", "1, 182"]
    assert row_of(models, "Friedman")[-1] == f"Kendall's W = {coefficient(over.friedman.kendall_w)}"
    assert row_of(models, "Kruskal\N{EN DASH}Wallis")[-1] == UNDEFINED
    assert "The same stimuli are met by all models" in words(section)
    (pair,) = table_of(section, "within").rows
    assert pair[0].text == "CLIP \N{MINUS SIGN} FLAVA"
    assert pair[-1].value == over.pairwise[0].equivalence.smallest_bound


def test_the_mixed_model_is_shown_if_it_was_fitted(reference: Analysis) -> None:
    pytest.importorskip("statsmodels")
    fit, (_, section) = reference.over_models.mixed_model, both(reference)
    said = words(section)
    assert "RC ~ model + phenomenon + (1 | stimulus), fitted to 184 RCs of 92 stimuli" in said
    assert f"{coefficient(fit.icc)} (intraclass correlation, ICC)" in said and "The fit converged." in said
    effects = table_of(section, "standard error")
    assert [row[0].text.replace("\N{MINUS SIGN}", "-") for row in effects.rows] == [
        "intercept (CLIP, relations)",
        "FLAVA - CLIP",
        "actions - relations",
        "existence - relations",
    ]
    assert [row[1].value for row in effects.rows] == [one.estimate for one in fit.coefficients]


def test_a_fit_without_convergence_shows_no_number(reference: Analysis) -> None:
    pytest.importorskip("statsmodels")
    fit = replace(
        reference.over_models.mixed_model, converged=False, warnings=("the maximum lies on the boundary",)
    )
    _, section = both(replace(reference, over_models=replace(reference.over_models, mixed_model=fit)))
    assert "did not converge" in words(section) and "on the boundary" in words(section)
    assert coefficient(fit.icc) not in words(section)
    shown = {cell.value for cell in cells(section)}
    assert not shown & {number for one in fit.coefficients for number in (one.estimate, one.z, one.low)}


@pytest.mark.parametrize("key", ["anova", "rm_anova", "friedman", "mixed_model", "pairwise"])
def test_what_is_not_there_has_its_reason_instead(four: Analysis, key: str) -> None:
    why = Unavailable("the moon was full")
    without = replace(four, over_models=replace(four.over_models, **{key: why}))
    _, section = both(without)
    assert words(section).count("Not computed: the moon was full.") == 1
    assert_true_to(without, list(cells(section)))


def test_more_models_have_more_pairs_and_a_correction_for_sphericity(
    four: Analysis, reference: Analysis
) -> None:
    corrected = "the same, Greenhouse\N{EN DASH}Geisser"
    _, section = both(four)
    row = row_of(table_of(section, "statistic"), corrected)
    assert row[4] == probability(four.over_models.rm_anova.p_gg)
    assert f"is {coefficient(four.over_models.rm_anova.epsilon)}." in words(section)
    assert len(table_of(section, "within").rows) == 6
    _, section = both(reference)
    assert corrected not in [row[0].text for row in table_of(section, "statistic").rows]
    assert "epsilon" not in words(section)


@pytest.mark.parametrize("scores", [False, True])
def test_a_study_of_one_model(tmp_path: Path, scores: bool) -> None:
    analysis = made_up(tmp_path, ("only",), scores)
    corrections, review = both(analysis)
    assert_true_to(analysis, [*cells(corrections), *cells(review)])
    assert len(tables(corrections)[0].rows) == len(analysis.corrections) == 2 + scores
    assert words(review).count("a study of one model has no differences between models") == 1
    assert "Mixed model" not in words(review) and "Pairs of models" not in words(review)
    assert len(tables(review)) == 2 + scores
    assert ("Not computed: scores of the stimuli" in words(review)) != scores
    power = row_of(table_of(review, "smallest |rho|"), "only")
    assert (power[-2:] == [UNDEFINED, UNDEFINED]) != scores and power[2] != UNDEFINED
