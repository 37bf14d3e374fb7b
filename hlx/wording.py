"""How notes count and name things."""

from __future__ import annotations

from collections.abc import Sequence

NAMED = 3
"""So many examples are named before a note says how many more there are."""


def counted(number: int, one: str, several: str | None = None) -> str:
    """A number with its noun, such as "1 stimulus" or "1,200 stimuli"; the plural ends in s unless given."""
    noun = one if number == 1 else f"{one}s" if several is None else several
    return f"{number:,} {noun}"


def stimuli_counted(number: int) -> str:
    """A number of stimuli, as `counted`."""
    return counted(number, "stimulus", "stimuli")


def examples(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
