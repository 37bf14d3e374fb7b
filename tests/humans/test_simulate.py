"""Simulated participants: marked as such, alike for one seed, and with something for every filter to do."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlx.errors import InputError
from hlx.games.regions import Grid
from hlx.humans import build_human_maps, read_responses, simulate_responses, write_responses


def targets(n: int) -> dict[str, np.ndarray]:
    """Masks of 64 x 64 with an object in one cell of a 4 x 4 grid, the cells in turn."""
    masks = np.zeros((n, 4, 16, 4, 16), bool)
    for i in range(n):
        masks[i, i % 16 // 4, 4:12, i % 4, 4:12] = True
    return {f"s{i}": mask.reshape(64, 64) for i, mask in enumerate(masks)}


@pytest.mark.parametrize("seed", range(3))
def test_every_filter_has_something_to_do_and_most_stimuli_stay(seed: int) -> None:
    humans = build_human_maps(simulate_responses(targets(32), 17, seed), Grid(4, 4))
    counts = [step.responses for step in humans.steps]
    reached = counts.pop(4)  # simulated clicks are all on the canvas
    assert reached == counts[3] and all(after < before for before, after in pairwise(counts))
    assert 24 <= len(humans.maps) < 32 and list(humans.dropped.values()) == [2, 2]
    assert humans.simulated


def test_maps_point_at_the_objects() -> None:
    humans = build_human_maps(simulate_responses(targets(16), 17, 1), Grid(4, 4))
    hits = sum(human.values.argmax() == int(stimulus[1:]) for stimulus, human in humans.maps.items())
    assert hits >= 0.8 * len(humans.maps)


def test_one_seed_gives_one_study_that_files_keep(tmp_path: Path) -> None:
    responses = simulate_responses(targets(4), 5, 7)
    for name, again in (("a", responses), ("b", simulate_responses(targets(4), 5, 7))):
        write_responses(tmp_path / f"{name}.jsonl", again)
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    write_responses(tmp_path / "c.jsonl", simulate_responses(targets(4), 5, 8))
    assert (tmp_path / "a.jsonl").read_bytes() != (tmp_path / "c.jsonl").read_bytes()
    back = read_responses(tmp_path / "a.jsonl", list(targets(4)))
    assert all(response.simulated and response.participant.startswith("simulated-") for response in back)
    assert [response.clicks.tolist() for response in back] == [r.clicks.tolist() for r in responses]


@settings(max_examples=20)
@given(st.integers(1, 14), st.integers(1, 4), st.integers(0, 99))
def test_any_size_of_study(n_stimuli: int, participants: int, seed: int) -> None:
    responses = simulate_responses(targets(n_stimuli), participants, seed)
    assert len({response.participant for response in responses}) == participants
    for response in responses:
        assert response.answered_without_deblurring == (len(response.clicks) == 0)
        assert ((response.clicks >= 0) & (response.clicks <= 399)).all()
        assert response.times is not None and response.seconds is not None
        assert response.seconds > response.times.max(initial=0)


def test_studies_that_cannot_be_simulated() -> None:
    with pytest.raises(InputError, match="simulated participants: expected at least 1, found 0"):
        simulate_responses(targets(2), 0)
    with pytest.raises(InputError, match="there are no stimuli to see"):
        simulate_responses({}, 3)
    with pytest.raises(InputError, match="stimulus 'blank': its mask of objects is empty"):
        simulate_responses({"blank": np.zeros((4, 4), bool)}, 3)
