"""The language of an answer: the header, the field and the query; what the answer says of it; what stays English."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from serving import SAID, StandIn, jpeg
from stored import Site, filled

from personvlm.server.app import create_app
from personvlm.server.languages import SPEAKS
from personvlm.server.settings import ServerSettings

B64 = base64.b64encode(jpeg()).decode()
GERMAN = "Das Bild zeigt einen Mann. Er trägt einen rot-schwarzen Mantel."
SPANISH = "La imagen muestra a un hombre. Lleva un abrigo rojo y negro."


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = create_app(ServerSettings(), [StandIn()])  # type: ignore[list-item]
    with TestClient(app, base_url="http://localhost") as found:
        yield found


@pytest.fixture
def open_site(tmp_path: Path) -> Iterator[Callable[..., TestClient]]:
    url, _ = filled(tmp_path)
    opened: list[TestClient] = []

    def start(**settings: Any) -> TestClient:
        app = create_app(ServerSettings(store=url, **settings), [StandIn()])  # type: ignore[list-item]
        opened.append(TestClient(app, base_url="http://localhost").__enter__())
        return opened[-1]

    yield start
    for each in opened:
        each.__exit__(None, None, None)


def said(answer: Any) -> tuple[str, str, str]:
    assert answer.status_code == 200, answer.text
    vary = [each.strip() for each in answer.headers["vary"].split(",")]
    assert vary.count("Accept-Language") == 1
    return answer.json()["results"][0]["text"], answer.headers["content-language"], answer.json()["results"][0]["model"]


@pytest.mark.parametrize(("accepted", "language", "text"), [
    (None, "en", SAID.text),
    ("de", "de", GERMAN),
    ("de-AT, en;q=0.5", "de", GERMAN),
    ("pt, es-419;q=0.9, de;q=0.8", "es", SPANISH),
    ("fr;q=0, de;q=0.3", "de", GERMAN),
    ("pt, sv;q=0.9", "en", SAID.text),
    ("en, de", "en", SAID.text),
    ("*", "en", SAID.text),
    ("de;q=nonsense, ;;, es;q=2", "en", SAID.text),
])  # fmt: skip
def test_the_header_chooses_the_best_that_is_offered(client: TestClient, accepted: str | None, language: str,
                                                     text: str) -> None:  # fmt: skip
    headers = {} if accepted is None else {"Accept-Language": accepted}
    answer = client.post("/v1/describe", json={"image": B64}, headers=headers)
    assert said(answer) == (text, language, "stand-in 1")
    assert answer.json()["results"][0]["attributes"]["upper.color"]["value"] == ["red", "black"]


@pytest.mark.parametrize("sent", [
    {"json": {"image": B64, "lang": "es"}},
    {"files": {"image": jpeg()}, "data": {"lang": "es"}},
    {"content": jpeg(), "params": {"lang": "es"}, "headers": {"content-type": "image/jpeg"}},
    {"json": {"images": [B64, B64], "together": True, "lang": "es"}},
])  # fmt: skip
def test_the_field_comes_before_the_header(client: TestClient, sent: dict[str, Any], monkeypatch: Any) -> None:
    if sent.get("json", {}).get("together"):
        monkeypatch.setattr("personvlm.server.describing.PeopleDescriber.one_person", _one_person)
    headers = {**sent.pop("headers", {}), "Accept-Language": "de"}
    assert said(client.post("/v1/describe", headers=headers, **sent))[:2] == (SPANISH, "es")


async def _one_person(*_: Any) -> Any:
    return SAID


def test_candidates_are_english(client: TestClient) -> None:
    body = {"image": B64, "candidates": 2}
    assert said(client.post("/v1/describe", json=body, headers={"Accept-Language": "de"}))[:2] == (SAID.text, "en")
    refused = client.post("/v1/describe", json={**body, "lang": "de"})
    assert (refused.status_code, "candidates" in refused.json()["detail"]) == (422, True)


def test_a_language_that_is_not_offered_is_refused_where_it_is_asked_for(client: TestClient) -> None:
    assert client.post("/v1/describe", json={"image": B64, "lang": "pt"}).status_code == 422


def test_an_error_is_english(client: TestClient) -> None:
    answer = client.post("/v1/describe", content=b"nothing", headers={"content-type": "image/jpeg",
                                                                      "Accept-Language": "de"})  # fmt: skip
    assert answer.status_code == 422
    assert "content-language" not in answer.headers


def test_people_search_and_events_speak_it(open_site: Callable[..., TestClient]) -> None:
    site = open_site()
    man = "L'image montre un homme. Il porte une veste bleue. Il porte un sac à dos."
    woman = "L'image montre une femme. Elle porte un manteau rouge."
    french = {"Accept-Language": "fr-FR,fr;q=0.9,en;q=0.8"}
    for path in ("/v1/people", "/v1/events", "/v1/search?q=coat"):
        answer = site.get(path, headers=french)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-language"] == "fr"
        assert "Accept-Language" in answer.headers["vary"]
        body = answer.json()
        rows = body.get("people") or body.get("events") or [each["person"] for each in body["hits"]]
        assert {row["text"] for row in rows} == {man, woman}
        assert site.get(path).headers["content-language"] == "en"
        assert "The image" in site.get(path).text
    story = site.get(f"/v1/people/{rows[0]['person']}?lang=fr").json()
    assert {story["person"]["text"], *(each["text"] for each in story["story"])} <= {man, woman}
    assert story["person"]["attributes"]["upper.garment"]["value"] in ("coat", "jacket")
    similar = site.get(f"/v1/people/{rows[0]['person']}/similar?lang=fr", headers={"Accept-Language": "de"})
    assert {hit["person"]["text"] for hit in similar.json()["hits"]} <= {man, woman}
    assert site.get("/v1/people?lang=pt").status_code == 422


def test_one_request_does_not_change_the_language_of_the_next(open_site: Callable[..., TestClient]) -> None:
    site = open_site()
    assert "Das Bild" in site.get("/v1/people", headers={"Accept-Language": "de"}).text
    assert "Das Bild" not in site.get("/v1/people").text
    assert "content-language" not in site.get("/v1/cameras", headers={"Accept-Language": "de"}).headers


def test_the_live_feed_speaks_it(shared: Site) -> None:
    path, texts = f"{shared.server.url}/v1/events/stream?after=0", list[str]()
    with httpx.stream("GET", path, headers={"Accept-Language": "ja"}, timeout=30) as answer:
        assert answer.headers["content-language"] == "ja"
        for line in answer.iter_lines():
            texts += [json.loads(line[6:])["text"]] if line.startswith("data: ") else []
            if len(texts) == 10:
                break
    assert {text.partition("。")[0] for text in texts} == {"画像には、男性が写っている", "画像には、女性が写っている"}


def test_what_is_switched_off_is_said_in_no_language(open_site: Callable[..., TestClient]) -> None:
    site = open_site(gender=False)
    told = {"de": ("Mann", "Frau", "Er ", "Sie "), "fr": ("homme", "femme", "Il ", "Elle "), "es": ("hombre", "mujer"),
            "hi": ("पुरुष", "महिला"), "zh": ("男", "女", "他", "她"), "ja": ("男", "女")}  # fmt: skip
    for lang, words in told.items():
        for row in site.get("/v1/people", params={"lang": lang}).json()["people"]:
            assert not [word for word in words if word in row["text"]], row["text"]


def test_every_route_that_tells_of_people_can_be_asked_in_a_language() -> None:
    app = create_app()
    document = app.openapi()
    schemas = document["components"]["schemas"]
    tells = {"Event", *(name for name in schemas if "Event" in _reaches(schemas[name], document))}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            answers = json.dumps(operation["responses"].get("200", {}))
            if any(f'schemas/{name}"' in answers for name in tells):
                names = [each["name"] for each in operation.get("parameters", ())]
                assert "lang" in names, f"{method} {path}: add dependencies=SPEAKS"
    assert SPEAKS
    assert "People" in tells


def _reaches(schema: Any, document: Any) -> set[str]:
    """Names of all schemas that ``schema`` holds, however deep."""
    text, seen = json.dumps(schema), set()
    todo = [name for name in document["components"]["schemas"] if f'schemas/{name}"' in text]
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            text = json.dumps(document["components"]["schemas"][name])
            todo += [each for each in document["components"]["schemas"] if f'schemas/{each}"' in text]
    return seen
