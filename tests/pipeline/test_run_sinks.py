"""Events of a run in a real store and on a real queue, and what happens while these are away."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from personvlm.base.errors import InputError
from personvlm.pipeline.run import Run, run
from personvlm.pipeline.run_cameras import cameras
from personvlm.pipeline.run_events import PersonEvent
from personvlm.pipeline.run_sinks import Patience, Queueing, queueing, storing
from personvlm.schema import DescribeRequest, PersonDescription, Track, event_id
from personvlm.video.crops import Crop
from personvlm.video.triggers import Kind, Occasion

pytest.importorskip("sqlalchemy", reason="needs the service extra")

SCENE = "rendered:seed=5,cameras=2,people=1,seconds=40,rate=5,width=320,occlusion=0"
CROP = Crop(0.0, (0, 0, 1, 1), np.zeros((2, 2, 3), np.uint8), 1.0, np.zeros((16, 8, 3), np.float32))


class Twins:
    """Says the same of everybody, who all look alike."""

    ranked = staticmethod(tuple)

    def describe(self, crops: tuple[Crop, ...], posture: Any = None) -> PersonDescription:
        return PersonDescription(text=f"A person in {len(crops)} crops.", model="fake-1", embedding=(1.0, 0.0))

    def embed(self, images: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        return np.ones((len(images), 1), np.float32)


class AwayError(Exception):
    pass


def go(tell: Callable[[PersonEvent], None], **options: Any) -> Any:
    return run(cameras([SCENE]), Twins(), tell, **options)  # type: ignore[arg-type]


def test_everything_that_is_said_is_stored_once(tmp_path: Path) -> None:
    from personvlm.store import Store

    path = tmp_path / "people.db"
    events: list[PersonEvent] = []
    for _ in range(2):  # the same footage again
        events.clear()
        with storing(str(path)) as stored:

            def tell(event: PersonEvent, stored: Any = stored) -> None:
                stored(event)
                events.append(event)

            go(tell)
    with Store.open(path) as store:
        there = list(store.history())
        assert sorted(one.request.event_id for one in there) == sorted(one.occasion.event_id for one in events)
        last = {event.id: event for event in events}
        for person, event in last.items():
            held = store.latest(person)
            assert held is not None
            assert held.request.final
            assert held.request.revision == event.revision
            assert held.description.text == event.description.text  # type: ignore[union-attr]
            assert held.request.crop.reference is not None
            assert store.blobs is not None
            assert store.blobs.get(held.request.crop.reference)[:2] == b"\xff\xd8"
        links = {(one.one, one.other) for one in store.links()}
        assert links == {(event.id, other.id) for event in last.values() for other in event.same_as}
        assert links


def test_rules_are_judged_where_descriptions_are_stored(tmp_path: Path) -> None:
    pytest.importorskip("lark", reason="needs the service extra")
    from personvlm.alerts.alert import Alert
    from personvlm.alerts.engine import Alerts
    from personvlm.store import Store

    path = tmp_path / "people.db"
    with Store.open(path) as store:
        Alerts(store).add_rule("anybody", 'camera == "rendered-1" || camera == "rendered-2"')
    raised: list[Alert] = []
    events: list[PersonEvent] = []
    with storing(str(path), raised=raised.append) as stored:

        def tell(event: PersonEvent) -> None:
            stored(event)
            events.append(event)

        go(tell, frames=100)
    assert raised
    assert {alert.rule for alert in raised} == {"anybody"}
    assert {alert.person for alert in raised} <= {event.id for event in events}
    with Store.open(path) as store:
        assert {alert.id for alert in Alerts(store).alerts()} == {alert.id for alert in raised}


def test_pictures_stay_out_of_the_store_where_they_shall(tmp_path: Path) -> None:
    from personvlm.store import Store

    with storing(str(tmp_path / "people.db"), crops=False) as stored:
        go(stored, frames=80)
    with Store.open(tmp_path / "people.db", keep_crops=False) as store:
        assert all(one.request.crop.reference is None and one.request.crop.data is None for one in store.history())
    assert not list(tmp_path.rglob("*.jpg"))


def test_a_queue_gets_every_event_and_words_are_left_to_workers(tmp_path: Path) -> None:
    from personvlm.events import open_queue

    url = f"sqlite:///{tmp_path / 'queue.db'}"
    events: list[PersonEvent] = []
    with queueing(url) as put:
        status = go(events.append, put=put)
    assert (status.described, status.failed) == (0, 0)
    assert status.queued == len(events) > 3
    record = json.loads(json.dumps(events[0].record()))
    assert "text" not in record
    assert "error" not in record
    queue = open_queue(url)
    leases = queue.claim(100)
    last = {event.id for event in events}
    assert {lease.request.person for lease in leases} == last
    assert {lease.request.person for lease in leases if lease.request.final} == last
    assert all(crop.data for lease in leases for crop in lease.request.crops)
    assert any(len(lease.request.crops) > 1 for lease in leases)
    queue.close()


def test_large_pictures_are_laid_down_once_however_often_the_queue_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from personvlm.events import QueueDownError
    from personvlm.events.sql import SqlQueue
    from personvlm.schema import Crop as Sent

    monkeypatch.setattr(Patience, "_sleep", lambda self, seconds: None)
    failures, really = [QueueDownError("gone")] * 3, SqlQueue._put

    def put_by_chance(self: SqlQueue, items: Any) -> Any:
        if failures:
            raise failures.pop()
        return really(self, items)

    monkeypatch.setattr(SqlQueue, "_put", put_by_chance)
    large = DescribeRequest.build("gate", 1, "new_track", 1.0, Sent(data=bytes(100_000)))
    with queueing(f"sqlite:///{tmp_path / 'queue.db'}", blobs=str(tmp_path / "blobs")) as put:
        assert put([large]) == ["accepted"]
    assert not failures
    assert len([path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]) == 1


def test_a_run_that_stores_makes_one_trace_of_what_a_camera_tells(tmp_path: Path) -> None:
    exporting = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter", reason="the otel extra")
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    from personvlm.base import tracing

    provider, kept = TracerProvider(), exporting.InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracing.use(provider)
    events: list[PersonEvent] = []
    try:
        with storing(str(tmp_path / "people.db")) as stored:

            def tell(event: PersonEvent) -> None:
                stored(event)
                events.append(event)

            go(tell, frames=80)
    finally:
        tracing.use(None)
    spans = kept.get_finished_spans()
    names = {span.context.span_id: span.name for span in spans}
    found = {(names.get(span.parent.span_id) if span.parent else None, span.name) for span in spans}
    assert found == {(None, "camera"), ("camera", "describe"), ("camera", "store")}
    stores = [span.attributes["personvlm.event_id"] for span in spans if span.name == "store"]
    assert stores == [event.occasion.event_id for event in events]
    assert len({span.context.trace_id for span in spans}) == sum(span.name == "camera" for span in spans)


def test_a_queue_of_this_process_alone_is_refused() -> None:
    with pytest.raises(InputError, match="others reach"), queueing("memory:"):
        pass


def test_what_is_away_is_waited_for_and_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Patience, "_sleep", lambda self, seconds: waits.append(seconds))
    waits: list[float] = []
    notes: list[str] = []
    failures = [AwayError("gone\nlong story")] * 7

    def do() -> str:
        if failures:
            raise failures.pop()
        return "done"

    assert Patience("the store", (AwayError,), notes.append, lambda: False)(do) == "done"
    assert waits == [1, 2, 4, 8, 16, 30, 30]
    assert notes == ["the store: gone; trying again, nothing is lost meanwhile", "the store: works again"]
    with pytest.raises(ValueError, match="own"):
        Patience("the store", (AwayError,), notes.append, lambda: False)(lambda: int("its own fault"))


@pytest.mark.parametrize(("error", "said"), [(AwayError("gone"), "gone"), (TimeoutError(), "TimeoutError")])
def test_at_the_end_it_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch, error: Exception, said: str) -> None:
    monkeypatch.setattr("personvlm.pipeline.run_sinks._LAST", 0.2)
    tries: list[int] = []

    def do() -> None:
        tries.append(1)
        raise error

    with pytest.raises(InputError, match=f"{said}; what was not told yet is lost"):
        Patience("the store", (type(error),), lambda note: None, lambda: True)(do)
    assert len(tries) == 2


def test_a_store_that_is_away_delays_and_loses_nobody(tmp_path: Path) -> None:
    """Locked by somebody else for a while."""
    import sqlite3

    from personvlm.store import Store

    path = tmp_path / "people.db"
    Store.open(path).close()
    other = sqlite3.connect(path, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(1.0, other.rollback).start()
    events: list[PersonEvent] = []
    with storing(str(path)) as stored:

        def tell(event: PersonEvent) -> None:
            stored(event)
            events.append(event)

        go(tell, frames=100)
    with Store.open(path) as store:
        assert len(list(store.history())) == len(events) > 0


def occasion(person: int, kind: Kind, at: float = 0.0) -> Occasion:
    track = Track(camera="c", track_id=person, first_seen=0.0, last_seen=at)
    trigger: Any = "new_track" if kind == "new" else "track_update"
    return Occasion(kind, track, at, (CROP,), event_id("c", person, trigger, at))


def test_overload_costs_updates_and_nobody_new() -> None:
    """The queue takes nothing for a while; 40 people come, with five updates each."""
    opened, put = threading.Event(), list[DescribeRequest]()

    def slow(requests: Sequence[DescribeRequest]) -> list[str]:
        opened.wait(10)
        put.extend(requests)
        return ["accepted"] * len(requests)

    queueing = Queueing(slow, lambda event: None, lambda note: None, most=8)
    threading.Timer(0.3, opened.set).start()
    for at in range(6):
        for person in range(40):
            queueing.put(occasion(person, "new" if at == 0 else "update", float(at)))
    for person in range(40):
        queueing.put(occasion(person, "end", 9.0))
    queueing.close()
    new = [request.track_id for request in put if request.trigger == "new_track"]
    ends = [request.track_id for request in put if request.final]
    assert sorted(new) == sorted(ends) == list(range(40))
    updates = len(put) - 80
    assert updates + queueing.superseded + queueing.shed == 200
    assert queueing.queued == len(put)


def test_what_the_queue_sheds_is_counted_and_not_told() -> None:
    told: list[PersonEvent] = []
    answers = iter(["accepted", "shed", "superseded", "duplicate"])
    queueing = Queueing(lambda requests: [next(answers)], told.append, lambda note: None)
    for kind, at in (("new", 0.0), ("update", 1.0), ("update", 2.0), ("end", 3.0)):
        queueing.put(occasion(1, kind, at))  # type: ignore[arg-type]
        queueing.settle()
    queueing.close()
    assert (queueing.shed, queueing.superseded, queueing.queued) == (1, 1, 2)
    assert [(event.occasion.kind, event.revision) for event in told] == [("new", 1), ("end", 4)]


def test_pictures_that_fit_no_message_cost_only_themselves() -> None:
    notes: list[str] = []

    def put(requests: Sequence[DescribeRequest]) -> list[str]:
        if requests[0].track_id == 1:
            raise InputError("too large")
        return ["accepted"]

    queueing = Queueing(put, lambda event: None, notes.append)
    for person in (1, 2):
        queueing.put(occasion(person, "new"))
    queueing.close()
    assert (queueing.failed, queueing.queued) == (1, 1)
    assert notes == ["c #1: too large"]


def test_somebody_who_asks_is_passed_on_to_the_workers() -> None:
    put: list[DescribeRequest] = []

    def take(requests: Sequence[DescribeRequest]) -> list[str]:
        put.extend(requests)
        return ["accepted"]

    asked: list[str] = []

    def tell(event: PersonEvent) -> None:
        if not asked:
            asked.append(event.id)
            assert running.reid(event.id) == ()

    running = Run(cameras([SCENE]), Twins(), tell, put=take, frames=100)  # type: ignore[arg-type]
    running.go()
    (request,) = [request for request in put if request.trigger == "reid_request"]
    assert request.person == asked[0]


def test_what_a_run_stores_is_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import services
    from personvlm.store import Store, hot
    from personvlm.store.reading import Filters

    monkeypatch.setattr(hot, "WHOLE_S", 3600)
    redis, path = services.OwnRedis(tmp_path / "redis"), str(tmp_path / "people.db")
    each = [Filters(cameras=(f"rendered-{number}",)) for number in (1, 2)]
    try:
        with hot.with_cache(Store.open(path), redis.url) as store:
            assert [hot.people(store, asked).items for asked in each] == [(), ()], "somebody watches"
        with storing(path, cache=redis.url) as stored:
            go(stored)
        with Store.open(path) as store:
            wanted = [[one.request for one in store.people(asked).items] for asked in each]
        assert any(wanted)
        found = [hot.HotCache(redis.url).latest(asked.cameras[0], 50) for asked in each]
        assert [None if page is None else [one.request for one in page.items] for page in found] == wanted
    finally:
        redis.stop()
