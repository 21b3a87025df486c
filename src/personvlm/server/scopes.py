"""Which scope each route asks for. A route that is not here does not exist: the server does not start with one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType

PUBLIC = "public"
"""Nothing is asked for."""

ANY = "any"
"""Any good token will do."""

SCOPE: Mapping[str, str] = MappingProxyType({
    "GET /healthz": PUBLIC,
    "GET /readyz": PUBLIC,
    "GET /openapi.json": PUBLIC,
    "GET /metrics": "read",
    "GET /v1/schema": PUBLIC,
    "POST /v1/session": ANY,
    "DELETE /v1/session": ANY,
    "POST /v1/describe": "ingest",
    "GET /v1/models": "ingest",
    "GET /v1/models/{model}": "ingest",
    "POST /v1/chat/completions": "ingest",
    "GET /api/version": PUBLIC,
    "GET /api/tags": "ingest",
    "POST /api/show": "ingest",
    "POST /api/chat": "ingest",
    "POST /api/generate": "ingest",
})  # fmt: skip
"""``METHOD /path/{name}`` -> the scope, or :data:`PUBLIC` or :data:`ANY`."""


@lru_cache(maxsize=1)
def _patterns() -> tuple[tuple[str, re.Pattern[str], str], ...]:
    found = []
    for route in SCOPE:
        method, path = route.split(" ")
        if "{" in path:
            parts = re.split(r"(\{[^}]+\})", path)
            text = "".join(_part(part) for part in parts)
            found.append((method, re.compile(text), route))
    return tuple(found)


def _part(part: str) -> str:
    if not part.startswith("{"):
        return re.escape(part)
    return ".+" if part.endswith(":path}") else "[^/]+"


def route_of(method: str, path: str) -> str | None:
    """The route that a request is for, as it stands in :data:`SCOPE`; None: there is none of that method and path.

    Example:
        >>> route_of("GET", "/v1/models/edge")
        'GET /v1/models/{model}'
    """
    method = "GET" if method == "HEAD" else method
    exact = f"{method} {path}"
    if exact in SCOPE and "{" not in path:
        return exact
    return next((route for verb, pattern, route in _patterns() if verb == method and pattern.fullmatch(path)), None)


def undeclared(routes: Iterable[tuple[str, str]]) -> list[str]:
    """Which of these (method, path) lack a scope."""
    return sorted(name for method, path in routes if (name := f"{method} {path}") not in SCOPE)
