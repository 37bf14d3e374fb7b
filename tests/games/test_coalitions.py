"""Ids and rows say the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hlx.errors import InputError
from hlx.games.coalitions import (
    all_rows,
    check_rows,
    coalition_sizes,
    complement,
    describe,
    ids_from_rows,
    none_and_all,
    random_subsets,
    row_keys,
    rows_from_ids,
)

ROWS = st.tuples(st.integers(0, 20), st.integers(1, 63)).flatmap(lambda shape: hnp.arrays(np.bool_, shape))


@given(rows=ROWS)
def test_rows_to_ids_and_back(rows: np.ndarray) -> None:
    ids = ids_from_rows(rows)
    assert ids.tolist() == [sum(1 << int(player) for player in np.flatnonzero(row)) for row in rows]
    back = rows_from_ids(ids, rows.shape[1])
    assert back.dtype == np.bool_
    np.testing.assert_array_equal(back, rows)


@given(rows=ROWS)
def test_layout_in_memory_does_not_matter(rows: np.ndarray) -> None:
    expected = ids_from_rows(rows)
    np.testing.assert_array_equal(ids_from_rows(np.asfortranarray(rows)), expected)
    ids = np.repeat(expected, 2)[::2].astype(">i8")
    np.testing.assert_array_equal(rows_from_ids(ids, rows.shape[1]), rows)


@pytest.mark.parametrize("n", [1, 2, 9, 16])
def test_all_rows_are_in_the_order_of_ids(n: int) -> None:
    rows = all_rows(n)
    assert rows.shape == (2**n, n)
    np.testing.assert_array_equal(ids_from_rows(rows), np.arange(2**n))


@given(rows=ROWS)
def test_a_coalition_and_its_complement_share_the_players_out(rows: np.ndarray) -> None:
    m, n = rows.shape
    assert not (rows & complement(rows)).any()
    np.testing.assert_array_equal(coalition_sizes(rows) + coalition_sizes(complement(rows)), np.full(m, n))
    np.testing.assert_array_equal(ids_from_rows(rows) + ids_from_rows(complement(rows)), np.full(m, 2**n - 1))


@pytest.mark.parametrize(
    ("ids", "n", "message"),
    [
        (np.array([0, 8]), 3, r"ids of 3 players lie in 0 \.\.\. 7, found 8"),
        (np.array([-1]), 3, "found -1"),
        (np.array([2**63], np.uint64), 63, "found 9223372036854775808"),
        (np.array([0.0]), 3, "found float64"),
        (np.zeros((2, 2), int), 3, r"shape \(2, 2\)"),
        (np.array([0]), 0, "1 to 63 players, found 0"),
        (np.array([0]), 64, "1 to 63 players, found 64"),
    ],
)
def test_bad_ids_are_refused(ids: np.ndarray, n: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        rows_from_ids(ids, n)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.zeros((2, 3), int), r"found int64: use rows\.astype\(bool\)"),
        (np.zeros(3, bool), r"found shape \(3,\)"),
        (np.zeros((2, 0), bool), r"found shape \(2, 0\)"),
    ],
)
def test_bad_rows_are_refused(rows: np.ndarray, message: str) -> None:
    for function in (ids_from_rows, coalition_sizes, complement, check_rows):
        with pytest.raises(InputError, match=message):
            function(rows)


def test_rows_too_wide_for_what_is_asked_are_refused() -> None:
    with pytest.raises(InputError, match="1 to 63 players, found 64"):
        ids_from_rows(np.zeros((1, 64), bool))
    with pytest.raises(InputError, match="1 to 24 players, found 25"):
        all_rows(25)
    with pytest.raises(InputError, match=r"expected rows as \(m, 4\) booleans, found shape \(1, 3\)"):
        check_rows(np.zeros((1, 3), bool), 4)


def test_coalitions_in_words() -> None:
    assert describe(np.array([True, False, True, False])) == "players 0, 2 of 4 shown"
    assert describe(np.array([False, True])) == "player 1 of 2 shown"
    assert describe(np.zeros(5, bool)) == "none of 5 players shown"
    assert describe(np.ones(5, bool)) == "all 5 players shown"
    assert describe(np.arange(196) > 0).endswith("15, 16, ... (195 in all) of 196 shown")


@given(n=st.sampled_from([1, 2, 63, 64, 196]))
def test_none_and_all(n: int) -> None:
    rows = none_and_all(n)
    assert rows.dtype == np.bool_ and rows.shape == (2, n)
    assert not rows[0].any() and rows[1].all()


def test_random_subsets_of_a_size_are_all_as_likely() -> None:
    rows = random_subsets(np.random.default_rng(0), 5, np.repeat([0, 2, 5], [10, 4000, 10]))
    assert (rows.sum(axis=1) == np.repeat([0, 2, 5], [10, 4000, 10])).all()
    counts = np.bincount(ids_from_rows(rows[10:-10]))
    counts = counts[counts > 0]
    assert len(counts) == 10
    assert np.square(counts - 400).sum() / 400 < 27.9  # 99.9% of chi-square with 9 degrees of freedom


@given(m=st.integers(0, 30), n=st.sampled_from([2, 5, 63, 64, 100]), seed=st.integers(0, 999))
def test_keys_are_equal_where_rows_are(m: int, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = (rng.random((4, n)) < 0.5)[rng.integers(0, 4, m)]
    keys = row_keys(rows)
    same = (rows[:, None] == rows).all(axis=2)
    listed = keys.tolist()
    np.testing.assert_array_equal(np.array([[a == b for b in listed] for a in listed]).reshape(m, m), same)
    assert len(set(listed)) == len(np.unique(keys)) == len({row.tobytes() for row in rows})
