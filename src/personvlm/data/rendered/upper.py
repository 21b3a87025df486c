"""What is worn above: arms with their sleeves, the torso's garment and its details."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from personvlm.data.rendered import cloth
from personvlm.data.rendered.canvas import Canvas, Point, ellipse, mix, smooth
from personvlm.data.rendered.palette import CLOTH, RGB, contrast, shade
from personvlm.data.rendered.people import Looks
from personvlm.data.rendered.pose import Figure, Limb
from personvlm.schema import Values


@dataclass(frozen=True)
class Cut:
    """Shape of a garment in body units: ``hem`` below the hips, ``ease`` around the body, ``flare`` at the hem."""

    hem: float
    ease: float
    flare: float = 0.0


CUTS: Mapping[str, Cut] = MappingProxyType({
    "t-shirt": Cut(0.03, 0.006), "shirt": Cut(0.045, 0.006), "blouse": Cut(0.035, 0.006, 0.014),
    "sweater": Cut(0.02, 0.012), "hoodie": Cut(0.025, 0.016), "jacket": Cut(0.03, 0.014),
    "suit": Cut(0.085, 0.012, 0.004),
    "coat": Cut(0.235, 0.016, 0.026), "padded coat": Cut(0.085, 0.034, -0.006), "vest": Cut(0.02, 0.014),
    "dress": Cut(0.2, 0.003, 0.062), "graduation gown": Cut(0.38, 0.022, 0.075), "chef uniform": Cut(0.075, 0.012),
})
_OPENING = frozenset({"jacket", "coat", "suit"})


def torso(figure: Figure, hem: float, ease: float, flare: float = 0.0) -> list[Point]:
    """Outline of a garment from the neck down to y = ``hem``."""
    top = figure.shoulder_y
    half = [
        (figure.neck_width * 1.15, top - 0.022), (figure.shoulder * 0.55, top - 0.004),
        (figure.shoulder * 0.86, top + 0.012), (figure.shoulder + ease * 0.4, top + 0.034),
        (figure.shoulder - 0.012 + ease * 0.6, top + 0.1),
        (figure.waist + ease, figure.waist_y), (figure.hip + ease, figure.hip_y - 0.035),
        (figure.hip + ease + flare, hem - 0.012), (figure.hip + ease + flare * 0.95 - 0.008, hem + 0.002),
    ]
    outline = [(figure.axis(y) + x, y) for x, y in half] + [(figure.axis(y) - x, y) for x, y in half[::-1]]
    return smooth(outline, 1)


def arm(canvas: Canvas, figure: Figure, limb: Limb, values: Values, looks: Looks) -> None:
    """One arm: skin, sleeve, hand or glove."""
    garment, sleeve = values["upper.garment"][0], values["upper.sleeve"][0]
    cut, width = CUTS[garment], limb.width
    glove = values["gloves"][0] == "gloves"
    wrist = mix(limb.middle, limb.end, 0.86)
    if sleeve != "long":
        canvas.limb([limb.start, limb.middle, wrist], [width * 0.92, width * 0.8, width * 0.58], looks.skin)
    hand_color = shade(CLOTH["black"], 1.0) if glove else looks.skin
    canvas.limb([wrist, limb.end, _beyond(limb, 0.02)], [0.017, 0.019, 0.012], hand_color)
    if sleeve == "sleeveless":
        return
    own = garment != "vest"
    color = looks.upper[0] if own else looks.inner
    ease = cut.ease * 0.7 if own else 0.003
    if sleeve == "short":
        joints = [limb.start, mix(limb.start, limb.middle, 0.78)]
        widths = [width + ease + 0.002, width + ease + 0.005]
    else:
        wide = 0.034 if garment == "graduation gown" else 0.0
        joints = [limb.start, limb.middle, mix(limb.middle, limb.end, 0.86)]
        widths = [width + ease + 0.001, width * 0.88 + ease + wide * 0.5, width * 0.72 + ease * 0.8 + wide]
    outline = canvas.limb(joints, widths, color)
    if own:
        decorate(canvas, outline, values, looks)
        if garment == "padded coat":
            cloth.quilting(canvas, outline, color)
        if sleeve == "long" and garment in ("sweater", "hoodie", "jacket"):
            cuff = mix(joints[1], joints[2], 0.88)
            canvas.line([cuff, joints[2]], shade(color, 0.78), widths[2] * 1.9, 150)
        if sleeve == "long" and garment == "suit":
            cuff = mix(limb.middle, limb.end, 0.9)
            canvas.limb([wrist, cuff], [0.016, 0.016], (232, 232, 230))


def _beyond(limb: Limb, length: float) -> Point:
    (ax, ay), (bx, by) = limb.middle, limb.end
    size = ((bx - ax) ** 2 + (by - ay) ** 2) ** 0.5 or 1.0
    return bx + (bx - ax) / size * length, by + (by - ay) / size * length


def decorate(canvas: Canvas, outline: list[Point], values: Values, looks: Looks) -> None:
    """The pattern of the upper cloth."""
    patches = "multicolored" in values["upper.color"]
    name = values["upper.pattern"][0]
    if patches or name not in ("plain", "logo"):
        cloth.pattern(canvas, outline, name, looks.upper, patches=patches, seed=looks.seed)


def body(canvas: Canvas, figure: Figure, values: Values, looks: Looks) -> None:
    """Neck and torso with the garment."""
    garment, view = values["upper.garment"][0], figure.view
    cut, color = CUTS[garment], looks.upper[0]
    neck_x, (head_x, _) = figure.axis(figure.shoulder_y), figure.head
    canvas.limb([(head_x, figure.chin - 0.03), (neck_x, figure.shoulder_y + 0.01)],
                [figure.neck_width, figure.neck_width * 1.15], looks.skin)
    hem = figure.hip_y + cut.hem
    outline = torso(figure, hem, cut.ease, cut.flare)
    canvas.part(outline, color)
    decorate(canvas, outline, values, looks)
    two = len(values["upper.color"]) > 1 and looks.upper[1] != color and values["upper.pattern"][0] in ("plain", "logo")
    opened = garment in _OPENING and (looks.open_front or garment == "suit")
    if two and not opened and "multicolored" not in values["upper.color"]:
        with canvas.inside(outline) as (x1, _, x2, y2):
            canvas.mark([(x1, figure.waist_y), (x2, figure.waist_y), (x2, y2), (x1, y2)], looks.upper[1])
    if garment == "padded coat":
        cloth.quilting(canvas, outline, color)
    if values["upper.pattern"][0] == "logo" and view != "side":
        cloth.logo(canvas, (figure.axis(0.3) + figure.turn * 0.02, figure.shoulder_y + 0.115), color, looks.accent,
                   figure.shoulder * 0.8)
    _hem(canvas, figure, garment, color, outline, hem)
    with canvas.inside(outline):
        if view == "front":
            inner = looks.upper[1] if two else looks.inner
            _front(canvas, figure, values, looks, hem, inner if opened else None)
        elif view == "side":
            _edge(canvas, figure, garment, looks, hem, looks.upper[1] if two else looks.inner, opened)
        else:
            _back(canvas, figure, garment, color, hem)
    if garment == "hoodie" and values["headwear"][0] != "hood":
        _hood_down(canvas, figure, color)
    collar = values["upper.neckline"][0] == "collar" or garment in ("jacket", "padded coat", "coat")
    if collar and garment not in ("suit", "dress", "hoodie"):
        _collar(canvas, figure, shade(color, 1.12 if sum(color) < 600 else 0.93), tall=garment == "padded coat")


def _hem(canvas: Canvas, figure: Figure, garment: str, color: RGB, outline: list[Point], hem: float) -> None:
    with canvas.inside(outline) as (x1, _, x2, y2):
        if garment in ("sweater", "hoodie", "jacket"):  # ribbed
            canvas.mark([(x1, hem - 0.022), (x2, hem - 0.022), (x2, y2), (x1, y2)], shade(color, 0.72), 150)
        if garment == "dress":
            canvas.line([(x1, figure.waist_y + 0.012), (x2, figure.waist_y + 0.012)], shade(color, 0.6), 0.012, 220)
            for share in (-0.6, -0.2, 0.25, 0.65):
                top = (figure.axis(figure.waist_y) + share * figure.waist, figure.waist_y + 0.03)
                canvas.line([top, (top[0] + share * 0.08, hem)], shade(color, 0.75), 0.006, 130)
        if garment == "graduation gown":
            for share in (-0.75, -0.4, 0.4, 0.75):
                canvas.line([(share * figure.shoulder, figure.shoulder_y + 0.08), (share * figure.hip * 1.9, hem)],
                            shade(color, 0.6 if sum(color) > 150 else 2.0), 0.006, 130)


def _front(canvas: Canvas, figure: Figure, values: Values, looks: Looks, hem: float, inner: RGB | None) -> None:
    """Neckline, buttons, lapels, pockets as seen from the front."""
    garment, color = values["upper.garment"][0], looks.upper[0]
    top = figure.shoulder_y
    middle = figure.turn * 0.03
    dark = shade(color, 0.6) if sum(color) > 130 else (70, 70, 76)
    x = figure.axis(top) + middle

    if inner is not None:
        low, gap = (figure.waist_y, 0.0) if garment == "suit" else (hem, 0.026)
        canvas.mark([(x - 0.034, top - 0.03), (x + 0.034, top - 0.03), (x + gap + 0.018, figure.waist_y - 0.03),
                     (middle + gap, low), (middle - gap, low), (x - gap - 0.018, figure.waist_y - 0.03)],
                    inner if garment != "suit" else (234, 234, 232))
        for side in (-1, 1):
            lapel = [(x + side * 0.03, top - 0.025), (x + side * 0.062, top + 0.07),
                     (x + side * (gap + 0.016), figure.waist_y - 0.05), (x + side * 0.02, top + 0.05)]
            canvas.mark(lapel, shade(color, 0.82) if sum(color) > 130 else shade(color, 1.35))
            canvas.line([(x + side * 0.028, top), (middle + side * gap, low), (middle + side * gap, hem)], dark, 0.004)
        if garment == "suit":
            canvas.line([(middle, figure.waist_y), (middle, hem)], dark, 0.004)
            canvas.mark(ellipse((middle, figure.waist_y + 0.01), 0.005, 0.005), contrast(color))
        return
    neck = values["upper.neckline"][0]
    if garment == "hoodie":
        canvas.mark([(x - 0.05, figure.waist_y + 0.02), (x + 0.05, figure.waist_y + 0.02),
                     (x + 0.07, hem - 0.03), (x - 0.07, hem - 0.03)], shade(color, 0.8))
        for side in (-1, 1):
            canvas.line([(x + side * 0.018, top + 0.02), (x + side * 0.02, top + 0.095)], contrast(color), 0.005)
    elif garment == "graduation gown":
        for side in (-1, 1):
            canvas.line([(x + side * 0.03, top - 0.01), (x, top + 0.15)], looks.accent, 0.016)
        canvas.line([(x, top + 0.15), (middle, hem)], dark, 0.004)
    elif garment == "chef uniform":
        for side in (-1, 1):
            for row in range(5):
                canvas.mark(ellipse((x + side * 0.03, top + 0.05 + row * 0.06), 0.007, 0.007), (36, 36, 40))
        canvas.line([(x + 0.045, top), (x + 0.045, hem)], shade(color, 0.7), 0.004)
    elif garment in ("shirt", "jacket", "coat", "padded coat", "vest"):
        zipped = garment in ("jacket", "padded coat", "vest")
        canvas.line([(x, top), (middle, hem)], (150, 150, 156) if zipped else dark, 0.006 if zipped else 0.004)
        if not zipped:
            for row in range(6 if garment == "shirt" else 4):
                y = top + 0.04 + row * (hem - top - 0.05) / (6 if garment == "shirt" else 4)
                button = shade(color, 0.4) if sum(color) > 300 else (190, 186, 176)
                canvas.mark(ellipse((x + 0.006, y), 0.0065, 0.0065), button)
        if garment == "shirt":
            canvas.line([(x - 0.016, top), (middle - 0.016, hem)], dark, 0.003, 130)
            canvas.line([(x + 0.03, top + 0.075), (x + 0.075, top + 0.075), (x + 0.075, top + 0.12),
                         (x + 0.03, top + 0.12), (x + 0.03, top + 0.075)], dark, 0.003, 130)
        else:
            for side in (-1, 1):
                y = figure.hip_y - 0.06
                canvas.line([(x + side * 0.055, y + 0.03), (x + side * 0.075, y - 0.02)], dark, 0.006)
    elif garment == "blouse":
        for side in (-1, 1):
            canvas.line([(x + side * 0.03, top + 0.05), (x + side * 0.05, hem)], dark, 0.004, 110)
    if garment in ("t-shirt", "sweater", "blouse", "dress", "hoodie", "vest") and neck != "collar":
        deep = 0.055 if neck == "v-neck" else 0.026
        below = looks.inner if garment == "vest" and values["upper.sleeve"][0] != "sleeveless" else looks.skin
        hole = ([(x - 0.042, top - 0.03), (x + 0.042, top - 0.03), (x, top + deep + 0.012)] if neck == "v-neck"
                else ellipse((x, top - 0.018), 0.04, deep + 0.014))
        canvas.mark(hole, below)
        canvas.line([*hole, hole[0]], shade(color, 0.7), 0.006, 200)
        if garment == "blouse":  # a bow
            for side in (-1, 1):
                canvas.mark([(x, top + deep), (x + side * 0.034, top + deep - 0.016),
                             (x + side * 0.034, top + deep + 0.016)],
                            shade(color, 0.78))


def _edge(canvas: Canvas, figure: Figure, garment: str, looks: Looks, hem: float, inner: RGB, opened: bool) -> None:
    """The front edge as seen from the side."""
    if not opened:
        return
    forward = 1.0 if figure.turn > 0 else -1.0
    strip = [(figure.axis(y) + forward * (width - 0.022), y) for y, width in
             ((figure.shoulder_y, figure.neck_width + 0.01), (figure.shoulder_y + 0.1, figure.shoulder),
              (figure.waist_y, figure.waist + 0.012), (hem, figure.hip + 0.012))]
    far = [(x + forward * 0.1, y) for x, y in strip[::-1]]
    if garment == "suit":
        strip, far = strip[:3], far[1:]
    canvas.mark([*strip, *far], (234, 234, 232) if garment == "suit" else inner)
    canvas.line(strip, shade(looks.upper[0], 0.6), 0.005)


def _back(canvas: Canvas, figure: Figure, garment: str, color: RGB, hem: float) -> None:
    dark = shade(color, 0.65) if sum(color) > 130 else (60, 60, 66)
    top = figure.shoulder_y
    if garment in ("shirt", "jacket"):
        canvas.line([(-figure.shoulder, top + 0.06), (0, top + 0.052), (figure.shoulder, top + 0.06)], dark, 0.004, 170)
    if garment in ("suit", "coat"):
        canvas.line([(figure.axis(top), top), (0, hem)], dark, 0.004, 150)
        canvas.line([(0, hem - 0.09), (0, hem)], dark, 0.008, 220)
    if garment == "coat":
        canvas.line([(-0.06, figure.waist_y), (0.06, figure.waist_y)], dark, 0.012, 200)


def _hood_down(canvas: Canvas, figure: Figure, color: RGB) -> None:
    """A hood lying on the shoulders: a bag on the back, a thick collar from the front."""
    x, y = figure.axis(figure.shoulder_y), figure.shoulder_y
    if figure.view == "back":
        canvas.part(smooth([(x - 0.062, y - 0.03), (x + 0.062, y - 0.03), (x + 0.07, y + 0.05), (x, y + 0.105),
                            (x - 0.07, y + 0.05)]), shade(color, 0.92))
        canvas.mark(ellipse((x, y - 0.012), 0.048, 0.02), shade(color, 0.5))
    elif figure.side:
        back = -1.0 if figure.turn > 0 else 1.0
        canvas.part(smooth([(x + back * 0.01, y - 0.03), (x + back * 0.075, y - 0.035), (x + back * 0.1, y + 0.03),
                            (x + back * 0.05, y + 0.085), (x + back * 0.015, y + 0.03)]), shade(color, 0.92))
    else:
        for side in (-1, 1):
            canvas.part(smooth([(x + side * 0.03, y - 0.05), (x + side * 0.068, y - 0.02), (x + side * 0.05, y + 0.03),
                                (x, y + 0.042), (x + side * 0.02, y)]), shade(color, 0.88))


def _collar(canvas: Canvas, figure: Figure, color: RGB, *, tall: bool) -> None:
    x, y = figure.axis(figure.shoulder_y), figure.shoulder_y
    rise = 0.05 if tall else 0.03
    half = figure.neck_width + 0.012
    if figure.view == "front":
        x += figure.turn * 0.02
        for side in (-1, 1):
            canvas.part([(x + side * 0.004, y + 0.004), (x + side * half, y - rise),
                         (x + side * (half + 0.012), y + 0.012),
                         (x + side * 0.028, y + 0.034)], color, relief=0.5)
    else:
        canvas.part([(x - half, y - rise), (x + half, y - rise), (x + half + 0.008, y + 0.012), (x, y + 0.022),
                     (x - half - 0.008, y + 0.012)], color, relief=0.5)
