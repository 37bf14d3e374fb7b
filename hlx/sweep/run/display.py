"""How far something is, for people: bars on a terminal, a few lines elsewhere, or nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from rich.console import Console

SECONDS = 60.0
"""Between two lines."""

ALL = "all"
"""What the bar over all models is called."""


@dataclass
class Tally:
    """Jobs of a model: asked for, done, failed in this run."""

    asked: int = 0
    done: int = 0
    failed: int = 0

    @property
    def left(self) -> int:
        """Neither done nor failed."""
        return self.asked - self.done - self.failed


@runtime_checkable
class Display(Protocol):
    """Shows how far a run is, or anything else that can be counted."""

    def counting(self, label: str) -> AbstractContextManager[Callable[[int, int], None]]:
        """While something is counted: yields what is to be called with (done, total)."""

    def shown(self, tallies: Mapping[str, Tally]) -> AbstractContextManager[None]:
        """While a run computes, which starts from these tallies, by model."""

    def advance(self, model: str, done: int, failed: int) -> None:
        """So many more jobs of a model came to an end."""

    def say(self, line: str) -> None:
        """Something that people should know; may come before and after `shown`."""

    def tick(self) -> None:
        """Called several times a second."""


class QuietDisplay:
    """Shows nothing but what `say` is given."""

    @contextmanager
    def counting(self, label: str) -> Iterator[Callable[[int, int], None]]:
        """Nothing is shown."""
        yield lambda done, total: None

    @contextmanager
    def shown(self, tallies: Mapping[str, Tally]) -> Iterator[None]:
        """Nothing is shown."""
        yield

    def advance(self, model: str, done: int, failed: int) -> None:
        """Nothing is shown."""

    def say(self, line: str) -> None:
        """A line on stderr; one that takes none, on a full disk say, ends no run."""
        with suppress(OSError):
            print(line, file=sys.stderr, flush=True)

    def tick(self) -> None:
        """Nothing is shown."""


class LineDisplay(QuietDisplay):
    """A line when a run starts, every minute and at its end; of what is counted, one at every tenth.

    Parameters
    ----------
    every
        Seconds between lines.
    clock
        Seconds that never run backwards.
    """

    def __init__(self, every: float = SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._every, self._clock = every, clock
        self._tallies: dict[str, Tally] = {}
        self._start = self._last = 0.0
        self._before = 0

    @contextmanager
    def counting(self, label: str) -> Iterator[Callable[[int, int], None]]:
        """A line for every tenth of the way."""
        tenths = 0

        def step(done: int, total: int) -> None:
            nonlocal tenths
            if done * 10 // total > tenths:
                tenths = done * 10 // total
                self.say(f"{label}: {done} of {total}")

        yield step

    @contextmanager
    def shown(self, tallies: Mapping[str, Tally]) -> Iterator[None]:
        """From the first line to the last."""
        self._tallies = {model: replace(tally) for model, tally in tallies.items()}
        self._before = _total(self._tallies).done
        self._start = self._last = self._clock()
        self.say(self._line())
        try:
            yield
        finally:
            self.say(self._line())

    def advance(self, model: str, done: int, failed: int) -> None:
        """Kept for the next line."""
        tally = self._tallies[model]
        tally.done, tally.failed = tally.done + done, tally.failed + failed

    def tick(self) -> None:
        """A line, if it is time for one."""
        if self._clock() - self._last >= self._every:
            self._last += self._every * ((self._clock() - self._last) // self._every)
            self.say(self._line())

    def _line(self) -> str:
        total, seconds = _total(self._tallies), self._clock() - self._start
        parts = [f"{total.done:,} of {total.asked:,} jobs done"]
        tried = total.done - self._before + total.failed
        if tried and seconds:
            parts.append(f"{tried / seconds:.3g} jobs/s")
            if total.left:
                parts.append(f"{duration(total.left * seconds / tried)} left")
        if total.failed:
            parts.append(f"{total.failed:,} failed")
        if len(self._tallies) > 1:
            parts.append("; ".join(f"{name} {_share(tally)}" for name, tally in self._tallies.items()))
        return ", ".join(parts)


class BarDisplay:
    """Live bars on a terminal: one for all jobs, one for each model, with rate, time left and failures."""

    def __init__(self, console: Console | None = None) -> None:
        from rich.console import Console

        self._console = console or Console(stderr=True)
        self._bars: Any = None
        self._tasks: dict[str, Any] = {}
        self._failed: dict[str, int] = {}
        self._counted = " jobs"

    @contextmanager
    def counting(self, label: str) -> Iterator[Callable[[int, int], None]]:
        """One bar, with its rate and the time left."""
        self._counted = ""
        with self.shown({label: Tally(1)}):

            def step(done: int, total: int) -> None:
                self._bars.update(self._tasks[label], completed=done, total=total)
                self.tick()

            yield step

    @contextmanager
    def shown(self, tallies: Mapping[str, Tally]) -> Iterator[None]:
        """While the bars are on the terminal; they stay there as they were last."""
        from rich.markup import escape
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[pace]}"),
            TextColumn("[red]{task.fields[failed]}"),
        )
        with Progress(*columns, console=self._console, refresh_per_second=4) as self._bars:
            total = _total(tallies)
            rows = {ALL: total, **tallies} if len(tallies) > 1 else tallies
            for name, tally in rows.items():
                self._tasks[name] = self._bars.add_task(
                    escape(name), total=tally.asked, completed=tally.done, pace="", failed=""
                )
                self._failed[name] = tally.failed
            yield
            self.tick()

    def advance(self, model: str, done: int, failed: int) -> None:
        """The model's bar and the one for all."""
        for name in (ALL, model):
            if name in self._tasks:
                self._failed[name] += failed
                self._bars.update(
                    self._tasks[name], advance=done + failed, failed=_failures(self._failed[name])
                )

    def say(self, line: str) -> None:
        """A line above the bars."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def tick(self) -> None:
        """Rates and times left."""
        if self._bars is not None:
            for task in self._bars.tasks:
                speed = task.finished_speed or task.speed
                left = (task.total - task.completed) / speed if speed else 0.0
                self._bars.update(task.id, pace=_pace(speed, left, self._counted))


def display_for() -> Display:
    """What suits standard error."""
    return BarDisplay() if sys.stderr.isatty() else LineDisplay()


def duration(seconds: float) -> str:
    """Seconds for people: "0.4 s", "40 s", "12 min 5 s", "3 h 20 min", "2 d 5 h"."""
    for large, small, size, part in (("d", "h", 86400, 3600), ("h", "min", 3600, 60), ("min", "s", 60, 1)):
        if seconds >= size:
            parts = round(seconds / part)
            return f"{parts // (size // part)} {large} {parts % (size // part)} {small}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def _total(tallies: Mapping[str, Tally]) -> Tally:
    each = tallies.values()
    return Tally(sum(t.asked for t in each), sum(t.done for t in each), sum(t.failed for t in each))


def _share(tally: Tally) -> str:
    return f"{tally.done / tally.asked:.0%}" if tally.asked else "-"


def _failures(count: int) -> str:
    return f"{count:,} failed" if count else ""


def _pace(speed: float | None, left: float, counted: str) -> str:
    if speed is None:
        return ""
    return f"{speed:.3g}{counted}/s" + (f", {duration(left)} left" if left else "")
