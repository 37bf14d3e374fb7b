"""Numbers as a page prints them: with the digits and thresholds of the terminal's (`hlx.study.columns`)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hlx.study import columns

MINUS = "\N{MINUS SIGN}"
UNDEFINED = "\N{EN DASH}"


def number(value: float | None, digits: int = 3) -> str:
    """A number with so many digits after the point."""
    return _set(columns.number(_known(value), digits))


def coefficient(value: float | None, digits: int = 3) -> str:
    """A number that cannot exceed 1, such as a correlation: without the zero before its point."""
    return _set(columns.bounded(_known(value), digits))


def probability(p: float | None) -> str:
    """A p-value, or what it is smaller than."""
    return _set(columns.probability(_known(p)))


def share_of_shuffles(exceeding: int, shuffles: int) -> str:
    """The p-value b/n of a permutation test, with both numbers."""
    return _set(columns.share_of_shuffles(exceeding, shuffles))


def percent(value: float | None) -> str:
    """A fraction in percent."""
    return _set(columns.percent(_known(value)).replace("%", "\N{NARROW NO-BREAK SPACE}%"))


def interval(ends: Sequence[float | None] | None, digits: int = 3) -> str:
    """Both ends of an interval of a number that cannot exceed 1."""
    known = None if ends is None else [_known(end) for end in ends]
    return (
        UNDEFINED
        if known is None or None in known
        else " to ".join(coefficient(end, digits) for end in known)
    )


def compared_with(p: float | None) -> str:
    """A p-value as a sentence gives it: "p = .0210", "p < .0001"."""
    return _set(columns.p_is(_known(p)))


def listed(words: Sequence[str], last: str = "and") -> str:
    """Words as a sentence lists them: "a", "a and b", "a, b and c"."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def file_size(size: int) -> str:
    """Bytes in the unit that suits them: "340 kB", "2.1 MB"."""
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{max(1, round(size / 1e3))} kB"


def _known(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _set(text: str) -> str:
    return UNDEFINED if text == columns.NONE else text.replace("-", MINUS)


def level(value: float) -> str:
    """A significance level or bound, without trailing zeros."""
    return f"{value:.2g}".removeprefix("0")
