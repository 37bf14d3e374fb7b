"""Which regions lie near each other: the triples of regions, and how far they are spread."""

from __future__ import annotations

from itertools import combinations
from math import comb
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int

from hlx.games.regions import Grid, Regions

MOST_TRIPLES = 2000
# Where not all triples are kept, only those of a region with two of its nearest are looked at.
NEAREST = 12


class Triples(NamedTuple):
    """Three players each.

    Attributes
    ----------
    members
        (t, 3).
    spreads
        (t,), the mean logarithm of the three distances; 0 where nothing is known of the regions.
    """

    members: Int[np.ndarray, "t 3"]
    spreads: Float64[np.ndarray, " t"]


def triples_of(n: int, regions: Regions | None) -> Triples:
    """All triples of n players; where there are more than `MOST_TRIPLES`, those of the closest regions.

    None where there are too many and nothing is known of the regions. On 4x4 grids of ViT games the variance
    of triple interactions falls as a power of the product of the distances, hence the logarithm.
    """
    if comb(n, 3) <= MOST_TRIPLES:
        members = np.array(list(combinations(range(n), 3)), np.int64).reshape(-1, 3)
        return Triples(members, spreads(members, regions) if regions is not None else np.zeros(len(members)))
    if regions is None:
        return Triples(np.zeros((0, 3), np.int64), np.zeros(0))
    nearest = np.argsort(log_distances(regions), axis=1, kind="stable")[:, : NEAREST + 1]
    near = {
        tuple(sorted((i, *pair)))
        for i, row in enumerate(nearest)
        for pair in combinations(row.tolist(), 2)
        if i not in pair
    }
    members = np.array(sorted(near), np.int64)
    spread = spreads(members, regions)
    # Ties stay together, so that no place of the image is favoured.
    kept = (
        spread < np.partition(spread, MOST_TRIPLES)[MOST_TRIPLES]
        if len(near) > MOST_TRIPLES
        else spread < np.inf
    )
    return Triples(members[kept], spread[kept])


def spreads(members: Int[np.ndarray, "t 3"], regions: Regions) -> Float64[np.ndarray, " t"]:
    """The mean logarithm of the distances within each triple."""
    distances = log_distances(regions)
    i, j, k = members.T
    return (distances[i, j] + distances[i, k] + distances[j, k]) / 3


def log_distances(regions: Regions) -> Float64[np.ndarray, "n n"]:
    """Logarithms of the distances of the regions' centres; those of a square image of side 1.

    A distance counts as at least half the side of a square region of mean area, for centres of regions that
    lie around each other may coincide.
    """
    centres = region_centres(regions)
    distances = np.sqrt(np.square(centres[:, None] - centres).sum(axis=2))
    return np.log(np.maximum(distances, 0.5 / np.sqrt(len(centres))))


def region_centres(regions: Regions) -> Float64[np.ndarray, "n 2"]:
    """Centres of gravity, (y, x) from 0 to 1."""
    if isinstance(regions, Grid):
        rows, columns = np.divmod(np.arange(regions.n_players), regions.cols)
        return np.stack([(rows + 0.5) / regions.rows, (columns + 0.5) / regions.cols], axis=1)
    labels = regions.pixels.ravel()
    places = np.indices(regions.pixels.shape).reshape(2, -1) + 0.5
    area = np.bincount(labels)
    return np.stack(
        [
            np.bincount(labels, place) / area / length
            for place, length in zip(places, regions.pixels.shape, strict=True)
        ],
        axis=1,
    )
