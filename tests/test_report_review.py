"""What the page says of corrections and of a reviewer's questions: the summary's numbers, and no others."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hlx
from hlx.files import write_csv
from hlx.map_tables import map_table_text
from hlx.regions import Grid
from hlx.report.corrections import corrections_section
from hlx.report.numbers import UNDEFINED, coefficient, interval, number, probability
from hlx.report.parts import Section
from hlx.report.review import review_section
from hlx.report.tables import Cell, Summary, Table
from hlx.study import Analysis

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


def at(values: Any, pointer: str) -> Any:
    """What a JSON pointer points at (RFC 6901)."""
    for key in pointer.split("/")[1:]:
        key = key.replace("~1", "/").replace("~0", "~")
        values = values[int(key)] if isinstance(values, list) else values[key]
    return values


def both(summary: dict[str, Any]) -> tuple[Section, Section]:
    names, read = list(summary["models"]), Summary(summary)
    return corrections_section(names, read), review_section(names, read)


def made_up(folder: Path, models: tuple[str, ...], scores: bool, n: int = 8) -> dict[str, Any]:
    """A summary of a study in `folder`, of random maps."""
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
    return hlx.analyze(hlx.read_study(folder), shuffles=50).summary


@pytest.fixture(scope="module")
def reference(shared: Path) -> Analysis:
    return hlx.analyze(hlx.read_study(shared / "thesis"), shuffles=500)


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return made_up(tmp_path_factory.mktemp("four"), ("A", "B", "C~1", "D"), scores=True)


def assert_true_to(summary: dict[str, Any], shown: list[Cell]) -> None:
    """Every number says where it stands, and stands there; nothing undefined looks like a number."""
    for cell in shown:
        assert (cell.value is None) == (cell.pointer is None)
        if cell.pointer is not None:
            assert cell.value == at(summary, cell.pointer) and cell.text != UNDEFINED
        assert not {"nan", "None", "inf"} & set(cell.text.split())


def test_every_number_is_the_summarys(reference: Analysis, four: dict[str, Any]) -> None:
    for summary in (reference.summary, four):
        shown = [cell for section in both(summary) for cell in cells(section)]
        assert_true_to(summary, shown)
        assert sum(cell.value is not None for cell in shown) > 80


def test_corrections_say_in_words_what_is_significant(reference: Analysis) -> None:
    section, _ = both(reference.summary)
    (table,) = tables(section)
    corrections = reference.summary["corrections"]
    assert [row[0].text for row in table.rows] == list(corrections)
    for test, found in corrections.items():
        expected = [test, probability(found["p"])]
        for method in ("bonferroni", "holm", "benjamini_hochberg"):
            expected += [probability(found[method]), "yes" if found["significant"][method] else "no"]
        assert row_of(table, test) == expected
    assert {cell.text for row in table.rows for cell in row[3::2]} == {"yes", "no"}
    assert [row[0].place for row in table.rows] == [0, 0, 0, 1, 1, 1, None]
    assert "7 tests" in words(section) and ".05 / 7 = .0071" in words(section)
    assert "below .05" in table.caption


def test_the_reference_studys_review(reference: Analysis) -> None:
    found, (_, section) = reference.summary, both(reference.summary)
    clip = found["models"]["CLIP"]
    assert row_of(table_of(section, "Wilcoxon"), "CLIP")[1:] == [
        coefficient(clip["rc_mean"], 4),
        interval(clip["rc_ci"], 4),
        number(clip["cohen_d"]),
        number(clip["hedges_g"]),
        probability(clip["t_p_greater"]),
        probability(clip["wilcoxon_p"]),
        probability(clip["permutation_p_corrected"]),
        probability(clip["permutation_p_two_sided"]),
        number(clip["permutation_z"], 2),
    ]
    scores = row_of(table_of(section, "BCa"), "CLIP")
    assert scores[3:5] == [interval(clip["rho_ci"], 4), interval(clip["rho_ci_fisher"], 4)]
    assert scores[-1] == coefficient(clip["rho_equivalence"]["smallest_bound"]) == ".336"
    power = row_of(table_of(section, "smallest |rho|"), "CLIP")
    assert power == ["CLIP", "92", "0.38", "0.79", "92", ".367", ".169"]
    models = table_of(section, "statistic")
    assert row_of(models, "Analysis of variance")[1:4] == ["independent", "F = 0.915", "1, 182"]
    assert row_of(models, "Friedman")[-1] == f"Kendall's W = {coefficient(found['friedman']['kendall_w'])}"
    assert row_of(models, "Kruskal\N{EN DASH}Wallis")[-1] == UNDEFINED
    assert "The same stimuli are met by all models" in words(section)
    (pair,) = table_of(section, "within").rows
    assert pair[0].text == "CLIP \N{MINUS SIGN} FLAVA"
    assert pair[-1].value == found["pairwise"][0]["equivalence"]["smallest_bound"]


def test_the_mixed_model_is_shown_if_it_was_fitted(reference: Analysis) -> None:
    pytest.importorskip("statsmodels")
    fit, (_, section) = reference.summary["mixed_model"], both(reference.summary)
    said = words(section)
    assert "RC ~ model + phenomenon + (1 | stimulus), fitted to 184 RCs of 92 stimuli" in said
    assert f"{coefficient(fit['icc'])} (intraclass correlation, ICC)" in said and "The fit converged." in said
    effects = table_of(section, "standard error")
    assert [row[0].text.replace("\N{MINUS SIGN}", "-") for row in effects.rows] == [
        "intercept (CLIP, relations)",
        "FLAVA - CLIP",
        "actions - relations",
        "existence - relations",
    ]
    assert [row[1].value for row in effects.rows] == [one["estimate"] for one in fit["coefficients"]]


def test_a_fit_without_convergence_shows_no_number(reference: Analysis) -> None:
    pytest.importorskip("statsmodels")
    summary = copy.deepcopy(reference.summary)
    summary["mixed_model"] |= {"converged": False, "warnings": ["the maximum lies on the boundary"]}
    _, section = both(summary)
    assert "did not converge" in words(section) and "on the boundary" in words(section)
    assert coefficient(summary["mixed_model"]["icc"]) not in words(section)
    assert not any((cell.pointer or "").startswith("/mixed_model") for cell in cells(section))


@pytest.mark.parametrize("key", ["anova", "rm_anova", "friedman", "mixed_model", "pairwise"])
def test_what_is_not_there_has_its_reason_instead(four: dict[str, Any], key: str) -> None:
    summary = copy.deepcopy(four)
    summary[key] = [] if key == "pairwise" else None
    summary["unavailable"][key] = "the moon was full"
    _, section = both(summary)
    assert words(section).count("Not computed: the moon was full.") == 1
    assert not any((cell.pointer or "").startswith(f"/{key}/") for cell in cells(section))
    assert_true_to(summary, list(cells(section)))


def test_more_models_have_more_pairs_and_a_correction_for_sphericity(
    four: dict[str, Any], reference: Analysis
) -> None:
    corrected = "the same, Greenhouse\N{EN DASH}Geisser"
    _, section = both(four)
    row = row_of(table_of(section, "statistic"), corrected)
    assert row[4] == probability(four["rm_anova"]["p_gg"])
    assert f"is {coefficient(four['rm_anova']['epsilon'])}." in words(section)
    assert len(table_of(section, "within").rows) == 6
    _, section = both(reference.summary)
    assert corrected not in [row[0].text for row in table_of(section, "statistic").rows]
    assert "epsilon" not in words(section)


@pytest.mark.parametrize("scores", [False, True])
def test_a_study_of_one_model(tmp_path: Path, scores: bool) -> None:
    summary = made_up(tmp_path, ("only",), scores)
    corrections, review = both(summary)
    assert_true_to(summary, [*cells(corrections), *cells(review)])
    assert len(tables(corrections)[0].rows) == summary["n_tests"] == 2 + scores
    assert words(review).count("a study of one model has no differences between models") == 1
    assert "Mixed model" not in words(review) and "Pairs of models" not in words(review)
    assert len(tables(review)) == 2 + scores
    assert ("Not computed: scores of the stimuli" in words(review)) != scores
    power = row_of(table_of(review, "smallest |rho|"), "only")
    assert (power[-2:] == [UNDEFINED, UNDEFINED]) != scores and power[2] != UNDEFINED


def test_a_summary_without_anything_has_no_tables() -> None:
    for section in both({"models": {"only": {}}}):
        assert tables(section) == []
