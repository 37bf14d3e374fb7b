"""Scenes: two to five shapes on a textured ground, each alone in its cells of a 4 x 4 grid."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from hlx.games.scenes.statements import KINDS, SIZES, SceneObject

SIDE = 64
CELL = 16
TRAINING_SEEDS = range(0, 10_000)
HELD_OUT_SEED = 20_000

PAINT = {
    "red": (210, 35, 35),
    "green": (30, 160, 50),
    "blue": (40, 70, 220),
    "yellow": (235, 210, 40),
    "purple": (150, 40, 180),
    "white": (240, 240, 240),
}
_ROWS, _COLUMNS = np.mgrid[0:SIDE, 0:SIDE] + 0.5

Window = tuple[slice, slice]


@dataclass(frozen=True, eq=False)
class Scene:
    """An image and the objects in it, none of which overlap."""

    image: UInt8[np.ndarray, "64 64 3"]
    objects: tuple[SceneObject, ...]


def _coverage(
    shape: str, row: float, column: float, radius: float
) -> tuple[Window, Float[np.ndarray, "a b"]]:
    """The window of pixels around a shape, and the share of each pixel that the shape covers."""
    top, left = max(int(row - radius) - 1, 0), max(int(column - radius) - 1, 0)
    window = (slice(top, int(row + radius) + 2), slice(left, int(column + radius) + 2))
    y, x = _ROWS[window] - row, _COLUMNS[window] - column
    if shape == "circle":
        distance = np.hypot(y, x) - radius
    elif shape == "square":
        distance = np.maximum(abs(y), abs(x)) - 0.88 * radius
    elif shape == "triangle":
        # Upright: the base below, two sides that meet `radius` above the centre.
        distance = np.maximum(y - 0.8 * radius, 0.87 * abs(x) - 0.49 * (y + radius))
    else:
        bar = 0.3 * radius
        upright = np.maximum(abs(x) - bar, abs(y) - radius)
        distance = np.minimum(upright, np.maximum(abs(y) - bar, abs(x) - radius))
    return window, np.clip(0.5 - distance, 0.0, 1.0)


def _ground(rng: np.random.Generator) -> Float[np.ndarray, "64 64 3"]:
    """Stripes, checks, blocks or a slope of light, in a dull colour, under grain."""
    base = rng.uniform(60, 140) + rng.uniform(-14, 14, 3)
    texture = rng.integers(4)
    if texture < 2:
        angle, period, phase = rng.uniform(0, np.pi), rng.uniform(5, 16), rng.uniform(0, 6.28)
        wave = np.sin((np.cos(angle) * _COLUMNS + np.sin(angle) * _ROWS) * (6.28 / period) + phase)
        if texture == 1:
            wave = wave * np.sin((np.cos(angle) * _ROWS - np.sin(angle) * _COLUMNS) * (6.28 / period))
    elif texture == 2:
        wave = np.kron(rng.uniform(-1, 1, (8, 8)), np.ones((8, 8)))
    else:
        wave = (_ROWS * rng.uniform(-1, 1) + _COLUMNS * rng.uniform(-1, 1)) / 32 - 0.5
    grain = rng.standard_normal((SIDE, SIDE), np.float32) * rng.uniform(1, 7)
    return base + (wave * rng.uniform(5, 22) + grain)[..., None]


def _draw_kinds(rng: np.random.Generator, n: int) -> list[tuple[str, str]]:
    """Draw n kinds; in half of the scenes one shape or colour returns often, so there is much to count."""
    kinds = [KINDS[k] for k in rng.integers(len(KINDS), size=n)]
    theme = rng.integers(4)
    repeated = rng.random(n) < 0.7
    if theme == 0:
        kinds = [(c, kinds[0][1]) if again else (c, s) for (c, s), again in zip(kinds, repeated, strict=True)]
    elif theme == 1:
        kinds = [(kinds[0][0], s) if again else (c, s) for (c, s), again in zip(kinds, repeated, strict=True)]
    return kinds


def make_scene(rng: np.random.Generator) -> Scene:
    """Draw one scene; the same state of the generator gives the same scene."""
    image = _ground(rng)
    free = np.ones((SIDE // CELL, SIDE // CELL), bool)
    objects: list[SceneObject] = []
    for colour, shape in _draw_kinds(rng, int(rng.integers(2, 6))):
        large = rng.random() < 0.35 and sum(o.size == "large" for o in objects) < 2
        blocks = free[:-1, :-1] & free[1:, :-1] & free[:-1, 1:] & free[1:, 1:]
        large = bool(large and blocks.any())
        places = np.argwhere(blocks if large else free)
        i, j = places[rng.integers(len(places))]
        span = 2 if large else 1
        free[i : i + span, j : j + span] = False
        radius = rng.uniform(10, 13.5) if large else rng.uniform(5.3, 6.7)
        slack = span * CELL / 2 - radius - 0.5
        row, column = np.array([i, j]) * CELL + span * CELL / 2 + rng.uniform(-slack, slack, 2)
        window, covered = _coverage(shape, row, column, radius)
        paint = np.array(PAINT[colour]) + rng.uniform(-14, 14, 3)
        image[window] += covered[..., None] * (paint - image[window])
        mask = np.zeros((SIDE, SIDE), bool)
        mask[window] = covered >= 0.5
        objects.append(SceneObject(shape, colour, SIZES[large], float(row), float(column), mask))
    return Scene(np.clip(image.round(), 0, 255).astype(np.uint8), tuple(objects))
