"""Cameras that are plugged in: V4L2 on Linux, AVFoundation on macOS, DirectShow on Windows, all through FFmpeg."""

from __future__ import annotations

import errno
import logging
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from personvlm.base.errors import InputError
from personvlm.video.container import open_video
from personvlm.video.frame import Report
from personvlm.video.streams import Patience, Stream

PREFIX = "webcam:"
"""``webcam:0``, ``webcam:NAME``, ``webcam:0,size=1280x720,rate=30``."""

_log = logging.getLogger(__name__)
_SIZE = re.compile(r"[1-9]\d*x[1-9]\d*")
_FORM = {"linux": "v4l2", "darwin": "avfoundation", "win32": "dshow"}
_NO_DEVICE = (errno.ENOTTY, errno.ENOTSUP)


def is_webcam(text: str) -> bool:
    """Whether ``text`` names a camera that is plugged in: ``webcam:…``, a number that is no file, ``/dev/video0``."""
    if text.startswith(PREFIX):
        return True
    path = Path(text)
    if re.fullmatch(r"\d+", text):
        return not path.exists()
    return text.startswith("/dev/") and (path.is_char_device() or re.fullmatch(r"/dev/video\d+", text) is not None)


class Webcam(Stream):
    """A camera that is plugged into this machine: live, only the latest frame counts, and one that is unplugged is
    opened again for as long as it takes. Frames are of the default size and rate of the device unless they are chosen.

    Args:
        text: see :data:`PREFIX`; ``/dev/video0`` or ``0`` alone will do.
        camera: name of the camera.
        patience: see :class:`personvlm.video.streams.Patience`.
        report: told when it is lost and when it is back.
        clock: seconds since the epoch.

    Raises:
        InputError: an option that does not exist, or there is no such device. Whether it is a camera, and may be used,
            turns out in :meth:`frames`, which raises InputError too.
    """

    def __init__(self, text: str, camera: str, *, patience: Patience | None = None, report: Report = _log.warning,
                 clock: Callable[[], float] = time.time) -> None:  # fmt: skip
        device, self._options = _parsed(text)
        self._form = _FORM.get(sys.platform, "v4l2")
        super().__init__(text, camera, patience=patience, report=report, clock=clock)
        self._device = self._named(device)

    def _named(self, device: str) -> str:
        """As FFmpeg's format wants it named."""
        if self._form == "avfoundation":
            self._options.setdefault("framerate", "30")  # FFmpeg's own default, 29.97, is refused by most
            return f"{device}:none"
        if self._form == "dshow":
            if device.isdigit():
                raise InputError(f"{self.url}: Windows knows cameras by their names; give webcam:NAME, as in "
                                 "webcam:Integrated Camera (the Device Manager lists them)")  # fmt: skip
            return f"video={device}"
        path = f"/dev/video{device}" if device.isdigit() else device
        if not Path(path).exists():
            raise InputError(f"{self.url}: there is no {path}; {_others()}")
        return path

    def _connect(self) -> tuple[InputContainer, VideoStream]:
        if self._form not in _formats():
            raise InputError(f"{self.url}: this PyAV was built without {self._form}; install one with it "
                             "(`pip install av`), or serve the camera by RTSP")  # fmt: skip
        return open_video(self.url, self._device, protocols="file", timeout=self._patience.silence, form=self._form,
                          options=self._options)  # fmt: skip

    def _mend(self, error: av.error.FFmpegError) -> str | None:
        # At first contact nothing is worth waiting for: whoever named the camera is still there, and can mend it.
        code = error.errno
        if isinstance(error, av.error.PermissionError):
            return ("let this user use it: `sudo usermod -aG video $USER`, then log in again"
                    if self._form == "v4l2" else "allow this program to use the camera in the system's settings")
        if code == errno.EBUSY:
            return "close the other program that uses it"
        if code in _NO_DEVICE:
            return f"this is no camera; {_others()}"
        if self._options and code in (errno.EINVAL, errno.EIO):
            return "it may not know the size or rate that was asked for; leave them out"
        return _others() if self._form == "v4l2" else "plug it in, or name another one"

    def _ends(self, container: InputContainer) -> bool:
        return False


def _parsed(text: str) -> tuple[str, dict[str, str]]:
    """The device's number, path or name, and FFmpeg's options."""
    device, *fields = text.removeprefix(PREFIX).split(",") if text.startswith(PREFIX) else [text]
    options: dict[str, str] = {}
    for field in fields:
        name, _, value = field.partition("=")
        if name == "size" and _SIZE.fullmatch(value):
            options["video_size"] = value
        elif name == "rate" and _positive(value):
            options["framerate"] = value
        else:
            raise InputError(f"{text}: {field!r} says nothing about a webcam; size=1280x720 and rate=30 do")
    if not device.strip():
        raise InputError(f"{text}: which webcam? Give its number, as in webcam:0")
    return device.strip(), options


def _positive(text: str) -> bool:
    try:
        return 0 < float(text) < 1000
    except ValueError:
        return False


def _formats() -> set[str]:
    return {name for names in av.formats_available for name in names.split(",")}


def _others() -> str:
    """What to do where a device is missing."""
    there = sorted(Path("/dev").glob("video*"))
    if not there:
        return "no camera is plugged in (no /dev/video*); plug one in (in a container, pass it: --device /dev/video0)"
    return f"there {'are' if len(there) > 1 else 'is'} {', '.join(map(str, there))}"
