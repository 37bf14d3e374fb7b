"""Fast numba kernels on plain arrays.

Tables hold the values of all 2^n coalitions of a game; bit i of the index is set when player i is shown.
"""

from .compiled import default_threads
from .derivatives import derivative_sums
from .index_weights import derivative_weights
from .moebius_transform import moebius
from .values import banzhaf, shapley

__all__ = ["banzhaf", "default_threads", "derivative_sums", "derivative_weights", "moebius", "shapley"]
