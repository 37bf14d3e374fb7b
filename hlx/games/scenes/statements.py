"""What can be said of a scene, and when it is true.

`STATEMENTS` lists every caption and foil there is. Their kinds stand one after the other, each from its own
offset: existence at 0, then `ABSENT`, `COUNT`, `HUE`, `SIZE` and `RELATION`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

COLOURS = ("red", "green", "blue", "yellow", "purple", "white")
SHAPES = ("circle", "square", "triangle", "cross")
SIZES = ("small", "large")
DIRECTIONS = ("left of", "right of", "above", "below")
KINDS = tuple((colour, shape) for colour in COLOURS for shape in SHAPES)
COUNTED = tuple((None, shape) for shape in SHAPES) + tuple((colour, None) for colour in COLOURS)
NUMBERS = ("one", "two", "three", "four")

# Half a cell: centres in neighbouring cells are further apart, centres in one row or column of cells nearer.
_APART = 8.0


@dataclass(frozen=True, eq=False)
class SceneObject:
    """A coloured shape and the pixels it covers.

    Attributes
    ----------
    shape, colour, size
        One of `SHAPES`, `COLOURS`, `SIZES`. A small object lies in one 16-pixel cell, a large one in 2 x 2.
    row, column
        The centre, in pixels from the top left corner.
    mask
        True where the object covers at least half of the pixel.
    """

    shape: str
    colour: str
    size: str
    row: float
    column: float
    mask: Bool[np.ndarray, "64 64"]

    @property
    def kind(self) -> int:
        """Index of (colour, shape) in `KINDS`."""
        return KINDS.index((self.colour, self.shape))


def _count_text(counted: int, number: int) -> str:
    colour, shape = COUNTED[counted]
    noun = shape or f"{colour} object"
    if number == 0:
        return f"there is exactly one {noun}"
    return f"there are exactly {NUMBERS[number]} {noun}{'es' if noun == 'cross' else 's'}"


def _statements() -> tuple[str, ...]:
    names = [" ".join(kind) for kind in KINDS]
    texts = [f"there is a {name}" for name in names]
    texts += [f"there is no {name}" for name in names]
    texts += [_count_text(c, number) for c in range(len(COUNTED)) for number in range(len(NUMBERS))]
    texts += [f"the {shape} is {colour}" for colour, shape in KINDS]
    texts += [f"the {name} is {size}" for name in names for size in SIZES]
    texts += [f"the {a} is {d} the {b}" for d in DIRECTIONS for a in names for b in names]
    return tuple(texts)


STATEMENTS = _statements()
ABSENT = len(KINDS)
COUNT = ABSENT + len(KINDS)
HUE = COUNT + len(COUNTED) * len(NUMBERS)
SIZE = HUE + len(KINDS)
RELATION = SIZE + len(KINDS) * len(SIZES)


def relation(direction: int, a: int, b: int) -> int:
    """Index in `STATEMENTS` of "the a is `direction` the b", for two kinds (arrays of indices work too)."""
    return RELATION + (direction * len(KINDS) + a) * len(KINDS) + b


def directions(a: SceneObject, b: SceneObject) -> list[int]:
    """In which of `DIRECTIONS` a lies of b: at least half a cell, from centre to centre."""
    right, down = a.column - b.column, a.row - b.row
    return [d for d, apart in enumerate((-right, right, -down, down)) if apart >= _APART]


def truths(objects: Sequence[SceneObject]) -> Bool[np.ndarray, " statements"]:
    """Which of `STATEMENTS` are true of a set of objects.

    "The red circle is above the blue square" holds when some red circle is above some blue square, and so
    with every other definite article; `hlx.games.scenes.scene_stimuli` uses it only where there is one of
    each. Counts are exact.
    """
    true = np.zeros(len(STATEMENTS), bool)
    kinds = [o.kind for o in objects]
    true[kinds] = True
    true[ABSENT:COUNT] = ~true[:ABSENT]
    for c, (colour, shape) in enumerate(COUNTED):
        count = sum(o.colour == colour or o.shape == shape for o in objects)
        if 1 <= count <= len(NUMBERS):
            true[COUNT + len(NUMBERS) * c + count - 1] = True
    true[HUE:SIZE] = true[:ABSENT]
    for a in objects:
        true[SIZE + len(SIZES) * a.kind + SIZES.index(a.size)] = True
        for b in objects:
            for d in directions(a, b):
                true[relation(d, a.kind, b.kind)] = True
    return true
