"""Tables of a page, whose cells know where in the summary their number stands."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from hlx.report.numbers import UNDEFINED, number

Format = Callable[[float | None], str]
"""How a number is printed; one of `hlx.report.numbers`."""


@dataclass(frozen=True)
class Cell:
    """What a table prints in one place.

    Attributes
    ----------
    text : as printed.
    value : the number with all its digits, where it is one.
    pointer : the number's JSON pointer (RFC 6901) in the summary, where it stands there.
    place : the model's among the models, where the cell names one.
    left : aligned as text is.
    """

    text: str
    value: float | None = None
    pointer: str | None = None
    place: int | None = None
    left: bool = False


@dataclass(frozen=True)
class Column:
    """A column's heading, and what it means, for those who point at it."""

    name: str
    meaning: str = ""
    left: bool = False


@dataclass(frozen=True)
class Table:
    """A table: the first cell of each row is its heading; `groups` name runs of columns above their names."""

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    groups: Sequence[tuple[str, int]] = ()


@dataclass(frozen=True)
class Summary:
    """What an analysis printed, read by keys."""

    values: Mapping[str, Any]

    def get(self, *keys: str) -> Any:
        """What stands under these keys; None where one of them is missing."""
        found: Any = self.values
        for key in keys:
            if not isinstance(found, Mapping) or key not in found:
                return None
            found = found[key]
        return found

    def value(self, *keys: str) -> float | None:
        """The number under these keys, None where it is missing or undefined."""
        found = self.get(*keys)
        return float(found) if isinstance(found, int | float) and math.isfinite(found) else None

    def cell(self, form: Format, *keys: str) -> Cell:
        """A cell with the number under these keys."""
        value = self.value(*keys)
        return Cell(UNDEFINED) if value is None else Cell(form(value), value, pointer(keys))


def pointer(keys: Sequence[str]) -> str:
    """The JSON pointer that these keys spell."""
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)


def plain(value: float | None, form: Format) -> Cell:
    """A cell with a number that the summary does not hold."""
    known = value is not None and math.isfinite(value)
    return Cell(form(value), value) if known else Cell(UNDEFINED)


def text(words: str) -> Cell:
    """A cell with words."""
    return Cell(words, left=True)


def model_cell(name: str, place: int) -> Cell:
    """A cell that names a model, with its colour."""
    return Cell(name, place=place, left=True)


def whole(value: float | None) -> str:
    """A count."""
    return number(value, 0)


def digits(form: Callable[[float | None, int], str], count: int) -> Format:
    """A format with so many digits."""
    return lambda value: form(value, count)


def mean_of(values: Float64[np.ndarray, "*shape"]) -> float | None:
    """The mean of what is defined; None where nothing is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None
