"""What a request may cost before anything of it is looked at: bytes and time."""

from __future__ import annotations

import asyncio
import time

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from personvlm.server.problems import Problem, answer
from personvlm.server.settings import ServerSettings


class Limits:
    """Refuses requests that are too large (413) or too slow to arrive (408)."""

    def __init__(self, app: ASGIApp, settings: ServerSettings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Of ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most, end = self._settings.max_body, time.monotonic() + self._settings.body_s
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdigit() and int(announced) > most:
            await answer(scope["path"], _too_large(most))(scope, receive, send)
            return
        done, whole = 0, False

        async def bounded() -> Message:
            nonlocal done, whole
            if whole:  # what comes now is only whether the client is still there
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), max(0.0, end - time.monotonic()))
            except asyncio.TimeoutError:
                raise Problem(408, "too_slow", f"the request did not arrive within {self._settings.body_s:g} s",
                              headers={"Connection": "close"}) from None  # fmt: skip
            done += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if done > most:
                raise _too_large(most)
            return message

        await self._app(scope, bounded, send)


def _too_large(most: int) -> Problem:
    return Problem(413, "too_large", f"a request may have {most} bytes; send fewer or smaller pictures",
                   headers={"Connection": "close"})  # fmt: skip
