"""What a sweep found over grids, backgrounds and estimators: all comparisons at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hlx.sweep.across_settings.agreement import (
    BackgroundAgreement,
    Common,
    GridAgreement,
    across_backgrounds,
    across_grids,
)
from hlx.sweep.across_settings.estimator_error import Cost, EstimatorError, costs, estimator_errors
from hlx.sweep.results.merged_file import SweepResults
from hlx.sweep.results.rows import Missing, Row, missing_of
from hlx.sweep.results.sweep_maps import distinct, read_maps


@dataclass(frozen=True)
class SweepComparison:
    """What a sweep found.

    Attributes
    ----------
    name
        What it is called: its output folder, or the merged file where that has a name of its own.
    content_hash
        Of the results.
    models
        Label, name, revision, dtype, engine and fingerprint of each.
    versions
        Of packages, and "device", that computed results; each combination once.
    maps, stimuli
        How many there are.
    regions, backgrounds, estimators
        As the sweep file calls them, in its order.
    lacking
        Of every model that lacks something.
    common
        Where maps of two grids were compared, as asked: "coarser", "finest" or a grid.
    """

    name: str
    content_hash: str
    models: tuple[dict[str, Any], ...]
    versions: tuple[dict[str, str], ...]
    maps: int
    stimuli: int
    regions: tuple[str, ...]
    backgrounds: tuple[str, ...]
    estimators: tuple[str, ...]
    common: str
    across_grids: tuple[GridAgreement, ...]
    across_backgrounds: tuple[BackgroundAgreement, ...]
    errors: tuple[EstimatorError, ...]
    costs: tuple[Cost, ...]
    lacking: tuple[Missing, ...]

    @property
    def labels(self) -> list[str]:
        """Of the models."""
        return [model["label"] for model in self.models]

    def as_dict(self) -> dict[str, Any]:
        """Everything as JSON's types."""
        return asdict(self)


def compare_settings(results: SweepResults, common: Common = "coarser") -> SweepComparison:
    """Every comparison that a sweep's results allow; `common` as `across_grids` takes it."""
    maps = read_maps(results)
    rows = results.rows
    return SweepComparison(
        name=results.path.parent.name if results.path.stem == "merged" else results.path.stem,
        content_hash=results.content_hash,
        models=tuple(results.models),
        versions=tuple(distinct(m.versions for m in maps)),
        maps=len(maps),
        stimuli=len({row.stimulus for row in rows}),
        regions=_names(rows, "regions"),
        backgrounds=_names(rows, "background"),
        estimators=_names(rows, "estimator"),
        common=str(common),
        across_grids=tuple(across_grids(maps, common)),
        across_backgrounds=tuple(across_backgrounds(maps)),
        errors=tuple(estimator_errors(maps)),
        costs=tuple(costs(maps)),
        lacking=tuple(missing_of(rows, results.missing)),
    )


def _names(rows: Sequence[Row], what: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(getattr(row, what) for row in rows))
