"""Tables of a page: cells with their numbers, and columns that read them from results."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from hlx.report.kit.numbers import UNDEFINED, Ends, coefficient, interval, number

T = TypeVar("T")

Form = Callable[[Any], str]
"""How a number or an interval is printed; one of `hlx.report.kit.numbers`."""


@dataclass(frozen=True)
class Cell:
    """What a table prints in one place.

    Attributes
    ----------
    text
        As printed.
    value
        The number with all its digits, where it is one.
    place
        The model's among the models, where the cell names one.
    left
        Aligned as text is.
    """

    text: str
    value: float | None = None
    place: int | None = None
    left: bool = False


@dataclass(frozen=True)
class Column(Generic[T]):
    """A column: its heading, what that means, and what stands in it for a result.

    Attributes
    ----------
    read
        A number, an interval, words or a whole cell; None where the result has none.
    form
        Prints a number or an interval.
    """

    name: str
    meaning: str = ""
    read: Callable[[T], float | Ends | str | Cell | None] = field(default=lambda row: None)
    form: Form = number
    left: bool = False

    def cell(self, row: T) -> Cell:
        """What stands in this column for a row."""
        found = self.read(row)
        if isinstance(found, Cell):
            return found
        if isinstance(found, str):
            return Cell(found, left=self.left)
        if found is None or isinstance(found, int | float):
            return number_cell(None if found is None else float(found), self.form)
        return Cell(self.form(found))


@dataclass(frozen=True)
class Table:
    """A table: the first cell of each row is its heading; `groups` name runs of columns above their names."""

    caption: str
    columns: Sequence[Column[Any]]
    rows: Sequence[Sequence[Cell]]
    groups: Sequence[tuple[str, int]] = ()

    @property
    def has_numbers(self) -> bool:
        """Whether anything but the rows' headings is defined."""
        return any(cell.text != UNDEFINED for row in self.rows for cell in row[1:])


def table_of(
    caption: str,
    first: str,
    columns: Sequence[Column[T]],
    rows: Iterable[tuple[Cell, T]],
    groups: Sequence[tuple[str, int]] = (),
) -> Table:
    """A table of results, each with the cell that names it in the column `first`."""
    cells = [[head, *(column.cell(row) for column in columns)] for head, row in rows]
    return Table(caption, [Column(first, left=True), *columns], cells, groups)


def number_cell(value: float | None, form: Form) -> Cell:
    """A cell with a number; a dash where it is undefined."""
    known = value is not None and math.isfinite(value)
    return Cell(form(value), value) if known else Cell(UNDEFINED)


def text(words: str) -> Cell:
    """A cell with words."""
    return Cell(words, left=True)


def model_cell(name: str, place: int) -> Cell:
    """A cell that names a model, with its colour."""
    return Cell(name, place=place, left=True)


def model_rows(models: Mapping[str, T]) -> list[tuple[Cell, T]]:
    """For `table_of`: a row for each model."""
    return [(model_cell(name, place), found) for place, (name, found) in enumerate(models.items())]


def to_digits(form: Callable[[Any, int], str], count: int) -> Form:
    """A form with so many digits."""
    return lambda value: form(value, count)


TWO, FOUR, ENDS = to_digits(coefficient, 2), to_digits(coefficient, 4), to_digits(interval, 4)
