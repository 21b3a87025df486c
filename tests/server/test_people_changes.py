"""What happens over a real store: alerts, the audit, the queue, erasing."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from stored import HTTP, START, Site, described, filled

from personvlm.store import Store

Serve = Callable[..., Any]


RULE = 'upper.color == "red" && upper.garment == "coat", in 1 of 1 crops'


def test_rules_and_alerts(site: Site) -> None:
    from personvlm.alerts.engine import Alerts

    dry = site.send("POST", "/v1/rules/dry-run", {"rule": RULE, "since": START - 1}).json()
    assert (dry["count"], dry["people"], dry["cameras"]) == (5, 10, {"gate": 3, "hall": 2})
    assert dry["alerts"][0]["crop"].startswith("/v1/crops/")
    put = site.send("PUT", "/v1/rules/red-coats", {"rule": RULE, "words": "red coats"})
    assert (put.status_code, put.json()["rule"], put.json()["enabled"]) == (200, RULE, True)
    resting = site.send("PUT", "/v1/rules/red-coats", {"rule": RULE, "enabled": False}).json()
    assert not resting["enabled"]
    site.send("PUT", "/v1/rules/red-coats", {"rule": RULE})
    assert [each["name"] for each in site.json("/v1/rules")["rules"]] == ["red-coats"]
    new = described(30)
    with Store.open(site.store_url) as store:
        store.add([new])
        Alerts(store).observe([new])
    (alert,) = site.json("/v1/alerts")["alerts"]
    assert (alert["person"], alert["state"], alert["rule"]) == (new.request.person, "raised", "red-coats")
    assert site.json(f"/v1/alerts/{alert['id']}") == alert
    assert site.get(alert["crop"]).content == new.request.crop.data, "although it was raised before it had a reference"
    taken = site.send("POST", f"/v1/alerts/{alert['id']}/acknowledge")
    assert (taken.json()["state"], taken.json()["acknowledged_by"]) == ("acknowledged", "somebody at this machine")
    assert site.send("POST", f"/v1/alerts/{alert['id']}/acknowledge").status_code == 409
    assert site.send("POST", f"/v1/alerts/{alert['id']}/close").json()["state"] == "closed"
    assert site.send("POST", f"/v1/alerts/{alert['id']}/close").status_code == 409
    assert site.json("/v1/alerts")["alerts"] == []
    assert len(site.json("/v1/alerts", params={"state": "closed"})["alerts"]) == 1
    assert site.send("DELETE", "/v1/rules/red-coats").status_code == 204
    assert site.send("DELETE", "/v1/rules/red-coats").status_code == 404
    assert site.get(f"/v1/alerts/{'0' * 32}").status_code == 404
    done = [action for action, _ in site.actions()]
    for action in ("put rule", "dry run", "acknowledge", "close", "delete rule"):
        assert action in done


@pytest.mark.parametrize("rule", ["", "upper.color ==", 'upper.color == "mauve"', "x" * 3000, 'ethnicity == "a"'])
def test_what_is_no_rule(shared: Site, rule: str) -> None:
    assert shared.send("PUT", "/v1/rules/a", {"rule": rule}).status_code == 422
    assert shared.send("POST", "/v1/rules/dry-run", {"rule": rule}).status_code == 422


def test_the_audit_chain(site: Site) -> None:
    site.json("/v1/search", params={"q": "red coat"})
    site.json("/v1/people")
    rows = site.json("/v1/audit")["entries"]
    assert [(each["actor"], each["action"]) for each in rows] == [("local", "search"), ("local", "list")]
    assert site.json("/v1/audit", params={"after": rows[0]["id"]})["entries"] == rows[1:]
    checked = site.json("/v1/audit/verify", params={"last_hash": rows[1]["hash"]})
    assert checked == {"intact": True, "problem": None, "entries": 2, "last_hash": rows[1]["hash"]}
    assert not site.json("/v1/audit/verify", params={"last_hash": "0" * 64})["intact"]


@pytest.mark.parametrize("edit", [
    "UPDATE audit SET subject = 'blue coat' WHERE id = 1", "UPDATE audit SET actor = 'nobody' WHERE id = 2",
    "UPDATE audit SET at = at - 1 WHERE id = 1", "UPDATE audit SET detail = '{}' WHERE id = 1",
    "DELETE FROM audit WHERE id = 1",
    "UPDATE audit SET action = 'view' WHERE id = 2", "UPDATE audit SET hash = 'x' WHERE id = 2",
])  # fmt: skip
def test_an_edited_audit_does_not_verify(site: Site, edit: str) -> None:
    site.json("/v1/search", params={"q": "red coat", "camera": "gate"})
    site.json("/v1/people")
    assert site.json("/v1/audit/verify")["intact"]
    with Store.open(site.store_url) as store, store.begin() as connection:
        connection.execute(sa.text(edit))
    assert not site.json("/v1/audit/verify")["intact"]


def test_the_audit_of_many_at_once(site: Site) -> None:
    url = site.json("/v1/people")["people"][0]["crops"][0]["url"]
    threads = [threading.Thread(target=site.get, args=(url,)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [action for action, _ in site.actions()].count("view crop") == 20
    assert site.json("/v1/audit/verify")["intact"]


def test_the_queue(site: Site, tmp_path: Path) -> None:
    from personvlm.events import open_queue

    assert site.json("/v1/queue")["queued"] == 0
    queue = open_queue(f"sqlite:///{tmp_path / 'queue.db'}")
    request = described(40).request
    queue.put([request])
    queue.nack(queue.claim(1), "the picture is broken", dead=True)
    (letter,) = site.json("/v1/queue/dead")["dead"]
    assert (letter["event_id"], letter["reason"]) == (request.event_id, "the picture is broken")
    assert site.send("POST", "/v1/queue/replay", {"event_ids": ["unknown"]}).json() == {"replayed": 0}
    assert site.send("POST", "/v1/queue/replay", {"event_ids": [request.event_id]}).json() == {"replayed": 1}
    stats = site.json("/v1/queue")
    assert (stats["queued"], stats["dead"], stats["missing"]) == (1, 0, 0)
    queue.close()


def test_without_a_store_or_a_queue(serve: Serve) -> None:
    server = serve()
    for path in ("people", "events", "events/stream", "search", "cameras", "alerts", "audit"):
        answer = HTTP.get(f"{server.url}/v1/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "no_store")
    assert HTTP.get(f"{server.url}/v1/queue").json()["code"] == "no_queue"


def test_a_store_that_is_away(site: Site) -> None:
    assert site.json("/readyz")["parts"] == {"describer": "ok", "store": "ok", "queue": "ok"}
    site.server.app.state.services.store.engine.dispose()
    path = Path(site.store_url)
    for each in path.parent.glob("people.db*"):
        if each.is_file():
            each.rename(each.with_suffix(each.suffix + ".away"))
    path.mkdir()
    assert site.get("/readyz").status_code == 503
    answer = site.get("/v1/people")
    assert (answer.status_code, answer.json()["code"]) == (503, "database_down")
    assert site.json("/healthz")["status"] == "ok"


def test_the_newest_of_the_audit(site: Site) -> None:
    for number in range(5):
        site.json("/v1/search", params={"q": f"coat {number}"})
    newest = site.json("/v1/audit", params={"before": 2**62, "limit": 3})
    assert [each["id"] for each in newest["entries"]] == [5, 4, 3]
    rest = site.json("/v1/audit", params={"before": newest["next"], "limit": 3})
    assert ([each["id"] for each in rest["entries"]], rest["next"]) == ([2, 1], 1)
    assert site.json("/v1/audit", params={"before": 1})["entries"] == []


def test_words_become_a_rule(site: Site) -> None:
    found = site.send("POST", "/v1/rules/compile", {"words": "somebody in a red jacket is at the gate"}).json()
    assert found["rule"] == 'upper.color == "red" && upper.garment == "jacket" && camera == "gate"'
    assert site.send("POST", "/v1/rules/compile", {"words": "xyzzy"}).status_code == 422


def test_an_attribute_narrows_a_search(shared: Site) -> None:
    found = shared.json("/v1/search", params={"q": "coat", "attribute": "gender:male", "limit": 1})
    assert found["hits"][0]["person"]["track"] % 2 == 1
    assert "gender: male" in found["terms"]


def test_alerts_are_sent(serve: Serve, tmp_path: Path) -> None:
    import http.server

    from personvlm.alerts.engine import Alerts, Channel

    received: list[Any] = []

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    url, people = filled(tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook) as hook:
        threading.Thread(target=hook.serve_forever, daemon=True).start()
        new = described(30)
        with Store.open(url) as store:
            alerts = Alerts(store)
            alerts.add_channel(Channel("phone", f"http://127.0.0.1:{hook.server_port}/", "s3cret", private=True))
            alerts.add_rule("red", RULE, channels=["phone"])
            store.add([new])
            alerts.observe([new])
        site = Site(serve(store=url, deliver_s=0.2, hide=("gate",)), url, people)
        assert site.json("/v1/channels") == {"channels": ["phone"]}
        end = time.monotonic() + 20
        while not received and time.monotonic() < end:
            time.sleep(0.05)
        hook.shutdown()
    assert received[0]["alert"]["person"] == new.request.person
    assert received[0]["picture"] is None, "a camera whose crops are hidden sends none either"


def test_erasing_somebody(site: Site, tmp_path: Path) -> None:
    from personvlm.events import open_queue

    one, other = site.people[0].request, site.people[2].request
    crop = site.json(f"/v1/people/{one.person}")["person"]["crops"][0]["url"]
    with Store.open(site.store_url) as store:
        store.link(one.person, other.person, 0.9)
    queue = open_queue(f"sqlite:///{tmp_path / 'queue.db'}")
    queue.put([described(0, revision=2).request])
    queue.close()
    body = {"people": [one.person], "identity": True, "reason": "asked for it"}
    receipt = site.send("POST", "/v1/erase", body).json()
    assert set(receipt["people"]) == {one.person, other.person}
    assert (receipt["counts"]["tracks"], receipt["counts"]["pictures"], receipt["counts"]["queue"]) == (2, 2, 1)
    assert (receipt["actor"], receipt["reason"]) == ("local", "asked for it")
    assert receipt["remaining"] == ["backups of the database file"]
    for person in (one.person, other.person):
        assert site.get(f"/v1/people/{person}").status_code == 404
    assert site.get(crop).status_code == 404
    left = site.json("/v1/search", params={"q": "red coat", "limit": 50})["hits"]
    assert {hit["person"]["track"] for hit in left}.isdisjoint({0, 2})
    last = site.json("/v1/audit", params={"before": 2**62, "limit": 20})["entries"]
    assert next(each for each in last if each["action"] == "erase")["hash"] == receipt["hash"]
    assert site.json("/v1/audit/verify")["intact"]


@pytest.mark.parametrize("body", [{}, {"people": []}, {"people": ["x"]}, {"people": ["0" * 32], "all": True}])
def test_what_cannot_be_erased(shared: Site, body: Any) -> None:
    assert shared.send("POST", "/v1/erase", body).status_code == 422


def test_a_camera_keeps_for_so_long(serve: Serve, tmp_path: Path) -> None:
    url, people = filled(tmp_path)
    site = Site(serve(store=url, sweep_s=0.2), url, people)
    kept = site.send("PUT", "/v1/cameras/gate", {"keep_days": 30})
    assert (kept.status_code, kept.json()["keep_days"]) == (200, 30)
    assert site.send("PUT", "/v1/cameras/nowhere", {"keep_days": 30}).status_code == 404
    with Store.open(site.store_url) as store:
        store.add([described(21, camera="hall/north")])
    assert site.send("PUT", "/v1/cameras/hall%2Fnorth", {"keep_days": 30}).json()["name"] == "hall/north"
    assert site.send("PUT", "/v1/cameras/gate", {"keep_days": 0}).status_code == 422
    end = time.monotonic() + 20
    while (left := site.json("/v1/people")["people"]) and len(left) > 5 and time.monotonic() < end:
        time.sleep(0.1)
    assert {each["camera"] for each in left} == {"hall"}
    assert len(left) == 5


def test_an_event_is_accepted_once(site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    import base64

    from personvlm.events import open_queue

    images = [base64.b64encode(described(row).request.crop.data or b"").decode() for row in (0, 1)]
    body = {"camera": "yard", "track_id": 7, "frame_time": START, "images": images, "final": True}
    with caplog.at_level("INFO", "personvlm.server.access"):
        sent = site.send("POST", "/v1/events", body)
        end = time.monotonic() + 10
        named: list[str] = []
        while not named and time.monotonic() < end:
            named = [id for each in caplog.records for id in each.__dict__.get("events") or ()]
            time.sleep(0.01)
    assert named == [sent.json()["event_id"]], "the log names the event"
    assert (sent.status_code, sent.json()["outcome"]) == (202, "accepted")
    assert site.send("POST", "/v1/events", body).json() == {**sent.json(), "outcome": "duplicate"}
    queue = open_queue(f"sqlite:///{tmp_path / 'queue.db'}")
    (lease,) = queue.claim(2)
    queue.close()
    assert (lease.request.event_id, lease.request.person) == (sent.json()["event_id"], sent.json()["person"])
    assert [base64.b64encode(crop.data or b"").decode() for crop in lease.request.crops] == images
    text = site.get("/metrics").text
    assert 'personvlm_queue_events_total{outcome="accepted"} 1.0' in text
    assert "personvlm_queue_leased 1.0" in text


@pytest.mark.parametrize("change", [{"images": []}, {"images": ["x"]}, {"camera": ""}, {"track_id": -1}, {"extra": 1},
                                    {"trigger": "whim"}, {"reference": "keep/aa/x"}])  # fmt: skip
def test_an_event_that_cannot_be(site: Site, change: Any) -> None:
    body = {"camera": "yard", "track_id": 7, "frame_time": START, "images": ["x"], **change}
    assert site.send("POST", "/v1/events", body).status_code == 422
