"""What was studied: how much of everything, how responses became human maps, and the number of tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from hlx.alignment.analysis import Analysis, Study
from hlx.alignment.analysis.analysis import CorrectedTest, Correction
from hlx.io.messages import plural, plural_stimuli
from hlx.report.kit.numbers import UNDEFINED, level, listed, probability
from hlx.report.kit.sections import Part, Section, paragraph, table_part
from hlx.report.kit.tables import Cell, Column, Table, model_cell, table_of, text

MAGNITUDES = {
    "absolute": "of |phi|, whichever text a region speaks for",
    "positive": "of the part of phi above zero, which speaks for the caption",
    "signed": "of phi as it is, with its sign",
}


def study_section(analysis: Analysis) -> Section:
    """The facts of a study, and its validity filters where they are known."""
    study = analysis.study
    facts = [
        ("Stimuli", f"{len(study.stimuli):,} with a human map and a map of every model"),
        ("Phenomena", _phenomena(study)),
        ("Models", listed([model.name for model in study.models])),
        ("Maps", _kinds(study)),
        ("Regions", f"{study.grid.n_players}, a {study.grid} grid"),
        ("Compared", f"magnitudes {MAGNITUDES[analysis.magnitude]}"),
        ("Raters", _raters(study)),
        ("Human maps", _clicks(study)),
        ("Scores", _benchmarks(study)),
    ]
    parts = [Part("facts", [(name, said) for name, said in facts if said])]
    if study.humans.steps:
        parts.append(table_part(_filters(study)))
    if study.humans.dropped:
        parts.append(
            paragraph(
                f"{plural_stimuli(len(study.humans.dropped))} had too few valid responses and took no part."
            )
        )
    return Section("study", "The study", parts)


def _phenomena(study: Study) -> str:
    counts = Counter(study.phenomenon(stimulus) for stimulus in study.stimuli)
    return ", ".join(f"{name} ({counts[name]:,})" for name in study.phenomena())


def _kinds(study: Study) -> str:
    kinds = {
        model.name: f"{model.maps.kind or 'not said'}"
        f"{f', estimator {model.maps.estimator}' if model.maps.estimator else ''}"
        for model in study.models
    }
    return _same_for_all(kinds) or _by_model(kinds)


def _same_for_all(said: Mapping[str, str]) -> str:
    """What is said of every model alike, else nothing."""
    return next(iter(said.values())) if len(set(said.values())) == 1 else ""


def _by_model(said: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {one}" for name, one in said.items())


def _raters(study: Study) -> str:
    maps = [study.humans.maps[name] for name in study.stimuli]
    raters = {rater for one in maps for rater in one.raters}
    if not raters:
        return "not known: the human maps came as means"
    counts = [len(one.raters) for one in maps]
    people = plural(len(raters), "simulated participant" if study.humans.simulated else "participant")
    few, many = min(counts), max(counts)
    return f"{people}, {few if few == many else f'{few} to {many}'} for each stimulus"


def _clicks(study: Study) -> str:
    mask = study.humans.mask
    if mask is None:
        return ""
    return (
        f"each click a Gaussian of sigma {mask.sigma:.3g} px, cut off at {mask.radius:g} px, on a canvas of "
        f"{mask.side} px; {mask.normalisation} divided by its sum, mean over raters, sums over regions"
    )


def _benchmarks(study: Study) -> str:
    said = {}
    for model in study.models:
        if model.benchmark is None:
            said[model.name] = "none"
        elif model.benchmark.own_stimuli:
            said[model.name] = f"the study's own {plural_stimuli(len(model.benchmark.f))}"
        else:
            said[model.name] = f"{plural(len(model.benchmark.f), 'item')} of a benchmark"
    same = _same_for_all(said)
    return f"{same}, for every model" if same else _by_model(said)


def _filters(study: Study) -> Table:
    steps = study.humans.steps
    rows = []
    for before, step in zip((None, *steps), steps, strict=False):
        fell = UNDEFINED if before is None else f"{before.responses - step.responses:,}"
        rows.append([text(step.name), Cell(f"{step.responses:,}"), Cell(fell), Cell(f"{step.stimuli:,}")])
    columns = [Column[None](name) for name in ("Filter", "responses left", "fell", "stimuli left")]
    return Table("Validity filters, one after the other.", columns, rows)


def corrections_section(analysis: Analysis) -> Section:
    """Every test of the study's family, corrected for their number in three ways; empty without tests."""
    tests, alpha = analysis.corrections, level(analysis.alpha)
    title = "Corrected for the number of tests"
    if not tests:
        return Section("corrections", title, [])
    methods: Mapping[str, Callable[[CorrectedTest], Correction]] = {
        "Bonferroni": lambda test: test.bonferroni,
        "Holm": lambda test: test.holm,
        "Benjamini\N{EN DASH}Hochberg": lambda test: test.benjamini_hochberg,
    }
    columns: list[Column[CorrectedTest]] = [Column("p", "uncorrected", lambda test: test.p, probability)]
    for method, read in methods.items():
        columns += _correction_columns(method, read, alpha)
    names = list(analysis.models)
    rows = [
        (text(test.name) if test.model is None else model_cell(test.name, names.index(test.model)), test)
        for test in tests
    ]
    said = (
        f"Significant: the corrected p is below {alpha}. Permutation tests are one-sided, with p = "
        "(b+1)/(n+1); t-tests and correlations are two-sided."
    )
    if any(one.rho.p_exact is not None for one in analysis.models.values()):
        said += " Correlations of few stimuli have an exact p, from all pairings of RC and score."
    share = f"{alpha} / {len(tests)} = {level(analysis.alpha_corrected)}"
    lead = paragraph(
        f"The study makes {plural(len(tests), 'test')}, so Bonferroni's correction leaves each an "
        f"alpha of {share}. Bonferroni and Holm bound the probability of even one false positive, "
        "Benjamini\N{EN DASH}Hochberg the expected share of false ones among the positives."
    )
    groups = [("", 2), *((method, 2) for method in methods)]
    return Section("corrections", title, [lead, table_part(table_of(said, "Test", columns, rows, groups))])


def _correction_columns(
    method: str, read: Callable[[CorrectedTest], Correction], alpha: str
) -> list[Column[CorrectedTest]]:
    return [
        Column("p", f"after {method}", lambda test: read(test).p, probability),
        Column(
            "significant",
            f"p after {method} below {alpha}",
            lambda test: "yes" if read(test).significant else "no",
        ),
    ]
