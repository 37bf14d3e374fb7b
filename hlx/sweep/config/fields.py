"""What fields of a sweep file are made of: texts, paths, lists and tables, none converted on the way."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainValidator,
    Strict,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    # A protocol that nothing can be checked against while hlx runs.
    from pydantic import ValidationInfo

MOST = 10**9
"""Of any whole number in a sweep file."""

T = TypeVar("T")


class Wrong(ValueError):
    """A value that will not do; `shown` stands for it in the message, by default it itself, in quotes."""

    def __init__(self, message: str, shown: str | None = None) -> None:
        super().__init__(message)
        self.shown = shown


def unexpected() -> PydanticCustomError:
    """The error of a value that is not what its field's description says."""
    return PydanticCustomError("unexpected", "not what was expected")


def absolute(path: str, info: ValidationInfo) -> Path:
    """A path of the sweep file, which is relative to the file's folder."""
    return (info.context or {}).get("folder", Path.cwd()) / os.path.expanduser(path)


def text(value: Any) -> str:
    """A text with something in it."""
    if isinstance(value, str) and value.strip() and value.isprintable():
        return value
    raise unexpected()


def _path(value: Any, info: ValidationInfo) -> Path:
    return absolute(text(str(value) if isinstance(value, Path) else value), info)


def _each_once(values: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(values))


TEXT: dict[str, Any] = {"type": "string", "minLength": 1}

Text = Annotated[str, PlainValidator(text), WithJsonSchema(TEXT)]
PathText = Annotated[Path, PlainValidator(_path), WithJsonSchema(TEXT)]
Several = Annotated[tuple[T, ...], Strict(False), Field(min_length=1)]
Distinct = Annotated[Several[T], AfterValidator(_each_once)]


class Table(BaseModel):
    """A table of a sweep file: every key known, values of their own types, none converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class NamedTable(Table):
    """A table that may be written as its name alone."""

    name: Text

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        table = handler.resolve_ref_schema(handler(schema))
        return {"anyOf": [{"type": "string", "description": "the name alone"}, dict(table)]}
