"""What a study asks for, row by row, and what it lacks of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hlx.sweep.plan.expand import Plan


@dataclass(frozen=True, slots=True)
class Row:
    """What a study asked for: one stimulus, explained by one model in one way.

    Attributes
    ----------
    model, regions : as the study file calls them.
    stimulus : the stimulus's id.
    image : the image's file.
    estimator, budget, seed, tolerance : as asked for.
    unit : id of the unit that answers; rows with the same texts and image share one.
    reason : why it failed, None if it did not, or has not been tried.
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
    unit: str
    reason: str | None = None


@dataclass(frozen=True)
class Missing:
    """What a model lacks of what a study asked of it.

    Attributes
    ----------
    asked, missing : rows of the plan.
    failed : why units failed when they were last tried -> missing rows; the others have not been tried.
    """

    model: str
    asked: int
    missing: int
    failed: dict[str, int]


def rows_of(plan: Plan, reasons: dict[str, str] | None = None) -> Iterator[Row]:
    """What a plan asks for, in its order, with the reasons of the units that failed."""
    for item in plan.items:
        for unit in item.units:
            yield Row(
                model=plan.models[item.model].label,
                stimulus=unit.stimulus.id,
                phenomenon=unit.stimulus.phenomenon,
                caption=unit.stimulus.caption,
                foil=unit.stimulus.foil,
                image=str(item.image.path),
                regions=item.regions.label,
                background=item.background,
                estimator=unit.request.estimator.name,
                budget=unit.request.budget,
                seed=unit.request.seed,
                tolerance=unit.request.tolerance,
                unit=unit.id,
                reason=(reasons or {}).get(unit.id),
            )


def missing_of(plan: Plan, undone: Collection[str], reasons: dict[str, str]) -> Iterator[Missing]:
    """What every model lacks that lacks something, for ids of units without result and why those failed."""
    asked: Counter[str] = Counter()
    lacking: Counter[str] = Counter()
    failed: dict[str, Counter[str]] = {}
    for row in rows_of(plan, reasons):
        asked[row.model] += 1
        if row.unit in undone:
            lacking[row.model] += 1
            if row.reason is not None:
                failed.setdefault(row.model, Counter())[row.reason] += 1
    for model, count in asked.items():
        if lacking[model]:
            yield Missing(model, count, lacking[model], dict(failed.get(model, Counter()).most_common()))
