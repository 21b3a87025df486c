from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from personvlm.base.errors import InputError
from personvlm.video.scenes import START
from personvlm.video.sources import camera_names, open_sources


def test_a_scene_gives_one_source_per_camera_with_boxes() -> None:
    text = "rendered:seed=3,cameras=2,people=6,seconds=15,rate=2"
    sources = open_sources(text, camera_names([text])[0])
    assert [source.camera for source in sources] == ["rendered-1", "rendered-2"]
    boxes = 0
    for source in sources:
        frames = list(source.frames())
        assert [frame.index for frame in frames] == list(range(30))
        assert frames[7].time == START + 3.5
        assert frames[0].image.shape == (480, 640, 3)
        boxes += sum(len(frame.given or ()) for frame in frames)
    assert boxes > 8


def test_one_camera_keeps_its_name() -> None:
    assert [source.camera for source in open_sources("rendered:cameras=1,people=1", "gate")] == ["gate"]


@pytest.mark.parametrize(("text", "message"), [
    ("rendered:dogs=3", "'dogs' is no setting"), ("rendered:people=many", "not a number"),
    ("rendered:people=0", "people must be"),
])
def test_settings_that_do_not_exist_are_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        open_sources(text, "c")


@pytest.mark.parametrize(("text", "given", "message"), [
    ("rendered:people=1", {"start": 5.0}, "leave out start"),
    ("rendered:people=1", {"detections": Path("boxes.txt")}, "leave out detections"),
    ("rtsp://10.0.0.7/live", {"start": 5.0}, "is of now; leave out start"),
    ("webcam:0", {"start": 5.0}, "is of now; leave out start"),
])
def test_what_a_source_would_ignore_is_refused(text: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        open_sources(text, "c", **given)
