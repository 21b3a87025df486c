"""Fetching a picture from an address that a request names, without becoming a hole into the own network (SSRF)."""

from __future__ import annotations

import http.client
import time
from urllib.parse import urlsplit

from personvlm.base.guarded import AddressError, _connection, addresses
from personvlm.server.problems import Problem
from personvlm.server.settings import ServerSettings

_CONNECT_S = 5.0
_CHUNK = 1 << 16


def fetch_picture(url: str, settings: ServerSettings) -> bytes:
    """What ``url`` holds, at most ``settings.max_bytes`` of it. Redirects are not followed.

    Hosts of ``settings.fetch_from`` may be private and at any port; all others must be public, and at port 80 or 443.

    Raises:
        Problem: 403 where it may not be fetched, 422 where it is no address or there is nothing, 413 if too large.
    """
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
    end = time.monotonic() + settings.body_s
    connection = _connection(parts.scheme, name, port, found[0], _CONNECT_S)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", target, headers={"User-Agent": "personvlm", "Accept": "image/*"})
        return _read(connection, host, settings.max_bytes, end)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Problem(422, "not_fetched", f"{host}: the picture could not be had ({type(error).__name__})") from None
    finally:
        connection.close()


def _read(connection: http.client.HTTPConnection, host: str, most: int, end: float) -> bytes:
    with connection.getresponse() as response:
        if response.status != 200:
            raise Problem(422, "not_fetched", f"{host}: HTTP {response.status}; redirects are not followed")
        data = bytearray()
        while chunk := response.read1(_CHUNK):
            data += chunk
            if len(data) > most:
                raise Problem(413, "too_large", f"{host}: more than {most} bytes")
            if time.monotonic() > end:
                raise Problem(422, "not_fetched", f"{host}: too slow")
        return bytes(data)
