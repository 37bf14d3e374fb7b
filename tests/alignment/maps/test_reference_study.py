"""Similarities of the reference study's maps, to the printed digits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hlx.alignment.maps import (
    centre_bias,
    emd,
    magnitude,
    mean_of_others,
    partial_spearman,
    spearman,
    spearman_matrix,
)
from hlx.attribution.map_tables import read_map_table
from hlx.games.regions import Grid

# mean RC of |phi|, of its positive part and of phi, mean of all pairs, partial RC, mean EMD
EXPECTED = {
    "CLIP": (0.2268, 0.1214, 0.0800, 0.1265, 0.1845, 0.7584),
    "FLAVA": (0.2663, 0.1834, 0.1317, 0.1354, 0.2106, 0.7363),
}


@pytest.fixture(scope="module")
def humans(shared: Path) -> tuple[Grid, dict[str, np.ndarray]]:
    return read_map_table(shared / "thesis" / "human_maps.csv")


@pytest.mark.parametrize("model", EXPECTED)
def test_similarities_of_the_reference_study(
    model: str, shared: Path, humans: tuple[Grid, dict[str, np.ndarray]]
) -> None:
    grid, clicked = humans
    maps = read_map_table(shared / "thesis" / f"shapley_{model}.csv")[1]
    phi, people = np.array([maps[stimulus] for stimulus in clicked]), np.array(list(clicked.values()))
    found = [spearman(magnitude(phi, kind), people).mean() for kind in ("absolute", "positive", "signed")]
    size = magnitude(phi)
    found.append(spearman_matrix(size, people).mean())
    found.append(partial_spearman(size, people, mean_of_others(people)).mean())
    found.append(emd(size, people, grid).mean())
    assert len(people) == 92
    assert tuple(np.round(found, 4)) == EXPECTED[model]


def test_where_other_people_look_is_closer_than_any_model(humans: tuple[Grid, dict[str, np.ndarray]]) -> None:
    grid, clicked = humans
    people = np.array(list(clicked.values()))
    assert round(float(spearman(mean_of_others(people), people).mean()), 3) == 0.594
    centre = np.broadcast_to(centre_bias(grid), people.shape)
    assert round(float(spearman(centre, people).mean()), 3) == 0.652
