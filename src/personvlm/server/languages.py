"""The language of the sentences in an answer: the one that is asked for, or the best of ``Accept-Language``."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from personvlm.language.languages import ENGLISH, Lang, negotiated

_CURRENT: ContextVar[str] = ContextVar("personvlm_language", default=ENGLISH)
_STATE = "language"  # of the request: where the middleware looks for what was chosen


def current() -> str:
    """Code of the language that the request now answered wants; English outside of requests that have a choice."""
    return _CURRENT.get()


def choose(request: Request, asked: str | None) -> str:
    """Take ``asked``, or what the client prefers, for the rest of this request; the answer's headers tell so."""
    chosen = asked or negotiated(", ".join(request.headers.getlist("accept-language")))
    _CURRENT.set(chosen)
    setattr(request.state, _STATE, chosen)
    return chosen


_Asked = Annotated[Lang | None, Query(description="Of the text; without it the best of Accept-Language.")]


async def _choose(request: Request, lang: _Asked = None) -> None:
    choose(request, lang)


SPEAKS: list[Any] = [Depends(_choose)]
"""Dependencies of a route whose answers hold texts about people."""


class Speaking:
    """ASGI: says which language an answer is in (``Content-Language``), and that it might be another (``Vary``)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})

        async def telling(message: Message) -> None:
            if message["type"] == "http.response.start" and _STATE in state:
                headers = MutableHeaders(scope=message)
                headers.add_vary_header("Accept-Language")
                if message["status"] < 300:  # errors are English, like their codes
                    headers["Content-Language"] = state[_STATE]
            await send(message)

        token = _CURRENT.set(ENGLISH)
        try:
            await self._app(scope, receive, telling)
        finally:
            _CURRENT.reset(token)
