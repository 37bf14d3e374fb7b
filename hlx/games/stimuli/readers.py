"""Files that list stimuli, CSV, JSONL and VALSE's JSON, read whole or refused with the place named."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from hlx.errors import InputError
from hlx.games.stimuli.search import beside
from hlx.games.stimuli.stimulus import Stimulus, same_text
from hlx.io.csv_jsonl import Record, csv_records, jsonl_records, missing_column, parse_json, read_text


@dataclass(frozen=True)
class Row(Record):
    """The fields of one stimulus by the names that :class:`~hlx.games.stimuli.Stimulus` gives them.

    Parameters
    ----------
    fallback_id
        The stimulus's id if it has none.
    """

    fallback_id: str = field(kw_only=True)

    def stimulus(self, need_foil: bool = False) -> Stimulus:
        """The stimulus that the row describes.

        Raises
        ------
        InputError
            A field is missing, empty or of another type, or `need_foil` and there is none.
        """
        image, caption = self._required("image"), self._required("caption")
        foil, given_id, phenomenon = (self.optional_text(name) for name in ("foil", "id", "phenomenon"))
        if need_foil and foil is None:
            raise self.error("foil", "missing; this needs a wrong text for every stimulus")
        try:
            return Stimulus(image, caption, foil, given_id or self.fallback_id, phenomenon)
        except InputError as error:
            name, _, message = str(error).partition(": ")
            raise self.error(name, message) from None

    def _required(self, name: str) -> str:
        # Emptiness is the stimulus's own business, which says it in its own words.
        if name not in self.fields:
            raise self.error(name, "missing")
        return self.as_text(name, self.fields[name])


KEYS = {"image": "image_file", "caption": "caption", "foil": "foil", "phenomenon": "linguistic_phenomena"}
"""VALSE's names of a stimulus's fields."""

VOTES_NEEDED = 2
"""An item is valid when at least so many of the three annotators chose the caption, and not the foil."""


def valse_rows(path: Path, text: str, validated: bool) -> Iterator[Row]:
    """The items of one VALSE file; those whose caption equals their foil are left out with a warning.

    The phenomenon is the one VALSE states, so that action-replacement and actant-swap are both ``actions``;
    the instrument, which is the file's name, starts the id.

    Raises
    ------
    InputError
        The text is not VALSE's layout, or `validated` and an item has no votes.
    """
    items = parse_json(str(path), text)
    if not isinstance(items, dict):
        raise InputError(
            f"{path}: expected VALSE's layout, an object of items by key, found {type(items).__name__}; "
            "stimuli of your own go in a .csv or .jsonl file"
        )
    alike = []
    for key, item in items.items():
        place = f"item {key!r}"
        if not isinstance(item, dict):
            raise InputError(
                f"{path}, {place}: expected an object with image_file, caption and foil (VALSE's layout), "
                f"found {type(item).__name__}"
            )
        fields = {name: item[spelling] for name, spelling in KEYS.items() if spelling in item}
        fields.setdefault("phenomenon", path.stem)
        name = f"{path.stem}/{key}"
        row = Row(path, place, "key", {**fields, "id": name}, KEYS, fallback_id=name)
        if validated and _votes(row, item) < VOTES_NEEDED:
            continue
        caption, foil = fields.get("caption"), fields.get("foil")
        if (
            isinstance(caption, str)
            and isinstance(foil, str)
            and caption.strip()
            and same_text(caption, foil)
        ):
            alike.append(key)
            continue
        yield row
    if alike:
        warnings.warn(
            f"{path}: {len(alike)} of {len(items)} items left out, their caption equals their foil: "
            + ", ".join(alike[:5])
            + (", ..." if len(alike) > 5 else ""),
            stacklevel=3,
        )


def _votes(row: Row, item: dict[str, object]) -> int:
    """How many annotators chose the item's caption."""
    votes = item.get("mturk")
    count = votes.get("caption") if isinstance(votes, dict) else None
    if not isinstance(count, int) or isinstance(count, bool):
        raise row.error(
            "mturk", 'expected the annotators\' votes {"caption": 0 to 3, ...}, needed for validated items'
        )
    return count


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
    path
        path The file; its extension says its format.
    validated
        Keep the items whose caption at least 2 of VALSE's 3 annotators chose.
    need_foil
        Refuse stimuli without a foil.
    image
        path, optional The image of all rows, whatever the file says; it then needs no image column.
    resolve
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
    text = read_text(path)
    rows: Iterable[Row]
    if extension == ".json":
        rows = valse_rows(path, text, validated)
    elif validated:
        raise InputError(
            f"{path}: holds no annotators' votes to keep validated stimuli by; VALSE's .json files do"
        )
    elif extension == ".csv":
        records = csv_records(path, text, _header_check(path, image), "image, caption, foil")
        rows = map(_row, records)
    else:
        rows = map(_row, jsonl_records(path, text))
    for row in rows:
        yield row if image is None else replace(row, fields={**row.fields, "image": str(image)})


def _header_check(path: Path, image: str | Path | None) -> Callable[[list[str]], None]:
    def check(names: list[str]) -> None:
        found = ", ".join(map(repr, names))
        for name in FIELDS:
            if names.count(name) > 1:
                raise InputError(f"{path}, row 1: column {name} appears twice; the columns are {found}")
        fields, _ = _canonical(dict.fromkeys(names, "-"))
        for name in ("image", "caption"):
            if name not in fields and (name != "image" or image is None):
                raise missing_column(path, name, names)

    return check


def _row(record: Record) -> Row:
    """The record as a stimulus's row; its number, which ends its place, is in the id it falls back to."""
    fields, spelling = _canonical(record.fields)
    number = record.place.rpartition(" ")[2]
    return Row(
        record.file, record.place, record.word, fields, spelling, fallback_id=f"{record.file.stem}/{number}"
    )


def _canonical(fields: Mapping[str, object]) -> tuple[dict[str, object], dict[str, str]]:
    """Fields with STUDY_COLUMN standing in for image or id, and what the file calls them."""
    spelling = {}
    if STUDY_COLUMN in fields:
        spelling = {name: STUDY_COLUMN for name in ("image", "id") if name not in fields}
    return {**fields, **{name: fields[STUDY_COLUMN] for name in spelling}}, spelling
