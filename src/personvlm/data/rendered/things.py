"""What is carried: bags on the body, bags in the hand, and other things held."""

from __future__ import annotations

from personvlm.data.rendered.canvas import Canvas, Point, ellipse, rounded, smooth
from personvlm.data.rendered.palette import RGB, contrast, shade
from personvlm.data.rendered.people import HELD_BEFORE, Looks
from personvlm.data.rendered.pose import Figure
from personvlm.schema import Values


def bag_color(looks: Looks) -> RGB:
    """Color of bags: it stands out from the upper garment, or nobody could see it."""
    near = sum(abs(a - b) for a, b in zip(looks.bag, looks.upper[0], strict=True)) < 110
    return contrast(looks.upper[0]) if near else looks.bag


def behind(canvas: Canvas, figure: Figure, values: Values, looks: Looks) -> None:
    """What the body hides in part: the pack of a person who faces the camera, a suitcase that is pulled."""
    carrying = values["carrying"]
    if "backpack" in carrying and figure.view == "front":
        x, y, half = -figure.turn * 0.08, figure.shoulder_y, figure.shoulder * 0.98
        canvas.part(smooth([(x - half * 0.8, y - 0.03), (x + half * 0.8, y - 0.03), (x + half * 1.1, y + 0.14),
                            (x + half, y + 0.25), (x - half, y + 0.25), (x - half * 1.1, y + 0.14)]),
                    bag_color(looks))
    if {"suitcase", "luggage"} & set(carrying):
        _suitcase(canvas, figure, looks, big="luggage" in carrying)


def _suitcase(canvas: Canvas, figure: Figure, looks: Looks, *, big: bool) -> None:
    hand = figure.arms[figure.busy].end
    outward = (-1.0 if figure.turn > 0 else 1.0) if figure.side else (1.0 if hand[0] > 0 else -1.0)
    color = looks.accent if sum(looks.accent) < 560 else (60, 66, 84)
    half, tall = (0.085, 0.27) if big else (0.066, 0.21)
    x, bottom = hand[0] + outward * (0.12 if figure.side else 0.065), 0.975
    top = bottom - tall
    for side in (-0.35, 0.35):
        canvas.line([(x + side * half, top + 0.01),
                     (hand[0] + side * half * 0.6, hand[1])], (150, 152, 158), 0.007, solid=True)
    canvas.line([(hand[0] - half * 0.4, hand[1]), (hand[0] + half * 0.4, hand[1])], (40, 40, 44), 0.014, solid=True)
    canvas.part(rounded(_box_of(x, half, top, bottom), 0.02), color)
    for side in (-0.5, 0.0, 0.5):
        canvas.line([(x + side * half, top + 0.02), (x + side * half, bottom - 0.02)], shade(color, 0.65), 0.006)
    for side in (-0.7, 0.7):
        canvas.oval((x + side * half, bottom + 0.012), 0.013, 0.015, (28, 28, 30))


def on_body(canvas: Canvas, figure: Figure, values: Values, looks: Looks) -> None:
    """Backpack, shoulder bag and messenger bag; drawn after the torso, before the near arm and the head."""
    carrying, color = values["carrying"], bag_color(looks)
    if "backpack" in carrying:
        _backpack(canvas, figure, color)
    if "messenger bag" in carrying or "shoulder bag" in carrying:
        _slung(canvas, figure, color, looks, diagonal="messenger bag" in carrying)


def _backpack(canvas: Canvas, figure: Figure, color: RGB) -> None:
    y = figure.shoulder_y
    dark = shade(color, 0.6) if sum(color) > 130 else (64, 64, 70)
    if figure.view == "back":
        x, half = -figure.turn * 0.03, figure.shoulder * 0.8
        shape = smooth([(x - half * 0.75, y - 0.015), (x + half * 0.75, y - 0.015), (x + half * 1.08, y + 0.1),
                        (x + half, y + 0.265), (x - half, y + 0.265), (x - half * 1.08, y + 0.1)])
        canvas.part(shape, color)
        pocket = smooth([(x - half * 0.7, y + 0.14), (x + half * 0.7, y + 0.14), (x + half * 0.72, y + 0.245),
                         (x - half * 0.72, y + 0.245)], 1)
        canvas.part(pocket, shade(color, 1.1) if sum(color) < 600 else shade(color, 0.92), relief=0.6)
        canvas.line([(x - half * 0.6, y + 0.155), (x + half * 0.6, y + 0.155)], dark, 0.005)
        canvas.line([*ellipse((x, y + 0.07), half * 0.75, 0.07, 190, 350)], dark, 0.006)
        canvas.line([(x - 0.02, y - 0.015), (x, y - 0.032), (x + 0.02, y - 0.015)], dark, 0.009, solid=True)
    elif figure.side:
        back = -1.0 if figure.turn > 0 else 1.0
        x = figure.axis(y) + back * (figure.shoulder - 0.012)
        canvas.part(smooth([(x, y), (x + back * 0.07, y - 0.005), (x + back * 0.125, y + 0.08),
                            (x + back * 0.13, y + 0.24),
                            (x + back * 0.06, y + 0.27), (x, y + 0.25)]), color)
        canvas.line([(x + back * 0.05, y + 0.15), (x + back * 0.12, y + 0.15)], dark, 0.006)
        canvas.line([(x + back * 0.03, y + 0.01), (x - back * 0.05, y + 0.005), (x - back * 0.075, y + 0.09),
                     (x - back * 0.04, y + 0.19), (x, y + 0.215)], color, 0.022)
    else:
        for side in (-1, 1):
            x = side * figure.shoulder * 0.56 + figure.turn * 0.02
            strap = [(x - side * 0.008, y - 0.01), (x + side * 0.004, y + 0.08), (x + side * 0.014, y + 0.15),
                     (x + side * 0.035, y + 0.19)]
            canvas.line(strap, color, 0.026)
            canvas.line([(a + side * 0.011, b) for a, b in strap], dark, 0.004)


def _slung(canvas: Canvas, figure: Figure, color: RGB, looks: Looks, *, diagonal: bool) -> None:
    """A bag on a strap: across the chest to the other hip, or hanging from the near shoulder."""
    y = figure.shoulder_y
    side = float(looks.bag_side) * (-1.0 if figure.view == "back" else 1.0)
    if figure.side:
        side = -1.0 if figure.turn > 0 else 1.0
        half, shift = 0.062, figure.axis(y)
        at: Point = (side * 0.02, figure.hip_y - 0.005)
        shoulder = (shift, y - 0.005)
    else:
        half = 0.066
        at = (side * (figure.hip + 0.006), figure.hip_y - (0.0 if diagonal else 0.07))
        shoulder = (-side * figure.shoulder * 0.5, y - 0.008) if diagonal else (side * figure.shoulder * 0.72, y)
    top = at[1] - 0.05
    strap = shade(color, 0.85) if sum(color) > 130 else shade(color, 1.2)
    for end in ((at[0] - half * 0.7, top), (at[0] + half * 0.7, top)) if not diagonal else ((at[0], top),):
        canvas.line([shoulder, end], strap, 0.017 if diagonal else 0.011)
    shape = rounded([(at[0] - half, top), (at[0] + half, top), (at[0] + half * 1.05, top + 0.11),
                     (at[0] - half * 1.05, top + 0.11)], 0.018)
    canvas.part(shape, color)
    dark = shade(color, 0.6) if sum(color) > 130 else (66, 66, 72)
    if diagonal:
        canvas.mark([(at[0] - half * 0.95, top + 0.004), (at[0] + half * 0.95, top + 0.004),
                     (at[0] + half * 0.9, top + 0.06),
                     (at[0] - half * 0.9, top + 0.06)], shade(color, 1.12) if sum(color) < 600 else shade(color, 0.9))
        canvas.line([(at[0] - half * 0.9, top + 0.06), (at[0] + half * 0.9, top + 0.06)], dark, 0.005)
    else:
        canvas.line([(at[0] - half * 0.9, top + 0.02), (at[0] + half * 0.9, top + 0.02)], dark, 0.005)


def in_hand(canvas: Canvas, figure: Figure, values: Values, looks: Looks) -> None:
    """Things that hang from the hand or are held; drawn last."""
    carrying, (x, y) = set(values["carrying"]), figure.arms[figure.busy].end
    if figure.view == "back":
        carrying -= HELD_BEFORE
    color = bag_color(looks)
    if "handbag" in carrying or "bag" in carrying:
        _hanging(canvas, (x, y), 0.058, 0.085, color, drop=0.06, flare=0.85)
    if "briefcase" in carrying:
        _hanging(canvas, (x, y), 0.085, 0.115, shade((72, 44, 28), 1.0), drop=0.03, flare=1.0)
    if "plastic bag" in carrying:
        _plastic(canvas, (x, y), looks)
    if "paper bag" in carrying:
        _hanging(canvas, (x, y), 0.058, 0.15, (190, 150, 100), drop=0.06, flare=1.0)
    if "bottle" in carrying:
        canvas.part(rounded(_box_of(x, 0.016, y - 0.05, y + 0.035), 0.008), (120, 190, 226))
        canvas.part(_box_of(x, 0.008, y - 0.066, y - 0.048), (40, 90, 190))
    if "phone" in carrying:
        canvas.part(_box_of(x, 0.016, y - 0.045, y + 0.02), (22, 22, 26))
        canvas.mark(_box_of(x, 0.012, y - 0.04, y + 0.014), (120, 160, 200))
    if "folder" in carrying:
        canvas.part([(x - 0.06, y - 0.09), (x + 0.06, y - 0.08), (x + 0.056, y + 0.07),
                     (x - 0.064, y + 0.06)], looks.accent)
        canvas.line([(x - 0.05, y - 0.06), (x + 0.03, y - 0.055)], contrast(looks.accent), 0.006)
    if "box" in carrying:
        _box(canvas, figure)
    if "umbrella" in carrying:
        _umbrella(canvas, (x, y), looks)
    if "making a phone call" in values["activity"]:
        ear = figure.arms[1 - figure.busy].end
        canvas.part(_box_of(ear[0], 0.009, ear[1] - 0.04, ear[1] + 0.024), (20, 20, 24))


def _box_of(x: float, half: float, top: float, bottom: float) -> list[Point]:
    return [(x - half, top), (x + half, top), (x + half, bottom), (x - half, bottom)]


def _hanging(canvas: Canvas, hand: Point, half: float, tall: float, color: RGB, *, drop: float, flare: float) -> None:
    x, y = hand[0], hand[1] + drop
    canvas.line([(x - half * 0.5, y + 0.01), (hand[0] - 0.006, hand[1]), (hand[0] + 0.006, hand[1]),
                 (x + half * 0.5, y + 0.01)],
                shade(color, 0.7), 0.009, solid=True)
    shape = [(x - half * flare, y), (x + half * flare, y), (x + half, y + tall), (x - half, y + tall)]
    canvas.part(rounded(shape, 0.016 if flare < 1 else 0.004), color)
    canvas.line([(x - half * 0.95, y + tall * 0.22), (x + half * 0.95, y + tall * 0.22)], shade(color, 0.6), 0.005)
    if drop < 0.05:
        canvas.mark(_box_of(x, 0.012, y + tall * 0.15, y + tall * 0.32), (206, 174, 92))


def _plastic(canvas: Canvas, hand: Point, looks: Looks) -> None:
    x, y = hand
    tone = (226, 228, 230) if looks.accent[0] % 2 == 0 else (214, 60, 66)
    canvas.part(smooth([(x - 0.008, y - 0.005), (x + 0.008, y - 0.005), (x + 0.03, y + 0.055), (x + 0.064, y + 0.11),
                        (x + 0.052, y + 0.195), (x - 0.048, y + 0.2), (x - 0.066, y + 0.12),
                        (x - 0.03, y + 0.055)]), tone)
    for dx, dy in ((-0.03, 0.17), (0.012, 0.18), (0.036, 0.15)):
        canvas.line([(x, y + 0.03), (x + dx, y + dy)], shade(tone, 0.8), 0.004, 160)


def _box(canvas: Canvas, figure: Figure) -> None:
    hands = [arm.end for arm in figure.arms]
    x, y = sum(p[0] for p in hands) / 2, sum(p[1] for p in hands) / 2
    half = 0.07 if figure.side else 0.105
    x += (0.05 if figure.turn > 0 else -0.05) if figure.side else 0.0
    canvas.part(_box_of(x, half, y - 0.095, y + 0.03), (184, 140, 92))
    canvas.line([(x, y - 0.095), (x, y + 0.03)], (214, 190, 140), 0.022)


def _umbrella(canvas: Canvas, hand: Point, looks: Looks) -> None:
    x, y = hand
    top, color = -0.17, looks.accent
    canvas.line([(x, y + 0.04), (x, top)], (60, 60, 64), 0.009, solid=True)
    canopy = ellipse((x, -0.005), 0.21, 0.17, 180, 360)
    canvas.part(canopy, color)
    for share in (-0.55, 0.0, 0.55):
        canvas.line([(x, top), (x + share * 0.21, -0.005)], shade(color, 0.7), 0.005)
