"""Numbers as a page prints them: fixed digits, a true minus sign, a dash for what is not defined."""

from __future__ import annotations

import math

MINUS = "\N{MINUS SIGN}"
UNDEFINED = "\N{EN DASH}"

LEAST_P = 0.0001
"""Smaller p-values are printed as smaller than this, as the reference study does."""


def number(value: float | None, digits: int = 3) -> str:
    """A number with so many digits after the point."""
    if value is None or not math.isfinite(value):
        return UNDEFINED
    return f"{value:z,.{digits}f}".replace("-", MINUS)


def coefficient(value: float | None, digits: int = 3) -> str:
    """A number that cannot exceed 1, such as a correlation: without the zero before its point."""
    text = number(value, digits)
    return text.replace("0.", ".", 1) if text.startswith(("0.", f"{MINUS}0.")) else text


def probability(p: float | None) -> str:
    """A p-value: three digits, four below .001, and nothing finer than `LEAST_P`."""
    if p is None or not math.isfinite(p):
        return UNDEFINED
    if round(p, 4) < LEAST_P:
        return f"< {coefficient(LEAST_P, 4)}"
    return coefficient(p, 4 if p < 0.001 else 3)


def percent(value: float | None, digits: int = 1) -> str:
    """A fraction in percent."""
    if value is None or not math.isfinite(value):
        return UNDEFINED
    return f"{number(100 * value, digits)}\N{NARROW NO-BREAK SPACE}%"


def compared_with(p: float | None) -> str:
    """A p-value as a sentence gives it: "p = .021", "p < .0001"."""
    text = probability(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def listed(words: list[str], last: str = "and") -> str:
    """Words as a sentence lists them: "a", "a and b", "a, b and c"."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def file_size(size: int) -> str:
    """Bytes in the unit that suits them: "340 kB", "2.1 MB"."""
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{max(1, round(size / 1e3))} kB"
