"""Why jobs have no result: a file for each group with jobs that failed, until the group succeeds."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hlx.errors import HlxError, OutputError
from hlx.io.files import make_folder, write_bytes
from hlx.sweep.plan.jobs import ImageGroup, Job
from hlx.sweep.results.shards import FAILED


@dataclass(frozen=True)
class Failure:
    """Jobs that gave no result, and why, in one line."""

    jobs: tuple[str, ...]
    reason: str


def failure_of(jobs: Iterable[Job], reason: str) -> Failure:
    """All of these jobs, without results."""
    return Failure(tuple(dict.fromkeys(job.id for job in jobs)), reason)


def reason_of(error: BaseException) -> str:
    """An error in one line; hlx's own speak for themselves, others by their kind too."""
    text = " ".join(str(error).split())
    return text if isinstance(error, HlxError) else f"{type(error).__name__}: {text}".removesuffix(": ")


@dataclass(frozen=True)
class FailedJobs:
    """Jobs of an image group that gave no result, and why."""

    model: str
    image: str
    regions: str
    background: str
    jobs: int
    reason: str

    @classmethod
    def of(cls, group: ImageGroup, model: str, jobs: int, reason: str) -> FailedJobs:
        """So many jobs of an image group of the model of this label."""
        return cls(model, str(group.image.path), group.regions.label, group.background, jobs, reason)


def record_failures(output: Path, group: ImageGroup, failures: Sequence[Failure]) -> None:
    """Keep why jobs of an image group failed in this run, in place of what is known of earlier ones.

    Raises
    ------
    OutputError
        The file cannot be written or removed.
    """
    _record(_path(output, group), failures)


def forget_failures(output: Path, groups: Sequence[ImageGroup]) -> None:
    """Forget why jobs of these groups failed in others, which the sweep file has changed since.

    Raises
    ------
    OutputError
        A file cannot be written or removed.
    """
    own = {_path(output, group) for group in groups}
    others = [path for path in (output / FAILED).glob("*.json") if path not in own]
    jobs = {job.id for group in groups for job in group.jobs} if others else set[str]()
    for path in others:
        failures = _recorded(path)
        left = [Failure(tuple(job for job in f.jobs if job not in jobs), f.reason) for f in failures]
        if left != failures:
            _record(path, [failure for failure in left if failure.jobs])


def read_failures(output: Path, undone: Collection[str]) -> dict[str, str]:
    """Job id -> why it failed when it was last tried, for those of `undone` that failed.

    A file that cannot be read tells nothing: its jobs are undone anyway, and will be tried again.
    """
    reasons: dict[str, str] = {}
    # Until the next run, groups that the sweep file has changed have files whose jobs others may have too.
    for path in sorted((output / FAILED).glob("*.json"), key=_changed):
        for failure in _recorded(path):
            reasons |= dict.fromkeys((job for job in failure.jobs if job in undone), failure.reason)
    return reasons


def _path(output: Path, group: ImageGroup) -> Path:
    return output / FAILED / f"{group.id[:32]}.json"


def _record(path: Path, failures: Sequence[Failure]) -> None:
    if failures:
        make_folder(path.parent)
        text = json.dumps([{"jobs": list(f.jobs), "reason": f.reason} for f in failures], indent=1)
        write_bytes(path, text.encode())
        return
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot be removed: {error.strerror or error}") from error


def _recorded(path: Path) -> list[Failure]:
    try:
        found = json.loads(path.read_bytes())
        return [Failure(tuple(map(str, each["jobs"])), str(each["reason"])) for each in found]
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return []


def _changed(path: Path) -> tuple[float, str]:
    try:
        return path.stat().st_mtime, path.name
    except OSError:
        return 0.0, path.name
