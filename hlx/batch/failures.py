"""Why units have no result: a file for each item with units that failed, until the item succeeds."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

from hlx.batch.results import Failure
from hlx.batch.shards import FAILED
from hlx.batch.units import Item
from hlx.errors import OutputError
from hlx.files import make_folder, write_bytes


def record_failures(output: Path, item: Item, failures: Sequence[Failure]) -> None:
    """Keep why units of an item failed in this run, in place of what is known of earlier ones.

    Raises
    ------
    OutputError : the file cannot be written or removed.
    """
    path = output / FAILED / f"{item.id[:32]}.json"
    if failures:
        make_folder(path.parent)
        text = json.dumps([{"units": list(f.units), "reason": f.reason} for f in failures], indent=1)
        write_bytes(path, text.encode())
        return
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot be removed: {error.strerror or error}") from error


def read_failures(output: Path, undone: Collection[str]) -> dict[str, str]:
    """Unit id -> why it failed when it was last tried, for those of `undone` that failed.

    A file that cannot be read tells nothing: its units are undone anyway, and will be tried again.
    """
    reasons: dict[str, str] = {}
    # Items that the study file has changed since leave files whose units later ones may have as well.
    for path in sorted((output / FAILED).glob("*.json"), key=_changed):
        with suppress(OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            for failure in json.loads(path.read_bytes()):
                found = dict.fromkeys(map(str, failure["units"]), str(failure["reason"]))
                reasons |= {unit: reason for unit, reason in found.items() if unit in undone}
    return reasons


def _changed(path: Path) -> tuple[float, str]:
    try:
        return path.stat().st_mtime, path.name
    except OSError:
        return 0.0, path.name
