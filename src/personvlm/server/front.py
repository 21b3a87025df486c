"""What every answer gets: an id, headers that a browser obeys, a line in the log, and a place in the metrics."""

from __future__ import annotations

import logging
import random
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from personvlm.base import tracing
from personvlm.server.metrics import Metrics
from personvlm.server.problems import Problem, answer

CSP = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
       "font-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")  # fmt: skip

_HEADERS = {
    "content-security-policy": CSP, "x-content-type-options": "nosniff", "referrer-policy": "no-referrer",
    "x-frame-options": "DENY", "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin", "cache-control": "no-store",
}  # fmt: skip
_access = logging.getLogger("personvlm.server.access")
_log = logging.getLogger("personvlm.server")


class Front:
    """The outermost layer. Its log has no query strings, no headers and no bodies: nothing secret, nobody's picture."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Of ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        came_from = Headers(scope=scope).get("traceparent")
        with tracing.span(scope["method"], came_from, kind="server") as span:
            await self._serve(scope, receive, send, span)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, span: tracing.Span) -> None:
        began, status = time.perf_counter(), 0
        id = f"{random.getrandbits(64):016x}"  # not secret, and asked for with every request
        state = scope.setdefault("state", {})
        state["request_id"] = id

        async def dressed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers["x-request-id"] = id
            await send(message)

        try:
            await self._app(scope, receive, dressed)
        except Exception:
            _log.exception("defect in request %s", id)
            if status == 0:
                defect = Problem(500, "defect", f"a defect of the server; its log has the details under {id}")
                await answer(scope["path"], defect)(scope, receive, dressed)
        finally:
            seconds = time.perf_counter() - began
            route = state.get("route") or "other"
            self._metrics.request(route, status, seconds)
            span.rename(route)
            span.note({"http.request.method": scope["method"], "http.route": route.rpartition(" ")[2],
                       "http.response.status_code": status, "personvlm.request_id": id})  # fmt: skip
            if status >= 500:
                span.failed(str(status))
            if _access.isEnabledFor(logging.INFO):
                who = getattr(state.get("principal"), "id", None)
                line = {"request_id": id, "method": scope["method"], "path": scope["path"], "status": status,
                        "ms": round(1000 * seconds, 1), "token": who, "events": state.get("events")}  # fmt: skip
                _access.info("%s %s %d", scope["method"], scope["path"], status, extra=line)
