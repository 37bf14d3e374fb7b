"""How many coalitions an image group evaluates: what several estimators ask for is evaluated once."""

from __future__ import annotations

from typing import NamedTuple

from hlx.attribution.estimate import EstimatorSpec
from hlx.estimators import make_plan
from hlx.games.coalitions import row_keys
from hlx.games.regions import Grid
from hlx.sweep.plan.jobs import ImageGroup, PlannedRegions

MOST_PLANNED = 4096
"""Larger budgets are not planned to count what they have in common with others."""


class Count(NamedTuple):
    """Coalitions evaluated.

    Attributes
    ----------
    at_most
        It may be fewer, where a tolerance ends the rounds early or estimators share coalitions.
    """

    evaluations: int = 0
    at_most: bool = False


class EvaluationCounts:
    """Counts, made once for all groups of the same regions and specs."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, Grid | None, tuple[EstimatorSpec, ...]], dict[str, Count]] = {}

    def of(self, group: ImageGroup) -> dict[str, Count]:
        """What each estimator adds, by name, to what those before it evaluate; tables come first.

        Label maps of the same number of regions count as alike.
        """
        specs = tuple(dict.fromkeys(job.spec for job in group.jobs))
        key = group.regions.n_players, group.regions.grid, specs
        if key not in self._known:
            self._known[key] = _counted(group.regions, specs)
        return self._known[key]


def _counted(regions: PlannedRegions, specs: tuple[EstimatorSpec, ...]) -> dict[str, Count]:
    n = regions.n_players
    everything = 1 << n
    counts = {spec.estimator.name: Count() for spec in specs}
    seen: set[int | bytes] = set()
    unplanned: dict[tuple[str, int], int] = {}
    total = 0
    for spec in sorted(specs, key=lambda spec: not spec.takes_table(n)):
        if total == everything:
            break
        name, at_most = spec.estimator.name, False
        if spec.takes_table(n):
            new = everything - total
        else:
            *_, limit = spec.rounds(n)
            at_most = limit is not None and (
                spec.tolerance is not None or spec.estimator.expensive or limit > MOST_PLANNED
            )
            if at_most and limit is not None:
                # With the same seed a smaller budget's coalitions are among those of a larger one.
                before = unplanned.get((name, spec.seed), 0)
                unplanned[name, spec.seed] = max(before, limit)
                new = max(0, limit - before)
            else:
                # Only expensive estimators' coalitions depend on more of a label map than its players.
                plan = make_plan(spec.estimator, n, limit, spec.seed, regions.grid)
                keys = set(row_keys(plan.coalitions).tolist())
                new = len(keys - seen)
                seen |= keys
        new = min(new, everything - total)
        total += new
        # What is planned may have coalitions in common with what is not.
        counts[name] = Count(counts[name].evaluations + new, counts[name].at_most or at_most)
    return counts
