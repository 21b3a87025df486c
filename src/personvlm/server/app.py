"""The server, put together: layers that every request passes, routes, and one batch engine."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from personvlm.base.errors import InputError
from personvlm.runtime.describer import Describer
from personvlm.server import (
    admin,
    basics,
    describe,
    erase,
    feed,
    ingest,
    links,
    ollama,
    openai,
    pages,
    people,
    rules,
    search,
)
from personvlm.server.access import Access, Sessions
from personvlm.server.describing import PeopleDescriber
from personvlm.server.document import describe_api, operations
from personvlm.server.front import Front
from personvlm.server.idempotency import Idempotency
from personvlm.server.languages import Speaking
from personvlm.server.limits import Limits
from personvlm.server.metrics import Metrics
from personvlm.server.problems import handlers
from personvlm.server.scopes import undeclared
from personvlm.server.services import Services
from personvlm.server.settings import ServerSettings
from personvlm.server.tokens import Both, StoredTokens, TokenFile, Tokens

# Routes are tried one after the other: what is asked for most stands first.
_ROUTERS = (describe.router, openai.router, ollama.router, ingest.router, people.router, search.router, feed.router,
            basics.router, rules.router, erase.router, admin.router, pages.router, links.router)  # fmt: skip

_OWN: Any = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""FastAPI's own telemetry (from 0.165; earlier ones know none) would tell of paths and queries: who was looked for."""


def create_app(settings: ServerSettings | None = None, describers: Sequence[Describer] | None = None) -> FastAPI:
    """A server that can be given to any ASGI runner.

    Args:
        settings: loopback, nothing but describing, by default.
        describers: one per worker; by default they are loaded from ``settings.model`` when the server starts.

    Raises:
        InputError: it would listen to others than this machine, and no token exists to tell them apart; or the file of
            tokens is broken.

    Example:
        >>> app = create_app(ServerSettings(port=8000))
        >>> app.title
        'PersonVLM'
    """
    settings = settings or ServerSettings()
    service = Services(settings)
    tokens = _tokens(settings, service)
    metrics, sessions = Metrics(), Sessions()

    @contextlib.asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        describer = PeopleDescriber(PeopleDescriber.models(settings) if describers is None else describers, settings)
        app.state.describer = describer
        metrics.watch(describer.snapshot)
        if settings.queue is not None:
            metrics.watch_queue(service.queue)
        service.start()
        try:
            yield
        finally:
            app.state.feed.close()
            describer.close(timeout_s=settings.answer_s)
            service.close()

    app = FastAPI(title="PersonVLM", lifespan=life, docs_url=None, redoc_url=None, openapi_url=None, telemetry=_OWN)
    app.state.settings, app.state.tokens, app.state.sessions = settings, tokens, sessions
    app.state.metrics, app.state.services, app.state.feed = metrics, service, feed.Feed(service)
    for router in _ROUTERS:
        app.include_router(router)
    describe_api(app)
    handlers(app)
    forgotten = undeclared(operations(_ROUTERS))
    if forgotten:
        raise RuntimeError(f"routes without a scope in server/scopes.py: {', '.join(forgotten)}")
    # The last one added is the first that a request meets.
    app.add_middleware(Speaking)
    app.add_middleware(GZipMiddleware, minimum_size=1500, compresslevel=4)
    app.add_middleware(Idempotency)
    app.add_middleware(Limits, settings=settings)
    app.add_middleware(Access, settings=settings, tokens=tokens, sessions=sessions)
    app.add_middleware(Front, metrics=metrics)
    return app


def _tokens(settings: ServerSettings, service: Services) -> Tokens | None:
    """Where tokens are; None where the server is open to this machine, and only to it."""
    places: list[Tokens] = []
    if settings.token_file is not None:
        places.append(TokenFile(settings.token_file))
    if settings.store is not None:
        stored = StoredTokens(service.store)
        if stored.all() or places or not settings.loopback:
            places.append(stored)
    tokens = Both(places) if places else None
    known = tokens.all() if tokens is not None else []  # a broken file is told now
    if not settings.loopback and not known:
        raise InputError(f"{settings.host} can be reached from other machines: make a token first (`personvlm token "
                         "create NAME --scope ... --file FILE`, or --store URL) and start with it")  # fmt: skip
    return tokens
