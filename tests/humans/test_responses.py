"""Files of responses: what is written comes back, and what is wrong is named with file, row, column."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlx.errors import InputError, OutputError
from hlx.humans import Response, read_responses, write_responses

numbers = st.floats(-1e6, 1e6)
ids = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(str.strip)
GOOD = {"participant": "p1", "stimulus": "s1", "answer": "caption", "clicks": [[10, 20.5]]}


@st.composite
def responses_of_people(draw: st.DrawFn) -> list[Response]:
    pairs = draw(st.lists(st.tuples(ids, ids), min_size=1, max_size=4, unique=True))
    responses = []
    for participant, stimulus in pairs:
        clicks = draw(st.lists(st.tuples(numbers, numbers), max_size=4))
        times = st.lists(st.floats(0, 1e4), min_size=len(clicks), max_size=len(clicks))
        responses.append(
            Response(
                participant,
                stimulus,
                draw(st.sampled_from(["caption", "foil", "undecided"])),
                np.array(clicks).reshape(-1, 2),
                draw(st.none() | times.map(np.array)),
                draw(st.none() | st.floats(0, 1e4)),
                *(draw(st.booleans()) for _ in range(3)),
            )
        )
    return responses


def fields(response: Response) -> dict[str, object]:
    return {
        **vars(response),
        "place": "",
        "clicks": response.clicks.tolist(),
        "times": None if response.times is None else response.times.tolist(),
    }


def jsonl(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def csv_file(path: Path, *rows: dict[str, object]) -> Path:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    path.write_bytes(text.getvalue().encode())
    return path


@given(responses_of_people())
def test_what_is_written_comes_back(tmp_path_factory: pytest.TempPathFactory, people: list[Response]) -> None:
    path = tmp_path_factory.mktemp("responses") / "r.jsonl"
    write_responses(path, people)
    back = read_responses(path)
    assert [fields(response) for response in back] == [fields(response) for response in people]
    assert [response.place for response in back] == [f"{path}, line {i}" for i in range(1, len(people) + 1)]


@given(responses_of_people())
def test_a_csv_says_the_same_in_cells(
    tmp_path_factory: pytest.TempPathFactory, people: list[Response]
) -> None:
    rows = []
    for response in people:
        row = fields(response)
        row["clicks"] = json.dumps(row["clicks"]) if row["clicks"] else ""
        row["times"] = "" if row["times"] is None else json.dumps(row["times"])
        row["seconds"] = "" if row["seconds"] is None else repr(row["seconds"])
        rows.append({name: "" if value is False else value for name, value in row.items()})
    path = csv_file(tmp_path_factory.mktemp("responses") / "r.csv", *rows)
    assert [fields(response) for response in read_responses(path)] == [fields(r) for r in people]


@pytest.mark.parametrize(
    ("spelled", "truth"),
    [("true", True), ("TRUE", True), ("1", True), ("false", False), ("False", False), ("0", False)],
)
def test_flags_as_spreadsheets_spell_them(tmp_path: Path, spelled: str, truth: bool) -> None:
    path = csv_file(tmp_path / "r.csv", {**GOOD, "problem_reported": spelled})
    assert read_responses(path)[0].problem_reported is truth
    path = jsonl(tmp_path / "r.jsonl", {**GOOD, "problem_reported": truth, "simulated": int(truth)})
    assert read_responses(path)[0].problem_reported is read_responses(path)[0].simulated is truth


def test_nothing_may_be_left_empty_or_null(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "r.csv", {**GOOD, "clicks": "", "times": "", "seconds": ""})
    nothing = {"clicks": None, "times": None, "seconds": None, "problem_reported": None}
    for response in read_responses(path) + read_responses(jsonl(tmp_path / "r.jsonl", {**GOOD, **nothing})):
        assert (response.clicks.shape, response.times, response.seconds) == ((0, 2), None, None)
        assert not response.problem_reported


WRONG = {
    "text": ({"clicks": [[1, 2], ["3", 4]]}, r'clicks: click 2 is \["3", 4\], expected \[x, y\]'),
    "truth": ({"clicks": [[True, 2]]}, "clicks: click 1 is"),
    "NaN": ({"clicks": [[float("nan"), 2]]}, r"clicks: click 1 is \[NaN, 2\], expected .* finite"),
    "infinite": ({"clicks": [[1, float("inf")]]}, r"clicks: click 1 is \[1, Infinity\]"),
    "too large": ({"clicks": [[1, 10**400]]}, "clicks: click 1 is"),
    "three numbers": ({"clicks": [[1, 2, 3]]}, r"clicks: click 1 is \[1, 2, 3\], expected \[x, y\]"),
    "no points": ({"clicks": [1, 2]}, "clicks: click 1 is 1, expected"),
    "no list": ({"clicks": {"x": 1}}, "clicks: expected a list of points"),
    "answer": ({"answer": "Caption"}, "answer: expected one of caption, foil, undecided, found 'Caption'"),
    "no answer": ({"answer": ""}, "answer: is empty"),
    "no participant": ({"participant": " "}, "participant: is empty"),
    "half a character": ({"participant": "\ud800"}, "participant: not valid Unicode"),
    "negative time": ({"times": [-0.5]}, "times: the time of click 1 is -0.5, expected seconds"),
    "NaN time": ({"times": [float("nan")]}, "times: the time of click 1 is NaN"),
    "times missing": ({"times": [1, 2]}, "times: expected one for each of 1 clicks, found 2"),
    "times no list": ({"times": 3}, "times: expected a list"),
    "negative seconds": ({"seconds": -1}, "seconds: expected a finite number from 0 on, found -1.0"),
    "seconds text": ({"seconds": "soon"}, 'seconds: expected a number, found "soon"'),
    "flag": ({"problem_reported": "maybe"}, 'problem_reported: expected true or false, found "maybe"'),
    "flag 2": ({"simulated": 2}, "simulated: expected true or false"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, wrong: str) -> None:
    changes, message = WRONG[wrong]
    path = jsonl(tmp_path / "r.jsonl", {**GOOD, "participant": "p0"}, {**GOOD, **changes})
    with pytest.raises(InputError, match=message) as caught:
        read_responses(path)
    assert str(caught.value).startswith(f"{path}, line 2, key {next(iter(changes))}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("[[1, 2]", "character 8: not valid JSON"),
        ("1 2", "not valid JSON"),
        ('[["1", 2]]', "click 1 is"),
        ("[[NaN, 1]]", "click 1 is"),
    ],
)
def test_cells_that_hold_no_clicks(tmp_path: Path, cell: str, message: str) -> None:
    path = csv_file(tmp_path / "r.csv", {**GOOD, "clicks": cell})
    with pytest.raises(InputError, match=message) as caught:
        read_responses(path)
    assert str(caught.value).startswith(f"{path}, row 2, column clicks")


def test_files_that_lack_a_column_or_everything(tmp_path: Path) -> None:
    without = {name: value for name, value in GOOD.items() if name != "clicks"}
    with pytest.raises(InputError, match="row 1: column clicks is missing"):
        read_responses(csv_file(tmp_path / "r.csv", without))
    with pytest.raises(InputError, match=r"line 1, key clicks: missing; write \[\] where there are none"):
        read_responses(jsonl(tmp_path / "r.jsonl", without))
    (tmp_path / "blank.jsonl").write_text("\n\n")
    with pytest.raises(InputError, match="holds no responses"):
        read_responses([tmp_path / "r.csv", tmp_path / "blank.jsonl"][1:])
    with pytest.raises(InputError, match="no such file"):
        read_responses(tmp_path / "other.csv")
    with pytest.raises(InputError, match=r"expected a \.csv or \.jsonl file"):
        read_responses(tmp_path / "r.txt")


def test_unknown_stimuli_are_refused_with_the_closest(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "r.jsonl", GOOD, {**GOOD, "stimulus": "000139"})
    assert len(read_responses(path, ["s1", "000139"])) == 2
    with pytest.raises(InputError, match=r"line 2, key stimulus: '000139' is none of the 2 .*'000139.jpg'"):
        read_responses(path, {"s1", "000139.jpg"})


def test_a_second_response_is_refused_and_both_are_named(tmp_path: Path) -> None:
    first = jsonl(tmp_path / "a.jsonl", GOOD, {**GOOD, "stimulus": "s2"})
    second = jsonl(tmp_path / "b.jsonl", {**GOOD, "participant": "p2"}, GOOD)
    assert len(read_responses(first)) == 2
    with pytest.raises(InputError) as caught:
        read_responses([first, second])
    assert f"{second}, line 2: participant 'p1'" in str(caught.value)
    assert f"the other is {first}, line 1" in str(caught.value)


def test_responses_are_not_written_over_others_or_as_another_format(tmp_path: Path) -> None:
    response = Response("p", "s", "caption", np.zeros((1, 2)))
    write_responses(tmp_path / "r.jsonl", [response])
    with pytest.raises(OutputError, match="exists; force=True replaces it"):
        write_responses(tmp_path / "r.jsonl", [response])
    with pytest.raises(OutputError, match=r"written as \.jsonl"):
        write_responses(tmp_path / "r.csv", [response])
    write_responses(tmp_path / "r.jsonl", [response], force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["r.jsonl"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"answer": "both"}, "answer: expected one of caption, foil, undecided, found 'both'"),
        ({"clicks": np.array([[1.0, 2.0], [np.nan, 1.0]])}, r"clicks: click 2 is \[nan, 1.0\]"),
        ({"times": np.zeros(2)}, "times: expected one for each of 1 clicks, found 2"),
        ({"times": np.array([np.inf])}, "times: the time of click 1 is inf"),
        ({"seconds": float("nan")}, "seconds: expected a finite number"),
        ({"seconds": float("inf")}, "seconds: expected a finite number"),
        ({"stimulus": ""}, "stimulus: empty"),
    ],
)
def test_a_response_made_in_a_program_is_checked_too(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Response(
            **{"participant": "p", "stimulus": "s", "answer": "foil", "clicks": np.zeros((1, 2)), **changes}
        )


def test_a_column_that_looks_like_one_that_is_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text(
        'participant,stimulus,answer,clicks,problem_reportd,age\np,s,caption,"[[1, 2]]",true,30\n'
    )
    with pytest.warns(
        UserWarning, match=r"r\.csv: column 'problem_reportd' is not read; 'problem_reported'"
    ) as told:
        (response,) = read_responses(path)
    assert len(told) == 1 and not response.problem_reported
