"""Stimuli and the files that list them: what goes in comes out, and what is wrong is named with its place."""

import csv
import io
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hlx.errors import InputError
from hlx.games.stimuli import Stimulus, gather_stimuli, read_stimuli

VALSE = Path(__file__).resolve().parents[3] / "shared" / "valse"
STUDY = Path(__file__).resolve().parents[3] / "shared" / "thesis"
FIELDS = ("image", "caption", "foil", "id", "phenomenon")

needs_valse = pytest.mark.skipif(
    not VALSE.is_dir(), reason="VALSE's annotation files are not at ../shared/valse"
)
needs_study = pytest.mark.skipif(not STUDY.is_dir(), reason="the study's tables are not at ../shared/thesis")

texts = st.text(min_size=1, max_size=30).filter(str.strip)


@st.composite
def stimulus_lists(draw: st.DrawFn) -> list[Stimulus]:
    ids = draw(st.lists(texts, min_size=1, max_size=5, unique=True))
    pairs = [
        draw(
            st.tuples(texts, st.none() | texts).filter(lambda p: p[1] is None or p[0].split() != p[1].split())
        )
        for _ in ids
    ]
    return [
        Stimulus(draw(texts), caption, foil, id, draw(st.none() | texts))
        for id, (caption, foil) in zip(ids, pairs, strict=True)
    ]


def csv_text(rows: list[dict[str, str]], columns: tuple[str, ...] = FIELDS) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def stored(folder: Path, text: str, name: str = "s.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def picture(path: Path, grey: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 3), (grey, 0, 0)).save(path, format="PNG")
    return path


# --- the stimulus itself


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"caption": ""}, "caption: empty"),
        ({"caption": " \t\n"}, "caption: empty or only whitespace"),
        ({"caption": "a \ud800 b"}, "caption: not valid Unicode at character 3"),
        ({"foil": "  "}, "foil: empty or only whitespace"),
        ({"foil": "a  cat "}, "foil: equals the caption"),
        ({"id": ""}, "id: empty"),
        ({"image": ""}, "image: empty"),
    ],
)
def test_a_bad_field_is_refused_by_name(fields: dict, message: str) -> None:
    with pytest.raises(InputError, match="^" + message):
        Stimulus(**{"image": "a.png", "caption": "a cat", **fields})


def test_content_hash_is_of_texts_and_pixels_alone(tmp_path: Path) -> None:
    first = picture(tmp_path / "a.png", 9)
    Image.open(first).save(tmp_path / "b.bmp")
    pixels = np.array(Image.open(first))
    hashes = {
        Stimulus(image, "a cat", "a dog", id=name, phenomenon=name).content_hash
        for image, name in ((first, "x"), (tmp_path / "b.bmp", "y"), (pixels, None))
    }
    assert len(hashes) == 1
    others = [
        Stimulus(picture(tmp_path / "c.png", 8), "a cat", "a dog"),
        Stimulus(first, "a cat"),
        Stimulus(first, "a dog", "a cat"),
        Stimulus(first, "a cata", " dog"),
    ]
    assert len(hashes | {other.content_hash for other in others}) == 5


def test_stimuli_are_equal_by_value_with_arrays_too() -> None:
    pixels = np.zeros((2, 2, 3), np.uint8)
    assert Stimulus(pixels, "a") == Stimulus(pixels.copy(), "a")
    assert hash(Stimulus(Path("a.png"), "a")) == hash(Stimulus("a.png", "a"))
    assert Stimulus(pixels, "a") != Stimulus(pixels + np.uint8(1), "a")
    assert Stimulus("a.png", "a") != Stimulus("a.png", "a", id="1")


# --- CSV and JSONL


@given(stimuli=stimulus_lists(), bom=st.booleans())
def test_csv_and_jsonl_give_back_what_was_written(
    stimuli: list[Stimulus], bom: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("round")
    encoding = "utf-8-sig" if bom else "utf-8"
    rows = [{name: getattr(s, name) for name in FIELDS} for s in stimuli]
    as_csv = stored(
        folder, csv_text([{k: v or "" for k, v in row.items()} for row in rows]), encoding=encoding
    )
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    as_lines = stored(folder, lines, "s.jsonl", encoding)
    assert read_stimuli(as_csv, resolve=False) == stimuli
    assert read_stimuli(as_lines, resolve=False) == stimuli


GOOD = {"image": "a.jpg", "caption": "a cat", "foil": "a dog", "id": "1", "phenomenon": "existence"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n\n", r"s\.csv: the file is empty, expected a header"),
        ("", r"s\.csv: the file is empty"),
        ("image,caption\n", r"s\.csv: lists no stimuli"),
        ("image,foil\na.jpg,x\n", r"row 1: column caption is missing; the columns are 'image', 'foil'"),
        ("caption\nx\n", r"row 1: column image is missing"),
        ("image;caption\na.jpg;x\n", r"column image is missing.*separate columns by commas"),
        ("image,caption,caption\na,b,c\n", r"row 1: column caption appears twice"),
        ("image,caption\na.jpg,x\n\nb.jpg,\n", r"s\.csv, row 4, column caption: empty"),
        ("image,caption\n ,x\n", r"row 2, column image: empty or only whitespace"),
        ("image,caption,foil\na.jpg,x,  \n", r"row 2, column foil: empty or only whitespace"),
        ("image,caption,foil\na.jpg,x,x \n", r"row 2, column foil: equals the caption"),
        ("image,caption\na.jpg,one, two\n", r"row 2: expected 2 columns \(image, caption\), found 3"),
        ("image,caption\na.jpg\n", r"row 2: expected 2 columns \(image, caption\), found 1"),
        ('image,caption\na.jpg,"x\n', r"row 2: not valid CSV"),
        ("image,caption,id\na,x,7\nb,y,8\nc,z,7\n", r"row 4, column id: '7' is also the id of row 2"),
        ("stimulus,caption\na.jpg,x\na.jpg,y\n", r"row 3, column stimulus: 'a.jpg' is also the id of row 2"),
    ],
)
def test_a_bad_csv_is_refused_with_its_place(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_stimuli(stored(tmp_path, text))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"image": "a.jpg"}', r"s\.jsonl, line 2, key caption: missing"),
        ('{"image": "a.jpg", "caption": null}', r"line 2, key caption: expected text, found null"),
        ('{"image": "a.jpg", "caption": ["x"]}', r"line 2, key caption: expected text, found \[.x.\]"),
        ('{"image": 3, "caption": "x"}', r"line 2, key image: expected text, found 3"),
        ('{"image": "a.jpg", "caption": "x", "foil": 0}', r"line 2, key foil: expected text, found 0"),
        ('{"image": "a.jpg", "caption": "x", "id": true}', r"line 2, key id: expected text, found true"),
        ('{"image": "a.jpg", "caption": "\\ud800"}', r"line 2, key caption: not valid Unicode"),
        ('{"image": "a.jpg", "caption": "x"', r"s\.jsonl, line 2, character \d+: not valid JSON"),
        ('{"image": "a.jpg", "caption": "x", "caption": "y"}', r"line 2: the key 'caption' appears twice"),
        ('["a.jpg", "x"]', r"line 2: expected an object \{\.\.\.\}, found list"),
        ("[" * 100_000, r"line 2: not usable JSON: nests too deeply"),
        ('{"image": "b.jpg", "caption": "x", "id": 1}', r"line 2, key id: '1' is also the id of line 1"),
    ],
)
def test_a_bad_jsonl_is_refused_with_its_line(line: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_stimuli(stored(tmp_path, json.dumps(GOOD) + "\n" + line + "\n", "s.jsonl"))
    assert "\n" not in str(caught.value)


def test_files_that_are_no_stimulus_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_stimuli(tmp_path / "absent.csv")
    with pytest.raises(InputError, match=r"expected a \.csv, \.jsonl or \.json"):
        read_stimuli(stored(tmp_path, "x", "s.txt"))
    with pytest.raises(InputError, match="line 2: not UTF-8 text"):
        read_stimuli(stored(tmp_path, "image,caption\na.jpg,Käse\n", encoding="latin-1"))
    with pytest.raises(InputError, match="is a folder"):
        (tmp_path / "d.csv").mkdir()
        read_stimuli(tmp_path / "d.csv")


def test_a_foil_is_asked_for_only_where_it_is_needed(tmp_path: Path) -> None:
    path = stored(tmp_path, "image,caption,foil\na.jpg,x,y\na.jpg,x,\n")
    assert [s.foil for s in read_stimuli(path)] == ["y", None]
    with pytest.raises(InputError, match=r"s\.csv, row 3, column foil: missing"):
        read_stimuli(path, need_foil=True)


def test_ids_default_to_rows_and_other_columns_are_ignored(tmp_path: Path) -> None:
    path = stored(tmp_path, "image , caption,note\na.jpg,x,1\n\nb.jpg,y,2\n")
    assert [(s.id, s.image) for s in read_stimuli(path)] == [("s/2", "a.jpg"), ("s/4", "b.jpg")]


def test_one_image_for_all_rows(tmp_path: Path) -> None:
    path = stored(tmp_path, "caption,foil\nx,y\ny,x\n")
    assert {s.image for s in read_stimuli(path, image="photo.png")} == {"photo.png"}


def test_images_beside_the_file_become_paths(tmp_path: Path) -> None:
    inside = picture(tmp_path / "photos" / "a.png")
    path = stored(tmp_path, f"image,caption\nphotos/a.png,x\nelsewhere.png,y\n{inside},z\n")
    assert [s.image for s in read_stimuli(path)] == [inside, "elsewhere.png", inside]
    assert [s.image for s in read_stimuli(path, resolve=False)] == [
        "photos/a.png",
        "elsewhere.png",
        str(inside),
    ]


# --- VALSE


def valse_item(caption_votes: int = 3, **changes: object) -> dict[str, object]:
    votes = {"caption": caption_votes, "foil": 3 - caption_votes, "other": 0}
    item = {"dataset": "x", "linguistic_phenomena": "actions", "image_file": "a_1.jpg", "mturk": votes}
    return {**item, "caption": "A man runs.", "foil": "A man sits.", **changes}


@needs_valse
def test_validated_counts_are_the_study_s() -> None:
    counts: Counter[str | None] = Counter()
    for name in ("existence", "relations", "action-replacement", "actant-swap"):
        counts.update(
            s.phenomenon for s in read_stimuli(VALSE / f"{name}.json", validated=True, need_foil=True)
        )
    assert counts == {"existence": 505, "relations": 535, "actions": 1597}


@needs_valse
@needs_study
def test_validated_items_are_the_study_s_own() -> None:
    files = sorted(VALSE.glob("*.json"))
    ours = gather_stimuli(files, validated=True).stimuli
    theirs = read_stimuli(STUDY / "scores_valse_CLIP.csv")
    assert len(ours) == 2637
    assert {(s.image, s.caption, s.foil, s.phenomenon) for s in ours} == {
        (s.image, s.caption, s.foil, s.phenomenon) for s in theirs
    }


@needs_valse
def test_unvalidated_items_without_a_difference_are_left_out_with_a_warning() -> None:
    with pytest.warns(UserWarning, match=r"1 of 534 items left out.*existence_visual7w_2326438"):
        assert len(read_stimuli(VALSE / "existence.json")) == 533
    with pytest.warns(UserWarning, match="14 of 1042 items left out"):
        assert len(read_stimuli(VALSE / "actant-swap.json")) == 1028


@needs_study
def test_the_study_s_own_stimuli_load() -> None:
    stimuli = read_stimuli(STUDY / "stimuli.csv", need_foil=True)
    assert len(stimuli) == 99
    assert all(s.id == s.image for s in stimuli)


@given(votes=st.lists(st.integers(0, 3), min_size=1, max_size=8))
def test_validation_is_two_votes_of_three(votes: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("valse")
    items = {f"k{i}": valse_item(vote) for i, vote in enumerate(votes)}
    path = stored(folder, json.dumps(items), "actant-swap.json")
    expected = [f"actant-swap/k{i}" for i, vote in enumerate(votes) if vote >= 2]
    assert len(read_stimuli(path)) == len(votes)
    if expected:
        assert [s.id for s in read_stimuli(path, validated=True)] == expected
    else:
        with pytest.raises(InputError, match="lists no stimuli that annotators validated"):
            read_stimuli(path, validated=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "expected VALSE's layout, an object of items by key, found list"),
        ("{}", "lists no stimuli"),
        ('{"a": 1}', "item 'a': expected an object with image_file, caption and foil"),
        ('{\n"a": {,}}', r"line 2, character \d+: not valid JSON"),
        (json.dumps({"a": valse_item(image_file=3)}), "item 'a', key image_file: expected text, found 3"),
        (
            json.dumps({"a": {"caption": "x", "foil": "y", "mturk": {"caption": 3}}}),
            "key image_file: missing",
        ),
        (json.dumps({"a": valse_item(caption="")}), "item 'a', key caption: empty"),
        (json.dumps({"a": valse_item(linguistic_phenomena=[1])}), "key linguistic_phenomena: expected text"),
        (json.dumps({"a": valse_item(mturk=None)}), "item 'a', key mturk: expected the annotators' votes"),
        (
            json.dumps({"a": valse_item(mturk={"caption": "3"})}),
            "item 'a', key mturk: expected the annotators'",
        ),
        ('{"a": {}, "a": {}}', "the key 'a' appears twice"),
    ],
)
def test_a_bad_valse_file_is_refused_with_its_item(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        read_stimuli(stored(tmp_path, text, "v.json"), validated=True)


def test_validated_needs_votes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no annotators' votes"):
        read_stimuli(stored(tmp_path, csv_text([GOOD])), validated=True)


def test_other_instruments_of_valse_load(tmp_path: Path) -> None:
    name = "VisualDialog_val2018_000000254080.jpg"
    item = valse_item(image_file=name, linguistic_phenomena="coreference")
    (stimulus,) = read_stimuli(stored(tmp_path, json.dumps({"c": item}), "coreference-hard.json"))
    assert (stimulus.id, stimulus.phenomenon) == ("coreference-hard/c", "coreference")
    assert stimulus.image == name
