"""A contact sheet: pictures with their captions below them, to see with one's own eyes what a data set says."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from personvlm.base.errors import InputError
from personvlm.base.images import decode
from personvlm.data.sample import Sample
from personvlm.language.realiser import realise

CELL = (200, 300)
_MARGIN, _FONT, _LINE, _MAX_LINES, _COLUMNS = 8, 12, 15, 12, 6


def sheet(samples: Sequence[Sample], out: Path, n: int = 24, seed: int = 0) -> Path:
    """Write a PNG with ``n`` samples drawn at random, each with its caption below.

    The caption is the given one or, where there is none, the sentence that the annotations support. A picture that
    cannot be decoded is shown as its error, so that it is seen.

    Returns:
        The path of the PNG.

    Raises:
        InputError: there are no samples, or the file cannot be written.
    """
    if not samples or n < 1:
        raise InputError("a contact sheet needs at least one sample")
    if out.suffix.lower() != ".png":
        raise InputError(f"{out}: a contact sheet is a PNG; give a name that ends in .png")
    chosen = random.Random(seed).sample(list(samples), min(n, len(samples)))
    font = ImageFont.load_default(_FONT)
    cells = [_cell(sample, font) for sample in chosen]
    columns = min(_COLUMNS, len(cells))
    lines = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    heights = [max(cell.height for cell in line) for line in lines]
    canvas = Image.new("RGB", (columns * (CELL[0] + _MARGIN) + _MARGIN, sum(heights) + _MARGIN), "white")
    top = _MARGIN
    for line, height in zip(lines, heights, strict=True):
        for column, cell in enumerate(line):
            canvas.paste(cell, (_MARGIN + column * (CELL[0] + _MARGIN), top))
        top += height
    try:
        canvas.save(out, "PNG")
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror})") from None
    return out


def caption_of(sample: Sample) -> str:
    """The first given caption, or what the annotations support, or a note that there is nothing."""
    if sample.captions:
        return " ".join(sample.captions[0].split())
    return realise(sample.values) if sample.values else "(no annotations)"


def _cell(sample: Sample, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> Image.Image:
    try:
        image = Image.fromarray(decode(sample.image, target=CELL))
        picture, text = ImageOps.pad(image, CELL, color="#eeeeee"), caption_of(sample)
    except InputError as error:
        picture, text = Image.new("RGB", CELL, "#ffdddd"), str(error)
    name = sample.image.name if sample.identity is None else f"{sample.image.name} ({sample.identity})"
    lines = [_cut(name, font), *_wrap(text, font)]
    cell = Image.new("RGB", (CELL[0], CELL[1] + len(lines) * _LINE + 2 * _MARGIN), "white")
    cell.paste(picture, (0, 0))
    draw = ImageDraw.Draw(cell)
    for index, line in enumerate(lines):
        place = (0, CELL[1] + 3 + index * _LINE)
        draw.text(place, line, fill="#888888" if index == 0 else "black", font=font)
    return cell


def _cut(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    while len(text) > 1 and font.getlength(text) > CELL[0]:
        text = text[:-2] + "…"
    return text


def _wrap(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > CELL[0]:
            lines.append(word)
        else:
            lines[-1] = longer
    if len(lines) > _MAX_LINES:
        lines = [*lines[: _MAX_LINES - 1], lines[_MAX_LINES - 1] + " …"]
    return [_cut(line, font) for line in lines]
