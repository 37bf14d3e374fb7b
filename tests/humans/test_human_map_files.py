"""Files of human maps: all of a build comes back exactly, and published tables are checked row by row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hlx.attribution.map_tables import map_table_text
from hlx.errors import InputError, OutputError
from hlx.games.regions import Grid
from hlx.humans import ClickMask, FilterStep, HumanMap, HumanMaps, read_human_maps, write_human_maps

names = st.text(min_size=1, max_size=5)
shares = st.floats(0, 1)


@st.composite
def parts(draw: st.DrawFn) -> dict[str, Any]:
    """What human maps are made of; beartype draws elements to check at random, which no strategy may."""
    rows = draw(st.integers(1, 3))
    n = 2 * rows
    maps = {}
    for stimulus in draw(st.lists(names, max_size=3, unique=True)):
        raters = tuple(draw(st.lists(names, max_size=3, unique=True)))
        of_raters = hnp.arrays(np.float64, (len(raters), n), elements=shares)
        points = st.integers(0, 3).flatmap(
            lambda k: hnp.arrays(np.float64, (k, 2), elements=st.floats(-1e3, 1e3))
        )
        maps[stimulus] = {
            "values": draw(hnp.arrays(np.float64, n, elements=shares)),
            "raters": raters,
            "rater_values": draw(st.none() | of_raters),
            "clicks": draw(st.none() | st.tuples(*[points] * len(raters))),
        }
    mask = {"side": draw(st.integers(4, 400)), "radius": draw(st.floats(0.1, 200)), "normalisation": "mask"}
    return {
        "rows": rows,
        "maps": maps,
        "mask": draw(st.none() | st.just(mask)),
        "steps": draw(st.lists(names, max_size=2)),
        "dropped": draw(st.dictionaries(names, st.integers(0, 2), max_size=2)),
        "simulated": draw(st.booleans()),
    }


def human_maps(parts: dict[str, Any]) -> HumanMaps:
    return HumanMaps(
        Grid(parts["rows"], 2),
        {stimulus: HumanMap(**fields) for stimulus, fields in parts["maps"].items()},
        None if parts["mask"] is None else ClickMask(**parts["mask"]),
        tuple(FilterStep(name, 3, 2) for name in parts["steps"]),
        parts["dropped"],
        parts["simulated"],
    )


def content(humans: HumanMaps) -> list[object]:
    """Everything in a form that == compares digit for digit."""
    maps = [
        (
            stimulus,
            human.values.tolist(),
            human.raters,
            None if human.rater_values is None else (human.rater_values.shape, human.rater_values.tolist()),
            None if human.clicks is None else [(points.shape, points.tolist()) for points in human.clicks],
        )
        for stimulus, human in humans.maps.items()
    ]
    return [humans.grid, maps, humans.mask, humans.steps, dict(humans.dropped), humans.simulated]


@given(parts())
def test_all_of_a_build_comes_back(tmp_path_factory: pytest.TempPathFactory, parts: dict[str, Any]) -> None:
    humans = human_maps(parts)
    path = tmp_path_factory.mktemp("humans") / "h.h5"
    write_human_maps(path, humans)
    assert content(read_human_maps(path)) == content(humans)


def one_map(values: object = (0.25, 0.75)) -> HumanMaps:
    rows = np.array([values], dtype=np.float64)
    return HumanMaps(
        Grid(1, 2), {"s": HumanMap(rows[0], ("p",), rows, (np.array([[1.0, 2.0]]),))}, ClickMask()
    )


@pytest.mark.parametrize("place", [0, 40, 600, -1])
def test_damage_is_found(tmp_path: Path, place: int) -> None:
    path = tmp_path / "h.h5"
    write_human_maps(path, one_map())
    damaged = bytearray(path.read_bytes())
    damaged[place] ^= 0xFF
    path.write_bytes(damaged)
    with pytest.raises(
        InputError, match=r"is damaged or cut off|is not a file of hlx's human maps"
    ) as caught:
        read_human_maps(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)
    path.write_bytes(damaged[:700])
    with pytest.raises(InputError, match=r"damaged|is not a file of"):
        read_human_maps(path)


def test_files_that_are_something_else(tmp_path: Path) -> None:
    from hlx.attribution.attribution import Attribution
    from hlx.attribution.result_file import save

    save(tmp_path / "maps.h5", [Attribution(np.array([1.0, 2.0]), 3.0, 0.0, 4, None, "exact")])
    with pytest.raises(InputError, match=r"not a file of hlx's human maps \(hlx humans build writes them\)"):
        read_human_maps(tmp_path / "maps.h5")
    with pytest.raises(InputError, match=r"expected human maps: a \.h5 file of hlx humans build"):
        read_human_maps(tmp_path / "maps.png")
    with pytest.raises(InputError, match="no such file"):
        read_human_maps(tmp_path / "other.h5")


def test_files_are_replaced_only_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "h.h5"
    write_human_maps(path, one_map())
    with pytest.raises(OutputError, match="exists; force=True replaces it"):
        write_human_maps(path, one_map((1.0, 0.0)))
    assert read_human_maps(path).maps["s"].values.tolist() == [0.25, 0.75]
    write_human_maps(path, one_map((1.0, 0.0)), force=True)
    assert read_human_maps(path).maps["s"].values.tolist() == [1.0, 0.0]
    assert list(tmp_path.iterdir()) == [path]


def test_tables_are_normalised_unless_they_are(tmp_path: Path) -> None:
    exact = np.array([0.1, 0.2, 0.3, 0.4000000000000001])
    maps = {"exact": exact, "counts": np.array([1.0, 0.0, 2.0, 5.0])}
    map_table_text(Grid(2, 2), maps, tmp_path / "t.csv")
    humans = read_human_maps(tmp_path / "t.csv")
    assert humans.maps["exact"].values.tolist() == exact.tolist()
    assert humans.maps["counts"].values.tolist() == [0.125, 0, 0.25, 0.625]
    assert (humans.grid, humans.mask, humans.steps, humans.simulated) == (Grid(2, 2), None, (), False)
    assert humans.maps["exact"].rater_values is None and humans.maps["exact"].clicks is None
    (tmp_path / "t.jsonl").write_text('{"stimulus": "s", "r0c0": 1, "r0c1": 3}\n')
    assert read_human_maps(tmp_path / "t.jsonl").maps["s"].values.tolist() == [0.25, 0.75]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("b,0.5,-0.25,1,0", "row 4, column r0c1: -0.25 is negative, but human maps are shares of looking"),
        ("b,0,0,0,0", "row 4, column stimulus: the map of 'b' sums to 0, expected a finite sum above 0"),
        ("b,1e308,1e308,0,0", "row 4, column stimulus: the map of 'b' sums to inf"),
        ("b,1,nan,0,0", "row 4, column r0c1: expected a finite number, found nan"),
        ("a,1,1,0,0", "row 4, column stimulus: 'a' appears twice"),
    ],
)
def test_rows_that_are_no_map_are_named(tmp_path: Path, row: str, message: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"stimulus,r0c0,r0c1,r1c0,r1c1\na,1,0,0,0\n\n{row}\n")  # the blank row counts
    with pytest.raises(InputError) as caught, np.errstate(all="raise"):
        read_human_maps(path)
    assert message in str(caught.value) and str(caught.value).startswith(f"{path}, row 4")


def test_the_studys_maps_are_read_digit_for_digit(shared: Path) -> None:
    path = shared / "thesis" / "human_maps.csv"
    humans = read_human_maps(path)
    rows = np.genfromtxt(path, delimiter=",", skip_header=1)[:, 1:]
    assert len(humans.maps) == 92 and humans.grid == Grid(4, 4)
    np.testing.assert_array_equal(np.stack([human.values for human in humans.maps.values()]), rows)
