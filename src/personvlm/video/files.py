"""Video files: every frame, with the times that the container gives."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from threading import Event

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from personvlm.base.errors import InputError
from personvlm.video.container import Damage, check_end, decoded, lasts, open_video, pixels, reason
from personvlm.video.frame import Frame, Report

_log = logging.getLogger(__name__)


class VideoFile:
    """A file in any container that FFmpeg reads.

    The first frame's time is ``start``; by default the creation time that the container states, else the file's date
    less its duration. It does not depend on when the file is read, so that reading it again gives the same events.

    Args:
        path: the file. Nothing else is opened, whatever it refers to.
        camera: name of the camera.
        start: time of the first frame, seconds since the epoch.
        report: told of damage that could be skipped.

    Raises:
        InputError: it is not there, no video, or damaged at its start.
    """

    live = False

    def __init__(self, path: Path, camera: str, *, start: float | None = None, report: Report = _log.warning) -> None:
        self.path, self.camera = path, camera
        self._report = report
        self._stopped = Event()
        self._container, self._stream = _open(path)
        self.rate = float(self._stream.average_rate or 0)
        self.start = start if start is not None else _start(path, self._container)

    def frames(self) -> Iterator[Frame]:
        """Every frame. See :class:`personvlm.video.frame.Source`.

        Raises:
            InputError: the file ends before its end, or nothing in it can be decoded.
        """
        damage, count, time = Damage(), 0, self.start
        first = None
        with self._container as container:
            last = step = 1.0 / (self.rate or 25.0)
            for frame in decoded(container, self._stream, damage):
                if self._stopped.is_set():
                    return
                first = frame.time if first is None else first
                seconds = None if frame.time is None or first is None else self.start + frame.time - first
                if count:
                    # Some containers leave times out or repeat them; order in time is promised to everyone below.
                    time = seconds if seconds is not None and seconds > time else time + step
                yield Frame(self.camera, count, time, pixels(frame, str(self.path)))
                count, last = count + 1, lasts(frame, step)
            if not count:
                raise InputError(f"{self.path}: no frame can be decoded ({damage.why or 'damaged'}); export it again")
            check_end(str(self.path), container, self._stream, damage, count, time - self.start + last, self._report)

    def close(self) -> None:
        """See :class:`personvlm.video.frame.Source`."""
        self._stopped.set()


def _open(path: Path) -> tuple[InputContainer, VideoStream]:
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if not path.is_file():
        raise InputError(f"{path}: not a regular file; give a video")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path}: cannot be read (permission denied)")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: empty, 0 bytes; a video was expected")
    try:
        return open_video(str(path), f"file:{path}", protocols="file")
    except av.error.FFmpegError as error:
        raise InputError(f"{path}: not a video, or damaged or cut off so that it cannot be opened "
                         f"({reason(error)}); export it again") from None  # fmt: skip


def _start(path: Path, container: InputContainer) -> float:
    stated = container.metadata.get("creation_time", "")
    try:
        made = datetime.fromisoformat(stated.replace("Z", "+00:00")).timestamp()
    except ValueError:
        made = 0.0
    if made > 0:  # cameras without a clock write the first second of their calendar
        return made
    return path.stat().st_mtime - (container.duration or 0) / av.time_base
