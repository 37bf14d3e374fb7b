"""Captions and foils for scenes, in the kinds of VALSE.

Source of the kinds: Parcalabescu et al. (2022), "VALSE: A Task-Independent Benchmark for Vision and Language
Models Centered on Linguistic Phenomena", section 3.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from jaxtyping import Bool, UInt8

from hlx.errors import InputError
from hlx.games.scenes.drawing import Scene, make_scene
from hlx.games.scenes.statements import (
    ABSENT,
    COUNT,
    COUNTED,
    HUE,
    KINDS,
    NUMBERS,
    SIZE,
    SIZES,
    STATEMENTS,
    SceneObject,
    directions,
    relation,
    truths,
)

PHENOMENA = ("existence", "negation", "counting", "attribute", "relation", "roles")

_OPPOSITE = (1, 0, 3, 2)

Drawn = tuple[int, int, list[SceneObject]]
"""Caption and foil as indices of `STATEMENTS`, and the objects that the caption is about."""


@dataclass(frozen=True, eq=False)
class SceneStimulus:
    """A scene's image, a caption true of it and a foil false of it.

    Attributes
    ----------
    image, scene
        The picture, and where its objects are.
    caption, foil
        Two of `STATEMENTS`.
    phenomenon
        One of `PHENOMENA`.
    target
        True on the pixels of all objects that the caption is about; None where the caption says that
        something is absent, as there is nothing to point at then.
    """

    image: UInt8[np.ndarray, "64 64 3"]
    caption: str
    foil: str
    phenomenon: str
    target: Bool[np.ndarray, "64 64"] | None
    scene: Scene


def _pick(rng: np.random.Generator, options: Sequence[int] | np.ndarray) -> int:
    return int(options[int(rng.integers(len(options)))])


def _draw_presence(scene: Scene, phenomenon: str, rng: np.random.Generator) -> Drawn:
    true = truths(scene.objects)
    present, absent = np.flatnonzero(true[:ABSENT]), np.flatnonzero(~true[:ABSENT])
    if phenomenon == "existence":
        kind, foil = _pick(rng, present), _pick(rng, absent)
    elif rng.random() < 0.5:
        kind = _pick(rng, present)
        foil = ABSENT + kind
    else:
        kind = _pick(rng, absent)
        return ABSENT + kind, kind, []
    return kind, foil, [o for o in scene.objects if o.kind == kind]


def _draw_count(scene: Scene, rng: np.random.Generator) -> Drawn | None:
    counts = np.flatnonzero(truths(scene.objects)[COUNT:HUE])
    if not len(counts):
        return None
    counted, number = divmod(_pick(rng, counts), len(NUMBERS))
    wrong = _pick(rng, [m for m in range(len(NUMBERS)) if m != number])
    colour, shape = COUNTED[counted]
    meant = [o for o in scene.objects if o.colour == colour or o.shape == shape]
    first = COUNT + len(NUMBERS) * counted
    return first + number, first + wrong, meant


def _draw_attribute(scene: Scene, a: SceneObject, rng: np.random.Generator) -> Drawn | None:
    if rng.random() < 0.5:
        first, size = SIZE + len(SIZES) * a.kind, SIZES.index(a.size)
        return first + size, first + 1 - size, [a]
    # The foil's colour is another object's, so that knowing the colours in the scene does not help.
    others = [KINDS.index((o.colour, a.shape)) for o in scene.objects if o.colour != a.colour]
    if not others or sum(o.shape == a.shape for o in scene.objects) > 1:
        return None
    return HUE + a.kind, HUE + _pick(rng, others), [a]


def _draw(scene: Scene, phenomenon: str, rng: np.random.Generator) -> Drawn | None:
    """Draw a caption and a foil; None where the scene does not allow them."""
    if phenomenon in ("existence", "negation"):
        return _draw_presence(scene, phenomenon, rng)
    if phenomenon == "counting":
        return _draw_count(scene, rng)
    kinds = [o.kind for o in scene.objects]
    named_once = [o for o in scene.objects if kinds.count(o.kind) == 1]
    if not named_once:
        return None
    a = named_once[int(rng.integers(len(named_once)))]
    if phenomenon == "attribute":
        return _draw_attribute(scene, a, rng)
    others = [i for i, o in enumerate(named_once) if directions(a, o)]
    if not others:
        return None
    b = named_once[_pick(rng, others)]
    d = _pick(rng, directions(a, b))
    if phenomenon == "relation":
        return relation(d, a.kind, b.kind), relation(_OPPOSITE[d], a.kind, b.kind), [a, b]
    return relation(d, a.kind, b.kind), relation(d, b.kind, a.kind), [a, b]


def iterate_stimuli(seed: int, phenomena: Sequence[str] = PHENOMENA) -> Iterator[SceneStimulus]:
    """Yield stimuli without end, a scene for each, the phenomena in turn; see `make_stimuli`."""
    for phenomenon in phenomena:
        if phenomenon not in PHENOMENA:
            raise InputError(f"phenomenon {phenomenon!r} is unknown: choose from {', '.join(PHENOMENA)}")
    if not phenomena:
        raise InputError(f"no phenomenon is given: choose from {', '.join(PHENOMENA)}")
    rng = np.random.default_rng(seed)
    while True:
        for phenomenon in phenomena:
            drawn = None
            while drawn is None:
                scene = make_scene(rng)
                drawn = _draw(scene, phenomenon, rng)
            caption, foil, meant = drawn
            target = np.logical_or.reduce([o.mask for o in meant]) if meant else None
            yield SceneStimulus(scene.image, STATEMENTS[caption], STATEMENTS[foil], phenomenon, target, scene)


def make_stimuli(n: int, seed: int, phenomena: Sequence[str] = PHENOMENA) -> list[SceneStimulus]:
    """Draw stimuli, the same ones for the same seed.

    - existence: "there is a red circle"; the foil names a kind that is absent.
    - negation: "there is no red circle" and "there is a red circle"; either is the caption half of the time.
    - counting: "there are exactly two circles" (or "red objects"); the foil has another number, one to four.
    - attribute: "the circle is red", the foil with another object's colour; or "the red circle is large",
      the foil with the other size.
    - relation: "the red circle is above the blue square"; the foil has the opposite direction.
    - roles: the same captions; the foil swaps the objects.

    Parameters
    ----------
    n
        How many; the phenomena come in turn.
    seed
        Scenes from `TRAINING_SEEDS` were seen in training: for anything measured, start at `HELD_OUT_SEED`.
    phenomena
        Which of `PHENOMENA`.

    Raises
    ------
    InputError
        If n is negative, or a phenomenon is unknown, or none is given.
    """
    if n < 0:
        raise InputError(f"cannot make {n} stimuli: n must be 0 or more")
    return list(islice(iterate_stimuli(seed, phenomena), n))
