"""The same routes on PostgreSQL, store and queue in one database; and a database that goes away and comes back."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from stored import HTTP, Site, described

from personvlm.server.problems import Problem
from personvlm.server.settled import Settled
from personvlm.store import Store
from services import OwnPostgres, drop_postgres, postgres_url

Serve = Callable[..., Any]


@pytest.fixture
def database() -> Iterator[str]:
    pytest.importorskip("psycopg", reason="PostgreSQL needs the postgres extra")
    url = postgres_url()
    yield url
    drop_postgres(url)


def fill(url: str, folder: Path) -> list[Any]:
    people = [described(row, camera="gate" if row < 3 else "hall") for row in range(6)]
    with Store.open(url, blobs=folder / "crops") as store:
        store.add(people)
    return people


def test_people_on_postgresql(serve: Serve, database: str, tmp_path: Path) -> None:
    people = fill(database, tmp_path)
    site = Site(serve(store=database, queue=database, blobs=str(tmp_path / "crops")), database, people)
    listed = site.json("/v1/people", params={"limit": 4})
    assert [each["track"] for each in listed["people"]] == [5, 4, 3, 2]
    rest = site.json("/v1/people", params={"after": listed["next"]})
    assert [each["track"] for each in rest["people"]] == [1, 0]
    crop = listed["people"][0]["crops"][0]["url"]
    assert site.get(crop).content == people[5].request.crop.data
    found = site.json("/v1/search", params={"q": "woman in a red coat", "camera": "gate"})
    assert [hit["person"]["track"] for hit in found["hits"][:2]] == [2, 0]
    assert site.get("/v1/people", params={"camera": "a\0b"}).status_code == 422
    assert site.get("/v1/alerts", params={"rule": "a\0b"}).status_code == 422
    rule = 'upper.color == "red"'
    for method, path, sent in (("PUT", "rules/a", {"rule": rule, "words": "a\0b"}),
                               ("PUT", "rules/a", {"rule": f"{rule}\0"}), ("POST", "rules/dry-run", {"rule": "\0"}),
                               ("POST", "queue/replay", {"event_ids": ["a\0b"]})):  # fmt: skip
        assert site.send(method, f"/v1/{path}", sent).status_code == 422, path
    threads = [threading.Thread(target=site.get, args=(crop,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    body = {"camera": "yard", "track_id": 7, "frame_time": 1.0, "images": [_picture(people[0])]}
    person = site.send("POST", "/v1/events", body).json()["person"]
    assert site.json("/v1/queue")["queued"] == 1
    receipt = site.send("POST", "/v1/erase", {"people": [people[0].request.person, person]}).json()
    assert (receipt["counts"]["tracks"], receipt["counts"]["pictures"], receipt["counts"]["queue"]) == (1, 1, 1)
    assert any("personvlm store scrub" in each for each in receipt["remaining"])
    assert site.json("/v1/queue")["queued"] == 0
    assert site.get(f"/v1/people/{people[0].request.person}").status_code == 404
    checked = site.json("/v1/audit/verify")
    assert checked["intact"]
    assert checked["entries"] > 12


def _picture(one: Any) -> str:
    import base64

    return base64.b64encode(one.request.crop.data).decode()


def test_the_live_feed_on_postgresql(serve: Serve, database: str, tmp_path: Path) -> None:
    people = fill(database, tmp_path)
    site = Site(serve(store=database), database, people)
    with httpx.stream("GET", f"{site.server.url}/v1/events/stream", timeout=30) as answer:
        lines = answer.iter_lines()
        assert next(lines) == "retry: 2000"
        with Store.open(database) as store:
            store.add([described(20)])
        assert next(line for line in lines if line.startswith("event:")) == "event: described"


def test_what_is_committed_late_is_neither_skipped_nor_out_of_order(
    serve: Serve, database: str, tmp_path: Path
) -> None:
    people = fill(database, tmp_path)
    site = Site(serve(store=database), database, people)
    before = site.json("/v1/events")
    assert len(before["events"]) == 6
    path = f"{site.server.url}/v1/events/stream?after={before['next']}"
    with Store.open(database) as store, httpx.stream("GET", path, timeout=30) as answer:
        with store.begin() as slow:
            store.add([described(20)], slow)
            store.add([described(21)])
            time.sleep(1.2)
            while_open = site.json("/v1/events", params={"after": before["next"]})
        lines = answer.iter_lines()
        live = [json.loads(next(line for line in lines if line.startswith("data: "))[6:]) for _ in range(2)]
    assert while_open == {"events": [], "next": before["next"]}
    listed = site.json("/v1/events", params={"after": before["next"]})["events"]
    assert [each["track"] for each in listed] == [each["track"] for each in live] == [20, 21]


def test_numbers_count_although_somebody_always_stores(database: str, tmp_path: Path) -> None:
    fill(database, tmp_path)
    with Store.open(database) as store, store.engine.connect() as one, store.engine.connect() as two:
        settled = Settled(store)
        store.add([described(20)], one)
        with pytest.raises(Problem, match="being stored"):
            settled.upto()
        store.add([described(21)], two)
        one.commit()
        assert settled.upto() == 6, "what the first look saw; 7 is there too, but who has 8 may have more"
        two.commit()
        assert settled.upto() == 8


def test_a_database_that_goes_and_comes_back(serve: Serve, tmp_path: Path) -> None:
    pytest.importorskip("psycopg", reason="PostgreSQL needs the postgres extra")
    own = OwnPostgres(tmp_path / "own")
    try:
        people = fill(own.url, tmp_path)
        site = Site(serve(store=own.url), own.url, people)
        assert len(site.json("/v1/people")["people"]) == 6
        own.stop()
        answer = site.get("/v1/people")
        assert (answer.status_code, answer.json()["code"]) == (503, "database_down")
        assert "retry-after" in answer.headers
        assert site.get("/readyz").status_code == 503
        assert HTTP.get(f"{site.server.url}/healthz").status_code == 200
        own.start()
        assert len(site.json("/v1/people")["people"]) == 6
        assert site.get("/readyz").status_code == 200
    finally:
        own.stop()
