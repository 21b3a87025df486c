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
    "GET /": PUBLIC,
    "GET /page/{name}": PUBLIC,
    "GET /v1/session": ANY,
    "POST /v1/session": ANY,
    "DELETE /v1/session": ANY,
    "POST /v1/describe": "ingest",
    "POST /v1/events": "ingest",
    "GET /v1/events": "read",
    "GET /v1/events/stream": "read",
    "GET /v1/people": "read",
    "GET /v1/people/{id}": "read",
    "GET /v1/people/{id}/corrections": "read",
    "POST /v1/people/{id}/corrections": "admin",
    "DELETE /v1/people/{id}/corrections/{number}": "admin",
    "GET /v1/people/{id}/similar": "search",
    "GET /v1/people/{id}/who": "search",
    "DELETE /v1/people/{id}/links/{other}": "admin",
    "GET /v1/search": "search",
    "POST /v1/search": "search",
    "GET /v1/tracks": "read",
    "GET /v1/cameras": "read",
    "PUT /v1/cameras/{name}": "admin",
    "POST /v1/erase": "erase",
    "GET /v1/crops/{reference}": "read",
    "GET /v1/alerts": "read",
    "GET /v1/alerts/{id}": "read",
    "POST /v1/alerts/{id}/acknowledge": "admin",
    "POST /v1/alerts/{id}/close": "admin",
    "GET /v1/rules": "read",
    "PUT /v1/rules/{name}": "admin",
    "DELETE /v1/rules/{name}": "admin",
    "POST /v1/rules/dry-run": "search",
    "POST /v1/rules/compile": "search",
    "GET /v1/channels": "read",
    "GET /v1/audit": "admin",
    "GET /v1/audit/verify": "admin",
    "GET /v1/queue": "admin",
    "GET /v1/queue/dead": "admin",
    "DELETE /v1/queue/dead/{event_id}": "admin",
    "POST /v1/queue/replay": "admin",
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

_WITH_SLASHES = ("/v1/crops/{reference}", "/v1/cameras/{name}")


@lru_cache(maxsize=1)
def _patterns() -> tuple[tuple[str, re.Pattern[str], str], ...]:
    found = []
    for route in SCOPE:
        method, path = route.split(" ")
        if "{" in path:
            inside = ".+" if path in _WITH_SLASHES else "[^/]+"
            text = "".join(inside if part.startswith("{") else re.escape(part)
                           for part in re.split(r"(\{[^}]+\})", path))  # fmt: skip
            found.append((method, re.compile(text), route))
    return tuple(found)


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


def methods_of(path: str) -> list[str]:
    """Methods that there is a route for at ``path``."""
    return sorted({route.split(" ")[0] for route in SCOPE if route_of(route.split(" ")[0], path) is not None})


def undeclared(routes: Iterable[tuple[str, str]]) -> list[str]:
    """Which of these (method, path) lack a scope."""
    return sorted(name for method, path in routes if (name := f"{method} {path}") not in SCOPE)
