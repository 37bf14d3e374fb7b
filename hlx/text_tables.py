"""Tables for terminals."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

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
