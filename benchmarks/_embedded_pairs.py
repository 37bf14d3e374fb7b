"""What LXMERT learns from, whose every pair of image and text costs a pass: captions and foils by image."""

import numpy as np
from _embedded_batches import BATCH, Batch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import softplus

from hlx.games.scenes import KINDS
from hlx.games.scenes import statements as st

SOME_PHENOMENA, SOME_RELATIONS = 2, 2


def choose_pairs(batch: Batch, rng: np.random.Generator) -> Int[np.ndarray, "b q 2"]:
    """Captions and foils, indices of `STATEMENTS`, for each image by itself.

    One of each of `SOME_PHENOMENA` others, then `SOME_RELATIONS` relations, whose foils are the opposites or
    the swaps. Where an image has nothing true, or nothing false, of a kind, what it gets is no such pair.
    """

    def draw(weights: np.ndarray) -> Int[np.ndarray, " b"]:
        return (weights * rng.random(weights.shape, np.float32)).argmax(1)

    present, absent = batch.true[:, : st.ABSENT], batch.false[:, : st.ABSENT]
    seen = present.reshape(BATCH, len(st.COLOURS), len(st.SHAPES))
    colour = np.repeat(seen.any(2), len(st.SHAPES), 1)
    shape = np.tile(seen.any(1), len(st.COLOURS))
    # Foils of the colours and the shapes in the image come more often: those have to be told apart.
    there, elsewhere = draw(present), draw(absent * (1 + colour + 1.0 * shape))
    existence = there, elsewhere
    negated = rng.random(BATCH) < 0.5
    kind = np.where(negated, draw(absent), draw(present))
    negation = kind + st.ABSENT * negated, kind + st.ABSENT * ~negated
    count = draw(batch.true[:, st.COUNT : st.HUE])
    numbers = len(st.NUMBERS)
    other = count - count % numbers + (count + rng.integers(1, numbers, BATCH)) % numbers
    counting = st.COUNT + count, st.COUNT + other
    named = draw(present)
    alike = np.arange(len(KINDS)) % len(st.SHAPES) == named[:, None] % len(st.SHAPES)
    hue = st.HUE + named, st.HUE + draw(absent * alike * (0.1 + colour))
    size = draw(batch.true[:, st.SIZE : st.RELATION])
    sizes = st.SIZE + size, st.SIZE + (size ^ 1)
    relations = []
    for _ in range(SOME_RELATIONS):
        caption = draw(batch.true[:, st.RELATION :])
        d, pair = np.divmod(caption, len(KINDS) ** 2)
        a, b = np.divmod(pair, len(KINDS))
        foil = np.where(rng.random(BATCH) < 0.5, st.relation(d ^ 1, a, b), st.relation(d, b, a))
        relations.append((st.RELATION + caption, foil))
    others = [existence, negation, counting, hue, sizes]
    chosen = [others[i] for i in rng.permutation(len(others))[:SOME_PHENOMENA]]
    return np.array([*chosen, *relations]).transpose(2, 0, 1)


def noun_places(
    pairs: Int[np.ndarray, "b q 2"], places: Float[np.ndarray, "b k 2"], lengths: Int[np.ndarray, " p"]
) -> tuple[tuple[np.ndarray, np.ndarray], Float[np.ndarray, "n 1 2"]]:
    """The tokens (pair, position) of the two nouns of each relation, and where their objects are."""
    row, _, _ = np.unravel_index(np.arange(pairs.size), pairs.shape)
    related = np.flatnonzero(pairs.ravel() >= st.RELATION)
    a, b = np.divmod((pairs.ravel()[related] - st.RELATION) % len(KINDS) ** 2, len(KINDS))
    # [CLS] the COLOUR NOUN ... the COLOUR NOUN [SEP]
    position = np.concatenate([np.full(len(related), 3), lengths[related] - 2])
    found = places[np.tile(row[related], 2), np.concatenate([a, b])]
    return (np.tile(related, 2), position), found[:, None]


def matching_losses(
    caption: Float[Tensor, "b q"], foil: Float[Tensor, "b q"], asked: Bool[Tensor, "b q"]
) -> dict[str, Float[Tensor, ""]]:
    """Every statement as a yes-or-no question, and each caption against its foil, from log odds."""
    count = asked.sum()
    matching = (softplus(-caption) + softplus(foil)) * asked
    return {
        "matching": matching.sum() / count,
        "within": (softplus(foil - caption) * asked).sum() / count,
    }
