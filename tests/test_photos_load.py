"""`photos.load`: any photograph of an attendee's, or an error that says what to do."""

import re
import struct
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from scratchml import photos

SIZE = 16
TOP, BOTTOM = (200, 40, 90), (10, 160, 220)


def picture(height=32, width=32):
    """A photograph whose upper half has one colour and whose lower half another."""
    image = np.empty((height, width, 3), np.uint8)
    image[: height // 2] = TOP
    image[height // 2 :] = BOTTOM
    return image


def saved(tmp_path, image, name="photo.png", **options):
    path = tmp_path / name
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    image.save(path, **options)
    return path


def assert_halves(found, top=TOP, bottom=BOTTOM, tolerance=1):
    """The upper rows have one colour and the lower rows the other."""
    assert found.shape == (SIZE, SIZE, 3)
    assert found.dtype == np.uint8
    half = SIZE // 2
    for rows, colour in ((found[: half - 1], top), (found[half + 1 :], bottom)):
        assert np.abs(rows.astype(int) - colour).max() <= tolerance


# ------------------------------------------------------------------------------- square


def test_square_cuts_the_middle_out():
    image = np.zeros((10, 30, 3), np.uint8)
    image[:, 10:20] = 255
    assert np.array_equal(photos.square(image, 10), image[:, 10:20])
    tall = image.transpose(1, 0, 2)
    assert np.array_equal(photos.square(tall, 10), tall[10:20])


@given(st.integers(1, 40), st.integers(1, 40), st.data())
def test_square_of_one_colour_keeps_it(height, width, data):
    size = data.draw(st.integers(1, min(height, width)))
    colour = data.draw(st.tuples(*[st.integers(0, 255)] * 3))
    found = photos.square(np.full((height, width, 3), colour, np.uint8), size)
    assert found.shape == (size, size, 3)
    assert (found == colour).all()


def test_square_averages_instead_of_skipping_pixels():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    inside = photos.square(stripes, 16)[:, 1:-1].astype(int)
    assert np.abs(inside - 127).max() <= 1


def test_square_returns_pixels_of_its_own():
    image = picture(SIZE, SIZE)
    found = photos.square(image, SIZE)
    found[:] = 0
    assert image.any()


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((20, 20), np.uint8),
        np.zeros((20, 20, 4), np.uint8),
        np.zeros((20, 20, 3)),
        np.zeros((0, 20, 3), np.uint8),
    ],
)
def test_square_refuses_what_is_no_photograph(image):
    with pytest.raises(ValueError, match=r"square expects uint8 \(H, W, 3\), got"):
        photos.square(image, 10)


# --------------------------------------------------------------------- what can be read


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.tif", "a.webp"])
def test_formats(tmp_path, name):
    options = {"lossless": True} if name == "a.webp" else {}
    path = saved(tmp_path, picture(), name, **options)
    assert_halves(photos.load(path, SIZE), tolerance=6)


def test_default_size_is_the_networks(tmp_path):
    path = saved(tmp_path, picture(300, 451))
    assert photos.load(path).shape == (227, 227, 3)


def test_paths_may_be_text(tmp_path, monkeypatch):
    path = saved(tmp_path, picture())
    assert_halves(photos.load(str(path), SIZE))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert_halves(photos.load("~/photo.png", SIZE))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_respected(tmp_path, orientation):
    undo = {
        1: [],
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }
    upright = picture(32, 48)
    upright[:, :24] //= 2  # left and right differ too
    stored = Image.fromarray(upright)
    for step in undo[orientation]:
        stored = stored.transpose(step)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path, stored, exif=exif)
    assert np.array_equal(photos.load(path, SIZE), photos.square(upright, SIZE))


def test_grey(tmp_path):
    path = saved(tmp_path, picture()[..., 0])
    assert_halves(photos.load(path, SIZE), TOP[:1] * 3, BOTTOM[:1] * 3)


def test_black_and_white(tmp_path):
    path = saved(tmp_path, Image.fromarray(picture()[..., 0]).convert("1", dither=0))
    assert_halves(photos.load(path, SIZE), (255,) * 3, (0,) * 3)


def test_sixteen_bits(tmp_path):
    grey = picture()[..., 0].astype(np.uint16) * 257
    path = saved(tmp_path, grey)
    assert_halves(photos.load(path, SIZE), TOP[:1] * 3, BOTTOM[:1] * 3)


def test_floats(tmp_path):
    grey = picture()[..., 0].astype(np.float32) / 255
    assert_halves(
        photos.load(saved(tmp_path, grey, "a.tif"), SIZE), TOP[:1] * 3, BOTTOM[:1] * 3
    )
    with pytest.raises(ValueError, match="not between 0 and 1"):
        photos.load(saved(tmp_path, 255 * grey, "b.tif"), SIZE)


def test_palette(tmp_path):
    image = Image.fromarray(picture()).convert("P", palette=Image.Palette.ADAPTIVE)
    assert_halves(photos.load(saved(tmp_path, image, "a.gif"), SIZE), tolerance=8)


def test_palette_with_a_transparent_colour(tmp_path):
    image = Image.fromarray(np.repeat([0, 1], 512).reshape(32, 32).astype(np.uint8))
    image = image.convert("P")
    image.putpalette([*TOP, *BOTTOM])
    path = saved(tmp_path, image, transparency=0)
    assert_halves(photos.load(path, SIZE), top=(255, 255, 255))


def test_transparent_lies_on_white(tmp_path):
    alpha = np.repeat([0, 255], 512).reshape(32, 32, 1).astype(np.uint8)
    path = saved(tmp_path, np.concatenate([picture(), alpha], axis=2))
    assert_halves(photos.load(path, SIZE), top=(255, 255, 255))


def test_grey_with_alpha(tmp_path):
    image = Image.fromarray(picture()[..., 0]).convert("LA")
    path = saved(tmp_path, image)
    assert_halves(photos.load(path, SIZE), TOP[:1] * 3, BOTTOM[:1] * 3)


def test_cmyk(tmp_path):
    path = saved(tmp_path, Image.fromarray(picture()).convert("CMYK"), "a.jpg")
    assert_halves(photos.load(path, SIZE), tolerance=12)


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp"])
def test_first_frame_of_an_animation(tmp_path, name):
    frames = [picture(), 255 - picture(), np.zeros_like(picture())]
    first, *others = map(Image.fromarray, frames)
    path = saved(tmp_path, first, name, save_all=True, append_images=others)
    assert Image.open(path).n_frames == 3
    assert_halves(photos.load(path, SIZE), tolerance=8)


# ----------------------------------------------------------------------- clear refusals


def test_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file '.*holiday\.jpg' in "):
        photos.load(tmp_path / "holiday.jpg")


def test_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file"):
        photos.load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"dear diary", b"\0" * 1000, b"GIF89a"])
def test_no_image(tmp_path, content):
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"no image that can be read|is damaged"):
        photos.load(path)


def test_heic_is_named_in_the_advice(tmp_path):
    path = tmp_path / "photo.heic"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
    with pytest.raises(ValueError, match=r"save it as JPEG or PNG .*HEIC"):
        photos.load(path)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.gif", "a.bmp", "a.tif"])
def test_truncated(tmp_path, name):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    path = saved(tmp_path, noise, name)
    whole = path.read_bytes()
    for share in (0.3, 0.6, 0.9):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(ValueError, match=re.escape(str(path))):
            photos.load(path, SIZE)


def test_flipped_bytes_never_raise_anything_else(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("a.png", "a.jpg", "a.gif", "a.tif", "a.webp"):
        path = saved(tmp_path, rng.integers(0, 256, (40, 40, 3), np.uint8), name)
        whole = np.frombuffer(path.read_bytes(), np.uint8)
        for _ in range(40):
            damaged = whole.copy()
            damaged[rng.integers(0, len(whole), 8)] ^= 255
            path.write_bytes(damaged.tobytes())
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                try:
                    assert photos.load(path, SIZE).shape == (SIZE, SIZE, 3)
                except ValueError as error:
                    assert str(path) in str(error) or "square expects" in str(error)


def test_too_small(tmp_path):
    path = saved(tmp_path, picture(100, 300))
    with pytest.raises(ValueError, match="at least 227 x 227 pixels, got 300 x 100"):
        photos.load(path)


@pytest.mark.parametrize("size", [0, -1])
def test_sizes_below_one(tmp_path, size):
    with pytest.raises(ValueError, match="square expects"):
        photos.load(saved(tmp_path, picture()), size)


@pytest.mark.parametrize("side", [10_000, 20_000])
def test_decompression_bomb(tmp_path, side):
    """A small file that claims a huge image is refused before it is unpacked."""

    def chunk(kind, content):
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + checksum.to_bytes(4)

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    path = tmp_path / "bomb.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )
    with pytest.raises(ValueError, match="too large: save it with fewer pixels"):
        photos.load(path)
