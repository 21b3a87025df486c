"""A server with a cache of latest descriptions says what one without says, and forgets what it has to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from stored import Site, described, filled

from services import OwnRedis

Serve = Callable[..., Any]


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read again only because the machine is slow."""
    from personvlm.store import hot

    monkeypatch.setattr(hot, "WHOLE_S", 3600)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path / "redis")
    yield server
    server.stop()


def test_the_latest_of_a_camera_come_from_the_cache(serve: Serve, tmp_path: Path, redis: OwnRedis) -> None:
    from personvlm.store import Store
    from personvlm.store.hot import HotCache, with_cache

    (tmp_path / "store").mkdir()
    url, people = filled(tmp_path / "store")
    plain, site = Site(serve(store=url), url, people), Site(serve(store=url, cache=redis.url), url, people)
    asked = [{"camera": "gate", "limit": 3}, {"camera": "hall"}, {"camera": ["gate", "hall"]}, {}]
    for _ in range(2):
        for params in asked:
            for path in ("/v1/people", "/v1/tracks"):
                assert site.json(path, params=params) == plain.json(path, params=params)
    cache = HotCache(redis.url)
    assert cache.latest("gate") is not None
    with with_cache(Store.open(url), redis.url) as store:  # a worker
        store.add([described(20), described(21)])
    first, second = described(21).request.person, described(20).request.person
    page = cache.latest("gate")
    assert page is not None
    assert [each.request.person for each in page.items[:2]] == [first, second]
    assert site.json("/v1/people", params=asked[0]) == plain.json("/v1/people", params=asked[0])

    made = site.send("POST", f"/v1/people/{first}/corrections", {"group": "upper.color", "value": ["green"]})
    assert made.status_code == 200
    shown = site.json("/v1/people", params=asked[0])["people"][0]
    assert (shown["person"], shown["corrected"]) == (first, ["upper.color"])
    receipt = site.send("POST", "/v1/erase", {"people": [second], "scrub": False}).json()
    assert receipt["counts"]["cache"] in (0, 1)
    assert second not in str(site.json("/v1/people", params={"camera": "gate"}))
    site.json("/v1/people", params={"camera": "hall"})
    assert site.send("POST", "/v1/erase", {"people": [people[-1].request.person], "scrub": False}).json()["counts"][
        "cache"] == 1  # fmt: skip

    redis.stop()
    assert site.json("/v1/people", params=asked[0]) == plain.json("/v1/people", params=asked[0])
    receipt = site.send("POST", "/v1/erase", {"people": [first], "scrub": False}).json()
    assert "cache of latest descriptions" in receipt["remaining"][-1]
    assert site.get("/readyz").status_code == 200


def test_the_hourly_sweep_reaches_dead_letters_and_the_cache(serve: Serve, tmp_path: Path, redis: OwnRedis) -> None:
    import time

    from personvlm.events import open_queue
    from personvlm.store import Store
    from personvlm.store.hot import HotCache, with_cache

    (tmp_path / "store").mkdir()
    url, people = filled(tmp_path / "store")
    queue = open_queue(f"{redis.url}?queue=events")
    queue.put([described(40).request])
    queue.nack(queue.claim(1), "no luck", dead=True)
    with with_cache(Store.open(url), redis.url) as store:
        from personvlm.store import hot
        from personvlm.store.reading import Filters

        hot.people(store, Filters(cameras=("gate",)))
        assert HotCache(redis.url).latest("gate") is not None
        store.keep("gate", days=1)
    site = Site(serve(store=url, queue=f"{redis.url}?queue=events", cache=redis.url, sweep_s=0.5), url, people)
    end = time.monotonic() + 30
    while queue.stats().dead and time.monotonic() < end:
        time.sleep(0.1)
    assert queue.dead() == []
    assert HotCache(redis.url).latest("gate") is None
    assert site.json("/v1/people", params={"camera": "gate"})["people"] == []
    queue.close()


def test_a_dead_letter_is_dropped(site: Site, tmp_path: Path) -> None:
    from personvlm.events import open_queue

    queue = open_queue(f"sqlite:///{tmp_path / 'queue.db'}")
    queue.put([described(40).request, described(41).request])
    leases = queue.claim(2)
    one, other = (lease.request.event_id for lease in leases)
    assert site.send("DELETE", f"/v1/queue/dead/{one}").status_code == 404, "it is not dead"
    queue.nack(leases, "no luck", dead=True)
    assert {letter.event_id for letter in queue.dead()} == {one, other}
    assert site.send("DELETE", f"/v1/queue/dead/{one}").status_code == 204
    assert site.send("DELETE", f"/v1/queue/dead/{one}").status_code == 404
    assert [letter.event_id for letter in queue.dead()] == [other]
    assert ("drop dead letter", one) in site.actions()
    queue.close()
