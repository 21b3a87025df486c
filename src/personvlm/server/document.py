"""The OpenAPI document: what FastAPI finds, and what it cannot know: scopes, errors, limits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from personvlm import __version__
from personvlm.server.problems import MEDIA_TYPE, OLLAMA, OPENAI
from personvlm.server.scopes import PUBLIC, SCOPE

_METHODS = ("get", "put", "post", "delete", "patch")
_TEXT = {"type": "string"}

_PROBLEM = {
    "type": "object", "title": "Problem", "description": "Problem details (RFC 9457).",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {"type": _TEXT, "title": _TEXT, "status": {"type": "integer"}, "detail": _TEXT,
                   "code": {**_TEXT, "description": "One word for programs."}},
}  # fmt: skip
_OPENAI = {
    "type": "object", "title": "OpenAIError", "required": ["error"],
    "properties": {"error": {"type": "object", "required": ["message", "type", "param", "code"], "properties": {
        "message": _TEXT, "type": _TEXT, "param": {"type": ["string", "null"]}, "code": _TEXT}}},
}  # fmt: skip
_OLLAMA = {"type": "object", "title": "OllamaError", "required": ["error"], "properties": {"error": _TEXT}}

_REASONS = {
    "401": "No token, or one that is not good (any more).", "403": "The token lacks the scope.",
    "429": "Too much at once; try again after `Retry-After` seconds.",
    "default": "Anything else that goes wrong.",
}  # fmt: skip


def operations(routers: Iterable[APIRouter]) -> Iterator[tuple[str, str]]:
    """(method, path template) of everything that the routers answer, whether it stands in the document or not."""
    for router in routers:
        for route in router.routes:
            if not isinstance(route, APIRoute):
                raise RuntimeError(f"{route}: what is mounted has no scope; write it as a route")
            yield from ((method, route.path.replace(":path}", "}")) for method in sorted(route.methods or ()))


def describe_api(app: FastAPI) -> None:
    """Let ``app.openapi()`` give the whole document."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    found = get_openapi(
        title="PersonVLM", version=__version__, routes=app.routes, openapi_version="3.1.0",
        description="Describes people in pictures. Tokens have scopes; `x-scope` says which one a route asks for.",
    )  # fmt: skip
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas.update(Problem=_PROBLEM, OpenAIError=_OPENAI, OllamaError=_OLLAMA, **_left_out())
    found["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "Made by `personvlm token create`."}}
    for path, item in found["paths"].items():
        for method, operation in item.items():
            if method in _METHODS:
                _complete(operation, path, SCOPE.get(f"{method.upper()} {path}", PUBLIC))
    found["paths"] = dict(sorted(found["paths"].items()))
    found["components"]["schemas"] = dict(sorted(schemas.items()))
    return found


def _left_out() -> dict[str, Any]:
    """Bodies that a route reads by itself."""
    from personvlm.server.describe import DescribeBody

    return {"DescribeBody": DescribeBody.model_json_schema(ref_template="#/components/schemas/{model}")}


def _complete(operation: dict[str, Any], path: str, scope: str) -> None:
    responses = operation["responses"]
    if "HTTPValidationError" in str(responses.get("422", "")):
        del responses["422"]
    kind, media = ("OpenAIError", "application/json") if path.startswith(OPENAI) else \
        ("OllamaError", "application/json") if path.startswith(OLLAMA) else ("Problem", MEDIA_TYPE)  # fmt: skip
    content = {media: {"schema": {"$ref": f"#/components/schemas/{kind}"}}}
    for status, reason in _REASONS.items():
        if scope != PUBLIC or status == "default":
            responses.setdefault(status, {"description": reason, "content": content})
    operation["x-scope"] = scope
    if scope != PUBLIC:
        operation["security"] = [{"token": []}]
