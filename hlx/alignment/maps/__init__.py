"""How similar two maps are: a map of a model and a map of where people looked, on the same grid.

All functions take arrays of maps (m, n), row by row, cells row-major, and give NaN where a number is not
defined. ``similarity`` compares maps with maps and ``click_measures`` compares maps with clicks;
``baselines_and_ceilings`` says what maps reach that know nothing of the model, and how well people agree with
one another; ``measures`` names all measures, and yours.
"""

from hlx.alignment.maps.baselines_and_ceilings import (
    centre_bias,
    leave_one_out,
    mean_of_others,
    spearman_brown,
    split_half,
    uniform_map,
)
from hlx.alignment.maps.click_measures import auc, cells_of_clicks, nss, pixels_of_cells, shuffled_auc
from hlx.alignment.maps.measures import MEASURES, Measure, find_measure
from hlx.alignment.maps.similarity import (
    cc,
    chi_squared,
    cosine,
    emd,
    kl_divergence,
    partial_spearman,
    sim,
    spearman,
    spearman_matrix,
    top_k_iou,
)
from hlx.attribution.magnitudes import MAGNITUDES, Magnitude, magnitude, shares

__all__ = [
    "MAGNITUDES",
    "MEASURES",
    "Magnitude",
    "Measure",
    "auc",
    "cc",
    "cells_of_clicks",
    "centre_bias",
    "chi_squared",
    "cosine",
    "emd",
    "find_measure",
    "kl_divergence",
    "leave_one_out",
    "magnitude",
    "mean_of_others",
    "nss",
    "partial_spearman",
    "pixels_of_cells",
    "shares",
    "shuffled_auc",
    "sim",
    "spearman",
    "spearman_brown",
    "spearman_matrix",
    "split_half",
    "top_k_iou",
    "uniform_map",
]
