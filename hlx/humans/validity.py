"""Which responses count: filters one after the other, and what is left after each.

The reference study keeps responses with at least one click in which the caption was chosen, and stimuli with
at least three of them. Reported problems and clicks that change nothing are filters of their own here, so
that nothing falls without being counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hlx.humans.human_maps import FilterStep
from hlx.humans.responses import Response

FILTERS: tuple[tuple[str, Callable[[Response], bool]], ...] = (
    ("no problem reported", lambda response: not response.problem_reported),
    (
        "deblurred before answering",
        lambda response: len(response.clicks) > 0 and not response.answered_without_deblurring,
    ),
    ("caption chosen", lambda response: response.answer == "caption"),
)
"""What a response alone tells; `build_human_maps` adds what its mask and the other responses tell."""

ALL, IN_REACH = "all responses", "a click in reach of the canvas"


def filter_step(name: str, responses: Sequence[Response]) -> FilterStep:
    """A filter's line in the table: the responses left after it, and their stimuli."""
    return FilterStep(name, len(responses), len({response.stimulus for response in responses}))


def valid_responses(responses: Sequence[Response]) -> tuple[list[Response], list[FilterStep]]:
    """The responses that pass all of `FILTERS`, in their order, and the steps, the first of them `ALL`."""
    left = list(responses)
    steps = [filter_step(ALL, left)]
    for name, passes in FILTERS:
        left = [response for response in left if passes(response)]
        steps.append(filter_step(name, left))
    return left, steps


def enough_name(min_responses: int) -> str:
    """The name of the filter of stimuli."""
    return f"stimuli with at least {min_responses} of these"
