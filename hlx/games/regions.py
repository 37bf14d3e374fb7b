"""Regions: the parts of an image that are shown or hidden as a whole, the players of the game.

A :class:`Grid` cuts the model's square input into rows and columns; a :class:`LabelMap` takes any partition
of the pixels (superpixels, objects, the strokes of an annotator). Both give every pixel of the square exactly
one label, 0 to n - 1, so that coalitions of them cover the image without overlap.
"""

import operator
import re
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int32, Shaped

from hlx.errors import InputError
from hlx.io.checks import check_file
from hlx.io.images import content_hash, open_image

NAMED_LABELS = 8
"""So many labels are named in an error message before it says how many more there are."""


@dataclass(frozen=True)
class Grid:
    """`rows` x `cols` rectangles of the square image; players are row-major, player 0 is top left.

    Raises
    ------
    InputError
        `rows` or `cols` is no positive integer, or there is only one cell.
    """

    rows: int
    cols: int

    def __post_init__(self) -> None:
        for name, value in (("rows", self.rows), ("cols", self.cols)):
            try:
                number = operator.index(value)
            except TypeError:
                raise InputError(f"grid: {name} must be a whole number, found {value!r}") from None
            if isinstance(value, bool) or number < 1:
                raise InputError(f"grid: {name} must be at least 1, found {value!r}")
            object.__setattr__(self, name, number)
        if self.n_players < 2:
            raise InputError("grid 1x1: a single region has nothing to share; use at least two cells")

    @classmethod
    def parse(cls, text: str) -> "Grid":
        """The grid written as ``ROWSxCOLS``, such as ``4x4``.

        Raises
        ------
        InputError
            The text is not of this form, or the grid is not a valid one.
        """
        match = re.fullmatch(r"\s*(-?[0-9]{1,9})\s*[xX]\s*(-?[0-9]{1,9})\s*", text)
        if match is None:
            raise InputError(f"grid {text!r}: expected ROWSxCOLS, such as 4x4")
        return cls(int(match[1]), int(match[2]))

    @property
    def n_players(self) -> int:
        return self.rows * self.cols

    def labels(self, side: int) -> Int32[np.ndarray, "side side"]:
        """The player of every pixel: label(y, x) = (y rows // side) cols + (x cols // side).

        Where `side` is no multiple of the grid, cells differ by at most one pixel in height and in width.

        Raises
        ------
        InputError
            The grid has more rows or columns than the image has pixels.
        """
        if side < max(self.rows, self.cols):
            raise InputError(
                f"grid {self}: has more rows or columns than the model's {_size((side, side))} pixels"
            )
        pixel = np.arange(side, dtype=np.int64)
        labels = (pixel * self.rows // side)[:, None] * self.cols + (pixel * self.cols // side)[None, :]
        return labels.astype(np.int32)

    def to_map(self, values: Shaped[np.ndarray, "*batch n"]) -> Shaped[np.ndarray, "*batch rows cols"]:
        """One value per player, laid out as the cells lie; leading axes are kept."""
        values = _one_per_player(values, self.n_players)
        return values.reshape(*values.shape[:-1], self.rows, self.cols)

    def spec(self) -> dict[str, Any]:
        """What a result file says of these regions; :func:`regions_from_spec` reads it."""
        return {"kind": "grid", "rows": self.rows, "cols": self.cols}

    def __str__(self) -> str:
        return f"{self.rows}x{self.cols}"


@dataclass(frozen=True, eq=False)
class LabelMap:
    """Any partition of an image: `pixels` holds the player of every pixel, 0 to n - 1 with none left out.

    Parameters
    ----------
    pixels
        (h, w) integers or bool. Of the image's own size, or of the square the model sees. A read-only copy is
        kept, as int32.
    name
        What errors call the map, usually its file.

    Raises
    ------
    InputError
        Not two-dimensional, not integers, a negative label, labels left out, or fewer than two regions.
    """

    pixels: np.ndarray
    name: str = field(default="label map", repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pixels", _checked(np.asarray(self.pixels), self.name))

    @classmethod
    def read(cls, path: str | Path) -> "LabelMap":
        """A label map from a PNG (palette index or grey level is the label) or an integer ``.npy`` array.

        Colours are refused: which of them would be player 0 is nowhere written, and a resized or smoothed
        colour image has many more colours than regions.

        Raises
        ------
        InputError
            Another extension, an unreadable file, or a map that :class:`LabelMap` refuses.
        """
        path = Path(path)
        readers = {".png": _read_png, ".npy": _read_npy}
        reader = readers.get(path.suffix.lower())
        if reader is None:
            raise InputError(f"{path}: label maps are .png or .npy files, found extension {path.suffix!r}")
        return cls(reader(path), name=str(path))

    @cached_property
    def n_players(self) -> int:
        return int(self.pixels.max()) + 1

    @cached_property
    def sha256(self) -> str:
        """Content hash of the labels and their shape; where they were read from plays no part."""
        return content_hash(self.pixels)

    def check_size(self, image_shape: tuple[int, ...], side: int) -> None:
        """Raise InputError unless the map has the image's own (h, w) or the model's (side, side)."""
        own = tuple(image_shape[:2])
        if self.pixels.shape not in (own, (side, side)):
            raise InputError(
                f"{self.name}: has {_size(self.pixels.shape)} pixels (height x width), expected the image's "
                f"{_size(own)} or the model's {_size((side, side))}"
            )

    def labels(self, side: int) -> Int32[np.ndarray, "side side"]:
        """The player of every pixel of the square the model sees, by the nearest label.

        Raises
        ------
        InputError
            `side` is below 1, or a region is so small that no pixel of it is left.
        """
        if side < 1:
            raise InputError(f"{self.name}: cannot be resized to {side} x {side} pixels")
        centre = 2 * np.arange(side, dtype=np.int64) + 1  # of each output pixel, in half pixels
        y, x = (centre * length // (2 * side) for length in self.pixels.shape)
        labels = self.pixels[y[:, None], x[None, :]]
        lost = np.setdiff1d(np.arange(self.n_players), labels)
        if lost.size:
            raise InputError(
                f"{self.name}: no pixel is left of {_named(lost.tolist(), lost.size, 'region')} when "
                f"{_size(self.pixels.shape)} is resized to {_size((side, side))}; merge into larger regions"
            )
        return labels

    def to_map(self, values: Shaped[np.ndarray, "*batch n"]) -> Shaped[np.ndarray, "*batch h w"]:
        """Every pixel painted with its player's value; leading axes are kept."""
        return _one_per_player(values, self.n_players)[..., self.pixels]

    def spec(self) -> dict[str, Any]:
        """What a result file says of these regions; :func:`regions_from_spec` reads it."""
        return {
            "kind": "labels",
            "shape": list(self.pixels.shape),
            "n_players": self.n_players,
            "sha256": self.sha256,
        }

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LabelMap) and np.array_equal(self.pixels, other.pixels)

    def __hash__(self) -> int:
        return hash(self.sha256)

    def __str__(self) -> str:
        return f"{self.n_players} regions of {self.name}"


Regions = Grid | LabelMap


def regions_from_spec(spec: dict[str, Any], labels: np.ndarray | None = None) -> Regions:
    """The regions that :meth:`Grid.spec` or :meth:`LabelMap.spec` described.

    Parameters
    ----------
    spec
        As written; of a label map it holds only size and hash.
    labels
        (h, w) integers. The label map itself, kept beside its spec.

    Raises
    ------
    InputError
        An unknown kind, a missing key or label map, or labels other than those described.
    """
    try:
        if spec["kind"] == "grid":
            return Grid(spec["rows"], spec["cols"])
        if spec["kind"] != "labels":
            raise InputError(f"regions: unknown kind {spec['kind']!r}, expected 'grid' or 'labels'")
        expected = spec["sha256"]
    except KeyError as missing:
        raise InputError(f"regions: the description {spec} lacks the key {missing}") from None
    if labels is None:
        raise InputError("regions: described as a label map, but the label map itself is missing")
    regions = LabelMap(labels)
    if regions.sha256 != expected:
        raise InputError(
            f"regions: the label map has hash {regions.sha256[:12]}, the description {str(expected)[:12]}"
        )
    return regions


def _checked(pixels: np.ndarray, name: str) -> Int32[np.ndarray, "h w"]:
    if pixels.dtype.kind not in "iub":
        raise InputError(f"{name}: labels must be integers, found {pixels.dtype}")
    if pixels.ndim != 2 or pixels.size == 0:
        raise InputError(f"{name}: expected one label per pixel, shape (h, w), found shape {pixels.shape}")
    present = np.unique(pixels)
    lowest, highest = int(present[0]), int(present[-1])
    if lowest < 0:
        raise InputError(f"{name}: labels are 0 to n - 1, found {lowest}")
    n_missing = highest + 1 - present.size
    if n_missing:
        # Labels may be as large as 2**64: walk only as far as there is something to name.
        known = set(present.tolist())
        missing = list(islice((label for label in range(highest) if label not in known), NAMED_LABELS))
        raise InputError(
            f"{name}: labels run from 0 to {highest} but {_named(missing, n_missing, 'label')} "
            f"{'is' if n_missing == 1 else 'are'} missing; number the {present.size} "
            f"region{'s' * (present.size > 1)} without gaps (numpy.unique with return_inverse=True does)"
        )
    if present.size < 2:
        raise InputError(f"{name}: only one region (label 0 everywhere); use at least two")
    kept = pixels.astype(np.int32)
    kept.flags.writeable = False
    return kept


def _read_png(path: Path) -> np.ndarray:
    image = open_image(path)
    # Pillow stretches greys of 2 and 4 bits to 0..255; the label is the stored level.
    stretch = {2: 85, 4: 17}.get(_png_bits(path), 1) if image.mode == "L" else 1
    if image.mode not in ("P", "L", "1") and not image.mode.startswith("I"):
        raise InputError(
            f"{path}: a label image has a palette or grey levels, found mode {image.mode}; "
            "save labels as greys, or as an integer .npy array"
        )
    return np.asarray(image) // stretch if stretch > 1 else np.asarray(image)


def _png_bits(path: Path) -> int:
    """Bits per sample in a PNG's header: byte 24, after the signature, the chunk's head, width and height."""
    with open(path, "rb") as file:
        return file.read(25)[24]


def _read_npy(path: Path) -> np.ndarray:
    check_file(path)
    try:
        # Mapped, so that a header that promises terabytes is refused by the file's real size.
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # whatever broken bytes provoke
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: cannot be read as a .npy array: {reason}") from None
    if not isinstance(mapped, np.ndarray):
        raise InputError(f"{path}: holds several arrays (.npz), expected a single one (.npy)")
    return np.array(mapped)


def _one_per_player(values: np.ndarray, n_players: int) -> np.ndarray:
    values = np.asarray(values)
    if values.ndim == 0 or values.shape[-1] != n_players:
        raise InputError(f"expected one value for each of {n_players} regions, found shape {values.shape}")
    return values


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _named(labels: list[int], count: int, noun: str) -> str:
    shown = ", ".join(map(str, labels[:NAMED_LABELS]))
    more = f" and {count - NAMED_LABELS} more" if count > NAMED_LABELS else ""
    return f"{noun}{'s' * (count > 1)} {shown}{more}"


def region_name(region: int, regions: Regions | None) -> str:
    """(row, column) of a grid, from (0, 0) at the top left, else the region's number."""
    if isinstance(regions, Grid):
        row, column = divmod(region, regions.cols)
        return f"({row}, {column})"
    return str(region)
