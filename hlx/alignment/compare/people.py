"""Where people looked in the stimuli of a comparison: what maps are compared with, and how people agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from hlx.alignment.maps import (
    Measure,
    cells_of_clicks,
    centre_bias,
    leave_one_out,
    mean_of_others,
    split_half,
    uniform_map,
)
from hlx.alignment.maps.baselines_and_ceilings import CORRELATIONS, mean_defined
from hlx.games.regions import Grid
from hlx.humans import HumanMap, HumanMaps

LEAVE_ONE_OUT, SPLIT_HALF = CEILINGS = ("leave-one-out", "split-half")
"""Kinds of ceilings: the other raters' mean map as a model of each, and how reliable the mean of all is."""


@dataclass(frozen=True, eq=False)
class People:
    """Where people looked in some stimuli.

    Attributes
    ----------
    grid
        The cells.
    each
        The human map of each stimulus, with its raters.
    maps
        (m, n), their mean maps.
    clicks
        (m, n), clicks in each cell; None where a stimulus has none on record.
    side
        Width and height of the canvas of the clicks in pixels.
    """

    grid: Grid
    each: Sequence[HumanMap]
    maps: Float64[np.ndarray, "m n"]
    clicks: Int64[np.ndarray, "m n"] | None
    side: int | None

    @classmethod
    def of(cls, humans: HumanMaps, stimuli: Sequence[str]) -> People:
        """People's maps and clicks of these stimuli."""
        each = [humans.maps[name] for name in stimuli]
        maps = np.stack([human.values for human in each])
        if humans.mask is None or any(human.clicks is None for human in each):
            return cls(humans.grid, each, maps, None, None)
        side = humans.mask.side
        clicks = [cells_of_clicks(np.concatenate(human.clicks or ()), humans.grid, side) for human in each]
        return cls(humans.grid, each, maps, np.stack(clicks), side)

    def measured(
        self, measure: Measure, maps: Float64[np.ndarray, "m n"], places: Int64[np.ndarray, " m"]
    ) -> Float64[np.ndarray, " m"]:
        """The measure of each map with people's maps or clicks of the stimulus at its place."""
        clicks = None if self.clicks is None else self.clicks[places]
        others = None if self.clicks is None else self.clicks.sum(axis=0) - clicks
        return measure(
            maps, humans=self.maps[places], grid=self.grid, clicks=clicks, others=others, side=self.side
        )

    def baselines(self, measure: Measure) -> dict[str, Float64[np.ndarray, " n"]]:
        """Maps that are the same for all stimuli; on the canvas's pixels for measures of clicks."""
        side = self.side if measure.needs_clicks else None
        return {"uniform": uniform_map(self.grid, side), "centre bias": centre_bias(self.grid, side=side)}

    def ceilings(
        self, measures: Sequence[Measure], seed: int, splits: int
    ) -> dict[str, Float64[np.ndarray, " m"]]:
        """Ceilings of every stimulus by name, such as "split-half RC"; none without maps of two raters."""
        if all(human.rater_values is None or len(human.rater_values) < 2 for human in self.each):
            return {}
        places, found = range(len(self.each)), {}
        for measure in measures:
            one_out = [self._leave_one_out(measure, place) for place in places]
            found[f"{LEAVE_ONE_OUT} {measure.name}"] = np.array(one_out, dtype=np.float64)
            if measure.name in CORRELATIONS:
                halves = [self._split_half(measure, place, seed, splits) for place in places]
                found[f"{SPLIT_HALF} {measure.name}"] = np.array(halves, dtype=np.float64)
        return found

    def _leave_one_out(self, measure: Measure, place: int) -> float:
        """Mean over a stimulus's raters; clicks of each are compared with the mean map of the others."""
        human = self.each[place]
        if human.rater_values is None or len(human.rater_values) < 2:
            return float("nan")
        if not measure.needs_clicks:
            return leave_one_out(human.rater_values, measure, self.grid)
        assert self.clicks is not None and self.side is not None and human.clicks is not None
        own = np.stack([cells_of_clicks(clicks, self.grid, self.side) for clicks in human.clicks])
        values = measure(
            mean_of_others(human.rater_values),
            humans=human.rater_values,
            grid=self.grid,
            clicks=own,
            others=np.broadcast_to(self.clicks.sum(axis=0) - self.clicks[place], own.shape),
            side=self.side,
        )
        return mean_defined(values)

    def _split_half(self, measure: Measure, place: int, seed: int, splits: int) -> float:
        values = self.each[place].rater_values
        # A generator for each stimulus: the halves depend neither on other stimuli nor on the measures asked.
        rng = np.random.default_rng((seed, place))
        return float("nan") if values is None else split_half(values, rng, splits, measure.name)
