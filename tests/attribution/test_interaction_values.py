"""What holds interaction values: access, matrices, files; and the names and tables that are refused."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlx.attribution import interactions as interaction_values
from hlx.attribution.interactions import INDICES, InteractionValues, interactions, known_index
from hlx.errors import InputError, OutputError
from hlx.kernels import moebius
from tests.attribution.test_interactions import close, id_of, random_table

# --- the result


@given(n=st.integers(1, 8), data=st.data())
def test_values_are_found_by_players_in_any_order(n: int, data: st.DataObject) -> None:
    order = data.draw(st.integers(1, n))
    table = random_table(n)
    found, dividends = interactions(table, "Moebius", order), moebius(table)
    expected = [part for size in range(order + 1) for part in combinations(range(n), size)]
    assert list(found) == found.players == expected
    np.testing.assert_array_equal(found.ids, [id_of(part) for part in expected])
    np.testing.assert_array_equal(found.masks @ (1 << np.arange(n)), found.ids)
    players = tuple(data.draw(st.permutations(data.draw(st.sampled_from(expected)))))
    assert players in found
    assert found[players] == dividends[id_of(players)] == found[tuple(np.array(players, dtype=np.int64))]


@pytest.mark.parametrize(
    "players",
    [(True, False), (0, 0), (4,), (-1,), (0, 1, 2), 3, [0, 1], ("0",), (0.0,), (0, 4), slice(None), None],
)
def test_other_players_are_refused(players: object) -> None:
    found = interactions(random_table(4), "SII", 2)
    assert players not in found
    with pytest.raises(InputError, match="found") as caught:
        found[players]
    assert "\n" not in str(caught.value)


def test_matrix_strongest_and_orders_say_the_same() -> None:
    n = 5
    found = interactions(random_table(n), "k-SII", 3)
    square = found.matrix()
    np.testing.assert_array_equal(square, square.T)
    np.testing.assert_array_equal(np.diag(square), 0)
    assert all(square[i, j] == found[i, j] for i, j in combinations(range(n), 2))
    np.testing.assert_array_equal(found.of_order(1), [found[(i,)] for i in range(n)])
    np.testing.assert_array_equal(np.concatenate([found.of_order(s) for s in range(4)]), found.values)
    for order in (1, 2, 3):
        sets = list(combinations(range(n), order))
        expected = sorted(sets, key=lambda players: -abs(found[players]))
        assert found.strongest(4, order) == [(players, found[players]) for players in expected[:4]]
        assert len(found.strongest(100, order)) == len(sets)
    assert found.strongest(2) == found.strongest(2, 2)
    assert interactions(np.zeros(8), "SII", 2).strongest(2) == [((0, 1), 0.0), ((0, 2), 0.0)]
    for order in (-1, 4):
        with pytest.raises(InputError, match="0 to 3 players"):
            found.of_order(order)
    with pytest.raises(InputError, match="order 1"):
        interactions(random_table(3), "SII", 1).matrix()


def test_csv_holds_every_digit(tmp_path: Path) -> None:
    found = interactions(random_table(4), "FSII", 3)
    text = found.to_csv()
    records = list(csv.DictReader(io.StringIO(text)))
    assert len(records) == len(found)
    for record in records:
        players = tuple(map(int, record["players"].split()))
        assert int(record["order"]) == len(players)
        assert float(record["value"]) == found[players]
    assert found.to_csv(tmp_path / "a.csv") == text == (tmp_path / "a.csv").read_text()
    with pytest.raises(OutputError, match="exists"):
        found.to_csv(tmp_path / "a.csv")
    found.to_csv(tmp_path / "a.csv", force=True)
    assert [file.name for file in tmp_path.iterdir()] == ["a.csv"]


def test_as_dict_is_json(tmp_path: Path) -> None:
    import json

    found = interactions(random_table(3), "WBII", 2, p=0.3)
    said = json.loads(json.dumps(found.as_dict()))
    assert (said["index"], said["order"], said["p"], said["n_players"]) == ("WBII", 2, 0.3, 3)
    assert said["players"] == [[], [0], [1], [2], [0, 1], [0, 2], [1, 2]]
    assert said["values"] == found.values.tolist()
    assert (said["baseline_value"], said["grand_coalition_value"]) == (
        found.baseline_value,
        found.grand_coalition_value,
    )


# --- names and bad input


@pytest.mark.parametrize(
    ("spelling", "index"),
    [
        *((known, known) for known in INDICES),
        *(("ksii", "k-SII"), ("K-SII", "k-SII"), ("stii", "STII"), ("moebius", "Moebius")),
        *(
            ("Möbius", "Moebius"),
            ("weighted Banzhaf", "WBII"),
            ("weighted-banzhaf", "WBII"),
            ("fbii", "FBII"),
        ),
    ],
)
def test_spellings(spelling: str, index: str) -> None:
    assert known_index(spelling) == index
    assert interactions(random_table(2), spelling, 1).index == index


def test_weighted_banzhaf_is_banzhaf_at_a_half() -> None:
    table = random_table(6)
    half = interactions(table, "WBII", 3)
    assert half.p == 0.5 and interactions(table, "BII", 3).p is None
    np.testing.assert_array_equal(half.values, interactions(table, "BII", 3).values)
    all_but = interactions(table, "WBII", 1, p=1.0)
    close(all_but.of_order(1), table[-1] - table[(1 << 6) - 1 - (1 << np.arange(6))], 1.0)


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        (np.zeros(12), {}, r"shape \(2\^n,\), n >= 1, found shape \(12,\)"),
        (np.zeros(1), {}, r"found shape \(1,\)"),
        (np.zeros((2, 4)), {}, r"found shape \(2, 4\)"),
        (np.zeros(0), {}, r"found shape \(0,\)"),
        (np.zeros(4, complex), {}, "real numbers"),
        (np.array(["a", "b"]), {}, "real numbers"),
        (np.array([0, 1, np.nan, 3]), {}, r"coalition 2 is nan \(player 1 of 2 shown\)"),
        (
            np.array([0, np.inf, np.nan, 3]),
            {"index": "Moebius"},
            r"coalition 1 is inf \(player 0 of 2 shown\)",
        ),
        (np.array([1e308, -1e308, -1e308, 1e308]), {}, "too large"),
        (np.zeros(8), {"index": "SHAP"}, "'SHAP'; known: SII, k-SII, STII, FSII, BII, FBII, Moebius, WBII"),
        (np.zeros(8), {"index": ""}, "unknown interaction index ''"),
        (np.zeros(8), {"order": 4}, "3 players have order 1 to 3, found order 4"),
        (np.zeros(2), {"order": 2}, "1 player have order 1 to 1, found order 2"),
        (np.zeros(8), {"order": 0}, "found order 0"),
        (np.zeros(8), {"order": -1}, "found order -1"),
        (np.zeros(8), {"index": "WBII", "p": 1.5}, "expected 0 to 1, found 1.5"),
        (np.zeros(8), {"index": "WBII", "p": -0.1}, "expected 0 to 1, found -0.1"),
        (np.zeros(8), {"index": "WBII", "p": float("nan")}, "expected 0 to 1, found nan"),
        (np.zeros(8), {"index": "SII", "p": 0.5}, "SII has none"),
    ],
)
def test_bad_input_is_refused_in_one_line(table: np.ndarray, options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        interactions(table, **options)
    assert "\n" not in str(caught.value)


def test_an_order_that_would_fill_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interaction_values, "MAX_BYTES", 1 << 20)
    table = random_table(16)
    with pytest.raises(InputError, match=r"ask for an order up to \d+, or for Moebius") as caught:
        interactions(table, "SII", 16)
    fitting = int(str(caught.value).split("up to ")[1].split(",")[0])
    assert isinstance(interactions(table, "SII", fitting), InteractionValues)
    with pytest.raises(InputError):
        interactions(table, "SII", fitting + 1)
    assert len(interactions(table, "Moebius", 16)) == 1 << 16


def test_arguments_of_other_types_are_refused_in_one_line() -> None:
    """Without the checks of annotations that tests run under, which would refuse them first."""
    program = """
import numpy as np
from hlx.errors import InputError
from hlx.attribution.interactions import interactions
table = np.arange(8.0)
cases = [dict(index=None), dict(order=2.0), dict(order="2"), dict(order=None), dict(order=True)]
cases += [dict(index="WBII", p="0.5"), dict(index="WBII", p=[0.5])]
cases += [dict(table=None), dict(table=[[1], [1, 2]])]
for case in cases:
    try:
        interactions(**{"table": table, **case})
    except InputError as error:
        print(str(error))
assert interactions(table, order=np.int64(2)).order == 2
"""
    root = Path(__file__).parents[2]
    ended = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    said = ended.stdout.splitlines()
    words = ["index None", *(f"order: expected a whole number, found {x!r}" for x in (2.0, "2", None, True))]
    words += ["found '0.5'", "found [0.5]"]
    words += ["real numbers, found values of type object", "expected one table"]
    assert len(said) == len(words)
    assert all(word in line for word, line in zip(words, said, strict=True)), said
