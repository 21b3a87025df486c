"""Erased is gone: no byte of a picture, a text or a vector in any file of database, blobs, queue or cache."""

from __future__ import annotations

import base64
import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from stored_people import MONDAY, backpacker, red_jacket, seen

import services
from personvlm.pipeline.erase import erase
from personvlm.schema import Described
from personvlm.store import Store, reading, tables
from personvlm.store.hot import HotCache
from personvlm.store.reading import Filters

DAY = 86_400.0


@pytest.fixture
def own_postgres(tmp_path: Path) -> Iterator[services.OwnPostgres]:
    """A cluster whose files nobody else writes, and whose log is not reused."""
    server = services.OwnPostgres(tmp_path / "cluster")
    yield server
    server.stop()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[services.OwnRedis]:
    """A Redis that writes everything into its append-only file."""
    server = services.OwnRedis(tmp_path / "redis")
    yield server
    server.stop()


class Marked:
    """Somebody whose traces can be told from everybody else's."""

    def __init__(self, track: int) -> None:
        rng = np.random.default_rng(track)
        self.picture = rng.bytes(3000)
        vector = rng.normal(size=128)
        self.vector = tuple((vector / np.linalg.norm(vector)).tolist())
        self.text = f"The image shows a quirkologist number {track}, zyxwvut."
        looks = red_jacket(0.123456 + track / 1e5, embedding=self.vector).model_copy(update={"text": self.text})
        self.event = seen(track, looks, at=MONDAY + track, crop=self.picture)
        self.person = self.event.request.person

    def traces(self, store: Store) -> dict[str, bytes]:
        """Bytes that stand for the person in files."""
        from personvlm.store.rows import Said

        said = Said.of([self.event.description], store.terms)[0]
        assert said.codes is not None
        assert said.vector is not None
        quantized = np.rint(np.clip(np.frombuffer(said.vector, "<f2").astype(np.float32), -1, 1) * 127).astype(np.int8)
        return {"picture": self.picture[100:140], "text": self.text[20:44].encode(), "vector": said.vector[40:72],
                "scores": said.codes.astype("<u2").tobytes()[:64], "attributes": said.attributes[:60].encode(),
                "searched vector": quantized.tobytes()[20:60], "word": b"quirkologist"}  # fmt: skip


def found(folders: list[Path], traces: dict[str, bytes]) -> set[str]:
    """Which traces stand in any file below ``folders``."""
    there = set()
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file():
                data = path.read_bytes()
                there |= {name for name, trace in traces.items() if trace in data}
    return there


def crowd_around(marked: Marked) -> list[Described]:
    return [*(seen(track, backpacker(), at=MONDAY + track, crop=os.urandom(500)) for track in range(1, 60)),
            marked.event, *(seen(track, backpacker(), at=MONDAY + track) for track in range(1000, 1040))]  # fmt: skip


def test_sqlite_blobs_queue_and_cache_hold_no_byte(tmp_path: Path, redis: services.OwnRedis) -> None:
    from personvlm.events import open_queue

    marked = Marked(777)
    files = tmp_path / "files"
    files.mkdir()
    with Store.open(files / "people.db") as store:
        traces = marked.traces(store)
        queue = open_queue(redis.url, blobs=store.blobs)
        queue.put([marked.event.request])
        inside = open_queue(str(store.engine.url), blobs=store.blobs, store=store)
        inside.put([marked.event.request])
        store.add(crowd_around(marked))
        store.fold()
        later = red_jacket(embedding=marked.vector).model_copy(update={"text": marked.text + " Still."})
        store.add([seen(777, later, at=MONDAY + 800, first=MONDAY + 777, revision=2)])
        cache = HotCache(redis.url)
        with store.read() as connection:
            cache.put(reading.held(connection, store.terms, Filters(people=(marked.person,)), 1))
        assert store.blobs is not None
        shown = store.blobs.put(marked.picture, time.time() + 3600)  # kept by nobody but the alert
        with store.begin() as connection:
            connection.execute(tables.alerts.insert().values(
                id="a", rule="r", person=marked.person, camera="gate", state="raised", holds=True, ended=False,
                event_id="e", revision=1, probability=1, text=marked.text, crop=shown, why="{}",
                raised_at=0, seen_at=0))  # fmt: skip
        places = [files, tmp_path / "redis"]
        assert found(places, traces) >= {"picture", "text", "vector", "scores", "attributes", "searched vector"}
        receipt = erase(store, [marked.person], actor="test", reason="asked to", queue=redis.url, cache=redis.url)
        wait_for_redis(redis, places[1], traces)
        assert found(places, traces) == set()
        assert receipt.counts["descriptions"] == 2
        assert receipt.counts["pictures"] >= 1
        assert (receipt.counts["queue"], receipt.counts["queue_events"], receipt.counts["cache"]) == (1, 1, 1)
        assert receipt.counts["alerts"] == 1
        assert store.audited()[-1].detail["reason"] == "asked to"
        assert store.verify_audit() is None
        # Everybody else is still there, and is found.
        assert len(store.search("man with a backpack", limit=200).hits) == 99
        assert store.search("lanyard").hits
        assert cache.latest("gate") is None
        queue.close()
        inside.close()


def wait_for_redis(redis: services.OwnRedis, folder: Path, traces: dict[str, bytes]) -> None:
    """Redis rewrites its file in the background; a queue's own deletions are rewritten on demand."""
    import redis as client

    connection = client.Redis.from_url(redis.url)
    end = time.monotonic() + 20
    while time.monotonic() < end and found([folder], traces):
        with contextlib.suppress(client.ResponseError):  # one is under way: that of the queue's own erasing
            connection.bgrewriteaof()
        time.sleep(0.1)
    connection.close()


@pytest.mark.parametrize("inline", [0, 64 * 1024])
def test_files_of_rabbitmq_hold_no_byte_of_a_picture_by_reference(tmp_path: Path, inline: int) -> None:
    pytest.importorskip("aio_pika", reason="RabbitMQ needs the rabbitmq extra")
    from personvlm.events import QueueSettings
    from personvlm.events.rabbitmq import RabbitQueue

    files = Path(os.environ.get("PERSONVLM_TEST_RABBITMQ_FILES", "/var/lib/rabbitmq/mnesia"))
    url = services.rabbitmq_url()
    if not os.access(files, os.R_OK | os.X_OK) or "127.0.0.1" not in url:
        services.missing(f"files of RabbitMQ cannot be read at {files}; name them in PERSONVLM_TEST_RABBITMQ_FILES")
    marked = Marked(int.from_bytes(os.urandom(2), "big"))  # bytes that no run before left there
    message = base64.b64encode(marked.picture)
    with Store.open(tmp_path / "people.db") as store:
        settings = QueueSettings(inline=inline)
        queue = RabbitQueue(f"{url}?queue={services.unique()}", settings, store.blobs)
        try:
            queue.put([marked.event.request])
            traces = {**marked.traces(store), "sent picture": message[400:460]}
            places = [files, tmp_path]
            assert found(places, traces) == ({"sent picture"} if inline else {"picture"})
            receipt = erase(store, [marked.person], queue=queue)
            assert receipt.counts["queue"] == 1
            if inline == 0:  # as docs/queues.md says; nothing of what is said ever goes there
                assert found(places, traces) == set()
            # A broker does not let anybody write its log anew: it is named, with a reason to go by reference.
            assert any("RabbitMQ's own files" in place for place in receipt.remaining)
        finally:
            queue.drop()
            queue.close()


def test_what_waits_for_mqtt_and_the_cache_are_erased_or_named(tmp_path: Path) -> None:
    from personvlm.integrations.outbox import Outbox, WaitingFile

    marked, path = Marked(9), tmp_path / "waits" / "outbox.sqlite"
    outbox = Outbox(path)
    outbox.put("personvlm/gate/person", marked.text, person=marked.person, kind="end")
    with Store.open(tmp_path / "people.db") as store:
        store.add([marked.event])
        traces = marked.traces(store)
        places = [WaitingFile(path), WaitingFile(tmp_path / "none.sqlite")]
        receipt = erase(store, [marked.person], elsewhere=places, cache=f"redis://127.0.0.1:{services.free_port()}/0")
        assert receipt.counts["outbox"] == 0
        named = " ".join(receipt.remaining)
        assert str(path) in named
        assert "the cache of latest descriptions does not answer" in named
        outbox.close()
        assert found([tmp_path], traces) == {"text", "word"}
        receipt = erase(store, [marked.person], elsewhere=places)
        assert (receipt.counts["outbox"], str(path) in " ".join(receipt.remaining)) == (1, False)
        assert found([tmp_path], traces) == set()


def test_files_of_postgresql_hold_no_byte(tmp_path: Path, own_postgres: services.OwnPostgres) -> None:
    import psycopg

    marked = Marked(778)
    with psycopg.connect(own_postgres.url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET wal_recycle = off")
        connection.execute("SELECT pg_reload_conf()")
    with Store.open(own_postgres.url, blobs=tmp_path / "crops") as store:
        traces = marked.traces(store)
        store.add(crowd_around(marked))
        store.fold()
        with psycopg.connect(own_postgres.url, autocommit=True) as connection:
            row = connection.execute("SHOW data_directory").fetchone()
            assert row is not None
            places = [Path(row[0]), tmp_path / "crops"]
            connection.execute("CHECKPOINT")
            connection.execute("ANALYZE")
        assert found(places, traces) >= {"picture", "text", "vector", "scores", "attributes", "searched vector"}
        receipt = store.erase([marked.person], actor="test", reason="asked to")
        with psycopg.connect(own_postgres.url, autocommit=True) as connection:
            for _ in range(2):  # the log before the last checkpoint but one is not needed any more
                connection.execute("SELECT pg_switch_wal()")
                connection.execute("CHECKPOINT")
        assert found(places, traces) == set()
        assert any("write-ahead log" in place for place in receipt.remaining)
        assert len(store.search("man with a backpack", limit=200).hits) == 99


def test_late_answers_about_the_erased_are_refused(store: Store) -> None:
    marked = Marked(5)
    store.add([marked.event])
    store.erase([marked.person], scrub=False)
    assert store.add([marked.event]) == [False]
    again = seen(5, red_jacket(), at=MONDAY + 50, first=MONDAY + 5, revision=2, crop=b"late")
    assert again.request.person == marked.person
    assert store.add([again]) == [False]
    assert store.latest(marked.person) is None
    assert store.search("quirkologist").hits == ()
    assert store.blobs is not None
    assert list(store.blobs.references()) == [], "a picture of somebody who was erased is kept"


def test_an_identity_goes_with_all_who_are_linked(store: Store) -> None:
    one, two, three = Marked(1), Marked(2), Marked(3)
    store.add([one.event, two.event, three.event])
    store.link(one.person, two.person, 0.9)
    receipt = store.erase([one.person], identity=True, scrub=False)
    assert set(receipt.people) == {one.person, two.person}
    assert receipt.counts["links"] == 1
    assert [each.request.person for each in store.people().items] == [three.person]
    assert store.erase(["nobody"], scrub=False).counts["tracks"] == 0


def test_pictures_out_of_reach_stop_the_erasing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    marked = Marked(1)
    store.add([marked.event])

    def down(reference: str) -> bool:
        raise OSError("no network")

    assert store.blobs is not None
    monkeypatch.setattr(store.blobs, "delete", down)
    with pytest.raises(OSError, match="no network"):
        store.erase([marked.person], scrub=False)
    assert store.latest(marked.person) is not None
    monkeypatch.undo()
    assert store.erase([marked.person], scrub=False).counts["pictures"] == 1


def test_retention_by_camera(store: Store) -> None:
    assert store.blobs is not None
    days = [("short", 0), ("short", 8), ("long", 0), ("faces", 0), ("faces", 8)]
    events = [seen(track, red_jacket(), camera=camera, at=MONDAY + day * DAY, crop=b"x")
              for track, (camera, day) in enumerate(days)]  # fmt: skip
    store.add(events)
    store.keep("short", days=7)
    store.keep("faces", crop_days=2)
    store.blobs.put(b"expired", expires=MONDAY)
    swept = store.sweep(MONDAY + 9 * DAY)
    assert (swept.people, swept.pictures, swept.expired) == (1, 2, 1)
    left = {one.request.track_id: one.request.crop.reference for one in store.people().items}
    assert sorted(left) == [1, 2, 3, 4]
    assert left[3] is None
    assert left[4] is not None
    assert store.blobs.get(left[4]) == b"x"
    assert store.sweep(MONDAY + 9 * DAY) == type(swept)(0, 0, 0)
    assert store.add([events[0]]) == [True], "who was only too old may come back"
    assert [entry.actor for entry in store.audited()] == ["retention"]
