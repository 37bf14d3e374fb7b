"""Simulated participants, for demos and tests: clicks around known objects, with people's usual slips."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float64

from hlx.errors import InputError
from hlx.humans.human_maps import ClickMask
from hlx.humans.responses import Response
from hlx.io.checks import whole_number

SIDE = ClickMask().side
SHARE_SEEN = 0.6
HARD_ONE_IN = 12
SOLVERS = 2
"""So many find the caption of a hard stimulus, one fewer than the reference study's filter asks for."""
SLIPS = {"problem": 0.03, "without deblurring": 0.06, "foil": 0.07, "undecided": 0.05, "none": 0.79}
HARD_SLIPS = {"foil": 0.55, "undecided": 0.45}
EXPLORING = 0.25
"""Share of the clicks that look for the objects, around the centre of the image."""
EXPLORING_SPREAD, AIMING_SPREAD = SIDE / 5, SIDE / 16


def simulate_responses(
    targets: Mapping[str, Bool[np.ndarray, "_ _"]], participants: int = 17, seed: int = 0
) -> list[Response]:
    """Responses of participants that do not exist; each is marked as simulated.

    A participant sees more than half of the stimuli, clicks one to seven times, mostly on the objects with
    Gaussian scatter, at times around the centre, and sometimes answers wrongly, is undecided, answers
    without deblurring or reports a problem. One stimulus in twelve (at least one, where there are as many
    as six) is so hard that two find the caption. The numbers are made up to resemble a study, not fitted
    to one.

    Parameters
    ----------
    targets
        By stimulus id, (h, w), True where the objects are that its caption is about. Whatever its size, the
        image covers the canvas of 400 x 400 pixels.
    participants
        How many.
    seed
        The same seed gives the same responses.

    Returns
    -------
    list[Response]
        Participant by participant, each in the order of the stimuli.

    Raises
    ------
    InputError
        Fewer than one participant, no stimuli, or a stimulus without a pixel of an object.
    """
    whole_number(participants, "simulated participants", 1)
    if not targets:
        raise InputError("simulated participants: there are no stimuli to see")
    for stimulus, target in targets.items():
        if not target.any():
            raise InputError(
                f"stimulus {stimulus!r}: its mask of objects is empty, so nobody can click there"
            )
    rng = np.random.default_rng(seed)
    n_stimuli = len(targets)
    n_seen = max(1, round(SHARE_SEEN * n_stimuli))
    sees = rng.permuted(np.tile(np.arange(n_stimuli) < n_seen, (participants, 1)), axis=1)
    n_hard = max(n_stimuli // HARD_ONE_IN, int(n_stimuli >= HARD_ONE_IN // 2))
    slips = rng.choice(list(SLIPS), (participants, n_stimuli), p=list(SLIPS.values()))
    for place in rng.permutation(n_stimuli)[:n_hard]:
        viewers = rng.permutation(np.flatnonzero(sees[:, place]))
        slips[:, place] = rng.choice(list(HARD_SLIPS), participants, p=list(HARD_SLIPS.values()))
        slips[viewers[:SOLVERS], place] = "none"
    width = len(str(participants))
    return [
        _response(rng, f"simulated-{number + 1:0{width}}", stimulus, target, str(slips[number, place]))
        for number in range(participants)
        for place, (stimulus, target) in enumerate(targets.items())
        if sees[number, place]
    ]


def _response(
    rng: np.random.Generator,
    participant: str,
    stimulus: str,
    target: Bool[np.ndarray, "h w"],
    slip: str,
) -> Response:
    answer = slip if slip in ("foil", "undecided") else "caption"
    clicks = np.empty((0, 2)) if slip == "without deblurring" else _clicks(rng, target)
    times = np.cumsum(rng.gamma(2.0, 0.8, len(clicks))).round(3)
    return Response(
        participant,
        stimulus,
        answer,
        clicks,
        times,
        seconds=round(float(times.max(initial=0.0)) + float(rng.gamma(3.0, 0.7)), 3),
        answered_without_deblurring=slip == "without deblurring",
        problem_reported=slip == "problem",
        simulated=True,
    )


def _clicks(rng: np.random.Generator, target: Bool[np.ndarray, "h w"]) -> Float64[np.ndarray, "k 2"]:
    """One to seven clicks on the canvas, to a hundredth of a pixel."""
    n_clicks = 1 + int(rng.binomial(6, 0.4))
    aimed = rng.choice(np.argwhere(target), n_clicks) + 0.5  # y, x in pixels of the image, from its corner
    points = (aimed * SIDE / np.array(target.shape) - 0.5)[:, ::-1]
    exploring = rng.random(n_clicks) < EXPLORING
    points[exploring] = (SIDE - 1) / 2
    spread = np.where(exploring, EXPLORING_SPREAD, AIMING_SPREAD)[:, None]
    return np.clip(points + spread * rng.standard_normal((n_clicks, 2)), 0, SIDE - 1).round(2)
