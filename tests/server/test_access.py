"""Who may do what: every route of the OpenAPI document, by every kind of token; sessions; what a browser may be made
to do; what stands in the log."""

from __future__ import annotations

import json
import logging
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from serving import Running, StandIn, free_port, jpeg

from personvlm.base.errors import InputError
from personvlm.base.logs import JsonFormatter
from personvlm.server import scopes
from personvlm.server.access import Rates
from personvlm.server.app import create_app
from personvlm.server.document import operations
from personvlm.server.settings import ServerSettings
from personvlm.server.tokens import SCOPES, StoredTokens, Token, TokenFile, check, create, revoke
from personvlm.store import Store

Serve = Callable[..., Any]

DOCUMENT: dict[str, Any] = create_app(ServerSettings()).openapi()
ROUTES = [(method.upper(), path, operation["x-scope"]) for path, item in DOCUMENT["paths"].items()
          for method, operation in item.items()]  # fmt: skip


HTTP = httpx.Client(timeout=20)


def token(file: Path, *given: str, **more: Any) -> str:
    secret, kept = create("somebody", given, **more)
    TokenFile(file).save(kept)
    return secret


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, dict[str, str]]]:
    """A server with everything, and a token for each scope, and one for all but each."""
    folder = tmp_path_factory.mktemp("guarded")
    file = folder / "tokens.json"
    tokens = {scope: token(file, scope) for scope in SCOPES}
    tokens |= {f"all but {scope}": token(file, *(each for each in SCOPES if each != scope)) for scope in SCOPES}
    settings = ServerSettings(port=free_port(), token_file=file, store=str(folder / "people.db"), rate=None,
                              queue=f"sqlite:///{folder / 'queue.db'}")  # fmt: skip
    with Running(settings, [StandIn()]) as server:
        yield server, tokens


def call(server: Running, method: str, path: str, secret: str | None) -> int:
    concrete = path.replace("{model}", "personvlm").replace("{name}", "a").replace("{reference}", "keep/aa/x")
    concrete = concrete.replace("{id}", "0" * 32).replace("{other}", "1" * 32)
    headers = bearer(secret) if secret else {}
    HTTP.cookies.clear()
    with HTTP.stream(method, server.url + concrete, headers=headers) as answer:
        return answer.status_code


def test_every_route_is_in_the_document_and_has_a_scope() -> None:
    named = {f"{method} {path}" for method, path, _ in ROUTES}
    assert len(named) >= 35
    assert scopes.SCOPE.keys() - named == {"GET /", "GET /page/{name}"}, "the page's files, which hold nothing"
    assert {scope for _, _, scope in ROUTES} == {*SCOPES, scopes.PUBLIC, scopes.ANY}
    for method, path, scope in ROUTES:
        assert ("security" in DOCUMENT["paths"][path][method.lower()]) == (scope != scopes.PUBLIC)


@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
def test_scopes(guarded: tuple[Running, dict[str, str]], method: str, path: str, scope: str) -> None:
    server, tokens = guarded
    if scope == scopes.PUBLIC:
        assert call(server, method, path, None) not in (401, 403)
        return
    assert call(server, method, path, None) == 401
    assert call(server, method, path, "pv_000000000000_wrong") == 401
    if scope == scopes.ANY:
        assert all(call(server, method, path, tokens[each]) not in (401, 403) for each in SCOPES)
        return
    assert call(server, method, path, tokens[f"all but {scope}"]) == 403
    assert [each for each in SCOPES if call(server, method, path, tokens[each]) not in (401, 403)] == [scope]


def test_a_route_without_a_scope_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    without = {name: scope for name, scope in scopes.SCOPE.items() if name != "GET /v1/people"}
    monkeypatch.setattr(scopes, "SCOPE", without)
    with pytest.raises(RuntimeError, match="GET /v1/people"):
        create_app(ServerSettings())


def test_what_is_mounted_is_refused() -> None:
    from fastapi import APIRouter
    from starlette.routing import Mount

    router = APIRouter()
    router.routes.append(Mount("/x", routes=[]))
    with pytest.raises(RuntimeError, match="mounted"):
        list(operations([router]))


@pytest.mark.parametrize("path", ["/v1/people/", "//v1/people", "/v1/PEOPLE", "/v1/people/%2e%2e/audit", "/v1/people;x",
                                  "/v1/people%2f", "/v1%2fpeople", "/v1/./people"])  # fmt: skip
def test_another_spelling_reaches_nothing(guarded: tuple[Running, dict[str, str]], path: str) -> None:
    assert httpx.get(guarded[0].url + path, follow_redirects=True).status_code in (401, 404)


def test_tokens_are_not_taken_from_the_address(guarded: tuple[Running, dict[str, str]]) -> None:
    server, tokens = guarded
    for name in ("token", "access_token", "api_key"):
        assert httpx.get(f"{server.url}/v1/people", params={name: tokens["read"]}).status_code == 401


@pytest.mark.parametrize("header", ["", "Bearer", "Basic abc", "Bearer pv__", "Bearer pv_x",
                                    "Bearer " + "x" * 5000])  # fmt: skip
def test_broken_headers(guarded: tuple[Running, dict[str, str]], header: str) -> None:
    assert httpx.get(f"{guarded[0].url}/v1/people", headers={"authorization": header}).status_code == 401


# ---- without tokens


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "cameras.example"])
def test_others_than_this_machine_need_a_token(host: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="token"):
        create_app(ServerSettings(host=host))
    with pytest.raises(InputError, match="token"):
        create_app(ServerSettings(host=host, token_file=tmp_path / "none.json"))
    token(tmp_path / "tokens.json", "read")
    assert create_app(ServerSettings(host=host, token_file=tmp_path / "tokens.json"))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.3.2.1"])
def test_this_machine_needs_none(host: str) -> None:
    assert ServerSettings(host=host).loopback
    assert create_app(ServerSettings(host=host))


@pytest.mark.parametrize(("headers", "status"), [
    ({}, 200), ({"host": "localhost:80"}, 200), ({"host": "[::1]:80"}, 200), ({"host": "evil.example"}, 421),
    ({"host": "127.0.0.1.evil.example"}, 421), ({"host": "["}, 421), ({"origin": "http://evil.example"}, 403),
    ({"origin": "null"}, 403), ({"origin": "http://127.0.0.1:1"}, 403),
])  # fmt: skip
def test_a_page_of_somebody_else_reaches_nothing(serve: Serve, headers: dict[str, str], status: int) -> None:
    url = f"{serve().url}/v1/describe"
    sent = {"content-type": "image/jpeg", **headers}
    assert httpx.post(url, content=jpeg(), headers=sent).status_code == status
    answer = httpx.options(url, headers={**headers, "access-control-request-method": "POST"})
    assert "access-control-allow-origin" not in answer.headers


# ---- sessions of the page


def test_a_session(guarded: tuple[Running, dict[str, str]], tmp_path: Path) -> None:
    server, tokens = guarded
    with httpx.Client(base_url=server.url) as browser:
        assert browser.get("/v1/queue").status_code == 401
        opened = browser.post("/v1/session", headers=bearer(tokens["admin"]))
        cookie = opened.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert tokens["admin"] not in cookie
        assert opened.json()["scopes"] == ["admin"]
        assert browser.get("/v1/queue").status_code == 200
        assert browser.get("/v1/people").status_code == 403
        replay = {"url": "/v1/queue/replay", "json": {}}
        assert browser.post(**replay).json()["code"] == "csrf"
        assert browser.post(**replay, headers={"x-csrf-token": "wrong"}).status_code == 403
        good = {"x-csrf-token": opened.json()["csrf"]}
        assert browser.post(**replay, headers=good).status_code == 200
        assert browser.post(**replay, headers={**good, "origin": "http://evil.example"}).status_code == 403
        assert browser.post(**replay, headers={**good, "origin": server.url}).status_code == 200
        assert browser.post("/v1/session", headers=good).json()["csrf"] == good["x-csrf-token"]
        assert browser.delete("/v1/session").status_code == 403
        kept = dict(browser.cookies)
        assert browser.delete("/v1/session", headers=good).status_code == 204
        assert httpx.get(f"{server.url}/v1/queue", cookies=kept).status_code == 401


def test_a_session_ends_with_its_token(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    secret = token(file, "admin")
    server = serve(token_file=file, store=str(tmp_path / "people.db"))
    with httpx.Client(base_url=server.url) as browser:
        browser.post("/v1/session", headers=bearer(secret))
        assert browser.get("/v1/audit").status_code == 200
        revoke(TokenFile(file), TokenFile(file).all()[0].id)
        assert browser.get("/v1/audit").status_code == 401


# ---- tokens


def test_tokens_are_hashed_at_rest(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "tokens.json"
    secret = token(file, "read", "search")
    text = file.read_text()
    assert secret not in text
    assert secret.rpartition("_")[2] not in text
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert check(secret, TokenFile(file)) is not None
    assert check(secret[:-1], TokenFile(file)) is None
    assert check(secret.replace("pv_", "xx_"), TokenFile(file)) is None


def test_tokens_in_a_store(tmp_path: Path) -> None:
    with Store.open(tmp_path / "people.db") as store:
        tokens = StoredTokens(store)
        secret, kept = create("viewer", ["read"])
        tokens.save(kept)
        assert tokens.all() == [kept]
        assert check(secret, tokens) == kept
        assert check(secret, tokens) is not None
        revoke(tokens, kept.id)
        assert check(secret, tokens) is None
    assert secret.rpartition("_")[2].encode() not in b"".join(each.read_bytes() for each in tmp_path.glob("people.db*"))


def test_a_store_with_tokens_asks_for_them(serve: Serve, tmp_path: Path) -> None:
    url = str(tmp_path / "people.db")
    with Store.open(url) as store:
        secret, kept = create("viewer", ["read"])
        StoredTokens(store).save(kept)
    server = serve(store=url)
    assert httpx.get(f"{server.url}/v1/people").status_code == 401
    assert httpx.get(f"{server.url}/v1/people", headers=bearer(secret)).status_code == 200


def test_tokens_end(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    secret, kept = create("guest", ["read"], expires=1000.0)
    TokenFile(file).save(kept)
    assert check(secret, TokenFile(file), now=999.0) == kept
    assert check(secret, TokenFile(file), now=1000.0) is None
    with pytest.raises(InputError, match="there is none"):
        revoke(TokenFile(file), "unknown")


def test_a_revoked_token_ends_while_the_server_runs(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    secret = token(file, "ingest")
    server = serve(token_file=file)
    assert httpx.get(f"{server.url}/v1/models", headers=bearer(secret)).status_code == 200
    revoke(TokenFile(file), TokenFile(file).all()[0].id)
    time.sleep(1.2)
    assert httpx.get(f"{server.url}/v1/models", headers=bearer(secret)).status_code == 401


@pytest.mark.parametrize(("name", "given"), [("a", []), ("a", ["write"]), (" ", ["read"])])
def test_tokens_that_cannot_be(name: str, given: list[str]) -> None:
    with pytest.raises(InputError):
        create(name, given)


@pytest.mark.parametrize("text", ["{", "{}", "[1]", '[{"id": "a"}]'])
def test_a_broken_file_of_tokens(tmp_path: Path, text: str) -> None:
    (tmp_path / "tokens.json").write_text(text)
    with pytest.raises(InputError, match=r"tokens\.json"):
        create_app(ServerSettings(token_file=tmp_path / "tokens.json"))


# ---- rates, logs


def test_rates() -> None:
    rates = Rates(2.0)
    assert [rates.wait("a", 0.0) for _ in range(5)] == [0, 0, 0, 0, 0.5]
    assert rates.wait("b", 0.0) == 0
    assert rates.wait("a", 0.5) == 0
    assert rates.wait("a", 0.5) > 0
    assert [rates.wait("a", 99.0) for _ in range(5)] == [0, 0, 0, 0, 0.5]


def test_a_token_that_asks_too_often(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    busy, calm = token(file, "ingest"), token(file, "ingest")
    url = f"{serve(token_file=file, rate=0.02).url}/v1/models"
    answers = [httpx.get(url, headers=bearer(busy)) for _ in range(3)]
    assert [each.status_code for each in answers] == [200, 429, 429]
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert httpx.get(url, headers=bearer(calm)).status_code == 200


def test_the_log_has_nothing_secret(serve: Serve, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "tokens.json"
    secret = token(file, "ingest")
    server = serve(token_file=file)
    lines: list[logging.LogRecord] = []
    with caplog.at_level(logging.DEBUG):
        httpx.get(f"{server.url}/v1/models", headers=bearer(secret), params={"q": "woman in red", "token": secret})
        end = time.monotonic() + 10
        while not lines and time.monotonic() < end:  # it is written after the answer was sent
            lines = [each for each in caplog.records if each.name == "personvlm.server.access"]
            time.sleep(0.01)
    (line,) = lines
    found = json.loads(JsonFormatter().format(line))
    assert (found["method"], found["path"], found["status"]) == ("GET", "/v1/models", 200)
    assert found["token"] == TokenFile(file).all()[0].id
    server_lines = [JsonFormatter().format(each) for each in caplog.records
                    if not each.name.startswith(("httpx", "httpcore"))]  # fmt: skip
    assert not any(secret in each or "woman" in each for each in server_lines)


def test_the_address_of_a_store_is_not_shown_with_its_password() -> None:
    with pytest.raises(InputError) as caught:
        create_app(ServerSettings(store="postgresql://me:secret123@127.0.0.1:1/none"))
    assert "secret123" not in str(caught.value)


def test_tokens_are_compared_as_a_whole() -> None:
    secret, kept = create("a", ["read"])
    assert kept.good(secret, 0.0)
    assert not Token(**{**kept.__dict__, "digest": "0" * 64}).good(secret, 0.0)
