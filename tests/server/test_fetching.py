"""Pictures by address: what is public and asked for is fetched, the own network is not reached."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from serving import jpeg

from personvlm.server.fetch import fetch_picture
from personvlm.server.problems import Problem
from personvlm.server.settings import ServerSettings

Serve = Callable[..., Any]


class _Pictures(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/a.jpg":
            self._send(200, jpeg())
        elif self.path == "/large":
            self._send(200, bytes(100_000))
        elif self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "/a.jpg")
            self.end_headers()
        else:
            self._send(404, b"")

    def _send(self, status: int, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def nvr() -> Iterator[str]:
    """A camera server in the own network."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Pictures) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_host_that_the_operator_named(serve: Serve, nvr: str) -> None:
    server = serve(fetch_from=(nvr,), max_bytes=50_000)
    url = f"{server.url}/v1/describe"
    assert httpx.post(url, json={"image": f"http://{nvr}/a.jpg"}).status_code == 200
    for path, status in (("none", 422), ("away", 422), ("large", 413)):
        assert httpx.post(url, json={"image": f"http://{nvr}/{path}"}).status_code == status
    assert httpx.post(url, json={"image": f"http://localhost:{nvr.partition(':')[2]}/a.jpg"}).status_code == 403


@pytest.mark.parametrize("host", [
    "127.0.0.1", "localhost", "10.0.0.7", "192.168.1.1", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0",
    "[fd00::1]", "[fe80::1]", "2130706433", "0x7f.1", "127.1", "224.0.0.1", "[64:ff9b::7f00:1]", "100.64.0.1",
])  # fmt: skip
def test_the_own_network_is_not_reached(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*_: object, **__: object) -> Any:
        raise AssertionError("it connected")

    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(Problem) as caught:
        fetch_picture(f"http://{host}/a.jpg", ServerSettings(fetch_urls=True))
    assert caught.value.status_code == 403


def test_the_address_that_was_judged_is_the_one_that_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is public when asked, and loopback a moment later."""
    asked: list[str] = []
    called: list[Any] = []

    def resolve(host: str, *_: object, **__: object) -> Any:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34" if len(asked) == 1 else "127.0.0.1", 80))]

    def connect(place: Any, *_: object) -> Any:
        called.append(place)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(Problem) as caught:
        fetch_picture("http://rebind.example/a.jpg", ServerSettings(fetch_urls=True))
    assert caught.value.code == "not_fetched"
    assert called == [("93.184.216.34", 80)]


@pytest.mark.parametrize(("url", "status"), [
    ("http://", 422), ("http://host:port/", 422), ("http://exa mple/", 422), ("http://user:pw@example.org/", 403),
    ("http://example.org:22/", 403), ("http://[", 422), ("http://example.org/\nx", 422), ("https://\u00e9/", 422),
])  # fmt: skip
def test_addresses_that_cannot_be(url: str, status: int) -> None:
    with pytest.raises(Problem) as caught:
        fetch_picture(url, ServerSettings(fetch_urls=True))
    assert caught.value.status_code == status


def test_nothing_is_fetched_unless_it_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_: object, **__: object) -> Any:
        raise AssertionError("it asked for the name")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(Problem) as caught:
        fetch_picture("http://example.org/a.jpg", ServerSettings())
    assert caught.value.code == "urls_not_allowed"
