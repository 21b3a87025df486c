"""A transparent sheet to draw one person on: polygons in body units, form shading, cloth folds.

Body units: x to the right from the body's axis, y down from the crown (0) to the soles (1). Paint is drawn at four
times the final size. A second sheet holds the light on each part; it is soft, so it is kept small and blurred.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from personvlm.data.rendered.palette import RGB

Point = tuple[float, float]
Points = Sequence[Point]

SUPERSAMPLE = 4
HALF_WIDTH = 0.40
BOTTOM = 1.035
_NEUTRAL = 128


class Canvas:
    """Sheet for a person of ``height`` pixels from crown to soles.

    Args:
        height: pixels from crown to soles.
        top: body units above the crown that are kept free (hats; more for an umbrella).
        light: where the light comes from, -1 (left) to 1 (right).
    """

    def __init__(self, height: int, top: float, light: float) -> None:
        self.columns = 2 * math.ceil(height * HALF_WIDTH)
        self.rows = math.ceil(height * (top + BOTTOM))
        self._scale = float(height * SUPERSAMPLE)
        self._x0, self._y0 = self.columns * SUPERSAMPLE / 2.0, self.rows * SUPERSAMPLE - BOTTOM * self._scale
        size = (self.columns * SUPERSAMPLE, self.rows * SUPERSAMPLE)
        self._paint = Image.new("RGB", size)
        self._mask = Image.new("L", size)
        self._light = Image.new("L", (self.columns * 2, self.rows * 2), _NEUTRAL)
        self._draw = ImageDraw.Draw(self._paint, "RGBA")  # the mode makes alpha blend instead of replace
        self._draw_mask = ImageDraw.Draw(self._mask)
        self._draw_light = ImageDraw.Draw(self._light)
        norm = math.hypot(light, 0.8)
        self._toward = (light / norm, -0.8 / norm)
        self._height = height

    def _pixels(self, points: Points) -> list[Point]:
        return [(self._x0 + x * self._scale, self._y0 + y * self._scale) for x, y in points]

    def _width(self, width: float) -> int:
        return max(1, round(width * self._scale))

    def part(self, points: Points, color: RGB, *, relief: float = 1.0) -> None:
        """Fill a polygon that belongs to the silhouette, and light its edges as if it bulged by ``relief``."""
        pixels = self._pixels(points)
        self._draw.polygon(pixels, fill=color)
        self._draw_mask.polygon(pixels, fill=255)
        self._relief(pixels, relief)

    def _relief(self, pixels: list[Point], relief: float) -> None:
        half = [(x * 2 / SUPERSAMPLE, y * 2 / SUPERSAMPLE) for x, y in pixels]
        band = max(2, round(0.016 * self._height * 2))
        self._draw_light.line([*half, half[0]], fill=_NEUTRAL - 26, width=max(2, band))  # shadow on what lies below
        self._draw_light.polygon(half, fill=_NEUTRAL)
        turn = sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(half, [*half[1:], half[0]], strict=True))
        sign = 1.0 if turn > 0 else -1.0
        for (ax, ay), (bx, by) in zip(half, [*half[1:], half[0]], strict=True):
            length = math.hypot(bx - ax, by - ay)
            if length < 1e-6:
                continue
            nx, ny = sign * (by - ay) / length, -sign * (bx - ax) / length
            value = nx * self._toward[0] + ny * self._toward[1] - 0.45
            inset = band * 0.5
            ends = [(ax - nx * inset, ay - ny * inset), (bx - nx * inset, by - ny * inset)]
            self._draw_light.line(ends, fill=int(_NEUTRAL + 40 * relief * value), width=band)

    def limb(self, joints: Points, widths: Sequence[float], color: RGB) -> list[Point]:
        """A rounded tube through ``joints`` with the half ``widths`` there; returns its outline."""
        outline = tube(joints, widths)
        self.part(outline, color)
        return outline

    def oval(self, center: Point, rx: float, ry: float, color: RGB) -> None:
        """A filled ellipse that belongs to the silhouette."""
        self.part(ellipse(center, rx, ry), color)

    def mark(self, points: Points, color: RGB, alpha: int = 255) -> None:
        """Paint a polygon on what is there already; the silhouette stays as it is."""
        self._draw.polygon(self._pixels(points), fill=(*color, alpha))

    def line(self, points: Points, color: RGB, width: float = 0.004, alpha: int = 255, *, solid: bool = False) -> None:
        """Paint a line; ``solid`` lines (straps in the air, handles) belong to the silhouette."""
        pixels = self._pixels(points)
        self._draw.line(pixels, fill=(*color, alpha), width=self._width(width), joint="curve")
        if solid:
            self._draw_mask.line(pixels, fill=255, width=self._width(width), joint="curve")

    @contextmanager
    def inside(self, points: Points) -> Iterator[tuple[float, float, float, float]]:
        """Whatever is painted meanwhile shows only inside the polygon. Yields its box (x1, y1, x2, y2)."""
        pixels = self._pixels(points)
        xs, ys = [x for x, _ in pixels], [y for _, y in pixels]
        box = (max(0, int(min(xs))), max(0, int(min(ys))),
               min(self._paint.width, int(max(xs)) + 1), min(self._paint.height, int(max(ys)) + 1))
        before = self._paint.copy()
        plain = [value for point in points for value in point]
        yield min(plain[::2]), min(plain[1::2]), max(plain[::2]), max(plain[1::2])
        if box[2] <= box[0] or box[3] <= box[1]:
            return
        clip = Image.new("L", (box[2] - box[0], box[3] - box[1]))
        ImageDraw.Draw(clip).polygon([(x - box[0], y - box[1]) for x, y in pixels], fill=255)
        before.paste(self._paint.crop(box), box[:2], clip)
        self._paint.paste(before)

    def finish(self, folds: np.random.Generator, cloth_from: float) -> NDArray[np.uint8]:
        """The person, lit, in its final size: ``uint8 [rows, columns, 4]`` (RGB not premultiplied, alpha).

        Args:
            folds: random numbers for the folds of the cloth.
            cloth_from: body units below which there are folds (the chin).
        """
        paint = Image.composite(self._paint, Image.new("RGB", self._paint.size), self._mask).reduce(SUPERSAMPLE)
        cover = np.asarray(self._mask.reduce(SUPERSAMPLE), np.float32)[..., None] / 255.0
        soft = self._light.reduce(2).filter(ImageFilter.GaussianBlur(self._height * 0.007))
        light = np.asarray(soft, np.float32)[..., None] / _NEUTRAL
        noise = self._folds(folds)
        rows = (np.arange(self.rows, dtype=np.float32) - self._y0 / SUPERSAMPLE) / self._height
        light = light * (1.0 + noise * np.clip((rows - cloth_from) * 20.0, 0.0, 1.0)[:, None, None])
        color = np.asarray(paint, np.float32) / np.maximum(cover, 1e-3)
        color = color * light + 22.0 * (light - 1.0)  # the offset lets folds show on black
        return np.concatenate([np.clip(color, 0, 255), cover * 255.0], axis=2).astype(np.uint8)

    def _folds(self, rng: np.random.Generator) -> NDArray[np.float32]:
        layers = np.zeros((self.rows, self.columns, 1), np.float32)
        for grid, strength in (((7, 6), 0.055), ((30, 13), 0.06)):
            small = Image.fromarray(rng.normal(0.0, strength, grid).astype(np.float32))
            layers[..., 0] += np.asarray(small.resize((self.columns, self.rows), Image.Resampling.BICUBIC))
        return layers


def tube(joints: Points, widths: Sequence[float]) -> list[Point]:
    """Outline of a limb: offsets to both sides of the line through ``joints``, with a round end."""
    left: list[Point] = []
    right: list[Point] = []
    last = len(joints) - 1
    for index, ((x, y), width) in enumerate(zip(joints, widths, strict=True)):
        (ax, ay), (bx, by) = joints[max(index - 1, 0)], joints[min(index + 1, last)]
        length = math.hypot(bx - ax, by - ay) or 1e-6
        nx, ny = -(by - ay) / length * width, (bx - ax) / length * width
        if index in (0, last):  # rounded caps
            push = (-0.35 if index == 0 else 0.35) * width / length
            tip = (x + (bx - ax) * push, y + (by - ay) * push)
            left.append((tip[0] + nx * 0.6, tip[1] + ny * 0.6))
            right.append((tip[0] - nx * 0.6, tip[1] - ny * 0.6))
        here = (x + nx, y + ny), (x - nx, y - ny)
        left.insert(len(left) - (index == last), here[0])
        right.insert(len(right) - (index == last), here[1])
    return left + right[::-1]


def ellipse(center: Point, rx: float, ry: float, start: float = 0.0, end: float = 360.0) -> list[Point]:
    """Points of an ellipse, or of its arc from ``start`` to ``end`` degrees (0 is right, 90 is down)."""
    count = max(6, int(abs(end - start) / 18))
    steps = [math.radians(start + (end - start) * index / count) for index in range(count + (end - start < 360))]
    return [(center[0] + rx * math.cos(angle), center[1] + ry * math.sin(angle)) for angle in steps]


def smooth(points: Points, rounds: int = 2) -> list[Point]:
    """Cut the corners of a closed polygon (Chaikin's algorithm)."""
    result = list(points)
    for _ in range(rounds):
        following = [*result[1:], result[0]]
        result = [(a[0] * near + b[0] * (1 - near), a[1] * near + b[1] * (1 - near))
                  for a, b in zip(result, following, strict=True) for near in (0.75, 0.25)]
    return result


def rounded(points: Points, radius: float = 0.012) -> list[Point]:
    """A closed polygon with its corners rounded by about ``radius``."""
    result: list[Point] = []
    for index, here in enumerate(points):
        for other in (points[index - 1], points[(index + 1) % len(points)]):
            length = math.dist(here, other) or 1e-6
            result.append(mix(here, other, min(radius / length, 0.5)))
    return smooth(result, 1)


def mix(a: Point, b: Point, share: float) -> Point:
    """The point that lies ``share`` of the way from ``a`` to ``b``."""
    return a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share
