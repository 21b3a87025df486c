"""Decoding: every legal kind of picture becomes RGB, everything else one clear error."""

import io
import os
import random
import resource
import struct
import warnings
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFile

from personvlm.base.errors import InputError
from personvlm.base.images import FORMATS, decode

PLAIN = [name for name in FORMATS if name != "GIF"]


def photo(width: int = 48, height: int = 96) -> Image.Image:
    """A smooth picture with a red left, a blue right and a dark foot, so that turning it is noticed."""
    y, x = np.mgrid[0:height, 0:width]
    rgb = np.stack([255 * (x < width / 2), 40 + 0 * x, 255 * (x >= width / 2)], -1) * (1 - 0.8 * y / height)[..., None]
    return Image.fromarray(rgb.astype(np.uint8))


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def near(first: np.ndarray, second: np.ndarray, most: float = 12.0) -> bool:
    return first.shape == second.shape and float(np.abs(first.astype(int) - second.astype(int)).mean()) < most


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_from_bytes_and_from_a_path(format: str, tmp_path: Path) -> None:
    path = tmp_path / f"a crop of Zoë, 人.{format.lower()}"
    path.write_bytes(encoded(photo(), format))
    pixels = decode(path)
    assert (pixels.shape, pixels.dtype, pixels.flags.c_contiguous) == ((96, 48, 3), np.uint8, True)
    assert near(pixels, np.asarray(photo()))
    assert np.array_equal(pixels, decode(path.read_bytes()))
    assert np.array_equal(pixels, decode(str(path)))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    turn: dict[int, Callable[[np.ndarray], np.ndarray]] = {
        1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2), 6: lambda a: np.rot90(a, 3), 7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a)}  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert near(decode(encoded(photo(), "JPEG", exif=exif, quality=95)), turn[orientation](np.asarray(photo())))


def test_kinds_of_pixels_become_rgb() -> None:
    truth = np.asarray(photo())
    assert near(decode(encoded(photo().convert("CMYK"), "JPEG", quality=95)), truth)
    assert near(decode(encoded(photo().convert("P", palette=Image.Palette.ADAPTIVE), "PNG")), truth)
    gray = np.asarray(photo().convert("L"))
    assert np.array_equal(decode(encoded(photo().convert("L"), "PNG")), np.repeat(gray[..., None], 3, 2))
    deep = Image.fromarray(gray.astype(np.uint16) * 257)
    for format in ("PNG", "TIFF"):
        assert np.array_equal(decode(encoded(deep, format))[:, :, 0], gray), "16 bit by their upper 8 bits"
    assert near(decode(encoded(photo().convert("1"), "PNG")), np.repeat(
        np.asarray(photo().convert("1"), np.uint8)[..., None] * 255, 3, 2))  # fmt: skip


def test_transparency_lies_over_white() -> None:
    layer = photo().convert("RGBA")
    layer.putalpha(Image.fromarray(np.repeat(np.uint8([[0] * 24 + [255] * 24]), 96, 0)))
    for format in ("PNG", "WEBP"):
        pixels = decode(encoded(layer, format, lossless=True))
        assert (pixels[:, :24] == 255).all()
        assert np.array_equal(pixels[:, 24:], np.asarray(photo())[:, 24:])
    palette = photo().convert("P")
    palette.info["transparency"] = palette.getpixel((0, 0))
    assert decode(encoded(palette, "GIF"))[0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_the_first_frame_is_taken(format: str) -> None:
    frames = [Image.new("RGB", (20, 30), color) for color in ("red", "green", "blue")]
    pixels = decode(encoded(frames[0], format, save_all=True, append_images=frames[1:]))
    assert near(pixels, np.asarray(frames[0]))


def test_arrays_and_pil_images() -> None:
    array = np.asarray(photo())
    out = decode(array)
    out[:] = 0
    assert array.any(), "the caller's array is not touched"
    assert np.array_equal(decode(array[:, ::-1]), array[:, ::-1])
    assert decode(array[:, :, 0]).shape == (96, 48, 3)
    assert np.array_equal(decode(photo()), array)
    assert (decode(np.dstack([array, np.zeros((96, 48), np.uint8)])) == 255).all()


@pytest.mark.parametrize(("wrong", "reason"), [
    (np.zeros((20, 20, 3), np.float32), "float32; give uint8"), (np.zeros((3, 20, 20), np.uint8), r"\(3, 20, 20\)"),
    (np.zeros((0, 20, 3), np.uint8), "20x0 pixels"), (np.zeros(9, np.uint8), r"shape \(9,\)"),
    (b"", "empty"), (b"GIF89a", "not a picture|damaged"), (None, "NoneType is no picture"), (7, "int is no picture"),
    (Path("nowhere.jpg"), "nowhere.jpg: no such file"), (Path(), "a folder"), ("a\0b.jpg", "cannot be read"),
    (Path("/dev/zero"), "not a regular file"),
    (encoded(Image.new("RGB", (7, 300)), "PNG"), "7x300 pixels.* at least 8"),
    (encoded(Image.new("RGB", (300, 300)), "PPM"), "legal formats: JPEG"),
    (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture"),
])  # fmt: skip
def test_what_is_no_picture_is_refused_by_name(wrong: Any, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        decode(wrong)


def test_a_pipe_without_a_writer_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(InputError, match="not a regular file"):
        decode(tmp_path / "pipe.jpg")


def test_limits_are_checked_before_decoding() -> None:
    with pytest.raises(InputError, match="48x96 pixels, at most 4000"):
        decode(encoded(photo(), "PNG"), max_pixels=4000)
    with pytest.raises(InputError, match="48x96 pixels, at most 4000"):
        decode(photo(), max_pixels=4000)
    with pytest.raises(InputError, match="at most 100 are read"):
        decode(encoded(photo(), "PNG"), max_bytes=100)


@pytest.mark.parametrize("format", FORMATS)
def test_a_truncated_file_is_refused_or_whole_never_filled_up(format: str) -> None:
    data = encoded(photo(), format)
    whole = decode(data)
    refused = 0
    for end in range(1, len(data), max(1, len(data) // 60)):
        try:
            assert np.array_equal(decode(data[:end]), whole), "all pixels were there"
        except InputError:
            refused += 1
    assert refused >= 50
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


def test_a_large_jpeg_for_a_small_target_is_decoded_small_but_never_below() -> None:
    data = encoded(photo(600, 1200), "JPEG")
    assert decode(data, target=(128, 256)).shape == (300, 150, 3)
    assert decode(data, target=(256, 512)).shape == (600, 300, 3)
    assert decode(data).shape == (1200, 600, 3)
    assert decode(encoded(photo(100, 200), "JPEG"), target=(128, 256)).shape == (200, 100, 3)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encoded(photo(1200, 600), "JPEG", exif=exif)
    assert decode(turned, target=(128, 256)).shape == (300, 150, 3)
    assert decode(turned, target=(256, 128)).shape == (600, 300, 3), "a wide target leaves less to be left out"


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def bomb(rng: random.Random) -> bytes:
    """A small file whose header claims a picture of gigabytes."""
    side = rng.choice([9_000, 30_000, 65_000, 2_000_000_000])
    kind = rng.randrange(3)
    if kind == 0:
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
        return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1_000_000))) + chunk(b"IEND", b"")
    if kind == 1:
        side = min(side, 65_535)
        return b"GIF89a" + struct.pack("<HH", side, side) + b"\xf0\0\0" + bytes(6) + b"," + struct.pack(
            "<HHHH", 0, 0, side, side) + b"\0\x02\x02L\x01\0;"  # fmt: skip
    return b"BM" + struct.pack("<IIIIiiHHIIIIII", 60, 0, 54, 40, side, side, 1, 24, 0, 0, 0, 0, 0, 0)


def malformed(rng: random.Random, folder: Path, number: int) -> bytes | Path:
    format = rng.choice(["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"])
    data = bytearray(encoded(photo(rng.randint(4, 80), rng.randint(4, 160)), format))
    kind = number % 7
    if kind == 0:
        for _ in range(rng.randint(1, 12)):  # header
            data[rng.randrange(min(64, len(data)))] = rng.randrange(256)
    elif kind == 1:
        for _ in range(rng.randint(1, 30)):  # anywhere
            data[rng.randrange(len(data))] = rng.randrange(256)
    elif kind == 2:
        del data[rng.randrange(len(data)) :]
    elif kind == 3:
        data = bytearray(bomb(rng))
    elif kind == 4:
        data = bytearray(rng.randbytes(rng.randrange(200)))
    elif kind == 5:
        start = rng.randrange(len(data))
        del data[start : start + rng.randint(1, 200)]
    else:
        path = folder / rng.choice([f"with space {number}.jpg", f"Zoë 人 {number}.png", f"folder {number}", "missing"])
        if "folder" in path.name:
            path.mkdir()
        elif path.name != "missing":
            path.write_bytes(bytes(data) if rng.random() < 0.5 else b"")
        return path
    return bytes(data)


def test_500_malformed_inputs_end_in_an_array_or_an_input_error(tmp_path: Path) -> None:
    rng = random.Random(2024)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    arrays, refused = 0, []
    for number in range(500):
        given = malformed(rng, tmp_path, number)
        try:
            pixels = decode(given)
            arrays += 1
            assert pixels.ndim == 3
            assert pixels.dtype == np.uint8
            assert min(pixels.shape[:2]) >= 8
        except InputError as error:
            refused.append((given, str(error)))
    assert all(len(message) < 600 for _, message in refused)
    assert all(given.name in message for given, message in refused if isinstance(given, Path))
    assert 20 < arrays < 400
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 600_000, "kilobytes"


def test_threads_that_decode_leave_warnings_as_they_were() -> None:
    data = encoded(photo(256, 512), "JPEG")
    before = list(warnings.filters)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: decode(data), range(60)))
    assert warnings.filters == before
    with pytest.warns(UserWarning, match="still heard"):
        warnings.warn("still heard", stacklevel=1)


def tiff(*entries: tuple[int, int, int, bytes]) -> bytes:
    """EXIF data of (tag, type, count, value of at most 4 bytes)."""
    rows = b"".join(struct.pack("<HHI", *entry[:3]) + entry[3].ljust(4, b"\0") for entry in sorted(entries))
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, len(entries)) + rows + bytes(4)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("odd", [(0x0100, 2, 4, b"abc"), (0x011A, 2, 4, b"abc"), (0x0111, 2, 4, b"abc")])
def test_a_turned_picture_with_another_odd_tag_is_turned(format: str, odd: tuple[int, int, int, bytes]) -> None:
    exif = tiff((0x0112, 3, 1, struct.pack("<H", 6)), odd)
    assert near(decode(encoded(photo(), format, exif=exif)), np.rot90(np.asarray(photo()), 3))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_damaged_exif_spoils_no_picture(format: str) -> None:
    assert near(decode(encoded(photo(), format, exif=b"Exif\0\0garbage")), np.asarray(photo()))
