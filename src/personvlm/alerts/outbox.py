"""Sends what stands in the outbox, until the receiver has taken it.

Messages are written in the transaction that raises the alert, so that none is lost; they are sent outside of one, and
sent again after a crash, with the same id. Of one alert and channel they leave in order.
"""

from __future__ import annotations

import base64
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from personvlm.alerts import notify, webhook
from personvlm.alerts.engine import Channel
from personvlm.alerts.showing import EVERYTHING, Showing
from personvlm.base import tracing
from personvlm.base.errors import PersonVLMError
from personvlm.store import tables
from personvlm.store.database import reading

if TYPE_CHECKING:
    from personvlm.store import Store

_LARGEST = 512_000


@dataclass(frozen=True)
class Sent:
    """What one round did: messages taken by their receivers, put off, and given up."""

    delivered: int = 0
    failed: int = 0
    dead: int = 0


@dataclass(frozen=True)
class Waiting:
    """How the outbox stands: messages that wait, that are dead, and the age of the oldest that waits, in seconds."""

    waiting: int
    dead: int
    oldest: float


class Outbox:
    """The messages of a store. Several processes may send at a time.

    Args:
        store: whose tables hold them, and whose blobs the pictures. A message whose picture is gone, out of reach or
            not shown goes without.
        showing: what may be seen and said outside.
        give_up: seconds after which a message that nobody takes is dead.
        first, most: seconds before the second attempt and at most between two; they double, and vary by half.
        lease: seconds after which a message is taken up again whose sender is gone.
        timeout: seconds of one attempt.
        jitter: random numbers in [0, 1).
    """

    def __init__(self, store: Store, *, showing: Showing = EVERYTHING, give_up: float = 86400.0, first: float = 1.0,
                 most: float = 300.0, lease: float = 60.0, timeout: float = 10.0,
                 jitter: Callable[[], float] = random.random) -> None:  # fmt: skip
        self._store, self._showing, self._give_up, self._lease = store, showing, give_up, lease
        self._first, self._most, self._timeout, self._jitter = first, most, timeout, jitter

    def deliver(self, now: float | None = None, *, limit: int = 100) -> Sent:
        """Send what is due. A channel that fails is left alone for the rest of the round."""
        fixed = now
        delivered = failed = dead = 0
        down: set[str] = set()
        for row in self._due(time.time() if now is None else now, limit):
            if row["channel"] in down:
                continue
            now = time.time() if fixed is None else fixed
            if not self._claim(row, now):
                continue
            problem = self._send(row, now)
            now = time.time() if fixed is None else fixed
            if problem is None:
                self._mark(row["id"], delivered_at=now, error=None)
                delivered += 1
                continue
            down.add(row["channel"])
            if now - row["created_at"] >= self._give_up:
                self._mark(row["id"], dead_at=now, error=problem)
                dead += 1
            else:
                wait = min(self._most, self._first * 2.0 ** min(row["attempts"], 30)) * (0.5 + self._jitter())
                self._put_off(row, now + wait, problem)
                failed += 1
        return Sent(delivered, failed, dead)

    def waiting(self, now: float | None = None) -> Waiting:
        """How it stands."""
        rows, now = tables.deliveries.c, time.time() if now is None else now
        waits, dead = sa.and_(rows.delivered_at.is_(None), rows.dead_at.is_(None)), rows.dead_at.is_not(None)
        with reading(self._store.engine) as connection:
            wait = sa.select(sa.func.count(), sa.func.min(rows.created_at)).where(waits)
            count, oldest = connection.execute(wait).one()
            gone = connection.scalar(sa.select(sa.func.count()).where(dead))
        return Waiting(int(count), int(gone or 0), max(0.0, now - oldest) if oldest is not None else 0.0)

    def revive(self, now: float | None = None) -> int:
        """Send what is dead again; returns how many. What was for a channel that is gone is for no other one that has
        its name since."""
        deliveries, channels = tables.deliveries, tables.alert_channels
        now = time.time() if now is None else now
        there = sa.exists().where(channels.c.name == deliveries.c.channel,
                                  channels.c.created_at <= deliveries.c.created_at)  # fmt: skip
        again = deliveries.update().where(deliveries.c.dead_at.is_not(None), there).values(
            dead_at=None, next_at=now, created_at=now, attempts=0)  # fmt: skip
        with self._store.engine.begin() as connection:
            return int(connection.execute(again).rowcount)

    def _due(self, now: float, limit: int) -> list[Any]:
        rows, before = tables.deliveries, tables.deliveries.alias()
        earlier = sa.exists().where(before.c.alert == rows.c.alert, before.c.channel == rows.c.channel,
                                    before.c.number < rows.c.number, before.c.delivered_at.is_(None),
                                    before.c.dead_at.is_(None))  # fmt: skip
        due = sa.select(rows).where(rows.c.delivered_at.is_(None), rows.c.dead_at.is_(None), rows.c.next_at <= now,
                                    ~earlier).order_by(rows.c.next_at, rows.c.id).limit(limit)  # fmt: skip
        with reading(self._store.engine) as connection:
            return list(connection.execute(due).mappings())

    def _claim(self, row: Any, now: float) -> bool:
        """Whether it is ours: of two who try, one changes the row."""
        rows = tables.deliveries
        mine = rows.update().where(rows.c.id == row["id"], rows.c.attempts == row["attempts"],
                                   rows.c.delivered_at.is_(None), rows.c.dead_at.is_(None),
                                   rows.c.next_at == row["next_at"])  # fmt: skip
        mine = mine.values(attempts=row["attempts"] + 1, next_at=now + self._lease)
        with self._store.engine.begin() as connection:
            return int(connection.execute(mine).rowcount) == 1

    def _put_off(self, row: Any, until: float, problem: str) -> None:
        """Until its receiver is there again; what else waits for it need not find that out by itself."""
        self._mark(row["id"], next_at=until, error=problem)
        rows = tables.deliveries
        others = rows.update().where(rows.c.channel == row["channel"], rows.c.delivered_at.is_(None),
                                     rows.c.dead_at.is_(None), rows.c.next_at < until)  # fmt: skip
        with self._store.engine.begin() as connection:
            connection.execute(others.values(next_at=until))

    def _mark(self, id: str, **values: Any) -> None:
        with self._store.engine.begin() as connection:
            connection.execute(tables.deliveries.update().where(tables.deliveries.c.id == id).values(**values))

    def _send(self, row: Any, now: float) -> str | None:
        """Send it; returns why that failed."""
        with reading(self._store.engine) as connection:
            channel = _channel(connection, row["channel"])
            crop = connection.scalar(sa.select(tables.alerts.c.crop).where(tables.alerts.c.id == row["alert"]))
        if channel is None:
            return f"there is no channel {row['channel']!r} any more"
        picture = None if crop is None else self._bytes(crop)
        payload = json.loads(row["payload"])
        payload["alert"] = self._showing.alert(payload["alert"], self._store)
        parent, facts = payload.pop("traceparent", None), {"personvlm.attempt": row["attempts"] + 1}
        try:
            with tracing.span("deliver", parent, kind="client", event_id=payload["alert"]["event_id"], facts=facts):
                if channel.webhook:
                    message = {"id": row["id"], "sent_at": now, **payload,
                               "picture": base64.b64encode(picture).decode() if picture else None}  # fmt: skip
                    body = json.dumps(message, ensure_ascii=False).encode()
                    webhook.send(channel.url, body, id=row["id"], secret=channel.secret, private=channel.private,
                                 now=now, timeout=self._timeout)  # fmt: skip
                else:
                    notify.notify(channel.url, *sentence(payload["alert"]), picture)
        except PersonVLMError as error:
            return str(error)
        except Exception as error:  # a service's own defects must not stop the others
            return f"{type(error).__name__}: {error}"
        return None

    def _bytes(self, reference: str) -> bytes | None:
        if self._store.blobs is None:
            return None
        try:
            camera = self._store.camera_of(reference)
            if self._showing.hides(camera):
                return None
            picture = self._showing.seen(self._store.blobs.get(reference), camera)
        except Exception:  # gone by age, or its store is down: the words must not wait for it
            return None
        return picture if len(picture) <= _LARGEST else None


def sentence(alert: dict[str, Any]) -> tuple[str, str]:
    """Title and text for people."""
    moment = datetime.fromtimestamp(alert["raised_at"], timezone.utc)
    when = f"{moment:%Y-%m-%d %H:%M:%S} UTC, {alert['probability']:.0%} sure"
    return f"{alert['rule']} at {alert['camera']}", "\n".join(filter(None, (alert["text"], when)))


def _channel(connection: Connection, name: str) -> Channel | None:
    channels = tables.alert_channels
    row = connection.execute(sa.select(channels).where(channels.c.name == name)).mappings().one_or_none()
    return None if row is None else Channel(row["name"], row["url"], row["secret"], bool(row["private"]))
