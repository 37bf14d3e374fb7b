"""Tables of a TOML file whose keys are asked for one by one; what is wrong is gathered and told at once."""

from __future__ import annotations

import difflib
import re
import reprlib
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hlx.errors import InputError
from hlx.records import read_text

MOST = 10**9
"""Of any whole number in a sweep file."""

NAMED_PROBLEMS = 20
"""So many problems are named before it is said how many more there are."""


@dataclass
class Problems:
    """What is wrong with a sweep, told all at once.

    Attributes
    ----------
    file : the sweep file, which the message starts with.
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


def read_toml(path: Path) -> dict[str, Any]:
    """What a TOML file says.

    Raises
    ------
    InputError : missing, a folder, empty, not UTF-8, or not TOML; names the line.
    """
    text = read_text(path)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        place = re.search(r" \(at line (\d+), column (\d+)\)$", message)
        if place is None:
            raise InputError(f"{path}: not valid TOML: {message}") from None
        reason = message[: place.start()]
        where = f"line {place[1]}, character {place[2]}"
        raise InputError(f"{path}, {where}: not valid TOML: {reason}") from None
    except ValueError as error:  # a number of thousands of digits, say
        raise InputError(f"{path}: not usable TOML: {error}") from None
    except RecursionError:
        raise InputError(f"{path}: not usable TOML: nests too deeply") from None


def nearest(word: str, known: Sequence[str]) -> str:
    """What a misspelt word may have meant, or all that there is."""
    close = difflib.get_close_matches(word, known, 1, 0.6)
    return f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"


def kind_of(value: object) -> str:
    """What a TOML value is, in words."""
    kinds: dict[type, str] = {bool: "a truth value", list: "a list", dict: "a table"}
    return kinds.get(type(value)) or reprlib.repr(value)


class Table:
    """A table whose keys are asked for by name; a wrong one is a problem, and its default is given instead.

    Parameters
    ----------
    place : what messages put before the keys' names: "" at the top, "models[1]" below.
    known : all keys that it may have; others are problems.

    Attributes
    ----------
    given : the keys that it has.
    """

    def __init__(self, found: dict[str, Any], place: str, known: Sequence[str], problems: Problems) -> None:
        self._found, self._place, self._problems = found, place, problems
        self.given = frozenset(found)
        for name in found:
            if name not in known:
                problems.add(f"{self.place(name)}: unknown key; {nearest(name, known)}")

    def place(self, name: str) -> str:
        """A key as messages call it."""
        return f"{self._place}.{name}" if self._place else name

    def wrong(self, name: str, expected: str) -> None:
        """The key is not what was expected."""
        value = self._found[name]
        found = f" {value!r}" if isinstance(value, str) and len(value) < 80 else ""
        told = "" if found else f", found {kind_of(value)}"
        self._problems.add(f"{self.place(name)}{found}: expected {expected}{told}")

    def _missing(self, name: str, expected: str) -> None:
        self._problems.add(f"{self.place(name)}: missing; expected {expected}")

    def text(self, name: str, expected: str = "text", needed: bool = False) -> str | None:
        """A text with something in it, None where there is none."""
        value = self._found.get(name)
        if needed and name not in self.given:
            self._missing(name, expected)
        if value is None or (isinstance(value, str) and value.strip() and value.isprintable()):
            return value
        self.wrong(name, expected)
        return None

    def choice(self, name: str, choices: Sequence[str]) -> str | None:
        """One of several words, None where there is none."""
        value = self._found.get(name)
        if value is None or value in choices:
            return value
        self.wrong(name, " or ".join(choices))
        return None

    def whole(self, name: str, least: int) -> int | None:
        """A whole number, None where there is none."""
        value = self._found.get(name)
        if value is None or (type(value) is int and least <= value <= MOST):
            return value
        self.wrong(name, f"a whole number of at least {least}")
        return None

    def number(self, name: str, expected: str) -> float | None:
        """A positive number, None where there is none."""
        value = self._found.get(name)
        if value is None:
            return None
        if type(value) in (int, float) and 0 < value <= sys.float_info.max:
            return float(value)
        self.wrong(name, expected)
        return None

    def truth(self, name: str, default: bool = False) -> bool:
        """true or false."""
        value = self._found.get(name, default)
        if isinstance(value, bool):
            return value
        self.wrong(name, "true or false")
        return default

    def values(self, name: str, expected: str, needed: bool = False) -> list[tuple[str, Any]] | None:
        """The values of a list that is not empty, with their places; None where there is none."""
        if name not in self._found:
            if needed:
                self._missing(name, expected)
            return None
        value = self._found[name]
        if isinstance(value, list) and value:
            return [(f"{self.place(name)}[{i}]", each) for i, each in enumerate(value)]
        self.wrong(name, expected + (", not an empty one" if value == [] else ""))
        return None

    def texts(self, name: str, expected: str, needed: bool = False) -> list[tuple[str, str]]:
        """The texts of a list, with their places."""
        texts = []
        for place, value in self.values(name, expected, needed) or []:
            if isinstance(value, str) and value.strip() and value.isprintable():
                texts.append((place, value))
            else:
                self._problems.add(f"{place}: expected text, found {kind_of(value)}")
        return texts
