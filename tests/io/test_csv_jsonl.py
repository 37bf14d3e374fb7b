"""Text files of records: what is read, and how what is wrong is named."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlx.errors import InputError
from hlx.io.csv_jsonl import Record, read_records

texts = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), min_size=1, max_size=20)


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


@given(rows=st.lists(st.tuples(texts, texts), min_size=1, max_size=5))
def test_both_formats_hold_the_same_records(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("records")
    table = io.StringIO(newline="")
    csv.writer(table).writerows([("a", "b"), *rows])
    lines = "".join(json.dumps({"a": a, "b": b}) + "\n\n" for a, b in rows)
    found = [
        [dict(record.fields) for record in read_records(written(folder, name, text), ["a", "b"])]
        for name, text in (("t.csv", "\ufeff" + table.getvalue()), ("t.jsonl", lines))
    ]
    assert found[0] == found[1] == [{"a": a, "b": b} for a, b in rows]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("t.txt", "a\n1\n", r"t\.txt: expected a \.csv or \.jsonl file"),
        ("t.csv", "", "is empty"),
        ("t.csv", "\n\n", "the file is empty, expected a header with the columns a, b"),
        (
            "t.csv",
            "a;b\n1;2\n",
            r"row 1: column a is missing; the columns are 'a;b'; separate columns by commas",
        ),
        ("t.csv", "a,c\n1,2\n", r"row 1: column b is missing; the columns are 'a', 'c'"),
        ("t.csv", "a,b,b\n1,2,3\n", "row 1: column b appears twice"),
        ("t.csv", "a,b\n1,2\n1,2,3\n", r"row 3: expected 2 columns \(a, b\), found 3"),
        ("t.csv", 'a,b\n1,"2\n', "row 2: not valid CSV"),
        ("t.jsonl", '{"a": 1}\n[1]\n', r"line 2: expected an object \{\.\.\.\}, found list"),
        ("t.jsonl", '{"a": 1, "a": 2}\n', "line 1: the key 'a' appears twice"),
        ("t.jsonl", '{"a": \n', "line 1, character 7: not valid JSON"),
    ],
)
def test_what_is_wrong_is_one_line_with_its_place(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        list(read_records(written(tmp_path, name, text), ["a", "b"]))
    assert "\n" not in str(raised.value)


def test_bytes_that_are_no_utf_8_are_named_by_their_line(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n1,2\n\xff,3\n")
    with pytest.raises(InputError, match="line 3: not UTF-8 text"):
        list(read_records(path, ["a"]))


@given(st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(10**300), 10**300)))
def test_numbers_are_read_from_text_and_from_json(number: float) -> None:
    for value in (number, repr(number), f" {number} "):
        assert Record(Path("f"), "row 2", "column", {"x": value}).number("x") == float(number)


@pytest.mark.parametrize(
    "value", ["", "one", "1,5", "nan", "-inf", float("nan"), True, None, [1], 10**400, "1e999"]
)
def test_what_is_no_finite_number_is_refused(value: object) -> None:
    with pytest.raises(InputError, match=r"^f, row 2, column x: expected a (finite )?number, found "):
        Record(Path("f"), "row 2", "column", {"x": value}).number("x")


def test_texts_must_be_there_and_say_something() -> None:
    record = Record(
        Path("f"), "line 2", "key", {"a": "x", "b": " ", "c": None, "stimulus": 7, "d": 7}, {"a": "A"}
    )
    assert (record.text("a"), record.text("stimulus"), record.optional_text("c")) == ("x", "7", None)
    for name, said in (
        ("b", "is empty"),
        ("c", "found null"),
        ("d", "expected text, found 7"),
        ("e", "missing"),
    ):
        with pytest.raises(InputError, match=f"f, line 2, key {name}: .*{said}"):
            record.text(name)
    assert str(record.error("a", "no")) == "f, line 2, key A: no"
