"""Looking at people over a real store: lists, stories, crops, search, what is not shown."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from stored import START, Site, described, filled

from personvlm.store import Store

Serve = Callable[..., Any]


def test_lists_in_parts(shared: Site) -> None:
    found: list[Any] = []
    after = None
    while True:
        page = shared.json("/v1/people", params={"limit": 3, **({"after": after} if after else {})})
        found += page["people"]
        after = page["next"]
        if after is None:
            break
    assert [each["person"] for each in found] == [each.request.person for each in reversed(shared.people)]
    first = found[-1]
    assert first["text"] == shared.people[0].description.text
    assert first["attributes"]["upper.color"] == {"value": ["red"], "confidence": 0.8}
    assert (first["camera"], first["track"], first["revision"], first["time"]) == ("gate", 0, 1, START)


@pytest.mark.parametrize(("params", "rows"), [
    ({"camera": "hall"}, [5, 6, 7, 8, 9]), ({"camera": ["hall", "gate"]}, list(range(10))), ({"camera": "no"}, []),
    ({"since": START + 500}, [9]), ({"until": START + 30}, [0]), ({"attribute": "carrying:backpack"}, [1, 3, 5, 7, 9]),
    ({"attribute": ["gender:female", "upper.color:red"], "camera": "gate"}, [0, 2, 4]),
])  # fmt: skip
def test_filters(shared: Site, params: Any, rows: list[int]) -> None:
    found = shared.json("/v1/people", params=params)["people"]
    assert sorted(each["track"] for each in found) == rows
    if "attribute" not in params:
        assert sorted(each["track"] for each in shared.json("/v1/tracks", params=params)["tracks"]) == rows


@pytest.mark.parametrize("params", [
    {"limit": 0}, {"limit": 1000}, {"after": "x"}, {"after": "0x1.8p+99999_1"}, {"after": "0x1.0p+30_9" + "9" * 30},
    {"since": "soon"}, {"since": "nan"}, {"since": -1}, {"attribute": "gender"}, {"attribute": "gender:red"},
    {"attribute": "ethnicity:any"}, {"camera": "a\0b"},
])  # fmt: skip
def test_what_cannot_be_listed(shared: Site, params: Any) -> None:
    answer = shared.get("/v1/people", params=params)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_story(site: Site) -> None:
    more = described(3, revision=2, final=True)
    with Store.open(site.store_url) as store:
        store.add([more])
        store.link(more.request.person, site.people[5].request.person, 0.9)
    story = site.json(f"/v1/people/{more.request.person}")
    assert [each["revision"] for each in story["story"]] == [1, 2]
    assert (story["person"]["revision"], story["person"]["final"]) == (2, True)
    assert [each["person"] for each in story["same_as"]] == [site.people[5].request.person]
    assert site.get(f"/v1/people/{'0' * 32}").json()["code"] == "nobody"
    assert site.get("/v1/people/1").status_code == 422
    assert ("view", more.request.person) in site.actions()


def test_crops(shared: Site) -> None:
    event = shared.json("/v1/people")["people"][0]
    url = event["crops"][0]["url"]
    picture = shared.get(url)
    assert picture.content == shared.people[9].request.crop.data
    assert picture.headers["content-type"] == "image/jpeg"
    assert picture.headers["cache-control"] == "private, no-cache"
    again = shared.get(url, headers={"if-none-match": picture.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert shared.get(url, headers={"if-none-match": '"other"'}).status_code == 200
    for wrong in ("/v1/crops/keep/aa/none", "/v1/crops/../people.db", "/v1/crops/%2e%2e/people.db", "/v1/crops/x"):
        assert shared.get(wrong).status_code == 404
    assert [action for action, _ in shared.actions()].count("view crop") == 3


def test_faces_are_blurred_and_cameras_hidden(serve: Serve, tmp_path: Path) -> None:
    url, people = filled(tmp_path)
    open_ = Site(serve(store=url), url, people)
    closed = Site(serve(store=url, blur=("gate",), hide=("hall",)), url, people)
    shown = {each["camera"]: each for each in open_.json("/v1/people")["people"]}
    assert [each["crops"] for each in closed.json("/v1/cameras")["cameras"]] == ["blurred", "hidden"]
    hall = closed.json("/v1/people", params={"camera": "hall"})["people"]
    assert [each["crops"][0]["url"] for each in hall] == [None] * 5
    assert closed.get(shown["hall"]["crops"][0]["url"]).status_code == 404
    clear, blurred = (_pixels(each.get(shown["gate"]["crops"][0]["url"]).content) for each in (open_, closed))
    head = round(0.30 * len(clear))
    assert np.abs(clear[head + 8 :] - blurred[head + 8 :]).mean() < 20
    assert blurred[: head - 3].std() < 0.4 * clear[: head - 3].std(), "noise is gone where the head is"


def _pixels(data: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), float)


def test_search(shared: Site) -> None:
    found = shared.json("/v1/search", params={"q": "woman in a red coat", "camera": "gate", "limit": 3})
    assert [hit["person"]["track"] for hit in found["hits"]] == [4, 2, 0]
    assert found["hits"][0]["probability"] > 0.6
    assert {reason["term"] for reason in found["hits"][0]["reasons"]} == set(found["terms"])
    assert found["likely"] == 3
    assert found["facets"]["camera"] == {"gate": 3}
    assert ("search", "woman in a red coat") in shared.actions()
    second = shared.json("/v1/search", params={"q": "backpack", "offset": 2, "limit": 2, "facet": "upper.color"})
    assert len(second["hits"]) == 2
    assert set(second["facets"]) == {"upper.color"}


def test_who_looks_similar(shared: Site) -> None:
    id = shared.people[2].request.person
    hits = shared.json(f"/v1/people/{id}/similar", params={"limit": 5})["hits"]
    assert hits[0]["person"]["person"] == id
    assert {hit["person"]["track"] % 2 for hit in hits[:5]} == {0}
    assert hits[0]["alike"] >= hits[-1]["alike"]
    assert shared.get(f"/v1/people/{'0' * 32}/similar").status_code == 404


@pytest.mark.parametrize("params", [{"q": "x" * 501}, {"facet": "mood"}, {"camera": "nowhere"}, {"offset": -1},
                                    {"q": "a\0"}])  # fmt: skip
def test_what_cannot_be_searched(shared: Site, params: Any) -> None:
    assert shared.get("/v1/search", params=params).status_code == 422


def test_a_deployment_without_gender_does_not_let_it_out(serve: Serve, tmp_path: Path) -> None:
    url, people = filled(tmp_path)
    site = Site(serve(store=url, gender=False), url, people)
    shown = [site.get(path, params=params).text for path, params in (
        ("/v1/people", {}), ("/v1/events", {}), (f"/v1/people/{people[0].request.person}", {}),
        ("/v1/search", {"q": "red coat"}), (f"/v1/people/{people[0].request.person}/similar", {}))]  # fmt: skip
    for text in shown:
        assert "coat" in text
        for word in ("woman", "man.", "She", "He ", "male", '"gender"'):
            assert word not in text
    found = site.json("/v1/search", params={"q": "woman in a coat", "camera": "gate"})
    assert found["terms"] == ["upper.garment: coat"]
    assert "gender" in found["notes"][0]
    men = site.json("/v1/search", params={"q": "man", "camera": "gate"})
    women = site.json("/v1/search", params={"q": "woman", "camera": "gate"})
    quoted = site.json("/v1/search", params={"q": '"a woman"', "camera": "gate"})
    for each in (men, women, quoted):
        assert [hit["person"]["track"] for hit in each["hits"]] == [hit["person"]["track"] for hit in men["hits"]]
        assert "gender" not in each["facets"]
    assert site.get("/v1/people", params={"attribute": "gender:female"}).status_code == 422
    assert site.get("/v1/search", params={"facet": "gender"}).status_code == 422
    assert site.send("POST", "/v1/rules/dry-run", {"rule": 'gender == "female"'}).status_code == 422
    assert site.send("PUT", "/v1/rules/a", {"rule": 'gender == "female"'}).status_code == 422


def test_events_in_parts(shared: Site) -> None:
    first = shared.json("/v1/events", params={"limit": 4})
    assert [each["track"] for each in first["events"]] == [0, 1, 2, 3]
    rest = shared.json("/v1/events", params={"after": first["next"]})
    assert [each["track"] for each in rest["events"]] == [4, 5, 6, 7, 8, 9]
    assert shared.json("/v1/events", params={"after": rest["next"]}) == {"events": [], "next": rest["next"]}
    hall = shared.json("/v1/events", params={"camera": "hall", "limit": 2})
    assert [each["track"] for each in hall["events"]] == [5, 6]
    more = shared.json("/v1/events", params={"camera": "hall", "after": hall["next"]})
    assert [each["track"] for each in more["events"]] == [7, 8, 9]
