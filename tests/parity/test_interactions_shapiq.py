"""Every interaction index against shapiq's exact computer, and results handed over to shapiq."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np
import pytest

from hlx.attribution.interactions import INDICES, interactions
from hlx.errors import InputError

shapiq = pytest.importorskip("shapiq", reason="the second implementation is shapiq's")

SHARED = [index for index in INDICES if index != "WBII"]  # shapiq has no weighted Banzhaf index
TOLERANCE = dict.fromkeys(SHARED, 1e-10) | {"FSII": 1e-8}  # shapiq's FSII carries a finite penalty


def random_table(n: int) -> np.ndarray:
    return np.random.default_rng(n).normal(size=1 << n)


def computer(table: np.ndarray) -> Any:
    n = len(table).bit_length() - 1
    return shapiq.ExactComputer(lambda rows: table[rows.astype(int) @ (1 << np.arange(n))], n)


@pytest.mark.parametrize("index", SHARED)
@pytest.mark.parametrize("n", [4, 5, 7, 9])
def test_agrees_with_shapiq(n: int, index: str) -> None:
    table = random_table(n)
    theirs = computer(table)
    for order in [1, 2, 3, n] if n < 7 else [1, 2, 3]:
        found, expected = interactions(table, index, order), theirs(index, order)
        for players in found:
            # At order 1 shapiq renames SII to SV and puts the baseline in the empty set's place.
            if players or (index, order) != ("SII", 1):
                assert abs(found[players] - expected[players]) <= TOLERANCE[index], (order, players)


@pytest.mark.parametrize("index", SHARED)
def test_hands_over_what_shapiq_would_have_made(index: str) -> None:
    table = random_table(5)
    theirs = computer(table)
    for order in (1, 2, 4):
        made, expected = interactions(table, index, order).to_shapiq(), theirs(index, order)
        assert isinstance(made, shapiq.InteractionValues)
        assert (made.index, made.n_players, made.min_order) == (expected.index, 5, 0)
        assert made.max_order == order and not made.estimated
        assert made.baseline_value == pytest.approx(expected.baseline_value, abs=1e-9)
        for players, value in made.interactions.items():
            assert value == pytest.approx(expected[players], abs=TOLERANCE[index])
        assert len(made.interactions) == len(interactions(table, index, order))


def test_weighted_banzhaf_keeps_its_values_and_raises_no_warning() -> None:
    found = interactions(random_table(4), "WBII", 2, p=0.3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = found.to_shapiq()
    assert made.index == "WBII"
    assert {players: made[players] for players in found} == {players: found[players] for players in found}


def test_without_shapiq_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "shapiq", None)
    with pytest.raises(InputError, match="pip install shapiq"):
        interactions(random_table(3), "SII", 1).to_shapiq()
