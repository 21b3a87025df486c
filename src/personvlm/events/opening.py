"""From a URL to a queue."""

from __future__ import annotations

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
    scheme = urlsplit(url).scheme.partition("+")[0]
    try:
        if scheme == "memory":
            from personvlm.events.memory import MemoryQueue, check_memory

            check_memory(url)
            return MemoryQueue(settings, blobs)
        if scheme in ("sqlite", "postgresql", "postgres") or (not scheme and url):
            from personvlm.events.sql import SqlQueue
            from personvlm.store.database import as_url

            if store is not None and as_url(url) == store.engine.url:
                return SqlQueue(store.engine, settings, blobs)
            return SqlQueue.open(url, settings, blobs)
        if scheme in ("redis", "rediss", "unix"):
            from personvlm.events.redis_streams import RedisQueue

            return RedisQueue(url, settings, blobs)
        if scheme in ("amqp", "amqps"):
            from personvlm.events.rabbitmq import RabbitQueue

            return RabbitQueue(url, settings, blobs)
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        raise InputError(f"this queue needs {error.name}: pip install 'personvlm[{_EXTRA[error.name]}]'") from None
    raise InputError(f"{url!r}: no queue has such an address; legal: {_FORMS}")


def with_settings(url: str, settings: QueueSettings) -> tuple[str, QueueSettings]:
    """``url`` without the settings that stand in its query, and ``settings`` with them.

    Raises:
        InputError: one of them is no number, or makes no sense.
    """
    parts = urlsplit(url)
    given, left = {}, []
    kinds = {field.name: type(getattr(settings, field.name)) for field in fields(settings)}
    for name, value in parse_qsl(parts.query):
        if name not in kinds:
            left.append((name, value))
            continue
        try:
            given[name] = kinds[name](value)
        except ValueError:
            raise InputError(f"{name}={value} in the address of a queue: not a number") from None
    if not given:
        return url, settings
    bare = url.partition("?")[0]
    return (f"{bare}?{urlencode(left)}" if left else bare), replace(settings, **given)
