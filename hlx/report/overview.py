"""What was studied: how much of everything, and how responses became human maps."""

from __future__ import annotations

from collections import Counter

from hlx.report.numbers import UNDEFINED, listed
from hlx.report.parts import Part, Section, paragraph, table_part
from hlx.report.tables import Cell, Column, Summary, Table, text
from hlx.study import Analysis, Study
from hlx.wording import counted, stimuli_counted

MAGNITUDES = {
    "absolute": "of |phi|, whichever text a region speaks for",
    "positive": "of the part of phi above zero, which speaks for the caption",
    "signed": "of phi as it is, with its sign",
}


def study_section(analysis: Analysis, summary: Summary) -> Section:
    """The facts of a study, and its validity filters where they are known."""
    study = analysis.study
    facts = [
        ("Stimuli", f"{len(study.stimuli):,} with a human map and a map of every model"),
        ("Phenomena", _phenomena(study)),
        ("Models", listed([model.name for model in study.models])),
        ("Maps", _kinds(study)),
        ("Regions", f"{study.grid.n_players}, a {study.grid} grid"),
        ("Compared", f"magnitudes {MAGNITUDES[summary.get('magnitude') or 'absolute']}"),
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
                f"{stimuli_counted(len(study.humans.dropped))} had too few valid responses and took no part."
            )
        )
    return Section("study", "The study", parts)


def phenomena(study: Study) -> list[str]:
    """The phenomena of the study's stimuli, in the order in which they first appear."""
    found = (study.about[name].phenomenon for name in study.stimuli if name in study.about)
    return list(dict.fromkeys(name for name in found if name is not None))


def _phenomena(study: Study) -> str:
    counts = Counter(study.about[name].phenomenon for name in study.stimuli if name in study.about)
    return ", ".join(f"{name} ({counts[name]:,})" for name in phenomena(study))


def _kinds(study: Study) -> str:
    kinds = {(model.maps.kind, model.maps.estimator) for model in study.models}
    if len(kinds) == 1:
        kind, estimator = kinds.pop()
        return f"{kind or 'not said'}{f', estimator {estimator}' if estimator else ''}"
    return "; ".join(
        f"{model.name}: {model.maps.kind or 'not said'}"
        f"{f', estimator {model.maps.estimator}' if model.maps.estimator else ''}"
        for model in study.models
    )


def _raters(study: Study) -> str:
    maps = [study.humans.maps[name] for name in study.stimuli]
    raters = {rater for one in maps for rater in one.raters}
    if not raters:
        return "not known: the human maps came as means"
    counts = [len(one.raters) for one in maps]
    people = counted(len(raters), "simulated participant" if study.humans.simulated else "participant")
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
    said = []
    for model in study.models:
        if model.benchmark is None:
            said.append(f"{model.name}: none")
        elif model.benchmark.own_stimuli:
            said.append(f"{model.name}: the study's own {stimuli_counted(len(model.benchmark.f))}")
        else:
            said.append(f"{model.name}: {counted(len(model.benchmark.f), 'item')} of a benchmark")
    kinds = {one.split(": ", 1)[1] for one in said}
    return f"{kinds.pop()}, for every model" if len(kinds) == 1 else "; ".join(said)


def _filters(study: Study) -> Table:
    rows, before = [], None
    for step in study.humans.steps:
        fell = Cell(UNDEFINED) if before is None else Cell(f"{before - step.responses:,}")
        rows.append([text(step.name), Cell(f"{step.responses:,}"), fell, Cell(f"{step.stimuli:,}")])
        before = step.responses
    columns = [Column("Filter", left=True), Column("responses left"), Column("fell"), Column("stimuli left")]
    return Table("Validity filters, one after the other.", columns, rows)
