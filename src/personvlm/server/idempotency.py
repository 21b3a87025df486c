"""``Idempotency-Key``: a request that is sent again is answered again, and done once.

As in the draft of the IETF's HTTPAPI group: the same key with another request is 422, a key whose first request is
not done yet is 409. What failed for a reason that passes (429, 5xx) is not kept. Kept in memory, for a while.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from personvlm.server.problems import Problem, answer

KEPT_S = 24 * 3600.0
MOST = 2_000
MOST_BYTES = 1024 * 1024
"""A larger answer is not kept: it is not one that does anything."""
ALL_BYTES = 64 * MOST_BYTES
"""Of all answers together; above it the oldest are forgotten."""

_METHODS = ("POST", "PUT", "PATCH", "DELETE")


@dataclass
class _Kept:
    request: str
    at: float
    messages: list[Message] | None = None
    size: int = 0


class Idempotency:
    """Remembers the answers of requests with a key, for each client by itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Of ASGI."""
        key = Headers(scope=scope).get("idempotency-key") if scope["type"] == "http" else None
        if key is None or scope["method"] not in _METHODS:
            await self._app(scope, receive, send)
            return
        try:
            kept, again = await self._find(scope, receive, key)
        except Problem as problem:
            await answer(scope["path"], problem)(scope, receive, send)
            return
        if again is None:
            for message in kept.messages or ():
                await send(message)
            return
        await self._do(scope, again, send, kept)

    async def _find(self, scope: Scope, receive: Receive, key: str) -> tuple[_Kept, Receive | None]:
        """What is known under the key, and the request once more if it is to be done."""
        if not 1 <= len(key) <= 200:
            raise Problem(400, "bad_key", "an Idempotency-Key has 1 to 200 characters")
        body, more = bytearray(), True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Problem(400, "gone", "the client went away")
            body += message.get("body", b"")
            more = message.get("more_body", False)
        client = getattr(scope.get("state", {}).get("principal"), "id", "")
        content = Headers(scope=scope).get("content-type", "")
        parts = (scope["method"].encode(), scope["path"].encode(), scope["query_string"], content.encode(), bytes(body))
        request = hashlib.sha256(b"\0".join(parts)).hexdigest()
        self._tidy()
        name = f"{client}\0{key}"
        kept = self._kept.get(name)
        if kept is not None and kept.request != request:
            raise Problem(422, "key_reused", "this Idempotency-Key belongs to another request; take a new one")
        if kept is not None and kept.messages is None:
            raise Problem(409, "in_progress", "the first request with this Idempotency-Key is not done yet",
                          headers={"Retry-After": "1"})  # fmt: skip
        if kept is not None:
            return kept, None
        kept = self._kept[name] = _Kept(request, time.monotonic())
        sent = False

        async def once_more() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        return kept, once_more

    async def _do(self, scope: Scope, receive: Receive, send: Send, kept: _Kept) -> None:
        messages: list[Message] = []
        size, status, whole = 0, 500, False

        async def noting(message: Message) -> None:
            nonlocal size, status, whole
            size += len(message.get("body", b""))
            status = message.get("status", status)
            whole = message["type"] == "http.response.body" and not message.get("more_body", False)
            messages.append(message if size <= MOST_BYTES else {})
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            if whole and size <= MOST_BYTES and status < 500 and status not in (401, 408, 429):
                kept.messages, kept.size = messages, size
                self._tidy()
            else:
                self._kept = OrderedDict((name, each) for name, each in self._kept.items() if each is not kept)

    def _tidy(self) -> None:
        """Forget what is old, and the oldest of what is too much."""
        now, total = time.monotonic(), sum(each.size for each in self._kept.values())
        while self._kept:
            name, oldest = next(iter(self._kept.items()))
            if now - oldest.at < KEPT_S and len(self._kept) <= MOST and total <= ALL_BYTES:
                return
            total -= oldest.size
            del self._kept[name]
