"""Pictures of people that may be looked at without knowing them by their face."""

from __future__ import annotations

import io

from PIL import Image, ImageFilter

from personvlm.base.images import decode

HEAD = 0.30
"""Share of the height of a crop, from above, that holds the head of whoever stands, walks or sits upright in it."""

_BLOCKS = 5  # across the width: a face is then one or two plain blocks
_QUALITY = 88


def blur_head(data: bytes, *, head: float = HEAD) -> bytes:
    """A picture of one person, with its upper part made so coarse that no face can be told, as JPEG.

    Where the head is follows from what a crop is, not from looking for it: of somebody who lies or bends down, the head
    may be further down. ``head=1`` makes all of it coarse.

    Args:
        data: encoded picture.
        head: share of the height, 0..1.

    Raises:
        InputError: ``data`` cannot be read.
    """
    image = Image.fromarray(decode(data))
    height = max(1, min(image.height, round(head * image.height)))
    box = (0, 0, image.width, height)
    rows = max(1, round(_BLOCKS * height / image.width))
    coarse = image.crop(box).resize((_BLOCKS, rows), Image.Resampling.BOX)
    smooth = coarse.resize((image.width, height), Image.Resampling.BILINEAR)
    image.paste(smooth.filter(ImageFilter.GaussianBlur(image.width / 20)), box)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=_QUALITY)  # and with nothing of what the original carried beside its pixels
    return stream.getvalue()
