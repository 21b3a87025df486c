"""What a queue must not lose: who is the same person on another camera, and how somebody moved."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from queue_harness import event, eventually
from test_worker import FAST, working

from personvlm.base.errors import InputError
from personvlm.events.describing import EventEngine
from personvlm.events.memory import MemoryQueue
from personvlm.events.message import decode, encode
from personvlm.pipeline.run_requests import request_of
from personvlm.runtime.batching_queue import BatchSettings
from personvlm.schema import Crop, Described, DescribeRequest, PersonDescription, Track
from personvlm.store import Store
from personvlm.store.who import Linking
from personvlm.video.crops import Crop as Picture
from personvlm.video.identity import Identity
from personvlm.video.triggers import Occasion

RED, BLUE = b"red", b"blue"
LOOKS = {RED: (1.0, 0.0), BLUE: (0.0, 1.0)}


def left(camera: str, first: float, last: float, data: bytes = RED) -> DescribeRequest:
    """The last event of somebody."""
    return DescribeRequest.build(camera, 1, "track_update", last, Crop(data=data, time=last), first_seen=first,
                                 revision=2, final=True)  # fmt: skip


def look(requests: Sequence[DescribeRequest]) -> list[PersonDescription]:
    return [PersonDescription(text="A person.", embedding=LOOKS[request.crop.data or b""], model="fake 1")
            for request in requests]  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "people.db", keep_crops=False) as opened:
        yield opened


def pairs(store: Store) -> list[set[str]]:
    return [{link.one, link.other} for link in store.links()]


@pytest.mark.parametrize("together", [True, False])
def test_a_worker_links_who_is_seen_by_another_camera(store: Store, together: bool) -> None:
    queue = MemoryQueue(FAST)
    gate, hall, other = left("gate", 0, 10), left("hall", 40, 50), left("yard", 42, 52, BLUE)
    events = [hall, other, gate]
    seen: list[list[set[str]]] = []

    def observe(described: Sequence[Described], connection: sa.Connection) -> None:
        seen.append([set(store.same_as(one.request.person, connection)) for one in described])

    with working(queue, store, look, observe=Linking(store, Identity(), observe)):
        for part in [events] if together else [[each] for each in events]:
            before = queue.stats().acked
            queue.put(part)
            assert eventually(lambda before=before, part=part: queue.stats().acked == before + len(part))
    assert pairs(store) == [{gate.person, hall.person}]
    assert any({gate.person, hall.person} in each for each in seen), "alerts see it in the same transaction"


def test_ways_between_cameras_hold_in_a_worker(store: Store) -> None:
    queue = MemoryQueue(FAST)
    queue.put([left("gate", 0, 10), left("hall", 40, 50)])
    with working(queue, store, look, observe=Linking(store, Identity(travel={("gate", "hall"): (60.0, 90.0)}))):
        assert eventually(lambda: queue.stats().acked == 2)
    assert pairs(store) == []


def test_an_event_that_comes_again_links_nobody_again(store: Store) -> None:
    """The worker died after storing: its events are claimed by another, when somebody has undone the link."""
    gate, hall = left("gate", 0, 10), left("hall", 40, 50)
    for undone in (False, True):
        queue = MemoryQueue(FAST)
        queue.put([gate, hall])
        with working(queue, store, look, observe=Linking(store)) as worker:
            assert eventually(lambda queue=queue: queue.stats().acked == 2)  # type: ignore[misc]
        if undone:
            assert worker.counts["repeated"] == 2
            assert pairs(store) == []
        else:
            assert pairs(store) == [{gate.person, hall.person}]
            store.undo(gate.person, hall.person, "guard")
    assert len(store.links(undone=True)) == 1


def test_what_fails_to_be_stored_is_not_linked_either(store: Store) -> None:
    queue = MemoryQueue(FAST)

    def broken(described: Sequence[Described], connection: sa.Connection) -> None:
        raise InputError("alerts say no")

    queue.put([left("gate", 0, 10), left("hall", 40, 50)])
    with working(queue, store, look, observe=Linking(store, Identity(), broken)):
        assert eventually(lambda: len(queue.dead()) == 2)
    assert (pairs(store), store.people().items) == ([], ())


# ---- how somebody moves


def test_a_posture_is_in_the_message_and_old_messages_are_read() -> None:
    crop = Picture(5.0, (0, 0, 9, 9), np.zeros((16, 8, 3), np.uint8), 1.0, np.zeros((16, 8, 3), np.float32))
    track = Track(camera="gate", track_id=1, first_seen=1.0, last_seen=5.0)
    posture = {"standing": 0.05, "walking": 0.9, "running": 0.05}
    request = request_of(Occasion("new", track, 5.0, (crop,), "0" * 32, posture), 1)
    assert request.posture == posture
    assert decode(encode(request)).posture == posture
    old = json.loads(encode(event()))
    assert "posture" not in old
    assert decode(json.dumps(old).encode()).posture is None
    for wrong in ({"flying": 1.0}, {"walking": 1.5}, {}, {"walking": "fast"}):
        with pytest.raises(InputError, match="posture"):
            decode(json.dumps({**old, "posture": wrong}).encode())


class Model:
    """Stands where a TrackModel does, and remembers what it is told."""

    class describer:  # noqa: N801
        """Reads nothing."""

        transform = type("T", (), {"fit": staticmethod(lambda image: image)})
        _read = staticmethod(lambda data: data)

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def describe_all(self, people: Sequence[Any], **more: Any) -> list[PersonDescription]:
        """See TrackModel."""
        self.asked.append(more)
        return [PersonDescription(text="A person.")] * len(people)


def test_a_worker_tells_the_model_how_people_move() -> None:
    model: Any = Model()
    engine = EventEngine(model, settings=BatchSettings(batch=4))
    walks = event(1).model_copy(update={"posture": {"walking": 0.9}})
    for batch in ([walks, event(2)], [event(3)]):
        engine._describe([(request, [(b"", 1.0)]) for request in batch])
    engine.close()
    assert model.asked == [{"moving": [{"posture": {"walking": 0.9}}, None]}, {}]


def test_it_is_said_as_in_a_run() -> None:
    """The real model: the same crops with the same posture, in this process and by way of a queue."""
    from personvlm.runtime.describer import Describer
    from personvlm.runtime.tracks import TrackModel
    from personvlm.video.describing import TrackDescriber

    try:
        describer = Describer.load()
    except Exception as error:
        pytest.skip(f"no shipped model: {error}")
    image = np.random.default_rng(1).integers(0, 255, (160, 80, 3), np.uint8)
    crop = Picture(5.0, (0, 0, 9, 9), image, 0.8, np.zeros((16, 8, 3), np.float32))
    posture = {"standing": 0.03, "walking": 0.94, "running": 0.03}
    expected = TrackDescriber(describer).describe([crop], posture)
    fitted = describer.transform.fit(image)
    told, plain = TrackModel(describer).describe_all([[(fitted, 0.8)]] * 2, moving=[{"posture": posture}, None])
    said = told.attributes["posture"]
    assert (said.value, said.source, said.confidence) == ("walking", "track", 0.94)
    assert told.scores["posture"] == posture
    assert plain.attributes.get("posture") is None or plain.attributes["posture"].source != "track"
    assert told.attributes.keys() == expected.attributes.keys()
    assert told.text == expected.text
