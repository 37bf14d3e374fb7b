"""A study's results as one self-contained page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from hlx.alignment.analysis import Analysis
from hlx.alignment.compare import Comparison, compare
from hlx.io.files import check_output, write_bytes
from hlx.io.messages import plural, plural_stimuli
from hlx.report.kit import shell
from hlx.report.kit.numbers import file_size, listed
from hlx.report.kit.sections import Part, Section
from hlx.report.kit.thumbnails import Thumbnails, make_thumbnails
from hlx.report.pages.gallery import SIDE, gallery
from hlx.report.pages.study_findings import findings
from hlx.report.pages.study_overview import corrections_section, study_section
from hlx.report.pages.study_review import review_section
from hlx.report.pages.study_scores import accuracy_section, score_section
from hlx.report.pages.study_similarity import baselines_section, similarity_section

PACKAGES = ("hlx", "numpy", "scipy", "POT")
"""Their versions are named: all that turn maps into the numbers of a page."""


@dataclass(frozen=True)
class Page(shell.Page):
    """A study's page.

    Attributes
    ----------
    stimuli, images
        Rows of the gallery, and distinct images in it.
    image_side
        Pixels on the long side of the largest image; 0 without images.
    """

    stimuli: int
    images: int
    image_side: int


def make_page(
    analysis: Analysis, comparisons: Mapping[str, Comparison] | None = None, title: str | None = None
) -> Page:
    """The page of an analysis, the same for the same input.

    Parameters
    ----------
    analysis
        What `hlx.analyze` found.
    comparisons
        By model, of the study's stimuli; models without one have no baselines. By default all are made here.
    title
        What the page is called, the models and the study's name by default.
    """
    study = analysis.study
    comparisons = _compared(analysis) if comparisons is None else comparisons
    images = make_thumbnails(
        {name: study.images[name] for name in study.stimuli if name in study.images}, SIDE
    )
    title = title or f"Where {listed(list(analysis.models))} look, and where people look"
    found = findings(analysis, comparisons)
    notes = _notes(analysis, comparisons)
    html = shell.render(
        "study.html",
        title=title,
        facts=[
            study.name,
            plural_stimuli(len(study.stimuli)),
            plural(len(analysis.models), "model"),
            f"{study.grid} regions",
        ],
        findings=found,
        sections=[
            study_section(analysis),
            similarity_section(analysis, comparisons),
            baselines_section(analysis, comparisons),
            score_section(analysis),
            accuracy_section(analysis),
            corrections_section(analysis),
            review_section(analysis),
            Section("notes", "Notes", [Part("notes", notes)] if notes else []),
        ],
        method=[
            ("Versions", ", ".join(f"{name} {version(name)}" for name in PACKAGES)),
            ("Study", study.name),
            ("Magnitude", analysis.magnitude),
            ("Shuffles", f"{analysis.shuffles:,}"),
            ("Seed", str(analysis.seed)),
            ("Images", _images(images)),
        ],
        summary=analysis.to_json(),
        script=shell.packaged("pages", "gallery.js"),
        simulated=study.humans.simulated,
        gallery=gallery(analysis, images),
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
    path
        Of the page, such as "report.html".
    analysis, comparisons, title
        As `make_page` takes them.
    force
        Replace a file that exists.

    Raises
    ------
    OutputError
        The file exists (unless `force`), or cannot be written.
    """
    path = check_output(path, force)
    page = make_page(analysis, comparisons, title)
    write_bytes(path, page.html.encode())
    return page


def _compared(analysis: Analysis) -> dict[str, Comparison]:
    """Every model's maps against the human maps, of the study's stimuli, with the analysis's options."""
    study = analysis.study
    humans = replace(study.humans, maps={name: study.humans.maps[name] for name in study.stimuli})
    return {
        model.name: compare(
            replace(model.maps, values={name: model.maps.values[name] for name in study.stimuli}),
            humans,
            magnitude=analysis.magnitude,
            seed=analysis.seed,
        )
        for model in study.models
    }


def _notes(analysis: Analysis, comparisons: Mapping[str, Comparison]) -> list[str]:
    """The analysis's notes, then those of the comparisons, each once."""
    of_models = [f"{name}: {note}" for name, one in comparisons.items() for note in one.notes]
    return list(dict.fromkeys([*analysis.notes, *of_models]))


def _images(images: Thumbnails) -> str:
    if not images.names:
        return "none: give their folder with --images"
    size = file_size(len(images.definitions))
    return f"{plural(images.count, 'image')}, at most {images.side} px wide and high, {size} in all"
