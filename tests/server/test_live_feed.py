"""Events as they are stored, as server-sent events; on PostgreSQL see test_server_postgres.py."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from serving import StandIn, free_port
from stored import Site, described, filled

from personvlm.server.settings import ServerSettings
from personvlm.server.tokens import TokenFile, create, revoke
from personvlm.store import Store


def live(site: Site, count: int, headers: dict[str, str] | None = None,
         **params: Any) -> tuple[list[Any], threading.Thread]:  # fmt: skip
    found: list[Any] = []
    ready = threading.Event()

    def listen() -> None:
        with httpx.stream("GET", f"{site.server.url}/v1/events/stream", params=params, headers=headers,
                          timeout=30) as answer:  # fmt: skip
            assert answer.headers["content-type"].startswith("text/event-stream")
            for line in answer.iter_lines():
                ready.set()
                if line.startswith("data: "):
                    found.append(json.loads(line[6:]))
                    if len(found) == count:
                        return

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    assert ready.wait(20)
    return found, thread


def test_the_live_feed(site: Site) -> None:
    found, thread = live(site, 2)
    hall, other = live(site, 1, camera="hall")
    time.sleep(0.2)
    with Store.open(site.store_url) as store:
        store.add([described(20), described(21, camera="hall")])
    thread.join(20)
    other.join(20)
    assert [each["track"] for each in found] == [20, 21]
    assert [each["track"] for each in hall] == [21]
    missed, thread = live(site, 2, headers={"last-event-id": str(found[0]["number"] - 1)})
    thread.join(20)
    assert missed == found
    assert site.get("/v1/events/stream", headers={"last-event-id": "x"}).status_code == 422


def test_who_is_erased_is_told_to_whoever_shows_them(site: Site) -> None:
    """However they were erased: here by another process that has the database, as the command line does."""
    hall, thread = live(site, 2, camera="hall")
    time.sleep(0.2)
    here, there = described(30), described(31, camera="hall")
    with Store.open(site.store_url) as store:
        store.add([there])
        until_told = time.monotonic() + 10
        while not hall and time.monotonic() < until_told:
            time.sleep(0.05)
        store.erase([here.request.person, there.request.person], actor="test", reason="asked to")
    thread.join(20)
    assert [each.get("track") for each in hall] == [31, None]
    assert hall[1] == {"people": [here.request.person, there.request.person]}


def test_feeds_that_open_together_hear_each_event_once(site: Site) -> None:
    feed, looks = site.server.app.state.feed, site.server.app.state.services.settled
    look = looks.upto
    looks.upto = lambda: (time.sleep(0.2), look())[1]
    with ThreadPoolExecutor(6) as pool:
        opened = list(pool.map(lambda _: live(site, 3), range(6)))
    with Store.open(site.store_url) as store:
        store.add([described(20)])
        time.sleep(1.5)
        store.add([described(21), described(22)])
    for found, thread in opened:
        thread.join(20)
        assert [each["track"] for each in found] == [20, 21, 22]
    feed.close()
    assert site.get("/v1/events/stream").status_code == 503, "it has ended for good"


@pytest.mark.parametrize("by", ["token", "session"])
def test_a_revoked_token_hears_nothing_more(serve: Callable[..., Any], tmp_path: Path, by: str) -> None:
    url, _ = filled(tmp_path)
    file = tmp_path / "tokens.json"
    secret, kept = create("somebody", ["read"])
    TokenFile(file).save(kept)
    server = serve(store=url, token_file=file)
    with httpx.Client(base_url=server.url, timeout=20) as client:
        bearer = {"authorization": f"Bearer {secret}"}
        if by == "token":
            client.headers.update(bearer)
        else:
            client.post("/v1/session", headers=bearer).raise_for_status()
        with client.stream("GET", "/v1/events/stream") as answer:
            lines = answer.iter_lines()
            next(lines)
            revoke(TokenFile(file), kept.id)
            time.sleep(2.5)
            with Store.open(url) as store:
                store.add([described(20)])
            assert not [line for line in lines if line.startswith("data:")], "it ends, and does not wait for a beat"
        assert client.get("/v1/events").status_code == 401


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[bool]:
    """How long a server with an open live feed takes to end, as `personvlm serve` runs it."""

    from personvlm.server.app import create_app
    from personvlm.server.running import OrderlyServer

    url, _ = filled(tmp_path_factory.mktemp("ended"))
    port = free_port()
    app = create_app(ServerSettings(port=port, store=url), [StandIn()])
    server = OrderlyServer(uvicorn.Config(app, port=port, log_config=None, timeout_graceful_shutdown=1000))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    with httpx.stream("GET", f"http://127.0.0.1:{port}/v1/events/stream", timeout=30) as answer:
        next(answer.iter_lines())
        server.should_exit = True
        thread.join(100)
        yield not thread.is_alive()


def test_a_live_feed_does_not_keep_a_server_from_ending(ended: bool) -> None:
    assert ended
