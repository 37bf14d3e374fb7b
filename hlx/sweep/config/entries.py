"""What stands in the lists of a sweep file: models, regions, estimators."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hlx.estimating import Request
from hlx.estimators import get_estimator
from hlx.regions import Grid

STEM = "{stem}"
"""Stands for an image's name without folder and extension in the name of its label map."""


@dataclass(frozen=True)
class ModelEntry:
    """A model: what `load_model` takes, and what results call it."""

    name: str
    label: str
    dtype: str
    engine: str | None = None
    device: str | None = None
    detector: str | None = None
    revision: str | None = None
    batch_size: int | None = None


@dataclass(frozen=True)
class RegionsEntry:
    """A grid, or label maps.

    Attributes
    ----------
    labels : a path in which "{stem}", if it is there, stands for the stem of the image's file.
    """

    label: str
    grid: Grid | None = None
    labels: Path | None = None

    def labels_of(self, image: Path) -> Path:
        """The label map of an image."""
        assert self.labels is not None
        return Path(str(self.labels).replace(STEM, image.stem))


@dataclass(frozen=True)
class Budget:
    """So many evaluations, or so many for each region."""

    count: int
    per_region: bool = False

    def of(self, n: int) -> int:
        """The evaluations for n regions."""
        return self.count * n if self.per_region else self.count


@dataclass(frozen=True)
class EstimatorEntry:
    """An estimator with its budgets and seeds, each with each.

    Attributes
    ----------
    budgets : none for estimators that need none, and with a tolerance.
    fewest_players, most_players : it is left out where there are fewer or more regions.
    """

    name: str
    budgets: tuple[Budget, ...] = ()
    seeds: tuple[int, ...] = (0,)
    tolerance: float | None = None
    fewest_players: int | None = None
    most_players: int | None = None

    def takes(self, n: int) -> bool:
        """Whether n regions are within its limits."""
        return (self.fewest_players or 0) <= n <= (n if self.most_players is None else self.most_players)

    def requests(self, n: int) -> list[Request]:
        """What it is asked for n regions, by budget and seed."""
        budgets: list[int | None] = [budget.of(n) for budget in self.budgets]
        return [
            Request(get_estimator(self.name), budget, seed, self.tolerance)
            for budget in budgets or [None]
            for seed in self.seeds
        ]
