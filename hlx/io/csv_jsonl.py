"""Text files with a record on each row, CSV and JSON lines; every complaint names file, row and field."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hlx.errors import InputError
from hlx.io.checks import check_file

ENDINGS = (".csv", ".jsonl", ".ndjson")


@dataclass(frozen=True)
class Record:
    """The fields of one record as a file spells them.

    Parameters
    ----------
    file
        The file.
    place
        Where in it, such as ``row 3``, ``line 3`` or ``item 'a'``.
    word
        What the format calls a field: ``column`` or ``key``.
    fields
        Mapping Values by name; texts in a CSV file, whatever JSON says in the others.
    spelling
        Mapping The file's own names of fields, where they are others.
    """

    file: Path
    place: str
    word: str
    fields: Mapping[str, object]
    spelling: Mapping[str, str] = field(default_factory=dict)

    def error(self, name: str, message: str) -> InputError:
        """An InputError that names the file, the place and the field."""
        return InputError(
            f"{self.file}, {self.place}, {self.word} {self.spelling.get(name, name)}: {message}"
        )

    def text(self, name: str) -> str:
        """A field that must be there; InputError where it is missing, empty or no text."""
        if name not in self.fields:
            raise self.error(name, "missing")
        value = self.as_text(name, self.fields[name])
        if not value.strip():
            raise self.error(name, "is empty")
        return value

    def optional_text(self, name: str) -> str | None:
        """A field that may be absent: an empty cell and JSON's null mean the same."""
        value = self.fields.get(name)
        return None if value is None or value == "" else self.as_text(name, value)

    def as_text(self, name: str, value: object) -> str:
        """A field's value, if it is a text; InputError otherwise. Whole numbers are usual ids in JSON."""
        if name in ("id", "stimulus", "participant") and type(value) is int:
            return str(value)
        if not isinstance(value, str):
            raise self.error(
                name, f"expected text, found {'null' if value is None else json.dumps(value)[:40]}"
            )
        return value

    def number(self, name: str) -> float:
        """A field that must be a finite number; InputError otherwise."""
        if name not in self.fields:
            raise self.error(name, "missing")
        value = self.fields[name]
        try:
            if isinstance(value, bool) or not isinstance(value, int | float | str):
                raise ValueError
            number = float(value)
        except (ValueError, OverflowError):
            raise self.error(name, f"expected a number, found {json.dumps(value)[:40]}") from None
        if not math.isfinite(number):
            raise self.error(name, f"expected a finite number, found {number}")
        return number


def read_records(path: str | Path, required: Sequence[str]) -> Iterator[Record]:
    """The records of a .csv, .jsonl or .ndjson file, in its order.

    Parameters
    ----------
    required
        Columns that a CSV file must have; JSON lines are asked for their keys when they are read.

    Raises
    ------
    InputError
        Another ending, missing, not UTF-8, not the format, a column that is missing or twice there.
    """
    path = Path(path)
    extension = path.suffix.lower()
    if extension not in ENDINGS:
        raise InputError(f"{path}: expected a {' or '.join(ENDINGS[:2])} file")
    text = read_text(path)
    if extension != ".csv":
        yield from jsonl_records(path, text)
        return

    def check(names: list[str]) -> None:
        for name in names:
            if names.count(name) > 1:
                raise InputError(f"{path}, row 1: column {name} appears twice")
        for name in required:
            if name not in names:
                raise missing_column(path, name, names)

    yield from csv_records(path, text, check, ", ".join(required))


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, with or without a byte order mark; InputError for anything else."""
    check_file(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}, line {line}: not UTF-8 text; save the file as UTF-8") from None


def csv_records(
    path: Path, text: str, check_header: Callable[[list[str]], None], expected: str
) -> Iterator[Record]:
    """The rows of a CSV text below its header, which is row 1; blank rows count but are passed over.

    Parameters
    ----------
    check_header
        Raises InputError for names that will not do.
    expected
        What an empty file should have had in its header.

    Raises
    ------
    InputError
        Not valid CSV, a row of another length, or an empty file.
    """
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] | None = None
    number = 0
    try:
        for number, cells in enumerate(lines, start=1):
            if not cells:
                continue
            if header is None:
                header = [cell.strip() for cell in cells]
                check_header(header)
                continue
            if len(cells) != len(header):
                raise InputError(
                    f"{path}, row {number}: expected {len(header)} columns ({', '.join(header)}), "
                    f"found {len(cells)}; "
                    "put a field that holds a comma in double quotes"
                )
            yield Record(path, f"row {number}", "column", dict(zip(header, cells, strict=True)))
    except csv.Error as error:
        raise InputError(f"{path}, row {number + 1}: not valid CSV: {error}") from None
    if header is None:
        raise InputError(f"{path}: the file is empty, expected a header with the columns {expected}")


def jsonl_records(path: Path, text: str) -> Iterator[Record]:
    """The objects of a text that holds one on each line; InputError for anything else."""
    for number, line in enumerate(
        text.split("\n"), start=1
    ):  # other line breaks may stand inside JSON's strings
        if not line.strip():
            continue
        value = parse_json(f"{path}, line {number}", line)
        if not isinstance(value, dict):
            raise InputError(
                f"{path}, line {number}: expected an object {{...}}, found {type(value).__name__}"
            )
        yield Record(path, f"line {number}", "key", value)


def missing_column(path: Path, name: str, names: list[str]) -> InputError:
    """The error for a header without a column it needs."""
    found = ", ".join(map(repr, names))
    hint = "; separate columns by commas" if len(names) == 1 and {";", "\t"} & set(names[0]) else ""
    return InputError(f"{path}, row 1: column {name} is missing; the columns are {found}{hint}")


def parse_json(place: str, text: str) -> object:
    """The value that a JSON text spells.

    Raises
    ------
    InputError
        The text is not valid JSON, repeats a key within an object or nests too deeply. The message starts
        with `place` and gives line and character.
    """
    try:
        return json.loads(text, object_pairs_hook=lambda pairs: _object(place, pairs))
    except json.JSONDecodeError as error:
        line = f", line {error.lineno}" if "\n" in text.strip() else ""
        raise InputError(f"{place}{line}, character {error.colno}: not valid JSON: {error.msg}") from None
    except (RecursionError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = "nests too deeply" if isinstance(error, RecursionError) else error
        raise InputError(f"{place}: not usable JSON: {reason}") from None


def _object(place: str, pairs: list[tuple[str, object]]) -> dict[str, object]:
    result: dict[str, object] = {}
    for key, value in pairs:
        if key in result:
            raise InputError(f"{place}: the key {key!r} appears twice in one object")
        result[key] = value
    return result
