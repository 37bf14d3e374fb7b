"""What a sweep takes, before anything runs: jobs, evaluations, time and room on the disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from hlx.sweep.costs.evaluation_counts import EvaluationCounts
from hlx.sweep.costs.timing import Timing
from hlx.sweep.plan.expand import Plan
from hlx.sweep.plan.jobs import ImageGroup
from hlx.sweep.results.shards import Scan
from hlx.sweep.run.disk_space import Disk, disk_of
from hlx.sweep.run.loop import Remaining


@dataclass
class CostLine:
    """What an estimator takes of a model on some regions.

    Attributes
    ----------
    jobs, done
        Asked for, and there already.
    evaluations
        Still to do: what the estimator adds to those that the group's others share with it.
    at_most
        It may be fewer evaluations.
    seconds
        Of what is still to do; None where that was not measured.
    at_least
        It takes longer, by what large budgets of expensive estimators take to solve.
    """

    model: str
    regions: str
    estimator: str
    jobs: int = 0
    done: int = 0
    evaluations: int = 0
    at_most: bool = False
    seconds: float | None = None
    at_least: bool = False


@dataclass(frozen=True)
class Costs:
    """What a sweep takes, and what of that is still to do.

    Attributes
    ----------
    lines
        By model, regions and estimator, in the sweep's order.
    groups
        Still to do, of all models together.
    seconds
        Still to go, loading and compiling apart; None where anything was not measured.
    starting
        seconds of loading and compiling, once for each device; None where nothing was measured.
    unknown
        Why a model could not be timed, by label.
    """

    lines: tuple[CostLine, ...]
    groups: int
    seconds: float | None
    starting: float | None
    unknown: Mapping[str, str]
    disk: Disk

    @property
    def jobs(self) -> int:
        """Jobs asked for."""
        return sum(line.jobs for line in self.lines)

    @property
    def done(self) -> int:
        """Jobs that are there."""
        return sum(line.done for line in self.lines)

    @property
    def evaluations(self) -> int:
        """Still to do; no coalition of an image group counts twice."""
        return sum(line.evaluations for line in self.lines)

    @property
    def at_most(self) -> bool:
        """Whether it may be fewer evaluations."""
        return any(line.at_most for line in self.lines)

    @property
    def at_least(self) -> bool:
        """Whether it takes longer than `seconds`."""
        return any(line.at_least for line in self.lines)


def remaining_groups(plan: Plan, scanned: Scan) -> list[ImageGroup]:
    """The groups that a run would compute, with the jobs that they lack."""
    return [
        part.missing for part in Remaining.of(plan.groups, [m.label for m in plan.models], scanned).groups
    ]


def costs(plan: Plan, scanned: Scan, timings: Mapping[int, Timing | str] | None = None) -> Costs:
    """What a plan takes of which `scanned` is done, with the times that `measure` found."""
    timings, counts = timings or {}, EvaluationCounts()
    lines: dict[tuple[int, str, str], CostLine] = {}
    for group in plan.groups:
        for job in group.jobs:
            line = _line(lines, plan, group, job.spec.estimator.name)
            line.jobs += 1
            line.done += job.id in scanned
    todo = remaining_groups(plan, scanned)
    for group in todo:
        timing = timings.get(group.model)
        rate = timing.rate(group.regions.n_players) if isinstance(timing, Timing) else None
        asked = Counter(job.spec.estimator.name for job in group.jobs)
        # Besides its evaluations a group takes what expensive estimators take to solve, where there are any.
        expensive = {job.spec.estimator.name for job in group.jobs if job.spec.estimator.expensive} or asked
        total = 0.0
        for name, (evaluations, at_most) in counts.of(group).items():
            line = _line(lines, plan, group, name)
            line.evaluations += evaluations
            line.at_most |= at_most
            if rate is not None:
                besides = rate.job * len(group.jobs) * asked[name] / sum(asked[each] for each in expensive)
                seconds = rate.evaluation * evaluations + (besides if name in expensive else 0.0)
                line.seconds = (line.seconds or 0.0) + seconds
                line.at_least |= not rate.solved
                total += seconds
        if rate is not None and line.seconds is not None:
            line.seconds += max(0.0, rate.preparing - total)
    known = {place: timing for place, timing in timings.items() if isinstance(timing, Timing)}
    timed = all(group.model in known for group in todo)
    spent = sum((line.seconds for line in lines.values() if line.seconds is not None), 0.0)
    shapes = {(group.model, group.regions.n_players) for group in todo}
    starting = sum(timing.loading for timing in known.values()) + sum(
        known[model].compiling for model, _ in shapes if model in known
    )
    return Costs(
        lines=tuple(lines.values()),
        groups=len(todo),
        seconds=spent if timed else None,
        starting=starting if known else None,
        unknown={
            plan.models[place].label: reason for place, reason in timings.items() if isinstance(reason, str)
        },
        disk=disk_of(plan, scanned, spent),
    )


def _line(lines: dict[tuple[int, str, str], CostLine], plan: Plan, group: ImageGroup, name: str) -> CostLine:
    key = group.model, group.regions.label, name
    if key not in lines:
        lines[key] = CostLine(plan.models[group.model].label, group.regions.label, name)
    return lines[key]
