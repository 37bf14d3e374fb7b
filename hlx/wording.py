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


LONGEST_CAUSE = 240
"""Characters of another library's error."""


def told(error: BaseException) -> str:
    """The kind of an error of other code, and what it says, in one line."""
    text = " ".join(str(error).split())
    if not text:
        return type(error).__name__
    return f"{type(error).__name__}: {_cut(text)}"


def first_line(error: Exception) -> str:
    """An error of another library in the one line that hlx's own errors have."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    # "Validation error for field 'x':" alone says nothing.
    text = " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]
    return _cut(text)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_CAUSE else text[:LONGEST_CAUSE] + " ..."
