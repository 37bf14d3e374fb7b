"""What participants did with a stimulus, and the files that hold it.

A file is a .csv with a header, or a .jsonl with an object on each line. Its columns or keys, of which all
others are ignored::

    participant                   text
    stimulus                      its id
    answer                        caption, foil or undecided
    clicks                        [[x, y], ...] in pixels of the canvas; x is the column, y the row, pixel
                                  centres are at integers, so that (0, 0) is the centre of the top left pixel
    times                         optional, [t, ...]: when each click came, in seconds
    seconds                       optional: how long the response took
    answered_without_deblurring   optional, true or false; the participant said so
    problem_reported              optional, true or false
    simulated                     optional, true where no person responded

In a .csv, clicks and times are cells that hold this text (in double quotes, for its commas), and truths may
also be 1 and 0. An empty cell or null means that there is nothing: no clicks, no times, false.
"""

from __future__ import annotations

import difflib
import json
import math
import warnings
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from hlx.errors import InputError, OutputError
from hlx.games.stimuli.stimulus import check_text
from hlx.io.csv_jsonl import Record, parse_json, read_records
from hlx.io.files import check_output, write_bytes

ANSWERS = ("caption", "foil", "undecided")
REQUIRED = ("participant", "stimulus", "answer", "clicks")
OPTIONAL = ("times", "seconds")
FLAGS = ("answered_without_deblurring", "problem_reported", "simulated")
TRUTHS = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, eq=False)
class Response:
    """One participant's clicks on a blurred image, and which of its two texts they chose.

    Attributes
    ----------
    participant, stimulus
        Ids.
    answer
        "caption", "foil" or "undecided".
    clicks
        (k, 2), x (column) and y (row) in pixels of the canvas; pixel centres are at integers.
    times
        (k,), when each click came, in seconds; None where unknown.
    seconds
        How long the response took; None where unknown.
    answered_without_deblurring, problem_reported
        As the participant said.
    simulated
        True where no person responded.
    place
        File and row, for messages; "" where the response comes from no file.

    Raises
    ------
    InputError
        A field that is none of this. The message starts with the field's name.
    """

    participant: str
    stimulus: str
    answer: str
    clicks: Float64[np.ndarray, "k 2"]
    times: Float64[np.ndarray, " t"] | None = None
    seconds: float | None = None
    answered_without_deblurring: bool = False
    problem_reported: bool = False
    simulated: bool = False
    place: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        for name in ("participant", "stimulus"):
            check_text(name, getattr(self, name))
        if self.answer not in ANSWERS:
            raise InputError(f"answer: expected one of {', '.join(ANSWERS)}, found {self.answer!r}")
        wrong = np.flatnonzero(~np.isfinite(self.clicks).all(axis=1))
        if wrong.size:
            point = self.clicks[wrong[0]].tolist()
            raise InputError(f"clicks: click {wrong[0] + 1} is {point}, expected two finite numbers")
        if self.times is not None:
            self._check_times(self.times)
        if self.seconds is not None and not 0 <= self.seconds < math.inf:
            raise InputError(f"seconds: expected a finite number from 0 on, found {self.seconds}")

    def _check_times(self, times: Float64[np.ndarray, " t"]) -> None:
        if len(times) != len(self.clicks):
            raise InputError(f"times: expected one for each of {len(self.clicks)} clicks, found {len(times)}")
        wrong = np.flatnonzero(~(np.isfinite(times) & (times >= 0)))
        if wrong.size:
            raise InputError(
                f"times: the time of click {wrong[0] + 1} is {times[wrong[0]]}, expected seconds, from 0 on"
            )

    @property
    def name(self) -> str:
        """What messages call the response: its place, else who responded to what."""
        return self.place or f"participant {self.participant!r}, stimulus {self.stimulus!r}"


def read_responses(
    path: str | Path | Sequence[str | Path], stimuli: Collection[str] | None = None
) -> list[Response]:
    """The responses of one or several .csv or .jsonl files, in their order; the module describes the files.

    Parameters
    ----------
    path
        The file or files.
    stimuli
        Ids that a response may have; None for any.

    Raises
    ------
    InputError
        A file that cannot be read or holds no responses, a field that is missing or not what the module says,
        a stimulus that is not among `stimuli`, or two responses of a participant to the same stimulus. The
        message names file, row (or line) and column (or key).
    """
    responses: list[Response] = []
    misspelt: dict[str, str] = {}
    for file in [path] if isinstance(path, str | Path) else path:
        before = len(responses)
        for record in read_records(file, REQUIRED):
            response = _response(record)
            misspelt.update(_misspelt(record))
            if stimuli is not None and response.stimulus not in stimuli:
                raise record.error("stimulus", _unknown(response.stimulus, stimuli))
            responses.append(response)
        if len(responses) == before:
            raise InputError(f"{file}: holds no responses")
    check_unique(responses)
    for name, meant in misspelt.items():
        warnings.warn(f"{name} is not read; {meant!r} is what it would be read as", stacklevel=2)
    return responses


def check_unique(responses: Iterable[Response]) -> None:
    """Raise InputError if a participant responds twice to a stimulus; it names both responses."""
    first: dict[tuple[str, str], Response] = {}
    for response in responses:
        key = response.participant, response.stimulus
        earlier = first.get(key)
        if earlier is not None:
            where = f"; the other is {earlier.place}" if earlier.place else ""
            raise InputError(
                f"{response.place or 'responses'}: participant {response.participant!r} responds to stimulus "
                f"{response.stimulus!r} a second time{where}; keep one of them"
            )
        first[key] = response


def write_responses(path: str | Path, responses: Iterable[Response], force: bool = False) -> None:
    """Responses as a .jsonl file that `read_responses` reads, with all digits.

    Parameters
    ----------
    path
        Ends in .jsonl or .ndjson.
    responses
        What to write.
    force
        Replace a file that exists.

    Raises
    ------
    OutputError
        Another ending, the file exists (unless `force`), or cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in (".jsonl", ".ndjson"):
        raise OutputError(f"{path}: responses are written as .jsonl")
    lines = [json.dumps(_as_dict(response), ensure_ascii=False) + "\n" for response in responses]
    write_bytes(check_output(path, force), "".join(lines).encode())


def parse_clicks(value: object) -> Float64[np.ndarray, "k 2"]:
    """Points [x, y] of a JSON text as an array; InputError, which starts with "clicks", for anything else."""
    if not isinstance(value, list):
        raise InputError(f"clicks: expected a list of points [x, y], found {_shown(value)}")
    for number, point in enumerate(value, 1):
        if not (isinstance(point, list) and len(point) == 2 and all(map(_is_finite, point))):
            raise InputError(
                f"clicks: click {number} is {_shown(point)}, expected [x, y], two finite numbers"
            )
    return np.array(value, dtype=np.float64).reshape(-1, 2)


def _parse_times(value: object) -> Float64[np.ndarray, " t"]:
    if not isinstance(value, list):
        raise InputError(f"times: expected a list with one time for each click, found {_shown(value)}")
    for number, time in enumerate(value, 1):
        if not _is_finite(time):
            raise InputError(
                f"times: the time of click {number} is {_shown(time)}, expected seconds, from 0 on"
            )
    return np.array(value, dtype=np.float64)


def _is_finite(value: object) -> bool:
    """Whether a value of JSON is a finite number; whole ones may be too large for double precision."""
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        return False


def _shown(value: object) -> str:
    return json.dumps(value)[:40]


def _response(record: Record) -> Response:
    participant, stimulus, answer = (record.text(name) for name in REQUIRED[:3])
    if "clicks" not in record.fields:
        raise record.error("clicks", "missing; write [] where there are none")
    clicks, times = (_spelled(record, name) for name in ("clicks", "times"))
    seconds = None if record.fields.get("seconds") in (None, "") else record.number("seconds")
    flags = {name: _flag(record, name) for name in FLAGS}
    try:
        return Response(
            participant,
            stimulus,
            answer,
            np.empty((0, 2)) if clicks is None else parse_clicks(clicks),
            None if times is None else _parse_times(times),
            seconds,
            place=f"{record.file}, {record.place}",
            **flags,
        )
    except InputError as error:
        name, _, message = str(error).partition(": ")
        raise record.error(name, message) from None


def _spelled(record: Record, name: str) -> object:
    """A field's value; in a CSV file what its JSON text spells. None where there is nothing."""
    value = record.fields.get(name)
    if value is None or value == "":
        return None
    if record.word == "column" and isinstance(value, str):
        return parse_json(f"{record.file}, {record.place}, {record.word} {name}", value)
    return value


def _flag(record: Record, name: str) -> bool:
    value = record.fields.get(name)
    if value is None or value == "":
        return False
    truth = TRUTHS.get(str(value).strip().lower())
    if truth is None:
        raise record.error(name, f"expected true or false, found {json.dumps(value)[:40]}")
    return truth


def _misspelt(record: Record) -> dict[str, str]:
    """Fields that are not read but look like one that would be, which is then taken for absent."""
    read = (*REQUIRED, *OPTIONAL, *FLAGS)
    absent = [name for name in read if name not in record.fields]
    found = {}
    for name in record.fields:
        close = [] if name in read else difflib.get_close_matches(name, absent, 1, 0.8)
        if close:
            found[f"{record.file}: {record.word} {name!r}"] = close[0]
    return found


def _unknown(stimulus: str, stimuli: Collection[str]) -> str:
    close = difflib.get_close_matches(stimulus, stimuli, 1)
    hint = f"; the closest is {close[0]!r}" if close else ""
    return f"{stimulus!r} is none of the {len(stimuli)} known stimuli{hint}"


def _as_dict(response: Response) -> dict[str, object]:
    """The fields of a file; optional ones are left out where they say nothing."""
    fields: dict[str, object] = {
        "participant": response.participant,
        "stimulus": response.stimulus,
        "answer": response.answer,
        "clicks": response.clicks.tolist(),
    }
    if response.times is not None:
        fields["times"] = response.times.tolist()
    if response.seconds is not None:
        fields["seconds"] = response.seconds
    return {**fields, **{name: True for name in FLAGS if getattr(response, name)}}
