"""How alike two maps are: a map of a model and a map of where people looked, on the same grid.

Everything works on arrays of maps (m, n), row by row, cells row-major, and gives NaN where a number is not
defined. ``magnitudes`` turns Shapley values into maps; ``ranks``, ``linear_correlation``,
``distributions``, ``earth_mover`` and ``top_cells`` compare maps; ``canvas`` counts clicks in cells and
``click_measures`` compares maps with them; ``measures`` names them all. ``baselines`` are maps that know
nothing of the model, ``ceilings`` say how well people agree with one another.
"""

from hlx.magnitudes import MAGNITUDES, Magnitude, magnitude, shares
from hlx.similarity.baselines import centre_gaussian, mean_of_others, uniform_map
from hlx.similarity.canvas import cells_of_clicks, pixels_of_cells
from hlx.similarity.ceilings import leave_one_out, spearman_brown, split_half
from hlx.similarity.click_measures import click_measure
from hlx.similarity.distributions import chi_squared, histogram_intersection, kl_divergence
from hlx.similarity.earth_mover import earth_movers_distance
from hlx.similarity.linear_correlation import correlation, cosine
from hlx.similarity.measures import MEASURES, Measure
from hlx.similarity.ranks import (
    partial_rank_correlation,
    rank_correlation,
    rank_correlation_matrix,
)
from hlx.similarity.top_cells import top_k_iou

__all__ = [
    "MAGNITUDES",
    "MEASURES",
    "Magnitude",
    "Measure",
    "cells_of_clicks",
    "centre_gaussian",
    "chi_squared",
    "click_measure",
    "correlation",
    "cosine",
    "earth_movers_distance",
    "histogram_intersection",
    "kl_divergence",
    "leave_one_out",
    "magnitude",
    "mean_of_others",
    "partial_rank_correlation",
    "pixels_of_cells",
    "rank_correlation",
    "rank_correlation_matrix",
    "shares",
    "spearman_brown",
    "split_half",
    "top_k_iou",
    "uniform_map",
]
