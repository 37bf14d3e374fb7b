"""The regions of a sweep's images: grids as they are, label maps read once, checked and let go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from hlx.errors import InputError
from hlx.games.regions import Grid, LabelMap
from hlx.sweep.config.entries import STEM, RegionsEntry
from hlx.sweep.config.problems import Problems
from hlx.sweep.plan.jobs import PlannedImage, PlannedRegions

Sides = dict[int, str]
"""Sides, in pixels, of what models are shown, each with a model that has it."""

_EXIF_ORIENTATION, _SIDEWAYS = 0x0112, (5, 6, 7, 8)


def planned_regions(
    entries: Sequence[RegionsEntry], pictures: Sequence[PlannedImage], sides: Sides, problems: Problems
) -> dict[Path, list[PlannedRegions]]:
    """The regions of every image, in the order of the entries; what is wrong with them goes to `problems`.

    Parameters
    ----------
    sides
        Of the models, as far as they are known.
    """
    grids = {entry: _grid(entry.label, entry.grid, sides, problems) for entry in entries if entry.grid}
    contents = {image.path: image.sha256 for image in pictures}
    images = list(contents)
    needed = {
        entry: {image: entry.labels_of(image) for image in images} for entry in entries if not entry.grid
    }
    for entry, of_images in needed.items():
        _check_one_each(entry, of_images, contents, problems)
    maps = list(dict.fromkeys(path for of_images in needed.values() for path in of_images.values()))
    with ThreadPoolExecutor() as pool:
        read = dict(zip(maps, pool.map(lambda path: _read(path, sides), maps), strict=True))
        sizes = dict(zip(images, pool.map(_size, images), strict=True)) if maps else {}
    planned: dict[Path, list[PlannedRegions]] = {image: [] for image in images}
    for image in images:
        for entry in entries:
            if entry in grids:
                planned[image].append(grids[entry])
                continue
            path = needed[entry][image]
            found = read[path]
            if isinstance(found, str):
                problems.add(f"regions {entry.label}: {found}")
                continue
            if (wrong := found.misfit(path, image, sizes[image], sides)) is not None:
                problems.add(f"regions {entry.label}: {wrong}")
            planned[image].append(
                PlannedRegions(entry.label, found.n_players, labels=path, sha256=found.sha256)
            )
    return planned


def _check_one_each(
    entry: RegionsEntry, of_images: Mapping[Path, Path], contents: Mapping[Path, str], problems: Problems
) -> None:
    """Images of one stem in different folders have one label map, which can be of one of them alone."""
    if STEM not in str(entry.labels):
        return
    first: dict[Path, Path] = {}
    for image, path in of_images.items():
        other = first.setdefault(path, image)
        if contents[other] != contents[image]:
            problems.add(
                f"regions {entry.label}: {path} would be the label map of {other} and of {image}, which "
                "differ: give one of them another name"
            )


@dataclass(frozen=True)
class _LabelMap:
    """What is kept of a label map."""

    n_players: int
    sha256: str
    shape: tuple[int, ...]

    def misfit(self, path: Path, image: Path, size: tuple[int, int] | None, sides: Sides) -> str | None:
        """What is wrong with its size for an image of (h, w), None where nothing is, or nothing known."""
        height, width = self.shape
        squares = [(side, side) for side in sides]
        # Where no side is known, any square may be the right one.
        if size is None or self.shape == size or {self.shape} == set(squares or [(height, height)]):
            return None
        told = f"{size[0]} x {size[1]} of {image}"
        models = "".join(f", or the {side} x {side} of {label}" for side, label in sides.items())
        return f"{path}: has {height} x {width} pixels (height x width), expected the {told}{models}"


def _grid(label: str, grid: Grid, sides: Sides, problems: Problems) -> PlannedRegions:
    for side, model in sides.items():
        try:
            grid.labels(side)
        except InputError:
            problems.add(
                f"regions {label}: more rows or columns than the {side} x {side} pixels of model {model}"
            )
    return PlannedRegions(label, grid.n_players, grid=grid)


def _read(path: Path, sides: Sides) -> _LabelMap | str:
    """What is kept of a label map, or what is wrong with it."""
    try:
        labels = LabelMap.read(path)
        for side in sides:
            labels.labels(side)
        return _LabelMap(labels.n_players, labels.sha256, labels.pixels.shape)
    except InputError as error:
        return str(error)


def _size(path: Path) -> tuple[int, int] | None:
    """Height and width of an image as `read_image` turns it, from its header; None where that is broken."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            sideways = image.getexif().get(_EXIF_ORIENTATION) in _SIDEWAYS
    except Exception:  # a broken image fails when it is its turn, and does not stop the rest
        return None
    return (width, height) if sideways else (height, width)
