"""Items as they travel to other machines: with the files that they need, and without functions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hlx.errors import InputError
from hlx.estimating import Request
from hlx.estimators import get_estimator
from hlx.images import check_file
from hlx.sweep.plan.jobs import Asked, Item, PlannedImage, RegionsOf, Unit


@dataclass(frozen=True, eq=False)
class Parcel:
    """An item as it travels: with its files' bytes, and estimators by name.

    Attributes
    ----------
    units : id, stimulus, and estimator, budget, seed and tolerance of each.
    labels_file : content of the label map's file, None for grids.
    """

    model: int
    image: PlannedImage
    regions: RegionsOf
    background: str
    keep_tables: bool
    units: tuple[tuple[str, Asked, tuple[str, int | None, int, float | None]], ...]
    image_file: bytes
    labels_file: bytes | None

    @classmethod
    def of(cls, item: Item) -> Parcel:
        """An item packed.

        Raises
        ------
        InputError : image or label map cannot be read.
        """
        units = []
        for unit in item.units:
            asked = unit.request
            how = asked.estimator.name, asked.budget, asked.seed, asked.tolerance
            units.append((unit.id, unit.stimulus, how))
        labels = item.regions.labels
        return cls(
            item.model,
            item.image,
            item.regions,
            item.background,
            item.keep_tables,
            tuple(units),
            _content(item.image.path),
            None if labels is None else _content(labels),
        )

    def item(self) -> Item:
        """The item, whose files are where they were packed."""
        requests = {
            how: Request(get_estimator(how[0]), *how[1:])
            for how in dict.fromkeys(how for _, _, how in self.units)
        }
        units = tuple(Unit(name, stimulus, requests[how]) for name, stimulus, how in self.units)
        return Item(self.model, self.image, self.regions, self.background, self.keep_tables, units)


def _content(path: Path) -> bytes:
    check_file(path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
