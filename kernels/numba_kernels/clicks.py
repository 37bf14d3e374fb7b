"""What the clicks of many responses are, and how the kernels read them."""

from typing import Any

import numpy as np
from jaxtyping import Float64, Int64


def as_clicks(clicks: Any, starts: Any) -> tuple[Float64[np.ndarray, "m 2"], Int64[np.ndarray, " bounds"]]:
    """Copy clicks (m, 2), x and y, and the starts (r + 1,) of each response's clicks, as contiguous arrays.

    Raises
    ------
    ValueError
        The clicks are not (m, 2) finite numbers, or the starts not r + 1 integers that go from 0 to m and
        never fall.
    """
    points, bounds = np.array(clicks), np.array(starts)
    if points.dtype.kind not in "fiu" or points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"expected clicks (m, 2), found {points.dtype} of shape {points.shape}")
    endless = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if endless.size:
        raise ValueError(f"click {endless[0]} is not a point of the plane: {points[endless[0]].tolist()}")
    if bounds.dtype.kind not in "iu" or bounds.ndim != 1 or not bounds.size:
        raise ValueError(f"expected starts (r + 1,), integers, found {bounds.dtype} of shape {bounds.shape}")
    if bounds[0] != 0 or bounds[-1] != len(points) or (bounds[1:] < bounds[:-1]).any():
        raise ValueError(f"starts must go from 0 to {len(points)}, the clicks, and never fall")
    return points.astype(np.float64, order="C"), bounds.astype(np.int64)
