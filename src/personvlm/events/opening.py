"""From a URL to a queue."""

from __future__ import annotations

from urllib.parse import urlsplit

from personvlm.base.errors import InputError
from personvlm.events.message import Blobs
from personvlm.events.port import Queue, QueueSettings

_FORMS = "memory:, sqlite:///FILE, FILE.db, postgresql://..., redis://..., amqp://..."


def open_queue(url: str, settings: QueueSettings | None = None, blobs: Blobs | None = None) -> Queue:
    """The queue that ``url`` names; made where it is not there yet.

    Args:
        url: ``memory:``; ``sqlite:///FILE`` or a bare path that ends in ``.db``; ``postgresql://...``;
            ``redis://host:port/0?queue=NAME``; ``amqp://host/vhost?queue=NAME`` (NAME is ``personvlm`` by default).
        blobs: for pictures that are too large for a message.

    Raises:
        InputError: no such kind of URL, or a package is missing.
        QueueDownError: nobody answers there.

    Example:
        >>> queue = open_queue("memory:")
        >>> queue.stats().queued
        0
    """
    scheme = urlsplit(url).scheme.partition("+")[0]
    try:
        if scheme == "memory":
            from personvlm.events.memory import MemoryQueue, check_memory

            check_memory(url)
            return MemoryQueue(settings, blobs)
        if scheme in ("sqlite", "postgresql", "postgres") or (not scheme and url.endswith((".db", ".sqlite"))):
            from personvlm.events.sql import SqlQueue

            return SqlQueue.open(url, settings, blobs)
        if scheme in ("redis", "rediss", "unix"):
            from personvlm.events.redis_streams import RedisQueue

            return RedisQueue(url, settings, blobs)
        if scheme in ("amqp", "amqps"):
            from personvlm.events.rabbitmq import RabbitQueue

            return RabbitQueue(url, settings, blobs)
    except ModuleNotFoundError as error:
        extra = {"sqlalchemy": "service", "psycopg": "postgres", "redis": "redis", "aio_pika": "rabbitmq"}
        if error.name not in extra:
            raise
        raise InputError(f"{scheme}: queues need {error.name}: pip install 'personvlm[{extra[error.name]}]'") from None
    raise InputError(f"{url}: no queue has such an address; legal: {_FORMS}")
