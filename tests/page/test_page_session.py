"""Signing in, and what a browser is left with: a cookie that scripts cannot read, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from page_shop import Shop, serious, until

from personvlm.schema import Described
from personvlm.server.tokens import TokenFile, create


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A file with tokens, and the tokens."""
    file = tmp_path_factory.mktemp("tokens") / "tokens.json"
    kept = TokenFile(file)
    found: dict[str, Any] = {"file": file}
    for name, scopes in (("reader", ["read"]), ("boss", ["read", "search", "admin", "erase"])):
        found[name], made = create(name, scopes)
        kept.save(made)
    return found


@pytest.fixture(scope="module")
def closed(open_shop: Callable[..., Shop], walk: list[tuple[int, Described]], secrets: dict[str, Any]) -> Shop:
    """A server that asks for a token."""
    return open_shop(walk, token_file=Path(secrets["file"]))


def sign_in(page: Any, shop: Shop, token: str) -> None:
    page.expected.append("401")  # the page asks who one is first
    page.goto(shop.view("live"))
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in").click()


def test_a_token_opens_a_session_and_is_kept_nowhere(page: Any, closed: Shop, secrets: dict[str, Any],
                                                     axe: str) -> None:  # fmt: skip
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    sign_in(page, closed, "pv_wrong_token")
    page.get_by_text("This token is not good (any more)").wait_for()
    assert serious(page, axe) == []
    page.get_by_label("Token").fill(secrets["boss"])
    page.get_by_role("button", name="Sign in").click()
    page.locator(".card").first.wait_for()
    until(page, "document.querySelector('.card img')?.naturalWidth > 0")

    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/")
    assert secrets["boss"] not in cookie["value"]
    assert page.evaluate("[document.cookie, localStorage.length, sessionStorage.length]") == ["", 0, 0]
    assert not [url for url in asked if secrets["boss"] in url or "pv_" in url]
    assert secrets["boss"] not in page.content()

    page.reload()
    page.locator(".card").first.wait_for()
    page.locator("span.live", has_text="Live").wait_for()  # the feed has the cookie too
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Token").wait_for()
    assert page.context.cookies() == []
    page.reload()
    page.get_by_label("Token").wait_for()


def test_what_changes_something_needs_more_than_the_cookie(page: Any, closed: Shop, secrets: dict[str, Any]) -> None:
    sign_in(page, closed, secrets["boss"])
    page.locator(".card").first.wait_for()
    page.expected.append("403")
    send = """headers => fetch("/v1/queue/replay", {method: "POST", headers: {"Content-Type": "application/json",
              ...headers}, body: "{}"}).then(answer => answer.json())"""
    refused = page.evaluate(send, {})
    assert (refused["status"], refused["code"]) == (403, "csrf")
    assert page.evaluate(send, {"X-CSRF-Token": "0" * 64})["code"] == "csrf"
    # The page itself sends what it was given.
    page.goto(closed.view("rules"))
    page.get_by_label("Tell me when there is").fill("somebody with a backpack")
    page.get_by_role("button", name="Read it").click()
    page.locator(".outcome").wait_for()


def test_who_may_only_read_is_offered_only_that(page: Any, closed: Shop, secrets: dict[str, Any]) -> None:
    sign_in(page, closed, secrets["reader"])
    page.locator(".card").first.wait_for()
    names = page.get_by_role("navigation").get_by_role("link").all_inner_texts()
    assert names == ["Live", "Alerts", "Rules", "Cameras"]
    page.locator(".card a").first.click()
    page.get_by_role("heading", name="Person on").wait_for()
    assert page.get_by_role("button", name="Erase").count() == 0
    page.goto(closed.view("alerts"))
    page.locator(".alert").first.wait_for()
    assert page.get_by_role("button", name="Acknowledge").count() == 0
    page.goto(closed.view("audit"))
    page.get_by_text("This needs a token with the scope “admin”.").wait_for()


def test_a_session_that_ends_asks_again(page: Any, closed: Shop, secrets: dict[str, Any]) -> None:
    sign_in(page, closed, secrets["boss"])
    page.locator(".card").first.wait_for()
    closed.running.app.state.sessions._open.clear()
    page.evaluate("location.hash = '#/cameras'")  # the feed may find out first, and the links are gone then
    page.get_by_text("The session has ended. Sign in again.").wait_for()


def test_nothing_on_the_page_is_inline_or_from_elsewhere(page: Any, closed: Shop) -> None:
    page.expected.append("401")
    policy = page.goto(closed.url).headers["content-security-policy"]
    assert "unsafe" not in policy
    assert re.search(r"default-src 'none'; script-src 'self'; style-src 'self'", policy)
    page.get_by_label("Token").wait_for()
    page.expected.append("Content Security Policy")
    page.evaluate("""() => { const bad = document.createElement("script"); bad.textContent = "window.bad = 1";
                     document.head.append(bad); }""")
    assert page.evaluate("window.bad") is None


def test_who_is_not_signed_in_is_asked_wherever_they_go(page: Any, closed: Shop) -> None:
    page.expected.append("401")
    page.goto(closed.view("search"))
    page.get_by_label("Token").wait_for()
    page.get_by_role("link", name="PersonVLM").click()
    until(page, "location.hash === '#/live'")
    page.get_by_label("Token").wait_for()
    assert page.get_by_role("heading", level=1).inner_text() == "Sign in"


def test_who_could_not_sign_out_is_not_told_that_they_did(page: Any, closed: Shop, secrets: dict[str, Any]) -> None:
    sign_in(page, closed, secrets["boss"])
    page.locator(".card").first.wait_for()
    page.expected.append("ERR_FAILED")
    page.route("**/v1/session", lambda route: route.abort())
    page.get_by_role("button", name="Sign out").click()
    page.locator("#said", has_text="The server does not answer.").wait_for()
    assert page.get_by_label("Token").count() == 0
    assert len(page.context.cookies()) == 1


def test_a_page_whose_session_another_window_ended_says_so(page: Any, closed: Shop, secrets: dict[str, Any]) -> None:
    sign_in(page, closed, secrets["boss"])
    page.locator(".card").first.wait_for()
    page.goto(closed.view("rules"))
    page.get_by_role("button", name="Let blue-top rest").wait_for()
    other = page.context.new_page()
    other.goto(closed.view("cameras"))
    other.get_by_role("button", name="Sign out").click()
    other.get_by_label("Token").fill(secrets["boss"])
    other.get_by_role("button", name="Sign in").click()
    other.get_by_role("heading", name="Cameras").wait_for()
    page.expected.append("403")
    page.get_by_role("button", name="Let blue-top rest").click()
    page.locator("#said", has_text="signed in anew. Load this page again.").wait_for()


def test_a_feed_that_is_refused_since_the_session_ended_asks_again(page: Any, closed: Shop,
                                                                   secrets: dict[str, Any]) -> None:  # fmt: skip
    sign_in(page, closed, secrets["boss"])
    page.locator("span.live", has_text="Live").wait_for()
    page.locator(".card").first.wait_for()
    closed.running.app.state.sessions._open.clear()
    closed.cut()
    page.get_by_text("The session has ended. Sign in again.").wait_for()
