"""Addresses that somebody named: which are called, and at which of the host's own addresses."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from personvlm.base.guarded import AddressError, addresses, post


@pytest.mark.parametrize("url", ["http://[::1", "http://[example]/", "http://a]b/"])
def test_brackets_that_are_no_address_are_refused(url: str) -> None:
    with pytest.raises(AddressError, match=r"^http"):
        addresses(url, private=True)


def test_a_host_is_called_where_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """"localhost" is ::1 and 127.0.0.1, and most servers listen on one of them."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    look_up = socket.getaddrinfo

    def both(host: str, port: Any, *more: Any, **options: Any) -> Any:
        if host != "two.example":
            return look_up(host, port, *more, **options)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("127.0.0.2", "127.0.0.1")]

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        monkeypatch.setattr(socket, "getaddrinfo", both)
        assert post(f"http://two.example:{server.server_port}/", b"{}", {}, private=True, timeout=5) == 204
    with pytest.raises(AddressError, match="refused"):
        post(f"http://two.example:{server.server_port}/", b"{}", {}, private=True, timeout=5)
