"""3x3 convolutions of small squares with fewer multiplications (Winograd 1980; Lavin and Gray 2016).

F(r, 3) gives r neighbouring outputs from r + 2 products: with the Vandermonde matrices V of r + 1 points and
infinity,

    y = V_r^T [(V_3 g) * (V_(r+2)^-T d)]    (Toom-Cook's product of polynomials, transposed).

A side is cut into tiles of 4 and one of what is left; a square into pairs of tiles. All tiles evaluate
the filter at the same points, so that a product of matrices serves all tiles with that pair of points.
"""

from __future__ import annotations

from itertools import product

import torch
from jaxtyping import Float32, Float64
from torch import Tensor

LARGEST_TILE = 4
POINTS = (0.0, 1.0, -1.0, 0.5, -2.0)  # and infinity; their errors are small (Barabasz et al. 2020)


def vandermonde(points: int, powers: int) -> Float64[Tensor, "{points} {powers}"]:
    """Powers 0 ... of the first points; the last row is infinity, the highest power alone."""
    rows = [[point**power for power in range(powers)] for point in POINTS[: points - 1]]
    return torch.tensor([*rows, [0.0] * (powers - 1) + [1.0]], dtype=torch.float64)


def along_a_side(side: int) -> tuple[Float64[Tensor, "n s"], Float64[Tensor, "s n"], list[int]]:
    """The transforms of one axis, zeros around it, and the point of POINTS (last: infinity) of each row."""
    tiles = [LARGEST_TILE] * (side // LARGEST_TILE) + ([side % LARGEST_TILE] if side % LARGEST_TILE else [])
    rows = sum(tile + 2 for tile in tiles)
    into, out = torch.zeros(rows, side, dtype=torch.float64), torch.zeros(side, rows, dtype=torch.float64)
    points: list[int] = []
    start = 0
    for tile in tiles:
        size = tile + 2
        place = slice(len(points), len(points) + size)
        window = [cell - 1 + start for cell in range(size)]
        inside = [cell for cell in range(size) if 0 <= window[cell] < side]
        transform = torch.linalg.inv(vandermonde(size, size)).T
        into[place, [window[cell] for cell in inside]] = transform[:, inside]
        out[start : start + tile, place] = vandermonde(size, tile).T
        points += [*range(size - 1), len(POINTS)]
        start += tile
    return into, out, points


class WinogradConvolution:
    """A 3x3 convolution with zeros around squares of one side, in float32.

    For a side of 7 (tiles of 4 and 3) a square takes 121 multiplications per pair of channels where the
    direct way takes 441. Its result differs by rounding: relative to the largest, below 1e-5.

    Parameters
    ----------
    weight, bias
        (d, c, 3, 3) and (d,), as PyTorch's convolution.
    side
        Of the squares.
    """

    cells_first = True

    def __init__(self, weight: Float64[Tensor, "d c 3 3"], bias: Float64[Tensor, " d"], side: int) -> None:
        into, out, points = along_a_side(side)
        by_points: dict[tuple[int, int], list[int]] = {}
        for row, pair in enumerate(product(points, points)):
            by_points.setdefault(pair, []).append(row)
        # Pairs of points that equally many tiles use go into one batched product.
        pairs = sorted(by_points, key=lambda pair: (-len(by_points[pair]), pair))
        order = [row for pair in pairs for row in by_points[pair]]
        self.into = torch.kron(into, into)[order].float()
        self.out = torch.kron(out, out)[:, order].float().contiguous()
        self.bias = bias.float()
        filters = vandermonde(len(POINTS) + 1, 3).to(weight.device)
        seen = torch.einsum("yk,xl,dckl->yxcd", filters, filters, weight).float()
        self.groups = []
        for tiles in sorted({len(rows) for rows in by_points.values()}, reverse=True):
            members = [pair for pair in pairs if len(by_points[pair]) == tiles]
            self.groups.append((tiles, torch.stack([seen[pair] for pair in members]).contiguous()))

    def __call__(self, x: Float32[Tensor, "cells m c"]) -> Float32[Tensor, "cells m d"]:
        """Convolve m squares, given cell by cell (row-major)."""
        cells, m, channels = x.shape
        seen = (self.into @ x.reshape(cells, m * channels)).view(len(self.into), m, channels)
        width = len(self.bias)
        products = x.new_empty(len(seen), m, width)
        row = 0
        for tiles, weights in self.groups:
            rows = slice(row, row + tiles * len(weights))
            shape = (len(weights), tiles * m)
            torch.bmm(seen[rows].view(*shape, channels), weights, out=products[rows].view(*shape, width))
            row = rows.stop
        return (self.out @ products.view(len(seen), m * width)).view(cells, m, width).add_(self.bias)
