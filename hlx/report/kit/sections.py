"""Sections of a page: parts, which the shell knows how to show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from markupsafe import Markup

from hlx.report.kit.colours import dash_class, model_class
from hlx.report.kit.svg import SHAPES, element, shape
from hlx.report.kit.tables import Table

Kind = Literal["text", "heading", "table", "figure", "figures", "legend", "facts", "notes"]


@dataclass(frozen=True)
class Figure:
    """A drawing with its title and caption; `place` is its model's; a broad one fills the page."""

    drawing: Markup
    title: str = ""
    caption: str = ""
    place: int | None = None
    broad: bool = False


@dataclass(frozen=True)
class Part:
    """One part of a section; `kind` says how `it` is shown."""

    kind: Kind
    it: Any


@dataclass(frozen=True)
class Section:
    """A section with the name that links point at."""

    id: str
    title: str
    parts: Sequence[Part]


def paragraph(*sentences: str) -> Part:
    """A paragraph of those sentences that are not empty."""
    return Part("text", " ".join(sentence for sentence in sentences if sentence))


def heading(words: str) -> Part:
    """A heading within a section."""
    return Part("heading", words)


def table_part(table: Table, otherwise: str = "") -> Part:
    """A table; `otherwise`, if given, where no number of it is defined."""
    return Part("table", table) if table.has_numbers or not otherwise else paragraph(otherwise)


def figures_part(figures: Sequence[Figure]) -> Part:
    """Figures side by side, as far as they fit."""
    return Part("figures", figures)


def model_lines(names: Sequence[str]) -> Part:
    """A legend of the models' lines."""
    return Part(
        "legend", [(line(f"line {model_class(k)} {dash_class(k)}"), name) for k, name in enumerate(names)]
    )


def marks(names: Sequence[str]) -> Part:
    """A legend of the marks by which points of different kinds differ."""
    return Part("legend", [(_mark(k), name) for k, name in enumerate(names)])


def _mark(kind: int) -> Markup:
    path = element("path", d=shape(kind % len(SHAPES), 8, 8, 5), class_="mark")
    return Markup(element("svg", path, viewBox="0 0 16 16", aria_hidden="true"))


def line(class_: str) -> Markup:
    """A line of a legend."""
    drawn = element("path", d="M0 6H27", class_=class_)
    return Markup(element("svg", drawn, viewBox="0 0 27 12", aria_hidden="true"))
