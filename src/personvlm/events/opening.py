"""From a URL to a queue."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit

from personvlm.base.errors import InputError
from personvlm.events.message import Blobs
from personvlm.events.port import Queue, QueueSettings

if TYPE_CHECKING:
    from personvlm.store.store import Store

_FORMS = "memory:, sqlite:///FILE, FILE.db, postgresql://..., redis://..., amqp://..."
_EXTRA = {"sqlalchemy": "service", "alembic": "service", "psycopg": "postgres", "redis": "redis",
          "aio_pika": "rabbitmq"}  # fmt: skip
_SQLITE, _REDIS, _RABBIT = ("", "sqlite"), ("redis", "rediss", "unix"), ("amqp", "amqps")
_CREDENTIALS = re.compile(r"//[^/@]*@")

_CLIENT = frozenset(("queue", "db", "username", "password", "client_name", "protocol", "socket_timeout",
                     "socket_connect_timeout", "socket_read_size", "socket_keepalive", "retry_on_timeout",
                     "max_connections", "health_check_interval"))  # fmt: skip
_TLS = frozenset(f"ssl_{name}" for name in (
    "keyfile", "certfile", "cert_reqs", "ca_certs", "ca_data", "ca_path", "check_hostname", "password", "min_version",
    "ciphers", "include_verify_flags", "exclude_verify_flags", "validate_ocsp"))  # fmt: skip
_OPTIONS: dict[str, frozenset[str]] = {
    **dict.fromkeys(("memory", *_SQLITE), frozenset()),
    **dict.fromkeys(_REDIS, _CLIENT),
    "rediss": _CLIENT | _TLS,
    **dict.fromkeys(_RABBIT, frozenset(("queue", "auth", "cadata", "cafile", "capath", "certfile", "heartbeat",
                                        "keyfile", "name", "no_verify_ssl", "timeout"))),
}  # fmt: skip
"""What else may stand in the query of an address, as the clients of Redis and RabbitMQ have it. That of PostgreSQL
refuses by itself what it does not know."""


def open_queue(url: str, settings: QueueSettings | None = None, blobs: Blobs | None = None, *,
               store: Store | None = None) -> Queue:  # fmt: skip
    """The queue that ``url`` names; made where it is not there yet.

    Args:
        url: ``memory:``; ``sqlite:///FILE`` or a bare path; ``postgresql://...``;
            ``redis://host:port/0?queue=NAME``; ``amqp://host/vhost?queue=NAME`` (NAME is ``personvlm`` by default).
            Fields of :class:`QueueSettings` may stand in its query: ``...?lease_s=20&attempts=3``.
        settings: for what the URL leaves open.
        blobs: for pictures that are too large for a message.
        store: where descriptions go; with a queue in the same database, storing and acknowledging are one transaction.

    Raises:
        InputError: no such kind of URL, or a package is missing.
        QueueDownError: nobody answers there.

    Example:
        >>> queue = open_queue("memory:")
        >>> queue.stats().queued
        0
    """
    url, settings = with_settings(url, settings or QueueSettings())
    scheme = _scheme(url)
    try:
        if scheme == "memory":
            from personvlm.events.memory import MemoryQueue, check_memory

            check_memory(url)
            return MemoryQueue(settings, blobs)
        if url and scheme in (*_SQLITE, "postgresql", "postgres"):
            from personvlm.events.sql import SqlQueue
            from personvlm.store.database import as_url

            if store is not None and as_url(url) == store.engine.url:
                return SqlQueue(store.engine, settings, blobs)
            return SqlQueue.open(url, settings, blobs)
        if scheme in _REDIS:
            from personvlm.events.redis_streams import RedisQueue

            return RedisQueue(url, settings, blobs)
        if scheme in _RABBIT:
            from personvlm.events.rabbitmq import RabbitQueue

            return RabbitQueue(url, settings, blobs)
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        raise InputError(f"this queue needs {error.name}: pip install 'personvlm[{_EXTRA[error.name]}]'") from None
    raise InputError(f"{_shown(url)!r}: no queue has such an address; legal: {_FORMS}")


def _scheme(url: str) -> str:
    """What kind of queue ``url`` names.

    Raises:
        InputError: the address cannot be read, or sets what that kind does not know.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port  # looked at only when it is asked for
    except ValueError as error:
        raise InputError(f"{_shown(url)!r}: an address that cannot be read ({error}); legal: {_FORMS}") from None
    scheme = parts.scheme.partition("+")[0]
    known = _OPTIONS.get(scheme)
    for name, _ in parse_qsl(url.partition("?")[2], keep_blank_values=True):
        if known is not None and name not in known:
            legal = ", ".join(sorted({field.name for field in fields(QueueSettings)} | known))
            raise InputError(f"{_shown(url)!r}: {name!r} is no setting of a queue; legal: {legal}")
    return scheme


def _shown(url: str) -> str:
    """Without the name and the password in it."""
    return _CREDENTIALS.sub("//", url)


def with_settings(url: str, settings: QueueSettings) -> tuple[str, QueueSettings]:
    """``url`` without the settings that stand in its query, and ``settings`` with them.

    Raises:
        InputError: one of them is no number, or makes no sense.
    """
    bare, asks, query = url.partition("?")
    given, left = {}, []
    kinds = {field.name: type(getattr(settings, field.name)) for field in fields(settings)}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in kinds:
            left.append((name, value))
            continue
        try:
            given[name] = kinds[name](value)
        except ValueError:
            raise InputError(f"{name}={value} in the address of a queue: not a number") from None
    if not given and (query or not asks):
        return url, settings
    return (f"{bare}?{urlencode(left)}" if left else bare), replace(settings, **given)
