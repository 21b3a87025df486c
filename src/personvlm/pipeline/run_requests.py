"""Events of a run as the value objects that queues and stores take: pictures encoded, times and revisions in place."""

from __future__ import annotations

import time
from typing import Any

import cv2

from personvlm.pipeline.run_events import PersonEvent
from personvlm.schema import Crop, Described, DescribeRequest
from personvlm.schema.events import Trigger
from personvlm.video.crops import Crop as Picture
from personvlm.video.triggers import Kind, Occasion

QUALITY = 90
"""Of the JPEG files; at 90 a description is that of the raw crop in all but borderline cases."""

_TRIGGER: dict[Kind, Trigger] = {
    "new": "new_track", "update": "track_update", "end": "track_update", "reid": "reid_request",
}  # fmt: skip


def request_of(occasion: Occasion, revision: int) -> DescribeRequest:
    """The event that asks for what ``occasion`` asks for, with all of its crops as JPEG files.

    Raises:
        ValueError: no crops.
    """
    if not occasion.crops:
        raise ValueError("an occasion without crops asks for nothing")
    best, *others = (_encoded(crop) for crop in occasion.crops)
    track = occasion.track
    return DescribeRequest(
        event_id=occasion.event_id, camera=track.camera, track_id=track.track_id, trigger=_TRIGGER[occasion.kind],
        frame_time=occasion.time, crop=best, others=tuple(others), first_seen=track.first_seen, revision=revision,
        final=occasion.kind == "end", posture=None if occasion.posture is None else dict(occasion.posture),
    )  # fmt: skip


def described_of(event: PersonEvent) -> Described | None:
    """What is stored of ``event``; None where there are no words."""
    if event.description is None:
        return None
    return Described(request=request_of(event.occasion, event.revision), description=event.description,
                     described_at=time.time())  # fmt: skip


def _encoded(crop: Picture) -> Crop:
    done, data = cv2.imencode(".jpg", cv2.cvtColor(crop.image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        raise ValueError(f"a crop of {crop.image.shape[1]}x{crop.image.shape[0]} pixels cannot be a JPEG file")
    box: Any = crop.box
    return Crop(data=data.tobytes(), box=box, time=crop.time, score=min(1.0, max(0.0, crop.score)))
