"""Webhooks in the form of Standard Webhooks (standardwebhooks.com): signed, with a time and an id.

``webhook-signature`` is ``v1,`` and the base64 of HMAC-SHA256 over ``id.timestamp.body``. The id stays the same however
often a message is sent again: a receiver that remembers ids has everything once.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping

from personvlm.base.errors import InputError
from personvlm.base.guarded import AddressError, addresses, post

_PREFIX = "whsec_"
TOLERANCE = 300.0
"""Seconds by which the time of a message may differ from the receiver's clock."""


def new_secret() -> str:
    """A secret of 32 random bytes."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def check_address(url: str, *, private: bool) -> None:
    """Refuse an address that must not be called. One that cannot be looked up at the moment is refused too.

    Raises:
        InputError: says why, and the mend.
    """
    try:
        addresses(url, private=private)
    except AddressError as error:
        hint = "; where that is meant, allow it with --private" if "private network" in str(error) else ""
        raise InputError(f"{error}{hint}") from None


def signed(id: str, timestamp: int, body: bytes, secret: str) -> dict[str, str]:
    """Headers of a message."""
    digest = hmac.new(_key(secret), f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return {"webhook-id": id, "webhook-timestamp": str(timestamp),
            "webhook-signature": "v1," + base64.b64encode(digest).decode()}  # fmt: skip


def verify(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> str:
    """For receivers: the id of a message that was signed with ``secret`` and is not old.

    Args:
        headers: with names in small letters.

    Raises:
        InputError: something is missing, the signature is wrong, or the time is not within 5 minutes of ``now``.
    """
    try:
        id, timestamp = headers["webhook-id"], int(headers["webhook-timestamp"])
        given = headers["webhook-signature"].split(" ")
    except (KeyError, ValueError):
        raise InputError("no webhook: webhook-id, webhook-timestamp or webhook-signature is missing or wrong") from None
    if abs(now - timestamp) > TOLERANCE:
        raise InputError("the webhook's time is too far from now; it may be a copy of an old one")
    expected = signed(id, timestamp, body, secret)["webhook-signature"]
    if not any(hmac.compare_digest(each.encode(), expected.encode()) for each in given):
        raise InputError("the webhook's signature is wrong")
    return id


def send(url: str, body: bytes, *, id: str, secret: str | None, private: bool, now: float,
         timeout: float = 10.0) -> None:  # fmt: skip
    """Send one message.

    Raises:
        AddressError: it must not be called, did not answer, or not with 2xx.
    """
    headers = {"Content-Type": "application/json", "Idempotency-Key": id}
    headers |= signed(id, int(now), body, secret) if secret else {"webhook-id": id, "webhook-timestamp": str(int(now))}
    status = post(url, body, headers, private=private, timeout=timeout)
    if not 200 <= status < 300:
        raise AddressError(f"the receiver answered {status}")


def _key(secret: str) -> bytes:
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret[len(_PREFIX) :], validate=True)
    except binascii.Error:
        raise InputError(f"a secret that begins with {_PREFIX} must go on in base64") from None
