"""Value objects of the pipeline: from a detection to the answer about its crop."""

from __future__ import annotations

import hashlib
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from personvlm.schema.description import PersonDescription

Trigger = Literal["new_track", "track_update", "reid_request", "backfill"]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Detection(_Value):
    """One person in one frame: ``box`` is (x1, y1, x2, y2) in pixels, ``confidence`` 0..1."""

    box: tuple[float, float, float, float]
    confidence: float = Field(ge=0.0, le=1.0)


class Track(_Value):
    """One person followed by one camera. Times are seconds since the epoch."""

    camera: str
    track_id: int
    first_seen: float
    last_seen: float


class Crop(_Value):
    """The picture of one person: encoded bytes (JPEG, PNG, WebP), or ``None`` where a reference stands for them."""

    data: bytes | None = None
    reference: str | None = None
    box: tuple[float, float, float, float] | None = None


class DescribeRequest(_Value):
    """An event that asks for a description."""

    event_id: str
    camera: str
    track_id: int
    trigger: Trigger
    frame_time: float
    crop: Crop

    @classmethod
    def build(cls, camera: str, track_id: int, trigger: Trigger, frame_time: float, crop: Crop) -> DescribeRequest:
        """With the event id that belongs to (camera, track, trigger, frame time)."""
        return cls(event_id=event_id(camera, track_id, trigger, frame_time), camera=camera, track_id=track_id,
                   trigger=trigger, frame_time=frame_time, crop=crop)  # fmt: skip


def event_id(camera: str, track_id: int, trigger: Trigger, frame_time: float) -> str:
    """The same occasion always has the same id, so that doing a thing twice stores it once."""
    key = f"{camera}\x1f{track_id}\x1f{trigger}\x1f{frame_time:.6f}"
    return hashlib.sha256(key.encode()).hexdigest()[:32]


class DescribeResult(_Value):
    """An answer, or the reason why there is none, with its circumstances."""

    input: str = ""
    description: PersonDescription | None = None
    error: str | None = None
    latency_ms: float = 0.0
    event_id: str | None = None
