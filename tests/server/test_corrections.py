"""Putting an attribute right over HTTP: it holds at once, who and when is kept, and what is not legal is told."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from stored import HTTP, Site, described, filled

from personvlm.server.tokens import TokenFile, create
from personvlm.store import Store
from services import drop_postgres, postgres_url

Serve = Callable[..., Any]


@pytest.fixture(params=["sqlite", "postgresql"])
def both(request: pytest.FixtureRequest, serve: Serve, tmp_path: Path) -> Iterator[Site]:
    """A server with people on either database."""
    if request.param == "sqlite":
        url, people = filled(tmp_path)
        yield Site(serve(store=url), url, people)
        return
    pytest.importorskip("psycopg", reason="PostgreSQL needs the postgres extra")
    url = postgres_url()
    people = [described(row) for row in range(4)]
    with Store.open(url, blobs=tmp_path / "crops") as store:
        store.add(people)
    yield Site(serve(store=url, blobs=str(tmp_path / "crops")), url, people)
    drop_postgres(url)


def where(site: Site, row: int = 0) -> str:
    return f"/v1/people/{site.people[row].request.person}/corrections"


def test_one_click_puts_it_right(both: Site) -> None:
    id = both.people[0].request.person
    before = time.time()
    number = both.json("/v1/events")["next"]
    made = both.send("POST", where(both), {"group": "upper.color", "value": ["green"]})
    assert made.status_code == 200, made.text
    one = made.json()
    assert before <= one.pop("at") <= time.time()
    assert one == {
        "number": one["number"], "person": id, "group": "upper.color", "value": ["green"],
        "by": "somebody at this machine", "holds": True, "said": {"value": ["red"], "confidence": 0.8},
        "model": "stand-in 1", "event_id": both.people[0].request.event_id, "undone_at": None, "undone_by": None,
    }  # fmt: skip
    story = both.json(f"/v1/people/{id}")
    assert story["person"]["attributes"]["upper.color"] == {"value": ["green"], "confidence": 1.0}
    assert story["person"]["text"] == "The image shows a female. She is wearing a green coat."
    assert (story["person"]["corrected"], story["story"][0]["corrected"]) == (["upper.color"], [])
    assert [each["number"] for each in story["corrections"]] == [one["number"]]
    assert story["story"][0]["text"] == both.people[0].description.text
    found = both.json("/v1/search", params={"q": "woman in a green coat"})
    assert (found["hits"][0]["person"]["person"], found["hits"][0]["probability"] > 0.7) == (id, True)
    assert found["facets"]["upper.color"]["green"] == 1
    listed = both.json("/v1/people", params={"attribute": "upper.color:green"})["people"]
    assert [each["person"] for each in listed] == [id]
    assert [each["person"] for each in both.json("/v1/events", params={"after": number})["events"]] == [id]
    assert ("correct", id) in both.actions()
    with Store.open(both.store_url) as store:
        (entry,) = [each for each in store.audited(limit=1000) if each.action == "correct"]
        assert entry.detail == {"group": "upper.color"}, "the audit outlives whoever is erased"
        assert store.verify_audit() is None


def test_listed_and_taken_back(both: Site) -> None:
    first = both.send("POST", where(both), {"group": "gender", "value": "male"}).json()
    second = both.send("POST", where(both), {"group": "gender", "value": "unknown"}).json()
    assert both.send("POST", where(both), {"group": "gender", "value": "unknown"}).json() == second
    listed = both.json(where(both))["corrections"]
    assert [(each["value"], each["holds"]) for each in listed] == [("male", False), ("unknown", True)]
    assert both.json(where(both, 1))["corrections"] == []
    assert both.send("DELETE", f"{where(both, 1)}/{second['number']}").status_code == 404, "it is another person's"
    assert both.send("DELETE", f"{where(both)}/{second['number']}").status_code == 204
    assert both.send("DELETE", f"{where(both)}/{second['number']}").status_code == 404
    person = both.json(f"/v1/people/{both.people[0].request.person}")["person"]
    assert person["attributes"]["gender"] == {"value": "male", "confidence": 1.0}
    assert both.send("DELETE", f"{where(both)}/{first['number']}").status_code == 204
    person = both.json(f"/v1/people/{both.people[0].request.person}")["person"]
    assert (person["attributes"]["gender"]["value"], person["corrected"]) == ("female", [])
    assert person["text"] == both.people[0].description.text
    listed = both.json(where(both))["corrections"]
    assert [each["undone_by"] for each in listed] == ["somebody at this machine"] * 2
    assert [action for action, _ in both.actions()].count("undo correction") == 2


@pytest.mark.parametrize(("body", "reason"), [
    ({"group": "shoes", "value": "red"}, "not an attribute group; legal: gender, age"),
    ({"group": "gender", "value": "woman"}, "legal: male, female"),
    ({"group": "gender", "value": ["male", "female"]}, "has one value"),
    ({"group": "upper.color", "value": []}, "at least one value"),
    ({"group": "upper.color"}, "value"), ({"group": "upper.color", "value": 7}, "value"),
    ({"group": "gender", "value": "male", "by": "me"}, "by"), ({"group": "a\0", "value": "b\0"}, "legal: gender"),
])  # fmt: skip
def test_what_is_not_legal(shared: Site, body: dict[str, Any], reason: str) -> None:
    answer = shared.send("POST", where(shared), body)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert reason in answer.json()["detail"]
    assert shared.json(where(shared))["corrections"] == []


def test_nobody(shared: Site) -> None:
    path = f"/v1/people/{'0' * 32}/corrections"
    assert shared.send("POST", path, {"group": "gender", "value": "male"}).status_code == 404
    assert shared.get(path).status_code == 404
    assert shared.send("DELETE", f"{path}/1").status_code == 404
    assert shared.send("DELETE", f"{path}/x").status_code == 422


def test_who_said_so_is_the_tokens_name_and_a_key_does_it_once(serve: Serve, tmp_path: Path) -> None:
    url, people = filled(tmp_path)
    file = tmp_path / "tokens.json"
    secret, kept = create("the night watch", ["read", "admin"])
    TokenFile(file).save(kept)
    looks, kept = create("a screen", ["read", "search", "ingest", "erase"])
    TokenFile(file).save(kept)
    server = serve(store=url, token_file=file)
    path = f"{server.url}/v1/people/{people[0].request.person}/corrections"
    headers = {"authorization": f"Bearer {secret}", "idempotency-key": "click 1"}
    body = {"group": "gender", "value": "male"}
    HTTP.cookies.clear()
    first = HTTP.post(path, json=body, headers=headers)
    assert (first.status_code, first.json()["by"]) == (200, "the night watch")
    undone = HTTP.delete(f"{path}/{first.json()['number']}", headers={"authorization": f"Bearer {secret}"})
    assert undone.status_code == 204
    assert HTTP.post(path, json=body, headers=headers).json() == first.json(), "answered again"
    assert HTTP.post(path, json={**body, "value": "female"}, headers=headers).status_code == 422
    only = {"authorization": f"Bearer {looks}"}
    assert [each["holds"] for each in HTTP.get(path, headers=only).json()["corrections"]] == [False], "and done once"
    assert HTTP.post(path, json=body, headers=only).status_code == 403
    assert HTTP.delete(f"{path}/1", headers=only).status_code == 403


def test_what_is_switched_off_can_be_neither_seen_nor_put_right(serve: Serve, tmp_path: Path) -> None:
    url, people = filled(tmp_path)
    id = people[0].request.person
    with Store.open(url) as store:
        store.correct(id, "gender", "male", "anna")
        store.correct(id, "upper.color", "green", "anna")
    site = Site(serve(store=url, gender=False), url, people)
    answer = site.send("POST", where(site), {"group": "gender", "value": "female"})
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_attribute")
    assert "there is age, body" in answer.json()["detail"]
    assert [each["group"] for each in site.json(where(site))["corrections"]] == ["upper.color"]
    story = site.json(f"/v1/people/{id}")
    assert [each["group"] for each in story["corrections"]] == story["person"]["corrected"] == ["upper.color"]
    assert story["person"]["text"] == "The image shows a person. They are wearing a green coat."
    assert site.send("DELETE", f"{where(site)}/1").status_code == 404


def test_erasing_counts_them(site: Site) -> None:
    id = site.people[0].request.person
    site.send("POST", where(site), {"group": "upper.color", "value": "green"})
    receipt = site.send("POST", "/v1/erase", {"people": [id]}).json()
    assert receipt["counts"]["corrections"] == 1
    assert site.get(where(site)).status_code == 404
