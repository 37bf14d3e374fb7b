"""What is wrong with a sweep: gathered wherever it is found, told at once in one line."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hlx.errors import InputError

NAMED_PROBLEMS = 20
"""So many problems are named before it is said how many more there are."""


@dataclass
class Problems:
    """What is wrong with a sweep, told all at once.

    Attributes
    ----------
    file
        The sweep file, which the message starts with.
    """

    file: Path
    found: list[str] = field(default_factory=list)

    def add(self, problem: object) -> None:
        """Something that is wrong; said once however often it is added."""
        if (text := " ".join(str(problem).split())) not in self.found:
            self.found.append(text)

    def tell(self) -> None:
        """Raise InputError, in one line, if there are any."""
        if not self.found:
            return
        count = f"{len(self.found)} problems: " if len(self.found) > 1 else ""
        more = len(self.found) - NAMED_PROBLEMS
        rest = f"; and {more} more" if more > 0 else ""
        raise InputError(f"{self.file}: {count}{'; '.join(self.found[:NAMED_PROBLEMS])}{rest}")


def nearest(word: str, known: Sequence[str]) -> str:
    """What a misspelt word may have meant, or all that there is."""
    close = difflib.get_close_matches(word, known, 1, 0.6)
    return f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"


def kind_of(value: object) -> str:
    """What a TOML value is, in words."""
    kinds: dict[type, str] = {bool: "a truth value", list: "a list", dict: "a table"}
    return kinds.get(type(value)) or reprlib.repr(value)
