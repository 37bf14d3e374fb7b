"""What a build of human maps came to, for people and for machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from hlx.humans.human_maps import FilterStep, HumanMaps


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
