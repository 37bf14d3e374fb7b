"""What terminals and notes print: numbers with their nouns, names of the first few, tables of text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

NAMED = 3
"""So many examples are named before a note says how many more there are."""


def plural(number: int, one: str, several: str | None = None) -> str:
    """A number with its noun, such as "1 stimulus" or "1,200 stimuli"; the plural ends in s unless given."""
    noun = one if number == 1 else f"{one}s" if several is None else several
    return f"{number:,} {noun}"


def plural_stimuli(number: int) -> str:
    """A number of stimuli, as `plural`."""
    return plural(number, "stimulus", "stimuli")


def examples(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


LONGEST_CAUSE = 240
"""Characters of another library's error."""


def message_of(error: BaseException) -> str:
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


WIDTH = 100


def text_table(cells: Sequence[Sequence[str]], width: int = WIDTH) -> str:
    """Lines of cells, the first line their head, in columns; cut into even blocks where too wide."""
    names = max(len(line[0]) for line in cells)
    columns = len(cells[0]) - 1
    widths = [max(len(line[i + 1]) for line in cells) + 1 for i in range(columns)]
    room = max(width - names, max(widths, default=0))
    blocks = next(
        count
        for count in range(1, columns + 1)
        if all(sum(widths[i] for i in part) <= room for part in _parts(columns, count))
    )
    return "\n\n".join(
        "\n".join(
            (line[0].ljust(names) + "".join(line[i + 1].rjust(widths[i]) for i in part)).rstrip()
            for line in cells
        )
        for part in _parts(columns, blocks)
    )


def _parts(columns: int, count: int) -> list[range]:
    edges = [round(columns * i / count) for i in range(count + 1)]
    return [range(first, last) for first, last in pairwise(edges)]
