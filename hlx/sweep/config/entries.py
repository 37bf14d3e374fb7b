"""What stands in the lists of a sweep file: models, regions, estimators, as pydantic reads them.

A field's description says what is expected, which is what errors say too, and after a colon what it is for.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from hlx.attribution.estimate import EstimatorSpec
from hlx.errors import InputError
from hlx.estimators import ESTIMATORS, get_estimator
from hlx.games.regions import Grid
from hlx.io.own_code import is_own_name
from hlx.models.loading.devices import check_device
from hlx.models.loading.hub import EMBEDDED
from hlx.sweep.config.fields import (
    MOST,
    TEXT,
    Distinct,
    NamedTomlTable,
    Text,
    TomlTable,
    Wrong,
    absolute,
    text,
    unexpected,
)
from hlx.sweep.config.problems import kind_of, nearest

if TYPE_CHECKING:
    # A protocol that nothing can be checked against while hlx runs.
    from pydantic import ValidationInfo

STEM = "{stem}"
"""Stands for an image's name without folder and extension in the name of its label map."""

MOST_GRIDS = 100
"""Of one range."""

LONGEST_LABEL = 100
"""In bytes, as file systems count: a label becomes part of the names of files."""


def _name(value: Any, info: ValidationInfo) -> str:
    """A model's name, with its path, if it is one, made absolute."""
    written = text(value)
    if written in EMBEDDED:
        return written
    source, _, function = written.rpartition(":")
    if source.endswith(".py") and function:
        return f"{absolute(source, info)}:{function}"
    path = absolute(written, info)
    if os.path.isdir(path):
        return str(path)
    # What neither is there nor can be a hub id is a path that `load_model` is to complain of.
    is_path = written.startswith((".", "/", "~")) or written.count("/") > 1
    return str(path) if is_path and not is_own_name(written) else written


ModelName = Annotated[str, PlainValidator(_name), WithJsonSchema(TEXT)]


def _label(label: Any, info: ValidationInfo) -> str:
    """A label as it is written; a model's by default from its name."""
    name = info.data.get("name")
    if label is None and name is not None:
        source, _, function = name.rpartition(":")
        if source.endswith(".py") and function:
            label = f"{Path(source).stem}:{function}"
        elif is_own_name(name):
            label = name
        else:
            label = os.path.basename(os.path.normpath(name))
    return "" if label is None else checked_label(text(label))


def checked_label(label: str) -> str:
    """A label that may be part of the names of files, without spaces around it."""
    label = label.strip()
    too_long = len(label.encode()) > LONGEST_LABEL
    if not label or re.search(r"[/\\]", label) or label.startswith(".") or too_long:
        raise Wrong(
            f"expected a name that files can have: at most {LONGEST_LABEL} bytes, no slashes, no "
            "dot in front",
            shown=f" {label!r}",
        )
    return label


Label = Annotated[str, PlainValidator(_label), WithJsonSchema(TEXT)]


def _device(value: Any) -> str:
    try:
        check_device(text(value))
    except InputError:
        raise unexpected() from None
    return str(value)


class ModelEntry(NamedTomlTable):
    """A model: what `load_model` takes, and what results call it.

    Without `dtype` it has that of the whole sweep; functions have one of their own.
    """

    model_config = ConfigDict(title="a model's name or a table")

    name: ModelName = Field(description="a model's name: embedded, a folder, a hub id, or file.py:function")
    label: Label = Field(None, validate_default=True, description="text: what results call it")
    dtype: Literal["float32", "bfloat16"] | None = Field(
        None, description="float32 or bfloat16: of weights and activations, by default the sweep's"
    )
    engine: Literal["jax", "torch"] | None = Field(
        None, description="jax or torch: what computes it, by default JAX where there is a port"
    )
    device: Annotated[str, PlainValidator(_device), WithJsonSchema(TEXT)] | None = Field(
        None, description="auto, cpu, cuda, cuda:1 or tpu: by default all devices of the best kind"
    )
    detector: ModelName | None = Field(None, description="text: folder or hub id of what finds its regions")
    revision: Text | None = Field(None, description="a branch, tag or commit: of a hub id")
    batch_size: int | None = Field(
        None, ge=1, le=MOST, description="a whole number of at least 1: coalitions at once"
    )

    @field_validator("dtype", "engine", "device", "detector", "revision")
    @classmethod
    def _left_to_functions(cls, value: str | None, info: ValidationInfo) -> str | None:
        name = str(info.data.get("name"))
        if value is not None and is_own_name(name):
            raise Wrong(f"is for the function {Path(name).name} to settle; leave it out", shown="")
        return value


@dataclass(frozen=True)
class RegionsEntry:
    """A grid, or label maps.

    Attributes
    ----------
    labels
        A path in which "{stem}", if it is there, stands for the stem of the image's file.
    """

    label: str
    grid: Grid | None = None
    labels: Path | None = None

    def labels_of(self, image: Path) -> Path:
        """The label map of an image."""
        assert self.labels is not None
        return Path(str(self.labels).replace(STEM, image.stem))


class LabelMaps(TomlTable):
    """Label maps: one for all images, or one for each by the stem of its file's name."""

    model_config = ConfigDict(title='a grid such as "4x4" or a table with labels')

    labels: Text = Field(
        description='a path of label maps, such as "superpixels/{stem}.png": {stem} is that of the image file'
    )
    label: Text | None = Field(None, validate_default=True, description="text: what results call them")

    @field_validator("labels")
    @classmethod
    def _can_be_read(cls, labels: str) -> str:
        if set(re.findall(r"\{.*?\}", labels)) - {STEM}:
            raise Wrong(f"expected no other name in braces than {STEM}")
        if Path(labels).suffix.lower() not in (".png", ".npy"):
            raise Wrong("expected the name of .png or .npy files")
        return labels

    @field_validator("label", mode="before")
    @classmethod
    def _named_by_its_file(cls, label: Any, info: ValidationInfo) -> Any:
        if label is None and "labels" in info.data:
            path = Path(info.data["labels"])
            label = checked_label(path.stem.replace(STEM, "").strip("-_. ") or path.parent.name)
        return label if label is None else checked_label(text(label))


def _regions(value: Any, info: ValidationInfo) -> tuple[RegionsEntry, ...]:
    if isinstance(value, str):
        return tuple(RegionsEntry(str(grid), grid) for grid in _grids(value))
    read = LabelMaps.model_validate(value, context=info.context)
    return (RegionsEntry(str(read.label), labels=absolute(read.labels, info)),)


def _grids(written: str) -> list[Grid]:
    """One grid, or all of a range, whose rows and columns grow together."""
    first, dots, last = (part.strip() for part in written.partition(".."))
    if not dots:
        return [Grid.parse(written)]
    start, end = Grid.parse(first), Grid.parse(last)
    steps = end.rows - start.rows
    if steps < 0 or steps != end.cols - start.cols:
        raise InputError(
            f"grids {written!r}: expected a range in which rows and columns grow together, such as 2x2..14x14"
        )
    if steps >= MOST_GRIDS:
        raise InputError(
            f"grids {written!r}: {steps + 1} grids are more than {MOST_GRIDS}; name those you need"
        )
    return [Grid(start.rows + step, start.cols + step) for step in range(steps + 1)]


Regions = Annotated[
    RegionsEntry,
    PlainValidator(_regions),
    WithJsonSchema({"anyOf": [{"type": "string"}, LabelMaps.model_json_schema()]}),
]
"""One value of the list of regions, which may stand for several: the grids of a range."""


@dataclass(frozen=True)
class Budget:
    """So many evaluations, or so many for each region."""

    count: int
    per_region: bool = False

    def of(self, n: int) -> int:
        """The evaluations for n regions."""
        return self.count * n if self.per_region else self.count


def _budget(value: Any) -> Budget:
    match = re.fullmatch(r"([1-9][0-9]{0,8}) ?n", value) if isinstance(value, str) else None
    if match is not None:
        return Budget(int(match[1]), per_region=True)
    if type(value) is int and 0 < value <= MOST:
        return Budget(value)
    raise Wrong(
        "expected a number of evaluations, such as 172, or of evaluations for each region, such as "
        f'"8n", found {kind_of(value)}',
        shown="",
    )


def _seed(value: Any) -> int:
    if type(value) is int and 0 <= value <= MOST:
        return value
    raise Wrong(f"expected a whole number from 0 to {MOST:,}, found {kind_of(value)}", shown="")


_PLAYERS = "a whole number of at least 2"
_SEED_SCHEMA: dict[str, Any] = {"type": "integer", "minimum": 0}
_BUDGET_SCHEMA: dict[str, Any] = {
    "anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": "^[1-9][0-9]* ?n$"}]
}


_ESTIMATOR_SCHEMA: dict[str, Any] = {
    "anyOf": [{"enum": list(ESTIMATORS)}, {"type": "string", "pattern": ":[A-Za-z_][A-Za-z_0-9]*$"}]
}


class EstimatorEntry(NamedTomlTable):
    """An estimator with its budgets and seeds, each with each."""

    model_config = ConfigDict(title="an estimator's name or a table")

    name: Annotated[Text, WithJsonSchema(_ESTIMATOR_SCHEMA)] = Field(
        description="an estimator's name: one of those that hlx estimators lists, or yours as file.py:NAME"
    )
    budgets: Distinct[Annotated[Budget, PlainValidator(_budget), WithJsonSchema(_BUDGET_SCHEMA)]] = Field(
        (), description='a list of budgets, such as [172, "8n"]: evaluations, or how many for each region'
    )
    seeds: Distinct[Annotated[int, PlainValidator(_seed), WithJsonSchema(_SEED_SCHEMA)]] = Field(
        (0,), description="a list of seeds, such as [0, 1]: each with each budget"
    )
    tolerance: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="a positive share of the values' range, such as 0.05: for the largest standard error",
    )
    fewest_players: int | None = Field(None, ge=2, le=MOST, description=f"{_PLAYERS}: left out below it")
    most_players: int | None = Field(None, ge=2, le=MOST, description=f"{_PLAYERS}: left out above it")

    @field_validator("name")
    @classmethod
    def _known(cls, name: str, info: ValidationInfo) -> str:
        """A name of hlx, or of the user's own, with the path of its file made absolute."""
        source, _, own = name.rpartition(":")
        if source.endswith(".py"):
            name = f"{absolute(source, info)}:{own}"
        if is_own_name(name):
            try:
                return get_estimator(name).name
            except InputError as error:
                raise Wrong(str(error), shown="") from error
        if name not in ESTIMATORS:
            raise Wrong(f"unknown estimator; {nearest(name, tuple(ESTIMATORS))}")
        return name

    @field_validator("budgets", "seeds", "tolerance")
    @classmethod
    def _of_use(cls, value: Any, info: ValidationInfo) -> Any:
        name = info.data.get("name")
        if name is None:
            return value
        estimator = get_estimator(name)
        if info.field_name == "budgets" and estimator.exhaustive:
            raise Wrong(f"{name} evaluates all coalitions; leave them out", shown="")
        if info.field_name == "seeds" and not estimator.random:
            raise Wrong(f"{name} draws nothing at random; leave them out", shown="")
        if info.field_name == "tolerance" and not estimator.standard_errors:
            raise Wrong(f"{name} gives no standard errors; leave it out", shown="")
        return value

    @model_validator(mode="after")
    def _complete(self) -> EstimatorEntry:
        if get_estimator(self.name).needs_budget and not self.budgets and self.tolerance is None:
            raise Wrong(
                f'{self.name} samples coalitions; say how many, such as budgets = [172, "8n"]', shown=""
            )
        if self.most_players is not None and (self.fewest_players or 0) > self.most_players:
            raise Wrong(
                f"fewest_players {self.fewest_players} is more than most_players {self.most_players}",
                shown="",
            )
        return self

    def takes(self, n: int) -> bool:
        """Whether n regions are within its limits: it is left out where there are fewer or more."""
        return (self.fewest_players or 0) <= n <= (n if self.most_players is None else self.most_players)

    def estimator_specs(self, n: int) -> list[EstimatorSpec]:
        """What it is asked for n regions, by budget and seed."""
        budgets: list[int | None] = [budget.of(n) for budget in self.budgets]
        return [
            EstimatorSpec(get_estimator(self.name), budget, seed, self.tolerance)
            for budget in budgets or [None]
            for seed in self.seeds
        ]
