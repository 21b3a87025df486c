"""Pictures as requests bring them: files of a form, base64, data URIs, or addresses where they may be fetched from."""

from __future__ import annotations

import base64
import binascii
import io
import time
from collections.abc import Sequence

from PIL import Image

from personvlm.base.errors import InputError
from personvlm.base.images import FORMATS, MIN_SIDE
from personvlm.server.fetch import fetch
from personvlm.server.problems import Problem
from personvlm.server.settings import ServerSettings


async def read_pictures(texts: Sequence[str], settings: ServerSettings, names: Sequence[str]) -> list[bytes]:
    """The bytes of what each text is: base64, a data URI, or an address. What a request names by address must be here
    as soon as what it brings itself.

    Args:
        names: what they are called in errors.

    Raises:
        Problem: an address, and addresses are not taken; or what is there is too large or no picture.
    """
    end, found = time.monotonic() + settings.body_s, []
    for text, name in zip(texts, names, strict=True):
        named = text[:8].lower().startswith(("http://", "https://"))
        data = await fetch(text, settings, end) if named else decode64(text, settings, name)
        found.append(check(data, settings, name))
    return found


def decode64(text: str, settings: ServerSettings, name: str) -> bytes:
    """The bytes of base64 text, with or without ``data:image/jpeg;base64,`` before it."""
    if text[:5].lower() == "data:":
        head, comma, text = text.partition(",")
        if not comma or not head.lower().endswith(";base64"):
            raise Problem(422, "bad_picture", f"{name}: a data URI must be like data:image/jpeg;base64,...")
    if len(text) > settings.max_bytes * 4 // 3 + 1024:
        raise _large(name, settings)
    try:
        return base64.b64decode(text.translate(_STANDARD), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Problem(422, "bad_picture", f"{name}: not base64 ({error}); encode the bytes of a picture") from None


_STANDARD = str.maketrans({"-": "+", "_": "/", "\r": None, "\n": None})


def check(data: bytes, settings: ServerSettings, name: str) -> bytes:
    """``data``, if it begins like a picture of a legal size. What is wrong further on shows when it is decoded.

    Raises:
        Problem: 413 for what is too large, 422 for what is no picture.
    """
    if len(data) > settings.max_bytes:
        raise _large(name, settings)
    if not data:
        raise Problem(422, "bad_picture", f"{name}: empty, 0 bytes; a picture was expected")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
    except Image.DecompressionBombError:
        raise Problem(413, "too_many_pixels", f"{name}: far too many pixels; shrink it") from None
    except Exception:  # Pillow's readers of headers fail in many ways on what nobody vouches for
        raise Problem(422, "bad_picture", f"{name}: not a picture that can be read; legal formats: "
                      f"{', '.join(FORMATS)}") from None  # fmt: skip
    if width * height > settings.max_pixels:
        raise Problem(413, "too_many_pixels", f"{name}: {width}x{height} pixels, at most {settings.max_pixels} in all "
                      "are decoded; shrink it")  # fmt: skip
    if min(width, height) < MIN_SIDE:
        raise Problem(422, "bad_picture", f"{name}: {width}x{height} pixels show nobody; at least {MIN_SIDE} a side "
                      "are needed")  # fmt: skip
    return data


def enough(pictures: Sequence[object], settings: ServerSettings) -> None:
    """Refuse no pictures, and too many.

    Raises:
        Problem: 422 or 413.
    """
    if not pictures:
        raise Problem(422, "no_picture", "there is no picture in the request; send at least one")
    if len(pictures) > settings.max_images:
        raise too_many(str(len(pictures)), settings)


def too_many(count: str, settings: ServerSettings) -> Problem:
    """413 for ``count`` pictures."""
    return Problem(413, "too_many_pictures", f"{count} pictures, at most {settings.max_images} in one request; send "
                   "several requests")  # fmt: skip


def reason(error: InputError, name: str) -> str:
    """An error about bytes, with the name that the client knows them by."""
    return str(error).replace("the image bytes", name, 1)


def _large(name: str, settings: ServerSettings) -> Problem:
    return Problem(413, "too_large", f"{name}: a picture may have {settings.max_bytes} bytes; shrink or re-encode it")
