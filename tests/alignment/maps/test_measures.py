"""Measures by name: hlx's own, and functions of the user's."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from hlx.alignment.maps import MEASURES, Measure, find_measure
from hlx.errors import InputError
from hlx.games.regions import Grid

MAPS, HUMANS = np.random.default_rng(0).random((2, 3, 9))

OWN = """
from hlx.alignment.maps import Measure

def overlap(maps, humans):
    '''Shared mass.

    Of maps that sum to 1.
    '''
    return maps.clip(max=humans).sum(axis=1)

def hits(maps, clicks, side, least=0.5):
    return (clicks * (maps > least)).sum(axis=1) / side

distance = Measure("distance", "mean distance", "lower", lambda maps, humans: abs(maps - humans).mean(axis=1))

def greedy(maps, humans, everything): ...
def scalar(maps, humans): return 1.0
def broken(maps, humans): return maps / [1, 2]
number = 3
"""


@pytest.fixture
def own(tmp_path: Path) -> str:
    (tmp_path / "own.py").write_text(OWN)
    return str(tmp_path / "own.py")


@pytest.mark.parametrize("name", MEASURES)
def test_measures_are_found_in_any_case(name: str) -> None:
    assert find_measure(name) is find_measure(name.upper()) is MEASURES[name]
    assert find_measure(MEASURES[name]) is MEASURES[name]


def test_a_function_of_ones_own_is_a_measure(own: str) -> None:
    overlap = find_measure(f"{own}:overlap")
    assert (overlap.name, overlap.title, overlap.better) == ("overlap", "Shared mass", "higher")
    np.testing.assert_array_equal(
        overlap(MAPS, humans=HUMANS, grid=Grid(3, 3)), np.minimum(MAPS, HUMANS).sum(axis=1)
    )
    hits = find_measure(f"{own}:hits")
    assert hits.needs_clicks and hits.asks_for == ("clicks", "side")
    clicks = np.ones((3, 9), dtype=np.int64)
    np.testing.assert_array_equal(hits(MAPS, clicks=clicks, side=2), (MAPS > 0.5).sum(axis=1) / 2)
    assert find_measure(f"{own}:distance").better == "lower"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "greedy",
            "measure greedy: the function asks for 'everything'; after the maps it may ask for humans",
        ),
        ("scalar", "measure scalar: expected 3 real numbers, one for each map, found float64 ()"),
        ("broken", "measure broken: ValueError: operands could not be broadcast"),
        ("number", "expected a function or a Measure, found int"),
        ("Measure", "expected a function or a Measure, found type"),
        ("missing", "own.py has nothing called missing"),
    ],
)
def test_what_is_no_measure_is_refused(own: str, name: str, expected: str) -> None:
    with pytest.raises(InputError, match=re.escape(expected)):
        find_measure(f"{own}:{name}")(MAPS, humans=HUMANS)


def test_what_is_not_there_is_refused() -> None:
    for name, expected in (
        ("no.py:f", "measure 'no.py:f': there is no file no.py"),
        ("rank", "measure 'rank': expected one of RC, EMD"),
    ):
        with pytest.raises(InputError, match=re.escape(expected)):
            find_measure(name)
    with pytest.raises(InputError, match="measure lost: the function asks for 'where'"):
        Measure("lost", "lost", "higher", lambda maps, where: maps)
