"""Fast numba kernels on plain arrays.

Tables hold the values of all 2^n coalitions of a game; bit i of the index is set when player i is shown.
"""

from .click_masks import click_masks
from .compiled import default_threads
from .derivatives import derivative_sums
from .index_weights import derivative_weights
from .moebius_transform import moebius
from .pairing_sums import pairing_sums, pairing_tolerance
from .suppression import suppress_overlaps
from .values import banzhaf, shapley

__all__ = [
    "banzhaf",
    "click_masks",
    "default_threads",
    "derivative_sums",
    "derivative_weights",
    "moebius",
    "pairing_sums",
    "pairing_tolerance",
    "shapley",
    "suppress_overlaps",
]
