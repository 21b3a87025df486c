from __future__ import annotations

import numpy as np
import pytest
import supervision as sv

from personvlm.data.rendered import render
from personvlm.schema import Track, event_id
from personvlm.video.frame import Frame
from personvlm.video.tracking import FIRST_SEEN, Tracked
from personvlm.video.triggers import Occasion, Timing, Triggers

BOX = (40.0, 20.0, 140.0, 220.0)
PEOPLE = {name: render(values, seed=5, size=(100, 200)) for name, values in {
    "front": {"view": ("front",), "upper.color": ("red",)},
    "other": {"view": ("front",), "upper.color": ("white",), "lower.color": ("white",)},
}.items()}  # fmt: skip


def frame(index: int, look: str | None = "front", box: tuple[float, float, float, float] = BOX) -> Frame:
    image = np.full((240, 320, 3), 110, np.uint8)
    if look is not None:
        x1, y1 = int(box[0]), int(box[1])
        image[y1 : y1 + 200, x1 : x1 + 100] = PEOPLE[look][: 240 - y1]
    return Frame("gate", index, index / 10, image)


def tracked(ids: list[int], boxes: list[tuple[float, ...]] | None = None, ended: tuple[Track, ...] = (),
            since: float = 0.0) -> Tracked:
    people = sv.Detections(xyxy=np.array(boxes or [BOX] * len(ids), np.float32).reshape(-1, 4),
                           confidence=np.full(len(ids), 0.9, np.float32), tracker_id=np.array(ids, int),
                           data={FIRST_SEEN: np.full(len(ids), since)})
    return Tracked(people, ended)


def left(track_id: int, first: float, last: float) -> tuple[Track, ...]:
    return (Track(camera="gate", track_id=track_id, first_seen=first, last_seen=last),)


def watch(triggers: Triggers, looks: list[str], **kwargs: object) -> list[Occasion]:
    return [occasion for index, look in enumerate(looks) for occasion in triggers.see(frame(index, look), tracked([1]))]


def test_a_good_crop_is_described_at_once() -> None:
    occasions = watch(Triggers("gate"), ["front"] * 5)
    assert [(occasion.kind, occasion.time) for occasion in occasions] == [("new", 0.0)]
    assert occasions[0].event_id == event_id("gate", 1, "new_track", 0.0)
    assert occasions[0].track == Track(camera="gate", track_id=1, first_seen=0.0, last_seen=0.0)
    assert len(occasions[0].crops) == 1
    assert occasions[0].crops[0].image.shape[0] == 220


def test_a_poor_crop_waits_for_a_better_one_until_the_deadline() -> None:
    half = (260.0, 120.0, 320.0, 240.0)  # cut at two sides
    triggers = Triggers("gate", Timing(deadline=1.0))
    occasions = [(index, occasion) for index in range(20)
                 for occasion in triggers.see(frame(index, None), tracked([1], [half]))]
    assert [(index, occasion.kind) for index, occasion in occasions] == [(10, "new")]
    better = Triggers("gate", Timing(deadline=1.0))
    assert better.see(frame(0, None), tracked([1], [half])) == []
    (occasion,) = better.see(frame(3), tracked([1]))
    assert (occasion.kind, occasion.time) == ("new", 0.3)
    assert occasion.crops[0].box == BOX


def test_who_stands_still_is_not_described_again() -> None:
    occasions = watch(Triggers("gate", Timing(every=2.0)), ["front"] * 150)
    assert [occasion.kind for occasion in occasions] == ["new"]


def test_new_evidence_is_described_but_not_before_its_time() -> None:
    looks = ["front"] * 10 + ["other"] * 40
    occasions = watch(Triggers("gate", Timing(every=3.0)), looks)
    assert [(occasion.kind, occasion.time) for occasion in occasions] == [("new", 0.0), ("update", 3.0)]
    assert len({occasion.event_id for occasion in occasions}) == 2
    shown = {round(float(crop.image.mean())) for crop in occasions[1].crops}
    assert len(shown) >= 2  # both sides are evidence


def test_the_end_comes_once_and_last() -> None:
    triggers = Triggers("gate")
    watch(triggers, ["front"] * 10)
    (end,) = triggers.see(frame(60, None), tracked([], ended=left(1, 0.0, 0.9)))
    assert (end.kind, end.time, end.track.last_seen) == ("end", 0.9, 0.9)
    assert end.crops
    assert triggers.end(left(1, 0.0, 0.9)) == []


def test_who_left_before_the_deadline_is_described_at_the_end_and_who_flashed_by_is_not() -> None:
    half = (260.0, 120.0, 320.0, 240.0)
    triggers = Triggers("gate", Timing(deadline=2.0, fleeting=0.5))
    for index in range(10):
        assert triggers.see(frame(index, None), tracked([1], [half])) == []
    (end,) = triggers.end(left(1, 0.0, 0.9))
    assert end.kind == "end"
    assert triggers.see(frame(20, None), tracked([2], [half], since=2.0)) == []
    assert triggers.end(left(2, 2.0, 2.0)) == []
    assert triggers.fleeting == 1
    assert triggers.end(left(77, 0.0, 9.0)) == []


def test_two_people_have_stories_of_their_own() -> None:
    triggers, boxes = Triggers("gate"), [BOX, (180.0, 20.0, 280.0, 220.0)]
    image = frame(0)
    image.image[20:220, 180:280] = PEOPLE["other"]
    first = triggers.see(image, tracked([3, 4], boxes))
    assert [(occasion.track.track_id, occasion.kind) for occasion in first] == [(3, "new"), (4, "new")]
    assert abs(float(first[0].crops[0].image.mean()) - float(first[1].crops[0].image.mean())) > 5


@pytest.mark.parametrize("keep", [1, 3])
def test_evidence_is_bounded(keep: int) -> None:
    triggers = Triggers("gate", Timing(keep=keep, every=1.0))
    occasions = watch(triggers, ["front", "other"] * 60)
    occasions += triggers.end(left(1, 0.0, 11.9))
    assert max(len(occasion.crops) for occasion in occasions) <= keep
