"""Fetching a picture from an address that a request names, without becoming a hole into the own network (SSRF)."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from personvlm.base.guarded import AddressError, _connection, addresses
from personvlm.server.problems import Problem
from personvlm.server.settings import ServerSettings

_CONNECT_S = 5.0
_CHUNK = 1 << 16
_AT_ONCE = ThreadPoolExecutor(8, "fetch")
"""Threads of their own: hosts that do not answer keep each other waiting, and no other route."""


async def fetch(url: str, settings: ServerSettings, end: float) -> bytes:
    """See :func:`fetch_picture`; waits for its turn too, and for a name server, no longer than until ``end``."""
    fetched = asyncio.get_running_loop().run_in_executor(_AT_ONCE, fetch_picture, url, settings, end)
    try:
        return await asyncio.wait_for(fetched, end - time.monotonic())
    except asyncio.TimeoutError:
        raise _slow(settings) from None


def fetch_picture(url: str, settings: ServerSettings, end: float | None = None) -> bytes:
    """What ``url`` holds, at most ``settings.max_bytes`` of it. Redirects are not followed.

    Args:
        end: by :func:`time.monotonic`, when it must be here, however much of it has come; None: ``settings.body_s``
            from now.

    Hosts of ``settings.fetch_from`` may be private and at any port; all others must be public, and at port 80 or 443.

    Raises:
        Problem: 403 where it may not be fetched, 422 where it is no address or there is nothing, 413 if too large,
            504 if too slow.
    """
    end = time.monotonic() + settings.body_s if end is None else end
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        host = ""
    if not host or not url.isascii() or not url.isprintable() or " " in url:
        raise Problem(422, "bad_address", "an address must be like https://host/picture.jpg")
    trusted = bool({host, f"{host}:{port}"} & {each.lower() for each in settings.fetch_from})
    if not trusted and (not settings.fetch_urls or port not in (80, 443)):
        raise Problem(403, "urls_not_allowed", f"pictures are not fetched from {host}:{port}; send the picture itself, "
                      "or start the server with --fetch-urls or --fetch-from HOST")  # fmt: skip
    try:
        name, port, found = addresses(url, private=trusted)
    except AddressError as error:
        raise Problem(403, "urls_not_allowed", str(error)) from None
    left = end - time.monotonic()
    if left <= 0:
        raise _slow(settings)
    connection = _connection(parts.scheme, name, port, found, min(_CONNECT_S, left))
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        with _cut_off(connection, end):
            connection.request("GET", target, headers={"User-Agent": "personvlm", "Accept": "image/*"})
            data = _read(connection, host, settings.max_bytes)
        if time.monotonic() >= end:  # without a length, what was cut off looks whole
            raise _slow(settings)
        return data
    except (OSError, http.client.HTTPException, ValueError) as error:
        if time.monotonic() >= end:
            raise _slow(settings) from None
        raise Problem(422, "not_fetched", f"{host}: the picture could not be had ({type(error).__name__})") from None
    finally:
        connection.close()


def _slow(settings: ServerSettings) -> Problem:
    return Problem(504, "too_slow", f"what the request names by address was not there within {settings.body_s:g} s")


@contextlib.contextmanager
def _cut_off(connection: http.client.HTTPConnection, end: float) -> Iterator[None]:
    """End ``connection`` at ``end``, whatever it waits for: a host that sends a byte now and then is never idle.

    A copy of the socket is kept to do so: TLS takes the socket itself away.
    """
    made: list[socket.socket] = []
    create = connection._create_connection  # type: ignore[attr-defined]

    def remember(*place: Any) -> socket.socket:
        opened: socket.socket = create(*place)
        made.append(opened.dup())
        if time.monotonic() >= end:
            opened.close()
            raise TimeoutError
        return opened

    def cut() -> None:
        for each in made:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    connection._create_connection = remember  # type: ignore[attr-defined]
    timer = threading.Timer(max(0.0, end - time.monotonic()), cut)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        for each in made:
            each.close()


def _read(connection: http.client.HTTPConnection, host: str, most: int) -> bytes:
    with connection.getresponse() as response:
        if response.status != 200:
            raise Problem(422, "not_fetched", f"{host}: HTTP {response.status}; redirects are not followed")
        data = bytearray()
        while chunk := response.read1(_CHUNK):
            data += chunk
            if len(data) > most:
                raise Problem(413, "too_large", f"{host}: more than {most} bytes")
        return bytes(data)
