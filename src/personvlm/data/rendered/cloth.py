"""Patterns of cloth, painted inside an outline: plaid, stripes, logo, flowers, spots, patches, quilting."""

from __future__ import annotations

from personvlm.data.rendered.canvas import Canvas, Points, ellipse
from personvlm.data.rendered.palette import LIVELY, RGB, contrast, shade, stream


def pattern(canvas: Canvas, outline: Points, name: str, colors: tuple[RGB, RGB], *, patches: bool, seed: int) -> None:
    """Paint the pattern ``name`` of ``upper.pattern`` in the second color; ``patches`` makes the cloth multicolored.

    A second color that equals the first is replaced by a contrast, as a pattern must show.
    """
    first, second = colors
    if second == first:
        second = shade(first, 0.55) if sum(first) > 300 else contrast(first)
    with canvas.inside(outline) as (x1, y1, x2, y2):
        if patches:
            _patches(canvas, (x1, y1, x2, y2), seed)
        if name == "plaid":
            _plaid(canvas, (x1, y1, x2, y2), first, second)
        elif name in ("thin stripes", "thick stripes", "striped"):
            step, share = (0.021, 0.4) if name == "thin stripes" else (0.056, 0.45)
            y = y1 - y1 % step
            while y < y2:
                canvas.mark([(x1, y), (x2, y), (x2, y + step * share), (x1, y + step * share)], second)
                y += step
        elif name in ("floral", "spotted"):
            _dots(canvas, (x1, y1, x2, y2), name == "floral", second, seed)


def _plaid(canvas: Canvas, box: tuple[float, float, float, float], first: RGB, second: RGB) -> None:
    x1, y1, x2, y2 = box
    step = 0.044
    dark = shade(first, 0.5) if sum(first) > 200 else shade(first, 2.2)
    x = x1 - x1 % step
    while x < x2:
        canvas.mark([(x, y1), (x + step * 0.42, y1), (x + step * 0.42, y2), (x, y2)], second, 120)
        canvas.line([(x + step * 0.72, y1), (x + step * 0.72, y2)], dark, 0.004, 170)
        x += step
    y = y1 - y1 % step
    while y < y2:
        canvas.mark([(x1, y), (x2, y), (x2, y + step * 0.42), (x1, y + step * 0.42)], second, 120)
        canvas.line([(x1, y + step * 0.72), (x2, y + step * 0.72)], dark, 0.004, 170)
        y += step


def _dots(canvas: Canvas, box: tuple[float, float, float, float], floral: bool, color: RGB, seed: int) -> None:
    x1, y1, x2, y2 = box
    rng = stream(seed, "dots")
    step = 0.04 if floral else 0.03
    row, y = 0, y1 - y1 % step
    while y < y2 + step:
        x = x1 - x1 % step + (row % 2) * step / 2
        while x < x2 + step:
            if floral:
                center = (x + rng.uniform(-0.01, 0.01), y + rng.uniform(-0.01, 0.01))
                paint = LIVELY[int(rng.integers(len(LIVELY)))]
                for dx, dy in ((0.006, 0), (-0.006, 0), (0, 0.006), (0, -0.006)):
                    canvas.mark(ellipse((center[0] + dx, center[1] + dy), 0.006, 0.006), paint)
                canvas.mark(ellipse(center, 0.004, 0.004), (244, 220, 120))
            else:
                canvas.mark(ellipse((x, y), 0.0075, 0.0075), color)
            x += step
        row, y = row + 1, y + step


def _patches(canvas: Canvas, box: tuple[float, float, float, float], seed: int) -> None:
    x1, y1, x2, y2 = box
    rng = stream(seed, "patches")
    y = -0.1
    while y < y2:
        x = -0.3
        while x < x2:
            paint = LIVELY[int(rng.integers(len(LIVELY)))]
            if x > x1 - 0.06 and y > y1 - 0.06:
                canvas.mark([(x, y), (x + 0.055, y + 0.01), (x + 0.05, y + 0.06), (x - 0.005, y + 0.05)], paint)
            x += 0.052
        y += 0.052


def logo(canvas: Canvas, center: tuple[float, float], cloth: RGB, accent: RGB, half: float) -> None:
    """An emblem with a line of pretended letters, ``half`` as wide as half of the chest."""
    paint = accent if abs(sum(accent) - sum(cloth)) > 150 else contrast(cloth)
    x, y = center
    canvas.mark(ellipse((x, y), half * 0.62, 0.034), paint)
    canvas.mark(ellipse((x, y), half * 0.34, 0.018), cloth)
    for index in range(5):
        left = x + (index - 2.5) * half * 0.3
        canvas.mark([(left, y + 0.044), (left + half * 0.2, y + 0.044), (left + half * 0.2, y + 0.062),
                     (left, y + 0.062)], paint)


def quilting(canvas: Canvas, outline: Points, color: RGB, step: float = 0.042) -> None:
    """The seams of a padded coat: a dark line with a light swell above it."""
    dark, bright = shade(color, 0.55) if sum(color) > 120 else (8, 8, 10), shade(color, 1.3)
    with canvas.inside(outline) as (x1, y1, x2, y2):
        y, middle = y1 + step, (x1 + x2) / 2
        while y < y2:
            curve = [(x1, y), (middle, y + 0.006), (x2, y)]
            canvas.line([(x, z - step * 0.5) for x, z in curve], bright, step * 0.35, 80)
            canvas.line(curve, dark, 0.0065, 230)
            y += step
