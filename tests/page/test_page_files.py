"""The files of the page as they are served and as they are written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the server needs the service extra")
from fastapi.testclient import TestClient
from serving import StandIn

from personvlm.server import pages
from personvlm.server.app import create_app
from personvlm.server.settings import ServerSettings

FOLDER = Path(pages.__file__).parent / "page"
CODE = sorted(path for path in FOLDER.iterdir() if path.suffix in (".js", ".css", ".html"))


@pytest.fixture(scope="module")
def client() -> TestClient:
    return TestClient(create_app(ServerSettings(), [StandIn()]), base_url="http://localhost")


def test_all_of_it_is_served_and_asked_for_again_cheaply(client: TestClient) -> None:
    assert client.get("/").headers["content-type"] == "text/html; charset=utf-8"
    for path in FOLDER.iterdir():
        answer = client.get(f"/page/{path.name}")
        assert (answer.status_code, answer.content) == (200, path.read_bytes())
        assert answer.headers["cache-control"] == "no-cache"
        again = client.get(f"/page/{path.name}", headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    for wrong in ("app.py", "..%2fpages.py", "%2e%2e/pages.py", "nothing.js"):
        assert client.get(f"/page/{wrong}").status_code == 404


def test_another_host_is_not_answered(client: TestClient) -> None:
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 421


def test_it_names_its_own_files_only_and_all_of_them() -> None:
    names = {path.name for path in FOLDER.iterdir()}
    used = {"index.html"}
    for path in CODE:
        text = path.read_text("utf-8")
        assert re.findall(r"https?://[^\s\"')]+", text) == [], path
        found = re.findall(r'(?:from|module:) "\./([^"]+)"', text) + re.findall(r'(?:href|src)="page/([^"]+)"', text)
        assert set(found) <= names, path
        used |= set(found)
    assert used == names


@pytest.mark.parametrize("path", CODE, ids=lambda path: path.name)
def test_text_is_never_markup_and_nothing_is_inline(path: Path) -> None:
    text = path.read_text("utf-8")
    wrong = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|javascript:"
    assert re.findall(wrong, text) == []
    if path.suffix == ".html":
        assert re.findall(r"\son\w+=|\sstyle=|<style|<script(?![^>]*\ssrc=)", text) == []
    assert text.count("\n") <= 350


def test_words_on_the_page_are_american() -> None:
    for path in CODE:
        assert re.findall(r"\b(?:colour|grey|recognis|behaviour|centre)\w*", path.read_text("utf-8")) == [], path
