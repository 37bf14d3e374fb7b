"""RoIPool (Girshick 2015): the largest feature in each cell of a grid over a region, on quantised borders.

A region's corners go to the nearest cells (halves away from zero) and count as inside, so that it is at
least one cell wide; bin i of p reaches from floor(i w / p) to ceil((i + 1) w / p) in single precision, cut at
the border of the features. Empty bins are 0. A bin is a window (y0, y1, x0, x1) of cells, y1 and x1 outside.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor


def nearest_cells(rois: Float32[Tensor, "r 4"], scale: float) -> Int64[Tensor, "r 4"]:
    """The cells of the corners x1, y1, x2, y2."""
    scaled = rois * scale
    whole = scaled.trunc()  # adding a half would round 0.49999997 up
    return (whole + torch.where((scaled - whole).abs() >= 0.5, scaled.sign(), 0.0)).long()


def _borders(
    first: Int64[Tensor, " r"], last: Int64[Tensor, " r"], bins: int, cells: int
) -> tuple[Int64[Tensor, "r bins"], Int64[Tensor, "r bins"]]:
    size = ((last - first + 1).clamp(min=1).float() / bins)[:, None]
    index = torch.arange(bins, device=first.device)[None]
    start = (index * size).floor().long() + first[:, None]
    stop = ((index + 1) * size).ceil().long() + first[:, None]
    return start.clamp(0, cells), stop.clamp(0, cells)


def windows(
    corners: Int64[Tensor, "r 4"], bins: int, height: int, width: int
) -> Int64[Tensor, "r {bins} {bins} 4"]:
    """The windows of each region's bins, row-major, on features of so many cells; all zero where empty."""
    left, top, right, bottom = corners.unbind(1)
    y0, y1 = _borders(top, bottom, bins, height)
    x0, x1 = _borders(left, right, bins, width)
    shape = (len(corners), bins, bins)
    borders = (y0[:, :, None], y1[:, :, None], x0[:, None], x1[:, None])
    found = torch.stack([border.expand(shape) for border in borders], dim=-1)
    empty = (found[..., 1] <= found[..., 0]) | (found[..., 3] <= found[..., 2])
    return found.masked_fill(empty[..., None], 0)


def pool_windows(features: Float[Tensor, "h w c"], places: Int64[Tensor, "n 4"]) -> Float[Tensor, "n c"]:
    """The largest feature in each window.

    Tables hold the maxima of all squares and oblongs of 2^i by 2^j cells; four of them, overlapping, cover
    a window (sparse tables, Bender and Farach-Colton 2000). They take (levels)^2 times the features' bytes:
    nine times where no window is wider than seven cells.
    """
    y0, y1, x0, x1 = places.unbind(1)
    tall, wide = (y1 - y0).clamp(min=1), (x1 - x0).clamp(min=1)
    up, across = _log2(tall), _log2(wide)
    levels_up, levels_across = (int(v.max()) + 1 if len(v) else 1 for v in (up, across))
    tables = torch.stack(
        [table for row in _maxima(features, 0, levels_up) for table in _maxima(row, 1, levels_across)]
    )
    height, width, channels = features.shape
    flat = tables.view(-1, channels)
    level = (up * levels_across + across) * height
    bottom, right = (y0 + tall - 2**up), (x0 + wide - 2**across)
    best = flat[(level + y0) * width + x0]
    for y, x in ((y0, right), (bottom, x0), (bottom, right)):
        torch.maximum(best, flat[(level + y) * width + x], out=best)
    return best.masked_fill_((y1 <= y0)[:, None], 0)


def _log2(sizes: Int64[Tensor, " n"]) -> Int64[Tensor, " n"]:
    powers = 2 ** torch.arange(1, 16, device=sizes.device)
    return torch.searchsorted(powers, sizes, right=True)


def _maxima(features: Float[Tensor, "h w c"], axis: int, levels: int) -> list[Float[Tensor, "h w c"]]:
    # Of 1, 2, 4 ... cells from each on. Where they would reach over the border nothing is ever read.
    found = [features]
    for level in range(levels - 1):
        reach = min(2**level, features.shape[axis])
        length = features.shape[axis] - reach
        wider = found[-1].clone()
        inside = wider.narrow(axis, 0, length)
        torch.maximum(inside, found[-1].narrow(axis, reach, length), out=inside)
        found.append(wider)
    return found


def roi_pool(
    features: Float[Tensor, "h w c"], rois: Float32[Tensor, "r 4"], bins: int, scale: float
) -> Float[Tensor, "r c {bins} {bins}"]:
    """RoIPool of regions of one image.

    Parameters
    ----------
    features
        Of the image, channels last.
    rois
        X1, y1, x2, y2 in pixels.
    bins
        Of the grid, each way.
    scale
        Cells per pixel.
    """
    height, width, channels = features.shape
    places = windows(nearest_cells(rois, scale), bins, height, width)
    pooled = pool_windows(features, places.reshape(-1, 4))
    return pooled.view(len(rois), bins, bins, channels).permute(0, 3, 1, 2)
