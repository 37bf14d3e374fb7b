"""Fast numba kernels on plain arrays.

Tables hold the values of all 2^n coalitions of a game; bit i of the index is set when player i is shown.
"""

from .moebius_transform import moebius
from .values import banzhaf, shapley

__all__ = ["banzhaf", "moebius", "shapley"]
