"""Safe decoding: whatever is given, the answer is an RGB array or an :class:`InputError` that says what is wrong.

Nothing is silently replaced: a truncated file is refused, not filled with gray. Size is checked in the header, before
any pixel is decoded.
"""

from __future__ import annotations

import io
import os
import threading
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from personvlm.base.errors import InputError

ENDINGS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "JPEG": (".jpg", ".jpeg", ".jfif"), "PNG": (".png",), "WEBP": (".webp",), "GIF": (".gif",), "BMP": (".bmp",),
    "TIFF": (".tif", ".tiff"),
})  # fmt: skip
"""Format -> how its files' names end."""

FORMATS = tuple(ENDINGS)
"""Formats that are opened; Pillow knows dozens more, whose decoders nobody here needs to trust."""

MIN_SIDE = 8
MAX_PIXELS = 64_000_000
MAX_BYTES = 32 * 1024 * 1024

_ORIENTATION = 0x0112  # EXIF tag
_TURNED = (5, 6, 7, 8)  # its values that swap the sides
_TURNS: Mapping[int, Image.Transpose] = MappingProxyType({
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
})  # fmt: skip
"""What undoes each of its values. Not ``ImageOps.exif_transpose``, which writes all EXIF data anew, and fails where any
other tag of them is odd."""

Source = bytes | Path | str | Image.Image | NDArray[Any]


def decode(source: Source, *, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES,
           target: tuple[int, int] | None = None) -> NDArray[np.uint8]:  # fmt: skip
    """Decode one picture.

    EXIF rotation is applied; of an animation the first frame is taken (of a PIL image the current one); transparency
    is laid over white; palette, gray, CMYK and 16-bit pictures become 8-bit RGB (16 bit by their upper 8 bits).

    Args:
        source: encoded bytes, a path, a PIL image, or an RGB array: ``uint8 [H, W, 3]``, ``[H, W]`` (gray) or
            ``[H, W, 4]`` (with alpha).
        max_pixels: largest width times height.
        max_bytes: largest encoded size.
        target: the (width, height) that the caller will shrink the picture to. A JPEG at least twice as large is
            decoded at a half, a quarter or an eighth of its size, never below the target, which is several times
            faster.

    Returns:
        ``uint8 [H, W, 3]`` in RGB, contiguous, a copy that is the caller's own.

    Raises:
        InputError: not a picture of :data:`FORMATS`, damaged, truncated, empty, a folder, missing, under 8 pixels a
            side, or over a limit. The message names the input and the mend.
    """
    name = str(source) if isinstance(source, str | Path) else ""
    if isinstance(source, np.ndarray):
        return _from_array(source, max_pixels)
    if isinstance(source, Image.Image):
        return _guarded(lambda: _pixels(source, "the image", max_pixels), name or "the image")
    if isinstance(source, bytes | bytearray | memoryview):
        data, name = bytes(source), "the image bytes"
    elif isinstance(source, str | Path):
        data = _read(Path(source), max_bytes)
    else:
        raise InputError(f"a {type(source).__name__} is no picture; give a path, bytes, a PIL image or an RGB array")
    if not data:
        raise InputError(f"{name}: empty, 0 bytes; a picture was expected")
    if len(data) > max_bytes:
        raise InputError(f"{name}: {len(data)} bytes, at most {max_bytes} are read; shrink or re-encode it")
    return _guarded(lambda: _open(data, name, max_pixels, target), name)


class _Silence:
    """No warnings while any thread is decoding. Damaged EXIF and bombs warn; the first is harmless here, the second is
    checked by ourselves. ``warnings.catch_warnings`` alone would, with two threads, leave behind what one of them set.
    """

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._caught = warnings.catch_warnings()
                self._caught.__enter__()
                warnings.simplefilter("ignore")

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._caught.__exit__(None, None, None)


_silence = _Silence()


def _guarded(work: Callable[[], NDArray[np.uint8]], name: str) -> NDArray[np.uint8]:
    """Pillow's decoders fail in many ways on damaged input; here they all become one."""
    try:
        with _silence:
            return work()
    except InputError:
        raise
    except MemoryError:
        raise InputError(f"{name}: does not fit into memory; shrink it") from None
    except Exception as error:
        # Not a hidden defect: the code above calls nothing but Pillow, on input that nobody vouches for.
        reason = str(error) or type(error).__name__
        raise InputError(f"{name}: damaged or truncated ({reason}); export the picture again") from None


def _read(path: Path, max_bytes: int) -> bytes:
    try:
        with open(path, "rb", opener=_nonblocking) as file:
            if not os.path.isfile(path):
                raise InputError(f"{path}: not a regular file; a picture was expected")
            return file.read(max_bytes + 1)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: a folder; give the pictures inside it") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise InputError(f"{str(path)!r}: cannot be read ({getattr(error, 'strerror', None) or error})") from None


def _nonblocking(path: str, flags: int) -> int:
    """A named pipe without a writer must not hang the batch."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _open(data: bytes, name: str, max_pixels: int, target: tuple[int, int] | None) -> NDArray[np.uint8]:
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        raise InputError(f"{name}: not a picture that can be read, or damaged at its start; "
                         f"legal formats: {', '.join(FORMATS)}") from None  # fmt: skip
    except Image.DecompressionBombError:
        raise InputError(f"{name}: far more than {max_pixels} pixels; shrink it") from None
    with image:
        _check_size(image.width, image.height, name, max_pixels)
        if target is not None and image.format == "JPEG":
            turned = _orientation(image) in _TURNED
            image.draft(None, (target[1], target[0]) if turned else target)
        return _pixels(image, name, max_pixels)


def _pixels(image: Image.Image, name: str, max_pixels: int) -> NDArray[np.uint8]:
    _check_size(image.width, image.height, name, max_pixels)
    image.load()
    turn = _TURNS.get(_orientation(image))
    return np.array(_rgb(image if turn is None else image.transpose(turn)), np.uint8)


def _orientation(image: Image.Image) -> Any:
    """As EXIF has it; 1 (as it is) where nothing says, or EXIF is damaged: the pixels may be whole all the same."""
    try:
        return image.getexif().get(_ORIENTATION, 1)
    except Exception:  # of struct, of Pillow, of nothing in common
        return 1


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        values = np.nan_to_num(np.asarray(image, np.float32), nan=0.0, posinf=0.0, neginf=0.0)
        if image.mode == "F":  # a float picture holds 0..1 by convention, or the numbers of an 8-bit one
            values *= 255.0 if values.max() <= 1.0 else 1.0
        else:
            values /= 256.0  # Pillow opens 16-bit gray as I;16 or as I
        return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa") or "transparency" in image.info:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, layer).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _check_size(width: int, height: int, name: str, max_pixels: int) -> None:
    if width < MIN_SIDE or height < MIN_SIDE:
        raise InputError(f"{name}: {width}x{height} pixels show nobody; at least {MIN_SIDE} a side are needed")
    if width * height > max_pixels:
        raise InputError(f"{name}: {width}x{height} pixels, at most {max_pixels} in all are decoded; shrink it")


def _from_array(array: NDArray[Any], max_pixels: int) -> NDArray[np.uint8]:
    name = "the image array"
    if array.dtype != np.uint8:
        raise InputError(f"{name} is {array.dtype}; give uint8 with values 0..255, in RGB")
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise InputError(f"{name} has shape {array.shape}; give [height, width, 3] in RGB")
    _check_size(array.shape[1], array.shape[0], name, max_pixels)
    if array.ndim == 3 and array.shape[2] == 3:
        return np.array(array, np.uint8, order="C")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    return np.array(_rgb(Image.fromarray(np.ascontiguousarray(array))), np.uint8)
