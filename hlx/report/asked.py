"""Tables of numbers that stand in entries of the summary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from hlx.report.numbers import UNDEFINED, coefficient, interval
from hlx.report.parts import Part, paragraph, table_part
from hlx.report.tables import Cell, Column, Summary, Table, digits

FOUR = digits(coefficient, 4)
ENDS = partial(interval, digits=4)
BCA = "bootstrap, bias-corrected and accelerated"


@dataclass(frozen=True)
class Asked:
    """A column of numbers: where in an entry of the summary they stand, and how they are printed."""

    name: str
    meaning: str
    form: Callable[[Any], str]
    keys: tuple[str, ...]

    def cell(self, summary: Summary, at: Sequence[str]) -> Cell:
        """The number, or both ends of an interval, of the entry under the keys `at`."""
        found = summary.get(*at, *self.keys)
        if isinstance(found, list | tuple):
            return Cell(self.form(found))
        return summary.cell(self.form, *at, *self.keys)


def asked_table(
    caption: str,
    first: str,
    asked: Sequence[Asked],
    rows: Sequence[Sequence[Cell]],
    groups: Sequence[tuple[str, int]] = (),
) -> Table:
    """A table whose first column names its rows and whose others are what was asked of each."""
    columns = [Column(first, left=True), *(Column(one.name, one.meaning) for one in asked)]
    return Table(caption, columns, rows, groups)


def known_part(table: Table, otherwise: str) -> list[Part]:
    """The table; a sentence where no number of it is defined."""
    known = any(cell.text != UNDEFINED for row in table.rows for cell in row[1:])
    return [table_part(table) if known else paragraph(otherwise)]


def not_computed(summary: Summary, *keys: str, said: Sequence[str] = ()) -> list[Part]:
    """Why entries are not there, each reason once and none that those of `said` have."""
    before = {summary.get("unavailable", key) for key in said}
    found = dict.fromkeys(summary.get("unavailable", key) for key in keys)
    return [paragraph(f"Not computed: {reason}.") for reason in found if reason and reason not in before]
