"""What is worn below: legs, trousers, skirts, shoes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from personvlm.data.rendered import cloth
from personvlm.data.rendered.canvas import Canvas, Point, ellipse, mix, smooth
from personvlm.data.rendered.palette import RGB, contrast, shade
from personvlm.data.rendered.people import ONE_PIECE, Looks
from personvlm.data.rendered.pose import Figure, Limb
from personvlm.schema import Values

# How far down the leg the cloth reaches (0 hip, 1 knee, 2 ankle) and how wide it is around the leg at the end.
_LEGS: Mapping[str, tuple[float, float]] = MappingProxyType({
    "trousers": (1.97, 0.010), "jeans": (1.97, 0.007), "suit trousers": (2.0, 0.012), "leggings": (1.93, 0.001),
    "sweatpants": (1.9, 0.014), "shorts": (0.9, 0.014), "hot pants": (0.34, 0.006), "capri pants": (1.5, 0.008),
})
_SKIRTS: Mapping[str, tuple[float, float]] = MappingProxyType({
    "short skirt": (0.155, 0.034), "skirt": (0.2, 0.03), "long skirt": (0.36, 0.05),
})


def legs(canvas: Canvas, figure: Figure, values: Values, looks: Looks) -> None:
    """Both legs with shoes and trousers, then the seat or the skirt."""
    garment = values["lower.garment"][0]
    upper = values["upper.garment"][0]
    if upper in ONE_PIECE and garment not in ("leggings", "trousers"):
        garment = "bare" if upper == "dress" else "trousers"
    color = looks.lower[0]
    hip = figure.hip + 0.004
    seat = smooth([(-hip * 0.9, figure.waist_y + 0.02), (hip * 0.9, figure.waist_y + 0.02), (hip, figure.hip_y - 0.04),
                   (hip * 0.9, figure.hip_y + 0.02), (0, figure.hip_y + 0.035), (-hip * 0.9, figure.hip_y + 0.02),
                   (-hip, figure.hip_y - 0.04)], 1)
    for order, leg in enumerate(figure.legs):
        tone = 0.86 if order == 0 and figure.side else 1.0  # the far leg lies in shadow
        _leg(canvas, figure, leg, garment, values, looks, tone)
    if garment in _SKIRTS:
        _skirt(canvas, figure, garment, values, looks)
    elif garment != "bare":
        canvas.part(seat, color, relief=0.5)
        _patches(canvas, seat, values, looks)
        if garment == "jeans" and figure.view == "back":
            for side in (-1, 1):
                x, y = side * hip * 0.48, figure.hip_y - 0.035
                box = [(x - 0.026, y - 0.025), (x + 0.026, y - 0.025), (x + 0.026, y + 0.015), (x, y + 0.03),
                       (x - 0.026, y + 0.015)]
                canvas.line([*box, box[0]], _stitch(color), 0.004)
        elif figure.view == "front" and garment in ("jeans", "trousers", "suit trousers"):
            canvas.line([(0, figure.hip_y - 0.05), (0, figure.hip_y + 0.03)], shade(color, 0.6), 0.004)


def _stitch(color: RGB) -> RGB:
    return (196, 150, 84) if sum(color) < 420 else (150, 110, 60)


def _along(leg: Limb, reach: float) -> Point:
    return mix(leg.start, leg.middle, reach) if reach <= 1 else mix(leg.middle, leg.end, reach - 1)


def _leg(
    canvas: Canvas, figure: Figure, leg: Limb, garment: str, values: Values, looks: Looks, tone: float
) -> None:
    width, shoe = leg.width, values["footwear.type"][0]
    reach, wide = _LEGS.get(garment, (0.0, 0.0))
    bare = shade(looks.shoes, tone) if shoe == "stockings" else shade(looks.skin, tone)
    if reach < 1.8:
        canvas.limb([leg.start, leg.middle, mix(leg.middle, leg.end, 0.4), leg.end],
                    [width, width * 0.68, width * 0.72, width * 0.42], bare)
    tall_boot = shoe == "boots"
    if not tall_boot:
        _shoe(canvas, figure, leg, shoe, looks, tone)
    if reach:
        color = shade(looks.lower[0], tone)
        stops = [stop for stop in (0.0, 1.0, 1.45) if stop < reach - 0.05] + [reach]
        girth = {0.0: 1.0, 1.0: 0.72, 1.45: 0.7}
        widths = [width * girth.get(stop, 0.72 if reach < 1.5 else 0.55) + wide for stop in stops]
        if reach < 1.0:
            widths[-1] = width * 0.9 + wide
        outline = canvas.limb([_along(leg, stop) for stop in stops], widths, color)
        _patches(canvas, outline, values, looks)
        _trouser_details(canvas, leg, outline, garment, color, reach)
    if tall_boot:
        _shoe(canvas, figure, leg, shoe, looks, tone)


def _patches(canvas: Canvas, outline: list[Point], values: Values, looks: Looks) -> None:
    if "multicolored" in values["lower.color"]:
        cloth.pattern(canvas, outline, "plain", looks.lower, patches=True, seed=looks.seed)
    elif len(values["lower.color"]) > 1 and looks.lower[0] != looks.lower[1]:
        cloth.pattern(canvas, outline, "plaid", looks.lower, patches=False, seed=looks.seed)


def _trouser_details(
    canvas: Canvas, leg: Limb, outline: list[Point], garment: str, color: RGB, reach: float
) -> None:
    knee, hem = leg.middle, _along(leg, reach)
    with canvas.inside(outline):
        if garment == "jeans":
            canvas.mark(ellipse(mix(leg.start, knee, 0.6), 0.018, 0.075), shade(color, 1.35), 110)
            canvas.mark(ellipse(mix(knee, hem, 0.3), 0.013, 0.05), shade(color, 1.3), 80)
            for side in (-1, 1):
                canvas.line([(x + side * 0.026, y) for x, y in (leg.start, knee, hem)], _stitch(color), 0.003, 190)
            canvas.line([(hem[0] - 0.05, hem[1] - 0.014), (hem[0] + 0.05, hem[1] - 0.014)], _stitch(color), 0.003)
            for share in (0.2, 0.55):
                y = knee[1] + (share - 0.3) * 0.06
                canvas.line([(knee[0] - 0.03, y), (knee[0] + 0.03, y + 0.01)], shade(color, 0.7), 0.004, 140)
        elif garment == "suit trousers":
            canvas.line([leg.start, knee, hem], shade(color, 1.4), 0.005, 190)
        elif garment == "sweatpants":
            canvas.line([mix(knee, hem, 0.9), hem], shade(color, 0.7), 0.08, 150)
            canvas.line([(x + 0.03, y) for x, y in (leg.start, knee, hem)], contrast(color), 0.008, 230)
        elif garment in ("trousers", "shorts", "capri pants"):
            canvas.line([(hem[0] - 0.06, hem[1] - 0.012),
                         (hem[0] + 0.06, hem[1] - 0.012)], shade(color, 0.7), 0.004, 160)


def _skirt(canvas: Canvas, figure: Figure, garment: str, values: Values, looks: Looks) -> None:
    length, flare = _SKIRTS[garment]
    hem, hip, waist = figure.hip_y + length - 0.03, figure.hip + 0.01, figure.waist + 0.004
    outline = smooth([(-waist, figure.waist_y), (waist, figure.waist_y), (hip, figure.hip_y - 0.03),
                      (hip + flare, hem - 0.01), (hip + flare - 0.008, hem + 0.004), (0, hem + 0.014),
                      (-hip - flare + 0.008, hem + 0.004), (-hip - flare, hem - 0.01), (-hip, figure.hip_y - 0.03)], 1)
    color = looks.lower[0]
    canvas.part(outline, color)
    _patches(canvas, outline, values, looks)
    with canvas.inside(outline):
        for share in (-0.7, -0.25, 0.2, 0.65):
            canvas.line([(share * waist, figure.waist_y + 0.04), (share * (hip + flare) * 1.1, hem + 0.02)],
                        shade(color, 0.62) if sum(color) > 130 else (62, 62, 68), 0.006, 150)


def _shoe(canvas: Canvas, figure: Figure, leg: Limb, kind: str, looks: Looks, tone: float) -> None:
    """The shoe below ``leg``, from its side or its end."""
    x, y = leg.end
    sole_y, color, skin = y + 0.045, shade(looks.shoes, tone), shade(looks.skin, tone)
    if kind == "boots":
        shaft = [mix(leg.middle, leg.end, 0.42), leg.end]
        canvas.limb(shaft, [leg.width * 0.74, leg.width * 0.62], color)
    ahead = 1.0 if figure.turn > 0 else -1.0
    if figure.side:
        toe, heel = x + ahead * 0.088, x - ahead * 0.026
        upper = smooth([(heel, y - 0.006), (x + ahead * 0.022, y - 0.012), (x + ahead * 0.06, y + 0.014),
                        (toe, y + 0.028), (toe, sole_y), (heel, sole_y)], 1)
    else:
        low = 0.014 if figure.view == "front" else 0.004
        upper = smooth([(x - 0.021, y - 0.014), (x + 0.021, y - 0.014), (x + 0.034, sole_y - 0.01 + low),
                        (x + 0.03, sole_y + low), (x - 0.03, sole_y + low), (x - 0.034, sole_y - 0.01 + low)], 1)
        toe, heel, sole_y = x + 0.03, x - 0.03, sole_y + low
    if kind in ("sandals", "slippers"):
        canvas.part(upper, skin, relief=0.5)
        with canvas.inside(upper):
            for share in ((0.35, 0.72) if kind == "sandals" else (0.6,)):
                height = 0.009 if kind == "sandals" else 0.03
                at = y - 0.012 + share * (sole_y - y)
                canvas.line([(x - 0.1, at), (x + 0.1, at + 0.006)], color, height)
        canvas.line([(heel, sole_y - 0.003), (toe, sole_y - 0.003)], color, 0.008)
        return
    canvas.part(upper, color, relief=0.6)
    if kind == "sneakers":
        sole = (238, 238, 236) if sum(color) < 560 else (176, 176, 180)
        canvas.line([(heel, sole_y - 0.006), (toe, sole_y - 0.006)], sole, 0.016)
        if figure.side:
            canvas.line([(x + ahead * 0.01, y + 0.02), (x + ahead * 0.045, y + 0.006)], contrast(color), 0.005)
        elif figure.view == "front":
            for row in range(3):
                canvas.line([(x - 0.012, y + row * 0.011), (x + 0.012, y + row * 0.011)], contrast(color), 0.004)
    elif kind in ("casual shoes", "shoes", "boots"):
        canvas.line([(heel, sole_y - 0.003), (toe, sole_y - 0.003)], shade(color, 0.5), 0.008)
    elif kind == "leather shoes":
        canvas.mark(ellipse((x + (ahead * 0.06 if figure.side else 0.0), y + 0.024), 0.014, 0.005),
                    (225, 225, 228), 130)
        canvas.line([(heel, sole_y - 0.002), (toe, sole_y - 0.002)], (24, 20, 20), 0.006)
    elif kind == "heels":
        canvas.mark(ellipse((x + (ahead * 0.02 if figure.side else 0.0), y - 0.002), 0.02, 0.011), skin)
        if figure.side:
            canvas.line([(heel + ahead * 0.006, sole_y - 0.01),
                         (heel + ahead * 0.002, sole_y + 0.014)], color, 0.01, solid=True)
