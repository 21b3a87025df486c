"""The body: proportions by age, gender and build, a pose by posture and walking phase, seen from one side.

Joints are placed in three dimensions (lateral, down, forward) and then turned by the yaw of the view, so that all
views share one body. Lengths are body units (see :mod:`personvlm.data.rendered.canvas`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from personvlm.data.rendered.canvas import Point
from personvlm.schema import Values

Point3 = tuple[float, float, float]

_SWING: Mapping[str, tuple[float, float]] = {"standing": (0.0, 0.0), "walking": (0.42, 0.40), "running": (0.58, 0.8)}
_HELD_UP = frozenset({"phone", "bottle", "folder"})
_TWO_HANDS = "box"


@dataclass(frozen=True)
class Limb:
    """Shoulder, elbow, hand; or hip, knee, ankle. ``depth`` is how much nearer than the body's axis it is."""

    start: Point
    middle: Point
    end: Point
    depth: float
    width: float  # half width at the start


@dataclass(frozen=True)
class Figure:
    """One body in one pose as the camera sees it.

    Attributes:
        view: front, back or side.
        turn: -1..1, how far the body points to the left or right of the picture.
        shoulder, waist, hip: half widths as seen.
        arms, legs: far one first. ``busy``: index of the arm that holds things.
    """

    view: str
    turn: float
    head: Point
    head_rx: float
    head_ry: float
    neck_width: float
    shoulder_y: float
    waist_y: float
    hip_y: float
    shoulder: float
    waist: float
    hip: float
    lean: float
    arms: tuple[Limb, Limb]
    legs: tuple[Limb, Limb]
    busy: int

    def axis(self, y: float) -> float:
        """x of the body's axis at height ``y``: it leans above the hips."""
        return self.turn * self.lean * max(0.0, (self.hip_y - y) / self.hip_y)

    @property
    def chin(self) -> float:
        """y of the chin."""
        return self.head[1] + self.head_ry

    @property
    def side(self) -> bool:
        """Whether the body is seen from the side."""
        return self.view == "side"


def build(values: Values, *, phase: float, yaw: float, bag_side: int, spread: float) -> Figure:
    """The body of ``values``, which must be complete, at walking ``phase`` (one stride from 0 to 1).

    Args:
        yaw: radians; 0 looks into the camera, pi away from it, pi/2 to the right of the picture.
        bag_side: 1 for the person's left hand, -1 for the right: the one that carries.
        spread: 0..1, how far apart the feet stand.
    """
    age, gender, posture = values["age"][0], values["gender"][0], values["posture"][0]
    child, old = age == "child", age == "elderly"
    build_factor = {"thin": 0.88, "normal": 1.0, "fat": 1.2}[values["body"][0]]
    female = gender == "female" and not child
    head_height = 0.178 if child else 0.137
    stoop = 0.022 if old else 0.0
    shoulder_y = head_height + (0.032 if child else 0.04)
    hip_y = 0.565 if child else 0.515
    waist_y = shoulder_y + 0.6 * (hip_y - shoulder_y)
    shoulder, waist, hip = (0.107, 0.082, 0.084) if child else (0.103, 0.073, 0.092) if female else (0.12, 0.087, 0.088)
    shoulder, hip = shoulder * (0.5 + 0.5 * build_factor), hip * (0.2 + 0.8 * build_factor)
    waist *= build_factor**1.6
    cosine, sine = math.cos(yaw), math.sin(yaw)

    def seen(point: Point3) -> Point:
        x, y, z = point
        # Surveillance cameras look down: what is nearer appears lower.
        return x * cosine + z * sine, y + 0.07 * (z * cosine - x * sine)

    def as_wide(lateral: float, deep: float) -> float:
        return math.hypot(lateral * cosine, deep * sine)

    leg_swing, arm_swing = _SWING[posture]
    beat = math.sin(2 * math.pi * phase)
    lean = (0.075 if old else 0.015) + (0.03 if posture == "running" else 0.0)
    limb = build_factor**0.5 * (0.88 if female else 1.0)
    arms, legs = [], []
    for lateral in (1, -1):
        angle = leg_swing * beat * lateral
        lift = leg_swing * 1.5 * max(0.0, math.cos(2 * math.pi * phase) * lateral) + 0.35 * max(0.0, -angle)
        hip_joint = (lateral * hip * 0.52, hip_y - 0.03, 0.0)
        foot = lateral * (0.042 + 0.03 * spread * (posture == "standing"))
        length = (0.955 - hip_joint[1]) / 2
        knee = ((hip_joint[0] + foot) / 2, hip_joint[1] + length * math.cos(angle), length * math.sin(angle))
        shin = angle - lift
        ankle = (foot, knee[1] + length * math.cos(shin), knee[2] + length * math.sin(shin))
        legs.append(Limb(seen(hip_joint), seen(knee), seen(ankle), ankle[2] * cosine - lateral * 0.1 * sine,
                         as_wide(0.05, 0.06) * limb))
        start = (lateral * (shoulder - 0.016), shoulder_y + 0.036 + stoop, lean * 0.8)
        swing = -arm_swing * beat * lateral
        elbow, hand = _arm(values, lateral, start, swing, bag_side, (head_height, waist_y, hip_y, hip))
        depth = 0.5 * (hand[2] + elbow[2]) * cosine - lateral * 0.2 * sine**3  # the cube: yaw alone moves no arm
        arms.append(Limb(seen(start), seen(elbow), seen(hand), depth, 0.029 * limb))
    order = sorted(range(2), key=lambda index: arms[index].depth)
    legs.sort(key=lambda leg: leg.depth)
    head_x = sine * (lean * 1.1 + 0.012)
    return Figure(
        view=values["view"][0], turn=sine, head=(head_x, head_height / 2 + stoop),
        head_rx=as_wide(0.385, 0.44) * head_height, head_ry=head_height / 2, neck_width=0.026 if female else 0.032,
        shoulder_y=shoulder_y + stoop, waist_y=waist_y, hip_y=hip_y, shoulder=as_wide(shoulder, 0.066 * build_factor),
        waist=as_wide(waist, 0.064 * build_factor**1.6), hip=as_wide(hip, 0.078 * build_factor), lean=lean,
        arms=(arms[order[0]], arms[order[1]]), legs=(legs[0], legs[1]), busy=order.index(0 if bag_side == 1 else 1),
    )


def _arm(
    values: Values, lateral: int, start: Point3, swing: float, bag_side: int, body: tuple[float, float, float, float]
) -> tuple[Point3, Point3]:
    """Elbow and hand of one arm."""
    head_height, waist_y, hip_y, hip = body
    x, y, z = start
    upper = (hip_y - y) * 0.5
    activity, carrying = values["activity"], values["carrying"]
    if "making a phone call" in activity and lateral != bag_side:
        return (x + lateral * 0.045, y + 0.13, z + 0.05), (lateral * head_height * 0.46, head_height * 0.62, z + 0.04)
    if _TWO_HANDS in carrying:
        return (x + lateral * 0.02, y + upper, z), (lateral * 0.085, waist_y + 0.02, z + 0.17)
    if "umbrella" in carrying and lateral == bag_side:
        return (x + lateral * 0.02, y + upper * 0.9, z + 0.03), (lateral * (abs(x) + 0.005), y + 0.07, z + 0.13)
    if _HELD_UP & set(carrying) and lateral == bag_side:
        return (x + lateral * 0.02, y + upper, z), (lateral * 0.075, waist_y - 0.025, z + 0.13)
    if "arms crossed" in activity:
        return (x + lateral * 0.02, y + upper * 0.92, z + 0.02), (-lateral * 0.055, y + upper * 0.82, z + 0.1)
    if "hands behind back" in activity:
        return (x + lateral * 0.035, y + upper, z - 0.07), (-lateral * 0.012, hip_y - 0.035, z - 0.12)
    if {"suitcase", "luggage"} & set(carrying) and lateral == bag_side:
        swing = -0.3
    elif set(carrying) - {"none", "backpack", "messenger bag"} and lateral == bag_side:
        swing *= 0.2
    flex = swing + 0.12 + 0.6 * abs(swing)
    out = max(abs(x) + 0.012, hip + 0.012) * lateral
    elbow = (x + lateral * 0.018, y + upper * math.cos(swing), z + upper * math.sin(swing))
    return elbow, (out, elbow[1] + upper * 0.92 * math.cos(flex), elbow[2] + upper * 0.92 * math.sin(flex))
