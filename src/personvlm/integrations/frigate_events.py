"""What Frigate says about a tracked person, on MQTT and in its database, as one value; and what we say about it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from personvlm.integrations.frigate_pictures import Box, Picture
from personvlm.pipeline.record import record
from personvlm.schema import Crop, Described, DescribeRequest, DescribeResult, PersonDescription

Kind = Literal["new", "update", "end"]


@dataclass(frozen=True)
class Update:
    """The state of one tracked person.

    Attributes:
        event: Frigate's id, such as ``1607123955.475377-mxklsc``.
        kind: why it was sent.
        start, time: when the person came, and of the latest frame; seconds since the epoch.
        kept: Frigate keeps a picture or a clip of it. What it does not keep it has no row for.
        has_picture: there is a snapshot.
        picture_time, picture_score, box: of the best snapshot so far; the time is 0 where Frigate does not say.
        sub_label: what it is called already.
    """

    event: str
    camera: str
    kind: Kind
    start: float
    time: float
    kept: bool
    has_picture: bool
    picture_time: float = 0.0
    picture_score: float = 0.0
    box: Box | None = None
    sub_label: str | None = None

    @property
    def area(self) -> float:
        """Of the person in the best snapshot, in square pixels; 0 where it is not known."""
        return 0.0 if self.box is None else (self.box[2] - self.box[0]) * (self.box[3] - self.box[1])

    @property
    def track(self) -> int:
        """A number that stands for the event: our tracks have numbers."""
        return int.from_bytes(hashlib.sha256(self.event.encode()).digest()[:4], "big") >> 1


def parse(payload: bytes) -> Update | None:
    """A message of the topic ``frigate/events``; None where it is not about a person.

    Raises:
        ValueError: not such a message.
    """
    message = json.loads(payload)
    if not isinstance(message, dict) or not isinstance(message.get("after"), dict):
        raise ValueError("no object with `after`")
    kind, after = message.get("type"), message["after"]
    if kind not in ("new", "update", "end"):
        raise ValueError(f"type {kind!r}")
    if after.get("label") != "person" or after.get("false_positive"):
        return None
    snapshot = after.get("snapshot") or {}
    try:
        start = float(after["start_time"])
        return Update(
            event=_text(after["id"]), camera=_text(after["camera"]), kind=kind, start=start,
            time=float(after.get("end_time") or after.get("frame_time") or start),
            kept=bool(after.get("has_snapshot") or after.get("has_clip")), has_picture=bool(after.get("has_snapshot")),
            picture_time=float(snapshot.get("frame_time") or after.get("snapshot_time") or 0.0),
            picture_score=float(snapshot.get("score") or after.get("top_score") or after.get("score") or 0.0),
            box=_box(snapshot.get("box") or after.get("box")), sub_label=_name(after.get("sub_label")),
        )  # fmt: skip
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None


def from_database(row: Mapping[str, Any], frame: tuple[int, int] | None) -> Update:
    """A row of ``GET /api/events``; ``frame`` is the (width, height) of the camera, in parts of which its box is.

    Raises:
        ValueError: not such a row.
    """
    data = row.get("data") or {}
    try:
        start, end = float(row["start_time"]), row.get("end_time")
        box = None
        if frame is not None and data.get("box"):
            x, y, width, height = (float(value) for value in data["box"])
            box = (x * frame[0], y * frame[1], (x + width) * frame[0], (y + height) * frame[1])
        return Update(
            event=_text(row["id"]), camera=_text(row["camera"]), kind="new" if end is None else "end", start=start,
            time=float(end or start), kept=bool(row.get("has_snapshot") or row.get("has_clip")),
            has_picture=bool(row.get("has_snapshot")),
            picture_score=float(data.get("score") or data.get("top_score") or 0.0),
            box=box, sub_label=_name(row.get("sub_label")),
        )  # fmt: skip
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None


@dataclass(frozen=True)
class Told:
    """One revision of what is known about a person whom Frigate follows.

    Attributes:
        described: for the store and for rules.
        kind: ``new`` comes first, ``end`` last.
        event: Frigate's id.
        same_as: sightings of the same person before, in the form of :class:`personvlm.pipeline.run_events.SameAs`.
        latency_ms: from Frigate's message to the words.
    """

    described: Described
    kind: Kind
    event: str
    same_as: tuple[dict[str, Any], ...]
    latency_ms: float

    def record(self) -> dict[str, Any]:
        """Like :meth:`personvlm.pipeline.run_events.PersonEvent.record`, with Frigate's id as ``frigate``."""
        request, crop = self.described.request, self.described.request.crop
        said = record(DescribeResult(description=self.described.description, latency_ms=self.latency_ms))
        del said["input"]
        return {
            "id": request.person, "revision": request.revision, "event": self.kind, "event_id": request.event_id,
            "camera": request.camera, "track": request.track_id, "time": round(request.frame_time, 3),
            "first_seen": round(request.seen_since, 3), "last_seen": round(request.frame_time, 3),
            "crops": len(request.crops), "box": [round(value, 1) for value in crop.box] if crop.box else None,
            "crop_time": round(crop.time, 3) if crop.time else None, "frigate": self.event,
            "same_as": list(self.same_as), **said,
        }  # fmt: skip


def describe_request(update: Update, pictures: list[Picture], crops: list[bytes | None], revision: int,
                     final: bool) -> DescribeRequest:  # fmt: skip
    """The event that asks for words about ``pictures``, the best first; ``crops`` are their bytes, if kept."""
    shown = [Crop(data=data, box=one.box, time=one.time, score=min(1.0, one.score))
             for one, data in zip(pictures, crops, strict=True)]  # fmt: skip
    return DescribeRequest.build(
        update.camera, update.track, "new_track" if revision == 1 and not final else "track_update",
        update.start if revision == 1 and not final else update.time, shown[0], others=tuple(shown[1:]),
        first_seen=update.start, revision=revision, final=final,
    )  # fmt: skip


def told(update: Update, request: DescribeRequest, description: PersonDescription, kind: Kind, *,
         same_as: tuple[dict[str, Any], ...], latency_ms: float, now: float) -> Told:  # fmt: skip
    """Put together what is told."""
    described = Described(request=request, description=description, described_at=now)
    return Told(described, kind, update.event, same_as, latency_ms)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError(f"{value!r} is no name")
    return value


def _name(value: Any) -> str | None:
    """Frigate gives a sub label as a word, or as [word, score]."""
    name = value[0] if isinstance(value, list) and value else value
    return name if isinstance(name, str) and name else None


def _box(value: Any) -> Box | None:
    if not isinstance(value, list) or len(value) != 4:
        return None
    x1, y1, x2, y2 = (float(one) for one in value)
    if not all(map(math.isfinite, (x1, y1, x2, y2))):
        raise ValueError(f"box {value}")
    return (x1, y1, x2, y2) if x2 > x1 and y2 > y1 else None
