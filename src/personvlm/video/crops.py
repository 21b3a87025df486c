"""Which crops stand for a person: large, sharp, whole, not cut by the frame, not covered by others, and different."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from personvlm.video.tracking import cut

_MARGIN = 0.05
_TALL_ENOUGH = 200
_SHARP_HEIGHT = 128
_SHARP = 60.0
_NARROW, _WIDE = 3.6, 1.7
_THUMBNAIL = (8, 16)
_EDGE = 2.0

Boxes = NDArray[np.float32]


@dataclass(frozen=True)
class Judgement:
    """How good a crop is, each part 0..1.

    Attributes:
        size: height against that from which more pixels tell nothing new.
        sharpness: detail against what a sharp crop of the same size has.
        completeness: how much the box is shaped like a whole person who is upright.
        inside: 1 where the frame does not cut the box; the feet matter more than a shoulder.
        clear: 1 where nobody else stands in front.
    """

    size: float
    sharpness: float
    completeness: float
    inside: float
    clear: float

    @property
    def score(self) -> float:
        """All in one; a crop that fails in one respect cannot make up for it in another."""
        return float(np.sqrt(self.size * self.sharpness) * self.completeness * self.inside * self.clear)


@dataclass(frozen=True)
class Crop:
    """A crop of one track.

    Attributes:
        time: of its frame.
        box: (x1, y1, x2, y2) in the frame, without the margin that ``image`` has.
        image: RGB ``uint8 [H, W, 3]``, a copy.
        score: 0..1, see :class:`Judgement`.
        thumbnail: tiny version to compare crops by.
    """

    time: float
    box: tuple[float, float, float, float]
    image: NDArray[np.uint8] = field(repr=False, compare=False)
    score: float
    thumbnail: NDArray[np.float32] = field(repr=False, compare=False)


def judge(image: NDArray[np.uint8], boxes: Boxes, index: int) -> Judgement:
    """Judge the person in ``boxes[index]`` of the frame ``image``; the other boxes ``[N, 4]`` are people too."""
    height, width = image.shape[:2]
    x1, y1, x2, y2 = (float(value) for value in boxes[index])
    tall, wide = max(1.0, y2 - y1), max(1.0, x2 - x1)
    sides = (x1 <= _EDGE) + (x2 >= width - _EDGE)
    inside = 0.6**sides * (0.6 if y1 <= _EDGE else 1.0) * (0.5 if y2 >= height - _EDGE else 1.0)
    shape = tall / wide
    completeness = min(1.0, (shape / _WIDE) ** 2) if shape < _WIDE else min(1.0, _NARROW / shape) ** 2
    return Judgement(min(1.0, tall / _TALL_ENOUGH), _sharpness(cut(image, boxes[index])), completeness, inside,
                     _clear(boxes, index))  # fmt: skip


def take(image: NDArray[np.uint8], boxes: Boxes, index: int, time: float, score: float) -> Crop:
    """The crop of ``boxes[index]``, with a margin, ready to be kept."""
    x1, y1, x2, y2 = (float(value) for value in boxes[index])
    more_x, more_y = _MARGIN * (x2 - x1), _MARGIN * (y2 - y1)
    picture = cut(image, np.array([x1 - more_x, y1 - more_y, x2 + more_x, y2 + more_y], np.float32))
    small = cv2.resize(picture, _THUMBNAIL, interpolation=cv2.INTER_AREA)
    return Crop(time, (x1, y1, x2, y2), picture, score, np.asarray(small, np.float32) / np.float32(255))


def difference(one: Crop, other: Crop) -> float:
    """How different two crops look, 0..1: the mean over the middle of their thumbnails, where the person is.

    On a real clip of people who stand at a table it stays below 0.035 from second to second, and is 0.05 to 0.25 when
    they come, turn or go.
    """
    middle = slice(_THUMBNAIL[0] // 4, -(_THUMBNAIL[0] // 4))
    return float(np.abs(one.thumbnail[:, middle] - other.thumbnail[:, middle]).mean())


class Pool:
    """The best few crops of one track, from different moments and as different as can be.

    Args:
        keep: how many.
        apart: seconds within which only the best is kept.
        variety: difference from which two crops show different sides.
    """

    def __init__(self, keep: int = 5, apart: float = 0.7, variety: float = 0.06) -> None:
        self._keep, self._apart, self._variety = keep, apart, variety
        self.crops: list[Crop] = []

    def wants(self, time: float, score: float) -> bool:
        """Whether a crop of this score may be kept. Asked before the crop is cut out."""
        near = self._near(time)
        if near is not None:
            return score > 1.05 * self.crops[near].score
        return len(self.crops) < self._keep or score > 0.7 * min(crop.score for crop in self.crops)

    def add(self, crop: Crop) -> None:
        """Keep ``crop`` if it is worth more than one of those that are kept, which then goes."""
        if not self.wants(crop.time, crop.score):
            return
        near = self._near(crop.time)
        if near is not None:
            del self.crops[near]
        self.crops.append(crop)
        if len(self.crops) > self._keep:
            # Of two that are worth the same the newer goes, so that somebody who stands still changes nothing.
            values = [self._value(crop) for crop in self.crops]
            self.crops.pop(len(values) - 1 - int(np.argmin(values[::-1])))

    @property
    def best(self) -> Crop | None:
        """The crop with the best score."""
        return max(self.crops, key=lambda crop: crop.score, default=None)

    def _value(self, crop: Crop) -> float:
        """A crop that shows what a better one shows already is worth a third of its score."""
        better = [difference(crop, other) for other in self.crops
                  if other is not crop and (other.score, -other.time) > (crop.score, -crop.time)]  # fmt: skip
        new = min([1.0, *(each / self._variety for each in better)])
        return crop.score * (1 + 2 * new) / 3

    def _near(self, time: float) -> int | None:
        return next((i for i, crop in enumerate(self.crops) if abs(crop.time - time) < self._apart), None)


def _sharpness(picture: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian (Pech-Pacheco et al. 2000) at one height for all, so that size counts once only.

    A small crop that is enlarged has little of it, as it should.
    """
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    size = (max(8, round(gray.shape[1] * _SHARP_HEIGHT / gray.shape[0])), _SHARP_HEIGHT)
    resized = cv2.resize(gray, size, interpolation=cv2.INTER_AREA if gray.shape[0] > size[1] else cv2.INTER_LINEAR)
    detail = float(cv2.Laplacian(resized, cv2.CV_32F).var())
    return detail / (detail + _SHARP)


def _clear(boxes: Boxes, index: int) -> float:
    """Share of the box that no other covers. Who stands in front has lower feet; who stands behind covers nothing,
    but disturbs.
    """
    box, others = boxes[index], np.delete(boxes, index, 0)
    area = max(1.0, float((box[2] - box[0]) * (box[3] - box[1])))
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    covered = np.maximum(sides, 0).astype(np.float64).prod(1) * np.where(others[:, 3] > box[3], 1.0, 0.3)
    return max(0.05, 1.0 - float(covered.sum()) / area)
