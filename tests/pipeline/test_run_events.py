from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from personvlm.pipeline.run_events import Describing, PersonEvent
from personvlm.schema import PersonDescription, Track, event_id
from personvlm.video.crops import Crop
from personvlm.video.triggers import Kind, Occasion

CROP = Crop(0.0, (0, 0, 1, 1), np.zeros((2, 2, 3), np.uint8), 1.0, np.zeros((16, 8, 3), np.float32))


class Gate:
    """A describer that waits at the first person until it is opened."""

    def __init__(self) -> None:
        self.varied, self.count = True, 0
        self.seen: list[int] = []
        self.open = threading.Event()
        self.entered = threading.Event()

    def describe(self, crops: Any, posture: Any = None) -> PersonDescription:
        self.entered.set()
        self.open.wait(100)
        self.count += 1
        self.seen.append(len(crops))
        return PersonDescription(text=f"A person, answer {self.count if self.varied else 0}.")

    def ranked(self, crops: Any) -> tuple[Any, ...]:
        return tuple(sorted(crops, key=lambda crop: crop.time))


def occasion(person: int, kind: Kind, at: float = 0.0) -> Occasion:
    track = Track(camera="c", track_id=person, first_seen=0.0, last_seen=at)
    trigger: Any = "new_track" if kind == "new" else "track_update"
    return Occasion(kind, track, at, (CROP,), event_id("c", person, trigger, at))


@pytest.fixture
def gate() -> Gate:
    return Gate()


def told(gate: Gate, put: list[Occasion], most: int = 64) -> tuple[Describing, list[tuple[int, str, int]]]:
    """Everything of ``put`` waits while person 0 is being described."""
    events: list[PersonEvent] = []
    describing = Describing(gate, events.append, most)  # type: ignore[arg-type]
    describing.put(occasion(0, "new"))
    assert gate.entered.wait(60)
    for one in put:
        describing.put(one)
    gate.open.set()
    describing.close()
    return describing, [(event.occasion.track.track_id, event.occasion.kind, event.revision) for event in events[1:]]


def test_new_people_overtake_ends_and_ends_overtake_updates(gate: Gate) -> None:
    put = [occasion(1, "update"), occasion(2, "end"), occasion(3, "new"), occasion(4, "new")]
    assert [event[:2] for event in told(gate, put)[1]] == [(3, "new"), (4, "new"), (2, "end"), (1, "update")]


def test_the_picture_of_an_event_is_the_one_that_the_model_finds_best(gate: Gate) -> None:
    crops = tuple(Crop(time, (0, 0, time, 2), CROP.image, 1.0, CROP.thumbnail) for time in (3.0, 1.0, 2.0))
    events: list[PersonEvent] = []
    gate.open.set()
    describing = Describing(gate, events.append)  # type: ignore[arg-type]
    describing.put(replace(occasion(1, "new"), crops=crops[:1]))
    describing.put(replace(occasion(1, "end", 4.0), crops=crops))
    describing.close()
    assert [event.record()["crop_time"] for event in events] == [3.0, 1.0]
    assert events[-1].record()["box"] == [0, 0, 1.0, 2]
    assert [crop.time for crop in events[-1].occasion.crops] == [1.0, 2.0, 3.0]


def test_a_newer_update_replaces_an_older_one_that_waits(gate: Gate) -> None:
    describing, events = told(gate, [occasion(1, "update", 1.0), occasion(1, "update", 2.0), occasion(1, "end", 3.0)])
    assert events == [(1, "end", 1)]
    assert describing.superseded == 2


def test_new_is_told_even_when_the_end_came_before_the_words(gate: Gate) -> None:
    put = [occasion(1, "new", 1.0), occasion(1, "update", 2.0), occasion(1, "end", 3.0)]
    describing, events = told(gate, put)
    assert events == [(1, "new", 1), (1, "end", 2)]
    assert (describing.described, describing.superseded) == (3, 1)


def test_too_many_updates_are_shed_and_counted(gate: Gate) -> None:
    describing, events = told(gate, [occasion(person, "update", person) for person in range(1, 8)], most=3)
    assert [event[0] for event in events] == [5, 6, 7]
    assert describing.shed == 4


def test_an_update_is_shed_where_only_new_people_wait(gate: Gate) -> None:
    describing, events = told(gate, [occasion(1, "new"), occasion(2, "new"), occasion(3, "update")], most=2)
    assert [event[:2] for event in events] == [(1, "new"), (2, "new")]
    assert describing.shed == 1


def test_new_people_are_waited_for_not_dropped(gate: Gate) -> None:
    events: list[PersonEvent] = []
    describing = Describing(gate, events.append, 2)  # type: ignore[arg-type]
    describing.put(occasion(0, "new"))
    assert gate.entered.wait(60)
    for person in (1, 2):
        describing.put(occasion(person, "new"))
    threading.Timer(0.3, gate.open.set).start()
    describing.put(occasion(3, "new"))
    assert gate.open.is_set()
    describing.close()
    assert sorted(event.occasion.track.track_id for event in events) == [0, 1, 2, 3]


def test_settle_returns_when_everybody_is_described(gate: Gate) -> None:
    events: list[PersonEvent] = []
    describing = Describing(gate, events.append)  # type: ignore[arg-type]
    gate.open.set()
    for person in range(5):
        describing.put(occasion(person, "new"))
    describing.settle()
    assert len(events) == 5
    assert describing.waiting == 0
    describing.close()


@pytest.mark.parametrize("varied", [False, True])
def test_an_update_that_says_the_same_is_not_told(gate: Gate, varied: bool) -> None:
    gate.varied = varied
    gate.open.set()
    events: list[PersonEvent] = []
    describing = Describing(gate, events.append)  # type: ignore[arg-type]
    for kind, at in (("new", 0.0), ("update", 5.0), ("update", 10.0), ("end", 12.0)):
        describing.put(occasion(1, kind, at))  # type: ignore[arg-type]
        describing.settle()
    describing.close()
    kinds = [(event.occasion.kind, event.revision) for event in events]
    if varied:
        assert kinds == [("new", 1), ("update", 2), ("update", 3), ("end", 4)]
    else:
        assert kinds == [("new", 1), ("end", 2)]
    assert describing.unchanged == (0 if varied else 2)


def test_a_question_takes_nothing_from_what_waits(gate: Gate) -> None:
    """It has the evidence of what was told last: an end keeps its own, and an update is still told."""
    end = replace(occasion(1, "end", 3.0), crops=(CROP,) * 4)
    put = [end, occasion(1, "reid"), occasion(2, "update", 4.0), occasion(2, "reid")]
    describing, events = told(gate, put)
    assert events == [(1, "reid", 1), (1, "end", 1), (2, "reid", 1), (2, "update", 1)]
    assert describing.superseded == 0
    assert gate.seen == [1, 4, 1]


def test_words_to_a_question_do_not_keep_an_update_from_being_told(gate: Gate) -> None:
    gate.open.set()
    events: list[PersonEvent] = []
    describing = Describing(gate, events.append)  # type: ignore[arg-type]
    for kind in ("new", "reid", "update"):
        describing.put(occasion(1, kind))  # type: ignore[arg-type]
        describing.settle()
        gate.varied = False  # from now on the words are others, and stay
    describing.close()
    assert [event.occasion.kind for event in events] == ["new", "reid", "update"]
