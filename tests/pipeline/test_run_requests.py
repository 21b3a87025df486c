"""From what a run knows to what queues and stores take."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from personvlm.pipeline.run_events import PersonEvent, person_of
from personvlm.pipeline.run_requests import described_of, request_of
from personvlm.schema import DescribeRequest, PersonDescription, Track, event_id
from personvlm.schema.events import Trigger
from personvlm.video.crops import Crop
from personvlm.video.triggers import Kind, Occasion

TRIGGERS: dict[Kind, Trigger] = {
    "new": "new_track", "update": "track_update", "end": "track_update", "reid": "reid_request",
}  # fmt: skip


def crop(red: int, score: float) -> Crop:
    image = np.full((60, 30, 3), (red, 40, 160), np.uint8)
    return Crop(1000.0 + score, (5.0, 6.0, 35.0, 66.0), image, score, np.zeros((16, 8, 3), np.float32))


def occasion(kind: Kind = "new") -> Occasion:
    track = Track(camera="gate", track_id=7, first_seen=1000.0, last_seen=1004.5)
    crops = (crop(200, 0.9), crop(20, 0.5))
    return Occasion(kind, track, 1004.5, crops, event_id("gate", 7, TRIGGERS[kind], 1004.5))


@pytest.mark.parametrize("kind", ["new", "update", "end", "reid"])
def test_an_occasion_becomes_a_request(kind: Kind) -> None:
    request = request_of(occasion(kind), 3)
    built = DescribeRequest.build("gate", 7, TRIGGERS[kind], 1004.5, request.crop)
    assert request.event_id == built.event_id
    assert request.trigger == TRIGGERS[kind]
    assert request.final is (kind == "end")
    assert (request.revision, request.first_seen, request.frame_time) == (3, 1000.0, 1004.5)
    assert request.person == person_of(occasion(kind)) == event_id("gate", 7, "new_track", 1000.0)
    assert [each.score for each in request.crops] == [0.9, 0.5]
    assert request.crop.box == (5.0, 6.0, 35.0, 66.0)
    assert request.crop.time == 1000.9
    for each, red in zip(request.crops, (200, 20), strict=True):
        assert each.data is not None
        with Image.open(io.BytesIO(each.data)) as image:
            assert image.format == "JPEG"
            assert image.size == (30, 60)
            assert np.abs(np.asarray(image).reshape(-1, 3).mean(0) - (red, 40, 160)).max() < 4


def test_a_request_survives_json() -> None:
    request = request_of(occasion(), 1)
    bare = request.model_copy(update={"crop": request.crop.model_copy(update={"data": None}), "others": ()})
    assert DescribeRequest.model_validate_json(bare.model_dump_json()) == bare


def test_without_crops_there_is_nothing_to_ask() -> None:
    with pytest.raises(ValueError, match="without crops"):
        request_of(Occasion("new", occasion().track, 1.0, (), "x"), 1)


def test_what_is_stored_has_words() -> None:
    said = PersonDescription(text="A person.")
    stored = described_of(PersonEvent("x", 2, occasion("end"), said, None, 5.0))
    assert stored is not None
    assert (stored.description, stored.request.revision, stored.request.final) == (said, 2, True)
    assert described_of(PersonEvent("x", 2, occasion(), None, "broken", 5.0)) is None
