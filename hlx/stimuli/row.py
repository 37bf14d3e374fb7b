"""A row of a stimulus file as a stimulus."""

from dataclasses import dataclass, field

from hlx.errors import InputError
from hlx.records import Record
from hlx.stimuli.stimulus import Stimulus


@dataclass(frozen=True)
class Row(Record):
    """The fields of one stimulus by the names that :class:`~hlx.stimuli.Stimulus` gives them.

    Parameters
    ----------
    fallback_id : str
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
