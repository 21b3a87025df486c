from __future__ import annotations

import numpy as np
import pytest
import supervision as sv
from numpy.typing import NDArray

from personvlm.schema import Track
from personvlm.video.frame import Frame
from personvlm.video.mot import MotLog
from personvlm.video.tracking import FIRST_SEEN, Tracker, Tracking, cut

NAMES = ("bytetrack", "ocsort", "botsort")
Box = tuple[float, float, float, float]
COLORS = {"red": (200, 30, 30), "green": (30, 180, 30), "blue": (30, 30, 200)}


def frame(index: int, people: dict[str, Box]) -> Frame:
    image = np.full((240, 320, 3), 90, np.uint8)
    for name, (x1, y1, x2, y2) in people.items():
        image[max(0, int(y1)) : max(0, int(y2)), max(0, int(x1)) : max(0, int(x2))] = COLORS[name]
    return Frame("gate", index, index / 10, image)


def detections(people: dict[str, Box], confidence: float = 0.9) -> sv.Detections:
    count = len(people)
    return sv.Detections(xyxy=np.array(list(people.values()), np.float32).reshape(-1, 4),
                         confidence=np.full(count, confidence, np.float32), class_id=np.zeros(count, int))


def walk(x: float, y: float = 60) -> Box:
    return x, y, x + 40, y + 120


def embed(images: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """The mean color around gray, normalised: the same for one person, different for the others."""
    vectors = np.array([image.reshape(-1, 3).mean(0) - 90 for image in images], np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def follow(tracker: Tracker, steps: list[dict[str, Box]]) -> tuple[list[dict[str, int]], list[Track]]:
    """Who has which track in every frame, and the tracks that ended."""
    seen, ended = [], []
    for index, people in enumerate(steps):
        tracked = tracker.update(frame(index, people), detections(people))
        ended += tracked.ended
        ids: dict[str, int] = {}
        assert tracked.people.tracker_id is not None
        for box, track_id in zip(tracked.people.xyxy, tracked.people.tracker_id, strict=True):
            name = min(people, key=lambda name: abs(people[name][0] - box[0]) + abs(people[name][1] - box[1]))
            ids[name] = int(track_id)
        seen.append(ids)
    return seen, ended


@pytest.mark.parametrize("name", NAMES)
def test_people_who_pass_each_other_keep_their_tracks(name: str) -> None:
    steps = [{"red": walk(20 + 6 * i, 50), "green": walk(260 - 6 * i, 90)} for i in range(35)]
    seen, ended = follow(Tracker("gate", 10, Tracking(name=name)), steps)
    assert seen[-1] == seen[5]
    assert sorted(seen[-1].values()) == [1, 2]
    assert ended == []


@pytest.mark.parametrize("name", NAMES)
def test_who_leaves_is_reported_once_with_first_and_last_sight(name: str) -> None:
    tracker = Tracker("gate", 10, Tracking(name=name, patience=1.0, coast=0.5))
    _, ended = follow(tracker, [{"red": walk(20 + 4 * i)} if 5 <= i < 25 else {} for i in range(60)])
    assert len(ended) == 1
    assert ended[0].camera == "gate"
    assert ended[0].last_seen == pytest.approx(2.4)
    assert 0.5 <= ended[0].first_seen <= 0.8
    assert tracker.finish() == ()


def test_since_when_somebody_is_there_agrees_with_the_end() -> None:
    tracker = Tracker("gate", 10)
    people = {"red": walk(60)}
    since = [tracker.update(frame(index, people), detections(people)).people.data.get(FIRST_SEEN, [])
             for index in range(10)]
    assert len(since[0]) == 0
    assert {float(value) for values in since for value in values} == {tracker.finish()[0].first_seen}


def test_finish_ends_everybody() -> None:
    tracker = Tracker("gate", 10)
    follow(tracker, [{"red": walk(20 + 4 * i), "green": walk(200)} for i in range(10)])
    assert [track.track_id for track in tracker.finish()] == [1, 2]


@pytest.mark.parametrize("name", NAMES)
def test_one_who_was_hidden_is_found_again_by_looks_and_a_stranger_is_not(name: str) -> None:
    """Hidden for 3 s, longer than motion is trusted; two come out, at places both within reach."""
    steps = [{"red": walk(60)} if i < 20 else {} for i in range(50)]
    steps += [{"red": walk(120), "blue": walk(20)} for _ in range(10)]
    settings = Tracking(name=name, coast=1.0, patience=5.0)
    seen, _ = follow(Tracker("gate", 10, settings, embed), steps)
    assert seen[-1]["red"] == seen[19]["red"] == 1
    assert seen[-1]["blue"] != 1
    without, _ = follow(Tracker("gate", 10, settings), steps)
    assert without[-1]["red"] != 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("looks", [False, True])
def test_a_pillar_does_not_split_a_track(name: str, looks: bool) -> None:
    """It hides its people for 0.8 s, and shows them in parts before and after."""
    steps = []
    for index in range(60):
        left, right = 10 + 5.0 * index, 50 + 5.0 * index
        visible = (left, min(right, 150.0)) if left < 150 - 5 else (max(left, 210.0), right)
        steps.append({"red": (visible[0], 60, visible[1], 180)} if visible[1] - visible[0] >= 12 else {})
    hidden = [index for index, step in enumerate(steps) if not step]
    assert 6 <= len(hidden) <= 12
    seen, _ = follow(Tracker("gate", 10, Tracking(name=name), embed if looks else None), steps)
    assert seen[hidden[0] - 1]["red"] == seen[hidden[-1] + 6]["red"] == seen[-1]["red"] == 1


def test_nobody_is_found_again_beyond_reach_or_patience() -> None:
    settings = Tracking(coast=0.2, patience=4.0)
    far = [{"red": (10, 10, 30, 70)} if i < 20 else {} for i in range(25)]
    far += [{"red": (280, 170, 300, 230)}] * 10
    assert follow(Tracker("gate", 10, settings, embed), far)[0][-1]["red"] == 2
    late = [{"red": walk(60)} if i < 20 else {} for i in range(70)] + [{"red": walk(60)}] * 10
    seen, ended = follow(Tracker("gate", 10, settings, embed), late)
    assert seen[-1]["red"] == 2
    assert [track.track_id for track in ended] == [1]


def test_unlikely_detections_begin_no_track() -> None:
    tracker = Tracker("gate", 10)
    for index in range(20):
        people = {"red": walk(60)}
        assert len(tracker.update(frame(index, people), detections(people, 0.3)).people) == 0


def test_a_signpost_that_somebody_passed_is_not_taken_for_them_for_ever() -> None:
    tracker, shown, ended = Tracker("gate", 10, Tracking(patience=2.0)), [], []
    people = {"red": walk(60)}
    for index in range(120):
        tracked = tracker.update(frame(index, people), detections(people, 0.9 if index < 20 else 0.4))
        shown.append(len(tracked.people))
        ended += tracked.ended
    assert shown[10:39] == [1] * 29
    assert sum(shown[45:]) == 0
    assert [track.track_id for track in ended] == [1]
    assert tracker.count == 1


def test_cut_stays_inside_and_is_never_empty() -> None:
    image = np.zeros((20, 30, 3), np.uint8)
    assert cut(image, np.array([-5, -5, 10.5, 4.2], np.float32)).shape == (5, 11, 3)
    assert cut(image, np.array([40, 40, 50, 50], np.float32)).shape == (1, 1, 3)


def test_mot_figures_of_a_switch_by_hand() -> None:
    """Ten frames, one person, one track that becomes another after six: IDF1 = 2 * 6 / 20, MOTA = 1 - 1 / 10."""
    log, box = MotLog(), np.array([[0, 0, 10, 20]], np.float32)
    for index in range(10):
        log.add(["anna"], box, ["a" if index < 6 else "b"], box)
    score = log.score()
    assert score.idf1 == pytest.approx(0.6)
    assert score.mota == pytest.approx(0.9)
    assert score.switches == 1
    assert score.recall == score.precision == 1
    log.add([], np.zeros((0, 4), np.float32), ["c"], box)  # a ghost
    log.add(["bert"], box, [], np.zeros((0, 4), np.float32))  # overlooked
    assert log.score().precision == pytest.approx(10 / 11)
    assert log.score().recall == pytest.approx(10 / 11)
