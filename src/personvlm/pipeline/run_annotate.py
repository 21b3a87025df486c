"""An MP4 with boxes and numbers drawn in, and the descriptions beside the picture, where they cover nobody."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

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
_GAP = 60.0
_LOWEST = 540
"""Lower pictures are enlarged: nobody can read the words beside them."""

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_LETTERS = 44
_LINES = 5
_COLUMN = 360


class Annotator:
    """Writes one camera's frames to an MP4 (H.264), at the times that they have.

    A picture of another size than the first is fitted into it. What is longer than a minute between two frames
    becomes a minute.

    Args:
        path: the file; it is overwritten.

    Raises:
        InputError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.suffix.lower() not in (".mp4", ".m4v"):
            raise InputError(f"{path}: MP4 is what is written; give a name that ends in .mp4")
        with self._guarded():
            path.open("wb").close()  # FFmpeg itself would tell only after the first frame
            self._container: OutputContainer = av.open(str(path), "w", format="mp4")
        self._stream: VideoStream | None = None
        self._picture = (0, 0)
        self._start = 0.0
        self._last = -1
        self._palette = sv.ColorPalette.DEFAULT

    def add(self, frame: Frame, people: sv.Detections, texts: Mapping[int, str]) -> None:
        """Write ``frame`` with its ``people``; ``texts`` has words for the track numbers that are described.

        Raises:
            InputError: the file cannot be written any more.
        """
        image, scale = self._sized(frame)
        ids = [] if people.tracker_id is None else people.tracker_id.tolist()
        row = 8
        for box, track_id in sorted(zip(people.xyxy * scale, ids, strict=True), key=lambda item: item[1]):
            color = self._palette.by_idx(track_id).as_rgb()
            x1, y1, x2, y2 = (round(float(value)) for value in box)
            cv2.rectangle(image, (x1, y1), (x2, y2), color, 2)
            name = f"#{track_id}"
            (wide, tall), _ = cv2.getTextSize(name, _FONT, 0.5, 1)
            foot = y1 - 3 if y1 > tall + 6 else y1 + tall + 5
            cv2.rectangle(image, (x1, foot - tall - 3), (x1 + wide + 4, foot + 3), color, -1)
            cv2.putText(image, name, (x1 + 2, foot), _FONT, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
            row = self._tell(image, row, f"{name} {texts.get(track_id, '')}".strip(), color)
        self._write(frame, image)

    def _tell(self, image: NDArray[np.uint8], row: int, text: str, color: tuple[int, int, int]) -> int:
        """Write ``text`` into the column beside the picture, from ``row`` on; returns the next free row."""
        step = 17
        lines = textwrap.wrap(text, _LETTERS, max_lines=_LINES, placeholder=" ...")
        left, bottom = self._picture[0] + 8, row + step * len(lines)
        if bottom > image.shape[0]:
            return row
        cv2.rectangle(image, (left - 4, row), (left - 2, bottom), color, -1)
        for number, line in enumerate(lines):
            place = (left + 4, row + step * number + 12)
            cv2.putText(image, line, place, _FONT, 0.42, (255, 255, 255), 1, cv2.LINE_AA)
        return bottom + 8

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:  # FFmpeg's errors of this kind are among them
            raise InputError(f"{self.path}: cannot be written ({error.strerror}); give another place") from None

    def _sized(self, frame: Frame) -> tuple[NDArray[np.uint8], float]:
        """The sheet to draw on, with the picture in its upper left corner, and by how much that was enlarged."""
        height, width = frame.image.shape[:2]
        if self._stream is None:
            factor = max(1.0, _LOWEST / height)
            self._picture = (2 * round(width * factor / 2), 2 * round(height * factor / 2))
            self._stream = self._container.add_stream("libx264", rate=30, options={"crf": "23", "preset": "veryfast"})
            self._stream.width, self._stream.height = self._picture[0] + _COLUMN, self._picture[1]
            self._stream.pix_fmt = "yuv420p"
            self._stream.codec_context.time_base = Fraction(1, _CLOCK)
            self._start = frame.time
        scale = min(self._picture[0] / width, self._picture[1] / height)
        fitted = [min(most, max(1, round(side * scale)))
                  for side, most in zip((width, height), self._picture, strict=True)]  # fmt: skip
        sheet = np.zeros((self._stream.height, self._stream.width, 3), np.uint8)
        sheet[: fitted[1], : fitted[0]] = cv2.resize(frame.image, fitted, interpolation=cv2.INTER_LINEAR)
        return sheet, scale

    def _write(self, frame: Frame, image: NDArray[np.uint8]) -> None:
        assert self._stream is not None
        picture = av.VideoFrame.from_ndarray(image, format="rgb24")
        # A camera that was away for hours would be hours of a still picture, and MP4 ends at seven.
        gap = frame.time - self._start - self._last / _CLOCK
        self._start += max(0.0, gap - _GAP)
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
