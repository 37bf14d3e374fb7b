"""`hlx humans`: from files of responses to maps, and images as participants saw them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hlx.humans import ClickMask, read_human_maps, seen_image
from tests.support.command_line import hlx, refusal


def rows(stimuli: int = 2, participants: int = 4) -> list[dict[str, object]]:
    rng = np.random.default_rng(0)
    return [
        {
            "participant": f"p{p}",
            "stimulus": f"s{s}",
            "answer": "foil" if (p, s) == (0, 0) else "caption",
            "clicks": rng.uniform(20, 380, (2, 2)).tolist(),
        }
        for s in range(stimuli)
        for p in range(participants)
    ]


def stored(path: Path, records: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def as_csv(path: Path, records: list[dict[str, object]]) -> Path:
    """The same records in cells: texts as they are, all else as JSON."""
    names = list(dict.fromkeys(name for record in records for name in record))
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        for record in records:
            cells = [record.get(name, "") for name in names]
            writer.writerow([cell if isinstance(cell, str) else json.dumps(cell) for cell in cells])
    return path


@pytest.fixture
def responses(tmp_path: Path) -> Path:
    return stored(tmp_path / "r.jsonl", rows())


def test_build_prints_the_filters_and_writes_the_maps(tmp_path: Path, responses: Path) -> None:
    out, table = tmp_path / "h.h5", tmp_path / "h.csv"
    ended = hlx("humans", "build", responses, "--out", out, "--csv", table, "--grid", "3x2")
    assert ended.status == 0 and ended.err == f"written: {out}\nwritten: {table}\n"
    lines = ended.out.splitlines()
    assert lines[0].split() == ["responses", "fell", "stimuli", "fell"]
    assert [line.split()[-4:] for line in lines[1:7]] == [
        ["8", "0", "2", "0"],
        ["8", "0", "2", "0"],
        ["8", "0", "2", "0"],
        ["7", "1", "2", "0"],
        ["7", "0", "2", "0"],
        ["7", "0", "2", "0"],
    ]
    assert lines[-1] == "2 human maps on a 3x2 grid, of 4 participants"
    humans, from_table = read_human_maps(out), read_human_maps(table)
    assert humans.maps["s0"].raters == ("p1", "p2", "p3") and humans.mask == ClickMask()
    for stimulus, human in humans.maps.items():
        np.testing.assert_array_equal(from_table.maps[stimulus].values, human.values)


def test_json_says_the_same_and_options_reach_the_masks(tmp_path: Path, responses: Path) -> None:
    half = [{**row, "clicks": (np.array(row["clicks"]) / 2).tolist()} for row in rows(1)]
    more = stored(tmp_path / "more.jsonl", [{**row, "stimulus": "few"} for row in half[:2]])
    given = ["--canvas", 200, "--radius", 50, "--gain", 90, "--cap", 200, "--normalisation", "mask"]
    with_clicks = stored(tmp_path / "half.jsonl", half)
    ended = hlx(
        "humans", "build", with_clicks, more, "--out", tmp_path / "h.h5", *given, "--simulated", "--json"
    )
    assert ended.status == 0, ended.err
    said = json.loads(ended.out)
    sigma = 0.2**0.5 * 50
    mask = ClickMask(200, 50.0, 90.0, sigma, 200.0, "mask")
    assert said["mask"] == vars(mask) and read_human_maps(tmp_path / "h.h5").mask == mask
    assert said["dropped"] == {"few": 1} and said["min_responses"] == 3 and said["simulated"] is True
    assert [step["responses"] for step in said["steps"]] == [6, 6, 6, 4, 4, 3]
    human = read_human_maps(tmp_path / "h.h5").maps["s0"]
    assert said["maps"] == {"s0": {"raters": ["p1", "p2", "p3"], "values": human.values.tolist()}}


def test_what_is_dropped_or_simulated_is_said(tmp_path: Path) -> None:
    path = stored(tmp_path / "r.jsonl", [*rows(1), *({**row, "stimulus": "few"} for row in rows(1, 2))])
    ended = hlx("humans", "build", path, "--out", tmp_path / "h.h5", "--simulated")
    assert "dropped, with so many responses that count:\n  few  1\n" in ended.out
    assert ended.out.endswith("of 3 participants (simulated: no people took part)\n")


def test_known_stimuli(tmp_path: Path, responses: Path) -> None:
    stimuli = tmp_path / "stimuli.csv"
    stimuli.write_text("stimulus,caption,foil\ns0,a,b\ns1,a,b\nt7,a,b\n")
    ended = hlx("humans", "build", responses, "--out", tmp_path / "h.h5", "--stimuli", stimuli)
    assert ended.status == 0
    assert ended.err.startswith(f"warning: 1 of 3 stimuli in {stimuli} have no response: 't7'\n")
    stimuli.write_text("id,image,caption,foil\ns0,s1,a,b\n")
    said = refusal(tmp_path, "humans", "build", responses, "--out", tmp_path / "g.h5", "--stimuli", stimuli)
    assert f"{responses}, line 5, key stimulus: 's1' is none of the 1 known stimuli" in said


def test_clicks_off_the_canvas_are_warned_of_once(tmp_path: Path) -> None:
    records = rows()
    records[2]["clicks"] = [[401.0, 3.0], [-7, -7]]
    records[5]["clicks"] = [[200, 200], [200, 1000]]
    path = stored(tmp_path / "r.jsonl", records)
    ended = hlx("humans", "build", path, "--out", tmp_path / "h.h5")
    assert ended.status == 0 and ended.err.count("warning: ") == 1
    assert ended.err.startswith(
        f"warning: 3 clicks lie off the canvas of 400 x 400 (the first: {path}, line 3, [401.0, 3.0])"
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--radius", "0"], "--radius: expected a finite number above 0, found 0.0"),
        (["--sigma", "-1"], "--sigma: expected a finite number above 0, found -1.0"),
        (["--gain", "nan"], "--gain: expected a finite number above 0, found nan"),
        (["--cap", "1"], "--cap: expected a finite number above 1, found 1.0"),
        (["--canvas", "0"], "--canvas: expected at least 1, found 0"),
        (["--canvas", "3"], "canvas 3: the grid 4x4 has more rows or columns than pixels"),
        (["--canvas", "100000"], "--canvas: expected at most 4096 pixels"),
        (["--grid", "4by4"], "grid '4by4': expected ROWSxCOLS"),
        (["--min-responses", "0"], "--min-responses: expected at least 1"),
        (["--min-responses", "9"], "no stimulus has 9 responses that count: all responses 8"),
        (["--normalisation", "max"], "'max' is not one of 'mask-1', 'mask'"),
        (["--csv", "r.jsonl"], "r.jsonl: expected a name that ends in .csv"),
        (["--stimuli", "missing.csv"], "missing.csv: no such file"),
    ],
)
def test_options_that_cannot_be(tmp_path: Path, responses: Path, given: list[str], message: str) -> None:
    said = refusal(tmp_path, "humans", "build", responses, "--out", tmp_path / "h.h5", *given)
    assert message in said


def test_files_that_are_refused(tmp_path: Path, responses: Path) -> None:
    out = tmp_path / "h.h5"
    said = refusal(tmp_path, "humans", "build", responses, responses, "--out", out)
    assert f"{responses}, line 1: participant 'p0' responds to stimulus 's0' a second time" in said
    assert "expected a name that ends in .h5" in refusal(
        tmp_path, "humans", "build", responses, "--out", responses
    )
    assert "Missing option '--out'" in refusal(tmp_path, "humans", "build", responses)
    assert "Missing argument" in refusal(tmp_path, "humans", "build", "--out", out)
    out.write_text("kept")
    assert "exists; --force replaces it" in refusal(tmp_path, "humans", "build", responses, "--out", out)
    assert hlx("humans", "build", responses, "--out", out, "--force").status == 0


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("clicks", [[1, "2"]], 'click 1 is [1, "2"], expected [x, y], two finite numbers'),
        ("clicks", [[1, float("nan")]], "click 1 is [1, NaN], expected"),
        ("clicks", [[1, 2, 3]], "click 1 is [1, 2, 3], expected"),
        ("answer", "both", "expected one of caption, foil, undecided, found 'both'"),
        ("times", [-1, 2], "the time of click 1 is -1"),
        ("times", [1.0], "expected one for each of 2 clicks, found 1"),
        ("problem_reported", "maybe", 'expected true or false, found "maybe"'),
    ],
)
@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_bad_responses_are_named_by_file_row_and_field(
    tmp_path: Path, ending: str, field: str, value: object, message: str
) -> None:
    records = rows()
    records[3] = {**records[3], field: value}
    if ending == "jsonl":
        path, place = stored(tmp_path / "bad.jsonl", records), f"line 4, key {field}"
    else:
        path, place = as_csv(tmp_path / "bad.csv", records), f"row 5, column {field}"
    said = refusal(tmp_path, "humans", "build", path, "--out", tmp_path / "h.h5", "--csv", tmp_path / "h.csv")
    assert said.startswith(f"hlx: {path}, {place}: ") and message in said


def test_a_csv_and_several_files_give_the_same_maps(tmp_path: Path, responses: Path) -> None:
    table = as_csv(tmp_path / "r.csv", rows())
    parts = [stored(tmp_path / f"{k}.jsonl", rows()[k::2]) for k in (0, 1)]
    said = [
        hlx("humans", "build", *given, "--out", tmp_path / f"{k}.h5", "--json")
        for k, given in enumerate(([responses], [table], parts))
    ]
    whole, from_table, from_parts = (json.loads(ended.out) for ended in said)
    assert from_table == whole
    assert from_parts["steps"] == whole["steps"]
    for stimulus, found in whole["maps"].items():
        np.testing.assert_allclose(from_parts["maps"][stimulus]["values"], found["values"], rtol=1e-13)
        assert sorted(from_parts["maps"][stimulus]["raters"]) == sorted(found["raters"])


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8)).save(path)
    return path


def test_render_shows_what_a_participant_saw(tmp_path: Path, image: Path, responses: Path) -> None:
    clicks = rows()[5]["clicks"]
    pixels = np.array(Image.open(image))
    by_hand, by_name = tmp_path / "a.png", tmp_path / "b.png"
    options = ["--canvas", 120, "--radius", 40]
    small = json.dumps((np.array(clicks) / 4).tolist())
    assert hlx("humans", "render", image, "--clicks", small, "--out", by_hand, *options).status == 0
    mask = ClickMask(120, 40.0, sigma=0.2**0.5 * 40)
    expected = seen_image(pixels, np.array(clicks) / 4, mask)
    np.testing.assert_array_equal(np.array(Image.open(by_hand)), expected)
    whose = ["--responses", responses, "--participant", "p1", "--stimulus", "s1"]
    ended = hlx("humans", "render", image, *whose, "--out", by_name)
    assert ended.status == 0 and ended.err == f"written: {by_name}\n" and ended.out == ""
    np.testing.assert_array_equal(np.array(Image.open(by_name)), seen_image(pixels, np.array(clicks)))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "which clicks? give either --clicks or --responses"),
        (["--clicks", "[]", "--responses", "r.jsonl"], "which clicks? give either"),
        (["--clicks", "[]", "--stimulus", "s1"], "--stimulus chooses from --responses: leave it out"),
        (["--clicks", "[[1, 2]"], "--clicks, character 8: not valid JSON"),
        (["--clicks", "[[1, null]]"], "--clicks: click 1 is [1, null], expected [x, y], two finite numbers"),
        (["--clicks", "[1, 2]"], "--clicks: click 1 is 1, expected"),
        (["--clicks", "[]", "--radius", "-1"], "radius: expected a finite number above 0"),
        (["--responses", "RESPONSES", "--participant", "p1"], "give both --participant and --stimulus"),
        (
            ["--responses", "RESPONSES", "--participant", "p1", "--stimulus", "s9"],
            "has no response of participant 'p1' to stimulus 's9'",
        ),
    ],
)
def test_what_render_refuses(
    tmp_path: Path, image: Path, responses: Path, given: list[str], message: str
) -> None:
    given = [str(responses) if value == "RESPONSES" else value for value in given]
    assert message in refusal(tmp_path, "humans", "render", image, "--out", tmp_path / "seen.png", *given)


def test_render_warns_of_clicks_off_the_canvas_and_replaces_when_asked(tmp_path: Path, image: Path) -> None:
    out = tmp_path / "seen.png"
    command = ("humans", "render", image, "--out", out)
    ended = hlx(*command, "--clicks", "[[-9, 4], [20, 30], [400, 20]]")
    first, second = ended.err.splitlines()
    assert first.startswith("warning: 2 clicks lie off the canvas of 400 x 400 (the first: --clicks, [-9.0")
    assert (ended.status, ended.out, second) == (0, "", f"written: {out}")
    before = out.read_bytes()
    assert "exists; --force replaces it" in refusal(tmp_path, *command, "--clicks", "[]")
    assert hlx(*command, "--clicks", "[]", "--force").status == 0 and out.read_bytes() != before
    said = refusal(tmp_path, "humans", "render", image, "--clicks", "[]", "--out", image, "--force")
    assert "is an input, it will not be replaced" in said
    text = tmp_path / "text.png"
    text.write_text("no image")
    said = refusal(tmp_path, "humans", "render", text, "--clicks", "[]", "--out", tmp_path / "other.png")
    assert str(text) in said


def test_help_shows_an_example() -> None:
    for command in (["humans"], ["humans", "build"], ["humans", "render"]):
        ended = hlx(*command, "--help")
        assert ended.status == 0 and "hlx humans" in ended.out and "Example" in ended.out
    assert hlx("humans").out == hlx("humans", "--help").out
