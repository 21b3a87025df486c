from __future__ import annotations

import numpy as np
import pytest
import supervision as sv
from numpy.typing import NDArray

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


def walker(index: int, speed: float = 6.0) -> tuple[Frame, NDArray[np.float32]]:
    """Frame ``index`` of 30 a second in which somebody walks to the right, and where."""
    left = 10 + speed * index
    return (Frame("gate", index, index / 30, np.full((240, 640, 3), 110, np.uint8)),
            np.array([left, 20, left + 60, 200], np.float32))  # fmt: skip


def test_boxes_move_with_their_people_between_detections() -> None:
    watch, off, frozen = CameraWatch("gate", 30, every=5), [], []
    seen = np.zeros(4, np.float32)
    for index in range(90):
        one, box = walker(index)
        looked = watch.due(one)
        given = sv.Detections(xyxy=box[None], confidence=np.array([0.9], np.float32), class_id=np.zeros(1, int))
        people = watch.step(one, given if looked else None).people
        seen = box if looked else seen
        if index > 40 and not looked:
            assert people.tracker_id is not None
            assert people.tracker_id.tolist() == [1]
            off.append(float(np.abs(people.xyxy[0] - box).max()))
            frozen.append(float(np.abs(seen - box).max()))
    assert max(frozen) == 24
    assert max(off) < 2


def test_who_walked_out_between_detections_has_no_box() -> None:
    watch = CameraWatch("gate", 30, every=15)
    for index in range(120):
        one, box = walker(index, 8.0)
        given = sv.Detections(xyxy=box[None], confidence=np.array([0.9], np.float32), class_id=np.zeros(1, int))
        people = watch.step(one, given if watch.due(one) and box[0] < 620 else None).people
        assert (people.xyxy[:, 2] <= 640).all()
    assert len(people) == 0


def test_a_camera_that_loses_frames_is_looked_at_less_often_and_again_when_it_does_not() -> None:
    watch, index, looks = CameraWatch("gate", 30, adapt=True), 0, dict[str, list[int]]()
    for name, seconds, step in (("at first", 4, 1), ("behind", 12, 3), ("again", 60, 1)):
        until = index + 30 * seconds
        while index < until:
            one = Frame("gate", index, index / 30, np.zeros((24, 32, 3), np.uint8))
            looked = watch.due(one)
            looks.setdefault(name, []).append(looked)
            watch.step(one, sv.Detections.empty() if looked else None)
            index += step
        if name == "behind":
            assert watch.every == 8  # about four detections a second are left
            assert watch.load.raised == 2
            assert watch.load.strained
    assert np.mean(looks["at first"]) == pytest.approx(1 / 3, abs=0.02)
    assert np.mean(looks["behind"][-90:]) < 0.5  # of those frames that are left
    assert watch.every == 3
    assert not watch.load.strained
    assert np.mean(looks["again"][-300:]) == pytest.approx(1 / 3, abs=0.02)


def test_a_file_is_looked_at_as_often_as_ever() -> None:
    watch = CameraWatch("gate", 30)
    for index in range(0, 600, 4):
        watch.step(Frame("gate", index, index / 30, np.zeros((24, 32, 3), np.uint8)), sv.Detections.empty())
    assert (watch.every, watch.load.raised) == (3, 0)


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
