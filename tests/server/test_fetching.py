"""Pictures by address: what is public and asked for is fetched, the own network is not reached."""

from __future__ import annotations

import contextlib
import http.server
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from serving import jpeg
from stored import filled

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


@contextlib.contextmanager
def dripping(start: bytes) -> Iterator[str]:
    """A host that answers with ``start``, and then with a byte now and then, for 15 s."""

    def drip(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(9999)
            connection.sendall(start)
            for _ in range(150):
                time.sleep(0.1)
                connection.sendall(b"a")

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=drip, args=(listening.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        threading.Thread(target=accept, daemon=True).start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(("scheme", "start"), [
    ("http", b"HTTP/1.1 200 OK\r\nX: "), ("http", b"HTTP/1.1 200 OK\r\n\r\n"), ("https", b"\x16\x03\x03\x40\x00"),
])  # fmt: skip
def test_a_host_that_drips_is_cut_off(scheme: str, start: bytes) -> None:
    began = time.monotonic()
    with dripping(start) as host:
        settings = ServerSettings(fetch_from=(host,), body_s=0.5)
        with pytest.raises(Problem) as caught:
            fetch_picture(f"{scheme}://{host}/a.jpg", settings)
    assert (caught.value.status_code, caught.value.code) == (504, "too_slow")
    assert time.monotonic() - began < 5


def test_hosts_that_drip_do_not_stop_other_routes(serve: Serve, tmp_path: Path) -> None:
    with dripping(b"HTTP/1.1 200 OK\r\nX: ") as host, contextlib.ExitStack() as stack:
        server = serve(store=filled(tmp_path)[0], fetch_from=(host,), body_s=3.0)
        asked = []
        for _ in range(45):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 20))
            body = json.dumps({"image": f"http://{host}/a.jpg"}).encode()
            one.sendall(b"POST /v1/describe HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                        b"Content-Length: %d\r\n\r\n%s" % (len(body), body))  # fmt: skip
            asked.append(one)
        time.sleep(0.5)
        assert httpx.get(f"{server.url}/v1/cameras", timeout=10).status_code == 200
        assert {one.recv(12) for one in asked} == {b"HTTP/1.1 504"}, "those that waited for their turn too"


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
