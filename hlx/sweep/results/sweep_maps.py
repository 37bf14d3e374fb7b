"""The maps of a sweep with what made each; and the settings under which they may be compared."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from jaxtyping import Float64

from hlx.estimators import EXACT, draws_at_random
from hlx.games.regions import Grid
from hlx.sweep.results.merged_file import SweepResults
from hlx.sweep.results.rows import Row

BEST = "best available"
"""The setting of the exact maps, and where there are none of those with the most evaluations."""

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, eq=False)
class SweepMap:
    """One map of a sweep.

    Attributes
    ----------
    row
        What was asked for.
    grid
        Its regions; None for a label map.
    values, standard_error, degrees_of_freedom
        As in `hlx.Attribution`.
    exact
        Whether the values are exact Shapley values, asked for or by a budget that reached all coalitions.
    kind
        What the values are, "Shapley values" say.
    n_evaluations
        Distinct coalitions.
    seconds
        The job's share of computing its image; None where not known.
    score_caption, grand_coalition_value
        Scores of the caption, and of caption less foil, with all shown.
    versions
        Of the packages that computed it, and "device".
    """

    row: Row
    values: Float64[np.ndarray, " n"] = field(repr=False)
    grid: Grid | None
    standard_error: Float64[np.ndarray, " n"] | None = field(repr=False)
    degrees_of_freedom: float | None
    exact: bool
    kind: str
    n_evaluations: int
    seconds: float | None
    score_caption: float
    grand_coalition_value: float
    versions: Mapping[str, str] = field(repr=False)

    @property
    def n_players(self) -> int:
        return len(self.values)


def read_maps(results: SweepResults, rows: Sequence[Row] | None = None) -> list[SweepMap]:
    """The maps of these rows, or of all a sweep's; tables of coalitions are left in the file."""
    return [_map(results, row) for row in (results.rows if rows is None else rows)]


def grouped(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    """Items by key, both in the order in which they first appear."""
    groups: dict[K, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def distinct(versions: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    """Each different set of versions once, in the order in which they first appear."""
    return [dict(them[0]) for them in grouped(versions, lambda one: tuple(sorted(one.items()))).values()]


def settings(maps: Sequence[SweepMap]) -> dict[str, list[SweepMap]]:
    """Maps by what estimated them in the same way on different regions: estimator, budget and tolerance.

    Budgets are as `by_budget` has them ("odd-gp 172", "odd-gp 8n"); seeds play no part. Where no setting has
    all that a sweep has maps of, each model on its regions and backgrounds, there is also `BEST`, which comes
    first.
    """
    found: dict[str, list[SweepMap]] = {}
    for (name, tolerance), own in grouped(maps, lambda m: (m.row.estimator, m.row.tolerance)).items():
        ending = "" if tolerance is None else f", tolerance {tolerance}"
        for budget, them in by_budget(own).items():
            found[f"{name}{'' if budget is None else f' {budget}'}{ending}"] = them
    if not any(_places(them) == _places(maps) for them in found.values()):
        found = {BEST: best(maps), **found}
    return found


def by_budget(maps: Sequence[SweepMap]) -> dict[int | str | None, list[SweepMap]]:
    """Maps of one estimator by budgets, as numbers (172) and as multiples of the number of regions ("8n").

    Each is there that is shared by as many regions, for one of its maps at least, as the other that this map
    has; multiples only where there are several. It has all maps of that number or multiple then.
    """
    numbers = grouped(maps, lambda m: m.row.budget)
    multiples = grouped((m for m in maps if _factor(m) is not None), _factor)
    sharing = {budget: len(_regions(them)) for budget, them in numbers.items()}
    scaling = {factor: len(_regions(them)) for factor, them in multiples.items()}
    found: dict[int | str | None, list[SweepMap]] = {
        budget: them
        for budget, them in numbers.items()
        if any(sharing[budget] >= scaling.get(_factor(m), 0) for m in them)
    }
    for factor in sorted(factor for factor in multiples if factor is not None):
        them = multiples[factor]
        if scaling[factor] > 1 and any(scaling[factor] >= sharing[m.row.budget] for m in them):
            found[f"{factor}n"] = them
    return found


def best(maps: Sequence[SweepMap]) -> list[SweepMap]:
    """Of each stimulus, model, regions and background the exact maps, else those with the most evaluations.

    Values that estimate something else than Shapley values do not count.
    """
    shapley = [m for m in maps if m.kind == EXACT.estimates]
    chosen: list[SweepMap] = []
    for own in grouped(
        shapley, lambda m: (m.row.model, m.row.regions, m.row.background, m.row.stimulus)
    ).values():
        ways = grouped(own, lambda m: (m.row.estimator, m.row.budget, m.row.tolerance))
        # The first of equals, so that the sweep's order decides.
        most = max(ways.values(), key=_quality)
        chosen += most
    return chosen


def pairs(
    first: Sequence[SweepMap], second: Sequence[SweepMap]
) -> Mapping[str, list[tuple[SweepMap, SweepMap]]]:
    """By stimulus the pairs of maps to compare: where both are sampled of each seed that both have, else all.

    Exact maps, and those of estimators that draw nothing, are of no seed, whatever their rows say.
    """
    others = grouped(second, lambda m: m.row.stimulus)
    found = {}
    for stimulus, own in grouped(first, lambda m: m.row.stimulus).items():
        every = [(one, other) for one in own for other in others.get(stimulus, [])]
        same = [(one, other) for one, other in every if one.row.seed == other.row.seed]
        if every:
            found[stimulus] = same if same and all(_drawn(m) for pair in every for m in pair) else every
    return found


def _map(results: SweepResults, row: Row) -> SweepMap:
    result = results.result(row, table=False)
    record, regions = result.record, result.record["identity"]["regions"]
    return SweepMap(
        row=row,
        values=result.values,
        grid=Grid(regions["rows"], regions["cols"]) if regions.get("kind") == "grid" else None,
        standard_error=result.standard_error,
        degrees_of_freedom=record["degrees_of_freedom"],
        exact=record["estimator"] == EXACT.name,
        kind=record["kind"],
        n_evaluations=record["n_evaluations"],
        seconds=result.spent.get("seconds"),
        score_caption=record["score_caption"],
        grand_coalition_value=record["grand_coalition_value"],
        versions=record["versions"],
    )


def _drawn(m: SweepMap) -> bool:
    """Whether another seed would have given another map."""
    return not m.exact and draws_at_random(m.row.estimator)


def _places(maps: Iterable[SweepMap]) -> set[tuple[str, str, str, int]]:
    """What there are maps of: models on regions under backgrounds."""
    return {(m.row.model, m.row.background, m.row.regions, m.n_players) for m in maps}


def _regions(maps: Iterable[SweepMap]) -> set[tuple[str, int]]:
    """What has a number of regions of its own: each grid, and label maps by their sizes."""
    return {(m.row.regions, m.n_players) for m in maps}


def _factor(m: SweepMap) -> int | None:
    """The budget as a multiple of the number of regions; None where it is none."""
    budget = m.row.budget
    return None if budget is None or budget % m.n_players else budget // m.n_players


def _quality(maps: list[SweepMap]) -> tuple[bool, float]:
    return all(m.exact for m in maps), float(np.mean([m.n_evaluations for m in maps]))
