from __future__ import annotations

import numpy as np
import supervision as sv

from personvlm.data.rendered import render
from personvlm.video.frame import Frame
from personvlm.video.triggers import Occasion
from personvlm.video.watch import CameraWatch

PERSON = render({}, seed=1, size=(100, 200))


def frame(index: int, size: tuple[int, int] = (240, 320)) -> Frame:
    image = np.full((*size, 3), 110, np.uint8)
    image[20:220, 40:140] = PERSON
    return Frame("gate", index, index / 10, image)


def detections() -> sv.Detections:
    return sv.Detections(xyxy=np.array([[40, 20, 140, 220]], np.float32), confidence=np.array([0.9], np.float32),
                         class_id=np.zeros(1, int))


def run(watch: CameraWatch, frames: list[Frame]) -> list[Occasion]:
    occasions: list[Occasion] = []
    for one in frames:
        occasions += watch.step(one, detections() if watch.due(one) else None).occasions
    return occasions


def test_detection_every_few_frames_and_boxes_in_between() -> None:
    assert CameraWatch("gate", 30).every == 3
    assert CameraWatch("gate", 0).every == 1
    watch = CameraWatch("gate", 30, every=2)
    due, boxes = [], []
    for index in range(12):
        due.append(watch.due(frame(index)))
        boxes.append(len(watch.step(frame(index), detections() if due[-1] else None).people))
    assert due == [True, False] * 6
    assert boxes[-4:] == [1, 1, 1, 1]


def test_dropped_frames_are_made_up_for() -> None:
    """Of 30 frames a second only every fourth is left: each of them is looked at, eight a second."""
    watch = CameraWatch("gate", 30)
    due = []
    for index in (0, 1, 2, 3, 7, 11, 15, 16, 17, 18):
        due.append(watch.due(frame(index)))
        watch.step(frame(index), detections() if due[-1] else None)
    assert due == [True, False, False, True, True, True, True, False, False, True]


def test_from_first_sight_to_the_end() -> None:
    watch = CameraWatch("gate", 10)
    assert [one.kind for one in run(watch, [frame(index) for index in range(20)])] == ["new"]
    assert [one.kind for one in watch.finish()] == ["end"]
    assert watch.finish() == []
    assert watch.tracks == 1


def test_another_size_ends_the_tracks_and_says_so() -> None:
    notes: list[str] = []
    watch = CameraWatch("gate", 10, report=notes.append)
    frames = [frame(index) for index in range(10)] + [frame(index, (300, 400)) for index in range(10, 20)]
    occasions = run(watch, frames)
    assert [(one.kind, one.track.track_id) for one in occasions] == [("new", 1), ("end", 1), ("new", 2)]
    assert notes == ["gate: the picture changed from 320x240 to 400x300; whoever is in it counts as new"]
