"""A study's results as one self-contained page."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from markupsafe import Markup

from hlx.alignment.compare import Comparison, compare
from hlx.files import check_output, write_bytes
from hlx.report.colours import LEVELS, colour_rules
from hlx.report.corrections import corrections_section
from hlx.report.findings import findings
from hlx.report.gallery import SIDE, gallery_rows
from hlx.report.numbers import file_size, listed
from hlx.report.overview import phenomena, study_section
from hlx.report.parts import Part, Section
from hlx.report.question_one import beside, question_one
from hlx.report.question_two import question_two_one, question_two_two
from hlx.report.review import review_section
from hlx.report.svg import element
from hlx.report.tables import Summary
from hlx.report.templates import environment, packaged
from hlx.report.thumbnails import Thumbnails, make_thumbnails
from hlx.study import Analysis
from hlx.wording import counted, stimuli_counted

PACKAGES = ("hlx", "numpy", "scipy", "POT")
"""Their versions are named: all that turn maps into the numbers of a page."""


@dataclass(frozen=True)
class Page:
    """A page and what is in it.

    Attributes
    ----------
    html : the whole page.
    title, findings : as on the page.
    stimuli, images : rows of the gallery, and distinct images in it.
    image_side : pixels on the long side of the largest image; 0 without images.
    """

    html: str = field(repr=False)
    title: str
    findings: tuple[str, ...]
    stimuli: int
    images: int
    image_side: int


def make_page(
    analysis: Analysis, comparisons: Mapping[str, Comparison] | None = None, title: str | None = None
) -> Page:
    """The page of an analysis, the same for the same input.

    Parameters
    ----------
    comparisons : by model, of the study's stimuli; models without one have no baselines. By default all are
        made here.
    title : what the page is called, the models and the study's name by default.
    """
    study, summary = analysis.study, Summary(analysis.summary)
    comparisons = compared(analysis) if comparisons is None else comparisons
    images = make_thumbnails(
        {name: study.images[name] for name in study.stimuli if name in study.images}, SIDE
    )
    names = [model.name for model in study.models]
    title = title or f"Where {listed(names)} look, and where people look"
    found = findings(analysis, summary, comparisons)
    sections = [study_section(analysis, summary), question_one(analysis, summary, comparisons)]
    if comparisons:
        sections.append(beside(analysis, summary, comparisons))
    sections += [
        question_two_one(analysis, summary),
        question_two_two(analysis, summary),
        corrections_section(names, summary),
        review_section(names, summary),
    ]
    notes = _notes(analysis, comparisons)
    if notes:
        sections.append(Section("notes", "Notes", [Part("notes", notes)]))
    script = packaged("page.js")
    html = (
        environment()
        .get_template("page.html")
        .render(
            title=title,
            eyebrow=" · ".join(
                [
                    study.name,
                    stimuli_counted(len(study.stimuli)),
                    counted(len(names), "model"),
                    f"{study.grid} regions",
                ]
            ),
            simulated=study.humans.simulated,
            findings=found,
            sections=[section for section in sections if section.parts],
            gallery=_gallery(analysis, images),
            method=_method(analysis, summary, images),
            style=Markup(f"{packaged('page.css')}\n{colour_rules()}"),
            script=Markup(script),
            policy=_policy(script),
            summary=analysis.summary,
            version=version("hlx"),
        )
    )
    return Page(html, title, tuple(found), len(study.stimuli), images.count, images.side)


def write_report(
    path: str | Path,
    analysis: Analysis,
    comparisons: Mapping[str, Comparison] | None = None,
    *,
    title: str | None = None,
    force: bool = False,
) -> Page:
    """Write the page of an analysis to a file, whole or not at all.

    Parameters
    ----------
    comparisons, title : as `make_page` takes them.

    Raises
    ------
    OutputError : the file exists (unless `force`), or cannot be written.
    """
    path = check_output(path, force)
    page = make_page(analysis, comparisons, title)
    write_bytes(path, page.html.encode())
    return page


def compared(analysis: Analysis) -> dict[str, Comparison]:
    """Every model's maps against the human maps, of the study's stimuli, with the analysis's options."""
    study, summary = analysis.study, analysis.summary
    humans = replace(study.humans, maps={name: study.humans.maps[name] for name in study.stimuli})
    return {
        model.name: compare(
            replace(model.maps, values={name: model.maps.values[name] for name in study.stimuli}),
            humans,
            magnitude=summary["magnitude"],
            seed=summary["seed"],
        )
        for model in study.models
    }


def _gallery(analysis: Analysis, images: Thumbnails) -> dict[str, Any]:
    study = analysis.study
    kinds = phenomena(study)
    people = "Simulated people" if study.humans.simulated else "People"
    lead = (
        "Every stimulus with its maps. A model's map is coloured by phi: red regions speak for the caption, "
        "blue ones for the foil, the strongest of each map in full colour. Numbers are each region's share "
        "of the map's magnitudes in percent. The spread of a human map is the "
        "number of regions over which attention was in effect shared out."
    )
    return {
        "lead": lead,
        "model_scale": _scale(
            [*(f"n{k}" for k in range(LEVELS, 0, -1)), *(f"p{k}" for k in range(LEVELS + 1))]
        ),
        "human_scale": _scale([f"h{k}" for k in range(LEVELS + 1)]),
        "definitions": images.definitions,
        "has_images": bool(images.names),
        "phenomena": kinds if len(kinds) > 1 else [],
        "people": people,
        "models": [model.name for model in study.models],
        "maps": len(study.models) + 1 + bool(images.names),
        "rows": gallery_rows(analysis, images),
    }


def _scale(classes: list[str]) -> Markup:
    steps = "".join(
        element("rect", x=k, y=0, width=1.02, height=1, class_=class_) for k, class_ in enumerate(classes)
    )
    box = f"0 0 {len(classes)} 1"
    return Markup(element("svg", steps, viewBox=box, preserveAspectRatio="none", aria_hidden="true"))


def _notes(analysis: Analysis, comparisons: Mapping[str, Comparison]) -> list[str]:
    """The study's notes, then those of the comparisons that are not of every model alike, each once."""
    notes = [*analysis.study.notes, *(analysis.summary.get("notes") or [])]
    for name, comparison in comparisons.items():
        notes += [f"{name}: {note}" for note in comparison.notes]
    return list(dict.fromkeys(notes))


def _method(analysis: Analysis, summary: Summary, images: Thumbnails) -> list[tuple[str, str]]:
    study = analysis.study
    seed, shuffles = summary.get("seed"), summary.get("shuffles")
    said = [
        ("Versions", ", ".join(f"{name} {version(name)}" for name in PACKAGES)),
        ("Study", study.name),
        ("Magnitude", str(summary.get("magnitude") or "")),
        ("Shuffles", "" if shuffles is None else f"{shuffles:,}"),
        ("Seed", "" if seed is None else str(seed)),
        ("Images", _images(images)),
    ]
    return [(name, value) for name, value in said if value]


def _images(images: Thumbnails) -> str:
    if not images.names:
        return "none: give their folder with --images"
    size = file_size(len(images.definitions))
    return f"{counted(images.count, 'image')}, at most {images.side} px wide and high, {size} in all"


def _policy(script: str) -> str:
    """A content security policy: the page's own script runs, and nothing is loaded from anywhere."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
