"""Scenes: several cameras, the same people walking between them, exact truth. For trials and tests without a camera."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from personvlm.data.rendered.camera import background, put
from personvlm.data.rendered.people import visible
from personvlm.data.rendered.person import person_layer
from personvlm.data.rendered.scene_plan import Lens, Pillar, Settings, Step, Walker, plan_people, plan_pillars, step
from personvlm.schema import Values

__all__ = ["Scene", "Seen", "Settings"]

_PHASES = 8
_NOISES = 6


@dataclass(frozen=True)
class Seen:
    """The truth about one person in one frame.

    Attributes:
        person: number of the walker.
        box: (x1, y1, x2, y2) in pixels around the whole body as far as it lies in the frame, hidden parts included.
        shown: the same around the pixels that nothing hides, or None where there are none.
        visible: share of the body's pixels that can be seen; what lies outside the frame cannot.
        values: what could be said of the person from this side.
    """

    person: int
    box: tuple[float, float, float, float]
    shown: tuple[float, float, float, float] | None
    visible: float
    values: Values


class Scene:
    """A scene of ``settings``. The same settings give the same pictures, whatever was shot before.

    Example:
        >>> scene = Scene(Settings(seed=1, cameras=1, people=2, twins=0, seconds=2))
        >>> image, truth = scene.shoot(0, 5)
        >>> image.shape
        (480, 640, 3)
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.lens = Lens(settings.size)
        self.pillars = [plan_pillars(settings, self.lens, camera) for camera in range(settings.cameras)]
        self.people = plan_people(settings, self.lens, self.pillars)
        self.frames = max(1, round(settings.seconds * settings.rate))
        # Somebody who walks past draws about as many different layers as this on one camera.
        self._layer = lru_cache(maxsize=512)(self._draw_layer)
        self._stage = lru_cache(maxsize=settings.cameras)(self._build_stage)

    def shoot(self, camera: int, index: int) -> tuple[NDArray[np.uint8], tuple[Seen, ...]]:
        """Frame ``index`` of ``camera``: RGB ``uint8 [H, W, 3]``, and everybody of whom a pixel lies in it."""
        stage = self._stage(camera)
        scene, noise = stage.empty.copy(), stage.noise[index % _NOISES]
        width, height = self.settings.size
        owner = np.full((height, width), -1, np.int32)
        present = []
        people = sorted(self._present(camera, index / self.settings.rate), key=lambda item: item[1].y)
        pillars = sorted(self.pillars[camera], key=lambda item: item.y)
        while people or pillars:  # what is farther away is drawn first
            if people and (not pillars or people[-1][1].y > pillars[-1].y):
                walker, where = people.pop()
                present.append((walker, where, *self._stand(scene, owner, walker, where)))
            else:
                self._raise_pillar(scene, owner, pillars.pop(), stage.stone)
        seen = [item for item in (self._seen(owner, *each) for each in present) if item is not None]
        return _film(scene + noise, stage.gain), tuple(sorted(seen, key=lambda item: item.person))

    def _present(self, camera: int, time: float) -> Iterator[tuple[Walker, Step]]:
        for walker in self.people:
            for visit in walker.visits:
                where = step(walker, visit, time) if visit.camera == camera else None
                if where is not None:
                    yield walker, where

    def _stand(self, scene: NDArray[np.float32], owner: NDArray[np.int32], walker: Walker,
               where: Step) -> tuple[NDArray[np.uint8], int, int]:  # fmt: skip
        """Draw a person; returns the layer and the (row, column) of its upper left corner."""
        column, foot = self.lens.project(where.x, where.y, 0)
        head = self.lens.project(where.x, where.y, walker.height)[1]
        # Sizes in steps of about three percent, so that layers can be used again.
        size = round(24 * 1.03 ** round(np.log(max(24.0, foot - head) / 24) / np.log(1.03)))
        layer = self._layer(walker.number, size, where.view, where.facing, int(where.phase * _PHASES))
        rows, columns = layer.shape[:2]
        center, bottom = round(column), round(foot)
        top, left = bottom - rows, center - columns // 2
        margin = columns // 2
        y1, x1 = max(0, top - margin), max(0, left - margin)
        y2, x2 = min(scene.shape[0], bottom + margin), min(scene.shape[1], left + columns + margin)
        if y1 < y2 and x1 < x2:  # a part of the scene, because a shadow is drawn over all that is given
            put(scene[y1:y2, x1:x2], layer, center - x1, bottom - y1, -0.6)
            _own(owner, layer[..., 3] > 127, top, left, walker.number)
        return layer, top, left

    def _draw_layer(self, number: int, size: int, view: str, facing: str, phase: int) -> NDArray[np.uint8]:
        walker = self.people[number]
        values = {**walker.values, "view": (view,), "posture": ("walking",), "activity": ()}
        return person_layer(values, walker.seed, size, phase / _PHASES, facing="left" if facing == "left" else "right")

    def _raise_pillar(self, scene: NDArray[np.float32], owner: NDArray[np.int32], pillar: Pillar,
                      stone: NDArray[np.float32]) -> None:  # fmt: skip
        edges = [self.lens.project(pillar.x + side * pillar.width / 2, pillar.y, 1.0)[0] for side in (-1, 1)]
        left, right = max(0, round(edges[0])), min(scene.shape[1], round(edges[1]))
        foot = min(scene.shape[0], round(self.lens.project(pillar.x, pillar.y, 0)[1]))
        if left < right:
            scene[:foot, left:right] = stone[:foot, left:right]
            owner[:foot, left:right] = -1

    def _seen(self, owner: NDArray[np.int32], walker: Walker, where: Step, layer: NDArray[np.uint8], top: int,
              left: int) -> Seen | None:  # fmt: skip
        body = layer[..., 3] > 127
        rows, columns = np.nonzero(body.any(1))[0], np.nonzero(body.any(0))[0]
        height, width = owner.shape
        box = (max(0, left + int(columns[0])), max(0, top + int(rows[0])),
               min(width, left + int(columns[-1]) + 1), min(height, top + int(rows[-1]) + 1))  # fmt: skip
        if box[0] >= box[2] or box[1] >= box[3]:
            return None
        mine = owner[box[1] : box[3], box[0] : box[2]] == walker.number
        shown = None
        if mine.any():
            ys, xs = np.nonzero(mine.any(1))[0], np.nonzero(mine.any(0))[0]
            shown = (float(box[0] + xs[0]), float(box[1] + ys[0]), float(box[0] + xs[-1] + 1),
                     float(box[1] + ys[-1] + 1))  # fmt: skip
        values = visible({**walker.values, "view": (where.view,), "posture": ("walking",), "activity": ()})
        x1, y1, x2, y2 = map(float, box)
        return Seen(walker.number, (x1, y1, x2, y2), shown, float(mine.sum()) / float(body.sum()), values)

    def _build_stage(self, camera: int) -> _Stage:
        rng = np.random.default_rng([self.settings.seed, 3, camera])
        width, height = self.settings.size
        empty = background(self.settings.size, rng)
        stone = np.full((height, width, 3), rng.uniform(70, 160), np.float32) + rng.normal(0, 3, (height, width, 1))
        stone += 12 * np.sin(np.arange(width) / 3.0)[None, :, None]
        strength = rng.uniform(1.5, 4.0)
        noise = [rng.normal(0, strength, (height, width, 1)).astype(np.float32) for _ in range(_NOISES)]
        gain = rng.uniform(0.88, 1.1) * rng.uniform(0.97, 1.03, 3)
        return _Stage(empty, stone.astype(np.float32), noise, gain.astype(np.float32))


@dataclass(frozen=True)
class _Stage:
    """What of a camera's pictures does not change, and its noise."""

    empty: NDArray[np.float32]
    stone: NDArray[np.float32]
    noise: list[NDArray[np.float32]]
    gain: NDArray[np.float32]


def _own(owner: NDArray[np.int32], body: NDArray[np.bool_], top: int, left: int, number: int) -> None:
    y1, x1 = max(0, top), max(0, left)
    y2, x2 = min(owner.shape[0], top + body.shape[0]), min(owner.shape[1], left + body.shape[1])
    if y1 < y2 and x1 < x2:
        owner[y1:y2, x1:x2][body[y1 - top : y2 - top, x1 - left : x2 - left]] = number


def _film(scene: NDArray[np.float32], gain: NDArray[np.float32]) -> NDArray[np.uint8]:
    """What a camera stores. Unlike :func:`personvlm.data.rendered.shoot` it is the same camera in every frame."""
    buffer = io.BytesIO()
    Image.fromarray(np.clip(scene * gain, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=82)
    return np.asarray(Image.open(buffer).convert("RGB"), np.uint8)
