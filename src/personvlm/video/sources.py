"""From what a user names to sources of frames."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from pathlib import Path

from personvlm.base.errors import InputError
from personvlm.video.files import VideoFile
from personvlm.video.folders import Given, ImageFolder, is_mot_sequence, mot_sequence, read_mot
from personvlm.video.frame import Report, Source
from personvlm.video.scenes import PREFIX, rendered_cameras
from personvlm.video.streams import Stream, hidden
from personvlm.video.webcams import PREFIX as WEBCAM
from personvlm.video.webcams import Webcam, is_webcam

_log = logging.getLogger(__name__)
_ADDRESS = re.compile(r"^([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
SCHEMES = ("rtsp", "rtsps", "rtmp", "rtmps", "http", "https", "udp", "tcp", "rtp", "srtp")


def open_sources(text: str, camera: str, *, start: float | None = None, rate: float = 10.0,
                 detections: Path | None = None, report: Report = _log.warning) -> list[Source]:  # fmt: skip
    """What ``text`` names: one source, or all cameras of a rendered scene.

    Args:
        text: a video file, a folder of pictures, a MOTChallenge sequence, an address (``rtsp://…``), a webcam
            (``webcam:0``, ``/dev/video0``), or ``rendered:`` (see :func:`personvlm.video.scenes.rendered_cameras`).
        camera: name of the camera.
        start: time of the first frame, seconds since the epoch. Not for addresses, webcams and rendered scenes.
        rate: frames per second of a folder of pictures.
        detections: a MOTChallenge file with the boxes of every frame. Not for rendered scenes, which know theirs.
        report: told of faults that stop nothing.

    Raises:
        InputError: there is no such source, or it cannot be opened.
    """
    if text.startswith(PREFIX):
        if start is not None or detections is not None:
            raise InputError(f"{text}: a rendered scene has its own time and its own boxes; leave out "
                             f"{'start' if start is not None else 'detections'}")  # fmt: skip
        return [*rendered_cameras(text, camera)]
    if start is not None and (_ADDRESS.match(text) or is_webcam(text)):
        raise InputError(f"{hidden(text)}: what a camera shows is of now; leave out start")
    try:
        source = _open(text, camera, start, rate, report)
    except OSError as error:  # a folder on the way that may not be entered, a name that is too long
        raise InputError(f"{text}: cannot be opened ({error.strerror or error})") from None
    return [source] if detections is None else [Given(source, read_mot(detections))]


def _open(text: str, camera: str, start: float | None, rate: float, report: Report) -> Source:
    address = _ADDRESS.match(text)
    if address:
        if address[1].lower() not in SCHEMES:
            raise InputError(f"{hidden(text)}: no camera answers to {address[1]}://; known: {', '.join(SCHEMES)}")
        return Stream(text, camera, report=report)
    if is_webcam(text):
        return Webcam(text, camera, report=report)
    path = Path(text)
    if path.is_dir():
        if is_mot_sequence(path):
            return mot_sequence(path, camera, start=start, report=report)
        return ImageFolder(path, camera, rate=rate, start=start, report=report)
    return VideoFile(path, camera, start=start, report=report)


def camera_names(texts: Iterable[str]) -> list[str]:
    """A short, unique name for each: a file's name without its ending, the host of an address, or ``webcam-0``."""
    names: list[str] = []
    for text in texts:
        address = _ADDRESS.match(text)
        base = text[address.end() :].rpartition("@")[2].split("/")[0] if address else Path(text).stem
        if text.startswith(PREFIX):
            base = PREFIX[:-1]
        elif text.startswith(WEBCAM) or (text.isdigit() and is_webcam(text)):
            base = f"{WEBCAM[:-1]}-{text.removeprefix(WEBCAM).split(',')[0].rpartition('/')[2].replace(' ', '-')}"
        name, number = base or "camera", 2
        while name in names:
            name, number = f"{base}-{number}", number + 1
        names.append(name)
    return names
