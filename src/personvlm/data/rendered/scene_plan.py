"""Who walks where and when: people, their paths past several cameras, and how a camera sees the ground.

Every camera has a ground frame of its own, in meters: x to the right, y away from the camera, the camera above the
origin. The places that the cameras watch lie side by side, so that the way from one to the next takes its time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from personvlm.data.rendered.people import complete
from personvlm.schema import Values

Point = tuple[float, float]
View = Literal["front", "back", "side"]

SPACING = 15.0
"""Meters between the places of two neighboring cameras."""

NEAR, FAR = 5.0, 12.0
_STRIDE = 0.85
_HIDDEN = 0.5


@dataclass(frozen=True)
class Settings:
    """What a scene is made from.

    Attributes:
        seed: other numbers, other people and other ways.
        cameras: how many there are.
        people: how many walk about.
        twins: pairs among them that are dressed nearly alike.
        seconds: how long it lasts.
        rate: frames per second.
        size: width and height in pixels.
        occlusion: share of every path past a camera that is hidden behind pillars, at least.
    """

    seed: int = 0
    cameras: int = 2
    people: int = 8
    twins: int = 1
    seconds: float = 60.0
    rate: float = 10.0
    size: tuple[int, int] = (640, 480)
    occlusion: float = 0.2

    def __post_init__(self) -> None:
        width, height = self.size
        wrong = {
            "cameras must be 1 to 64": not 1 <= self.cameras <= 64,
            "people must be 1 to 500": not 1 <= self.people <= 500,
            "twins must be 0 to half of the people": not 0 <= self.twins <= self.people // 2,
            "seconds must be above 0 and at most 86400": not 0 < self.seconds <= 86400,
            "rate must be 1 to 60": not 1 <= self.rate <= 60,
            "the size must be 160x120 to 1920x1440": not (160 <= width <= 1920 and 120 <= height <= 1440),
            "occlusion must be 0 to 0.4": not 0 <= self.occlusion <= 0.4,
            "seed must not be negative": self.seed < 0,
        }
        for message, so in wrong.items():
            if so:
                raise ValueError(message)


@dataclass(frozen=True)
class Lens:
    """A pinhole camera ``height`` meters above the ground, looking down by ``pitch`` radians; ``focal`` in pixels."""

    size: tuple[int, int]
    height: float = 3.2
    pitch: float = 0.31

    @property
    def focal(self) -> float:
        """The field of view is the same at every size: 58 degrees across."""
        return 0.9 * self.size[0]

    def project(self, x: float, y: float, z: float) -> Point:
        """Pixel (column, row) of the point at ground (x, y), ``z`` meters above it."""
        down = self.height - z
        depth = y * math.cos(self.pitch) + down * math.sin(self.pitch)
        row = (down * math.cos(self.pitch) - y * math.sin(self.pitch)) / depth
        return self.size[0] / 2 + self.focal * x / depth, self.size[1] / 2 + self.focal * row

    def edge(self, y: float) -> float:
        """x of the right edge of the picture at ground distance ``y``."""
        depth = y * math.cos(self.pitch) + self.height * math.sin(self.pitch)
        return depth * self.size[0] / 2 / self.focal


@dataclass(frozen=True)
class Pillar:
    """Hides what is behind it: at ground (x, y), ``width`` meters wide."""

    x: float
    y: float
    width: float


@dataclass(frozen=True)
class Visit:
    """A person's way past one camera: from ``start`` (seconds) along ``points`` at the person's speed."""

    camera: int
    start: float
    end: float
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Walker:
    """One person of a scene.

    Attributes:
        number: from 0.
        values: what the person wears and carries; view and posture change on the way and are not in it.
        seed: of everything that the values leave open.
        height: meters.
        speed: meters per second.
        twin: number of the person dressed nearly alike, or None.
        visits: in order of time.
    """

    number: int
    values: Values
    seed: int
    height: float
    speed: float
    twin: int | None
    visits: tuple[Visit, ...]


@dataclass(frozen=True)
class Step:
    """Where a walker is at one moment, as the camera sees it."""

    x: float
    y: float
    view: View
    facing: Literal["left", "right"]
    phase: float


def step(walker: Walker, visit: Visit, time: float) -> Step | None:
    """Where ``walker`` is at ``time``, None if not on this visit."""
    if not visit.start <= time < visit.end:
        return None
    walked = left = (time - visit.start) * walker.speed
    for (ax, ay), (bx, by) in pairwise(visit.points):
        length = math.hypot(bx - ax, by - ay)
        if left <= length:
            share = left / length
            x, y = ax + share * (bx - ax), ay + share * (by - ay)
            dx, dy = (bx - ax) / length, (by - ay) / length
            toward = -(dx * x + dy * y) / math.hypot(x, y)
            view: View = "front" if toward > 0.72 else "back" if toward < -0.72 else "side"
            facing: Literal["left", "right"] = "right" if dx * y - dy * x > 0 else "left"
            return Step(x, y, view, facing, walked / (_STRIDE * walker.height) % 1.0)
        left -= length
    return None


def plan_pillars(settings: Settings, lens: Lens, camera: int) -> tuple[Pillar, ...]:
    """Pillars near the camera; together they hide a little more than ``occlusion`` of the picture's width."""
    rng = np.random.default_rng([settings.seed, 1, camera])
    if settings.occlusion == 0:
        return ()
    pillars = []
    for slot in range(3):
        y = float(rng.uniform(3.9, 4.4))
        width = 2 * lens.edge(y) * settings.occlusion * float(rng.uniform(1.1, 1.4)) / 3
        share = (slot + float(rng.uniform(0.3, 0.7))) / 3
        pillars.append(Pillar((2 * share - 1) * 0.9 * lens.edge(y), y, width))
    return tuple(pillars)


def hidden_share(lens: Lens, pillars: tuple[Pillar, ...], points: tuple[Point, ...], height: float) -> float:
    """Share of a path, as far as it lies inside the picture, on which pillars hide more than half of the body."""
    inside = hidden = 0
    for (ax, ay), (bx, by) in pairwise(points):
        for share in np.linspace(0, 1, max(2, int(math.hypot(bx - ax, by - ay) / 0.1)), endpoint=False):
            x, y = ax + share * (bx - ax), ay + share * (by - ay)
            (column, foot), (_, head) = lens.project(x, y, 0.0), lens.project(x, y, height)
            if not (0 < column < lens.size[0] and head < 0.9 * lens.size[1]):
                continue
            half = 0.15 * (foot - head)
            covered = 0.0
            for pillar in pillars:
                if pillar.y < y:
                    left, right = (lens.project(pillar.x + side * pillar.width / 2, pillar.y, 1.0)[0]
                                   for side in (-1, 1))  # fmt: skip
                    covered += max(0.0, min(column + half, right) - max(column - half, left))
            inside += 1
            hidden += covered > _HIDDEN * 2 * half
    return hidden / inside if inside else 0.0


def plan_people(settings: Settings, lens: Lens, pillars: list[tuple[Pillar, ...]]) -> tuple[Walker, ...]:
    """Everybody, with their ways. Twins come as neighbors: 0 and 1, 2 and 3, and so on."""
    walkers: list[Walker] = []
    for number in range(settings.people):
        rng = np.random.default_rng([settings.seed, 2, number])
        second = number < 2 * settings.twins and number % 2 == 1
        twin = (number ^ 1) if number < 2 * settings.twins else None
        seed = int(rng.integers(2**31))
        values = _alike(walkers[-1].values, rng) if second else _person(seed)
        height = walkers[-1].height + float(rng.uniform(-0.03, 0.03)) if second else _height(values, rng)
        speed = float(rng.uniform(0.7, 2.0))
        visits = _visits(settings, lens, pillars, height, speed, rng)
        walkers.append(Walker(number, values, seed, height, speed, twin, visits))
    return tuple(walkers)


def _person(seed: int) -> dict[str, tuple[str, ...]]:
    values = complete({}, seed)
    return {name: given for name, given in values.items() if name not in ("view", "posture", "activity")}


def _alike(values: Values, rng: np.random.Generator) -> dict[str, tuple[str, ...]]:
    """The same clothes but for one thing."""
    options = {
        "headwear": ("none", "cap", "hat"), "carrying": ("none", "backpack", "handbag", "plastic bag"),
        "footwear.color": ("black", "white", "brown"),
        "lower.color": ("black", "dark blue", "gray", "beige"),
    }  # fmt: skip
    name = list(options)[int(rng.integers(len(options)))]
    others = [value for value in options[name] if (value,) != values[name]]
    return {**values, name: (others[int(rng.integers(len(others)))],)}


def _height(values: Values, rng: np.random.Generator) -> float:
    if values["age"][0] == "child":
        return float(rng.uniform(1.1, 1.4))
    return float(rng.uniform(1.56, 1.74) if values["gender"][0] == "female" else rng.uniform(1.68, 1.9))


def _visits(settings: Settings, lens: Lens, pillars: list[tuple[Pillar, ...]], height: float, speed: float,
            rng: np.random.Generator) -> tuple[Visit, ...]:  # fmt: skip
    time = float(rng.uniform(0.0, 0.4)) * settings.seconds
    camera = int(rng.integers(settings.cameras))
    visits: list[Visit] = []
    while time < settings.seconds:
        points = _path(settings, lens, pillars[camera], height, rng)
        if visits:
            (ax, ay), (bx, by) = visits[-1].points[-1], points[0]
            time += math.hypot(SPACING * (camera - visits[-1].camera) + bx - ax, by - ay) / speed
            if time >= settings.seconds:
                break
        length = sum(math.hypot(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(points))
        visits.append(Visit(camera, time, time + length / speed, points))
        time += length / speed
        # With one camera people come back to it, after a while out of sight.
        others = [other for other in range(settings.cameras) if other != camera] or [camera]
        camera = others[int(rng.integers(len(others)))]
        time += float(rng.uniform(2.0, 8.0))
    return tuple(visits)


def _path(settings: Settings, lens: Lens, pillars: tuple[Pillar, ...], height: float,
          rng: np.random.Generator) -> tuple[Point, ...]:  # fmt: skip
    """A way through the picture that is hidden for long enough; the best of many tries where none is."""
    best: tuple[float, tuple[Point, ...]] = (-1.0, ())
    for _ in range(60):
        points = _try(lens, rng)
        share = hidden_share(lens, pillars, points, height)
        if settings.occlusion <= share <= settings.occlusion + 0.2:
            return points
        closeness = -abs(share - settings.occlusion - 0.1)
        if closeness > best[0] or not best[1]:
            best = (closeness, points)
    return best[1]


def _try(lens: Lens, rng: np.random.Generator) -> tuple[Point, ...]:
    a, b = (float(value) for value in rng.uniform(NEAR, FAR - 1.5, 2))
    left, right = (-lens.edge(a) - 0.7, a), (lens.edge(b) + 0.7, b)
    points: tuple[Point, ...] = (left, right)
    if rng.random() < 0.3:  # toward the camera, and out below the picture
        x = float(rng.uniform(-1.5, 1.5))
        far = float(rng.uniform(FAR - 2.0, FAR))
        points = ((-lens.edge(far) - 0.7, far), (x * 2, far - 0.8), (x, 1.9))
    if rng.random() < 0.5:
        points = tuple((-x, y) for x, y in points)
    return points[::-1] if rng.random() < 0.5 else points
