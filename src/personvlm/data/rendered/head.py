"""The head: face, hair, and what is worn on head and neck."""

from __future__ import annotations

from personvlm.data.rendered.canvas import Canvas, Point, ellipse, smooth
from personvlm.data.rendered.palette import CLOTH, RGB, contrast, shade, stream, vary
from personvlm.data.rendered.people import Looks
from personvlm.data.rendered.pose import Figure
from personvlm.schema import Values

_HAT_COLORS = ("black", "dark blue", "red", "beige", "gray", "brown", "green", "white")


def worn_color(looks: Looks, name: str) -> RGB:
    """Color of a thing that has no color group of its own."""
    rng = stream(looks.seed, name + " color")
    return vary(CLOTH[_HAT_COLORS[int(rng.integers(len(_HAT_COLORS)))]], rng)


def hair_behind(canvas: Canvas, figure: Figure, values: Values, looks: Looks) -> None:
    """Long hair that falls over the shoulders; drawn before the head, after the torso."""
    if values["hair.length"][0] != "long" or values["headwear"][0] in ("headscarf", "hood"):
        return
    (x, y), rx, ry = figure.head, figure.head_rx, figure.head_ry
    low = figure.shoulder_y + 0.075
    if figure.view == "back":
        outline = [(x - rx * 1.15, y - ry * 0.3), (x, y - ry * 1.05), (x + rx * 1.15, y - ry * 0.3),
                   (x + rx * 1.3, low), (x + rx * 0.5, low + 0.05), (x - rx * 0.5, low + 0.05), (x - rx * 1.3, low)]
    elif figure.side:
        back = -1.0 if figure.turn > 0 else 1.0
        outline = [(x - back * rx * 0.2, y - ry), (x + back * rx * 1.15, y - ry * 0.4), (x + back * rx * 1.3, low),
                   (x + back * rx * 0.6, low + 0.03), (x + back * rx * 0.05, low - 0.03), (x - back * rx * 0.1, y)]
    else:
        outline = [(x - rx * 1.2, y - ry * 0.3), (x, y - ry * 1.1), (x + rx * 1.2, y - ry * 0.3), (x + rx * 1.45, low),
                   (x + rx * 0.75, low + 0.02), (x + rx * 0.55, y + ry), (x - rx * 0.55, y + ry),
                   (x - rx * 0.75, low + 0.02), (x - rx * 1.45, low)]
    shape = smooth(outline)
    canvas.part(shape, looks.hair)
    _strands(canvas, shape, looks)


def _strands(canvas: Canvas, outline: list[Point], looks: Looks) -> None:
    rng = stream(looks.seed, "strands")
    with canvas.inside(outline) as (x1, y1, x2, y2):
        for _ in range(9):
            x = float(rng.uniform(x1, x2))
            color = shade(looks.hair, float(rng.choice([0.65, 1.35])))
            canvas.line([(x, y1), (x + float(rng.uniform(-0.015, 0.015)), y2)], color, 0.004, 120)


def head(canvas: Canvas, figure: Figure, values: Values, looks: Looks) -> None:
    """Skin, face, hair, and everything on the head."""
    (x, y), rx, ry = figure.head, figure.head_rx, figure.head_ry
    forward = figure.turn
    if figure.side:
        ahead = 1.0 if forward > 0 else -1.0
        profile = [(x - ahead * rx * 0.9, y - ry * 0.6), (x, y - ry), (x + ahead * rx * 0.8, y - ry * 0.6),
                   (x + ahead * rx * 0.92, y - ry * 0.1), (x + ahead * rx * 1.2, y + ry * 0.2),
                   (x + ahead * rx * 0.94, y + ry * 0.34), (x + ahead * rx * 0.9, y + ry * 0.75),
                   (x + ahead * rx * 0.5, y + ry), (x - ahead * rx * 0.35, y + ry * 0.75), (x - ahead * rx, y)]
        canvas.part(smooth(profile, 1), looks.skin)
    else:
        canvas.part(smooth([(x - rx, y - ry * 0.55), (x, y - ry * 1.12), (x + rx, y - ry * 0.55),
                            (x + rx, y + ry * 0.2),
                            (x + rx * 0.7, y + ry * 0.8), (x, y + ry * 1.08), (x - rx * 0.7, y + ry * 0.8),
                            (x - rx, y + ry * 0.2)]), looks.skin)
        for side in (-1, 1):
            canvas.oval((x + side * rx * 0.97, y + ry * 0.08), rx * 0.16, ry * 0.2, shade(looks.skin, 0.92))
    if figure.view != "back":
        _face(canvas, figure, values, looks)
    _hair(canvas, figure, values, looks)
    if figure.side:
        canvas.mark(ellipse((x - forward * rx * 0.08, y + ry * 0.1), rx * 0.15, ry * 0.17), shade(looks.skin, 0.85))
    _headwear(canvas, figure, values, looks)
    if values["headphones"][0] == "headphones":
        arc = ellipse((x, y), rx * 1.12, ry * 1.1, 180, 360)
        ears = (x - forward * rx * 0.08,) if figure.side else (x - rx * 1.08, x + rx * 1.08)
        canvas.line(arc if not figure.side else [(ears[0], y),
                                                 (ears[0], y - ry * 1.05)], (40, 40, 44), 0.01, solid=True)
        for ear in ears:
            canvas.oval((ear, y + ry * 0.1), rx * 0.3, ry * 0.3, (52, 52, 58))


def _face(canvas: Canvas, figure: Figure, values: Values, looks: Looks) -> None:
    (x, y), rx, ry = figure.head, figure.head_rx, figure.head_ry
    dark = shade(looks.skin, 0.62)
    side = figure.side
    center = x + figure.turn * rx * (0.62 if side else 0.45)
    eyes = (center + figure.turn * rx * 0.12,) if side else (center - rx * 0.4, center + rx * 0.4)
    brow = looks.hair if values["hair.color"][0] not in ("white", "blond") else shade(looks.hair, 0.8)
    for eye in eyes:
        canvas.mark(ellipse((eye, y + ry * 0.04), rx * 0.16, ry * 0.07), (236, 234, 230))
        canvas.mark(ellipse((eye, y + ry * 0.04), rx * 0.09, ry * 0.075), (40, 30, 26))
        canvas.line([(eye - rx * 0.2, y - ry * 0.12), (eye + rx * 0.2, y - ry * 0.13)], brow, 0.006)
    if not side:
        canvas.line([(center + rx * 0.06, y + ry * 0.1), (center + rx * 0.12, y + ry * 0.34),
                     (center - rx * 0.06, y + ry * 0.36)], dark, 0.004, 170)
    lips = (176, 70, 74) if values["gender"][0] == "female" else shade(looks.skin, 0.68)
    half = rx * (0.16 if side else 0.3)
    canvas.mark(ellipse((center + figure.turn * rx * 0.05, y + ry * 0.6), half, ry * 0.07), lips)
    if values["age"][0] == "elderly":
        for eye in eyes:
            canvas.line([(eye - rx * 0.16, y + ry * 0.2), (eye + rx * 0.16, y + ry * 0.2)], dark, 0.003, 150)
        canvas.line([(center - rx * 0.35, y - ry * 0.36), (center + rx * 0.35, y - ry * 0.36)], dark, 0.003, 130)
    if values["face"][0] == "mask":
        tone = (206, 222, 236) if looks.open_front else (44, 46, 52)
        if side:
            ahead = 1.0 if figure.turn > 0 else -1.0
            shape = [(x + ahead * rx * 0.35, y + ry * 0.3), (x + ahead * rx * 1.22, y + ry * 0.16),
                     (x + ahead * rx * 1.05, y + ry * 0.8), (x + ahead * rx * 0.5, y + ry * 0.98)]
        else:
            shape = [(center - rx * 0.8, y + ry * 0.2), (center, y + ry * 0.12), (center + rx * 0.8, y + ry * 0.2),
                     (center + rx * 0.6, y + ry * 0.82), (center, y + ry * 1.02), (center - rx * 0.6, y + ry * 0.82)]
        canvas.part(shape, tone, relief=0.6)
        canvas.line([shape[0], (x - figure.turn * rx * 0.1 if side else x - rx, y)], tone, 0.004)
    _glasses(canvas, figure, values, eyes)


def _glasses(canvas: Canvas, figure: Figure, values: Values, eyes: tuple[float, ...]) -> None:
    kind = values["eyewear"][0]
    if kind == "none":
        return
    (x, y), rx, ry = figure.head, figure.head_rx, figure.head_ry
    at = y + ry * 0.06
    for eye in eyes:
        lens = ellipse((eye, at), rx * (0.36 if kind == "sunglasses" else 0.32), ry * 0.19)
        if kind == "sunglasses":
            canvas.mark(lens, (16, 16, 20))
            canvas.line([(eye - rx * 0.12, at - ry * 0.08), (eye + rx * 0.05, at - ry * 0.1)], (150, 160, 176), 0.004)
        else:
            canvas.mark(lens, (220, 230, 238), 70)
            canvas.line([*lens, lens[0]], (24, 24, 28), 0.0055)
    if figure.side:
        canvas.line([(eyes[0], at - ry * 0.05), (x - figure.turn * rx * 0.1, at - ry * 0.05)], (24, 24, 28), 0.006)
    else:
        canvas.line([(eyes[0], at - ry * 0.05), (eyes[1], at - ry * 0.05)], (24, 24, 28), 0.005)
        for eye, end in zip(eyes, (x - rx, x + rx), strict=True):
            canvas.line([(eye, at - ry * 0.06), (end, at - ry * 0.08)], (24, 24, 28), 0.005)


def _hair(canvas: Canvas, figure: Figure, values: Values, looks: Looks) -> None:
    (x, y), rx, ry = figure.head, figure.head_rx, figure.head_ry
    length = values["hair.length"][0]
    if length == "bald":
        canvas.mark(ellipse((x - rx * 0.2, y - ry * 0.62), rx * 0.32, ry * 0.16), (255, 250, 240), 90)
        return
    puff = 1.12 if length == "long" else 1.07
    if figure.view == "back":
        low = y + ry * (0.62 if length == "short" else 0.95)
        outline = [(x - rx * puff, y - ry * 0.2), (x - rx * 0.9, y - ry * 1.0), (x, y - ry * 1.22),
                   (x + rx * 0.9, y - ry * 1.0),
                   (x + rx * puff, y - ry * 0.2), (x + rx * 0.95, low), (x, low + ry * 0.2), (x - rx * 0.95, low)]
    elif figure.side:
        ahead = 1.0 if figure.turn > 0 else -1.0
        low = y + ry * (0.5 if length == "short" else 0.9)
        outline = [(x + ahead * rx * 0.95, y - ry * 0.42), (x + ahead * rx * 0.75, y - ry * 1.05),
                   (x - ahead * rx * 0.1, y - ry * 1.2),
                   (x - ahead * rx * 1.05, y - ry * 0.85), (x - ahead * rx * puff * 1.05, y),
                   (x - ahead * rx * 0.85, low),
                   (x - ahead * rx * 0.3, low), (x - ahead * rx * 0.22, y - ry * 0.05),
                   (x + ahead * rx * 0.25, y - ry * 0.12),
                   (x + ahead * rx * 0.4, y - ry * 0.42)]
    else:
        low = y + ry * (0.0 if length == "short" else 0.75)
        side = 0.86 if length == "short" else 0.82
        outline = [(x - rx * puff, low), (x - rx * 1.12, y - ry * 0.5), (x - rx * 0.7, y - ry * 1.1),
                   (x, y - ry * 1.22),
                   (x + rx * 0.7, y - ry * 1.1), (x + rx * 1.12, y - ry * 0.5), (x + rx * puff, low),
                   (x + rx * side, low),
                   (x + rx * 0.84, y - ry * 0.3), (x + rx * 0.3, y - ry * 0.52), (x - rx * 0.5, y - ry * 0.42),
                   (x - rx * 0.86, y - ry * 0.2), (x - rx * side, low)]
    shape = smooth(outline, 1)
    canvas.part(shape, looks.hair, relief=0.8)
    _strands(canvas, shape, looks)


def _headwear(canvas: Canvas, figure: Figure, values: Values, looks: Looks) -> None:
    kind = values["headwear"][0]
    (x, y), rx, ry = figure.head, figure.head_rx, figure.head_ry
    color = worn_color(looks, "headwear")
    dome = [*ellipse((x, y - ry * 0.34), rx * 1.14, ry * 0.84, 180, 360)]
    ahead = 0.0 if figure.view == "back" else figure.turn
    if kind == "hat":
        canvas.part(smooth([(x - rx * 1.02, y - ry * 0.35), (x - rx * 0.92, y - ry * 1.25), (x, y - ry * 1.36),
                            (x + rx * 0.92, y - ry * 1.25), (x + rx * 1.02, y - ry * 0.35)], 1), color)
        canvas.line([(x - rx * 1.0, y - ry * 0.55), (x + rx * 1.0, y - ry * 0.55)], shade(color, 0.5), 0.016)
        canvas.oval((x, y - ry * 0.4), rx * 1.75, ry * 0.2, color)
    elif kind == "cap":
        canvas.part(dome, color)
        canvas.line([(x, y - ry * 1.18), (x, y - ry * 0.4)], shade(color, 0.7), 0.004)
        if figure.side:
            sign = 1.0 if ahead > 0 else -1.0
            canvas.part([(x + sign * rx * 0.4, y - ry * 0.48), (x + sign * rx * 1.05, y - ry * 0.5),
                         (x + sign * rx * 2.0, y - ry * 0.24),
                         (x + sign * rx * 1.9, y - ry * 0.16),
                         (x + sign * rx * 0.6, y - ry * 0.28)], shade(color, 0.85))
        elif figure.view == "front":
            canvas.part(smooth([(x - rx * 1.0, y - ry * 0.42), (x + rx * 1.0, y - ry * 0.42),
                                (x + rx * (0.95 + ahead * 0.5), y - ry * 0.16), (x + ahead * rx * 0.5, y - ry * 0.1),
                                (x - rx * (0.95 - ahead * 0.5), y - ry * 0.16)], 1), shade(color, 0.82))
        else:
            canvas.mark(ellipse((x, y - ry * 0.36), rx * 0.3, ry * 0.14), looks.hair)
    elif kind == "helmet":
        tone = looks.accent
        canvas.part([*ellipse((x, y - ry * 0.12), rx * 1.32, ry * 1.16, 170, 370)], tone)
        canvas.line([(x - rx * 1.25, y - ry * 0.1), (x + rx * 1.25, y - ry * 0.1)], shade(tone, 0.5), 0.012)
        canvas.mark(ellipse((x - rx * 0.4, y - ry * 0.8), rx * 0.3, ry * 0.15), (255, 255, 255), 130)
        if figure.view != "back":
            canvas.line([(x - rx * 0.9, y), (x + ahead * rx * 0.2, y + ry * 1.0),
                         (x + rx * 0.9, y)], (30, 30, 32), 0.006)
    elif kind == "headband":
        canvas.line([(x - rx * 1.1, y - ry * 0.5), (x, y - ry * 0.58), (x + rx * 1.1, y - ry * 0.5)],
                    color if abs(sum(color) - sum(looks.hair)) > 150 else contrast(looks.hair), 0.02)
    elif kind in ("headscarf", "hood"):
        tone = color if kind == "headscarf" else shade(looks.upper[0], 0.95)
        _around(canvas, figure, tone, ahead)


def _around(canvas: Canvas, figure: Figure, color: RGB, ahead: float) -> None:
    """Cloth around the head that leaves the face free: a ring from the front, closed from behind."""
    (x, y), rx, ry = figure.head, figure.head_rx, figure.head_ry
    low = figure.shoulder_y + 0.03
    outer = [(x - rx * 1.5, low), (x - rx * 1.3, y - ry * 0.4), (x - rx * 0.8, y - ry * 1.15), (x, y - ry * 1.32),
             (x + rx * 0.8, y - ry * 1.15), (x + rx * 1.3, y - ry * 0.4), (x + rx * 1.5, low)]
    if figure.view == "back":
        canvas.part(smooth([*outer, (x, low + 0.03)]), color)
        return
    if figure.side:
        sign = 1.0 if ahead > 0 else -1.0
        canvas.part(smooth([(x + sign * rx * 0.75, y - ry * 1.02), (x - sign * rx * 0.4, y - ry * 1.3),
                            (x - sign * rx * 1.4, y - ry * 0.4), (x - sign * rx * 1.5, low),
                            (x + sign * rx * 0.7, low + 0.01),
                            (x + sign * rx * 0.45, y + ry * 0.8), (x + sign * rx * 0.1, y),
                            (x + sign * rx * 0.5, y - ry * 0.6)]),
                    color)
        return
    center = x + ahead * rx * 0.4
    inner = [(center + rx * 0.62, y + ry * 0.75), (center + rx * 0.8, y - ry * 0.1), (center + rx * 0.5, y - ry * 0.62),
             (center - rx * 0.5, y - ry * 0.62), (center - rx * 0.8, y - ry * 0.1), (center - rx * 0.62, y + ry * 0.75),
             (center, y + ry * 1.02)]
    right = [outer[3], *outer[4:], (x, low + 0.03), inner[6], inner[0], inner[1], inner[2], (center, y - ry * 0.64)]
    left = [outer[3], *outer[2::-1], (x, low + 0.03), inner[6], inner[5], inner[4], inner[3], (center, y - ry * 0.64)]
    for half in (left, right):
        canvas.part(half, color, relief=0.7)


def neckwear(canvas: Canvas, figure: Figure, values: Values, looks: Looks) -> None:
    """Scarf, shawl or tie; drawn after the torso, before the head."""
    kind = values["neckwear"][0]
    if kind == "none" or (kind == "tie" and figure.view != "front"):
        return
    x, y = figure.axis(figure.shoulder_y), figure.shoulder_y
    color = worn_color(looks, "neckwear")
    if abs(sum(color) - sum(looks.upper[0])) < 130:
        color = looks.accent
    if kind == "tie":
        x += figure.turn * 0.03
        tie = (150, 26, 38) if looks.open_front else (36, 52, 110)
        canvas.mark([(x - 0.01, y - 0.012), (x + 0.01, y - 0.012), (x + 0.006, y + 0.01),
                     (x + 0.014, figure.waist_y - 0.03),
                     (x, figure.waist_y - 0.005), (x - 0.014, figure.waist_y - 0.03), (x - 0.006, y + 0.01)], tie)
        return
    wrap = figure.neck_width + 0.028
    if kind == "shawl":
        half, low = figure.shoulder + 0.022, y + 0.15
        canvas.part(smooth([(x - wrap, y - 0.03), (x + wrap, y - 0.03), (x + half, y + 0.03), (x + half, low - 0.03),
                            (x, low + 0.04), (x - half, low - 0.03), (x - half, y + 0.03)]), color)
        canvas.line([(x - half, low - 0.03), (x, low + 0.03), (x + half, low - 0.03)], shade(color, 0.6), 0.006)
        return
    if figure.view == "front":
        canvas.part([(x + 0.005, y), (x + 0.045, y), (x + 0.05, y + 0.16), (x + 0.012, y + 0.165)], shade(color, 0.9))
        for offset in (0.13, 0.146):
            canvas.line([(x + 0.012, y + offset), (x + 0.05, y + offset)], contrast(color), 0.005, 200)
    canvas.part(smooth([(x - wrap, y - 0.035), (x + wrap, y - 0.035), (x + wrap + 0.012, y + 0.012), (x, y + 0.035),
                        (x - wrap - 0.012, y + 0.012)]), color)
    canvas.line([(x - wrap, y - 0.005), (x, y + 0.012), (x + wrap, y - 0.01)], shade(color, 0.65), 0.005)
