"""Who is asking, and whether they may: the one place through which every request goes.

Without tokens a server is open to whoever sits at the machine, and to nobody else: it listens on loopback, and a web
page in a browser there reaches it neither under another name (``Host``) nor from another origin (``Origin``).
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from personvlm.base.errors import InputError
from personvlm.server.problems import Problem, answer, database_down
from personvlm.server.scopes import ANY, PUBLIC, SCOPE, methods_of, route_of
from personvlm.server.settings import ServerSettings
from personvlm.server.tokens import SCOPES, Token, Tokens, check

COOKIE = "personvlm_session"
CSRF_HEADER = "x-csrf-token"
SESSION_S = 12 * 3600.0

_SAFE = ("GET", "HEAD", "OPTIONS")
_LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
_MOST_SESSIONS = 10_000
RECHECK_S = 1.0
_log = logging.getLogger("personvlm.server")


@dataclass(frozen=True)
class Principal:
    """Who is asking.

    Attributes:
        id: of the token; ``local`` where a server needs none. It stands in the audit.
        session: the secret of a browser's session, where the request came by its cookie.
    """

    id: str
    name: str
    scopes: tuple[str, ...]
    session: str | None = None


LOCAL = Principal("local", "somebody at this machine", SCOPES)


class Sessions:
    """Browsers that have shown a token. They end with the process; the cookie is a random number that means nothing."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def open(self, token: Token, now: float) -> str:
        """A secret for the browser's cookie."""
        secret = secrets.token_urlsafe(32)
        self._open[_digest(secret)] = (token.id, now + SESSION_S)
        while len(self._open) > _MOST_SESSIONS:
            self._open.popitem(last=False)
        return secret

    def token(self, secret: str, now: float) -> str | None:
        """Id of the token that the session was opened with."""
        id, ends = self._open.get(_digest(secret), ("", 0.0))
        return id if now < ends else None

    def close(self, secret: str) -> None:
        """End it."""
        self._open.pop(_digest(secret), None)


def csrf(secret: str) -> str:
    """What a page of the session must send with whatever changes something. Another origin cannot read it."""
    return _digest("csrf " + secret)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Rates:
    """A bucket per client: ``rate`` requests a second, twice that at once."""

    def __init__(self, rate: float) -> None:
        self._rate, self._most = rate, max(1.0, 2 * rate)
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, client: str, now: float) -> float:
        """Take one; 0, or seconds until there is one again."""
        left, at = self._left.pop(client, (self._most, now))
        left = min(self._most, left + (now - at) * self._rate)
        short = left < 1
        self._left[client] = (left if short else left - 1, now)
        while len(self._left) > _MOST_SESSIONS:
            self._left.popitem(last=False)
        return (1 - left) / self._rate if short else 0.0


class Access:
    """Lets requests through to ``app`` with ``scope["state"]["principal"]`` set, or answers 401, 403, 421 or 429.

    ``scope["state"]["still"]()`` tells whether it would do so now: what is answered for hours asks again.
    """

    def __init__(self, app: ASGIApp, settings: ServerSettings, tokens: Tokens | None, sessions: Sessions) -> None:
        self._app, self._settings, self._tokens, self._sessions = app, settings, tokens, sessions
        self._rates = Rates(settings.rate) if settings.rate is not None and tokens is not None else None
        self._checked: OrderedDict[str, tuple[Token, float]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Of ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            route = route_of(scope["method"], scope["path"])
            scope.setdefault("state", {})["route"] = route
            if route is None:  # what has no scope is not there, whatever the routes behind may think of it
                raise _nothing(scope)
            scope["state"]["principal"] = await self._admit(scope, SCOPE[route])
            scope["state"]["still"] = partial(self._still, Headers(scope=scope), SCOPE[route])
        except Problem as problem:
            await answer(scope["path"], problem)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _admit(self, scope: Scope, wanted: str) -> Principal | None:
        headers = Headers(scope=scope)
        if self._tokens is None:
            self._at_this_machine(headers)
            principal: Principal | None = LOCAL
        else:
            principal = await self._who(headers)
        if principal is None or principal.session is not None or self._tokens is None:
            self._same_origin(scope["method"], headers)
        if wanted == PUBLIC:
            return principal
        if principal is None:
            raise Problem(401, "no_token", "this needs a token: send `Authorization: Bearer TOKEN`; "
                          "`personvlm token create` makes one", headers={"WWW-Authenticate": "Bearer"})  # fmt: skip
        if self._rates is not None and (wait := self._rates.wait(principal.id, time.monotonic())) > 0:
            raise Problem(429, "rate_limited", f"more than {self._settings.rate:g} requests a second by this token",
                          headers={"Retry-After": str(max(1, round(wait)))})  # fmt: skip
        if wanted != ANY and wanted not in principal.scopes:
            raise Problem(403, "scope_missing", f"this needs a token with the scope {wanted!r}; "
                          f"this one has: {', '.join(principal.scopes)}", scope=wanted)  # fmt: skip
        if principal.session is not None and scope["method"] not in _SAFE and not secrets.compare_digest(
            headers.get(CSRF_HEADER, "").encode(), csrf(principal.session).encode()
        ):
            raise Problem(403, "csrf", f"a session's request that changes something needs the header {CSRF_HEADER}, "
                          "as POST /v1/session gave it")  # fmt: skip
        return principal

    async def _still(self, headers: Headers, wanted: str) -> bool:
        if self._tokens is None:
            return True
        try:
            principal = await self._who(headers)
        except Problem:  # nobody knows who is asking; the client comes again
            return False
        return principal is not None and (wanted in (PUBLIC, ANY) or wanted in principal.scopes)

    async def _who(self, headers: Headers) -> Principal | None:
        assert self._tokens is not None
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            known = await self._known(token.strip())
            return Principal(known.id, known.name, known.scopes) if known else None
        secret = _cookie(headers)
        id = self._sessions.token(secret, time.time()) if secret else None
        known = await looked_up(self._tokens.find, id) if id else None
        if known is None or known.over(time.time()):
            return None
        return Principal(known.id, known.name, known.scopes, secret)

    async def _known(self, token: str) -> Token | None:
        """Looked up once in a while only: a token that is revoked ends that much later."""
        assert self._tokens is not None
        digest, now = _digest(token), time.monotonic()
        known, at = self._checked.get(digest, (None, -RECHECK_S))
        if known is None or now - at >= RECHECK_S or known.over(time.time()):
            known = await looked_up(check, token, self._tokens)
            self._checked.pop(digest, None)
            if known is not None:
                self._checked[digest] = (known, now)
                while len(self._checked) > _MOST_SESSIONS:
                    self._checked.popitem(last=False)
        return known

    def _at_this_machine(self, headers: Headers) -> None:
        """Somebody else's name that resolves to 127.0.0.1 (DNS rebinding) must not make a page ours."""
        host = _host(headers.get("host", ""))
        if host not in (*_LOCAL_NAMES, self._settings.host):
            raise Problem(421, "wrong_host", f"without tokens only {', '.join(_LOCAL_NAMES)} are answered, "
                          f"not {host!r}; start with --token-file to serve other names")  # fmt: skip

    def _same_origin(self, method: str, headers: Headers) -> None:
        origin = headers.get("origin")
        if method in _SAFE or origin is None:
            return
        if _origin_host(origin) != headers.get("host", "").lower():
            raise Problem(403, "other_origin", "a page of another origin may not do this")


async def looked_up(look: Callable[..., Token | None], *given: Any) -> Token | None:
    """What ``look`` finds among the tokens.

    Raises:
        Problem: 503; they cannot be read now, so that nobody knows who is asking.
    """
    try:
        return await run_in_threadpool(look, *given)
    except SQLAlchemyError as error:
        raise database_down(error) from None
    except (InputError, OSError) as error:
        _log.error("tokens: %s", error)
        raise Problem(503, "tokens_down", "the file of tokens cannot be read; the log says why",
                      headers={"Retry-After": "5"}) from None  # fmt: skip


def _nothing(scope: Scope) -> Problem:
    methods = methods_of(scope["path"])
    if methods:
        return Problem(405, "method_not_allowed", f"{scope['method']} is not possible here; {', '.join(methods)} is",
                       headers={"Allow": ", ".join(methods)})  # fmt: skip
    return Problem(404, "not_found", "there is nothing at this address; GET /openapi.json says what there is")


def _cookie(headers: Headers) -> str | None:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return found.value if found else None


def _host(text: str) -> str:
    try:
        return urlsplit("//" + text).hostname or ""
    except ValueError:
        return ""


def _origin_host(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
