"""From responses to human maps: filters, masks, means over raters.

The reference study keeps responses with at least one click in which the caption was chosen, and stimuli with
at least three of them. Reported problems and clicks that change nothing are filters of their own here, so
that nothing falls without being counted.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float64

from hlx.errors import InputError
from hlx.games.regions import Grid
from hlx.humans.human_maps import STUDY_MASK, ClickMask, FilterStep, HumanMap, HumanMaps
from hlx.humans.masks import response_maps
from hlx.humans.responses import Response, check_unique
from hlx.io.checks import whole_number

FILTERS: tuple[tuple[str, Callable[[Response], bool]], ...] = (
    ("no problem reported", lambda response: not response.problem_reported),
    (
        "deblurred before answering",
        lambda response: len(response.clicks) > 0 and not response.answered_without_deblurring,
    ),
    ("caption chosen", lambda response: response.answer == "caption"),
)
"""What a response alone tells; `build_human_maps` adds what its mask and the other responses tell."""


def build_human_maps(
    responses: Sequence[Response],
    grid: Grid,
    mask: ClickMask = STUDY_MASK,
    *,
    min_responses: int = 3,
    simulated: bool = False,
) -> HumanMaps:
    """The mean map of each stimulus over the responses that count, with every rater's own.

    A response counts if no problem was reported, there was at least one click before the answer, the caption
    was chosen and a click changes the mask; a stimulus stays if at least `min_responses` of its responses
    count. Each mask is normalised, then follow the mean over raters and the sums over the cells, in float64.

    Parameters
    ----------
    responses
        Of all participants; `read_responses` reads them.
    grid
        The cells that masks are summed over.
    mask
        Canvas, shape of a click and normalisation; the reference study's by default.
    min_responses
        The study's is 3.
    simulated
        No people took part; also taken from the responses themselves.

    Raises
    ------
    InputError
        Two responses of a participant to a stimulus, a grid finer than the canvas, or no stimulus with enough
        responses that count.

    Warns
    -----
    UserWarning
        Clicks off the canvas, which the equations rasterise like all others; and responses that fall because
        none of their clicks changes the mask. Both are counted, and the first is named.
    """
    min_responses = whole_number(min_responses, "min_responses", 1)
    check_unique(responses)
    valid = list(responses)
    steps = [_filter_step("all responses", valid)]
    for name, passes in FILTERS:
        valid = [response for response in valid if passes(response)]
        steps.append(_filter_step(name, valid))
    values, in_reach = response_maps([response.clicks for response in valid], grid, mask)
    warn_off_canvas(responses, mask)
    _warn_out_of_reach([response for response, reaches in zip(valid, in_reach, strict=True) if not reaches])
    counting = [valid[place] for place in np.flatnonzero(in_reach)]
    steps.append(_filter_step("a click in reach of the canvas", counting))
    raters: dict[str, list[int]] = {response.stimulus: [] for response in responses}
    for place in np.flatnonzero(in_reach).tolist():
        raters[valid[place].stimulus].append(place)
    kept = {stimulus: places for stimulus, places in raters.items() if len(places) >= min_responses}
    counted = [valid[place] for places in kept.values() for place in places]
    steps.append(_filter_step(f"stimuli with at least {min_responses} of these", counted))
    if not kept:
        raise InputError(_nothing_left(steps, min_responses))
    return HumanMaps(
        grid=grid,
        maps={
            stimulus: _human_map([valid[place] for place in places], values[places])
            for stimulus, places in kept.items()
        },
        mask=mask,
        steps=tuple(steps),
        dropped={stimulus: len(places) for stimulus, places in raters.items() if stimulus not in kept},
        simulated=simulated or any(response.simulated for response in responses),
    )


def warn_off_canvas(responses: Sequence[Response], mask: ClickMask) -> None:
    """Warn once if clicks lie off the canvas: how many, and where the first is."""
    off = []
    for response in responses:
        outside = (response.clicks < -0.5) | (response.clicks >= mask.side - 0.5)
        clicks = response.clicks[outside.any(axis=1)]
        if len(clicks):
            off.append((response, clicks))
    if not off:
        return
    count = sum(len(clicks) for _, clicks in off)
    response, clicks = off[0]
    warnings.warn(
        f"{count} click{'s lie' if count > 1 else ' lies'} off the canvas of {mask.side} x {mask.side} "
        f"(the first: {response.name}, {clicks[0].tolist()}); what reaches the canvas is kept",
        stacklevel=3,
    )


def _warn_out_of_reach(responses: Sequence[Response]) -> None:
    if not responses:
        return
    count = len(responses)
    warnings.warn(
        f"{count} response{'s do' if count > 1 else ' does'} not count, because no click is in reach of the "
        f"canvas (the first: {responses[0].name})",
        stacklevel=3,
    )


def _filter_step(name: str, responses: Sequence[Response]) -> FilterStep:
    return FilterStep(name, len(responses), len({response.stimulus for response in responses}))


def _human_map(responses: Sequence[Response], values: Float64[np.ndarray, "raters n"]) -> HumanMap:
    return HumanMap(
        values=values.mean(axis=0),
        raters=tuple(response.participant for response in responses),
        rater_values=values,
        clicks=tuple(response.clicks for response in responses),
    )


def _nothing_left(steps: Sequence[FilterStep], min_responses: int) -> str:
    counts = ", ".join(f"{step.name} {step.responses}" for step in steps[:-1])
    needed = "a response that counts" if min_responses == 1 else f"{min_responses} responses that count"
    return f"no stimulus has {needed}: {counts}; look at the responses, or ask for fewer"
