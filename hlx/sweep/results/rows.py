"""What a sweep asks for, row by row, and what it lacks of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hlx.sweep.plan.expand import Plan


@dataclass(frozen=True, slots=True)
class Row:
    """What a sweep asked for: one stimulus, explained by one model in one way.

    Attributes
    ----------
    model, regions
        As the sweep file calls them.
    stimulus
        The stimulus's id.
    image
        The image's file.
    estimator, budget, seed, tolerance
        As asked for.
    job
        Id of the job that answers; rows with the same texts and image share one.
    reason
        Why it failed, None if it did not, or has not been tried.
    """

    model: str
    stimulus: str
    phenomenon: str | None
    caption: str
    foil: str | None
    image: str
    regions: str
    background: str
    estimator: str
    budget: int | None
    seed: int
    tolerance: float | None
    job: str
    reason: str | None = None


@dataclass(frozen=True)
class Missing:
    """What a model lacks of what a sweep asked of it.

    Attributes
    ----------
    asked, missing
        Rows of the plan.
    failed
        Why jobs failed when they were last tried -> missing rows; the others have not been tried.
    """

    model: str
    asked: int
    missing: int
    failed: dict[str, int]


def rows_of(plan: Plan, reasons: dict[str, str] | None = None) -> Iterator[Row]:
    """What a plan asks for, in its order, with the reasons of the jobs that failed."""
    for group in plan.groups:
        for job in group.jobs:
            yield Row(
                model=plan.models[group.model].label,
                stimulus=job.stimulus.id,
                phenomenon=job.stimulus.phenomenon,
                caption=job.stimulus.caption,
                foil=job.stimulus.foil,
                image=str(group.image.path),
                regions=group.regions.label,
                background=group.background,
                estimator=job.spec.estimator.name,
                budget=job.spec.budget,
                seed=job.spec.seed,
                tolerance=job.spec.tolerance,
                job=job.id,
                reason=(reasons or {}).get(job.id),
            )


def missing_of(rows: Iterable[Row], missing: Iterable[Row]) -> list[Missing]:
    """What every model lacks that lacks something, of rows that have a result and rows that have none."""
    there = Counter(row.model for row in rows)
    reasons: dict[str, Counter[str | None]] = {}
    for row in missing:
        reasons.setdefault(row.model, Counter())[row.reason] += 1
    return [
        Missing(
            model,
            there[model] + counts.total(),
            counts.total(),
            {reason: count for reason, count in counts.most_common() if reason is not None},
        )
        for model, counts in reasons.items()
    ]
