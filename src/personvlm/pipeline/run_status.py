"""How a run is doing, for a table or a program."""

from __future__ import annotations

from dataclasses import dataclass

from personvlm.video.feed import State


@dataclass
class CameraStatus:
    """How one camera is doing.

    Attributes:
        state: see :class:`personvlm.video.feed.Feed`.
        frames: looked at or passed over between two detections; ``dropped`` were neither.
        fps: frames per second of wall time, of the last seconds.
        people: tracks so far; ``present`` are there now, ``fleeting`` were too short to be described.
        every: people are detected in every how many frames, now; ``slowed`` counts how often that became more, because
            frames were dropped.
        events: revisions told.
        note: the last thing worth knowing.
        error: why it failed.
    """

    camera: str
    state: State = "waiting"
    frames: int = 0
    dropped: int = 0
    fps: float = 0.0
    people: int = 0
    present: int = 0
    fleeting: int = 0
    every: int = 0
    slowed: int = 0
    events: int = 0
    note: str = ""
    error: str | None = None


@dataclass
class Status:
    """How a run is doing.

    Attributes:
        cameras: by name.
        waiting: people who wait for words.
        described, failed: revisions with and without words.
        queued: revisions that somebody else will describe.
        superseded, shed, unchanged: updates that were replaced, dropped, or had nothing new to say.
        seconds: since the start.
    """

    cameras: dict[str, CameraStatus]
    waiting: int = 0
    described: int = 0
    failed: int = 0
    queued: int = 0
    superseded: int = 0
    shed: int = 0
    unchanged: int = 0
    seconds: float = 0.0

    @property
    def errors(self) -> list[str]:
        """Of all cameras that failed."""
        return [camera.error for camera in self.cameras.values() if camera.error is not None]
