"""One person on a transparent sheet: the parts in the order in which they cover each other."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from personvlm.data.rendered import head, lower, things, upper
from personvlm.data.rendered.canvas import Canvas
from personvlm.data.rendered.palette import stream
from personvlm.data.rendered.people import Looks, check, complete
from personvlm.data.rendered.pose import Figure, build
from personvlm.schema import Values

Facing = Literal["left", "right"]

_YAW = {"front": 0.0, "side": math.pi / 2, "back": math.pi}
_HEADROOM = 0.05
_UMBRELLA_ROOM = 0.19


def person_layer(
    values: Values, seed: int, height: int, phase: float, *, facing: Facing | None = None, light: float = -0.6
) -> NDArray[np.uint8]:
    """Draw a person alone, for scenes: no ground, no shadow, no camera.

    The same values and seed look the same at every phase and from every view, so that one person can walk past
    several cameras.

    Args:
        values: as in :func:`personvlm.data.rendered.render`.
        seed: of everything that the values leave open.
        height: pixels from crown to soles, at least 24. Children are not made shorter: that is the scene's part.
        phase: where in the stride (two steps) the body is, 0..1; used when the posture is walking or running.
        facing: where a person in side view looks; by default the seed decides.
        light: where the light comes from, -1 (left) to 1 (right).

    Returns:
        ``uint8 [rows, columns, 4]``, RGB and alpha. The body's axis is the middle column, the soles of the feet stand
        on the bottom edge, and above the crown is room for hats (more where there is an umbrella).

    Raises:
        ValueError: a value that does not exist or that has no drawing, or ``height`` too small.
    """
    check(values)
    if height < 24:
        raise ValueError(f"height must be at least 24 pixels, not {height}")
    known = complete(values, seed)
    looks = Looks.build(known, seed)
    rng = stream(seed, "pose")
    side = 1.0 if rng.random() < 0.5 else -1.0
    yaw = _YAW[known["view"][0]] + float(rng.uniform(-0.3, 0.3))
    if known["view"][0] == "side":
        side = {"left": -1.0, "right": 1.0}[facing] if facing else side
        yaw *= side
    figure = build(known, phase=phase, yaw=yaw, bag_side=_busy_hand(known, looks, side), spread=looks.spread)
    top = _HEADROOM + (_UMBRELLA_ROOM if "umbrella" in known["carrying"] else 0.0)
    canvas = Canvas(height, top, light)
    _draw(canvas, figure, known, looks)
    return canvas.finish(stream(seed, "folds"), figure.chin)


def _busy_hand(known: Values, looks: Looks, side: float) -> int:
    """The hand that carries: in side view the near one, as the body would hide the other."""
    if known["view"][0] != "side":
        return looks.bag_side
    return -1 if side > 0 else 1


def _draw(canvas: Canvas, figure: Figure, values: Values, looks: Looks) -> None:
    raised = [arm for arm in figure.arms if arm.end[1] < figure.shoulder_y]
    rest = [arm for arm in figure.arms if arm not in raised]
    far = [arm for arm in rest if arm.depth < -0.06]
    near = [arm for arm in rest if arm.depth >= -0.06]
    things.behind(canvas, figure, values, looks)
    for arm in far:
        upper.arm(canvas, figure, arm, values, looks)
    lower.legs(canvas, figure, values, looks)
    upper.body(canvas, figure, values, looks)
    if figure.view != "front":
        head.neckwear(canvas, figure, values, looks)
    things.on_body(canvas, figure, values, looks)
    if figure.view == "front":
        head.neckwear(canvas, figure, values, looks)
    for arm in near:
        upper.arm(canvas, figure, arm, values, looks)
    head.hair_behind(canvas, figure, values, looks)
    head.head(canvas, figure, values, looks)
    for arm in raised:
        upper.arm(canvas, figure, arm, values, looks)
    things.in_hand(canvas, figure, values, looks)
