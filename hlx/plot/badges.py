"""Where the numbers of curves go: on their curves, off everything that has to stay legible."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

Point = Float64[np.ndarray, "2"]
Curve = tuple[Point, Point, Point]
"""Start, control point and end of a quadratic Bezier curve."""

_ALONG = np.linspace(0.15, 0.85, 71)
_HIDING, _OVERLAP, _CROSSING = 10_000.0, 100.0, 1.0
"""What a radius over a text, over dots and badges, or over another curve costs in lengths of the curve."""


def badge_places(
    curves: Sequence[Curve],
    boxes: Float64[np.ndarray, "b 4"],
    dots: Float64[np.ndarray, "d 2"],
    radius: float,
) -> Float64[np.ndarray, "c 2"]:
    """A point on every curve for a badge of this radius: near its middle, where nothing lies in the way.

    Parameters
    ----------
    curves : the first ones choose first.
    boxes : (left, top, right, bottom) of texts, which badges stay off.
    dots : the ends of curves.
    """
    drawn = [_points(curve, np.linspace(0, 1, 61)) for curve in curves]
    places = np.empty((len(curves), 2))
    for k, curve in enumerate(curves):
        at = _points(curve, _ALONG)
        inwards = np.clip(at[:, None], boxes[None, :, :2], boxes[None, :, 2:])
        hiding = _missing(at[:, None] - inwards, radius).sum(axis=1)
        overlap = _missing(at[:, None] - dots[None], 1.4 * radius).sum(axis=1)
        overlap += _missing(at[:, None] - places[None, :k], 2 * radius).sum(axis=1)
        crossing = np.zeros(len(at))
        for other in (*drawn[:k], *drawn[k + 1 :]):
            crossing += _missing(at[:, None] - other[None], radius).max(axis=1)
        cost = _HIDING * hiding + _OVERLAP * overlap + _CROSSING * crossing + np.abs(_ALONG - 0.5)
        places[k] = at[int(np.argmin(cost))]
    return places


def _points(curve: Curve, along: Float64[np.ndarray, " t"]) -> Float64[np.ndarray, "t 2"]:
    start, bend, end = curve
    t = along[:, None]
    return (1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * end


def _missing(way: Float64[np.ndarray, "t k 2"], wanted: float) -> Float64[np.ndarray, "t k"]:
    """How much of a wanted distance is missing, in units of it."""
    return np.maximum(0.0, 1 - np.linalg.norm(way, axis=2) / wanted)
