"""Files that list stimuli, CSV, JSONL and VALSE's JSON, read whole or refused with the place named."""

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from hlx.errors import InputError
from hlx.images import check_file
from hlx.stimuli.json_text import parse_json
from hlx.stimuli.row import Row
from hlx.stimuli.search import beside
from hlx.stimuli.stimulus import Stimulus
from hlx.stimuli.valse import valse_rows

FIELDS = ("image", "caption", "foil", "id", "phenomenon")
"""The columns of a CSV and the keys of a JSONL file; all others are ignored."""

STUDY_COLUMN = "stimulus"
"""The reference study names its stimuli by their images, in this column: it stands in for either."""


def read_stimuli(
    path: str | Path,
    *,
    validated: bool = False,
    need_foil: bool = False,
    image: str | Path | None = None,
    resolve: bool = True,
) -> list[Stimulus]:
    """The stimuli that a file lists, in its order.

    ``.csv`` has a header with the columns image, caption and, optionally, foil, id and phenomenon.
    ``.jsonl`` (or ``.ndjson``) has one object with the same keys on each line. ``.json`` is VALSE's own
    layout, an object of items by key (Parcalabescu et al. 2022, doi:10.18653/v1/2022.acl-long.567). All are
    UTF-8, with or without a byte order mark. Other columns and keys are ignored; a column ``stimulus``
    stands in for an absent id or image. An empty cell of an optional column means that there is none.

    A stimulus without an id gets ``<file's stem>/<row>``, where the header is row 1 and blank rows count;
    VALSE's get ``<file's stem>/<key>``, because VALSE repeats its keys in other files.

    Parameters
    ----------
    path : path
        The file; its extension says its format.
    validated : bool
        Keep the items whose caption at least 2 of VALSE's 3 annotators chose.
    need_foil : bool
        Refuse stimuli without a foil.
    image : path, optional
        The image of all rows, whatever the file says; it then needs no image column.
    resolve : bool
        Turn an image that exists relative to the file's folder into its path; False keeps all names as
        written.

    Raises
    ------
    InputError
        The file cannot be read, is no UTF-8, lists nothing or has another layout; a field is missing, empty
        or of another type; an id appears twice; `validated` on a file without annotators' votes. The message
        names the file, the row (or line, or item) and the column (or key).

    Warns
    -----
    UserWarning
        VALSE items were left out because their caption equals their foil, as in 15 of the items of its
        existence and actant-swap files that annotators did not validate.
    """
    path = Path(path)
    stimuli: list[Stimulus] = []
    places: dict[str | None, str] = {}
    for row in _rows(path, validated, image):
        stimulus = row.stimulus(need_foil)
        if stimulus.id in places:
            raise row.error("id", f"{stimulus.id!r} is also the id of {places[stimulus.id]}; make ids unique")
        places[stimulus.id] = row.place
        found = beside(stimulus.image_name, path.parent) if resolve and image is None else None
        stimuli.append(stimulus if found is None else replace(stimulus, image=found))
    if not stimuli:
        raise InputError(f"{path}: lists no stimuli" + (" that annotators validated" if validated else ""))
    return stimuli


def _rows(path: Path, validated: bool, image: str | Path | None) -> Iterator[Row]:
    extension = path.suffix.lower()
    if extension not in (".csv", ".jsonl", ".ndjson", ".json"):
        raise InputError(f"{path}: expected a .csv, .jsonl or .json (VALSE) file of stimuli")
    text = _read_text(path)
    if extension == ".json":
        rows = valse_rows(path, text, validated)
    elif validated:
        raise InputError(
            f"{path}: holds no annotators' votes to keep validated stimuli by; VALSE's .json files do"
        )
    else:
        rows = _csv_rows(path, text, image) if extension == ".csv" else _jsonl_rows(path, text)
    for row in rows:
        yield row if image is None else replace(row, fields={**row.fields, "image": str(image)})


def _read_text(path: Path) -> str:
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


def _csv_rows(path: Path, text: str, image: str | Path | None) -> Iterator[Row]:
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] | None = None
    number = 0
    try:
        for number, cells in enumerate(lines, start=1):
            if not cells:
                continue
            if header is None:
                header = _header(path, cells, image)
                continue
            if len(cells) != len(header):
                raise InputError(
                    f"{path}, row {number}: expected {len(header)} columns ({', '.join(header)}), "
                    f"found {len(cells)}; "
                    "put a field that holds a comma in double quotes"
                )
            fields, spelling = _canonical(dict(zip(header, cells, strict=True)))
            yield Row(path, f"row {number}", "column", fields, f"{path.stem}/{number}", spelling)
    except csv.Error as error:
        raise InputError(f"{path}, row {number + 1}: not valid CSV: {error}") from None
    if header is None:
        raise InputError(
            f"{path}: the file is empty, expected a header with the columns image, caption, foil"
        )


def _header(path: Path, cells: list[str], image: str | Path | None) -> list[str]:
    names = [cell.strip() for cell in cells]
    found = ", ".join(map(repr, names))
    for name in FIELDS:
        if names.count(name) > 1:
            raise InputError(f"{path}, row 1: column {name} appears twice; the columns are {found}")
    fields, _ = _canonical(dict.fromkeys(names, "-"))
    for name in ("image", "caption"):
        if name not in fields and (name != "image" or image is None):
            hint = "; separate columns by commas" if len(names) == 1 and {";", "\t"} & set(names[0]) else ""
            raise InputError(f"{path}, row 1: column {name} is missing; the columns are {found}{hint}")
    return names


def _jsonl_rows(path: Path, text: str) -> Iterator[Row]:
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
        fields, spelling = _canonical(value)
        yield Row(path, f"line {number}", "key", fields, f"{path.stem}/{number}", spelling)


def _canonical(fields: dict[str, object]) -> tuple[dict[str, object], dict[str, str]]:
    """Fields with STUDY_COLUMN standing in for image or id, and what the file calls them."""
    spelling = {}
    if STUDY_COLUMN in fields:
        spelling = {name: STUDY_COLUMN for name in ("image", "id") if name not in fields}
    return {**fields, **{name: fields[STUDY_COLUMN] for name in spelling}}, spelling
