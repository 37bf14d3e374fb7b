"""What a build of human maps results in: for each stimulus the mean map of its raters, and theirs.

``summary`` and ``summary_text`` say what a build came to, for machines and for people.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float64

from hlx.errors import InputError
from hlx.games.regions import Grid
from hlx.io.checks import whole_number

MAX_SIDE = 4096
"""Wider canvases are refused: the mask of one response would take more than 128 MiB."""

Normalisation = Literal["mask - 1", "mask"]
"""What is divided by its sum: the mask less its initial 1, as in the reference study's code, or as it is."""


@dataclass(frozen=True)
class ClickMask:
    """How clicks become a mask: the reference study's values by default.

    Attributes
    ----------
    side
        Width and height of the canvas in pixels.
    radius
        Beyond so many pixels from its centre a click adds nothing.
    gain
        What a click adds at its centre.
    sigma
        In pixels; a click adds gain exp(-d^2 / (2 sigma^2)). The study's exp(-d^2 / (0.4 R^2)) is sigma =
        sqrt(0.2) R, 44.7 at a radius of 100.
    cap
        Masks are clipped to it.
    normalisation
        See `Normalisation`.

    Raises
    ------
    InputError
        A side that is no whole number from 1 to `MAX_SIDE`; a radius, gain or sigma that is not finite and
        above 0; a cap that is not finite and above the 1 that masks start at; another normalisation.
    """

    side: int = 400
    radius: float = 100.0
    gain: float = 100.0
    sigma: float = 0.2**0.5 * 100.0
    cap: float = 255.0
    normalisation: Normalisation = "mask - 1"

    def __post_init__(self) -> None:
        object.__setattr__(self, "side", whole_number(self.side, "side", 1))
        if self.side > MAX_SIDE:
            raise InputError(f"side: expected at most {MAX_SIDE} pixels, found {self.side}")
        for name, least in (("radius", 0), ("gain", 0), ("sigma", 0), ("cap", 1)):
            value = float(getattr(self, name))
            if not least < value < math.inf:
                raise InputError(f"{name}: expected a finite number above {least}, found {value}")
            object.__setattr__(self, name, value)
        if self.normalisation not in get_args(Normalisation):
            known = " or ".join(map(repr, get_args(Normalisation)))
            raise InputError(f"normalisation: expected {known}, found {self.normalisation!r}")


STUDY_MASK = ClickMask()
"""The reference study's."""


@dataclass(frozen=True, eq=False)
class HumanMap:
    """Where people looked in one stimulus.

    Attributes
    ----------
    values
        (n,), row-major; the mean of the raters' maps, sums to 1.
    raters
        Participants whose responses count, in the order of the responses; none for published means.
    rater_values
        (raters, n), each row sums to 1; None where only the mean is known.
    clicks
        Each rater's clicks, float64 (k, 2) of x (column) and y (row) in pixels of the canvas; pixel centres
        are at integers. None where only maps are known.
    """

    values: Float64[np.ndarray, " n"]
    raters: tuple[str, ...] = ()
    rater_values: Float64[np.ndarray, "raters n"] | None = None
    clicks: tuple[Float64[np.ndarray, "_ 2"], ...] | None = None


@dataclass(frozen=True)
class FilterStep:
    """A validity filter: its name, and the responses and stimuli left after it."""

    name: str
    responses: int
    stimuli: int


@dataclass(frozen=True, eq=False)
class HumanMaps:
    """Human maps of many stimuli on one grid.

    Attributes
    ----------
    grid
        The regions.
    maps
        By stimulus id, in the order in which the stimuli first appear.
    mask
        How clicks became masks; None where the maps came without clicks.
    steps
        The validity filters, the first "all responses"; empty where the maps came without responses.
    dropped
        Stimulus id -> valid responses, of the stimuli that had too few.
    simulated
        True where no people took part; every text and picture says so.
    """

    grid: Grid
    maps: Mapping[str, HumanMap] = field(repr=False)
    mask: ClickMask | None = None
    steps: tuple[FilterStep, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)
    simulated: bool = False


def summary(humans: HumanMaps) -> dict[str, Any]:
    """Everything but the clicks as JSON types; each step also says how many responses and stimuli fell."""
    return {
        "grid": str(humans.grid),
        "mask": None if humans.mask is None else asdict(humans.mask),
        "simulated": humans.simulated,
        "steps": _steps(humans.steps),
        "dropped": dict(humans.dropped),
        "maps": {
            stimulus: {"raters": list(human.raters), "values": human.values.tolist()}
            for stimulus, human in humans.maps.items()
        },
    }


def summary_text(humans: HumanMaps) -> str:
    """The table of filters, the dropped stimuli with the responses of each that count, and what is left."""
    lines = []
    if humans.steps:
        steps = [list(step.values()) for step in _steps(humans.steps)]
        width = max(len(step[0]) for step in steps)
        for cells in (["", "responses", "fell", "stimuli", "fell"], *steps):
            lines.append(cells[0].ljust(width) + "".join(str(cell).rjust(11) for cell in cells[1:]))
    if humans.dropped:
        lines.append("dropped, with so many responses that count:")
        lines += [f"  {stimulus}  {count}" for stimulus, count in humans.dropped.items()]
    n_raters = len({rater for human in humans.maps.values() for rater in human.raters})
    of_whom = f", of {n_raters} participant{'s' * (n_raters != 1)}" if n_raters else ""
    simulated = " (simulated: no people took part)" if humans.simulated else ""
    n_maps = len(humans.maps)
    lines.append(f"{n_maps} human map{'s' * (n_maps != 1)} on a {humans.grid} grid{of_whom}{simulated}")
    return "\n".join(lines)


def _steps(steps: Sequence[FilterStep]) -> list[dict[str, Any]]:
    return [
        {
            "name": step.name,
            "responses": step.responses,
            "responses_fallen": before.responses - step.responses,
            "stimuli": step.stimuli,
            "stimuli_fallen": before.stimuli - step.stimuli,
        }
        for before, step in zip([*steps[:1], *steps[:-1]], steps, strict=True)
    ]
