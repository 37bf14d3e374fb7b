"""Winter values over a tree of nested halves: what shap's PartitionExplainer computes of an image.

The players are halved, and halved again, down to single ones. A block of the tree shares what its parent got
with its sibling alone, as Owen (1977) has unions of players do and Winter (1989) nests them: with T running
over the 2^d unions of the d blocks beside its path,

    phi(block) = 2^-d sum over T of [v(T + block) - v(T)].

Regions that lie apart meet in these coalitions only as parts of whole blocks, so that no budget brings the
Winter value to the Shapley value. Nothing is random.

The tree of a grid is that of `shap.maskers.Image` for a background of shape (1, rows, cols): rows are halved
down to single rows, then each row's columns; the larger half of an odd number comes first. Label maps are
halved by the centroids of their regions, across the longer side of the box these lie in. Without regions, the
range of the players' indices is halved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int

from hlx.estimators.estimator import Estimate, Estimator, Plan
from hlx.games.regions import Grid, LabelMap, Regions

Halve = Callable[[Int[np.ndarray, " k"]], tuple[Int[np.ndarray, " a"], Int[np.ndarray, " b"]]]


@dataclass(frozen=True, eq=False)
class Block:
    """A node of the tree.

    Attributes
    ----------
    without, within
        Where v(T) and v(T + block) stand in the plan, for every union T beside the path.
    """

    players: Int[np.ndarray, " k"]
    without: Int[np.ndarray, " t"]
    within: Int[np.ndarray, " t"]


@dataclass(frozen=True, eq=False)
class PartitionPlan(Plan):
    """The coalitions of the upper part of a tree, and the blocks that it ends in."""

    blocks: tuple[Block, ...]

    def _solve(self, values: Float[np.ndarray, "*games m"]) -> Estimate:
        worth = np.asarray(values, np.float64)
        phi = np.empty((*worth.shape[:-1], self.n_players))
        for block in self.blocks:
            gain = (worth[..., block.within] - worth[..., block.without]).mean(axis=-1, keepdims=True)
            phi[..., block.players] = gain / len(block.players)
        return Estimate(phi)


def plan(n: int, budget: int, rng: np.random.Generator, regions: Regions | None) -> PartitionPlan:
    """The tree, level by level: halving a block at depth d costs 2^(d + 1) coalitions.

    A level is halved once the level above is complete: large blocks first, then in the order of the tree, as
    many as the budget holds. A block that is not halved gives its players equal shares, so that they add up
    to v(all) - v(none) at any budget. The whole tree takes 172 coalitions at 4 x 4, 1,804 at 7 x 7 and 28,844
    at 14 x 14.
    """
    del rng
    halve = halving(n, regions)
    coalitions = np.zeros((1, n), np.bool_)
    # The value of all stands last, wherever that will be.
    level, final = [Block(np.arange(n), np.array([0]), np.array([-1]))], []
    affordable = True
    while level:
        below: list[Block] = []
        added = [coalitions]
        m = len(coalitions)
        for block in sorted(level, key=lambda block: -len(block.players)):
            single, t = len(block.players) == 1, len(block.without)
            affordable &= single or m + 2 * t + 1 <= budget
            if single or not affordable:
                final.append(block)
                continue
            places = np.arange(m, m + 2 * t).reshape(2, t)
            m += 2 * t
            for half, own, others in zip(halve(block.players), places, places[::-1], strict=True):
                shown = coalitions[block.without]
                shown[:, half] = True
                added.append(shown)
                without = np.concatenate([block.without, others])
                below.append(Block(half, without, np.concatenate([own, block.within])))
        coalitions = np.concatenate(added)
        level = below
    return PartitionPlan(np.concatenate([coalitions, np.ones((1, n), np.bool_)]), tuple(final))


def halving(n: int, regions: Regions | None) -> Halve:
    """How a block of these regions, or of n players in a row where None, is cut in two."""
    if isinstance(regions, LabelMap):
        centroids = region_centroids(regions)
        return lambda players: _across_longer_side(players, centroids)
    cols = regions.cols if isinstance(regions, Grid) else n
    return lambda players: _rows_before_columns(players, cols)


def _rows_before_columns(
    players: Int[np.ndarray, " k"], cols: int
) -> tuple[Int[np.ndarray, " a"], Int[np.ndarray, " b"]]:
    """Blocks are whole rows, or parts of one row: runs of indices either way."""
    unit = cols if len(players) > cols else 1
    cut = (len(players) // unit + 1) // 2 * unit
    return players[:cut], players[cut:]


def _across_longer_side(
    players: Int[np.ndarray, " k"], centroids: Float64[np.ndarray, "n 2"]
) -> tuple[Int[np.ndarray, " a"], Int[np.ndarray, " b"]]:
    y, x = centroids[players].T
    along, across = (y, x) if np.ptp(y) >= np.ptp(x) else (x, y)
    order = np.lexsort((players, across, along))
    cut = (len(players) + 1) // 2
    return players[order[:cut]], players[order[cut:]]


def region_centroids(regions: LabelMap) -> Float64[np.ndarray, "n 2"]:
    """(y, x) of the centre of mass of every region, in pixels of the label map."""
    labels = regions.pixels.ravel()
    counts = np.bincount(labels)
    return np.stack(
        [np.bincount(labels, place.ravel()) / counts for place in np.indices(regions.pixels.shape)], axis=1
    )


PARTITION = Estimator(
    "partition",
    "Winter values of nested halves, as shap's PartitionExplainer; not Shapley values",
    plan,
    lambda n: 2,
    needs_budget=False,
    consistent=False,
    standard_errors=False,
    random=False,
    uses_adjacency=True,
    estimates="Winter values",
)
