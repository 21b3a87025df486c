"""Opening and decoding with PyAV (FFmpeg), with its many errors turned into ours."""

from __future__ import annotations

import time
from collections.abc import Iterator

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from personvlm.base.errors import InputError
from personvlm.base.images import MAX_PIXELS
from personvlm.video.frame import Report

_NOTHING_YET = 10.0
"""Seconds that a device may say that it has no frame yet."""


def open_video(name: str, url: str, *, protocols: str, timeout: float | None = None, form: str | None = None,
               options: dict[str, str] | None = None) -> tuple[InputContainer, VideoStream]:  # fmt: skip
    """Open ``url`` and choose its first video stream.

    Args:
        name: what the user calls it, for messages.
        url: as FFmpeg understands it.
        protocols: what FFmpeg may use, separated by commas. Playlists inside a file cannot reach anything else.
        timeout: seconds without any data, while opening and while reading.
        form: FFmpeg's name of the format; None lets it find out. Devices have to be told.
        options: more options for FFmpeg.

    Raises:
        InputError: no video stream, one that nothing here decodes, or more pixels than are decoded.
        av.error.FFmpegError: it cannot be opened; :func:`reason` says it in plain words.
    """
    container = av.open(url, format=form, options={"protocol_whitelist": protocols, **(options or {})},
                        timeout=timeout)  # fmt: skip
    try:
        if not container.streams.video:
            raise InputError(f"{name}: holds no pictures (sound only?); give a video")
        stream = container.streams.video[0]
        if stream.codec_context is None:
            raise InputError(f"{name}: its pictures are coded in a way that this FFmpeg does not know; "
                             "export it as H.264")  # fmt: skip
        width, height = stream.codec_context.width, stream.codec_context.height
        if width * height > MAX_PIXELS:
            raise InputError(f"{name}: {width}x{height} pixels, at most {MAX_PIXELS} in all are decoded; shrink it")
        # One core per camera is plenty, and threads inside the decoder hold frames back.
        stream.codec_context.thread_count = 1
    except BaseException:
        container.close()
        raise
    return container, stream


class Damage:
    """What of a container could not be decoded.

    Attributes:
        packets: how many were broken.
        last: whether the very last one was.
        why: FFmpeg's words about an error that ended the reading, or None.
    """

    def __init__(self) -> None:
        self.packets = 0
        self.last = False
        self.why: str | None = None


def decoded(container: InputContainer, stream: VideoStream, damage: Damage) -> Iterator[VideoFrame]:
    """Every frame that can be decoded. Broken packets are counted in ``damage`` and skipped.

    An error that ends the reading is noted in ``damage`` too, and raises nothing.
    """
    try:
        for packet in _packets(container, stream):
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                frames = []
                broken = True
            else:
                broken = packet.is_corrupt
            if packet.size:  # not the empty packet that flushes the decoder
                damage.packets += broken
                damage.last = broken
            yield from (frame for frame in frames if isinstance(frame, VideoFrame) and not frame.is_corrupt)
    except av.error.FFmpegError as error:
        damage.why = reason(error)


def _packets(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
    """All packets. A device that has none yet (AVFoundation says so in place of waiting) is asked again for a while."""
    since = time.monotonic()
    while True:
        try:
            for packet in container.demux(stream):
                yield packet
                since = time.monotonic()
            return
        except av.error.BlockingIOError:
            if time.monotonic() - since > _NOTHING_YET:
                raise
            time.sleep(0.005)


def check_end(name: str, container: InputContainer, stream: VideoStream, damage: Damage, frames: int, seconds: float,
              report: Report) -> None:  # fmt: skip
    """Say so if what has an end was cut off before it, or damaged.

    Args:
        frames: that were decoded.
        seconds: from the beginning of the first to the end of the last.
        report: told of damage that could be skipped.

    Raises:
        InputError: it ends before its end.
    """
    promised, step = _promised(container, stream), 1.0 / float(stream.average_rate or 25)
    short = promised is not None and seconds < promised - max(1.0, 3 * step)
    if damage.last or damage.why or short:
        of = f" of {promised:.1f} s" if promised is not None else ""
        raise InputError(f"{name}: breaks off after {frames} frames, {seconds:.1f} s{of}; "
                         "those were used. Copy or export the file again")  # fmt: skip
    if damage.packets:
        report(f"{name}: {damage.packets} damaged packets were skipped")


def _promised(container: InputContainer, stream: VideoStream) -> float | None:
    """Seconds of pictures that the header announces; None where it is silent or speaks of the sound too, and of a
    playlist, which may round the length of each of its parts up.
    """
    if container.format.name == "hls":
        return None
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is not None and len(container.streams) == 1:
        # Matroska counts from 0, also in the parts of a recording, whose clock goes on from part to part.
        return (container.duration - max(0, container.start_time or 0)) / av.time_base
    return None


def lasts(frame: VideoFrame, step: float) -> float:
    """Seconds for which ``frame`` is shown, ``step`` at least: where nothing moves, some cameras send nothing."""
    return max(step, float(frame.duration * frame.time_base)) if frame.duration and frame.time_base else step


def pixels(frame: VideoFrame, name: str) -> NDArray[np.uint8]:
    """RGB ``uint8 [H, W, 3]``, turned upright where the container says so.

    Raises:
        InputError: the size changed beyond what is decoded.
    """
    if frame.width * frame.height > MAX_PIXELS:
        raise InputError(f"{name}: a frame of {frame.width}x{frame.height} pixels, at most {MAX_PIXELS} are decoded")
    image: NDArray[np.uint8] = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    turns = round(frame.rotation / 90) % 4  # counterclockwise, as np.rot90 turns
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image


def reason(error: av.error.FFmpegError) -> str:
    """One plain phrase for what FFmpeg says."""
    return error.strerror or type(error).__name__
