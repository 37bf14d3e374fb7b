"""Columns of a terminal, and numbers in them: as the reference study prints them, never a p-value of zero."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

from hlx.alignment.inference import Interval
from hlx.io.messages import WIDTH, text_table

INDENT = "  "
NONE = "-"
LEAST_P = 0.0001
"""Smaller p-values are printed as smaller than this."""


def block(title: str, cells: Sequence[Sequence[str]]) -> str:
    """A titled table: the first column to the left, the others to the right, two spaces between them."""
    spaced = [[line[0], *(f" {cell}" for cell in line[1:])] for line in cells]
    return f"{title}\n{textwrap.indent(text_table(spaced, WIDTH - len(INDENT)), INDENT)}"


def wrapped(line: str, indent: str) -> str:
    """A long line in several, all but the first indented."""
    return textwrap.fill(line, WIDTH, subsequent_indent=indent, break_on_hyphens=False)


def number(value: float | int | None, digits: int = 3) -> str:
    """A number with so many digits after the point."""
    return NONE if value is None or not math.isfinite(value) else f"{value:z,.{digits}f}"


def bounded(value: float | int | None, digits: int = 4) -> str:
    """A number that cannot exceed 1, such as a correlation: without the zero before its point."""
    text = number(value, digits)
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def percent(value: float | int | None) -> str:
    """A fraction in percent."""
    return NONE if value is None or not math.isfinite(value) else f"{100 * value:.1f}%"


def interval(found: Interval | None, digits: int = 3) -> str:
    """Both ends of an interval of a number that cannot exceed 1."""
    return NONE if found is None else f"{bounded(found.low, digits)} to {bounded(found.high, digits)}"


def probability(p: float | int | None) -> str:
    """A p-value with four digits, or what it is smaller than."""
    if p is not None and round(p, 4) < LEAST_P:
        return f"< {bounded(LEAST_P)}"
    return bounded(p)


def share_of_shuffles(exceeding: int, shuffles: int) -> str:
    """The p-value b/n of a permutation test, with both numbers."""
    p = f"< {bounded(max(1 / shuffles, LEAST_P))}" if exceeding == 0 else probability(exceeding / shuffles)
    return f"{p} ({exceeding:,} of {shuffles:,})"


def p_is(p: float | int | None) -> str:
    """A p-value in a sentence."""
    text = probability(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"
