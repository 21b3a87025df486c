"""Who else somebody is, over HTTP; a link that is wrong is undone; lists that go on; searches by a picture."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from serving import SAID, Running, StandIn, jpeg
from stored import HTTP, Site, described, filled

from personvlm.alerts.engine import Alerts
from personvlm.events import open_queue
from personvlm.schema import Crop, DescribeRequest, PersonDescription
from personvlm.store import Store
from personvlm.video.identity import Identity

Serve = Callable[..., Running]


def leave(site: Site, *rows: int) -> list[str]:
    """Let people leave, so that somebody can be elsewhere; their ids."""
    with Store.open(site.store_url) as store:
        store.add([described(row, camera=site.people[row].request.camera, revision=2, final=True) for row in rows])
    return [site.people[row].request.person for row in rows]


def test_who_else_is_this_where_and_when(site: Site) -> None:
    first, third, fifth, _ = leave(site, 0, 2, 4, 1)
    found = site.json(f"/v1/people/{first}/who")
    assert {each["person"]["person"] for each in found["others"]} >= {third, fifth}
    best = found["others"][0]
    assert best["person"]["person"] == third, "the most alike"
    assert (best["person"]["camera"], best["link"], best["also"]) == ("gate", None, [])
    assert 0.2 < best["probability"] < 1.0, "five who look alike share it"
    total = sum(each["probability"] for each in found["others"]) + found["nobody"]
    assert total == pytest.approx(1.0, abs=0.01)
    assert len(site.json(f"/v1/people/{first}/who", params={"limit": 1})["others"]) == 1
    assert site.json(f"/v1/people/{first}/who", params={"within": 1})["others"] == []
    assert ("who", first) in site.actions()
    assert site.get(f"/v1/people/{'0' * 32}/who").json()["code"] == "nobody"
    assert site.get(f"/v1/people/{first}/who", params={"within": 0}).status_code == 422


def test_ways_between_cameras_are_those_of_the_deployment(serve: Serve, tmp_path: Path) -> None:
    url, people = filled(tmp_path)
    ways = Identity(travel={("gate", "gate"): (1e6, 2e6), ("gate", "hall"): (1e6, 2e6)})
    site = Site(serve(store=url, identity=ways), url, people)
    first, *_ = leave(site, 0, 2, 4)
    assert site.json(f"/v1/people/{first}/who")["others"] == []
    off = Site(serve(store=url, identity=None), url, people)
    assert off.get(f"/v1/people/{first}/who").json()["code"] == "no_identity"


def test_a_wrong_link_is_undone_and_stays_so(site: Site) -> None:
    first, second, third = leave(site, 0, 2, 4)
    with Store.open(site.store_url) as store:
        store.link(first, second, 0.91)
        store.link(second, third, 0.75, "guard")
    same = {each["person"]: (each["probability"], each["linked_by"])
            for each in site.json(f"/v1/people/{first}")["same_as"]}  # fmt: skip
    assert same == {second: (0.91, "identity"), third: (None, None)}
    who = site.json(f"/v1/people/{first}/who")["others"][0]
    assert (who["link"], who["linked"]) == ("linked", 0.91)
    assert {who["person"]["person"], *who["also"]} == {second, third}

    assert site.send("DELETE", f"/v1/people/{first}/links/{third}").status_code == 404, "only by way of the second"
    assert site.send("DELETE", f"/v1/people/{second}/links/{first}").status_code == 204
    assert site.json(f"/v1/people/{first}")["same_as"] == []
    assert [each["person"] for each in site.json(f"/v1/people/{second}")["same_as"]] == [third]
    assert site.send("DELETE", f"/v1/people/{first}/links/{second}").json()["code"] == "not_found"
    told = next(each for each in site.json(f"/v1/people/{first}/who")["others"] if each["link"] == "undone")
    assert (told["person"]["person"], told["probability"]) == (second, None)
    assert told["linked_by"] == "somebody at this machine"
    with Store.open(site.store_url) as store:
        assert store.link(first, second, 0.99) is False
        assert store.link(first, third, 0.99) is False
        undone = [each for each in store.audited(limit=100) if each.action == "unlink"]
    assert [(each.subject, dict(each.detail)) for each in undone] == [(second, {"other": first})]


def pages(site: Site, path: str, name: str, key: str, **params: Any) -> list[str]:
    """Ids of all parts of a list, two at a time."""
    found: list[str] = []
    after: str | None = None
    while True:
        part = site.json(path, params={"limit": 2, **params, **({"after": after} if after else {})})
        found += [each[key] for each in part[name]]
        assert len(part[name]) <= 2
        after = part["next"]
        if after is None:
            return found


def test_alerts_are_listed_in_parts(site: Site) -> None:
    with Store.open(site.store_url) as store:
        alerts = Alerts(store)
        alerts.add_rule("red", 'upper.color == "red", in 1 of 1 crops')
        alerts.add_rule("coat", 'upper.garment == "coat", in 1 of 1 crops')
        alerts.observe(site.people)
        every = [each.id for each in alerts.alerts(limit=100)]
    assert len(every) > 5
    assert pages(site, "/v1/alerts", "alerts", "id") == every
    assert len(pages(site, "/v1/alerts", "alerts", "id", rule="red")) == len(every) // 2
    first = site.json("/v1/alerts", params={"limit": 2})
    assert site.send("POST", f"/v1/alerts/{every[1]}/close").status_code == 200
    rest = site.json("/v1/alerts", params={"after": first["next"]})
    assert [each["id"] for each in rest["alerts"]] == every[2:], "what is closed meanwhile moves nothing"
    for wrong in ("x", "0x1.8p+9_", "0x1.8p+99999_" + "0" * 32):
        assert site.get("/v1/alerts", params={"after": wrong}).status_code == 422


def test_dead_letters_are_listed_in_parts(site: Site, tmp_path: Path) -> None:
    with open_closing(f"sqlite:///{tmp_path / 'queue.db'}") as queue:
        cut = Crop(data=b"\xff\xd8")
        events = [DescribeRequest.build("gate", 900 + row, "new_track", 100.0, cut) for row in range(9)]
        queue.put(events)
        for part in (4, 5):
            queue.nack(queue.claim(part), "cannot be read", dead=True)  # those of one call die at one time
        every = [each.event_id for each in queue.dead()]
        assert len(every) == 9
        assert pages(site, "/v1/queue/dead", "dead", "event_id") == every
        first = site.json("/v1/queue/dead", params={"limit": 3})
        assert site.json("/v1/queue/dead", params={"after": first["next"], "limit": 200})["next"] is None
        queue.replay([every[2]])  # the one that the cursor names
        rest = [each["event_id"] for each in site.json("/v1/queue/dead", params={"after": first["next"]})["dead"]]
    assert set(every[3:]) <= set(rest)
    assert site.get("/v1/queue/dead", params={"after": "x"}).status_code == 422


def open_closing(url: str) -> Any:
    import contextlib

    return contextlib.closing(open_queue(url))


class Looking(StandIn):
    """Says of every picture that it looks like the women of the store."""

    def describe_images(self, images: list[Any], **options: Any) -> list[PersonDescription]:
        """See :class:`StandIn`."""
        return [SAID.model_copy(update={"embedding": (1.0, 0.0, 0.0)})] * len(images)


@pytest.fixture
def looking(serve: Serve, tmp_path: Path) -> Site:
    url, people = filled(tmp_path)
    return Site(serve(describers=[Looking()], store=url, max_bytes=100_000), url, people)


def send(site: Site, **more: Any) -> Any:
    return HTTP.post(f"{site.server.url}/v1/search", **more)


def test_search_by_a_picture(looking: Site) -> None:
    answer = send(looking, files={"image": ("a.jpg", jpeg(), "image/jpeg")})
    assert answer.status_code == 200, answer.text
    hits = answer.json()["hits"]
    assert [hit["person"]["track"] for hit in hits[:5]] == [0, 2, 4, 6, 8], "the more alike first"
    assert hits[0]["alike"] > 0.9
    raw = {"content": jpeg(), "headers": {"content-type": "image/jpeg"}}
    assert send(looking, **raw).json()["hits"] == hits
    both = send(looking, **raw, params={"q": "red coat", "camera": "hall", "limit": 2}).json()
    assert [hit["person"]["track"] for hit in both["hits"]] == [6, 8]
    assert both["terms"]
    assert {reason["term"] for hit in both["hits"] for reason in hit["reasons"]} == set(both["terms"])
    with Store.open(looking.store_url) as store:
        entries = [each for each in store.audited(limit=100) if each.action == "search"]
    assert len(entries) == 3
    assert len(entries[-1].detail["picture"]) == 64
    assert entries[-1].subject == "red coat"


@pytest.mark.parametrize(("sent", "status", "code"), [
    ({"files": {"image": ("a.jpg", b"nothing", "image/jpeg")}}, 422, "bad_picture"),
    ({"files": [("image", ("a.jpg", jpeg(), "image/jpeg"))] * 2}, 422, "too_many_pictures"),
    ({"files": {"image": ("a.jpg", b"\xff\xd8" + b"0" * 100_000, "image/jpeg")}}, 413, "too_large"),
    ({"files": {"other": ("a.jpg", jpeg(), "image/jpeg")}}, 422, "invalid_request"),
    ({"files": {"image": ("a.jpg", jpeg(), "image/jpeg")}, "data": {"say": "all"}}, 422, "invalid_request"),
    ({"json": {"image": "x"}}, 415, "media_type"), ({"content": b""}, 415, "media_type"),
    ({"content": jpeg()[:300], "headers": {"content-type": "image/jpeg"}}, 422, "bad_picture"),
])  # fmt: skip
def test_pictures_that_are_not_searched_by(looking: Site, sent: dict[str, Any], status: int, code: str) -> None:
    answer = send(looking, **sent)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


def test_search_by_a_person_and_among_who_is_linked(site: Site) -> None:
    ids = [each.request.person for each in site.people]
    with Store.open(site.store_url) as store:
        store.link(ids[0], ids[6], 0.9)
    found = site.json("/v1/search", params={"q": "woman", "person": ids[0]})
    assert sorted(hit["person"]["track"] for hit in found["hits"]) == [0, 6]
    alike = site.json("/v1/search", params={"like": ids[8], "q": "red coat", "camera": "gate"})
    assert [hit["person"]["track"] for hit in alike["hits"]][:3] == [4, 2, 0]
    assert alike["hits"][0]["alike"] > 0.9
    assert site.get("/v1/search", params={"like": "0" * 32}).json()["code"] == "nobody"
    assert site.get("/v1/search", params={"person": "x"}).status_code == 422
    with Store.open(site.store_url) as store:
        details = [dict(each.detail) for each in store.audited(limit=100) if each.action == "search"]
    assert details[:2] == [{"person": ids[0], "offset": 0}, {"camera": ["gate"], "like": ids[8], "offset": 0}]


def test_a_posture_travels_with_an_event(site: Site, tmp_path: Path) -> None:
    import base64

    body = {"camera": "gate", "track_id": 5, "frame_time": time.time(), "posture": {"walking": 0.9, "standing": 0.1},
            "images": [base64.b64encode(jpeg()).decode()]}  # fmt: skip
    assert site.send("POST", "/v1/events", body).status_code == 202
    with open_closing(f"sqlite:///{tmp_path / 'queue.db'}") as queue:
        (lease,) = queue.claim(1)
    assert lease.request.posture == {"walking": 0.9, "standing": 0.1}
    for wrong in ({"flying": 1.0}, {"walking": 2.0}, {}):
        assert site.send("POST", "/v1/events", {**body, "posture": wrong}).status_code == 422
