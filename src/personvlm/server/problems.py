"""Errors as the clients of each family of routes expect them.

Ours are problem details (RFC 9457). The OpenAI-compatible routes answer ``{"error": {"message", "type", "param",
"code"}}`` and the Ollama-compatible ones ``{"error": "..."}``, because their clients read nothing else.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict
from sqlalchemy.exc import DBAPIError, TimeoutError
from starlette.exceptions import HTTPException

from personvlm.base.errors import InputError, PersonVLMError
from personvlm.runtime.batching_queue import (
    ClosedError,
    NotAnsweredError,
    QueueFullError,
    RequestTimeoutError,
    ShedError,
)
from personvlm.store.database import away

MEDIA_TYPE = "application/problem+json"
OPENAI = ("/v1/models", "/v1/chat/completions")
OLLAMA = "/api/"

_NOT_ANSWERED: Mapping[type[NotAnsweredError], tuple[int, str]] = {
    QueueFullError: (429, "queue_full"), ShedError: (429, "shed"), RequestTimeoutError: (504, "too_slow"),
    ClosedError: (503, "closing"),
}  # fmt: skip
_log = logging.getLogger("personvlm.server")


class Exact(BaseModel):
    """What clients send and get: a field that nobody knows is refused, and none is shown that is not declared."""

    model_config = ConfigDict(extra="forbid")


class Json(JSONResponse):
    """JSON in ASCII: what a client sent and gets back need not be text that can be encoded otherwise."""

    def render(self, content: Any) -> bytes:
        """See :class:`fastapi.responses.JSONResponse`."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


def tag_of(data: bytes) -> str:
    """The ETag of ``data``."""
    return f'"{hashlib.sha256(data).hexdigest()[:32]}"'


def unless_known(request: Request, data: bytes, tag: str, kind: str, cache: str) -> Response:
    """The bytes ``data`` of media type ``kind``, or 304 where the client has what ``tag`` names."""
    headers = {"ETag": tag, "Cache-Control": cache}
    if tag in [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]:
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=kind, headers=headers)


class Problem(HTTPException):
    """An answer other than the one that was asked for.

    Args:
        status: of HTTP, 4xx or 5xx.
        code: one word for programs, such as ``queue_full``.
        detail: one sentence for people: what is wrong, and the mend.
        more: further members of the answer.
    """

    def __init__(self, status: int, code: str, detail: str, *, headers: Mapping[str, str] | None = None,
                 **more: Any) -> None:  # fmt: skip
        super().__init__(status, detail, dict(headers or {}))
        self.code, self.more = code, more


def answer(path: str, problem: HTTPException) -> JSONResponse:
    """The response to a request for ``path``."""
    status, detail = problem.status_code, str(problem.detail)
    code = getattr(problem, "code", HTTPStatus(status).phrase.lower().replace(" ", "_"))
    body: dict[str, Any]
    if path.startswith(OLLAMA):
        return Json({"error": detail}, status, headers=problem.headers)
    if path.startswith(OPENAI):
        more = getattr(problem, "more", {})
        body = {"message": detail, "type": _openai_type(status), "param": more.get("param"), "code": code}
        return Json({"error": body}, status, headers=problem.headers)
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail,
            "code": code, **getattr(problem, "more", {})}  # fmt: skip
    return Json(body, status, headers=problem.headers, media_type=MEDIA_TYPE)


def handlers(app: FastAPI) -> None:
    """Turn whatever a route raises into an answer."""

    async def known(request: Request, error: Exception) -> JSONResponse:
        return answer(request.url.path, as_problem(error, request.url.path))

    async def database(request: Request, error: Exception) -> JSONResponse:
        return answer(request.url.path, database_down(error))

    app.add_exception_handler(DBAPIError, database)
    app.add_exception_handler(TimeoutError, database)
    for kind in (HTTPException, RequestValidationError, PersonVLMError):
        app.add_exception_handler(kind, known)


def database_down(error: Exception) -> Problem:
    """503 for an error of a database that does not answer; any other is raised."""
    if not away(error):
        raise error
    _log.error("database: %s", type(error).__name__, exc_info=error)
    return Problem(503, "database_down", "the database does not answer; try again", headers={"Retry-After": "5"})


def as_problem(error: Exception, path: str = "") -> HTTPException:
    """An error that a user can act on, as a :class:`Problem`; any other is raised."""
    foreign = path.startswith((*OPENAI, OLLAMA))
    if isinstance(error, HTTPException):
        return error
    if isinstance(error, NotAnsweredError):
        status, code = _NOT_ANSWERED.get(type(error), (503, "not_answered"))
        return Problem(status, code, str(error), headers={} if status == 504 else {"Retry-After": "1"})
    if isinstance(error, RequestValidationError):
        return _invalid(error.errors(), 400 if foreign else 422)
    if isinstance(error, InputError):
        return Problem(400 if foreign else 422, "bad_input", str(error))
    if isinstance(error, PersonVLMError):
        return Problem(503, "unavailable", str(error))
    raise error


def _invalid(errors: Sequence[Any], status: int) -> Problem:
    """Where and what; never the value, which may be somebody's picture."""
    found = [{"where": ".".join(map(str, each.get("loc", ()))), "what": str(each.get("msg", ""))} for each in errors]
    first = found[0] if found else {"where": "request", "what": "invalid"}
    where = first["where"].removeprefix("body.")
    return Problem(status, "invalid_request", f"{where}: {first['what']}", errors=found[:20], param=where)


def _openai_type(status: int) -> str:
    names = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}
    return names.get(status, "invalid_request_error" if status < 500 else "server_error")
