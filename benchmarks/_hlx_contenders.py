"""hlx as a contender: the exact sweep, and a game asked for boolean rows. Imports no torch."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import jax
import numpy as np
from _workload import CAPTION, COLS, FOIL, ROWS, Contender, Workload

import hlx

ON_CPU = "cpu"


@functools.cache
def port(folder: Path, dtype: str) -> Any:
    """hlx's model, loaded once."""
    return hlx.load_model(folder, dtype=dtype)


def game_of(workload: Workload, dtype: str, regions: hlx.Grid) -> Any:
    """The workload's stimulus as a game, in batches of the size that hlx chooses."""
    stimulus = hlx.Stimulus(image=workload.image, caption=CAPTION, foil=FOIL)
    return port(workload.folder, dtype).game(stimulus, regions, background="blur")


class Sweep(Contender):
    """All coalitions of a grid.

    A whole 4x4 sweep on an accelerator; on a CPU, where that takes an hour, a grid of at least eight
    batches: what a coalition costs hardly depends on how many more there are.
    """

    chooses_its_batch = True

    def __init__(self, workload: Workload, dtype: str) -> None:
        self.name, self.dtype, self.workload = "hlx sweep", dtype, workload

    def prepare(self, batch: int) -> None:
        del batch
        self.batch = port(self.workload.folder, self.dtype).image_side.runner().size
        self.game = game_of(self.workload, self.dtype, self._grid(8 * self.batch))
        self.step()

    def step(self) -> int:
        return len(self.game.table())

    @staticmethod
    def _grid(coalitions: int) -> hlx.Grid:
        if jax.devices()[0].platform != ON_CPU:
            return hlx.Grid(ROWS, COLS)
        return next(
            hlx.Grid(rows, cols)
            for rows, cols in (
                (1, 2),
                (1, 3),
                (2, 2),
                (1, 5),
                (2, 3),
                (1, 7),
                (2, 4),
                (3, 3),
                (2, 5),
                (3, 4),
                (4, 4),
            )
            if 1 << rows * cols >= coalitions
        )


class Rows(Contender):
    """A 4x4 game called with the rows that all contenders are given."""

    def __init__(self, workload: Workload, dtype: str) -> None:
        self.name, self.dtype, self.workload = "hlx game(rows)", dtype, workload

    chooses_its_batch = True

    def prepare(self, batch: int) -> None:
        self.game = game_of(self.workload, self.dtype, hlx.Grid(ROWS, COLS))
        self.batch = self.game.image.batch_size
        self.rows = self.workload.batch(max(batch, 8 * self.batch))
        self.step()

    def step(self) -> int:
        self.game(self.rows)
        return len(self.rows)

    def values(self) -> np.ndarray:
        """f of the coalitions of one step, (rows,)."""
        return np.asarray(self.game(self.rows))
