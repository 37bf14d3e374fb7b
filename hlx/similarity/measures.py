"""All measures by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NoReturn

import numpy as np
from jaxtyping import Float64

from hlx.errors import InputError
from hlx.regions import Grid
from hlx.similarity.distributions import chi_squared, histogram_intersection, kl_divergence
from hlx.similarity.earth_mover import earth_movers_distance
from hlx.similarity.linear_correlation import correlation, cosine
from hlx.similarity.ranks import rank_correlation
from hlx.similarity.top_cells import top_k_iou

Maps = Float64[np.ndarray, "m n"]
Numbers = Float64[np.ndarray, " m"]


@dataclass(frozen=True)
class Measure:
    """What there is to know of a measure.

    Attributes
    ----------
    name : as tables call it.
    title : in words, with its unit or range.
    better : whether "higher" or "lower" values are those of more similar maps.
    needs_clicks : it compares maps with clicks, by `click_measure`.
    needs_mass : it compares distributions, and is undefined for signed maps.
    function : maps (m, n), human maps (m, n) and the grid in, (m,) out, NaN where undefined; raises
        InputError where clicks are needed.
    """

    name: str
    title: str
    better: Literal["higher", "lower"]
    needs_clicks: bool
    needs_mass: bool
    function: Callable[[Maps, Maps, Grid], Numbers]


def _of_maps(
    name: str,
    title: str,
    better: Literal["higher", "lower"],
    function: Callable[[Maps, Maps], Numbers],
    needs_mass: bool = False,
) -> Measure:
    """A measure that does not ask where the cells lie."""
    return Measure(name, title, better, False, needs_mass, lambda maps, humans, grid: function(maps, humans))


def _of_clicks(name: str, title: str) -> Measure:
    def refuse(maps: Maps, humans: Maps, grid: Grid) -> NoReturn:
        raise InputError(f"{name}: compares maps with clicks, not with maps; use click_measure")

    return Measure(name, title, "higher", True, False, refuse)


MEASURES = {
    measure.name: measure
    for measure in (
        _of_maps("RC", "Spearman's rank correlation", "higher", rank_correlation),
        Measure("EMD", "earth mover's distance in grid cells", "lower", False, True, earth_movers_distance),
        _of_maps("CC", "Pearson's correlation", "higher", correlation),
        _of_maps("SIM", "shared mass, 0 to 1", "higher", histogram_intersection, needs_mass=True),
        _of_maps("KLDiv", "Kullback-Leibler divergence of human || map, nats", "lower", kl_divergence, True),
        _of_maps("cosine", "cosine similarity", "higher", cosine),
        _of_maps("top-k IoU", "intersection over union of the highest fifth of cells", "higher", top_k_iou),
        _of_maps("chi-squared", "chi-squared distance, 0 to 1", "lower", chi_squared, needs_mass=True),
        _of_clicks("NSS", "mean standardised value at the clicks"),
        _of_clicks("AUC", "area under the ROC curve, clicks against all pixels"),
        _of_clicks("shuffled AUC", "area under the ROC curve, clicks against those in other images"),
    )
}
"""Every measure by its name."""
