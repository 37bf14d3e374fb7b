"""Why units have no result: a file for each item with units that failed, until the item succeeds."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hlx.errors import HlxError, OutputError
from hlx.files import make_folder, write_bytes
from hlx.sweep.plan.jobs import Item, Unit
from hlx.sweep.results.shards import FAILED


@dataclass(frozen=True)
class Failure:
    """Units that gave no result, and why, in one line."""

    units: tuple[str, ...]
    reason: str


def failure_of(units: Iterable[Unit], reason: str) -> Failure:
    """All of these units, without results."""
    return Failure(tuple(dict.fromkeys(unit.id for unit in units)), reason)


def reason_of(error: BaseException) -> str:
    """An error in one line; hlx's own speak for themselves, others by their kind too."""
    text = " ".join(str(error).split())
    return text if isinstance(error, HlxError) else f"{type(error).__name__}: {text}".removesuffix(": ")


@dataclass(frozen=True)
class Failed:
    """Units of an item that gave no result, and why."""

    model: str
    image: str
    regions: str
    background: str
    units: int
    reason: str

    @classmethod
    def of(cls, item: Item, model: str, units: int, reason: str) -> Failed:
        """So many units of an item of the model of this label."""
        return cls(model, str(item.image.path), item.regions.label, item.background, units, reason)


def record_failures(output: Path, item: Item, failures: Sequence[Failure]) -> None:
    """Keep why units of an item failed in this run, in place of what is known of earlier ones.

    Raises
    ------
    OutputError : the file cannot be written or removed.
    """
    _record(_path(output, item), failures)


def forget_failures(output: Path, items: Sequence[Item]) -> None:
    """Forget why units of these items failed in others, which the study file has changed since.

    Raises
    ------
    OutputError : a file cannot be written or removed.
    """
    own = {_path(output, item) for item in items}
    others = [path for path in (output / FAILED).glob("*.json") if path not in own]
    units = {unit.id for item in items for unit in item.units} if others else set[str]()
    for path in others:
        failures = _recorded(path)
        left = [Failure(tuple(unit for unit in f.units if unit not in units), f.reason) for f in failures]
        if left != failures:
            _record(path, [failure for failure in left if failure.units])


def read_failures(output: Path, undone: Collection[str]) -> dict[str, str]:
    """Unit id -> why it failed when it was last tried, for those of `undone` that failed.

    A file that cannot be read tells nothing: its units are undone anyway, and will be tried again.
    """
    reasons: dict[str, str] = {}
    # Until the next run, items that the study file has changed have files whose units others may have too.
    for path in sorted((output / FAILED).glob("*.json"), key=_changed):
        for failure in _recorded(path):
            reasons |= dict.fromkeys((unit for unit in failure.units if unit in undone), failure.reason)
    return reasons


def _path(output: Path, item: Item) -> Path:
    return output / FAILED / f"{item.id[:32]}.json"


def _record(path: Path, failures: Sequence[Failure]) -> None:
    if failures:
        make_folder(path.parent)
        text = json.dumps([{"units": list(f.units), "reason": f.reason} for f in failures], indent=1)
        write_bytes(path, text.encode())
        return
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot be removed: {error.strerror or error}") from error


def _recorded(path: Path) -> list[Failure]:
    try:
        found = json.loads(path.read_bytes())
        return [Failure(tuple(map(str, each["units"])), str(each["reason"])) for each in found]
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return []


def _changed(path: Path) -> tuple[float, str]:
    try:
        return path.stat().st_mtime, path.name
    except OSError:
        return 0.0, path.name
