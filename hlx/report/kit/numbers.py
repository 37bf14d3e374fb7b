"""Numbers as a page prints them: with the digits and thresholds of `hlx.alignment.analysis.formats`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from hlx.alignment.analysis import formats

MINUS = "\N{MINUS SIGN}"
UNDEFINED = "\N{EN DASH}"


@runtime_checkable
class Ends(Protocol):
    """An interval of a number that cannot exceed 1; its ends are None where it is undefined."""

    @property
    def low(self) -> float | None:
        """The lower end."""

    @property
    def high(self) -> float | None:
        """The upper end."""


def number(value: float | None, digits: int = 3) -> str:
    """A number with so many digits after the point."""
    return _set(formats.number(value, digits))


def coefficient(value: float | None, digits: int = 3) -> str:
    """A number that cannot exceed 1, such as a correlation: without the zero before its point."""
    return _set(formats.bounded(value, digits))


def probability(p: float | None) -> str:
    """A p-value, or what it is smaller than."""
    return _set(formats.probability(p))


def share_of_shuffles(exceeding: int, shuffles: int) -> str:
    """The p-value b/n of a permutation test, with both numbers."""
    return _set(formats.share_of_shuffles(exceeding, shuffles))


def percent(value: float | None) -> str:
    """A fraction in percent."""
    return _set(formats.percent(value).replace("%", "\N{NARROW NO-BREAK SPACE}%"))


def interval(ends: Ends | None, digits: int = 3) -> str:
    """Both ends of an interval."""
    if ends is None or any(end is None or not math.isfinite(end) for end in (ends.low, ends.high)):
        return UNDEFINED
    return f"{coefficient(ends.low, digits)} to {coefficient(ends.high, digits)}"


def compared_with(p: float | None) -> str:
    """A p-value as a sentence gives it: "p = .0210", "p < .0001"."""
    return _set(formats.p_is(p))


def level(value: float) -> str:
    """A significance level or bound, without trailing zeros."""
    return f"{value:.2g}".removeprefix("0")


def whole(value: float | None) -> str:
    """A count."""
    return number(value, 0)


def listed(words: Sequence[str], last: str = "and") -> str:
    """Words as a sentence lists them: "a", "a and b", "a, b and c"."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def file_size(size: int) -> str:
    """Bytes in the unit that suits them: "340 kB", "2.1 MB"."""
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{max(1, round(size / 1e3))} kB"


def _set(text: str) -> str:
    return UNDEFINED if text == formats.NONE else text.replace("-", MINUS)
