"""An MP4 with boxes, numbers and descriptions drawn in."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np
import supervision as sv
from av.container import OutputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from personvlm.base.errors import InputError
from personvlm.video.frame import Frame

_CLOCK = 90_000
_SMALLEST_TEXT = 360
"""Smaller pictures are enlarged: nobody can read the words in them."""

_FONT = cv2.FONT_HERSHEY_SIMPLEX


class _Box(NamedTuple):
    x1: int
    y1: int
    x2: int
    y2: int


class Annotator:
    """Writes one camera's frames to an MP4 (H.264), at the times that they have.

    A picture of another size than the first is fitted into it.

    Args:
        path: the file; it is overwritten.

    Raises:
        InputError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._guarded():
            path.open("wb").close()  # FFmpeg itself would tell only after the first frame
            self._container: OutputContainer = av.open(str(path), "w", format="mp4")
        self._stream: VideoStream | None = None
        self._start = 0.0
        self._last = -1
        self._palette = sv.ColorPalette.DEFAULT

    def add(self, frame: Frame, people: sv.Detections, texts: Mapping[int, str]) -> None:
        """Write ``frame`` with its ``people``; ``texts`` has words for the track numbers that are described.

        Raises:
            InputError: the file cannot be written any more.
        """
        image = self._sized(frame)
        scale = image.shape[0] / frame.image.shape[0]
        ids = [] if people.tracker_id is None else people.tracker_id.tolist()
        boxes = [_Box(*(round(float(value)) for value in box)) for box in people.xyxy * scale]
        colors = [self._palette.by_idx(track_id).as_rgb() for track_id in ids]
        for box, color in zip(boxes, colors, strict=True):
            cv2.rectangle(image, box[:2], box[2:], color, 2)
        panels: list[_Box] = []
        for box, color, track_id in zip(boxes, colors, ids, strict=True):
            _label(image, box, f"#{track_id} {texts.get(track_id, '')}".strip(), color, boxes, panels)
        self._write(frame, image)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:  # FFmpeg's errors of this kind are among them
            raise InputError(f"{self.path}: cannot be written ({error.strerror}); give another place") from None

    def _sized(self, frame: Frame) -> NDArray[np.uint8]:
        height, width = frame.image.shape[:2]
        if self._stream is None:
            factor = max(1.0, _SMALLEST_TEXT / height)
            self._stream = self._container.add_stream("libx264", rate=30, options={"crf": "23", "preset": "veryfast"})
            self._stream.width, self._stream.height = (2 * round(side * factor / 2) for side in (width, height))
            self._stream.pix_fmt = "yuv420p"
            self._stream.codec_context.time_base = Fraction(1, _CLOCK)
            self._start = frame.time
        size = (self._stream.width, self._stream.height)
        scale = min(size[0] / width, size[1] / height)
        fitted = (min(size[0], max(1, round(width * scale))), min(size[1], max(1, round(height * scale))))
        canvas = np.zeros((size[1], size[0], 3), np.uint8)
        canvas[: fitted[1], : fitted[0]] = cv2.resize(frame.image, fitted, interpolation=cv2.INTER_LINEAR)
        return canvas

    def _write(self, frame: Frame, image: NDArray[np.uint8]) -> None:
        assert self._stream is not None
        picture = av.VideoFrame.from_ndarray(image, format="rgb24")
        # A gap of hours between two frames (a camera that was away) would be hours of a still picture.
        self._last = max(self._last + 1, round((frame.time - self._start) * _CLOCK))
        picture.pts, picture.time_base = self._last, Fraction(1, _CLOCK)
        with self._guarded():
            self._container.mux(self._stream.encode(picture))

    def close(self) -> None:
        """Finish the file. Without any frame there is none."""
        with self._guarded():
            if self._stream is not None:
                self._container.mux(self._stream.encode())
            self._container.close()
        if self._stream is None:
            self.path.unlink(missing_ok=True)


def _label(image: NDArray[np.uint8], box: _Box, text: str, color: tuple[int, int, int], people: list[_Box],
           panels: list[_Box]) -> None:  # fmt: skip
    """Words in a panel near the box, where no other panel is and, if there is such a place, nobody either."""
    height, width = image.shape[:2]
    size = max(0.35, height / 1400)
    step = round(34 * size)
    lines = textwrap.wrap(text, 34)[:8]
    wide = max(cv2.getTextSize(line, _FONT, size, 1)[0][0] for line in lines) + 8
    tall = step * len(lines) + 6
    x1, y1, x2, y2 = box
    corners = [(x2 + 2, y1), (x1 - wide - 2, y1), (x1, y1 - tall - 2), (x1, y2 + 2), (x2 + 2, y2 - tall),
               (x1 - wide - 2, y2 - tall), (x2 - wide, y1 - tall - 2)]  # fmt: skip
    places = [_Box(left, top, left + wide, top + tall) for left, top in corners
              if 0 <= left <= width - wide and 0 <= top <= height - tall]  # fmt: skip
    places.append(_Box(max(0, min(x1, width - wide)), max(0, min(y1, height - tall)), width, height))  # over its person
    apart = [place for place in places if not any(_meet(place, one) for one in panels)]
    free = [place for place in apart if not any(_meet(place, one) for one in people)]
    left, top = (free or apart or places)[0][:2]
    panel = _Box(left, top, min(width, left + wide), min(height, top + tall))
    panels.append(panel)
    area = image[panel.y1 : panel.y2, panel.x1 : panel.x2]
    area[:] = (0.3 * area + 0.7 * np.array((20, 20, 20))).astype(np.uint8)
    cv2.rectangle(image, (left, top), (panel.x2 - 1, panel.y2 - 1), color, 1)
    for number, line in enumerate(lines):
        place = (left + 4, top + round(step * (number + 0.75)) + 2)
        cv2.putText(image, line, place, _FONT, size, (255, 255, 255), 1, cv2.LINE_AA)


def _meet(one: _Box, other: _Box) -> bool:
    return one.x1 < other.x2 and other.x1 < one.x2 and one.y1 < other.y2 and other.y1 < one.y2
