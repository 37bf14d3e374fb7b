"""The sweep file: TOML that says what to compute, read and checked whole before anything runs."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    PlainValidator,
    PrivateAttr,
    ValidationError,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from hlx.errors import InputError
from hlx.games.backgrounds import BACKGROUNDS
from hlx.io.csv_jsonl import read_text
from hlx.io.own_code import is_own_name
from hlx.sweep.config.compilation_cache import own_folder
from hlx.sweep.config.entries import EstimatorEntry, LabelMaps, ModelEntry, Regions, RegionsEntry
from hlx.sweep.config.fields import TEXT, Distinct, PathText, Several, Text, TomlTable, Wrong, path_of
from hlx.sweep.config.problems import Problems, kind_of, nearest

if TYPE_CHECKING:
    # A protocol that nothing can be checked against while hlx runs.
    from pydantic import ValidationInfo

TABLES: dict[str, type[TomlTable]] = {
    "models": ModelEntry,
    "regions": LabelMaps,
    "estimators": EstimatorEntry,
}
"""What the values of lists may be instead of texts."""


def _known_background(name: str) -> str:
    if name not in BACKGROUNDS:
        raise Wrong(f"unknown background; {nearest(name, BACKGROUNDS)}")
    return name


Background = Annotated[Text, AfterValidator(_known_background), WithJsonSchema({"enum": list(BACKGROUNDS)})]


def _output(value: Any, info: ValidationInfo) -> Path:
    named = (info.context or {}).get("path", Path("sweep")).stem
    folder = path_of(named if value is None else value, info)
    there = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    if not os.path.isdir(there):
        raise Wrong(f"{there} is a file, expected a folder's path")
    return folder


def _cache(value: Any, info: ValidationInfo) -> Path | None:
    if isinstance(value, bool):
        return own_folder() if value else None
    return path_of(value, info)


class SweepFile(TomlTable):
    """What a sweep file asks for; its paths are absolute."""

    output: Annotated[Path, PlainValidator(_output), WithJsonSchema(TEXT)] = Field(
        None, validate_default=True, description="a folder's path: by default named as the file"
    )
    stimuli: Distinct[PathText] = Field(
        description='a list of files, such as ["stimuli.csv"]: .csv, .jsonl, or the .json of VALSE'
    )
    images: Several[PathText] = Field((), description="a list of folders: where images are looked for")
    validated: bool = Field(False, description="true or false: of VALSE only what its annotators validated")
    dtype: Literal["float32", "bfloat16"] = Field(
        "float32", description="float32 or bfloat16: of models that name none"
    )
    models: Several[ModelEntry] = Field(
        description='a list of names or tables, such as ["clip-scenes"]: whose maps are made'
    )
    regions: Several[Regions] = Field(
        description='a list of grids or label maps, such as ["4x4", "2x2..14x14"]: a range has all between'
    )
    backgrounds: Distinct[Background] = Field(
        BACKGROUNDS[:1], description="a list of words: what hidden regions show"
    )
    estimators: Several[EstimatorEntry] = Field(
        (EstimatorEntry(name="exact"),), description="a list of names or tables: each on all regions"
    )
    keep_tables: bool = Field(
        False, description="true or false: keep the values of all coalitions where they are evaluated"
    )
    compilation_cache: Annotated[
        Path | None, PlainValidator(_cache), WithJsonSchema({"type": ["boolean", "string"]})
    ] = Field(None, description="true, false or a folder's path: keeps compiled functions for the next run")

    _path: Path = PrivateAttr(Path("sweep"))

    def model_post_init(self, context: Mapping[str, Path] | None) -> None:
        """Keep where the file is."""
        if context is not None:
            self._path = context["path"]

    @property
    def path(self) -> Path:
        """Of the file; of a sweep that was made without one, what messages call it."""
        return self._path

    @field_validator("models")
    @classmethod
    def _models_of_one_dtype(
        cls, models: tuple[ModelEntry, ...], info: ValidationInfo
    ) -> tuple[ModelEntry, ...]:
        _check_labels([[model] for model in models])
        own, default = {"dtype": "float32"}, {"dtype": info.data.get("dtype", "float32")}
        return tuple(
            model.model_copy(update=own if is_own_name(model.name) else default)
            if model.dtype is None
            else model
            for model in models
        )

    @field_validator("regions")
    @classmethod
    def _grids_of_ranges(cls, regions: tuple[tuple[RegionsEntry, ...], ...]) -> tuple[RegionsEntry, ...]:
        _check_labels(regions)
        # A grid may be named by itself and lie in a range, too.
        return tuple(dict.fromkeys(entry for entries in regions for entry in entries))


def read_sweep_file(path: str | Path) -> SweepFile:
    """What a sweep file asks for. Whether images and models are there is for `plan_sweep` to find out.

    Raises
    ------
    InputError
        The file is missing, a folder, empty or not TOML; or keys that are unknown, missing or wrong, all of
        them in one line.
    """
    return checked_sweep(_read_toml(Path(path)), Path(path))


def checked_sweep(config: Mapping[str, Any], path: Path = Path("sweep")) -> SweepFile:
    """What the keys and values of a sweep file ask for; errors as `read_sweep_file`.

    Parameters
    ----------
    path
        Of the file: relative paths are those of its folder, and the output folder is named as it.
    """
    try:
        return SweepFile.model_validate(dict(config), context={"path": path, "folder": path.resolve().parent})
    except ValidationError as error:
        problems = Problems(path)
        # A key that is not known may be why another is missing.
        for each in sorted(error.errors(), key=lambda each: each["type"] != "extra_forbidden"):
            problems.add(_line(each))
        problems.tell()
        raise


def _check_labels(entries: Sequence[Sequence[ModelEntry | RegionsEntry]]) -> None:
    """Refuse entries of one label: it becomes a file's name, whose case may not tell files apart."""
    known: dict[str, tuple[int, object]] = {}
    wrong: list[InitErrorDetails] = []
    for number, of_one in enumerate(entries):
        for entry in of_one:
            other, first = known.setdefault(entry.label.casefold(), (number, entry))
            if first != entry or (other != number and isinstance(entry, ModelEntry)):
                kind = "models" if isinstance(entry, ModelEntry) else "regions"
                told = f"the label {entry.label!r} is also that of {kind}[{other}]; set label to another"
                error = PydanticCustomError("wrong", "wrong", {"error": Wrong(told, shown="")})
                wrong.append(InitErrorDetails(type=error, loc=(number,), input=entry.label))
    if wrong:
        raise ValidationError.from_exception_data("labels", wrong)


def _line(error: ErrorDetails) -> str:
    """What pydantic found wrong, for people: the place in the file, what is there, what was expected."""
    loc, value, kind = error["loc"], error["input"], error["type"]
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).removeprefix(".")
    table = TABLES[str(loc[0])] if len(loc) > 2 else SweepFile
    if kind == "extra_forbidden":
        return f"{place}: unknown key; {nearest(str(loc[-1]), tuple(table.model_fields))}"
    wrong = error.get("ctx", {}).get("error")
    if isinstance(wrong, Wrong):
        return f"{place}{_shown(value) if wrong.shown is None else wrong.shown}: {wrong}"
    if isinstance(wrong, Exception):
        return f"{place}: {wrong}"
    if isinstance(loc[-1], str):
        expected = str(table.model_fields[loc[-1]].description).partition(": ")[0]
    else:
        expected = str(TABLES[str(loc[0])].model_config["title"]) if kind == "model_type" else "text"
    if kind == "missing":
        return f"{place}: missing; expected {expected}"
    if kind == "too_short":
        return f"{place}: expected {expected}, not an empty one"
    shown = _shown(value)
    return f"{place}{shown}: expected {expected}" + ("" if shown else f", found {kind_of(value)}")


def _shown(value: object) -> str:
    return f" {value!r}" if isinstance(value, str) and len(value) < 80 else ""


def _read_toml(path: Path) -> dict[str, Any]:
    """What a TOML file says; InputError names the line."""
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
