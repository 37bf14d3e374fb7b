"""A row of a stimulus file: where it stands and what it says, so that every complaint can name its place."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hlx.errors import InputError
from hlx.stimuli.stimulus import Stimulus


@dataclass(frozen=True)
class Row:
    """The fields of one stimulus as a file spells them.

    Parameters
    ----------
    file : Path
        The file.
    place : str
        Where in it, such as ``row 3``, ``line 3`` or ``item 'a'``.
    word : str
        What the format calls a field: ``column`` or ``key``.
    fields : mapping
        Values by the names that :class:`~hlx.stimuli.Stimulus` gives them.
    fallback_id : str
        The stimulus's id if it has none.
    spelling : mapping
        The file's own names of fields, where they are others.
    """

    file: Path
    place: str
    word: str
    fields: Mapping[str, object]
    fallback_id: str
    spelling: Mapping[str, str] = field(default_factory=dict)

    def error(self, name: str, message: str) -> InputError:
        """An InputError that names the file, the place and the field."""
        return InputError(
            f"{self.file}, {self.place}, {self.word} {self.spelling.get(name, name)}: {message}"
        )

    def stimulus(self, need_foil: bool = False) -> Stimulus:
        """The stimulus that the row describes.

        Raises
        ------
        InputError
            A field is missing, empty or of another type, or `need_foil` and there is none.
        """
        image, caption = self._required("image"), self._required("caption")
        foil, given_id, phenomenon = (self._optional(name) for name in ("foil", "id", "phenomenon"))
        if need_foil and foil is None:
            raise self.error("foil", "missing; this needs a wrong text for every stimulus")
        try:
            return Stimulus(image, caption, foil, given_id or self.fallback_id, phenomenon)
        except InputError as error:
            name, _, message = str(error).partition(": ")
            raise self.error(name, message) from None

    def _required(self, name: str) -> str:
        if name not in self.fields:
            raise self.error(name, "missing")
        return self._text(name, self.fields[name])

    def _optional(self, name: str) -> str | None:
        """A field that may be absent: an empty cell and JSON's null mean the same."""
        value = self.fields.get(name)
        return None if value is None or value == "" else self._text(name, value)

    def _text(self, name: str, value: object) -> str:
        # A whole number is a usual id in JSON, and the only thing that may be one besides a text.
        if name == "id" and type(value) is int:
            return str(value)
        if not isinstance(value, str):
            raise self.error(
                name, f"expected text, found {'null' if value is None else json.dumps(value)[:40]}"
            )
        return value
