"""Sending to an address that somebody named: never into the own network unless that is allowed.

The name is looked up once, every address that it has is judged, and the connection goes to the address that was
judged: a name that changes its mind between the two (DNS rebinding) gains nothing. Redirects are not followed.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from personvlm.base.errors import PersonVLMError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_ANSWER = 1 << 16
_TRIED = 3
"""Of a host's addresses, at most: each may take the whole timeout."""


class AddressError(PersonVLMError):
    """An address that must not be called, or that cannot be."""


def addresses(url: str, *, private: bool = False) -> tuple[str, int, list[str]]:
    """Host, port and IP addresses of ``url``, all of which may be called.

    Args:
        private: allow loopback and private networks. Link-local addresses (where clouds keep their secrets),
            multicast and the unspecified address are never allowed.

    Raises:
        AddressError: not http(s), a user and password inside, a host without an address, or one that is not allowed.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:  # brackets that are no IPv6 address
        raise AddressError(f"{url.partition(':')[0]}: no address that can be called ({error})") from None
    shown = f"{parts.scheme}://{parts.hostname}"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise AddressError(f"{shown}: only http and https addresses are called")
    if parts.username or parts.password:
        raise AddressError(f"{shown}: user and password do not belong into the address")
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError, UnicodeError) as error:
        raise AddressError(f"{shown}: {error}") from None
    hosts = list(dict.fromkeys(str(item[4][0]) for item in found))
    for host in hosts:
        wrong = _refused(ipaddress.ip_address(host.partition("%")[0]), private)
        if wrong:
            raise AddressError(f"{shown}: {host} is {wrong}, which is not called")
    return parts.hostname, port, hosts


def _refused(address: Address, private: bool) -> str | None:
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return _refused(inner, private)
    if address.is_unspecified or address.is_multicast or address.is_link_local:
        return "unspecified, link-local or multicast"
    if not address.is_global and not private:
        return "in a private network"
    if not (address.is_global or address.is_private or address.is_loopback):
        return "reserved"
    return None


def post(url: str, body: bytes, headers: Mapping[str, str], *, private: bool = False, timeout: float = 10.0) -> int:
    """Send ``body`` and return the status of the answer, of which at most 64 kB are read and nothing is kept.

    Args:
        private: see :func:`addresses`.
        timeout: seconds of the connection and of every read.

    Raises:
        AddressError: not allowed, no connection, or no answer.
    """
    host, port, hosts = addresses(url, private=private)
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with contextlib.closing(_connection(parts.scheme, host, port, hosts, timeout)) as connection:
            connection.request("POST", target, body, {"User-Agent": "personvlm", **headers})
            answer = connection.getresponse()
            answer.read(_ANSWER)
            return answer.status
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise AddressError(f"{parts.scheme}://{host}: {error or type(error).__name__}") from None


def _connection(scheme: str, host: str, port: int, hosts: Sequence[str],
                timeout: float) -> http.client.HTTPConnection:  # fmt: skip
    if scheme == "http":
        plain = http.client.HTTPConnection(host, port, timeout=timeout)
        plain._create_connection = _to(hosts)  # type: ignore[attr-defined]
        return plain
    context = ssl.create_default_context()
    secure = http.client.HTTPSConnection(host, port, timeout=timeout, context=context)
    secure._create_connection = _to(hosts)  # type: ignore[attr-defined]
    return secure


def _to(hosts: Sequence[str]):  # type: ignore[no-untyped-def]
    """What opens the socket, to the first that answers: "localhost" is ::1 too, where nobody may listen. The name stays
    in the Host header and in the certificate that is asked for."""

    def create(place: tuple[str, int], timeout: float, source: tuple[str, int] | None = None) -> socket.socket:
        *others, last = hosts[:_TRIED]
        for address in others:
            with contextlib.suppress(OSError):
                return socket.create_connection((address, place[1]), timeout, source)
        return socket.create_connection((last, place[1]), timeout, source)

    return create
