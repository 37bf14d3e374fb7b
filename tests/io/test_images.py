"""Every readable image becomes uint8 RGB; everything else ends in one line that names the file."""

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from hlx.errors import InputError
from hlx.io import images
from hlx.io.images import MAX_PIXELS, content_hash, open_image, read_image, square

pixel_arrays = hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)))


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def refusal(path: Path) -> str:
    """The one line with which a file is refused; it must name the file."""
    with pytest.raises(InputError) as caught:
        read_image(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


@given(pixel_arrays, st.sampled_from(["PNG", "BMP", "TIFF", "PPM", "WEBP"]))
def test_a_lossless_file_is_read_back_as_it_was(pixels: np.ndarray, kind: str) -> None:
    image = Image.fromarray(pixels)
    options = {"lossless": True} if kind == "WEBP" else {}
    read = read_image(Image.open(io.BytesIO(encoded(image, kind, **options))))
    np.testing.assert_array_equal(read, pixels)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "RGBX"])
def test_colours_are_those_of_convert_rgb(mode: str) -> None:
    rng = np.random.default_rng(0)
    rgba = Image.fromarray(rng.integers(0, 256, (7, 5, 4), dtype=np.uint8))
    image = rgba if mode == "RGBA" else rgba.convert("RGB").convert("P" if mode == "PA" else mode)
    image = image.convert("PA") if mode == "PA" else image
    read = read_image(image)
    np.testing.assert_array_equal(read, np.asarray(image.convert("RGB")))
    assert read.flags.writeable


def test_alpha_is_dropped_not_blended(tmp_path: Path) -> None:
    clear_red = Image.new("RGBA", (3, 2), (255, 0, 0, 0))
    clear_red.save(tmp_path / "a.png")
    assert (read_image(tmp_path / "a.png") == [255, 0, 0]).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("transparency", [0, b"\x00\x80"])
def test_a_palette_with_transparency_gives_its_colours(tmp_path: Path, transparency: int | bytes) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 210, 220])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "p.png", transparency=transparency)
    np.testing.assert_array_equal(read_image(tmp_path / "p.png"), [[[10, 20, 30], [200, 210, 220]]])


@given(hnp.arrays(np.uint16, (3, 4)))
def test_sixteen_bits_are_scaled_to_the_nearest_of_eight(deep: np.ndarray) -> None:
    expected = np.rint(deep / 257).astype(np.uint8)
    for kind in ("PNG", "TIFF", "PPM"):
        read = read_image(Image.open(io.BytesIO(encoded(Image.fromarray(deep), kind))))
        np.testing.assert_array_equal(read, np.repeat(expected[..., None], 3, axis=2))
    np.testing.assert_array_equal(read_image(deep)[..., 0], expected)


def test_deeper_than_sixteen_bits_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 70_000]], dtype=np.int32)).save(tmp_path / "deep.tiff")
    assert "16 bits" in refusal(tmp_path / "deep.tiff")


def test_of_an_animation_the_first_frame_is_read(tmp_path: Path) -> None:
    red, blue = (Image.new("RGB", (4, 4), colour) for colour in ("red", "blue"))
    for name in ("a.gif", "a.png", "a.webp", "a.tiff"):
        options = {"lossless": True} if name.endswith("webp") else {}
        red.save(tmp_path / name, save_all=True, append_images=[blue], **options)
        assert (read_image(tmp_path / name) == [255, 0, 0]).all(), name


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_photo_is_turned_the_way_a_viewer_shows_it(tmp_path: Path, orientation: int) -> None:
    from PIL import ImageOps

    pixels = np.random.default_rng(1).integers(0, 256, (3, 5, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    for name in ("a.png", "a.tiff"):
        Image.fromarray(pixels).save(tmp_path / name, exif=exif)
        with Image.open(tmp_path / name) as image:
            expected = np.asarray(ImageOps.exif_transpose(image))
        np.testing.assert_array_equal(read_image(tmp_path / name), expected)
    assert expected.shape == ((5, 3, 3) if orientation >= 5 else (3, 5, 3))


def test_broken_metadata_does_not_make_a_picture_unreadable(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(
        encoded(Image.new("RGB", (8, 6)), "JPEG", exif=b"Exif\x00\x00MM\x00broken")
    )
    assert read_image(tmp_path / "a.jpg").shape == (6, 8, 3)


def test_one_pixel_is_an_image(tmp_path: Path) -> None:
    Image.new("L", (1, 1), 7).save(tmp_path / "one.png")
    assert read_image(tmp_path / "one.png").tolist() == [[[7, 7, 7]]]
    assert square(read_image(str(tmp_path / "one.png")), 4).tolist() == [[[7, 7, 7]] * 4] * 4


def test_files_that_are_no_images_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("not an image")
    (tmp_path / "script.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n")
    os.mkfifo(tmp_path / "pipe.png")
    assert "no such file" in refusal(tmp_path / "missing.png")
    assert "empty" in refusal(tmp_path / "empty.png")
    assert "not an image" in refusal(tmp_path / "text.png")
    assert "not an image" in refusal(tmp_path / "script.eps")
    assert "folder" in refusal(tmp_path)
    assert "regular file" in refusal(tmp_path / "pipe.png")
    assert "cannot be read" in refusal(tmp_path / "text.png" / "below.png")
    assert "cannot be read" in refusal(Path("null\0byte.png"))
    assert "download" in refusal(Path("https://example.org/a.png"))


def test_a_file_without_permission_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    Image.new("L", (2, 2)).save(tmp_path / "secret.png")
    monkeypatch.setattr("hlx.io.checks.open", denied, raising=False)  # root may read everything, so pretend
    assert "Permission denied" in refusal(tmp_path / "secret.png")


noise = Image.fromarray(np.random.default_rng(2).integers(0, 256, (40, 30, 3), dtype=np.uint8))
FILES = {kind: encoded(noise, kind) for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")}


@pytest.mark.parametrize("kind", FILES)
def test_half_a_file_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"half.{kind.lower()}"
    path.write_bytes(FILES[kind][: len(FILES[kind]) // 2])
    assert "truncated or corrupt" in refusal(path) or "cannot be read" in refusal(path)


@given(kind=st.sampled_from(sorted(FILES)), data=st.data())
def test_broken_bytes_end_in_an_image_or_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    content = bytearray(FILES[kind])
    changes = st.dictionaries(st.integers(0, min(len(content), 200) - 1), st.integers(0, 255), max_size=4)
    for at, byte in data.draw(changes, "changes").items():
        content[at] = byte
    del content[data.draw(st.integers(1, len(content)), "cut") :]
    path = tmp_path_factory.getbasetemp() / "broken.bin"
    path.write_bytes(bytes(content))
    try:
        assert read_image(path).ndim == 3
    except InputError as error:
        assert str(path) in str(error)
        assert "\n" not in str(error)


def png_that_claims(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    body = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("side", [9_500, 100_000])
def test_bombs_are_refused_before_they_are_decoded(
    tmp_path: Path, side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert side * side > MAX_PIXELS
    (tmp_path / "bomb.png").write_bytes(png_that_claims(side, side))
    monkeypatch.setattr(images, "_decode", lambda *_: pytest.fail("the bomb was decoded"))
    assert f"{MAX_PIXELS:,} pixels" in refusal(tmp_path / "bomb.png")


def test_a_bomb_handed_over_as_a_pil_image_is_refused() -> None:
    with pytest.warns(Image.DecompressionBombWarning):
        image = Image.open(io.BytesIO(png_that_claims(9_459, 9_460)))
    with pytest.raises(InputError, match="refused"):
        read_image(image)


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6)))
def test_arrays_of_every_accepted_kind_agree(grey: np.ndarray) -> None:
    rgb = np.repeat(grey[..., None], 3, axis=2)
    rgba = np.concatenate([rgb, 255 - grey[..., None]], axis=2)
    for array in (grey, grey[..., None], rgb, rgba, rgb / 255.0, (rgb / 255).astype(np.float32)):
        np.testing.assert_array_equal(read_image(array), rgb)
    np.testing.assert_array_equal(read_image(grey > 100), np.where(rgb > 100, 255, 0))


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.zeros((3, 8, 8), np.uint8), "channels last"),
        (np.zeros((8, 8, 2), np.uint8), "shape"),
        (np.zeros(8, np.uint8), "shape"),
        (np.zeros((1, 8, 8, 3), np.uint8), "shape"),
        (np.zeros((0, 8, 3), np.uint8), "no pixels"),
        (np.zeros((8, 8, 3), np.int64), "uint8"),
        (np.zeros((8, 8, 3), np.complex64), "uint8"),
        (np.full((8, 8, 3), 255.0), "divide by 255"),
        (np.full((8, 8, 3), -0.1), "divide by 255"),
        (np.full((8, 8, 3), np.nan), "nan"),
    ],
)
def test_other_arrays_are_refused(array: np.ndarray, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        read_image(array)


def test_reading_an_array_copies_it() -> None:
    source = np.zeros((2, 2, 3), np.uint8)
    read_image(source)[:] = 9
    assert not source.any()


@given(pixel_arrays, st.integers(1, 12))
def test_square_is_pils_bicubic(pixels: np.ndarray, side: int) -> None:
    expected = Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(square(pixels, side), np.asarray(expected))


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.just(3)).map(lambda s: (s[0], s[0], 3))))
def test_square_leaves_a_square_of_its_size_alone(pixels: np.ndarray) -> None:
    np.testing.assert_array_equal(square(pixels, pixels.shape[0]), pixels)


def test_a_square_without_pixels_is_refused() -> None:
    with pytest.raises(InputError, match="at least 1"):
        square(np.zeros((2, 2, 3), np.uint8), 0)


@given(pixel_arrays, st.data())
def test_the_content_hash_sees_every_pixel_and_nothing_else(pixels: np.ndarray, data: st.DataObject) -> None:
    assert content_hash(np.asfortranarray(pixels)) == content_hash(pixels)
    wide = pixels.astype(np.int32)
    assert content_hash(wide.astype(">i4")) == content_hash(wide) != content_hash(pixels)
    changed = pixels.copy()
    changed.flat[data.draw(st.integers(0, pixels.size - 1))] ^= 1
    assert content_hash(changed) != content_hash(pixels)


def test_the_content_hash_sees_the_shape() -> None:
    assert content_hash(np.zeros((2, 3, 3), np.uint8)) != content_hash(np.zeros((3, 2, 3), np.uint8))


def test_the_content_hash_stays_the_same_from_release_to_release() -> None:
    expected = "a7f75e5671bc6513"
    assert content_hash(np.arange(12, dtype=np.uint8).reshape(2, 2, 3)).startswith(expected)


def test_an_opened_image_keeps_the_mode_of_its_file(tmp_path: Path) -> None:
    Image.new("P", (2, 2)).save(tmp_path / "p.png")
    assert open_image(tmp_path / "p.png").mode == "P"
