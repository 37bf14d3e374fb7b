"""VALSE's own JSON: items by key, each with its image's name, a caption, a foil and three annotators' votes.

Letitia Parcalabescu et al., VALSE: A Task-Independent Benchmark for Vision and Language Models Centered on
Linguistic Phenomena, ACL 2022, section 4.4 (votes). All of its instruments share the layout.
"""

import warnings
from collections.abc import Iterator
from pathlib import Path

from hlx.errors import InputError
from hlx.json_text import parse_json
from hlx.stimuli.row import Row
from hlx.stimuli.stimulus import same_text

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
