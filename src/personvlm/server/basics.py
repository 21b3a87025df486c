"""What is not about people: health, metrics, the schema, sessions of the page, and the API's own description."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel

from personvlm import __version__
from personvlm.schema import json_schema
from personvlm.server.access import COOKIE, SESSION_S, Principal, csrf, looked_up
from personvlm.server.problems import Json, Problem

router = APIRouter(tags=["service"])


class Health(BaseModel):
    """Whether the process lives."""

    status: str
    version: str


class Ready(BaseModel):
    """Whether it can do its work, part by part."""

    status: str
    parts: dict[str, str]


class Session(BaseModel):
    """What the page needs to know of its session."""

    name: str
    scopes: list[str]
    csrf: str | None


@router.get("/healthz", summary="Does the process live?")
async def health() -> Health:
    """200 as long as it does."""
    return Health(status="ok", version=__version__)


@router.get("/readyz", response_model=Ready, responses={503: {"model": Ready}}, summary="Can it do its work?")
def ready(request: Request) -> Response:
    """200, or 503 with the part that is missing."""
    describer = getattr(request.app.state, "describer", None)
    parts = {"describer": "ok" if describer is not None and not describer._closed else "closed",
             **request.app.state.services.parts()}  # fmt: skip
    good = all(state == "ok" for state in parts.values())
    return Json({"status": "ok" if good else "not ready", "parts": parts}, 200 if good else 503)


@router.get("/metrics", response_class=Response, summary="Prometheus metrics",
            responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}})  # fmt: skip
def metrics(request: Request) -> Response:
    """In Prometheus' text format."""
    return Response(request.app.state.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


@lru_cache(maxsize=1)
def _schema() -> dict[str, Any]:
    return json_schema()


@router.get("/v1/schema", summary="JSON Schema of a description")
async def schema() -> dict[str, Any]:
    """With all groups and their legal values."""
    return _schema()


@router.get("/openapi.json", summary="This document")
async def openapi(request: Request) -> dict[str, Any]:
    """OpenAPI 3.1."""
    found: dict[str, Any] = request.app.openapi()
    return found


@router.get("/v1/session", response_model=Session, summary="What the session of the page may do")
async def session(request: Request) -> Response:
    """For a page that was loaded again and has nothing but its cookie. Another origin cannot read the answer."""
    principal: Principal = request.state.principal
    token = None if principal.session is None else csrf(principal.session)
    return Json(Session(name=principal.name, scopes=list(principal.scopes), csrf=token).model_dump())


@router.post("/v1/session", response_model=Session, summary="Open a session of the page")
async def open_session(request: Request) -> Response:
    """Sent once with a token; the cookie that comes back stands for it. What changes something also needs `csrf` from
    here, in the header `X-CSRF-Token`."""
    principal: Principal = request.state.principal
    tokens, sessions = request.app.state.tokens, request.app.state.sessions
    if tokens is None:
        return Json(Session(name=principal.name, scopes=list(principal.scopes), csrf=None).model_dump())
    secret = principal.session
    if secret is None:
        known = await looked_up(tokens.find, principal.id)
        if known is None:
            raise Problem(401, "no_token", "the token is gone", headers={"WWW-Authenticate": "Bearer"})
        secret = sessions.open(known, time.time())
    response = Json(Session(name=principal.name, scopes=list(principal.scopes), csrf=csrf(secret)).model_dump())
    response.set_cookie(COOKIE, secret, max_age=int(SESSION_S), httponly=True, samesite="strict", path="/",
                        secure=request.url.scheme == "https")  # fmt: skip
    return response


@router.delete("/v1/session", status_code=204, summary="End the session of the page")
async def close_session(request: Request) -> Response:
    """The cookie is worth nothing from then on."""
    principal: Principal = request.state.principal
    if principal.session is not None:
        request.app.state.sessions.close(principal.session)
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
    return response
