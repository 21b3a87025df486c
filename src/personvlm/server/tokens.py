"""Tokens: who may do what. Only their SHA-256 is kept; a token is 256 random bits, so that nobody can guess it back."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from personvlm.base.errors import InputError

if TYPE_CHECKING:
    from personvlm.store import Store

SCOPES = ("ingest", "read", "search", "admin", "erase")
"""What a token may be good for. None of them includes another."""

_PREFIX = "pv"


@dataclass(frozen=True)
class Token:
    """What is known of a token, which is not enough to use it. Times are seconds since the epoch.

    Attributes:
        id: the part that may be shown; it stands in the audit.
        name: who or what uses it.
        digest: SHA-256 of the whole token, in hexadecimal.
    """

    id: str
    name: str
    scopes: tuple[str, ...]
    digest: str
    created: float
    expires: float | None = None
    revoked: float | None = None

    def over(self, now: float) -> bool:
        """Revoked, or past its time."""
        return self.revoked is not None or (self.expires is not None and self.expires <= now)

    def good(self, token: str, now: float) -> bool:
        """Whether ``token`` is this one, and still good."""
        same = hmac.compare_digest(hashlib.sha256(token.encode()).hexdigest(), self.digest)
        return same and not self.over(now)


class Tokens(Protocol):
    """Where tokens are kept."""

    def find(self, id: str) -> Token | None:
        """The token of that id."""

    def all(self) -> Sequence[Token]:
        """Oldest first, those that are over included."""

    def save(self, token: Token) -> None:
        """Add it, or put it in the place of the one with its id."""


def create(name: str, scopes: Iterable[str], *, expires: float | None = None) -> tuple[str, Token]:
    """A new token, to be shown once, and what is kept of it.

    Raises:
        InputError: a scope does not exist, none is given, or there is no name.
    """
    wanted = tuple(dict.fromkeys(scopes))
    wrong = [scope for scope in wanted if scope not in SCOPES]
    if wrong or not wanted:
        raise InputError(f"{wrong[0] if wrong else 'no scope'}: a token needs scopes; legal: {', '.join(SCOPES)}")
    if not name.strip():
        raise InputError("a token needs a name, so that the audit can say who it was")
    id = secrets.token_hex(6)
    token = f"{_PREFIX}_{id}_{secrets.token_urlsafe(32)}"
    return token, Token(id, name, wanted, hashlib.sha256(token.encode()).hexdigest(), time.time(), expires)


def check(token: str, kept: Tokens, now: float | None = None) -> Token | None:
    """What is known of ``token``, if it is good."""
    prefix, _, rest = token.partition("_")
    known = kept.find(rest.partition("_")[0]) if prefix == _PREFIX and len(token) < 200 else None
    return known if known is not None and known.good(token, time.time() if now is None else now) else None


def revoke(kept: Tokens, id: str) -> Token:
    """End a token.

    Raises:
        InputError: there is none of that id.
    """
    known = kept.find(id)
    if known is None:
        raise InputError(f"token {id!r}: there is none; `personvlm token list` shows the ids")
    over = replace(known, revoked=known.revoked or time.time())
    kept.save(over)
    return over


class TokenFile:
    """Tokens in a JSON file that only its owner can read. Changes by another process count from the next request."""

    def __init__(self, path: Path) -> None:
        self._path, self._stamp = path, (0, 0)
        self._tokens: dict[str, Token] = {}

    def find(self, id: str) -> Token | None:
        """See :class:`Tokens`."""
        self._read()
        return self._tokens.get(id)

    def all(self) -> list[Token]:
        """See :class:`Tokens`."""
        self._read()
        return sorted(self._tokens.values(), key=lambda each: each.created)

    def save(self, token: Token) -> None:
        """See :class:`Tokens`."""
        self._read()
        self._tokens[token.id] = token
        text = json.dumps([asdict(each) for each in self._tokens.values()], indent=1)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_name(self._path.name + ".new")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text + "\n")
        fresh.replace(self._path)

    def _read(self) -> None:
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_ino)
            if stamp == self._stamp:
                return
            rows = json.loads(self._path.read_text("utf-8"))
            if not isinstance(rows, list):
                raise ValueError("it holds no list")
            self._tokens = {row["id"]: Token(**{**row, "scopes": tuple(row["scopes"])}) for row in rows}
            self._stamp = stamp
        except FileNotFoundError:
            self._tokens, self._stamp = {}, (0, 0)
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(f"{self._path}: not a file of tokens ({error}); make a new one with "
                             "`personvlm token create --file`") from None  # fmt: skip


class StoredTokens:
    """Tokens in the table of a store, so that all servers of it know them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, id: str) -> Token | None:
        """See :class:`Tokens`."""
        return next(iter(self._select(id)), None)

    def all(self) -> list[Token]:
        """See :class:`Tokens`."""
        return self._select(None)

    def save(self, token: Token) -> None:
        """See :class:`Tokens`."""
        from personvlm.store.tables import tokens

        row = {**asdict(token), "scopes": json.dumps(token.scopes)}
        with self._store.begin() as connection:
            connection.execute(tokens.delete().where(tokens.c.id == token.id))
            connection.execute(tokens.insert().values(**row))

    def _select(self, id: str | None) -> list[Token]:
        from personvlm.store.tables import tokens

        query = tokens.select().order_by(tokens.c.created, tokens.c.id)
        with self._store.read() as connection:
            rows = connection.execute(query if id is None else query.where(tokens.c.id == id)).mappings().all()
        return [Token(**{**row, "scopes": tuple(json.loads(row["scopes"]))}) for row in rows]


class Both:
    """Tokens of several places; the first is where new ones go."""

    def __init__(self, places: Sequence[Tokens]) -> None:
        self._places = places

    def find(self, id: str) -> Token | None:
        """See :class:`Tokens`."""
        return next((found for place in self._places if (found := place.find(id)) is not None), None)

    def all(self) -> list[Token]:
        """See :class:`Tokens`."""
        return [token for place in self._places for token in place.all()]

    def save(self, token: Token) -> None:
        """See :class:`Tokens`."""
        place = next((place for place in self._places if place.find(token.id) is not None), self._places[0])
        place.save(token)
