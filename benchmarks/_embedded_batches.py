"""What the embedded models learn from: labelled batches of scenes, and the losses of towers on them.

Scenes know which statements are true of them, so a batch is labelled in full, and an accidental match (a
second image with a red circle) is never taken for a negative.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor
from torch.nn.functional import cross_entropy, logsigmoid, softplus

from hlx.games import scenes
from hlx.games.scenes import KINDS
from hlx.games.scenes import statements as st

BATCH = 64
SOME_KINDS, SOME_COUNTS = 12, 5


class Batch(NamedTuple):
    """Images, which of their cells are hidden, what is true and what is false, and what the readers read.

    An owner of a cell is 0 for the ground and for a hidden cell, otherwise 1 + the object's kind. Places are
    the centres, from -1 to 1, of the kinds of which one object is to be seen; NaN for the others.
    """

    images: UInt8[np.ndarray, "b 64 64 3"]
    hidden: Bool[np.ndarray, "b 16"]
    true: Bool[np.ndarray, "b s"]
    false: Bool[np.ndarray, "b s"]
    owners: Int[np.ndarray, "b 16"]
    places: Float[np.ndarray, "b k 2"]


class Pool:
    """Training scenes, and of each: what is where, which objects masking may hide, what is true either way.

    It grows with every batch, so that training starts at once and no scene returns very often.
    """

    def __init__(self, capacity: int, seed: int) -> None:
        self.rng = np.random.default_rng(scenes.TRAINING_SEEDS[seed])
        self.size = 0
        bits = (len(scenes.STATEMENTS) + 7) // 8
        self.images = np.empty((capacity, scenes.SIDE, scenes.SIDE, 3), np.uint8)
        self.owners = np.empty((capacity, 16), np.uint8)  # 0 for the ground, otherwise 1 + kind
        self.hidden = np.empty((capacity, 16), bool)
        self.places = np.full((capacity, len(KINDS), 2), np.nan, np.float32)
        self.full = np.empty((capacity, bits), np.uint8)
        self.visible = np.empty((capacity, bits), np.uint8)

    def grow(self, n: int) -> None:
        """Draw n more scenes, up to the capacity."""
        for i in range(self.size, min(self.size + n, len(self.images))):
            scene = scenes.make_scene(self.rng)
            hide = self.rng.random(len(scene.objects)) < self.rng.choice([0.0, 0.5])
            cells = np.array([o.mask.reshape(4, 16, 4, 16).any((1, 3)).ravel() for o in scene.objects])
            self.images[i] = scene.image
            self.owners[i] = sum((1 + o.kind) * c for o, c in zip(scene.objects, cells, strict=True))
            self.hidden[i] = cells[hide].any(0)
            kinds = [o.kind for o in scene.objects]
            for o in scene.objects:
                if kinds.count(o.kind) == 1:
                    self.places[i, o.kind] = np.array([o.row, o.column]) / (scenes.SIDE / 2) - 1
            self.full[i] = np.packbits(scenes.truths(scene.objects))
            shown = [o for o, hidden in zip(scene.objects, hide, strict=True) if not hidden]
            self.visible[i] = np.packbits(scenes.truths(shown))
            self.size = i + 1

    def batch(self, rng: np.random.Generator) -> Batch:
        """Draw a batch in which half of the images have random cells hidden.

        A statement then counts as true, or as false, only if it is so of all objects and of the visible
        ones alike: a caption never loses its object.
        """
        rows = rng.integers(self.size, size=BATCH)
        masked = rng.random((BATCH, 1)) < 0.5
        ground = (self.owners[rows] == 0) & (rng.random((BATCH, 16)) < rng.random((BATCH, 1)))
        hidden = masked & (self.hidden[rows] | ground)
        count = len(scenes.STATEMENTS)
        full = np.unpackbits(self.full[rows], axis=1, count=count).astype(bool)
        visible = np.unpackbits(self.visible[rows], axis=1, count=count).astype(bool)
        visible = np.where(masked, visible, full)
        owners = np.where(hidden, 0, self.owners[rows])
        true, false = full & visible, ~full & ~visible
        places = np.where(true[:, : st.ABSENT, None], self.places[rows], np.nan)
        return Batch(self.images[rows], hidden, true, false, owners, places)


def choose_texts(true: Bool[np.ndarray, "b s"], rng: np.random.Generator) -> Int[np.ndarray, " t"]:
    """Statements of a batch.

    Those of half of the kinds, then for half of the scenes a true relation each, its opposites and its swaps
    (any relation for a scene of which none is true).
    """
    kinds = rng.permutation(len(KINDS))[:SOME_KINDS]
    counts = rng.permutation(len(st.COUNTED))[:SOME_COUNTS]
    sizes = st.SIZE + 2 * kinds[:, None] + np.arange(2)
    numbers = st.COUNT + 4 * counts[:, None] + np.arange(4)
    true = true[: BATCH // 2, st.RELATION :]
    chosen = (true * rng.random(true.shape, np.float32)).argmax(1)
    d, pair = np.divmod(chosen, len(KINDS) ** 2)
    a, b = np.divmod(pair, len(KINDS))
    triples = [st.relation(d, a, b), st.relation(d ^ 1, a, b), st.relation(d, b, a)]
    return np.concatenate(
        [kinds, st.ABSENT + kinds, st.HUE + kinds, sizes.ravel(), numbers.ravel(), *triples]
    )


def within_kinds(
    s: Float[Tensor, "b t"], true: Bool[Tensor, "b t"], false: Bool[Tensor, "b t"]
) -> Float[Tensor, ""]:
    """Each true statement against the foils of its own kind; columns as from `choose_texts`."""

    def mean(loss: Tensor, where: Tensor) -> Tensor:
        return (loss * where).sum() / where.sum().clamp(min=1)

    def among(part: int) -> Tensor:
        rivals = ss[part].masked_fill(~ff[part], -1e4).logsumexp(1, keepdim=True)
        return mean(softplus(rivals - ss[part]), tt[part])

    def pairs(one: tuple, other: tuple) -> Tensor:
        decided = (one[1] & other[2]).float() - (one[2] & other[1]).float()
        return mean(softplus(-decided * (one[0] - other[0])), decided != 0)

    half = BATCH // 2
    parts = [SOME_KINDS, SOME_KINDS, SOME_KINDS, 2 * SOME_KINDS, 4 * SOME_COUNTS, half, half, half]
    ss, tt, ff = (x.split(parts, 1) for x in (s, true, false))
    exist, absent = ((ss[i], tt[i], ff[i]) for i in (0, 1))
    small, large = ((ss[3][:, i::2], tt[3][:, i::2], ff[3][:, i::2]) for i in (0, 1))
    numbers, right = ss[4].reshape(-1, 4), tt[4].reshape(-1, 4)
    count = cross_entropy(numbers, right.float(), reduction="none")
    caption, opposite, swapped = (ss[i][:half].diagonal() for i in (5, 6, 7))
    related = tt[5][:half].diagonal()
    relation = mean(softplus(opposite - caption), related) + mean(softplus(swapped - caption), related)
    return (
        among(0)
        + pairs(exist, absent)
        + among(2)
        + pairs(small, large)
        + mean(count, right.any(1))
        + relation
    )


class Readers(torch.nn.Module):
    """Linear readers that make a few minutes of training enough, and are thrown away afterwards.

    One tells from the token of each patch what the patch shows. The other tells where objects are: those of
    all kinds from an image's embedding, or that of one kind from a noun's token which has met the image.
    """

    def __init__(self, width: int, weight_of_where: float, kinds: int) -> None:
        super().__init__()
        self.weight_of_where = weight_of_where
        self.what = torch.nn.Linear(width, 1 + len(KINDS))
        self.where = torch.nn.Linear(width, 2 * kinds)

    def loss(
        self, tokens: Float[Tensor, "n p"], places: Float[Tensor, "n k 2"], patches: Tensor, batch: Batch
    ) -> Float[Tensor, ""]:
        """Cross-entropy of what is in patches (b, 16, d), squared error of places (NaN is not asked)."""
        where: Tensor | float = 0.0
        if self.weight_of_where:
            seen = ~places.isnan()
            where = (self.where(tokens).view(places.shape)[seen] - places[seen]).square().mean()
        owners = torch.tensor(batch.owners).long()
        what = cross_entropy(self.what(patches).flatten(0, 1), owners.flatten())
        return what + self.weight_of_where * where


def clip_loss(
    s: Float[Tensor, "b t"], true: Bool[Tensor, "b t"], false: Bool[Tensor, "b t"]
) -> Float[Tensor, ""]:
    """Softmax over texts and over images; a true text's rivals are the false ones."""
    rivals = s.masked_fill(~false, -1e4)
    by_image = softplus(rivals.logsumexp(1, keepdim=True) - s)
    by_text = softplus(rivals.logsumexp(0, keepdim=True) - s)
    return ((by_image + by_text) * true).sum() / (2 * true.sum())


def siglip_loss(
    s: Float[Tensor, "b t"], true: Bool[Tensor, "b t"], false: Bool[Tensor, "b t"]
) -> Float[Tensor, ""]:
    """Every image with every text, as a yes-or-no question."""
    sign = true.float() - false.float()
    loss = -logsigmoid(sign * s) * (sign != 0)
    return 4 * loss.sum() / (sign != 0).sum()
