"""JSON as strict as a data file needs it: a repeated key is an error, not the loss of an item."""

import json

from hlx.errors import InputError


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
