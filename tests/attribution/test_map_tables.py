"""Tables of maps: every cell in its place, every digit kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hlx.attribution.map_tables import map_table_text, read_map_table
from hlx.errors import InputError
from hlx.games.regions import Grid

finite = st.floats(allow_nan=False, allow_infinity=False)


@given(st.integers(1, 5), st.integers(2, 12), st.integers(1, 3), st.data())
def test_a_table_comes_back_with_all_its_digits(
    tmp_path_factory: pytest.TempPathFactory, rows: int, cols: int, n: int, data: st.DataObject
) -> None:
    values = data.draw(hnp.arrays(np.float64, (n, rows * cols), elements=finite))
    maps = {f"s, {i}": row for i, row in enumerate(values)}
    path = tmp_path_factory.mktemp("tables") / "maps.csv"
    text = map_table_text(Grid(rows, cols), maps, path)
    assert path.read_text() == text
    grid, found = read_map_table(path)
    assert grid == Grid(rows, cols) and list(found) == list(maps)
    for name, row in maps.items():
        assert np.array_equal(found[name], row)


def test_columns_may_stand_in_any_order_among_others(tmp_path: Path) -> None:
    path = tmp_path / "maps.csv"
    path.write_text("r1c0,note,r0c1,stimulus,r0c0,r1c1\n3,x,2,a,1,4\n")
    grid, maps = read_map_table(path)
    assert grid == Grid(2, 2) and maps["a"].tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stimulus,x\na,1\n", "has no columns r0c0, r0c1"),
        ("stimulus,r0c0,r1c1\na,1,2\n", "of a 2x2 grid, but r0c1 is missing"),
        ("stimulus,r0c0,r0c1\na,1,2\na,1,2\n", "row 3, column stimulus: 'a' appears twice"),
        ("stimulus,r0c0,r0c1\na,1,nan\n", "row 2, column r0c1: expected a finite number"),
        ("stimulus,r0c0,r0c1\na,1,\n", "row 2, column r0c1: expected a number"),
        ("stimulus,r0c0,r0c1\n,1,2\n", "row 2, column stimulus: is empty"),
        ("image,r0c0,r0c1\na,1,2\n", "column stimulus is missing"),
        ("stimulus,r0c0,r0c1\n", "holds no maps"),
        ("stimulus,r0c0\na,1\n", r"maps\.csv: .*at least two cells"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "maps.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        read_map_table(path)


def test_the_reference_study_s_tables_are_read(shared: Path) -> None:
    grid, humans = read_map_table(shared / "thesis" / "human_maps.csv")
    assert grid == Grid(4, 4) and len(humans) == 92
    assert max(abs(values.sum() - 1) for values in humans.values()) < 1e-12
