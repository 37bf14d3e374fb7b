"""Regions partition the square, whatever their number and its side; maps put values where the regions are."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from hlx.errors import InputError
from hlx.games.regions import Grid, LabelMap, Regions, regions_from_spec

grids = (
    st.tuples(st.integers(1, 15), st.integers(1, 15)).filter(lambda s: s != (1, 1)).map(lambda s: Grid(*s))
)


@st.composite
def label_arrays(draw: st.DrawFn) -> np.ndarray:
    """Labels 0 to n - 1 without gaps, n at least 2, in an image of any shape that has room for them."""
    height, width = draw(st.integers(1, 12)), draw(st.integers(2, 12))
    n = draw(st.integers(2, min(9, height * width)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    labels = np.concatenate([np.arange(n), rng.integers(0, n, height * width - n)])
    return rng.permutation(labels).reshape(height, width)


def refusal(make: object, *arguments: object) -> str:
    with pytest.raises(InputError) as caught:
        make(*arguments)  # type: ignore[operator]
    assert "\n" not in str(caught.value)
    return str(caught.value)


@given(grids, st.integers(15, 60))
def test_grid_cells_are_balanced_rectangles_that_share_out_every_pixel(grid: Grid, side: int) -> None:
    labels = grid.labels(side)
    assert labels.shape == (side, side)
    sizes = np.bincount(labels.ravel(), minlength=grid.n_players)
    assert sizes.size == grid.n_players
    heights, widths = [], []
    for player in range(grid.n_players):
        y, x = np.nonzero(labels == player)
        heights.append(int(np.ptp(y)) + 1)
        widths.append(int(np.ptp(x)) + 1)
    assert (np.array(heights) * widths == sizes).all(), "every cell is a full rectangle"
    assert max(heights) - min(heights) <= 1
    assert max(widths) - min(widths) <= 1


@given(grids)
def test_players_of_a_grid_are_row_major_from_the_top_left(grid: Grid) -> None:
    cell = np.arange(60)
    by_hand = [[(y * grid.rows // 60) * grid.cols + x * grid.cols // 60 for x in cell] for y in cell]
    np.testing.assert_array_equal(grid.labels(60), by_hand)


@given(grids, st.integers(0, 3), st.integers(15, 40))
def test_a_grids_map_lies_as_its_labels_do(grid: Grid, batch: int, side: int) -> None:
    values = np.random.default_rng(0).normal(size=(*range(1, batch + 1), grid.n_players))
    mapped = grid.to_map(values)
    np.testing.assert_array_equal(mapped.reshape(values.shape), values)
    rows, cols = np.arange(side) * grid.rows // side, np.arange(side) * grid.cols // side
    painted = mapped[..., rows[:, None], cols[None, :]]
    np.testing.assert_array_equal(painted, values[..., grid.labels(side)])


@given(st.integers(1, 999), st.integers(2, 999))
def test_a_grid_is_parsed_as_it_is_printed(rows: int, cols: int) -> None:
    assert Grid.parse(str(Grid(rows, cols))) == Grid(rows, cols)
    assert Grid.parse(f" {rows} X {cols}") == Grid(rows, cols)


@pytest.mark.parametrize(
    "text", ["", "4", "4x", "x4", "axb", "4x4x4", "4.0x4", "4*4", "1e1x2", "٤x٤", "4x" + "9" * 40]
)
def test_what_is_no_grid_is_refused_with_an_example(text: str) -> None:
    message = refusal(Grid.parse, text)
    assert "such as 4x4" in message
    assert repr(text) in message


@pytest.mark.parametrize(
    ("text", "expected"), [("0x4", "at least 1"), ("4x0", "at least 1"), ("4x-2", "at least 1")]
)
def test_grids_without_cells_are_refused(text: str, expected: str) -> None:
    assert expected in refusal(Grid.parse, text)


def test_a_grid_of_one_cell_is_refused() -> None:
    assert "single region" in refusal(Grid, 1, 1)


def test_only_whole_numbers_make_a_grid() -> None:
    """In a process of its own, where no annotation is checked before Grid itself looks."""
    code = """
import json, numpy as np
from hlx.errors import InputError
from hlx.games.regions import Grid
assert json.dumps(Grid(np.int64(3), np.uint8(2)).spec()) == json.dumps(Grid(3, 2).spec())
for rows in (2.0, 2.5, "2", None, True):
    try:
        Grid(rows, 2)
    except InputError as error:
        assert "rows must be" in str(error), error
    else:
        raise AssertionError(rows)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("grid", [Grid(9, 1), Grid(1, 9), Grid(9, 9)])
def test_more_rows_or_columns_than_pixels_are_refused(grid: Grid) -> None:
    assert str(grid) in refusal(grid.labels, 8)
    assert grid.labels(9).max() == grid.n_players - 1


@given(label_arrays(), st.sampled_from([np.uint8, np.int16, np.int32, np.uint64, ">i8"]))
def test_a_label_map_keeps_its_labels_whatever_their_type(labels: np.ndarray, kind: str) -> None:
    regions = LabelMap(labels.astype(kind))
    np.testing.assert_array_equal(regions.pixels, labels)
    assert regions.n_players == np.unique(labels).size
    assert regions == LabelMap(labels)
    assert hash(regions) == hash(LabelMap(labels))


def test_a_label_map_is_a_copy_nobody_can_write_to() -> None:
    labels = np.eye(2, dtype=np.int32)
    regions = LabelMap(labels)
    labels[:] = 0
    assert regions.n_players == 2
    with pytest.raises(ValueError, match="read-only"):
        regions.pixels[0, 0] = 0


def test_label_maps_of_other_labels_or_shape_differ() -> None:
    one = LabelMap(np.array([[0, 1], [0, 1]]))
    assert one != LabelMap(np.array([[0, 1], [1, 1]]))
    assert one != LabelMap(np.array([[0, 1, 0, 1]]))
    assert one != Grid(1, 2)


@given(label_arrays(), st.integers(1, 4))
def test_labels_enlarged_by_a_whole_factor_are_repeated(labels: np.ndarray, factor: int) -> None:
    side = max(labels.shape)
    square = np.pad(labels, [(0, side - labels.shape[0]), (0, side - labels.shape[1])], mode="edge")
    expected = square.repeat(factor, axis=0).repeat(factor, axis=1)
    np.testing.assert_array_equal(LabelMap(square).labels(side * factor), expected)


def nearest(length: int, side: int) -> np.ndarray:
    """The pixel of `length` whose centre is nearest to that of each of `side`, the later of two."""
    centres, wanted = 2 * np.arange(length) + 1, 2 * np.arange(side) + 1  # times the other's number of pixels
    distance = np.abs(centres[None, ::-1] * side - wanted[:, None] * length)
    return length - 1 - distance.argmin(axis=1)


@given(label_arrays(), st.integers(1, 20))
def test_resized_labels_are_the_nearest_or_a_lost_region_is_named(labels: np.ndarray, side: int) -> None:
    expected = labels[np.ix_(nearest(labels.shape[0], side), nearest(labels.shape[1], side))]
    lost = np.setdiff1d(labels, expected)
    if lost.size:
        message = refusal(LabelMap(labels).labels, side)
        assert f"region{'s' * (lost.size > 1)} {', '.join(map(str, lost[:8]))}" in message
    else:
        np.testing.assert_array_equal(LabelMap(labels).labels(side), expected)


@given(label_arrays(), st.integers(0, 3))
def test_a_label_maps_map_paints_every_pixel_with_its_regions_value(labels: np.ndarray, batch: int) -> None:
    regions = LabelMap(labels)
    values = np.random.default_rng(0).normal(size=(*range(1, batch + 1), regions.n_players))
    painted = regions.to_map(values)
    assert painted.shape == values.shape[:-1] + labels.shape
    for player in range(regions.n_players):
        assert (painted[..., labels == player] == values[..., player, None]).all()


@pytest.mark.parametrize("regions", [Grid(2, 2), LabelMap(np.arange(4).reshape(2, 2))])
@pytest.mark.parametrize("shape", [(3,), (4, 3), (2, 2)])
def test_a_map_needs_one_value_per_region(regions: Regions, shape: tuple[int, ...]) -> None:
    assert "each of 4 regions" in refusal(regions.to_map, np.zeros(shape))


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (np.array([[0, 2]]), "label 1 is missing"),
        (np.array([[1, 2]]), "label 0 is missing"),
        (np.array([[0, 4]]), "labels 1, 2, 3 are missing"),
        (np.array([[0, 255]]), "labels 1, 2, 3, 4, 5, 6, 7, 8 and 246 more are missing"),
        (np.array([[0, 2**64 - 1]], dtype=np.uint64), "more are missing"),
        (np.array([[-1, 0, 1]]), "found -1"),
        (np.zeros((4, 4), int), "only one region"),
        (np.full((4, 4), 3), "labels 0, 1, 2 are missing"),
        (np.array([[0.0, 1.0]]), "integers"),
        (np.array([["0", "1"]]), "integers"),
        (np.array([0, 1]), "shape"),
        (np.zeros((4, 4, 3), int), "shape"),
        (np.zeros((0, 4), int), "shape"),
    ],
)
def test_other_label_maps_are_refused(labels: np.ndarray, expected: str, tmp_path: Path) -> None:
    assert expected in refusal(LabelMap, labels)
    np.save(tmp_path / "labels.npy", labels)
    message = refusal(LabelMap.read, tmp_path / "labels.npy")
    assert "labels.npy" in message


def test_a_map_of_two_truth_values_is_a_label_map() -> None:
    assert LabelMap(np.eye(3, dtype=bool)).n_players == 2


@given(label_arrays())
def test_a_label_map_is_read_back_from_every_kind_of_file(
    tmp_path_factory: pytest.TempPathFactory, labels: np.ndarray
) -> None:
    folder = tmp_path_factory.getbasetemp()
    palette = Image.fromarray(labels.astype(np.uint8)).convert("P")
    palette.putdata(labels.ravel().tolist())
    palette.putpalette([255, 0, 0] * 9)  # nine regions of one colour: only the index tells them apart
    palette.save(folder / "palette.png", transparency=0)
    Image.fromarray(labels.astype(np.uint8)).save(folder / "grey.png")
    Image.fromarray(labels.astype(np.uint16)).save(folder / "deep.PNG")
    np.save(folder / "array.npy", np.asfortranarray(labels))
    for name in ("palette.png", "grey.png", "deep.PNG", "array.npy"):
        assert LabelMap.read(folder / name) == LabelMap(labels), name
        assert LabelMap.read(str(folder / name)).name == str(folder / name)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_the_label_is_the_level_stored_in_a_png_of_few_bits(tmp_path: Path, bits: int) -> None:
    cv2 = pytest.importorskip("cv2", reason="writes greys of one bit")
    labels = np.arange(min(2**bits, 20), dtype=np.uint8)[None, :]
    if bits == 1:
        assert cv2.imwrite(str(tmp_path / "l.png"), labels, [cv2.IMWRITE_PNG_BILEVEL, 1])
    else:
        (tmp_path / "l.png").write_bytes(grey_png(labels[0], bits))
    np.testing.assert_array_equal(LabelMap.read(tmp_path / "l.png").pixels, labels)


def grey_png(levels: np.ndarray, bits: int) -> bytes:
    """One row of greys with so many bits each, as other programs write them and Pillow does not."""
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    digits = "".join(f"{level:0{bits}b}" for level in levels.tolist())
    row = bytes(int(digits[i : i + 8].ljust(8, "0"), 2) for i in range(0, len(digits), 8))
    header = struct.pack(">IIBBBBB", levels.size, 1, bits, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" + row)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_label_images_in_colour_are_refused(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (4, 4)).save(tmp_path / "l.png")
    message = refusal(LabelMap.read, tmp_path / "l.png")
    assert mode in message
    assert "l.png" in message


def test_files_that_hold_no_label_map_are_refused(tmp_path: Path) -> None:
    labels = np.arange(64).reshape(8, 8)
    np.save(tmp_path / "good.npy", labels)
    content = (tmp_path / "good.npy").read_bytes()
    (tmp_path / "short.npy").write_bytes(content[:-8])
    (tmp_path / "head.npy").write_bytes(content[:20])
    (tmp_path / "empty.npy").touch()
    (tmp_path / "giant.npy").write_bytes(content.replace(b"(8, 8), }     ", b"(8888888, 888), }"[:14]))
    np.savez(tmp_path / "several.npz", labels=labels)
    (tmp_path / "several.npz").rename(tmp_path / "several.npy")
    np.save(tmp_path / "pickle.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "labels.txt").write_text("0 1")
    for name, expected in {
        "short.npy": "cannot be read",
        "head.npy": "cannot be read",
        "empty.npy": "empty",
        "giant.npy": "cannot be read",
        "several.npy": "several arrays",
        "pickle.npy": "cannot be read",
        "missing.npy": "no such file",
        "missing.png": "no such file",
        "text.png": "not an image",
        "labels.txt": ".png or .npy",
        "labels": ".png or .npy",
    }.items():
        message = refusal(LabelMap.read, tmp_path / name)
        assert expected in message, name
        assert str(tmp_path / name) in message


def test_a_label_map_has_the_size_of_the_image_or_of_the_models_input() -> None:
    labels = LabelMap(np.arange(12).reshape(3, 4), name="map.png")
    labels.check_size((3, 4, 3), side=8)
    labels.check_size((3, 4), side=8)
    LabelMap(np.arange(64).reshape(8, 8)).check_size((3, 4, 3), side=8)
    message = refusal(labels.check_size, (4, 3, 3), 8)
    assert all(part in message for part in ("map.png", "3 x 4", "4 x 3", "8 x 8"))


@given(st.one_of(grids, label_arrays().map(LabelMap)))
def test_regions_come_back_from_their_description(regions: Regions) -> None:
    spec = json.loads(json.dumps(regions.spec()))
    labels = regions.pixels if isinstance(regions, LabelMap) else None
    again = regions_from_spec(spec, labels)
    assert again == regions
    assert again.spec() == regions.spec()


@pytest.mark.parametrize(
    ("spec", "labels", "expected"),
    [
        ({}, None, "'kind'"),
        ({"kind": "grid", "rows": 4}, None, "'cols'"),
        ({"kind": "grid", "rows": 0, "cols": 4}, None, "at least 1"),
        ({"kind": "hexagons"}, None, "hexagons"),
        (LabelMap(np.eye(3, dtype=int)).spec(), None, "missing"),
        (LabelMap(np.eye(3, dtype=int)).spec(), np.eye(4, dtype=int), "hash"),
    ],
)
def test_other_descriptions_are_refused(spec: dict, labels: np.ndarray | None, expected: str) -> None:
    assert expected in refusal(regions_from_spec, spec, labels)


@given(hnp.arrays(np.int32, (2, 3), elements=st.integers(0, 3)))
def test_a_label_map_is_made_exactly_of_labels_without_gaps(labels: np.ndarray) -> None:
    valid = set(labels.ravel().tolist()) == set(range(labels.max() + 1)) and labels.max() > 0
    if valid:
        assert LabelMap(labels).n_players == labels.max() + 1
    else:
        refusal(LabelMap, labels)
