"""The connection to RabbitMQ: one event loop in a thread of its own, one connection, opened again when it breaks."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import uuid
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, TypeVar
from urllib.parse import urlsplit

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractExchange
from aio_pika.exceptions import AMQPError, ChannelPreconditionFailed, DeliveryError

from personvlm.base.errors import InputError
from personvlm.events.polling import split
from personvlm.events.port import LANES, QueueDownError, QueueSettings

_PATIENCE_S = 60.0
_TURNS = 4
_AWAY = (AMQPError, OSError, asyncio.TimeoutError, RuntimeError, CancelledError)
_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Sent:
    """A message to send.

    Attributes:
        to: a trigger, or ``dead``; of :meth:`Link.turn` an empty one is sent nowhere.
        retry: which failure it waits out, from 1; 0: none.
        wait_s: how long.
    """

    to: str
    body: bytes
    headers: dict[str, Any] = field(default_factory=dict)
    retry: int = 0
    wait_s: float = 0.0


class Link:
    """One connection. Its coroutines run in its own thread: hand them to :meth:`call`.

    Args:
        arrive: gets every message of a trigger, in the thread of this object.
        lost: called when all that was received and not settled is no longer ours.
    """

    def __init__(self, url: str, settings: QueueSettings, prefetch: int, arrive: Callable[[str, Any], None],
                 lost: Callable[[], None]) -> None:  # fmt: skip
        self._url, self.name = split(url)
        self._shown = urlsplit(self._url).hostname
        self._settings, self._prefetch, self._arrive, self._lost = settings, prefetch, arrive, lost
        self._connection: Any = None
        self._sending: AbstractChannel | None = None
        self._receiving: AbstractChannel | None = None
        self._exchanges: dict[str, AbstractExchange] = {}
        self._closed = False
        self._loop = asyncio.new_event_loop()
        self._lock = asyncio.Lock()
        threading.Thread(target=self._loop.run_forever, name="rabbitmq", daemon=True).start()

    def call(self, work: Coroutine[Any, Any, _Answer]) -> _Answer:
        """Run a coroutine there and wait for it.

        Raises:
            QueueDownError: the broker does not answer.
        """
        if self._closed:
            work.close()
            raise QueueDownError("this queue was closed")
        future = asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, _PATIENCE_S), self._loop)
        try:
            return future.result()
        except ChannelPreconditionFailed as error:
            raise InputError(f"RabbitMQ has a queue {self.name} with other settings ({error}): give it another name "
                             "(?queue=NAME), the settings it has, or delete it") from None  # fmt: skip
        except Exception as error:
            # What was under way when a connection is closed (by another thread that opens it anew) is cancelled, or
            # ends with an Exception of no class at all.
            if not (isinstance(error, _AWAY) or type(error) is Exception):
                raise
            raise QueueDownError(f"RabbitMQ at {self._shown}: {str(error) or type(error).__name__}") from error

    # Opening.

    async def ready(self) -> None:
        """Connect where it is not connected, and declare everything."""
        async with self._lock:
            if self._connection is not None and not self._connection.is_closed and self._open(self._sending):
                return
            await self._forget()
            self._connection = await aio_pika.connect(self._url, timeout=10)
            self._sending = await self._connection.channel(publisher_confirms=True)
            await self._declare(self._sending)

    @staticmethod
    def _open(channel: AbstractChannel | None) -> bool:
        return channel is not None and not channel.is_closed

    async def _forget(self) -> None:
        self._receiving, self._exchanges = None, {}
        self._lost()
        if self._connection is not None:
            with contextlib.suppress(Exception):
                await self._connection.close()
        self._connection = self._sending = None

    async def _declare(self, channel: AbstractChannel) -> None:
        settings, name = self._settings, self.name
        lanes = await channel.declare_exchange(name, aio_pika.ExchangeType.DIRECT, durable=True)
        # Letters are looked at and put back: a quorum queue would count that against them.
        await channel.declare_queue(f"{name}.dead", durable=True)
        self._exchanges = {"": lanes, "dead": channel.default_exchange}
        safe = {"x-queue-type": "quorum", "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}
        for lane in LANES:
            queue = await channel.declare_queue(f"{name}.{lane}", durable=True, arguments={
                **safe, "x-max-length": settings.depth, "x-delivery-limit": _TURNS * settings.attempts,
                "x-dead-letter-exchange": "", "x-dead-letter-routing-key": f"{name}.dead"})  # fmt: skip
            await queue.bind(lanes, lane)
        for failure in range(1, settings.attempts):
            retry = f"{name}.retry.{failure}"
            longest = min(settings.backoff_cap_s, settings.backoff_s * 2.0 ** (failure - 1))
            self._exchanges[retry] = await channel.declare_exchange(retry, aio_pika.ExchangeType.FANOUT, durable=True)
            queue = await channel.declare_queue(retry, durable=True, arguments={
                **safe, "x-dead-letter-exchange": name, "x-message-ttl": max(1, int(1000 * longest))})  # fmt: skip
            await queue.bind(self._exchanges[retry])

    async def consume(self) -> None:
        """Have the broker send messages ahead."""
        if self._open(self._receiving) and self._connection is not None and not self._connection.is_closed:
            return
        await self.ready()
        async with self._lock:
            if self._open(self._receiving):
                return
            self._lost()
            channel = await self._connection.channel(publisher_confirms=False)
            await channel.set_qos(prefetch_count=self._prefetch)
            channel.close_callbacks.add(lambda *_: self._lost())
            for lane in LANES:
                queue = await channel.get_queue(f"{self.name}.{lane}", ensure=False)
                await queue.consume(self._receiver(lane))
            self._receiving = channel

    def _receiver(self, lane: str) -> Callable[[Any], Coroutine[Any, Any, None]]:
        async def received(message: Any) -> None:
            self._arrive(lane, message)

        return received

    # Sending.

    async def publish(self, messages: Sequence[Sent]) -> list[bool]:
        """Send and wait until the broker has written them; False where a queue is full."""
        await self.ready()
        return list(await asyncio.gather(*map(self._send, messages)))

    async def _send(self, sent: Sent) -> bool:
        retry = f"{self.name}.retry.{sent.retry}"
        exchange = self._exchanges[retry if sent.retry else "dead" if sent.to == "dead" else ""]
        message = aio_pika.Message(
            sent.body, headers=sent.headers, content_type="application/json", message_id=uuid.uuid4().hex,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT, timestamp=datetime.now(timezone.utc),
            expiration=sent.wait_s if sent.retry else None,
        )  # fmt: skip
        try:
            await exchange.publish(message, f"{self.name}.dead" if sent.to == "dead" else sent.to)
        except DeliveryError:
            return False
        return True

    async def move(self, message: Any, sent: Sent) -> None:
        """Send a copy, and only then settle the original: a crash in between makes two of it, never none."""
        await self.ready()
        if not await self._send(sent):
            raise QueueDownError("RabbitMQ refused a message that it has to keep")
        await message.ack()

    async def ack(self, messages: Sequence[Any]) -> None:
        """Settle."""
        for message in messages:
            await message.ack()

    async def requeue(self, messages: Sequence[Any]) -> None:
        """Give back."""
        for message in messages:
            await message.nack(requeue=True)

    async def turn(self, queue: str, choose: Callable[[Any], Sent | None], limit: int | None = None) -> int:
        """Look at what is ready in a queue. What ``choose`` gives is sent and the original deleted; the rest stays, in
        its order, without having been away from the broker. Returns how many were sent or deleted."""
        await self.ready()
        channel, done = await self._connection.channel(publisher_confirms=False), 0
        try:
            source = await channel.get_queue(f"{self.name}.{queue}", ensure=False)
            while limit is None or limit > 0:
                message = await source.get(fail=False)
                if message is None:
                    break
                limit = None if limit is None else limit - 1
                sent = choose(message)
                if sent is None:
                    continue
                if sent.to and not await self._send(sent):
                    break
                await message.ack()
                done += 1
        finally:
            await channel.close()  # what was not acknowledged goes back
        return done

    async def counts(self) -> dict[str, int]:
        """Ready messages by trigger, ``delayed`` and ``dead``."""
        await self.ready()
        assert self._sending is not None
        counts: dict[str, int] = {}
        for name in (*LANES, "dead", *(f"retry.{failure}" for failure in range(1, self._settings.attempts))):
            queue = await self._sending.declare_queue(f"{self.name}.{name}", passive=True)
            key = "delayed" if name.startswith("retry") else name
            counts[key] = counts.get(key, 0) + int(queue.declaration_result.message_count or 0)
        return counts

    async def drop(self) -> None:
        """Delete queues and exchanges."""
        await self.ready()
        assert self._sending is not None
        retries = [f"{self.name}.retry.{failure}" for failure in range(1, self._settings.attempts)]
        for name in (*(f"{self.name}.{lane}" for lane in (*LANES, "dead")), *retries):
            await self._sending.queue_delete(name)
        for name in (self.name, *retries):
            await self._sending.exchange_delete(name)

    def close(self) -> None:
        """Close the connection and end the thread. What was not settled goes back to the broker."""
        with contextlib.suppress(QueueDownError, InputError):
            self.call(self._forget())
        if not self._closed:
            self._closed = True
            self._loop.call_soon_threadsafe(self._loop.stop)
