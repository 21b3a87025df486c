"""Value objects of the pipeline: from a detection to the answer about its crop."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from personvlm.schema.description import PersonDescription
from personvlm.schema.groups import GROUP

Trigger = Literal["new_track", "track_update", "reid_request", "backfill"]


def _known_postures(given: dict[str, float]) -> dict[str, float]:
    legal = GROUP["posture"].values
    for name in given:
        if name not in legal:
            raise ValueError(f"{name[:80]!r} is no posture; legal: {', '.join(legal)}")
    return given


Postures = Annotated[
    dict[str, Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]],
    Field(min_length=1, json_schema_extra={"propertyNames": {"enum": list(GROUP["posture"].values)}}),
    AfterValidator(_known_postures),
]
"""Probabilities of postures, as the way somebody moves tells them."""


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
    """The picture of one person.

    Attributes:
        data: encoded bytes (JPEG, PNG, WebP), or None where a reference stands for them.
        reference: where the bytes lie, as a blob store names it.
        box: (x1, y1, x2, y2) in the frame, in pixels.
        time: of its frame, in seconds since the epoch.
        score: how well it shows the person, 0..1; weighs it among the crops of a track.
    """

    data: bytes | None = None
    reference: str | None = None
    box: tuple[float, float, float, float] | None = None
    time: float | None = None
    score: float = Field(default=1.0, ge=0.0, le=1.0)


class DescribeRequest(_Value):
    """An event that asks for a description of one person on one camera.

    Attributes:
        event_id: see :func:`event_id`.
        frame_time: of the occasion, in seconds since the epoch.
        crop: the best picture of the person.
        others: further pictures of the same track, the best first; all are described together.
        first_seen: of the track; where it is not given, ``frame_time``.
        revision: counts what is said about one track, from 1; a higher one replaces a lower one.
        final: the person has left; no higher revision will come.
        posture: probabilities of postures, told from the way the person moves, which no picture shows.
        traceparent: the step that it comes from (W3C trace context), where steps are traced; of no meaning to what is
            said.
    """

    event_id: str
    camera: str
    track_id: int
    trigger: Trigger
    frame_time: float
    crop: Crop
    others: tuple[Crop, ...] = ()
    first_seen: float | None = None
    revision: int = Field(default=1, ge=1)
    final: bool = False
    posture: Postures | None = None
    traceparent: str | None = None

    @classmethod
    def build(cls, camera: str, track_id: int, trigger: Trigger, frame_time: float, crop: Crop,
              **more: Any) -> DescribeRequest:  # fmt: skip
        """With the event id that belongs to (camera, track, trigger, frame time); ``more`` are further fields."""
        return cls(event_id=event_id(camera, track_id, trigger, frame_time), camera=camera, track_id=track_id,
                   trigger=trigger, frame_time=frame_time, crop=crop, **more)  # fmt: skip

    @property
    def person(self) -> str:
        """Id of this person on this camera: the same in all events of one track."""
        return event_id(self.camera, self.track_id, "new_track", self.seen_since)

    @property
    def seen_since(self) -> float:
        """``first_seen``, or what stands for it."""
        return self.frame_time if self.first_seen is None else self.first_seen

    @property
    def crops(self) -> tuple[Crop, ...]:
        """All pictures, the best first."""
        return (self.crop, *self.others)


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


class Described(_Value):
    """An event and what was said about it: what is stored, searched and judged by alert rules.

    Attributes:
        request: the event. Its crops may have lost their bytes, by rule (privacy) or by age.
        description: the answer.
        described_at: when, in seconds since the epoch.
    """

    request: DescribeRequest
    description: PersonDescription
    described_at: float
